/* Forward tasks are stretches of output rows; backward tasks are samples, because output pixels share input pixels. */
#include "kernels/resample.h"

#include <string.h>

#include "kernels/simd/table.h"

enum { TASK_FLOATS = 1 << 13 };

struct resample {
    const struct cvy_resample *g;
    const struct cvy_kernel_table *table;
    const float *x, *dy;
    float *y, *dx;
    bool accumulate;
    int rows, tasks;
};

/* The two input pixels of an output pixel along one axis, and the share of the second. */
struct pair {
    int first, second;
    float share;
};

static struct pair between(double at, int in) {
    struct pair p = {.first = (int)at};
    if (p.first > in - 1) p.first = in - 1; /* what rounding may do */
    p.second = p.first < in - 1 ? p.first + 1 : p.first;
    p.share = (float)(at - p.first);
    return p;
}

static struct pair only(int at) {
    return (struct pair){at, at, 0};
}

static struct pair pair_of(const struct cvy_resample *g, bool across, int o) {
    const int in = across ? g->in.w : g->in.h, out = across ? g->out.w : g->out.h;
    const int from = o - (across ? g->pad_left : g->pad_top);
    double at;
    switch (g->kind) {
    case CVY_RESAMPLE_NEAREST:
        return only((int)((int64_t)o * in / out));
    case CVY_RESAMPLE_BILINEAR:
        at = (o + 0.5) * ((double)in / out) - 0.5;
        return between(at < 0 ? 0 : at, in);
    case CVY_RESAMPLE_BILINEAR_ALIGNED:
        return between(out > 1 ? o * ((double)(in - 1) / (out - 1)) : 0, in);
    case CVY_RESAMPLE_REFLECT:
        return only(from < 0 ? -from : from >= in ? 2 * (in - 1) - from : from);
    default:
        return only(from < 0 ? 0 : from >= in ? in - 1 : from);
    }
}

/* The four input pixels of an output pixel, as places in their image, and their shares; `count` of them differ. */
struct quad {
    ptrdiff_t at[4];
    float share[4];
    int count;
};

static struct quad quad_of(const struct cvy_resample *g, struct pair down, int ox) {
    const struct pair across = pair_of(g, true, ox);
    const ptrdiff_t row = (ptrdiff_t)g->in.w * g->in.c, c = g->in.c;
    return (struct quad){.at = {down.first * row + across.first * c, down.first * row + across.second * c,
                                down.second * row + across.first * c, down.second * row + across.second * c},
                         .share = {(1 - down.share) * (1 - across.share), (1 - down.share) * across.share,
                                   down.share * (1 - across.share), down.share * across.share},
                         .count = g->kind == CVY_RESAMPLE_BILINEAR || g->kind == CVY_RESAMPLE_BILINEAR_ALIGNED ? 4 : 1};
}

static void forward_row(const struct resample *s, int row) {
    const struct cvy_resample *g = s->g;
    const float *image = s->x + row / g->out.h * (ptrdiff_t)cvy_shape_count(g->in);
    const struct pair down = pair_of(g, false, row % g->out.h);
    for (int ox = 0; ox < g->out.w; ox++) {
        const struct quad q = quad_of(g, down, ox);
        float *y = s->y + ((ptrdiff_t)row * g->out.w + ox) * g->out.c;
        if (q.count == 1)
            memcpy(y, image + q.at[0], (size_t)g->out.c * sizeof *y);
        else
            s->table->mix(image, q.at, q.share, y, g->out.c);
    }
}

static void backward_row(const struct resample *s, int row) {
    const struct cvy_resample *g = s->g;
    float *image = s->dx + row / g->out.h * (ptrdiff_t)cvy_shape_count(g->in);
    const struct pair down = pair_of(g, false, row % g->out.h);
    for (int ox = 0; ox < g->out.w; ox++) {
        const struct quad q = quad_of(g, down, ox);
        const float *dy = s->dy + ((ptrdiff_t)row * g->out.w + ox) * g->out.c;
        if (q.count == 1) s->table->add(image + q.at[0], dy, g->out.c);
        for (int i = 0; i < 4 && q.count == 4; i++) s->table->add_scaled(image + q.at[i], q.share[i], dy, g->out.c);
    }
}

static void forward_task(void *arg, int t, int thread) {
    (void)thread;
    const struct resample *s = arg;
    const int begin = (int)((int64_t)s->rows * t / s->tasks), end = (int)((int64_t)s->rows * (t + 1) / s->tasks);
    for (int row = begin; row < end; row++) forward_row(s, row);
}

static void backward_task(void *arg, int sample, int thread) {
    (void)thread;
    const struct resample *s = arg;
    const size_t floats = (size_t)cvy_shape_count(s->g->in);
    if (!s->accumulate) memset(s->dx + sample * floats, 0, floats * sizeof *s->dx);
    for (int oy = 0; oy < s->g->out.h; oy++) backward_row(s, sample * s->g->out.h + oy);
}

void cvy_resample_forward(const struct cvy_compute *compute, const struct cvy_resample *g, const float *x, float *y) {
    struct resample s = {.g = g, .table = compute->table, .x = x, .y = y, .rows = g->n * g->out.h};
    const int64_t floats = g->n * cvy_shape_count(g->out);
    s.tasks = floats / TASK_FLOATS < s.rows ? (int)(floats / TASK_FLOATS) + 1 : s.rows;
    cvy_parallel(compute->pool, s.tasks, forward_task, &s);
}

void cvy_resample_backward(const struct cvy_compute *compute, const struct cvy_resample *g, const float *dy, float *dx,
                           bool accumulate) {
    struct resample s = {.g = g, .table = compute->table, .dy = dy, .dx = dx, .accumulate = accumulate};
    cvy_parallel(compute->pool, g->n, backward_task, &s);
}
