/* Waiting for other ranks, but never for ever: a stopped process, a dead host or a lost network end in a message. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "comm/internal.h"
#include "core/clock.h"
#include "core/memory.h"

#define SPIN_S 1e-3

cvy_status cvy_mpi_failed(struct cvy_comm *comm, int code, const char *call, const char *file, int line) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    comm->broken = true;
    cvy_fail_at(file, line, "rank %d on %s: %.*s failed: %s; start again with --resume", comm->rank,
                cvy_comm_host(comm, comm->rank), (int)strcspn(call, "("), call, text);
    return CVY_ERR_LOST;
}

cvy_status cvy_mpi_failed_with(struct cvy_comm *comm, int peer, int code, const char *call, const char *file,
                               int line) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    comm->broken = true;
    cvy_fail_at(
        file, line,
        "rank %d on %s: rank %d on %s was lost: it ended, or its host or network is down (%.*s failed: %s); look "
        "there, then start again with --resume",
        comm->rank, cvy_comm_host(comm, comm->rank), peer, cvy_comm_host(comm, peer), (int)strcspn(call, "("), call,
        text);
    return CVY_ERR_LOST;
}

cvy_status cvy_mpi_duplicate(struct cvy_comm *comm, MPI_Comm from, MPI_Comm *out) {
    CVY_MPI(comm, MPI_Comm_dup(from, out));
    CVY_MPI(comm, MPI_Comm_set_errhandler(*out, MPI_ERRORS_RETURN));
    return CVY_OK;
}

static cvy_status fell_silent(struct cvy_comm *comm, int rank) {
    comm->broken = true;
    return CVY_FAIL(CVY_ERR_LOST,
                    "rank %d on %s: rank %d on %s has been silent for %g s: it was stopped, or its host or network is "
                    "down; look there, then start again with --resume",
                    comm->rank, cvy_comm_host(comm, comm->rank), rank, cvy_comm_host(comm, rank), comm->silence);
}

cvy_status cvy_comm_usable(struct cvy_comm *comm) {
    CVY_CHECK(!comm->broken, CVY_ERR_LOST, "rank %d on %s: an earlier failure cut it off from the other ranks",
              comm->rank, cvy_comm_host(comm, comm->rank));
    int silent = cvy_heartbeat_silent(comm);
    return silent < 0 ? CVY_OK : fell_silent(comm, silent);
}

/* Polls at full speed for as long as ranks of a small network are apart, but not where they share processors: it may be
 * that of the one who is waited for. A processor that is given away comes back after the scheduler's slice of some
 * milliseconds, if anybody wants it: with LeNet-5 on two ranks of a busy host weak scaling was 0.20 to 0.25 where they
 * polled for 20 µs, 0.48 to 0.57 for 1 ms (make bench-scaling). After 10 ms of waiting nothing is urgent. Time in which
 * this process was itself stopped does not count. */
bool cvy_wait_pause(const struct cvy_comm *comm, struct cvy_wait *wait) {
    double now = cvy_clock(), passed = wait->before == 0 ? 0 : now - wait->before;
    wait->before = now;
    wait->seconds += passed < 1 ? passed : 1;
    if (wait->seconds < SPIN_S && !comm->crowded) return true;
    if (wait->seconds < 0.01)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    return wait->seconds <= comm->deadline + 0.5 * comm->rank && cvy_heartbeat_silent(comm) < 0;
}

/* "rank 3 on n1, rank 5 on n2 and 4 more" */
static void name_ranks(const struct cvy_comm *comm, const bool *late, char *text, size_t room) {
    int count = 0;
    size_t used = 0;
    for (int r = 0; r < comm->size; r++) {
        if (!late[r] || ++count > 4) continue;
        used += (size_t)snprintf(text + used, room - used, "%srank %d on %s", count > 1 ? ", " : "", r, comm->hosts[r]);
    }
    if (count > 4) snprintf(text + used, room - used, " and %d more", count - 4);
}

void cvy_requests_clear(struct cvy_requests *requests) {
    requests->count = requests->finished = 0;
    requests->collective = false;
}

cvy_status cvy_requests_create(struct cvy_requests *requests, int room) {
    CVY_TRY(CVY_NEW(&requests->items, room, comm));
    CVY_TRY(CVY_NEW(&requests->flags, room, comm));
    return CVY_NEW(&requests->peers, room, comm);
}

