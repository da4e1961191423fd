/* Collectives: agreement and its one message, broadcasts, hashes, partials, and ranks that do not come. */
#define _GNU_SOURCE
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "comm/internal.h"
#include "comm/network.h"
#include "comm/tree.h"
#include "core/memory.h"
#include "mpi/exchange_help.h"
#include "test.h"

static void places(void) {
    struct cvy_comm *comm = exchange_comm();
    int rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    mpi_expect(cvy_comm_rank(comm) == rank && cvy_comm_size(comm) == size);
    mpi_expect(cvy_comm_local_size(comm) == size);
    mpi_expect(cvy_launcher_rank() == rank);
    cvy_comm_destroy(&comm);
}

/* Within a job, and each at its own time: nobody waits for the others. */
static void alone_in_a_job(void) {
    struct cvy_comm *comm = exchange_comm(), *own = NULL;
    const double per_leaf[3] = {1, 2, 4};
    double sum = 0;
    mpi_expect(cvy_comm_create_alone(&own) == CVY_OK);
    mpi_expect(cvy_comm_rank(own) == 0 && cvy_comm_size(own) == 1 && cvy_comm_local_size(own) == 1);
    for (int i = cvy_comm_rank(comm); i >= 0; i--) {
        mpi_expect(cvy_comm_barrier(own) == CVY_OK);
        mpi_expect(cvy_comm_reduce_partial(own, 3, per_leaf, 1, &sum) == CVY_OK && sum == 7);
    }
    cvy_comm_destroy(&own);
    mpi_expect(cvy_comm_barrier(comm) == CVY_OK);
    cvy_comm_destroy(&comm);
}

/* As when mpirun belongs to another MPI: its count is not ours. */
static void wrong_launcher(void) {
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm world = MPI_COMM_WORLD;
    struct cvy_comm *comm = NULL;
    setenv("OMPI_COMM_WORLD_SIZE", "5", 1);
    mpi_expect(cvy_comm_create(&world, &comm) == CVY_ERR_USAGE && comm == NULL);
    mpi_expect(rank != 0 || test_message_has("the launcher started 5 processes (OMPI_COMM_WORLD_SIZE) but MPI sees 2"));
    mpi_expect(rank == 0 || strcmp(cvy_error_message(), "") == 0);
    unsetenv("OMPI_COMM_WORLD_SIZE");
}

static void one_message(void) {
    struct cvy_comm *comm = exchange_comm();
    int rank = cvy_comm_rank(comm), size = cvy_comm_size(comm);
    mpi_expect(cvy_comm_agree(comm, CVY_OK) == CVY_OK);
    for (int bad = 0; bad < size; bad++) { /* ranks from `bad` on fail, each in its own way */
        cvy_status mine = CVY_OK;
        if (rank >= bad) mine = CVY_FAIL(rank == bad ? CVY_ERR_DATA : CVY_ERR_INTERNAL, "shard %d is missing", rank);
        mpi_expect(cvy_comm_agree(comm, mine) == CVY_ERR_DATA);
        char want[200];
        snprintf(want, sizeof want, "rank %d on %s: shard %d is missing", bad, cvy_comm_host(comm, cvy_comm_rank(comm)),
                 bad);
        mpi_expect(strcmp(cvy_error_message(), bad == 0 ? "shard 0 is missing" : want) == 0);
    }
    cvy_comm_destroy(&comm);
}

static void follow(void) {
    struct cvy_comm *comm = exchange_comm();
    cvy_status mine = CVY_OK;
    if (cvy_comm_rank(comm) == 0) mine = CVY_FAIL(CVY_ERR_USAGE, "a.yaml:3:1: unknown key");
    mpi_expect(cvy_comm_follow(comm, mine) == CVY_ERR_USAGE);
    mpi_expect(strcmp(cvy_error_message(), "a.yaml:3:1: unknown key") == 0);
    mine = cvy_comm_rank(comm) == 0 ? CVY_OK : CVY_ERR_DATA; /* only rank 0's counts */
    mpi_expect(cvy_comm_follow(comm, mine) == CVY_OK);
    cvy_comm_destroy(&comm);
}

