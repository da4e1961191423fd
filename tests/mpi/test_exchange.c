/* The gradient exchange against a plain recursion over the tree: bits, buckets, short batches, control, deadlines. */
#define _GNU_SOURCE
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "comm/exchange_internal.h"
#include "comm/forecast.h"
#include "comm/imagined.h"
#include "comm/progress.h"
#include "core/memory.h"
#include "mpi/exchange_help.h"
#include "train/record/timeline.h"

enum { MOST = 1008, VALUES = 3 };

static double value(int step, int leaf, int v) {
    return (leaf + 1.1) * (v - 1.3) * (step % 2 ? 1e13 : 1e-3) * (leaf % 2 ? 1.0 : 1e5);
}

static double value_sum(int step, int first, int end, int v) {
    if (end - first == 1) return value(step, first, v);
    int half = 1;
    while (half * 2 < end - first) half *= 2;
    return value_sum(step, first, first + half, v) + value_sum(step, first + half, end, v);
}

/* How a step tells the exchange what is final. */
enum report { AT_THE_END, BACKWARDS, INSIDE_OUT };

static void report_ready(struct cvy_exchange *x, size_t floats, enum report report) {
    size_t part = 48, parts = (floats + part - 1) / part;
    for (size_t i = 0; i < parts && report != AT_THE_END; i++) {
        size_t p = report == BACKWARDS ? parts - 1 - i : (i % 2 ? parts / 2 + (i + 1) / 2 : parts / 2 - i / 2);
        if (p >= parts) continue; /* leaf_done makes up for what is never reported */
        size_t first = p * part, count = floats - first < part ? floats - first : part;
        mpi_expect(cvy_exchange_ready(x, first, count) == CVY_OK);
    }
}

static void own_leaves(struct cvy_comm *comm, struct cvy_exchange *x, int step, int leaves, size_t floats,
                       enum report report, double values[][VALUES]) {
    struct cvy_leaf_range share = cvy_tree_share(leaves, cvy_comm_rank(comm), cvy_comm_size(comm));
    for (int leaf = share.first; leaf < share.end; leaf++) {
        float *g = cvy_exchange_leaf(x);
        for (size_t i = 0; i < floats; i++) g[i] = exchange_gradient(step, leaf, i);
        for (int v = 0; v < VALUES; v++) values[leaf - share.first][v] = value(step, leaf, v);
        report_ready(x, floats, report);
        mpi_expect(cvy_exchange_leaf_done(x) == CVY_OK);
    }
}

static void expect_control(struct cvy_exchange *x, int step, int leaves, bool stop) {
    struct cvy_control joint;
    double sums[VALUES];
    mpi_expect(cvy_exchange_wait_control(x, &joint, sums) == CVY_OK);
    mpi_expect(joint.hash == (uint64_t)step && joint.stop == stop && !joint.nonfinite);
    for (int v = 0; v < VALUES; v++) {
        double want = value_sum(step, 0, leaves, v);
        mpi_expect(memcmp(&sums[v], &want, sizeof want) == 0);
    }
}

/* Three steps: whole, short, whole. In step 1 the last rank wishes to stop. */
static void run_steps(struct cvy_comm *comm, const struct cvy_compute *compute, const struct cvy_exchange_plan *plan) {
    struct cvy_exchange *x = NULL;
    mpi_expect(cvy_exchange_create(comm, compute, plan, &x) == CVY_OK);
    for (int step = 0; step < 3; step++) {
        int leaves = plan->leaves[step % 2] ? plan->leaves[step % 2] : plan->leaves[0];
        double values[24][VALUES];
        mpi_expect(cvy_exchange_begin(x, leaves) == CVY_OK);
        own_leaves(comm, x, step, leaves, plan->floats, (enum report)step, values);
        struct cvy_control mine = {.hash = (uint64_t)step,
                                   .stop = step == 1 && cvy_comm_rank(comm) == cvy_comm_size(comm) - 1};
        mpi_expect(cvy_exchange_send_control(x, &mine, &values[0][0]) == CVY_OK);
        if (step == 2) expect_control(x, step, leaves, false); /* before or after the sums, as the trainer likes */
        exchange_expect_sums(x, step, leaves);
        if (step != 2) expect_control(x, step, leaves, step == 1);
    }
    cvy_exchange_destroy(&x);
}

