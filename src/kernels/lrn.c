/* Local response normalisation: a task is some pixels; each thread has three rows to work in. */
#include "core/memory.h"
#include "kernels/norm.h"
#include "kernels/table.h"

enum { TASK_FLOATS = 1 << 13 };

struct lrn {
    const struct cvy_kernel_table *table;
    const struct cvy_lrn *how;
    int64_t pixels;
    int channels, step; /* pixels of a task */
    const float *x, *dy;
    float *out, *ws;
    bool accumulate;
};

/* Floats of a thread. */
static size_t room(const struct cvy_lrn *how, int channels) {
    return cvy_align_up(3 * ((size_t)channels + (size_t)how->size + 16) * sizeof(float)) / sizeof(float);
}

size_t cvy_lrn_workspace(const struct cvy_lrn *how, int channels, int threads) {
    return (size_t)threads * room(how, channels) * sizeof(float);
}

static void task(void *arg, int t, int thread) {
    const struct lrn *l = arg;
    float *ws = l->ws + (size_t)thread * room(l->how, l->channels);
    for (int64_t p = (int64_t)t * l->step; p < l->pixels && p < ((int64_t)t + 1) * l->step; p++) {
        const int64_t at = p * l->channels;
        if (l->dy)
            l->table->lrn_back(l->x + at, l->dy + at, l->how, l->channels, l->accumulate, l->out + at, ws);
        else
            l->table->lrn(l->x + at, l->how, l->channels, l->out + at, ws);
    }
}

static void run(const struct cvy_compute *compute, struct lrn *l) {
    l->table = compute->table;
    l->step = TASK_FLOATS / l->channels + 1;
    cvy_parallel(compute->pool, (int)((l->pixels + l->step - 1) / l->step), task, l);
}

void cvy_lrn_forward(const struct cvy_compute *compute, const struct cvy_lrn *how, int64_t pixels, int channels,
                     const float *x, float *y, void *ws) {
    run(compute, &(struct lrn){.how = how, .pixels = pixels, .channels = channels, .x = x, .out = y, .ws = ws});
}

void cvy_lrn_backward(const struct cvy_compute *compute, const struct cvy_lrn *how, int64_t pixels, int channels,
                      const float *x, const float *dy, float *dx, bool accumulate, void *ws) {
    run(compute, &(struct lrn){.how = how,
                               .pixels = pixels,
                               .channels = channels,
                               .x = x,
                               .dy = dy,
                               .out = dx,
                               .ws = ws,
                               .accumulate = accumulate});
}