static void broadcasts(void) {
    struct cvy_comm *comm = exchange_comm();
    int rank = cvy_comm_rank(comm), size = cvy_comm_size(comm), numbers[3] = {rank, rank + 1, rank + 2};
    mpi_expect(cvy_comm_bcast(comm, numbers, sizeof numbers) == CVY_OK);
    mpi_expect(numbers[0] == 0 && numbers[1] == 1 && numbers[2] == 2);
    char text[] = "name: lenet5";
    void *bytes = rank == 0 ? text : NULL;
    size_t length = rank == 0 ? strlen(text) : 0;
    mpi_expect(cvy_comm_bcast_blob(comm, &bytes, &length) == CVY_OK);
    mpi_expect(length == strlen(text) && memcmp(bytes, text, length) == 0);
    if (rank != 0) cvy_free(bytes);
    int all[16], least = 10 - rank;
    mpi_expect(cvy_comm_allgather(comm, &least, sizeof least, all) == CVY_OK);
    for (int r = 0; r < size; r++) mpi_expect(all[r] == 10 - r);
    mpi_expect(cvy_comm_min_int(comm, &least) == CVY_OK && least == 10 - (size - 1));
    int64_t counts[3] = {rank, 1, (int64_t)1 << 40};
    mpi_expect(cvy_comm_sum_counts(comm, counts, 3) == CVY_OK);
    mpi_expect(counts[0] == size * (size - 1) / 2 && counts[1] == size && counts[2] == (int64_t)size << 40);
    cvy_comm_destroy(&comm);
}

static void hashes(void) {
    struct cvy_comm *comm = exchange_comm();
    int rank = cvy_comm_rank(comm), size = cvy_comm_size(comm);
    mpi_expect(cvy_comm_same_u64(comm, 0xabcdef, "graph") == CVY_OK);
    for (int odd = 1; odd < size; odd++) {
        char want[100];
        snprintf(want, sizeof want, "rank %d on %s: graph 0000000000000002 where rank 0", odd,
                 cvy_comm_host(comm, cvy_comm_rank(comm)));
        mpi_expect(cvy_comm_same_u64(comm, rank < odd ? 1 : 2, "graph") == CVY_ERR_INTERNAL);
        mpi_expect(test_message_has(want));
    }
    cvy_comm_destroy(&comm);
}

/* ---- partials ---- */

enum { LEN = 5 };

static double leaf_value(int leaf, int e) {
    return (e % 2 ? -1.0 : 1.0) * (1.0 + leaf * 0.1 + e) * (leaf % 3 == 1 ? 1e12 : 1e-4);
}

static double tree_sum(int first, int end, int e) {
    if (end - first == 1) return leaf_value(first, e);
    int half = 1;
    while (half * 2 < end - first) half *= 2;
    return tree_sum(first, first + half, e) + tree_sum(first + half, end, e);
}

static void partials(void) {
    struct cvy_comm *comm = exchange_comm();
    for (int leaves = 1; leaves <= 24; leaves++) {
        struct cvy_leaf_range share = cvy_tree_share(leaves, cvy_comm_rank(comm), cvy_comm_size(comm));
        double mine[24][LEN], sum[LEN];
        for (int leaf = share.first; leaf < share.end; leaf++)
            for (int e = 0; e < LEN; e++) mine[leaf - share.first][e] = leaf_value(leaf, e);
        mpi_expect(cvy_comm_reduce_partial(comm, leaves, &mine[0][0], LEN, sum) == CVY_OK);
        for (int e = 0; e < LEN; e++) {
            double want = tree_sum(0, leaves, e);
            mpi_expect(memcmp(&sum[e], &want, sizeof want) == 0);
        }
    }
    cvy_comm_destroy(&comm);
}

/* ---- deadlines ---- */

/* The last rank comes too late: rank 0 names it; afterwards nothing hangs and nothing is said twice. */
static void late_rank_is_named(void) {
    struct cvy_comm *comm = exchange_comm();
    int rank = cvy_comm_rank(comm), size = cvy_comm_size(comm);
    comm->deadline = 0.4;
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == size - 1) nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
    mpi_expect(cvy_comm_barrier(comm) == CVY_ERR_LOST);
    mpi_expect(cvy_comm_broken(comm));
    char want[100];
    snprintf(want, sizeof want, "no answer for 0.4 s from rank %d on %s (", size - 1,
             cvy_comm_host(comm, cvy_comm_rank(comm)));
    if (rank == 0) mpi_expect(test_message_has(want));
    char before[400];
    snprintf(before, sizeof before, "%s", cvy_error_message());
    mpi_expect(cvy_comm_agree(comm, CVY_ERR_INTERNAL) == CVY_ERR_INTERNAL);
    mpi_expect(strncmp(before, cvy_error_message(), sizeof before - 1) == 0);
    mpi_expect(cvy_comm_agree(comm, CVY_OK) == CVY_ERR_LOST);
    mpi_expect(test_message_has("cut it off"));
    cvy_comm_destroy(&comm);
}

/* Stops this process for a while: a child wakes it. */
static void sleep_stopped(void) {
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
        kill(parent, SIGCONT);
        _exit(0);
    }
    raise(SIGSTOP);
    waitpid(child, NULL, 0);
}

