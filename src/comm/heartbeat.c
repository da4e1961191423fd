/* The heartbeat: a thread of every rank says "alive" four times a second, whatever the rank computes, reads or writes
 * meanwhile. So a rank that was stopped or cut off, which is silent, is told from one that is busy, which may be waited
 * for as long as it takes. (A failure detector with a time-out: Chandra and Toueg, J. ACM 43(2), 1996.)
 *
 *     rank 1 ◄─► rank 0 ◄─► rank 2 …      a byte each way, 2·(W−1) messages a beat
 *
 * Silence is counted in the listener's own running time: a job that was suspended as a whole just goes on. Needs
 * MPI_THREAD_MULTIPLE; without it a wait has nothing but its deadline. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "comm/internal.h"
#include "core/clock.h"
#include "core/inside.h"
#include "core/memory.h"

#define BEAT_S    0.25
#define GOODBYE_S 0.001 /* between polls when all are about to leave */
#define STAGGER   8     /* ranks: the others notice a silent rank 0 one after the other, so that one speaks */

enum word { ALIVE = 1, GOODBYE };

/* Rank 0 has one with each rank, every other rank one with rank 0. */
struct link {
    int rank;
    MPI_Request in, out;
    char heard, said;
    bool left;     /* it said goodbye */
    bool finished; /* we did */
    double silent; /* s */
};

struct cvy_heartbeat {
    MPI_Comm mpi; /* our own */
    struct link *links;
    int count;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool leaving, abandoned; /* under the mutex */
    _Atomic double limit;    /* s */
    atomic_int silent;       /* rank, −1: none */
};

int cvy_heartbeat_silent(const struct cvy_comm *comm) {
    return comm->heartbeat ? atomic_load(&comm->heartbeat->silent) : -1;
}

/* ---- The thread ---- */

static bool listen_to(struct cvy_heartbeat *p, struct link *l, double passed) {
    int done = 0;
    l->silent += passed;
    while (!l->left) {
        if (MPI_Test(&l->in, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) return false;
        if (!done) break;
        l->silent = 0;
        l->left = l->heard == GOODBYE;
        if (!l->left && MPI_Irecv(&l->heard, 1, MPI_CHAR, l->rank, 0, p->mpi, &l->in) != MPI_SUCCESS) return false;
    }
    if (!l->left && l->silent > atomic_load(&p->limit)) atomic_store(&p->silent, l->rank);
    return true;
}

/* To one that does not take our messages we send no more of them. */
static bool speak_to(struct cvy_heartbeat *p, struct link *l, bool leaving) {
    int done = 0;
    if (MPI_Test(&l->out, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) return false;
    if (!done || l->finished) return true;
    l->said = leaving ? GOODBYE : ALIVE;
    l->finished = leaving;
    return MPI_Isend(&l->said, 1, MPI_CHAR, l->rank, 0, p->mpi, &l->out) == MPI_SUCCESS;
}

/* All have left, and know that we do. */
static bool all_done(const struct cvy_heartbeat *p) {
    for (int i = 0; i < p->count; i++)
        if (!p->links[i].left || !p->links[i].finished || p->links[i].out != MPI_REQUEST_NULL) return false;
    return true;
}

/* Until the next beat, or the wish to leave. */
static bool nap(struct cvy_heartbeat *p) {
    struct timespec until;
    pthread_mutex_lock(&p->mutex);
    clock_gettime(CLOCK_MONOTONIC, &until);
    long ns = until.tv_nsec + (long)(1e9 * (p->leaving ? GOODBYE_S : BEAT_S));
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    bool leaving = p->leaving;
    if (!p->abandoned) pthread_cond_timedwait(&p->wake, &p->mutex, &until);
    bool go_on = !p->abandoned && !(leaving && atomic_load(&p->silent) >= 0);
    pthread_mutex_unlock(&p->mutex);
    return go_on;
}

static bool beat(struct cvy_heartbeat *p, double passed) {
    pthread_mutex_lock(&p->mutex);
    bool leaving = p->leaving;
    pthread_mutex_unlock(&p->mutex);
    for (int i = 0; i < p->count; i++)
        if (!listen_to(p, &p->links[i], passed) || !speak_to(p, &p->links[i], leaving)) return false;
    return true;
}

static void *heartbeat_main(void *arg) {
    struct cvy_heartbeat *p = arg;
    cvy_thread_settle();
    double before = cvy_clock(), passed = 0;
    while (beat(p, passed) && !all_done(p) && nap(p)) {
        double now = cvy_clock();
        passed = now - before < 2 * BEAT_S ? now - before : 2 * BEAT_S; /* more: we did not run either */
        before = now;
    }
    return NULL;
}

/* ---- Its life ---- */

static void create_signal(struct cvy_heartbeat *p) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&p->mutex, NULL);
}

