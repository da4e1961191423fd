/* Flat vectors of bf16, cut into tasks of a fixed size. */
#include "kernels/bf16.h"

#include "core/ints.h"

#include "kernels/simd/tensor.h"

enum { TASK_NUMBERS = 1 << 15 };

/* The arguments of all loops here; each uses its own. */
struct flat {
    const struct cvy_tensor_loops *loops;
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
    f->loops = compute->tensor[CVY_BF16];
    cvy_parallel(compute->pool, (int)cvy_ceil_div(f->count, TASK_NUMBERS), task, f);
}

static void narrow(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->loops->write(f->from_floats + begin_of(t), f->to + begin_of(t), count_of(f, t), false);
}

static void widen(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->loops->read(f->from + begin_of(t), f->to_floats + begin_of(t), count_of(f, t), false);
}

void cvy_bf16_from_floats(const struct cvy_compute *compute, const float *from, cvy_bf16 *to, int64_t count) {
    run(compute, narrow, &(struct flat){.from_floats = from, .to = to, .count = count});
}

void cvy_bf16_to_floats(const struct cvy_compute *compute, const cvy_bf16 *from, float *to, int64_t count) {
    run(compute, widen, &(struct flat){.from = from, .to_floats = to, .count = count});
}
