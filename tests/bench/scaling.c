/* make bench-scaling: weak scaling of whole training steps (loader, net, exchange, update, metrics) over the ranks of
 * this host, beside what sharing the host costs without any communication.
 *
 *     alone      rank 0 trains by itself on `batch` samples a step, the others sleep
 *     at once    every rank does, each in a training of its own: memory and caches are shared, nothing else
 *     together   all ranks train one network, `batch` samples a step each
 *
 * The three take turns within a round; a turn's time is that of the slowest rank. A turn in which a rank had its
 * processor for less than 97 % of the time, since another program wanted it, is repeated, up to 20 times: each rank is
 * bound to one and never sleeps while it waits, so what is missing in its processor time was taken. Weak scaling is
 * alone/together, its bound alone/at-once; the table has medians of the rounds, and of the rounds' ratios.
 *
 * usage: mpirun -n RANKS --bind-to core bench-scaling [--json] [--rounds N] MODEL:BATCH…
 *        MODEL: an experiment's value of `model`, for 28×28×1 inputs of 10 classes
 *        --json: an object a line: ranks, model, batch, alone_ms, at_once_ms, together_ms, scaling, bound, of_bound,
 *                exposed (share of the step that rank 0 waited for the exchange, in `together`) */
#define _GNU_SOURCE
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "convoy.h"
#include "core/clock.h"
#include "core/inside.h"
#include "core/memory.h"
#include "train/session/loop.h"

enum { TRIES = 20 };
enum { MOST_ROUNDS = 101, PIXELS = 28 * 28, SAMPLES = 2048 };
static const double TURN_S = 0.05, LOST = 0.03;

static struct {
    bool json;
    int rounds;
} options = {.rounds = 15};

static int rank, ranks;
static char folder[] = "/tmp/bench-scaling-XXXXXX";
static unsigned char pictures[SAMPLES][PIXELS];
static int32_t labels[SAMPLES];

/* What is set side by side. */
enum { ALONE, AT_ONCE, TOGETHER, WAYS };
struct training {
    struct cvy_context *ctx;
    struct cvy_session *session;
};
struct row {
    const char *model;
    int batch, steps; /* steps: a turn */
    struct training own, joint;
    double ms[WAYS][MOST_ROUNDS];
    double exposed[MOST_ROUNDS];
};

