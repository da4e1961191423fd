#define _GNU_SOURCE
#include "comm/progress.h"

#include <pthread.h>
#include <time.h>

#include "comm/exchange_internal.h"
#include "core/inside.h"
#include "core/memory.h"

#define PAUSE_NS 20000

struct cvy_progress {
    struct cvy_exchange *x;
    struct cvy_compute *serial; /* what the thread adds with */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below, and what the thread moves of x */
    pthread_cond_t wake;
    bool running, stop;
    struct cvy_failure failure;
};

/* ---- The thread ---- */

static bool under_way(const struct cvy_exchange *x) {
    for (int b = 0; b < x->started; b++)
        if (x->buckets[b].state == BUCKET_UNDERWAY) return true;
    return x->control.state == CONTROL_RECORDS || x->control.state == CONTROL_JOINT;
}

/* The lock is held. */
static cvy_status move(struct cvy_progress *p) {
    p->x->adds = p->serial;
    cvy_status status = cvy_exchange_advance(p->x);
    p->x->adds = p->x->compute;
    return status;
}

static void *run(void *arg) {
    struct cvy_progress *p = arg;
    cvy_thread_settle();
    pthread_mutex_lock(&p->mutex);
    while (!p->stop && p->failure.status == CVY_OK) {
        if (!under_way(p->x)) {
            pthread_cond_wait(&p->wake, &p->mutex);
            continue;
        }
        cvy_status status = move(p);
        if (status != CVY_OK) cvy_failure_take(&p->failure, status);
        pthread_mutex_unlock(&p->mutex);
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        pthread_mutex_lock(&p->mutex);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* ---- Its life ---- */

/* One more thread than compute, on each rank of the host. */
static bool can_be_spared(const struct cvy_exchange *x) {
    const int threads = x->compute->threads + 1;
    return cvy_processors() >= threads && x->comm->processors >= threads * x->comm->local_size;
}

static cvy_status wanted(const struct cvy_exchange *x, bool *out) {
    const struct cvy_comm *comm = x->comm;
    const enum cvy_progress_by by = x->plan.progress;
    CVY_CHECK(
        by != CVY_PROGRESS_THREAD || comm->threads || comm->size == 1, CVY_ERR_USAGE,
        "comm.progress: thread wants an MPI that several threads may call (MPI_THREAD_MULTIPLE), and it was started "
        "for fewer; take auto or poll");
    const bool pays = comm->threads && comm->places.nodes > 1 && can_be_spared(x);
    *out = comm->size > 1 && (by == CVY_PROGRESS_THREAD || (by == CVY_PROGRESS_AUTO && pays));
    return CVY_OK;
}

static cvy_status start(struct cvy_exchange *x) {
    bool want;
    CVY_TRY(wanted(x, &want));
    if (!want) return CVY_OK;
    CVY_TRY(CVY_NEW(&x->progress, 1, comm));
    struct cvy_progress *p = x->progress;
    p->x = x;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    CVY_TRY(cvy_compute_create(1, x->compute->level, &p->serial));
    p->running = cvy_thread_start(&p->thread, run, p) == 0;
    CVY_CHECK(p->running, CVY_ERR_INTERNAL,
              "the thread that moves messages cannot be started; is the process limit "
              "reached? comm.progress: poll needs none");
    return CVY_OK;
}

cvy_status cvy_progress_start(struct cvy_exchange *x) {
    return cvy_comm_agree(x->comm, start(x));
}

void cvy_progress_stop(struct cvy_exchange *x) {
    struct cvy_progress *p = x->progress;
    if (p == NULL) return;
    pthread_mutex_lock(&p->mutex);
    p->stop = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    if (p->running) pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    cvy_compute_destroy(&p->serial);
    CVY_DELETE(&x->progress);
}

void cvy_progress_lock(struct cvy_exchange *x) {
    if (x->progress) pthread_mutex_lock(&x->progress->mutex);
}

void cvy_progress_unlock(struct cvy_exchange *x) {
    if (x->progress == NULL) return;
    if (under_way(x)) pthread_cond_signal(&x->progress->wake);
    pthread_mutex_unlock(&x->progress->mutex);
}

cvy_status cvy_progress_status(const struct cvy_exchange *x) {
    const struct cvy_progress *p = x->progress;
    return p && p->failure.status != CVY_OK ? cvy_failure_raise(&p->failure) : CVY_OK;
}