/* Whether a row of the table is for ranks like these: all are on one host. */
static bool reduction_is_for(const struct cvy_reduction *reduction, int ranks) {
    const bool halving = reduction == &cvy_reduction_halving;
    return !(halving && (ranks & (ranks - 1)) != 0);
}

static void run_plan(struct cvy_comm *comm, const struct cvy_compute *compute, const struct cvy_reduction *reduction,
                     const int leaves[2], const size_t sizes[2]) {
    run_steps(comm, compute,
              &(struct cvy_exchange_plan){.floats = sizes[0],
                                          .bucket_floats = sizes[1],
                                          .leaves = {leaves[0], leaves[1]},
                                          .values = VALUES,
                                          .reduction = reduction});
}

/* What is chosen by itself. */
static void same_bits(void) {
    static const int leaves[][2] = {{1}, {2, 1}, {3, 2}, {5, 3}, {6, 5}, {7, 6}, {8, 7}, {12, 8}, {24, 12}};
    static const size_t sizes[][2] = {{16, 0}, {MOST, 336}, {MOST, 160}, {400, 0}}; /* floats, a bucket */
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    for (size_t n = 0; n < sizeof leaves / sizeof *leaves; n++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) run_plan(comm, compute, NULL, leaves[n], sizes[s]);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

/* Buckets that are not alike: of a line, of nearly all, and of what is between. */
static void same_bits_by_any_cuts(void) {
    static const size_t cuts[][5] = {{992, 976, 16, 0}, {16, 0}, {720, 496, 480, 32, 0}};
    static const int counts[] = {4, 2, 5}, leaves[][2] = {{1}, {7, 5}, {8, 4}};
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    for (int i = -1; i < 0 || cvy_reduction_at(i); i++)
        for (int c = 0; c < 3 && (i < 0 || reduction_is_for(cvy_reduction_at(i), cvy_comm_size(comm))); c++)
            run_steps(comm, compute,
                      &(struct cvy_exchange_plan){.floats = MOST,
                                                  .cuts = cuts[c],
                                                  .cut_count = counts[c],
                                                  .leaves = {leaves[c][0], leaves[c][1]},
                                                  .values = VALUES,
                                                  .reduction = cvy_reduction_at(i)});
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

/* As if each `ranks` ranks of this host, in order, were a host of their own. */
static cvy_status split_hosts(struct cvy_comm *comm, int ranks) {
    MPI_Comm whole = comm->node;
    CVY_MPI(comm, MPI_Comm_split(whole, comm->rank / ranks, comm->rank, &comm->node));
    CVY_MPI(comm, MPI_Comm_free(&whole));
    return cvy_places_find_all(comm);
}

/* Moved by a thread, every reduction, on one host and on two. */
static void same_bits_with_a_thread(void) {
    static const int leaves[][2] = {{7, 5}, {24, 11}};
    for (int hosts = 1; hosts <= 2; hosts++) {
        struct cvy_comm *comm = exchange_comm();
        struct cvy_compute *compute = exchange_compute();
        mpi_expect(split_hosts(comm, (cvy_comm_size(comm) + hosts - 1) / hosts) == CVY_OK);
        for (int i = -1; i < 0 || cvy_reduction_at(i); i++) {
            struct cvy_exchange_plan plan = {.floats = MOST,
                                             .bucket_floats = 160,
                                             .values = VALUES,
                                             .reduction = cvy_reduction_at(i),
                                             .progress = CVY_PROGRESS_THREAD};
            const bool alone = cvy_reduction_at(i) == &cvy_reduction_node && cvy_comm_size(comm) <= hosts;
            if (alone || (i >= 0 && !reduction_is_for(cvy_reduction_at(i), cvy_comm_size(comm)))) continue;
            memcpy(plan.leaves, leaves[hosts - 1], sizeof leaves[0]);
            run_steps(comm, compute, &plan);
        }
        cvy_compute_destroy(&compute);
        cvy_comm_destroy(&comm);
    }
}

/* Nobody polls: the sum comes all the same. */
static void the_thread_moves_by_itself(void) {
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    const int size = cvy_comm_size(comm);
    struct cvy_exchange *x = NULL;
    struct cvy_exchange_plan plan = {.floats = MOST, .leaves = {size}, .reduction = &cvy_reduction_direct};
    for (int by = CVY_PROGRESS_AUTO; by <= CVY_PROGRESS_THREAD; by++) {
        plan.progress = (enum cvy_progress_by)by;
        mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_OK);
        mpi_expect(cvy_exchange_has_thread(x) == (by == CVY_PROGRESS_THREAD)); /* auto: not within a host */
        double values[24][VALUES];
        mpi_expect(cvy_exchange_begin(x, size) == CVY_OK);
        own_leaves(comm, x, 0, size, MOST, AT_THE_END, values);
        bool done = by != CVY_PROGRESS_THREAD;
        for (int i = 0; !done && i < 20000; i++) {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            cvy_progress_lock(x);
            done = x->buckets[0].state == BUCKET_DONE;
            cvy_progress_unlock(x);
        }
        mpi_expect(done);
        exchange_expect_sums(x, 0, size);
        cvy_exchange_destroy(&x);
    }
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

static void a_thread_that_mpi_does_not_allow(void) {
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    struct cvy_exchange *x = NULL;
    struct cvy_exchange_plan plan = {.floats = 64, .leaves = {2}, .progress = CVY_PROGRESS_THREAD};
    comm->threads = false; /* as after MPI_Init */
    mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_ERR_USAGE && x == NULL);
    mpi_expect(
        test_message_has("comm.progress: thread wants an MPI that several threads may call (MPI_THREAD_MULTIPLE)"));
    plan.progress = CVY_PROGRESS_AUTO;
    mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_OK && !cvy_exchange_has_thread(x));
    cvy_exchange_destroy(&x);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

static void run_few_plans(struct cvy_comm *comm, const struct cvy_compute *compute,
                          const struct cvy_reduction *reduction) {
    static const int leaves[][2] = {{1}, {3, 2}, {7, 5}, {8, 4}, {24, 11}};
    static const size_t sizes[][2] = {{MOST, 336}, {400, 0}};
    for (size_t n = 0; n < sizeof leaves / sizeof *leaves; n++)
        run_plan(comm, compute, reduction, leaves[n], sizes[n % 2]);
}

static void same_bits_by_each(void) {
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    for (int i = 0; cvy_reduction_at(i); i++)
        if (reduction_is_for(cvy_reduction_at(i), cvy_comm_size(comm)))
            run_few_plans(comm, compute, cvy_reduction_at(i));
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

/* As on hosts of two, three and five ranks, the last with fewer; across them by whatever is cheapest. */
static void same_bits_on_several_hosts(void) {
    static const int ranks[] = {5, 3, 2};
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
        struct cvy_comm *comm = exchange_comm();
        struct cvy_compute *compute = exchange_compute();
        mpi_expect(split_hosts(comm, ranks[i]) == CVY_OK);
        run_few_plans(comm, compute, &cvy_reduction_node);
        run_few_plans(comm, compute, NULL);
        cvy_compute_destroy(&compute);
        cvy_comm_destroy(&comm);
    }
}

/* One message, with what would work. */
static void reduction_that_cannot_be(void) {
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    struct cvy_exchange *x = NULL;
    struct cvy_exchange_plan plan = {.floats = 16, .leaves = {3}, .reduction = &cvy_reduction_halving};
    mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_ERR_USAGE && x == NULL);
    mpi_expect(test_message_has("comm.algorithm: halving wants 2^n ranks; here are 3 ranks on 1 host; take auto"));
    plan.reduction = &cvy_reduction_node;
    mpi_expect(split_hosts(comm, 1) == CVY_OK);
    mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_ERR_USAGE && x == NULL);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