size_t cvy_requests_bytes(int room) {
    return (size_t)room * (sizeof(MPI_Request) + sizeof(struct cvy_flag) + sizeof(int));
}

static int add(struct cvy_requests *requests, int peer, struct cvy_flag flag) {
    const int i = requests->count++;
    requests->peers[i] = peer;
    requests->items[i] = MPI_REQUEST_NULL;
    if (requests->flags) requests->flags[i] = flag;
    return i;
}

MPI_Request *cvy_requests_add(struct cvy_requests *requests, int peer) {
    return &requests->items[add(requests, peer, (struct cvy_flag){NULL, 0})];
}

void cvy_requests_add_flag(struct cvy_requests *requests, int peer, const atomic_uint *word, unsigned want) {
    (void)add(requests, peer, (struct cvy_flag){word, want});
}

/* Whether number i has come; its MPI code. A flag may be further already: differences, since words wrap around. */
static int test(struct cvy_requests *requests, int i, int *done) {
    const struct cvy_flag *flag = requests->flags ? &requests->flags[i] : NULL;
    if (flag == NULL || flag->word == NULL) return MPI_Test(&requests->items[i], done, MPI_STATUS_IGNORE);
    *done = (int)(atomic_load_explicit(flag->word, memory_order_acquire) - flag->want) >= 0;
    return MPI_SUCCESS;
}

/* So that what comes late does not land in memory that is no longer ours. */
static void cancel(struct cvy_requests *requests) {
    for (int i = requests->finished; i < requests->count && !requests->collective; i++) {
        if (requests->items[i] == MPI_REQUEST_NULL) continue;
        MPI_Cancel(&requests->items[i]);
        MPI_Request_free(&requests->items[i]);
    }
    cvy_requests_clear(requests);
}

void cvy_requests_destroy(struct cvy_requests *requests) {
    cancel(requests);
    CVY_DELETE(&requests->items);
    CVY_DELETE(&requests->flags);
    CVY_DELETE(&requests->peers);
}

cvy_status cvy_wait_expired(struct cvy_comm *comm, struct cvy_requests *requests, const char *doing) {
    int silent = cvy_heartbeat_silent(comm);
    if (silent >= 0) {
        cancel(requests);
        return fell_silent(comm, silent);
    }
    bool *late = (bool *)comm->words; /* no longer needed: nothing works on a broken communicator */
    memset(late, 0, (size_t)comm->size * sizeof *late);
    for (int i = requests->finished; i < requests->count && !requests->collective; i++) {
        int done = 0;
        if (test(requests, i, &done) == MPI_SUCCESS && !done) late[requests->peers[i]] = true;
    }
    char names[5 * (HOST_BYTES + 24)] = "another rank";
    name_ranks(comm, late, names, sizeof names);
    cancel(requests);
    comm->broken = true;
    return CVY_FAIL(CVY_ERR_LOST,
                    "rank %d on %s: no answer for %g s from %s (%s); stuck, stopped, or its host or network is down: "
                    "look there, then start again with --resume",
                    comm->rank, cvy_comm_host(comm, comm->rank), comm->deadline, names, doing);
}

cvy_status cvy_requests_test(struct cvy_comm *comm, struct cvy_requests *requests, bool *done) {
    int one = 1;
    while (one && requests->finished < requests->count) {
        const int i = requests->finished, code = test(requests, i, &one);
        if (code != MPI_SUCCESS)
            return requests->collective
                       ? cvy_mpi_failed(comm, code, "MPI_Test", __FILE__, __LINE__)
                       : cvy_mpi_failed_with(comm, requests->peers[i], code, "MPI_Test", __FILE__, __LINE__);
        requests->finished += one;
    }
    *done = requests->finished == requests->count;
    return CVY_OK;
}

cvy_status cvy_wait_all(struct cvy_comm *comm, struct cvy_requests *requests, const char *doing) {
    bool done = false;
    for (struct cvy_wait wait = {0}; !done;) {
        CVY_TRY(cvy_requests_test(comm, requests, &done));
        if (!done && !cvy_wait_pause(comm, &wait)) return cvy_wait_expired(comm, requests, doing);
    }
    return CVY_OK;
}