/* What is under way (only where the communicator is broken) is cancelled first. */
static void destroy(struct cvy_heartbeat *p) {
    for (int i = 0; i < 2 * p->count; i++) {
        MPI_Request *request = i % 2 ? &p->links[i / 2].in : &p->links[i / 2].out;
        if (*request == MPI_REQUEST_NULL) continue;
        MPI_Cancel(request);
        MPI_Request_free(request);
    }
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    cvy_free(p->links);
    cvy_free(p);
}

static double limit_of(const struct cvy_comm *comm) {
    return comm->silence + BEAT_S * (comm->rank < STAGGER ? comm->rank : STAGGER);
}

static cvy_status allocate(struct cvy_comm *comm, struct cvy_heartbeat **out) {
    int count = comm->rank == 0 ? comm->size - 1 : 1;
    struct cvy_heartbeat *p;
    CVY_TRY(CVY_NEW(&p, 1, comm));
    cvy_status status = CVY_NEW(&p->links, count, comm);
    if (status != CVY_OK) {
        cvy_free(p);
        return status;
    }
    create_signal(p);
    p->count = count;
    atomic_init(&p->silent, -1);
    atomic_init(&p->limit, limit_of(comm));
    for (int i = 0; i < count; i++)
        p->links[i] =
            (struct link){.rank = comm->rank == 0 ? i + 1 : 0, .in = MPI_REQUEST_NULL, .out = MPI_REQUEST_NULL};
    *out = p;
    return CVY_OK;
}

static cvy_status start(struct cvy_comm *comm, struct cvy_heartbeat *p) {
    CVY_TRY(cvy_mpi_duplicate(comm, comm->mpi, &p->mpi));
    for (int i = 0; i < p->count; i++) {
        struct link *l = &p->links[i];
        CVY_MPI(comm, MPI_Irecv(&l->heard, 1, MPI_CHAR, l->rank, 0, p->mpi, &l->in));
    }
    CVY_CHECK(cvy_thread_start(&p->thread, heartbeat_main, p) == 0, CVY_ERR_INTERNAL,
              "cannot start the thread that says that this rank is alive");
    return CVY_OK;
}

cvy_status cvy_heartbeat_start(struct cvy_comm *comm) {
    if (comm->size == 1 || !comm->threads) return CVY_OK;
    struct cvy_heartbeat *p = NULL;
    CVY_TRY(cvy_comm_agree(comm, allocate(comm, &p)));
    cvy_status status = start(comm, p);
    if (status == CVY_OK)
        comm->heartbeat = p;
    else
        destroy(p);
    return status;
}

void cvy_comm_set_silence(struct cvy_comm *comm, double seconds) {
    comm->silence = seconds;
    if (comm->heartbeat) atomic_store(&comm->heartbeat->limit, limit_of(comm));
}

void cvy_heartbeat_stop(struct cvy_comm *comm) {
    struct cvy_heartbeat *p = comm->heartbeat;
    if (p == NULL) return;
    pthread_mutex_lock(&p->mutex);
    p->leaving = true;
    p->abandoned = comm->broken;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    pthread_join(p->thread, NULL);
    if (!all_done(p)) comm->broken = true;
    if (!comm->broken) MPI_Comm_free(&p->mpi);
    destroy(p);
    comm->heartbeat = NULL;
}