static void step_is_near(struct cvy_comm *comm, struct cvy_exchange *x, int step, int leaves) {
    double values[24][VALUES];
    int far = 0;
    mpi_expect(cvy_exchange_begin(x, leaves) == CVY_OK);
    own_leaves(comm, x, step, leaves, MOST, BACKWARDS, values);
    for (int b = cvy_exchange_buckets(x) - 1; b >= 0; b--) mpi_expect(cvy_exchange_wait(x, b) == CVY_OK);
    for (size_t i = 0; i < MOST; i++) {
        double want = 0.0, size = 0.0;
        for (int leaf = 0; leaf < leaves; leaf++) {
            double g = exchange_gradient(step, leaf, i);
            want += g;
            size += g < 0 ? -g : g;
        }
        double error = cvy_exchange_sum(x)[i] - want;
        far += (error < 0 ? -error : error) > 5 * 6e-8 * size;
    }
    mpi_expect(far == 0);
}

/* The same on all ranks. */
static void step_is_joint(struct cvy_exchange *x) {
    float least[MOST], most[MOST];
    const float *sum = cvy_exchange_sum(x);
    MPI_Allreduce(sum, least, MOST, MPI_FLOAT, MPI_MIN, MPI_COMM_WORLD);
    MPI_Allreduce(sum, most, MOST, MPI_FLOAT, MPI_MAX, MPI_COMM_WORLD);
    mpi_expect(memcmp(least, most, sizeof least) == 0);
}

