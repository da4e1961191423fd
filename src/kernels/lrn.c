/* Local response normalisation: a task is some pixels; each thread has three rows to work in. */
#include "core/ints.h"
#include "core/memory.h"
#include "kernels/norm.h"
#include "kernels/simd/tensor.h"

enum { TASK_FLOATS = 1 << 13 };

struct lrn {
    const struct cvy_tensor_loops *loops;
    const struct cvy_lrn *how;
    int step; /* pixels of a task */
    const void *x, *dy;
    void *out;
    float *ws;
    bool accumulate;
};

/* Floats of a thread. */
static size_t room(const struct cvy_lrn *how) {
    return cvy_align_up(3 * ((size_t)how->channels + (size_t)how->size + 16) * sizeof(float)) / sizeof(float);
}

size_t cvy_lrn_workspace(const struct cvy_lrn *how, int threads) {
    return (size_t)threads * room(how) * sizeof(float);
}

static void *at(const struct lrn *l, const void *map, int64_t i) {
    return cvy_element(map, l->how->type, i);
}

static void task(void *arg, int t, int thread) {
    const struct lrn *l = arg;
    float *ws = l->ws + (size_t)thread * room(l->how);
    for (int64_t p = (int64_t)t * l->step; p < l->how->pixels && p < ((int64_t)t + 1) * l->step; p++) {
        const int64_t begin = p * l->how->channels;
        if (l->dy)
            l->loops->lrn_back(at(l, l->x, begin), at(l, l->dy, begin), l->how, l->accumulate, at(l, l->out, begin),
                               ws);
        else
            l->loops->lrn(at(l, l->x, begin), l->how, at(l, l->out, begin), ws);
    }
}

static void run(const struct cvy_compute *compute, struct lrn *l) {
    l->loops = compute->tensor[l->how->type];
    l->step = TASK_FLOATS / l->how->channels + 1;
    cvy_parallel(compute->pool, (int)cvy_ceil_div(l->how->pixels, l->step), task, l);
}

void cvy_lrn_forward(const struct cvy_compute *compute, const struct cvy_lrn *how, const void *x, void *y, void *ws) {
    run(compute, &(struct lrn){.how = how, .x = x, .out = y, .ws = ws});
}

void cvy_lrn_backward(const struct cvy_compute *compute, const struct cvy_lrn *how, const void *x, const void *dy,
                      void *dx, bool accumulate, void *ws) {
    run(compute, &(struct lrn){.how = how, .x = x, .dy = dy, .out = dx, .ws = ws, .accumulate = accumulate});
}
