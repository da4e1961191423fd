/* Pooling: each output pixel gathers from (backward: spreads to) the rectangle of taps that its window has in the
 * image. Forward tasks are stretches of output rows; backward tasks are samples, because windows may overlap. */
#include "kernels/window.h"

#include <string.h>

#include "kernels/table.h"

enum { TASK_FLOATS = 1 << 13 };

struct window {
    const struct cvy_window *g;
    const struct cvy_kernel_table *table;
    const float *x, *dy;
    float *y, *dx;
    uint8_t *argmax_out;
    const uint8_t *argmax;
    bool accumulate, alone; /* alone: every pixel of x is in exactly one window */
    void (*run)(const struct window *w, ptrdiff_t in, ptrdiff_t out, struct cvy_taps taps);
    int rows, tasks; /* forward: output rows of all samples */
};

static float average_factor(const struct cvy_window *g, struct cvy_taps taps) {
    return 1.0f / (float)(g->count_pad ? g->r * g->s : taps.rows * taps.columns);
}

/* A run of output pixels: `out` is its place in y, `in` that of its first tap in x. */
static void max_forward(const struct window *w, ptrdiff_t in, ptrdiff_t out, struct cvy_taps taps) {
    w->table->max_taps(w->x + in, &taps, w->y + out, w->argmax_out ? w->argmax_out + out : NULL, w->g->in.c);
}
static void max_backward(const struct window *w, ptrdiff_t in, ptrdiff_t out, struct cvy_taps taps) {
    w->table->max_spread(w->dy + out, w->argmax + out, &taps, w->dx + in, w->g->in.c);
}
static void average_forward(const struct window *w, ptrdiff_t in, ptrdiff_t out, struct cvy_taps taps) {
    w->table->sum_taps(w->x + in, &taps, average_factor(w->g, taps), w->y + out, w->g->in.c);
}
static void average_backward(const struct window *w, ptrdiff_t in, ptrdiff_t out, struct cvy_taps taps) {
    w->table->sum_spread(w->dy + out, &taps, average_factor(w->g, taps), w->dx + in, w->g->in.c);
}

/* [*begin, *end) of 0 … kernel−1 with 0 ≤ at + i < size. */
static void inside(int at, int kernel, int size, int *begin, int *end) {
    *begin = at < 0 ? -at : 0;
    *end = at + kernel > size ? size - at : kernel;
    CVY_ASSERT(*begin < *end);
}

/* How many windows from ox on, of which that one is whole at column x, are whole. */
static int whole_from(const struct cvy_window *g, int ox, int x) {
    const int fitting = (g->in.w - g->s - x) / g->stride_w + 1, left = g->out.w - ox;
    return fitting < left ? fitting : left;
}

/* Output row `row`, counted through all samples. */
static void each_run(const struct window *w, int row) {
    const struct cvy_window *g = w->g;
    const ptrdiff_t image_row = (ptrdiff_t)g->in.w * g->in.c;
    const ptrdiff_t image = row / g->out.h * (ptrdiff_t)cvy_shape_count(g->in);
    const int y = row % g->out.h * g->stride_h - g->pad_top;
    int r0, r1, s0, s1;
    inside(y, g->r, g->in.h, &r0, &r1);
    for (int ox = 0, pixels; ox < g->out.w; ox += pixels) {
        const int x = ox * g->stride_w - g->pad_left;
        inside(x, g->s, g->in.w, &s0, &s1);
        pixels = s1 - s0 == g->s ? whole_from(g, ox, x) : 1;
        struct cvy_taps taps = {.rows = r1 - r0,
                                .columns = s1 - s0,
                                .row = image_row,
                                .column = g->in.c,
                                .first = r0 * g->s + s0,
                                .next_row = g->s,
                                .pixels = pixels,
                                .step = (ptrdiff_t)g->stride_w * g->in.c,
                                .alone = w->alone};
        w->run(w, image + (y + r0) * image_row + (ptrdiff_t)(x + s0) * g->in.c,
               ((ptrdiff_t)row * g->out.w + ox) * g->out.c, taps);
    }
}

static void forward_task(void *arg, int t, int thread) {
    (void)thread;
    const struct window *w = arg;
    const int begin = (int)((int64_t)w->rows * t / w->tasks), end = (int)((int64_t)w->rows * (t + 1) / w->tasks);
    for (int row = begin; row < end; row++) each_run(w, row);
}

static void forward(const struct cvy_compute *compute, struct window *w) {
    w->table = compute->table;
    w->rows = w->g->n * w->g->out.h;
    const int64_t floats = (int64_t)w->rows * w->g->out.w * w->g->out.c;
    w->tasks = floats / TASK_FLOATS < w->rows ? (int)(floats / TASK_FLOATS) + 1 : w->rows;
    cvy_parallel(compute->pool, w->tasks, forward_task, w);
}

static void backward_task(void *arg, int sample, int thread) {
    (void)thread;
    const struct window *w = arg;
    const size_t floats = (size_t)cvy_shape_count(w->g->in);
    if (!w->accumulate && !w->alone) memset(w->dx + sample * floats, 0, floats * sizeof *w->dx);
    for (int oy = 0; oy < w->g->out.h; oy++) each_run(w, sample * w->g->out.h + oy);
}

static void backward(const struct cvy_compute *compute, struct window *w) {
    const struct cvy_window *g = w->g;
    w->table = compute->table;
    w->alone = !w->accumulate && g->stride_h == g->r && g->stride_w == g->s &&
               g->out.h * g->stride_h - g->pad_top >= g->in.h && g->out.w * g->stride_w - g->pad_left >= g->in.w;
    cvy_parallel(compute->pool, g->n, backward_task, w);
}

void cvy_maxpool_forward(const struct cvy_compute *compute, const struct cvy_window *g, const float *x, float *y,
                         uint8_t *argmax) {
    forward(compute, &(struct window){.g = g, .x = x, .y = y, .argmax_out = argmax, .run = max_forward});
}

void cvy_maxpool_backward(const struct cvy_compute *compute, const struct cvy_window *g, const float *dy,
                          const uint8_t *argmax, float *dx, bool accumulate) {
    backward(compute, &(struct window){
                          .g = g, .dy = dy, .dx = dx, .argmax = argmax, .accumulate = accumulate, .run = max_backward});
}

void cvy_avgpool_forward(const struct cvy_compute *compute, const struct cvy_window *g, const float *x, float *y) {
    forward(compute, &(struct window){.g = g, .x = x, .y = y, .run = average_forward});
}

void cvy_avgpool_backward(const struct cvy_compute *compute, const struct cvy_window *g, const float *dy, float *dx,
                          bool accumulate) {
    backward(compute, &(struct window){.g = g, .dy = dy, .dx = dx, .accumulate = accumulate, .run = average_backward});
}