/* More than any host has: told with the place, and no memory is left. */
static void gradients_too_large_to_share(void) {
    struct cvy_comm *comm = exchange_comm();
    struct cvy_window *window = NULL;
    const struct cvy_window_plan plan = {.vectors = 1, .buckets = 1, .floats = (size_t)1 << 44, .pieces = 1};
    char why[256] = "";
    mpi_expect(cvy_window_create(comm, &plan, why, &window) == CVY_OK && window == NULL);
    mpi_expect(strstr(why, "/dev/shm of ") != NULL && strstr(why, "MiB free and gradients take") != NULL);
    cvy_comm_destroy(&comm);
}

/* MPI's own: near the sum, and the same on all ranks. */
static void library_is_near(void) {
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    struct cvy_exchange *x = NULL;
    const struct cvy_exchange_plan plan = {
        .floats = MOST, .bucket_floats = 160, .leaves = {5, 1}, .values = VALUES, .reduction = &cvy_reduction_library};
    mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_OK);
    for (int step = 0; step < 2; step++) {
        step_is_near(comm, x, step, plan.leaves[step]);
        step_is_joint(x);
    }
    cvy_exchange_destroy(&x);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

/* One step of one leaf a rank with this control record; gives the status of waiting for the joint one. */
static cvy_status control_step(struct cvy_comm *comm, struct cvy_exchange *x, const struct cvy_control *mine,
                               struct cvy_control *joint) {
    double values[24][VALUES], sums[VALUES];
    mpi_expect(cvy_exchange_begin(x, cvy_comm_size(comm)) == CVY_OK);
    own_leaves(comm, x, 0, cvy_comm_size(comm), 16, AT_THE_END, values);
    mpi_expect(cvy_exchange_send_control(x, mine, &values[0][0]) == CVY_OK);
    return cvy_exchange_wait_control(x, joint, sums);
}

