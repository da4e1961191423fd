/* make scale: steps of a training on simulated ranks, one a node. The exchange is ours, as it is; layers take the time
 * that was measured of them. Prints one line: simulated times, and what comm/forecast says of the same.
 *
 *   scale WORKLOAD [key=value …]     reduction=NAME|auto mib=N steps=N noise=SHARE speed=TIMES alpha=S rate=BYTES_PER_S
 *   scale digest [reduction=NAME]    the sum of 200 leaves of 50,000 awkward floats: its bits, which are one digest
 *
 * A workload: "floats F before S update S samples N", then of each stretch of backward, in order, "SECONDS FIRST
 * COUNT". speed: nodes as many times as fast as the one that was measured. alpha, rate: of the network, for the
 * forecast. */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/exchange.h"
#include "comm/forecast.h"
#include "comm/imagined.h"
#include "core/hash.h"

#define CVY_SCALE_STAND_ITSELF
#include "stand.h"

enum { MOST_STRETCHES = 2048, MOST_STEPS = 64 };

static struct {
    size_t floats;
    double before, update;
    int samples, count;
    struct cvy_backward_stretch stretches[MOST_STRETCHES];
} load;
static const char *reduction = "auto";
static double mib = 8, noise, speed = 1, alpha = 2.5e-6, rate = 12.5e9;
static int steps = 1, rank, ranks;
static struct cvy_comm *comm;

static void check(cvy_status status) {
    if (status == CVY_OK) return;
    fprintf(stderr, "scale: rank %d: %s\n", rank, cvy_error_message());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* ---- What is asked for ---- */

static void read_workload(const char *path) {
    FILE *file = fopen(path, "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        struct cvy_backward_stretch s;
        if (sscanf(line, "%lf %zu %zu", &s.seconds, &s.first, &s.count) == 3 && load.count < MOST_STRETCHES)
            load.stretches[load.count++] = s;
        else if (line[0] == 'f')
            (void)sscanf(line, "floats %zu before %lf update %lf samples %d", &load.floats, &load.before, &load.update,
                         &load.samples);
    }
    if (file) fclose(file);
    if (load.floats > 0) return;
    fprintf(stderr, "scale: %s is no workload\n", path);
    MPI_Abort(MPI_COMM_WORLD, 2);
}

static void read_option(const char *word) {
    const struct {
        const char *key;
        double *value;
    } numbers[] = {{"mib=", &mib},   {"noise=", &noise},         {"speed=", &speed},      {"alpha=", &alpha},
                   {"rate=", &rate}, {"copied=", &stand_copied}, {"pause=", &stand_pause}};
    if (strncmp(word, "reduction=", 10) == 0) reduction = word + 10;
    if (strncmp(word, "steps=", 6) == 0) steps = atoi(word + 6);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strncmp(word, numbers[i].key, strlen(numbers[i].key)) == 0)
            *numbers[i].value = atof(word + strlen(numbers[i].key));
}

static const struct cvy_reduction *chosen(void) {
    for (int i = 0; cvy_reduction_at(i); i++)
        if (strcmp(cvy_reduction_name(cvy_reduction_at(i)), reduction) == 0) return cvy_reduction_at(i);
    return strcmp(reduction, "library") == 0 ? &cvy_reduction_library : NULL;
}

/* ---- A step ---- */

/* How much longer this rank computes in this step: normally distributed, in (−1, 1). */
static double jitter(int step) {
    const uint64_t place[2] = {(uint64_t)rank, (uint64_t)step};
    const uint64_t bits = cvy_hash(place, sizeof place, 7);
    const double u = ((double)(bits >> 40) + 1) / 16777217, v = (double)(bits & 0xffffff) / 16777216;
    const double x = noise * sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
    return x < -0.5 ? -0.5 : x > 1 ? 1 : x;
}

static void backward(struct cvy_exchange *x, double slower) {
    for (int i = 0; i < load.count; i++) {
        const struct cvy_backward_stretch *s = &load.stretches[i];
        stand_work(slower * s->seconds);
        check(s->count ? cvy_exchange_ready(x, s->first, s->count) : cvy_exchange_poll(x));
    }
    check(cvy_exchange_leaf_done(x));
}

static void finish(struct cvy_exchange *x) {
    const struct cvy_control mine = {.hash = 1};
    struct cvy_control joint;
    const double value = 1;
    double sum;
    check(cvy_exchange_send_control(x, &mine, &value));
    check(cvy_exchange_wait_control(x, &joint, &sum));
    for (int b = 0; b < cvy_exchange_buckets(x); b++) {
        size_t first, end;
        cvy_exchange_bucket(x, b, &first, &end);
        check(cvy_exchange_wait(x, b));
        stand_work(load.update * (double)(end - first) / (double)load.floats);
    }
}

