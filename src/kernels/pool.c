/* Pooling: each output pixel gathers from (backward: spreads to) the rectangle of taps that its window has in the
 * image. Forward tasks are stretches of output rows; backward tasks are samples, because windows may overlap. */
#include "kernels/pool.h"

#include "core/ints.h"

#include <string.h>

#include "kernels/simd/tensor.h"

enum { TASK_FLOATS = 1 << 13 };

struct window {
    const struct cvy_pooling *g;
    const struct cvy_tensor_loops *loops;
    const void *x, *dy;
    void *y, *dx;
    void *argmax_out;
    const void *argmax;
    int tap_bytes;          /* of argmax */
    bool accumulate, alone; /* alone: every pixel of x is in exactly one window */
    void (*run)(const struct window *w, ptrdiff_t in, ptrdiff_t out, struct cvy_taps taps, int counted);
    int rows, tasks; /* output rows of all samples */
};

static void *at(const struct window *w, const void *map, ptrdiff_t i) {
    return cvy_element(map, w->g->type, i);
}

static void *tap_at(const struct window *w, const void *argmax, ptrdiff_t i) {
    return argmax ? (unsigned char *)(uintptr_t)argmax + i * w->tap_bytes : NULL;
}

/* A run of output pixels: `out` is its place in y, `in` that of its first tap in x; an average divides by `counted`. */
static void max_forward(const struct window *w, ptrdiff_t in, ptrdiff_t out, struct cvy_taps taps, int counted) {
    (void)counted;
    w->loops->max_taps(at(w, w->x, in), &taps, at(w, w->y, out), tap_at(w, w->argmax_out, out), w->g->in.c);
}
static void max_backward(const struct window *w, ptrdiff_t in, ptrdiff_t out, struct cvy_taps taps, int counted) {
    (void)counted;
    w->loops->max_spread(at(w, w->dy, out), tap_at(w, w->argmax, out), &taps, at(w, w->dx, in), w->g->in.c);
}
static void average_forward(const struct window *w, ptrdiff_t in, ptrdiff_t out, struct cvy_taps taps, int counted) {
    w->loops->sum_taps(at(w, w->x, in), &taps, 1.0f / (float)counted, at(w, w->y, out), w->g->in.c);
}
static void average_backward(const struct window *w, ptrdiff_t in, ptrdiff_t out, struct cvy_taps taps, int counted) {
    w->loops->sum_spread(at(w, w->dy, out), &taps, 1.0f / (float)counted, at(w, w->dx, in), w->g->in.c);
}

/* One axis of one window: the first pixel that it has inside the image, how many it has, how far they are apart, which
 * tap the first of them is, and how many pixels an average counts. */
struct span {
    int begin, count, apart, tap, counted;
};

static struct span adaptive_span(int in, int out, int o) {
    const int begin = (int)((int64_t)o * in / out), end = (int)cvy_ceil_div((int64_t)(o + 1) * in, out);
    return (struct span){begin, end - begin, 1, 0, end - begin};
}

static struct span span_of(const struct cvy_pooling *g, bool across, int o) {
    const int in = across ? g->in.w : g->in.h, taps = across ? g->s : g->r;
    if (g->adaptive) return adaptive_span(in, across ? g->out.w : g->out.h, o);
    const int apart = 1 + (across ? g->gap_w : g->gap_h), padded = in + (across ? g->pad_right : g->pad_bottom);
    const int at = o * (across ? g->stride_w : g->stride_h) - (across ? g->pad_left : g->pad_top), end = at + taps;
    struct span s = {.apart = apart, .tap = at < 0 ? (apart - 1 - at) / apart : 0};
    const int behind = at < in ? (in - 1 - at) / apart + 1 : 0; /* the first tap behind the image */
    s.begin = at + s.tap * apart;
    s.count = (behind < taps ? behind : taps) - s.tap;
    s.counted = g->count_pad ? (end < padded ? end : padded) - at : s.count;
    CVY_ASSERT(s.count > 0);
    return s;
}

/* How many windows from ox on are alike: that one, and those beside it that are whole. */
static int alike_from(const struct cvy_pooling *g, int ox, struct span first) {
    if (g->adaptive || first.count < g->s) return 1;
    const int last = g->in.w - 1 - (g->s - 1) * first.apart; /* where a whole window may begin */
    const int fitting = (last - first.begin) / g->stride_w + 1, left = g->out.w - ox;
    return fitting < left ? fitting : left;
}

/* How many output rows from oy on, of `rows`, have whole windows, all of them alike. */
static int rows_alike(const struct cvy_pooling *g, int oy, int rows, struct span down) {
    int alike = 1;
    if (g->adaptive || down.count < g->r) return alike;
    while (alike < rows && span_of(g, false, oy + alike).count == g->r) alike++;
    return alike;
}