static void flags_and_hash(void) {
    struct cvy_comm *comm = exchange_comm();
    int rank = cvy_comm_rank(comm), size = cvy_comm_size(comm);
    struct cvy_compute *compute = exchange_compute();
    struct cvy_exchange *x = NULL;
    struct cvy_exchange_plan plan = {.floats = 16, .leaves = {size}, .values = VALUES};
    mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_OK);
    for (int odd = 0; odd < size; odd++) {
        struct cvy_control joint = {0};
        mpi_expect(control_step(comm, x, &(struct cvy_control){.hash = 5, .nonfinite = rank == odd}, &joint) == CVY_OK);
        mpi_expect(joint.hash == 5 && joint.nonfinite && !joint.stop && !joint.unread);
        mpi_expect(control_step(comm, x, &(struct cvy_control){.hash = 5, .unread = rank == odd}, &joint) == CVY_OK);
        mpi_expect(joint.hash == 5 && joint.unread && !joint.nonfinite && !joint.stop);
        if (odd == 0) continue;
        char want[60];
        snprintf(want, sizeof want, "rank %d on %s is at another step", odd, cvy_comm_host(comm, cvy_comm_rank(comm)));
        cvy_status status = control_step(comm, x, &(struct cvy_control){.hash = rank == odd ? 6 : 5}, &joint);
        mpi_expect(status == CVY_ERR_INTERNAL && strstr(cvy_error_message(), want) != NULL);
    }
    mpi_expect(cvy_exchange_begin(x, size + 1) == CVY_ERR_INTERNAL); /* not as planned: our mistake */
    cvy_exchange_destroy(&x);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

/* The last rank stops in the middle of a step; the others name it. */
static void late_rank_is_named(void) {
    struct cvy_comm *comm = exchange_comm();
    int rank = cvy_comm_rank(comm), size = cvy_comm_size(comm);
    struct cvy_compute *compute = exchange_compute();
    struct cvy_exchange *x = NULL;
    struct cvy_exchange_plan plan = {.floats = 64, .bucket_floats = 32, .leaves = {size}, .values = VALUES};
    mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_OK);
    comm->deadline = 0.4;
    MPI_Barrier(MPI_COMM_WORLD);
    mpi_expect(cvy_exchange_begin(x, size) == CVY_OK);
    if (rank == size - 1) {
        nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
    } else {
        double values[24][VALUES];
        own_leaves(comm, x, 0, size, 64, AT_THE_END, values);
        mpi_expect(cvy_exchange_wait(x, 0) == CVY_ERR_LOST);
        char want[100];
        snprintf(want, sizeof want, "from rank %d on %s (its part of a gradient sum)", size - 1,
                 cvy_comm_host(comm, cvy_comm_rank(comm)));
        mpi_expect(strstr(cvy_error_message(), want) != NULL);
        mpi_expect(cvy_comm_broken(comm) && cvy_exchange_poll(x) == CVY_ERR_LOST);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == size - 1) mpi_expect(cvy_comm_barrier(comm) == CVY_ERR_LOST); /* it finds nobody either */
    cvy_exchange_destroy(&x);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

/* What a forecast says of buckets is what comes to be. */
static void forecasts_are_kept(void) {
    static const size_t sizes[] = {0, 1, 16, 1000, 4096, 1 << 20};
    struct cvy_comm *comm = exchange_comm(), *imagined;
    struct cvy_compute *compute = exchange_compute();
    const int ranks = cvy_comm_size(comm);
    mpi_expect(cvy_comm_imagine(1, ranks, &imagined) == CVY_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct cvy_exchange_plan plan = {.floats = 10007, .bucket_floats = sizes[i], .leaves = {2 * ranks + 1}};
        const struct cvy_forecast_spec spec = {.comm = imagined, .exchange = &plan, .network = &cvy_network_usual};
        struct cvy_exchange *x;
        struct cvy_forecast f;
        mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_OK);
        mpi_expect(cvy_forecast(&spec, &f) == CVY_OK);
        const int buckets = cvy_exchange_buckets(x);
        mpi_expect(f.buckets == buckets);
        mpi_expect(ranks == 1 || f.reduction == cvy_exchange_reduction(x, buckets - 1));
        mpi_expect(cvy_comm_rank(comm) > 0 || cvy_exchange_bytes(&plan, comm) == cvy_exchange_bytes(&plan, imagined));
        cvy_exchange_destroy(&x);
    }
    cvy_comm_destroy(&imagined);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

static char slow_lines[1024];
static void hear(void *user, cvy_log_level level, const char *text) {
    (void)user;
    mpi_expect(level == CVY_LOG_WARN && slow_lines[0] == '\0');
    snprintf(slow_lines, sizeof slow_lines, "%s", text);
}