static double step(struct cvy_exchange *x, int number) {
    const double start = MPI_Wtime(), slower = 1 + (noise > 0 ? jitter(number) : 0);
    check(cvy_exchange_begin(x, ranks));
    (void)cvy_exchange_leaf(x);
    stand_work(slower * load.before);
    backward(x, slower);
    finish(x);
    return MPI_Wtime() - start;
}

static struct cvy_forecast forecast(const struct cvy_exchange_plan *plan) {
    const struct cvy_network network = {{alpha, 1 / rate}, {alpha, 1 / rate}, stand_copied};
    struct cvy_comm *imagined;
    struct cvy_forecast f;
    check(cvy_comm_imagine(ranks, 1, &imagined));
    const struct cvy_forecast_spec spec = {.comm = imagined,
                                           .exchange = plan,
                                           .network = &network,
                                           .before = load.before,
                                           .stretches = load.stretches,
                                           .stretch_count = load.count,
                                           .update = load.update};
    check(cvy_forecast(&spec, &f));
    cvy_comm_destroy(&imagined);
    return f;
}

/* The most that this rank sent for one bucket in a step. */
static int messages_a_bucket(int buckets) {
    int most = 0;
    for (int t = STAND_TAGS - 1; t >= 0; t--)
        if (t >= 5 && t < 5 + buckets && stand_sent[t] > most) most = stand_sent[t];
    return most / (steps + 1);
}

/* The first step connects; of the others the mean of the slowest rank's times. */
static void run_steps(void) {
    const struct cvy_exchange_plan plan = {.floats = load.floats,
                                           .bucket_floats = (size_t)(mib * (1 << 20) / sizeof(float)),
                                           .leaves = {ranks},
                                           .values = 1,
                                           .reduction = chosen()};
    struct cvy_exchange *x;
    double whole = 0, compute = load.before + load.update;
    for (int i = 0; i < load.count; i++) compute += load.stretches[i].seconds;
    check(cvy_exchange_create(comm, NULL, &plan, &x));
    (void)step(x, 0);
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = MPI_Wtime();
    for (int i = 1; i <= steps; i++) (void)step(x, i);
    whole = (MPI_Wtime() - start) / steps;
    MPI_Allreduce(MPI_IN_PLACE, &whole, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    if (rank == 0) {
        const struct cvy_forecast f = forecast(&plan);
        printf("%d %s %g %d %.6f %.6f %.4f %.6f %.4f %d\n", ranks,
               cvy_reduction_name(cvy_exchange_reduction(x, cvy_exchange_buckets(x) - 1)), mib, cvy_exchange_buckets(x),
               1e3 * whole, 1e3 * (whole - compute), compute / whole, 1e3 * f.step, f.step / whole - 1,
               messages_a_bucket(cvy_exchange_buckets(x)));
    }
    cvy_exchange_destroy(&x);
}

/* ---- Bits ---- */

static float gradient(int leaf, size_t i) {
    const uint64_t place[2] = {(uint64_t)leaf, i};
    const uint64_t bits = cvy_hash(place, sizeof place, 3);
    return ldexpf((float)(int32_t)(bits & 0xffffff) - 8388608, -(int)(bits >> 40) % 30);
}

static void run_digest(void) {
    enum { LEAVES = 200, FLOATS = 50000 };
    const struct cvy_exchange_plan plan = {
        .floats = FLOATS, .bucket_floats = 7000, .leaves = {LEAVES}, .reduction = chosen()};
    struct cvy_exchange *x;
    check(cvy_exchange_create(comm, NULL, &plan, &x));
    check(cvy_exchange_begin(x, LEAVES));
    const struct cvy_leaf_range share = cvy_tree_share(LEAVES, rank, ranks);
    for (int leaf = share.first; leaf < share.end; leaf++) {
        float *g = cvy_exchange_leaf(x);
        for (size_t i = 0; i < FLOATS; i++) g[i] = gradient(leaf, i);
        check(cvy_exchange_leaf_done(x));
    }
    for (int b = 0; b < cvy_exchange_buckets(x); b++) check(cvy_exchange_wait(x, b));
    const uint64_t digest = cvy_hash(cvy_exchange_sum(x), FLOATS * sizeof(float), 0);
    check(cvy_comm_same_u64(comm, digest, "sum"));
    if (rank == 0) printf("%d %s %016llx\n", ranks, reduction, (unsigned long long)digest);
    cvy_exchange_destroy(&x);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    for (int i = 2; i < argc; i++) read_option(argv[i]);
    const bool digest = argc > 1 && strcmp(argv[1], "digest") == 0;
    if (!digest) read_workload(argc > 1 ? argv[1] : "");
    load.before /= speed, load.update /= speed;
    for (int i = 0; i < load.count; i++) load.stretches[i].seconds /= speed;
    stand_empty = !digest;
    check(cvy_comm_create(&(MPI_Comm){MPI_COMM_WORLD}, &comm));
    digest ? run_digest() : run_steps();
    cvy_comm_destroy(&comm);
    MPI_Finalize();
    return 0;
}
