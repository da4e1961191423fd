/* make bench-comm: one bucket's sum over all ranks by each of our reductions, beside MPI_Allreduce of the installed
 * MPI, from 4 KiB to 64 MiB.
 *
 * All take turns within a round; a turn is as many sums, one after the other, as take about 2 ms, and its time is that
 * of the slowest rank; where each rank can have a processor, one in which some rank lost it is repeated, up to 20
 * times. The table has medians of the rounds, and how many times as fast as MPI_Allreduce each is (the median of the
 * rounds' ratios). One leaf and one thread a rank; what is summed are zeros.
 *
 * usage: mpirun -n RANKS bench-comm [--json] [--rounds N] [--from BYTES] [--to BYTES]
 *        --json: an object a line: ranks, bytes, reduction, us, gb_s, times_mpi */
#define _GNU_SOURCE
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "comm/exchange.h"
#include "core/clock.h"
#include "core/inside.h"
#include "core/memory.h"

enum { MOST_ROUNDS = 101, MOST_SUMS = 8192 };
enum { TRIES = 20 };
static const double TURN_S = 0.002;

static struct {
    bool json;
    int rounds;
    size_t from, to; /* bytes */
} options = {.rounds = 15, .from = 4096, .to = 64 << 20};

static int rank, ranks;
static struct cvy_comm *comm;
static struct cvy_compute *compute;

/* A way of summing: ours, or (reduction NULL) MPI's as it is. */
struct way {
    const char *name;
    const struct cvy_reduction *reduction;
    struct cvy_exchange *x;
    float *mpi;
    int sums; /* a turn */
    double us[MOST_ROUNDS];
};
enum { MOST_WAYS = 16 };
static struct way ways[MOST_WAYS]; /* the last is MPI's */
static int way_count;

static void find_ways(void) {
    for (int i = 0; cvy_reduction_at(i); i++)
        if (cvy_reduction_at(i) != &cvy_reduction_halving || (ranks & (ranks - 1)) == 0)
            ways[way_count++] = (struct way){.reduction = cvy_reduction_at(i)};
    ways[way_count++] = (struct way){.reduction = &cvy_reduction_library};
    for (int w = 0; w < way_count; w++) ways[w].name = cvy_reduction_name(ways[w].reduction);
    ways[way_count++] = (struct way){.name = "MPI_Allreduce"};
}

static void check(cvy_status status) {
    if (status == CVY_OK) return;
    fprintf(stderr, "bench-comm: rank %d: %s\n", rank, cvy_error_message());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void open_way(struct way *way, size_t floats) {
    const struct cvy_exchange_plan plan = {.floats = floats, .leaves = {ranks}, .reduction = way->reduction};
    void *block;
    if (way->reduction) {
        check(cvy_exchange_create(comm, compute, &plan, &way->x));
        return;
    }
    check(cvy_alloc(floats * sizeof(float), CVY_TAG_general, &block));
    way->mpi = memset(block, 0, floats * sizeof(float));
}

static void close_way(struct way *way) {
    cvy_exchange_destroy(&way->x);
    CVY_DELETE(&way->mpi);
}

static void sum(struct way *way, size_t floats) {
    if (way->mpi) {
        MPI_Allreduce(MPI_IN_PLACE, way->mpi, (int)floats, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        return;
    }
    check(cvy_exchange_begin(way->x, ranks));
    (void)cvy_exchange_leaf(way->x);
    check(cvy_exchange_leaf_done(way->x));
    check(cvy_exchange_wait(way->x, 0));
}

/* Seconds a sum, on the slowest rank; the same on all. */
static double turn(struct way *way, size_t floats) {
    MPI_Barrier(MPI_COMM_WORLD);
    double start = cvy_clock();
    for (int i = 0; i < way->sums; i++) sum(way, floats);
    double seconds = (cvy_clock() - start) / way->sums;
    MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return seconds;
}

/* How often this process lost its processor to another one. */
static long lost(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

static double quiet_turn(struct way *way, size_t floats) {
    double seconds = 0;
    for (int i = 0; i < TRIES; i++) {
        long before = lost();
        seconds = turn(way, floats);
        long losses = lost() - before;
        MPI_Allreduce(MPI_IN_PLACE, &losses, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
        if (losses == 0 || ranks > cvy_processors()) break;
    }
    return seconds;
}

/* Pages are touched, and a turn's sums are found. */
static void warm_up(struct way *way, size_t floats) {
    if (way->x) {
        check(cvy_exchange_begin(way->x, ranks));
        memset(cvy_exchange_leaf(way->x), 0, floats * sizeof(float));
        check(cvy_exchange_leaf_done(way->x));
        check(cvy_exchange_wait(way->x, 0));
    }
    for (way->sums = 1; way->sums < MOST_SUMS; way->sums *= 2)
        if (turn(way, floats) * way->sums >= TURN_S) return;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count) {
    double sorted[MOST_ROUNDS];
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static void show(const struct way *way, size_t bytes) {
    double ratios[MOST_ROUNDS];
    for (int r = 0; r < options.rounds; r++) ratios[r] = ways[way_count - 1].us[r] / way->us[r];
    const double us = median(way->us, options.rounds), times = median(ratios, options.rounds);
    if (options.json)
        printf("{\"ranks\":%d,\"bytes\":%zu,\"reduction\":\"%s\",\"us\":%.3f,\"gb_s\":%.4f,\"times_mpi\":%.3f}\n",
               ranks, bytes, way->name, us, (double)bytes / us / 1e3, times);
    else if (way->mpi)
        printf("  %10.1f\n", us);
    else
        printf("  %10.1f %5.2f", us, times);
}

static void measure(size_t bytes) {
    const size_t floats = bytes / sizeof(float);
    for (int w = 0; w < way_count; w++) open_way(&ways[w], floats);
    for (int w = 0; w < way_count; w++) warm_up(&ways[w], floats);
    for (int r = 0; r < options.rounds; r++)
        for (int w = 0; w < way_count; w++) ways[w].us[r] = 1e6 * quiet_turn(&ways[w], floats);
    if (rank == 0 && !options.json) printf("%8zu KiB", bytes >> 10);
    for (int w = 0; w < way_count && rank == 0; w++) show(&ways[w], bytes);
    for (int w = 0; w < way_count; w++) close_way(&ways[w]);
    fflush(stdout);
}

static void read_options(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        options.json |= strcmp(argv[i], "--json") == 0;
        if (i + 1 == argc) break;
        if (strcmp(argv[i], "--rounds") == 0) options.rounds = atoi(argv[i + 1]);
        if (strcmp(argv[i], "--from") == 0) options.from = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--to") == 0) options.to = strtoull(argv[i + 1], NULL, 10);
    }
    if (options.rounds < 1) options.rounds = 1;
    if (options.rounds > MOST_ROUNDS) options.rounds = MOST_ROUNDS;
}

int main(int argc, char **argv) {
    cvy_thread_settle();
    read_options(argc, argv);
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &(int){0});
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    check(cvy_comm_create(&(MPI_Comm){MPI_COMM_WORLD}, &comm));
    check(cvy_compute_create(1, cvy_isa_detect(), &compute));
    find_ways();
    if (rank == 0 && !options.json) {
        printf("%d ranks, µs (times as fast as MPI_Allreduce)\n%12s", ranks, "");
        for (int w = 0; w < way_count; w++) printf("  %*s", ways[w].reduction ? 16 : 10, ways[w].name);
        printf("\n");
    }
    for (size_t bytes = options.from; bytes <= options.to; bytes *= 4) measure(bytes);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
    MPI_Finalize();
    return 0;
}
