/* Channels made even, for passes over pairs of bf16. */
#include "kernels/conv/parts.h"

struct even {
    const cvy_bf16 *from;
    cvy_bf16 *to;
    int64_t pixels;
    int c, tasks;
};

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct even *e = arg;
    const int64_t begin = e->pixels * t / e->tasks, end = e->pixels * (t + 1) / e->tasks;
    for (int64_t i = begin; i < end; i++) {
        cvy_bf16 *to = e->to + i * (e->c + 1);
        for (int k = 0; k < e->c; k++) to[k] = e->from[i * e->c + k];
        to[e->c] = 0;
    }
}

static bool is_needed(enum cvy_dtype type, struct cvy_shape shape) {
    return type == CVY_BF16 && shape.c % 2 != 0;
}

size_t cvy_even_floats(enum cvy_dtype type, int n, struct cvy_shape shape) {
    return is_needed(type, shape) ? (size_t)n * shape.h * shape.w * cvy_pairs_of(shape.c) : 0;
}

const void *cvy_make_even(const struct cvy_pass_call *call, struct cvy_shape shape) {
    if (!is_needed(call->type, shape)) return call->from;
    struct even e = {call->from, (cvy_bf16 *)call->ws, (int64_t)call->g->n * shape.h * shape.w, shape.c, 0};
    e.tasks = cvy_clamp(e.pixels * shape.c / CVY_BAND_FLOATS, 1, CVY_TASKS_WANTED);
    cvy_parallel(call->compute->pool, e.tasks, task, &e);
    return call->ws;
}