static void check(cvy_status status) {
    if (status == CVY_OK) return;
    fprintf(stderr, "bench-scaling: rank %d: %s\n", rank, cvy_error_message());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* ---- Trainings ---- */

static void fill_data(void) {
    unsigned state = 1;
    for (int s = 0; s < SAMPLES; s++) {
        labels[s] = s % 10;
        for (int i = 0; i < PIXELS; i++)
            pictures[s][i] = (unsigned char)((state = state * 1664525u + 1013904223u) >> 24);
    }
}

/* A run of its own name a rank: those of `own` are all rank 0 of theirs. */
static void begin(const struct row *row, MPI_Comm comm, const char *name, int batch, struct training *out) {
    char path[96], run[112];
    snprintf(path, sizeof path, "%s/%s-%d.yaml", folder, name, rank);
    snprintf(run, sizeof run, "%s/%s-%d", folder, name, rank);
    FILE *file = fopen(path, "w");
    if (file == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
    fprintf(file,
            "model: %s\ntrain: {epochs: 1000000, batch: %d, leaf: %d, learning_rate: 0.001, "
            "optimizer: {sgd: {momentum: 0.9}}}\nlog: {every: 100 steps}\n",
            row->model, batch, row->batch < 32 ? row->batch : 32);
    fclose(file);
    static const double mean = 127.5, std = 74;
    const struct cvy_data_source data =
        CVY_INIT(cvy_data_source, .samples = SAMPLES, .height = 28, .width = 28, .channels = 1, .bytes = true,
                 .classes = 10, .x = pictures, .y = labels, .mean = &mean, .std = &std);
    check(cvy_context_create(&CVY_INIT(cvy_context_options, .comm = &comm, .threads = 1, .log_level = CVY_LOG_ERROR),
                             &out->ctx));
    check(cvy_session_create(
        out->ctx, &CVY_INIT(cvy_train_options, .experiment = path, .train = &data, .run_folder = run), &out->session));
}

static void end(struct training *t) {
    cvy_session_destroy(&t->session);
    cvy_context_destroy(&t->ctx);
}

/* ---- Turns ---- */

/* Those who have nothing to do leave their processor alone. */
static void meet(void) {
    MPI_Request request;
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    for (int done = 0; !done;) {
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (!done) nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
}

/* Of the slowest rank that takes part, or the worst; the same on all. */
struct turn {
    double seconds; /* a step */
    double exposed; /* share of it that rank 0 waited for the exchange */
    double lost;    /* share in which a rank did not have its processor */
};

static double processor_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct turn take_steps(struct cvy_session *session, int steps) {
    double waited = 0;
    const double start = cvy_clock(), before = processor_s();
    for (int i = 0; i < steps; i++) {
        struct cvy_step_report report;
        check(cvy_loop_step(session, &report));
        if (session->coordinator) cvy_coordinator_step(session->coordinator, &report);
        waited += report.comm_s;
    }
    const double took = cvy_clock() - start;
    return (struct turn){took / steps, rank == 0 ? waited / took : 0, 1 - (processor_s() - before) / took};
}

static struct turn turn(const struct row *row, int way) {
    struct turn t = {0};
    meet();
    if (way != ALONE) MPI_Barrier(MPI_COMM_WORLD);
    if (way != ALONE || rank == 0) t = take_steps(way == TOGETHER ? row->joint.session : row->own.session, row->steps);
    meet();
    MPI_Allreduce(MPI_IN_PLACE, &t, 3, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return t;
}

static struct turn quiet_turn(const struct row *row, int way) {
    struct turn t = turn(row, way);
    for (int i = 1; i < TRIES && t.lost > LOST; i++) t = turn(row, way);
    return t;
}

static void find_steps(struct row *row) {
    row->steps = 4;
    for (int way = 0; way < WAYS; way++) (void)turn(row, way);
    const double seconds = turn(row, ALONE).seconds;
    row->steps = seconds * 2 > TURN_S ? 2 : (int)(TURN_S / seconds);
}

/* ---- The table ---- */

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values) {
    double sorted[MOST_ROUNDS];
    const int count = options.rounds;
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static double ratio(const double *over, const double *under) {
    double ratios[MOST_ROUNDS];
    for (int r = 0; r < options.rounds; r++) ratios[r] = over[r] / under[r];
    return median(ratios);
}

static void show(const struct row *row) {
    const double ms[WAYS] = {median(row->ms[ALONE]), median(row->ms[AT_ONCE]), median(row->ms[TOGETHER])};
    const double scaling = ratio(row->ms[ALONE], row->ms[TOGETHER]), bound = ratio(row->ms[ALONE], row->ms[AT_ONCE]);
    const double of_bound = ratio(row->ms[AT_ONCE], row->ms[TOGETHER]), exposed = median(row->exposed);
    if (options.json)
        printf("{\"ranks\":%d,\"model\":\"%s\",\"batch\":%d,\"alone_ms\":%.4f,\"at_once_ms\":%.4f,\"together_ms\":%.4f,"
               "\"scaling\":%.4f,\"bound\":%.4f,\"of_bound\":%.4f,\"exposed\":%.4f}\n",
               ranks, row->model, row->batch, ms[ALONE], ms[AT_ONCE], ms[TOGETHER], scaling, bound, of_bound, exposed);
    else
        printf("%-44.44s %5d %9.3f %9.3f %9.3f %8.3f %6.3f %8.3f %7.1f %%\n", row->model, row->batch, ms[ALONE],
               ms[AT_ONCE], ms[TOGETHER], scaling, bound, of_bound, 100 * exposed);
    fflush(stdout);
}

static void measure(const char *word) {
    static struct row row;
    char model[256];
    snprintf(model, sizeof model, "%s", word);
    char *colon = strrchr(model, ':');
    if (colon == NULL || atoi(colon + 1) < 1) {
        fprintf(stderr, "bench-scaling: \"%s\" is not MODEL:BATCH\n", word);
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    *colon = '\0';
    row = (struct row){.model = model, .batch = atoi(colon + 1)};
    begin(&row, MPI_COMM_SELF, "own", row.batch, &row.own);
    begin(&row, MPI_COMM_WORLD, "joint", row.batch * ranks, &row.joint);
    find_steps(&row);
    for (int r = 0; r < options.rounds; r++) {
        for (int way = 0; way < WAYS; way++) {
            const struct turn t = quiet_turn(&row, way);
            row.ms[way][r] = 1e3 * t.seconds;
            row.exposed[r] = t.exposed;
        }
    }
    if (rank == 0) show(&row);
    end(&row.joint);
    end(&row.own);
    char command[96];
    MPI_Barrier(MPI_COMM_WORLD);
    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    if (rank == 0 && system(command) != 0) MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Barrier(MPI_COMM_WORLD);
}

int main(int argc, char **argv) {
    cvy_thread_settle();
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &(int){0});
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (rank == 0 && mkdtemp(folder) == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Bcast(folder, sizeof folder, MPI_CHAR, 0, MPI_COMM_WORLD);
    fill_data();
    for (int i = 1; i < argc; i++) {
        options.json |= strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) options.rounds = atoi(argv[i + 1]);
    }
    if (options.rounds < 1 || options.rounds > MOST_ROUNDS) options.rounds = MOST_ROUNDS;
    if (rank == 0 && !options.json)
        printf("%d ranks, ms a step\n%-44s %5s %9s %9s %9s %8s %6s %8s %9s\n", ranks, "model", "batch", "alone",
               "at once", "together", "scaling", "bound", "of bound", "exposed");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rounds") == 0)
            i++;
        else if (strcmp(argv[i], "--json") != 0)
            measure(argv[i]);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) rmdir(folder);
    MPI_Finalize();
    return 0;
}
