/* Conversion of flat vectors, cut into tasks of a fixed size. */
#include "kernels/bf16.h"

#include "kernels/bf16_table.h"

enum { TASK_NUMBERS = 1 << 15 };

struct conversion {
    const struct cvy_bf16_table *table;
    const float *from_floats;
    float *to_floats;
    const cvy_bf16 *from;
    cvy_bf16 *to;
    int64_t count;
};

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct conversion *c = arg;
    const int64_t at = (int64_t)t * TASK_NUMBERS, left = c->count - at,
                  count = left < TASK_NUMBERS ? left : TASK_NUMBERS;
    if (c->to)
        c->table->narrow(c->from_floats + at, c->to + at, count);
    else
        c->table->widen(c->from + at, c->to_floats + at, count);
}

static void run(const struct cvy_compute *compute, struct conversion *c) {
    c->table = compute->bf16;
    cvy_parallel(compute->pool, (int)((c->count + TASK_NUMBERS - 1) / TASK_NUMBERS), task, c);
}

void cvy_bf16_from_floats(const struct cvy_compute *compute, const float *from, cvy_bf16 *to, int64_t count) {
    run(compute, &(struct conversion){.from_floats = from, .to = to, .count = count});
}

void cvy_bf16_to_floats(const struct cvy_compute *compute, const cvy_bf16 *from, float *to, int64_t count) {
    run(compute, &(struct conversion){.from = from, .to_floats = to, .count = count});
}
