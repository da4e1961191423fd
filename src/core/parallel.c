/* Two backends of the same three functions, chosen at build time. */
#define _GNU_SOURCE
#include "core/parallel.h"

#include <sched.h>

#include "core/memory.h"

#if defined(__SSE__)
#include <xmmintrin.h>
void cvy_flush_denormals(void) {
    _mm_setcsr(_mm_getcsr() | 0x8040u); /* FTZ and DAZ */
}
#elif defined(__aarch64__)
void cvy_flush_denormals(void) {
    unsigned long fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | (1ul << 24)));
}
#else
void cvy_flush_denormals(void) {}
#endif

int cvy_processors(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}

#ifndef CVY_PTHREAD_POOL

#include <omp.h>

struct cvy_pool {
    int threads;
};

cvy_status cvy_pool_create(int threads, struct cvy_pool **out) {
    CVY_TRY(CVY_NEW(out, 1, general));
    (*out)->threads = threads;
#pragma omp parallel num_threads(threads)
    cvy_flush_denormals();
    return CVY_OK;
}

void cvy_pool_destroy(struct cvy_pool **pool) {
    CVY_DELETE(pool);
}

void cvy_parallel(struct cvy_pool *pool, int tasks, cvy_task_fn *fn, void *arg) {
    if (pool->threads == 1 || tasks == 1) {
        for (int t = 0; t < tasks; t++) fn(arg, t, 0);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(pool->threads)
    for (int t = 0; t < tasks; t++) fn(arg, t, omp_get_thread_num());
}

#else

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Workers wait on a condition for a new round; tasks are handed out by an atomic counter. */
struct cvy_pool {
    int threads;
    pthread_t *workers;
    pthread_mutex_t mutex;
    pthread_cond_t start, done;
    unsigned long round;
    int busy;
    bool quit;
    cvy_task_fn *fn;
    void *arg;
    int tasks;
    atomic_int next;
};

struct worker {
    struct cvy_pool *pool;
    int thread;
};

static void run_tasks(struct cvy_pool *pool, int thread) {
    for (int t; (t = atomic_fetch_add(&pool->next, 1)) < pool->tasks;) pool->fn(pool->arg, t, thread);
}

static void *worker_main(void *arg) {
    struct worker self = *(struct worker *)arg;
    struct cvy_pool *pool = self.pool;
    cvy_free(arg);
    cvy_flush_denormals();
    unsigned long seen = 0;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (pool->round == seen && !pool->quit) pthread_cond_wait(&pool->start, &pool->mutex);
        if (pool->quit) break;
        seen = pool->round;
        pthread_mutex_unlock(&pool->mutex);
        run_tasks(pool, self.thread);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->busy == 0) pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static cvy_status start_worker(struct cvy_pool *pool, int thread) {
    struct worker *self;
    CVY_TRY(CVY_NEW(&self, 1, general));
    *self = (struct worker){pool, thread};
    if (pthread_create(&pool->workers[thread], NULL, worker_main, self) != 0) {
        cvy_free(self);
        return CVY_FAIL(CVY_ERR_INTERNAL, "cannot start compute thread %d of %d; lower --threads", thread, pool->threads);
    }
    return CVY_OK;
}

cvy_status cvy_pool_create(int threads, struct cvy_pool **out) {
    struct cvy_pool *pool;
    CVY_TRY(CVY_NEW(&pool, 1, general));
    cvy_status status = CVY_NEW(&pool->workers, threads, general);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->threads = 1;
    cvy_flush_denormals();
    for (int t = 1; t < threads && status == CVY_OK; t++) {
        status = start_worker(pool, t);
        if (status == CVY_OK) pool->threads++;
    }
    *out = pool;
    if (status != CVY_OK) cvy_pool_destroy(out);
    return status;
}

void cvy_pool_destroy(struct cvy_pool **out) {
    struct cvy_pool *pool = *out;
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->mutex);
    pool->quit = true;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    for (int t = 1; t < pool->threads; t++) pthread_join(pool->workers[t], NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->start);
    pthread_mutex_destroy(&pool->mutex);
    cvy_free(pool->workers);
    CVY_DELETE(out);
}

void cvy_parallel(struct cvy_pool *pool, int tasks, cvy_task_fn *fn, void *arg) {
    pthread_mutex_lock(&pool->mutex);
    pool->fn = fn;
    pool->arg = arg;
    pool->tasks = tasks;
    atomic_store(&pool->next, 0);
    pool->busy = pool->threads - 1;
    pool->round++;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    run_tasks(pool, 0);
    pthread_mutex_lock(&pool->mutex);
    while (pool->busy > 0) pthread_cond_wait(&pool->done, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

#endif

int cvy_pool_threads(const struct cvy_pool *pool) {
    return pool->threads;
}
