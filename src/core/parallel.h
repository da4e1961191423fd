/* Parallel tasks: the only way to threads for computation.
 *
 * Work is cut into tasks by shape alone; threads only decide who runs a task. So results cannot depend on the number of
 * threads as long as every output element is written by one task.
 *
 * The pool is our own rather than OpenMP's: a round ends when all tasks are done, not when all threads have come to a
 * barrier. On a machine that is shared, a thread that the system has put aside then costs nothing: the others do its
 * tasks. (Measured with LeNet-5 on 2 cores with two other busy processes: 1,200 samples/s with libgomp, 15,000 so.) */
#ifndef CVY_CORE_PARALLEL_H
#define CVY_CORE_PARALLEL_H

#include "core/status.h"

struct cvy_pool;

/* task: 0 … tasks−1. thread: 0 … threads−1, for per-thread scratch and nothing else. */
typedef void cvy_task_fn(void *arg, int task, int thread);

#define CVY_MAX_TASKS ((1 << 24) - 1) /* in one round */

/* A pool of `threads` ≥ 1 threads, the caller's included; who calls with it is inside (core/inside.h), as the others
 * are. */
cvy_status cvy_pool_create(int threads, struct cvy_pool **out);
void cvy_pool_destroy(struct cvy_pool **pool);
int cvy_pool_threads(const struct cvy_pool *pool);

/* Runs fn(arg, t, thread) for every t; returns when all are done. One caller at a time; not from inside a task. */
void cvy_parallel(struct cvy_pool *pool, int tasks, cvy_task_fn *fn, void *arg);

/* For a benchmark: who wants to know of every round how many tasks it had and how many seconds it took. */
struct cvy_pool_watcher {
    void (*round)(void *arg, int tasks, double seconds);
    void *arg;
};
/* NULL: nobody any more. The watcher must stay until then. */
void cvy_pool_watch(struct cvy_pool *pool, const struct cvy_pool_watcher *watcher);

/* The processors this process may use (its cpuset). */
int cvy_processors(void);

#endif
