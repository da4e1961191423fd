/* Flat vectors of bf16, cut into tasks of a fixed size. */
#include "kernels/bf16.h"

#include "kernels/bf16_table.h"

enum { TASK_NUMBERS = 1 << 15 };

/* The arguments of all loops here; each uses its own. */
struct flat {
    const struct cvy_bf16_table *table;
    const float *from_floats;
    float *to_floats;
    const cvy_bf16 *from;
    cvy_bf16 *to;
    int64_t count;
};

static int64_t begin_of(int task) {
    return (int64_t)task * TASK_NUMBERS;
}
static int64_t count_of(const struct flat *f, int task) {
    const int64_t left = f->count - begin_of(task);
    return left < TASK_NUMBERS ? left : TASK_NUMBERS;
}

static void run(const struct cvy_compute *compute, cvy_task_fn *task, struct flat *f) {
    f->table = compute->bf16;
    cvy_parallel(compute->pool, (int)((f->count + TASK_NUMBERS - 1) / TASK_NUMBERS), task, f);
}

static void narrow(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->table->narrow(f->from_floats + begin_of(t), f->to + begin_of(t), count_of(f, t));
}

static void widen(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->table->widen(f->from + begin_of(t), f->to_floats + begin_of(t), count_of(f, t));
}

static void add(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->table->add(f->to + begin_of(t), f->from + begin_of(t), count_of(f, t));
}

void cvy_bf16_from_floats(const struct cvy_compute *compute, const float *from, cvy_bf16 *to, int64_t count) {
    run(compute, narrow, &(struct flat){.from_floats = from, .to = to, .count = count});
}

void cvy_bf16_to_floats(const struct cvy_compute *compute, const cvy_bf16 *from, float *to, int64_t count) {
    run(compute, widen, &(struct flat){.from = from, .to_floats = to, .count = count});
}

void cvy_bf16_add(const struct cvy_compute *compute, cvy_bf16 *dst, const cvy_bf16 *a, int64_t count) {
    run(compute, add, &(struct flat){.from = a, .to = dst, .count = count});
}
