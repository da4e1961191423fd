/* Every thread has a share of a round: a stretch of neighbouring tasks, always the same part of the whole. Kernels cut
 * their tasks along the samples, so a thread meets again what it wrote in the layer before, in its own cache (LeNet-5
 * on two cores that share no cache: 2.8 ms a step with tasks dealt out one by one). Whoever is done with its own share
 * takes from the ends of the others'.
 *
 * A share is one 64-bit word. Whoever moves `next` up or `end` down owns that task; a thread that comes late reads
 * "none left" and can do no harm, so nobody waits for it.
 *
 *     63 … 48   47 … 24   23 … 0
 *     round     end       next
 *
 * What is handed over lies in one line of memory a thread, and tasks done are counted, never set back: cores may be far
 * from one another, and each line that changes hands is waited for.
 *
 * Idle workers spin for some microseconds (kernels follow one another closely), then sleep on a condition. */
#define _GNU_SOURCE
#include "core/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/clock.h"
#include "core/inside.h"
#include "core/memory.h"

#if defined(__SSE__)
#include <xmmintrin.h>
static void relax(void) {
    _mm_pause();
}
#elif defined(__aarch64__)
static void relax(void) {
    __asm__ volatile("yield");
}
#else
static void relax(void) {}
#endif

enum { SPINS = 4000 }; /* some tens of microseconds */

struct share {
    _Alignas(CVY_ALIGN) _Atomic uint64_t word;
    cvy_task_fn *fn; /* of the round; who owns a task of it may read them */
    void *arg;
};

struct cvy_pool {
    int threads; /* running, the caller's included */
    const struct cvy_pool_watcher *watcher;
    pthread_t *workers;
    struct share *shares;                      /* [threads] */
    _Alignas(CVY_ALIGN) uint64_t expected;     /* tasks that others than the caller have done in all rounds before */
    _Alignas(CVY_ALIGN) _Atomic uint64_t done; /* and now */
    _Alignas(CVY_ALIGN) atomic_int sleepers;
    atomic_bool quit;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
};

struct worker {
    struct cvy_pool *pool;
    int thread;
};

static uint64_t round_of(uint64_t word) {
    return word >> 48;
}
static int end_of(uint64_t word) {
    return (int)(word >> 24 & CVY_MAX_TASKS);
}
static int next_of(uint64_t word) {
    return (int)(word & CVY_MAX_TASKS);
}
static uint64_t word_of(uint64_t round, int next, int end) {
    return round << 48 | (uint64_t)end << 24 | (uint64_t)next;
}

/* Runs tasks of a share until there are none, its own thread's from the front; returns how many. Owning a task keeps
 * its round open, so fn and arg stand still. */
static int run_share(struct cvy_pool *pool, int thread, int owner) {
    struct share *share = &pool->shares[owner];
    uint64_t word = atomic_load_explicit(&share->word, memory_order_acquire);
    int done = 0;
    while (next_of(word) < end_of(word)) {
        const uint64_t rest = thread == owner ? word + 1 : word - ((uint64_t)1 << 24);
        if (!atomic_compare_exchange_weak_explicit(&share->word, &word, rest, memory_order_acquire,
                                                   memory_order_acquire))
            continue;
        share->fn(share->arg, thread == owner ? next_of(word) : end_of(rest), thread);
        done++;
        word = atomic_load_explicit(&share->word, memory_order_acquire);
    }
    return done;
}

/* Returns how many of the caller's are done. */
static int run_tasks(struct cvy_pool *pool, int thread) {
    int own = 0;
    for (int i = 0; i < pool->threads; i++) {
        const int done = run_share(pool, thread, (thread + i) % pool->threads);
        if (thread == 0)
            own += done;
        else if (done)
            atomic_fetch_add_explicit(&pool->done, (uint64_t)done, memory_order_release);
    }
    return own;
}

