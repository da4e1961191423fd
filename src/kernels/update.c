/* Optimisers' loops, cut into tasks of a fixed size; sums into at most SUMS chunks, joined in their order. */
#include "kernels/update.h"

#include "core/ints.h"

#include <math.h>

#include "kernels/simd/table.h"

enum { TASK_FLOATS = 1 << 14, SUMS = 256 };

/* The arguments of all loops here; each uses its own. */
struct update {
    const struct cvy_update_loops *loops;
    int64_t chunk;
    const void *how;
    struct cvy_update_vectors of;
    float scale, limit;
    double sums[SUMS];
    struct cvy_lamb_norms squares[SUMS];
};

struct part {
    int64_t at, count;
    float *slot[3];
};

static struct part part_of(const struct update *u, int task) {
    struct part p = {.at = (int64_t)task * u->chunk};
    int64_t left = u->of.count - p.at;
    p.count = left < u->chunk ? left : u->chunk;
    for (int s = 0; s < 3; s++) p.slot[s] = u->of.slot[s] ? u->of.slot[s] + p.at : NULL;
    return p;
}

static int tasks_of(const struct update *u) {
    return (int)cvy_ceil_div(u->of.count, u->chunk);
}

static void run(const struct cvy_compute *compute, cvy_task_fn *fn, struct update *u) {
    u->loops = &compute->table->update;
    u->chunk = TASK_FLOATS;
    cvy_parallel(compute->pool, tasks_of(u), fn, u);
}

/* With chunks so large that their sums fit. */
static void run_sums(const struct cvy_compute *compute, cvy_task_fn *fn, struct update *u) {
    int64_t share = cvy_ceil_div(u->of.count, SUMS);
    u->loops = &compute->table->update;
    u->chunk = share <= TASK_FLOATS ? TASK_FLOATS : (share + 15) / 16 * 16;
    cvy_parallel(compute->pool, tasks_of(u), fn, u);
}

#define TASK(name, call)                                                                                               \
    static void name##_task(void *arg, int task, int thread) {                                                         \
        (void)thread;                                                                                                  \
        struct update *u = arg;                                                                                        \
        const struct part p = part_of(u, task);                                                                        \
        call;                                                                                                          \
    }
TASK(adam, u->loops->adam(u->how, u->of.w + p.at, u->of.g + p.at, p.slot[0], p.slot[1], p.slot[2], p.count))
TASK(rmsprop, u->loops->rmsprop(u->how, u->of.w + p.at, u->of.g + p.at, p.slot[0], p.slot[1], p.slot[2], p.count))
TASK(adagrad, u->loops->adagrad(u->how, u->of.w + p.at, u->of.g + p.at, p.slot[0], p.count))
TASK(lars, u->loops->lars(u->how, u->of.w + p.at, u->of.g + p.at, p.slot[0], p.count))
TASK(moments,
     u->loops->lamb_moments(u->how, u->of.w + p.at, u->of.g + p.at, p.slot[0], p.slot[1], p.count, &u->squares[task]))
TASK(apply, u->loops->lamb_apply(u->how, u->of.w + p.at, p.slot[0], p.slot[1], p.count))
TASK(squares, u->sums[task] = u->loops->sum_squares(u->of.g + p.at, p.count))
TASK(clamp, u->loops->clamp(u->of.w + p.at, u->scale, u->limit, p.count))
TASK(average, u->loops->average(u->of.w + p.at, u->of.g + p.at, u->scale, p.count))

#define STEP(name)                                                                                                     \
    void cvy_##name##_update(const struct cvy_compute *compute, const struct cvy_##name *how,                          \
                             const struct cvy_update_vectors *of) {                                                    \
        run(compute, name##_task, &(struct update){.how = how, .of = *of});                                            \
    }
STEP(adam)
STEP(rmsprop)
STEP(adagrad)
STEP(lars)

struct cvy_lamb_norms cvy_lamb_moments(const struct cvy_compute *compute, const struct cvy_lamb *how,
                                       const struct cvy_update_vectors *of) {
    struct update u = {.how = how, .of = *of};
    struct cvy_lamb_norms sum = {0};
    run_sums(compute, moments_task, &u);
    for (int t = 0; t < tasks_of(&u); t++) {
        sum.w += u.squares[t].w;
        sum.u += u.squares[t].u;
    }
    return (struct cvy_lamb_norms){sqrt(sum.w), sqrt(sum.u)};
}

void cvy_lamb_apply(const struct cvy_compute *compute, const struct cvy_lamb *how,
                    const struct cvy_update_vectors *of) {
    run(compute, apply_task, &(struct update){.how = how, .of = *of});
}

double cvy_vec_sum_squares(const struct cvy_compute *compute, const float *x, int64_t count) {
    struct update u = {.of = {.g = x, .count = count}};
    double sum = 0;
    run_sums(compute, squares_task, &u);
    for (int t = 0; t < tasks_of(&u); t++) sum += u.sums[t];
    return sum;
}

void cvy_vec_clamp(const struct cvy_compute *compute, float *x, float scale, float limit, int64_t count) {
    run(compute, clamp_task, &(struct update){.of = {.w = x, .count = count}, .scale = scale, .limit = limit});
}

void cvy_vec_average(const struct cvy_compute *compute, float *mean, const float *x, float share, int64_t count) {
    run(compute, average_task, &(struct update){.of = {.w = mean, .g = x, .count = count}, .scale = share});
}