/* Busy for four times as long as a rank may be silent. */
static void busy_rank_is_waited_for(void) {
    struct cvy_comm *comm = exchange_comm();
    cvy_comm_set_silence(comm, 0.5);
    for (int busy = 0; busy < cvy_comm_size(comm); busy++) {
        if (cvy_comm_rank(comm) == busy) nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
        mpi_expect(cvy_comm_barrier(comm) == CVY_OK);
    }
    cvy_comm_destroy(&comm);
}

/* The whole job is stopped, as a batch system does, and goes on. */
static void suspended_job_goes_on(void) {
    struct cvy_comm *comm = exchange_comm();
    cvy_comm_set_silence(comm, 0.5);
    MPI_Barrier(MPI_COMM_WORLD);
    sleep_stopped();
    for (int i = 0; i < 3; i++) mpi_expect(cvy_comm_barrier(comm) == CVY_OK);
    cvy_comm_destroy(&comm);
}

/* A rank is stopped while the others wait for it: rank 0 names it, or the others name rank 0. */
static void stopped_rank_is_named(void) {
    struct cvy_comm *comm = exchange_comm();
    int rank = cvy_comm_rank(comm), stopped = cvy_comm_size(comm) == 2 ? 0 : 1;
    cvy_comm_set_silence(comm, 0.5);
    comm->deadline = 1.0; /* for those who wait for one that noticed: a program would end the job */
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == stopped) sleep_stopped();
    char want[100];
    snprintf(want, sizeof want, "rank %d on %s has been silent for 0.5 s", stopped, cvy_comm_host(comm, stopped));
    cvy_status status = cvy_comm_barrier(comm);
    if (rank == (stopped == 0 ? 1 : 0)) {
        mpi_expect(status == CVY_ERR_LOST && test_message_has(want));
        mpi_expect(cvy_comm_broken(comm));
        mpi_expect(cvy_comm_barrier(comm) == CVY_ERR_LOST && test_message_has("cut it off"));
    }
    MPI_Barrier(MPI_COMM_WORLD);
    cvy_comm_destroy(&comm);
}

/* Times are the same on all ranks, and do not fall as messages grow; one rank has nobody to send to. */
static void network_is_measured(void) {
    struct cvy_comm *comm = exchange_comm();
    const int ranks = cvy_comm_size(comm);
    struct cvy_network_points n, all[8];
    if (ranks == 1) {
        mpi_expect(cvy_network_measure(comm, 0.1, &n) == CVY_ERR_USAGE && test_message_has("put mpirun -n 2"));
        cvy_comm_destroy(&comm);
        return;
    }
    mpi_expect(cvy_network_measure(comm, 0.2, &n) == CVY_OK);
    mpi_expect(n.inside.pairs == 1 && n.outside.pairs == 0 && n.outside.seconds[0] == 0);
    mpi_expect(n.inside.bytes[0] == 4 && n.inside.bytes[CVY_NETWORK_SIZES - 1] == 4 << 20);
    mpi_expect(n.inside.seconds[0] > 0 && n.inside.fit.message >= 0 && n.inside.fit.byte >= 0);
    for (int i = 1; i < CVY_NETWORK_SIZES; i++) mpi_expect(n.inside.seconds[i] >= n.inside.seconds[i - 1]);
    mpi_expect(cvy_comm_allgather(comm, &n, sizeof n, all) == CVY_OK);
    for (int r = 0; r < ranks; r++) mpi_expect(memcmp(&all[r].inside.fit, &n.inside.fit, sizeof n.inside.fit) == 0);
    cvy_comm_destroy(&comm);
}

static const struct mpi_case cases[] = {
    {"ranks, hosts, launcher", "1 3", places},
    {"a process alone in a job", "3", alone_in_a_job},
    {"a launcher of another MPI is named, once", "2", wrong_launcher},
    {"failures end in one message", "1 4", one_message},
    {"what rank 0 does decides for all", "3", follow},
    {"broadcasts, gathers, minimum, sums", "1 3", broadcasts},
    {"a differing hash names its rank", "4", hashes},
    {"partials have the same bits", "1 2 3 4 6 8", partials},
    {"messages are measured", "1 2 3", network_is_measured},
    {"a late rank is named", "3", late_rank_is_named},
    {"a busy rank is waited for", "2", busy_rank_is_waited_for},
    {"a job that is suspended as a whole goes on", "3", suspended_job_goes_on},
    {"a stopped rank is named", "2 3", stopped_rank_is_named},
    {0},
};
const struct mpi_suite mpi_comm = {"comm", cases};