/* Returns when there is a round other than `seen`, or at the end. */
static void wait_for_round(struct cvy_pool *pool, int thread, uint64_t seen) {
    const _Atomic uint64_t *word = &pool->shares[thread].word;
    for (int spin = 0; spin < SPINS; spin++) {
        if (round_of(atomic_load_explicit(word, memory_order_relaxed)) != seen) return;
        relax();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (round_of(atomic_load(word)) == seen && !atomic_load(&pool->quit))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *arg) {
    struct worker self = *(struct worker *)arg;
    cvy_free(arg);
    cvy_thread_settle();
    for (uint64_t seen = 0; !atomic_load_explicit(&self.pool->quit, memory_order_relaxed);) {
        wait_for_round(self.pool, self.thread, seen);
        seen = round_of(atomic_load(&self.pool->shares[self.thread].word));
        run_tasks(self.pool, self.thread);
    }
    return NULL;
}

static void wake_sleepers(struct cvy_pool *pool) {
    if (atomic_load(&pool->sleepers) == 0) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

/* Where share t of all tasks begins: one each for the first threads where there are few. */
static int part(int tasks, int threads, int t) {
    return tasks < threads ? (t < tasks ? t : tasks) : (int)((int64_t)tasks * t / threads);
}

static void run_round(struct cvy_pool *pool, int tasks, cvy_task_fn *fn, void *arg) {
    if (pool->threads == 1 || tasks <= 1) {
        for (int t = 0; t < tasks; t++) fn(arg, t, 0);
        return;
    }
    uint64_t round = (round_of(atomic_load_explicit(&pool->shares[0].word, memory_order_relaxed)) + 1) & 0xffff;
    for (int t = pool->threads - 1; t >= 0; t--) {
        struct share *share = &pool->shares[t];
        share->fn = fn;
        share->arg = arg;
        atomic_store(&share->word, word_of(round, part(tasks, pool->threads, t), part(tasks, pool->threads, t + 1)));
    }
    wake_sleepers(pool);
    pool->expected += (uint64_t)(tasks - run_tasks(pool, 0));
    for (int spin = 0; atomic_load_explicit(&pool->done, memory_order_acquire) != pool->expected; spin++) {
        if (spin < SPINS)
            relax();
        else
            sched_yield(); /* its thread was put aside in the middle of a task */
    }
}

void cvy_parallel(struct cvy_pool *pool, int tasks, cvy_task_fn *fn, void *arg) {
    CVY_ASSERT(tasks <= CVY_MAX_TASKS);
    const struct cvy_pool_watcher *watcher = pool->watcher;
    const double start = watcher ? cvy_clock() : 0;
    run_round(pool, tasks, fn, arg);
    if (watcher) watcher->round(watcher->arg, tasks, cvy_clock() - start);
}

void cvy_pool_watch(struct cvy_pool *pool, const struct cvy_pool_watcher *watcher) {
    pool->watcher = watcher;
}

static cvy_status start_worker(struct cvy_pool *pool, int thread) {
    struct worker *self;
    CVY_TRY(CVY_NEW(&self, 1, general));
    *self = (struct worker){pool, thread};
    if (cvy_thread_start(&pool->workers[thread], worker_main, self) != 0) {
        cvy_free(self);
        return CVY_FAIL(CVY_ERR_INTERNAL, "cannot start compute thread %d; lower --threads", thread);
    }
    return CVY_OK;
}

cvy_status cvy_pool_create(int threads, struct cvy_pool **out) {
    CVY_TRY(CVY_NEW(out, 1, general));
    struct cvy_pool *pool = *out;
    pool->threads = 1;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    cvy_status status = CVY_NEW(&pool->workers, threads, general);
    if (status == CVY_OK) status = CVY_NEW(&pool->shares, threads, general);
    while (status == CVY_OK && pool->threads < threads) {
        status = start_worker(pool, pool->threads);
        if (status == CVY_OK) pool->threads++;
    }
    if (status != CVY_OK) cvy_pool_destroy(out);
    return status;
}

void cvy_pool_destroy(struct cvy_pool **out) {
    struct cvy_pool *pool = *out;
    if (pool == NULL) return;
    atomic_store(&pool->quit, true);
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int t = 1; t < pool->threads; t++) pthread_join(pool->workers[t], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    cvy_free(pool->workers);
    cvy_free(pool->shares);
    CVY_DELETE(out);
}

int cvy_pool_threads(const struct cvy_pool *pool) {
    return pool->threads;
}

int cvy_processors(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}