/* Output rows from oy on, of `rows`, of a sample: those that are one run; at least one. Returns how many. */
static int each_run(const struct window *w, int sample, int oy, int rows) {
    const struct cvy_pooling *g = w->g;
    const ptrdiff_t image_row = (ptrdiff_t)g->in.w * g->in.c;
    const ptrdiff_t image = sample * (ptrdiff_t)cvy_shape_count(g->in), row = (ptrdiff_t)sample * g->out.h + oy;
    const struct span down = span_of(g, false, oy);
    int lines = 1;
    for (int ox = 0, pixels; ox < g->out.w; ox += pixels) {
        const struct span across = span_of(g, true, ox);
        pixels = alike_from(g, ox, across);
        if (pixels == g->out.w) lines = rows_alike(g, oy, rows, down);
        struct cvy_taps taps = {.rows = down.count,
                                .columns = across.count,
                                .row = down.apart * image_row,
                                .column = (ptrdiff_t)across.apart * g->in.c,
                                .first = down.tap * g->s + across.tap,
                                .next_row = g->s,
                                .pixels = pixels,
                                .lines = lines,
                                .step = (ptrdiff_t)g->stride_w * g->in.c,
                                .line = g->stride_h * image_row,
                                .wide = w->tap_bytes > 1,
                                .alone = w->alone};
        w->run(w, image + down.begin * image_row + (ptrdiff_t)across.begin * g->in.c, (row * g->out.w + ox) * g->out.c,
               taps, down.counted * across.counted);
    }
    return lines;
}

/* Output rows [begin, end), counted through all samples. */
static void rows_between(const struct window *w, int begin, int end) {
    const int h = w->g->out.h;
    for (int row = begin; row < end;) {
        const int oy = row % h, left = h - oy < end - row ? h - oy : end - row;
        row += each_run(w, row / h, oy, left);
    }
}

static void forward_task(void *arg, int t, int thread) {
    (void)thread;
    const struct window *w = arg;
    const int begin = (int)((int64_t)w->rows * t / w->tasks), end = (int)((int64_t)w->rows * (t + 1) / w->tasks);
    rows_between(w, begin, end);
}

static void forward(const struct cvy_compute *compute, struct window *w) {
    w->loops = compute->tensor[w->g->type];
    w->tap_bytes = (int)cvy_pooling_tap_bytes(w->g);
    w->rows = w->g->n * w->g->out.h;
    const int64_t floats = (int64_t)w->rows * w->g->out.w * w->g->out.c;
    w->tasks = floats / TASK_FLOATS < w->rows ? (int)(floats / TASK_FLOATS) + 1 : w->rows;
    cvy_parallel(compute->pool, w->tasks, forward_task, w);
}

static void spread_sample(const struct window *w, int sample) {
    const int64_t count = cvy_shape_count(w->g->in);
    if (!w->accumulate && !w->alone)
        memset(at(w, w->dx, sample * count), 0, (size_t)count * cvy_dtype_bytes(w->g->type));
    rows_between(w, sample * w->g->out.h, (sample + 1) * w->g->out.h);
}

static void backward_task(void *arg, int t, int thread) {
    (void)thread;
    const struct window *w = arg;
    const int n = w->g->n, begin = (int)((int64_t)n * t / w->tasks), end = (int)((int64_t)n * (t + 1) / w->tasks);
    for (int sample = begin; sample < end; sample++) spread_sample(w, sample);
}

bool cvy_pooling_apart(const struct cvy_pooling *g) {
    return !g->adaptive && g->gap_h == 0 && g->gap_w == 0 && g->stride_h >= g->r && g->stride_w >= g->s;
}

static void backward(const struct cvy_compute *compute, struct window *w) {
    const struct cvy_pooling *g = w->g;
    w->loops = compute->tensor[w->g->type];
    w->tap_bytes = (int)cvy_pooling_tap_bytes(g);
    w->alone = !w->accumulate && cvy_pooling_apart(g) && g->stride_h == g->r && g->stride_w == g->s &&
               g->out.h * g->stride_h - g->pad_top >= g->in.h && g->out.w * g->stride_w - g->pad_left >= g->in.w;
    const int64_t floats = g->n * cvy_shape_count(g->in);
    w->tasks = floats / TASK_FLOATS < g->n ? (int)(floats / TASK_FLOATS) + 1 : g->n;
    cvy_parallel(compute->pool, w->tasks, backward_task, w);
}

size_t cvy_pooling_tap_bytes(const struct cvy_pooling *g) {
    return (int64_t)g->r * g->s <= 256 ? 1 : sizeof(int32_t);
}

void cvy_maxpool_forward(const struct cvy_compute *compute, const struct cvy_pooling *g, const void *x, void *y,
                         void *argmax) {
    forward(compute, &(struct window){.g = g, .x = x, .y = y, .argmax_out = argmax, .run = max_forward});
}

void cvy_maxpool_backward(const struct cvy_compute *compute, const struct cvy_pooling *g, const void *dy,
                          const void *argmax, void *dx, bool accumulate) {
    if (!g->adaptive && !cvy_pooling_apart(g))
        cvy_maxpool_gather(compute, g, dy, argmax, dx, accumulate);
    else
        backward(compute,
                 &(struct window){
                     .g = g, .dy = dy, .dx = dx, .argmax = argmax, .accumulate = accumulate, .run = max_backward});
}

void cvy_avgpool_forward(const struct cvy_compute *compute, const struct cvy_pooling *g, const void *x, void *y) {
    forward(compute, &(struct window){.g = g, .x = x, .y = y, .run = average_forward});
}

void cvy_avgpool_backward(const struct cvy_compute *compute, const struct cvy_pooling *g, const void *dy, void *dx,
                          bool accumulate) {
    backward(compute, &(struct window){.g = g, .dy = dy, .dx = dx, .accumulate = accumulate, .run = average_backward});
}