/* A step in which rank 1 tells of twice the time that the others tell of. */
static void told_step(struct cvy_exchange *x, int step, int rank) {
    const struct cvy_control mine = {.hash = (uint64_t)step, .spent = {0.001f, rank == 1 ? 0.2f : 0.1f, 0.01f, 0.002f}};
    const double values[VALUES] = {0};
    struct cvy_control joint;
    double sums[VALUES];
    mpi_expect(cvy_exchange_begin(x, x->comm->size) == CVY_OK);
    memset(cvy_exchange_leaf(x), 0, 64 * sizeof(float));
    mpi_expect(cvy_exchange_leaf_done(x) == CVY_OK);
    mpi_expect(cvy_exchange_send_control(x, &mine, values) == CVY_OK);
    mpi_expect(cvy_exchange_wait_control(x, &joint, sums) == CVY_OK);
    mpi_expect(cvy_exchange_wait(x, 0) == CVY_OK);
}

/* What ranks tell of their time is rank 0's, and one that is slow for 60 steps is named, once, with its host. */
static void slow_rank_is_named(void) {
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    const int rank = cvy_comm_rank(comm), ranks = cvy_comm_size(comm);
    const struct cvy_exchange_plan plan = {.floats = 64, .leaves = {ranks}, .values = VALUES};
    struct cvy_exchange *x;
    struct cvy_timeline t = {.file = -1};
    struct cvy_log *log;
    char want[128];
    mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_OK);
    mpi_expect(cvy_log_create(CVY_LOG_WARN, true, (struct cvy_log_ears){hear, NULL, NULL}, &log) == CVY_OK);
    if (rank == 0) mpi_expect(cvy_timeline_open(&t, log, comm, NULL) == CVY_OK);
    for (int step = 1; step <= 130; step++) {
        told_step(x, step, rank);
        mpi_expect((cvy_exchange_spent(x) == NULL) == (rank != 0));
        if (rank != 0) continue;
        mpi_expect(cvy_exchange_spent(x)[ranks - 1][CVY_SPENT_COMPUTE] == (ranks == 2 ? 0.2f : 0.1f));
        cvy_timeline_step(&t, x, step);
        mpi_expect((slow_lines[0] != '\0') == (step > 60));
    }
    snprintf(want, sizeof want, "rank 1 on %s is slow, and the others wait for it: 200 ms for a leaf,",
             cvy_comm_host(comm, 1));
    mpi_expect(rank != 0 || strstr(slow_lines, want));
    cvy_timeline_close(&t);
    cvy_log_destroy(&log);
    cvy_exchange_destroy(&x);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

static const struct mpi_case cases[] = {
    {"same bits as the tree, any ranks and leaves", "1 2 3 4 6 8", same_bits},
    {"each reduction: same bits", "1 2 3 4 6 8", same_bits_by_each},
    {"buckets of any sizes: same bits", "1 2 3 4 6 8", same_bits_by_any_cuts},
    {"moved by a thread: same bits", "1 2 3 4 6 8", same_bits_with_a_thread},
    {"a thread moves by itself", "2 3", the_thread_moves_by_itself},
    {"a thread that MPI does not allow", "2", a_thread_that_mpi_does_not_allow},
    {"same bits on several hosts", "4 7 8", same_bits_on_several_hosts},
    {"MPI sums near the exact sum, and jointly", "1 3", library_is_near},
    {"a reduction that these ranks cannot have", "3", reduction_that_cannot_be},
    {"gradients too large to share", "2", gradients_too_large_to_share},
    {"flags reach all, a differing hash is named", "1 4", flags_and_hash},
    {"a late rank is named", "3", late_rank_is_named},
    {"a slow rank is named", "2 3", slow_rank_is_named},
    {"forecasts of buckets come true", "1 2 3 4", forecasts_are_kept},
    {0},
};
const struct mpi_suite mpi_exchange = {"exchange", cases};
