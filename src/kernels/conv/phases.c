/* Backward-data as a correlation of dy with flipped weights.
 *
 * Along one axis, input position i meets output position o through kernel position r where o·stride − pad + r·dilation
 * = i. So positions i with the same phase p = (i + pad) mod stride meet the same r: those with r·dilation ≡ p (mod
 * stride). Within a phase the next i meets the next o, and the next r the o before: a correlation of stride 1 with the
 * taps mirrored, whose result is spread out with the stride. */
#include <string.h>

#include "kernels/conv/parts.h"
#include "kernels/conv/toom.h"

struct cvy_phase cvy_phase_make(int phase, int kernel, int stride, int pad, int dilation, int in) {
    const int divisor = cvy_common_divisor(stride, dilation);
    struct cvy_phase p = {
        .first = ((phase - pad) % stride + stride) % stride, .step = stride / divisor, .dilation = dilation / divisor};
    p.count = cvy_max(0, cvy_ceil_div(in - p.first, stride));
    for (int r = 0; r < kernel; r++)
        if (r * dilation % stride == phase) {
            p.taps++;
            p.last = r;
        }
    if (p.taps) p.begin = (p.first + pad - p.last * dilation) / stride;
    return p;
}

struct cvy_direct cvy_phase_pass(const struct cvy_conv *g, struct cvy_phase py, struct cvy_phase px, ptrdiff_t *at) {
    const ptrdiff_t row = (ptrdiff_t)g->in.w * g->in.c;
    *at = py.first * row + (ptrdiff_t)px.first * g->in.c;
    return (struct cvy_direct){
        .n = g->n,
        .in = g->out,
        .r = py.taps,
        .s = px.taps,
        .stride_h = 1,
        .stride_w = 1,
        .dilation_h = py.dilation,
        .dilation_w = px.dilation,
        .pad_top = -py.begin,
        .pad_left = -px.begin,
        .oh = py.count,
        .ow = px.count,
        .k = g->in.c,
        .y_sample = (ptrdiff_t)cvy_shape_count(g->in),
        .y_row = g->stride_h * row,
        .y_pixel = (ptrdiff_t)g->stride_w * g->in.c,
    };
}

size_t cvy_conv_flip_floats(const struct cvy_conv *g) {
    if (cvy_toom_fits(g)) return cvy_narrow_floats(g) + cvy_toom_flip_floats(g);
    if (cvy_conv_is_narrow(g)) return cvy_narrow_floats(g);
    return (size_t)g->r * g->s * g->out.c * cvy_panels(g->in.c) * CVY_PANEL;
}

struct flip {
    const struct cvy_kernel_table *table;
    const struct cvy_conv *g;
    struct cvy_phase y, x;
    const float *w;
    float *wt; /* of this phase: [⌈c/16⌉][taps y][taps x][k][16] */
    int items, tasks;
};

/* [16][16] transposed, of which `rows` rows of the result are wanted and `lanes` of each exist. */
static void transpose(const struct cvy_kernel_table *table, const float *from, float *to, int rows, int lanes) {
    float whole[CVY_PANEL * CVY_PANEL];
    if (lanes < CVY_PANEL) {
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < CVY_PANEL; j++) to[i * CVY_PANEL + j] = j < lanes ? from[j * CVY_PANEL + i] : 0;
        return;
    }
    table->transpose(from, rows == CVY_PANEL ? to : whole);
    if (rows < CVY_PANEL) memcpy(to, whole, (size_t)rows * CVY_PANEL * sizeof *to);
}

/* One tap of some panels of input channels, side by side in w: [k][16] each from a column of [⌈k/16⌉][r][s][c][16]. */
static void flip_tap(const struct flip *f, int panel, int panels, int ty, int tx) {
    const struct cvy_conv *g = f->g;
    const int r = f->y.last - ty * f->y.step, s = f->x.last - tx * f->x.step, c = g->in.c, k = g->out.c;
    for (int p = 0; p < cvy_panels(k); p++)
        for (int q = panel; q < panel + panels; q++) {
            const float *from = f->w + ((((ptrdiff_t)p * g->r + r) * g->s + s) * c + q * CVY_PANEL) * CVY_PANEL;
            float *to = f->wt + ((((ptrdiff_t)q * f->y.taps + ty) * f->x.taps + tx) * k + p * CVY_PANEL) * CVY_PANEL;
            transpose(f->table, from, to, cvy_min(CVY_PANEL, k - p * CVY_PANEL), cvy_min(CVY_PANEL, c - q * CVY_PANEL));
        }
}

/* An item is a tap of a group of panels: 4 KiB of w at a time. */
static void flip_task(void *arg, int t, int thread) {
    (void)thread;
    const struct flip *f = arg;
    const int taps = f->y.taps * f->x.taps, panels = cvy_panels(f->g->in.c);
    for (int i = cvy_cut(f->items, f->tasks, t); i < cvy_cut(f->items, f->tasks, t + 1); i++) {
        const int panel = i / taps * CVY_GROUP;
        flip_tap(f, panel, cvy_min(CVY_GROUP, panels - panel), i / f->x.taps % f->y.taps, i % f->x.taps);
    }
}

void cvy_conv_flip(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *wt) {
    enum { TASK_FLOATS = 1 << 12 };
    if (cvy_conv_is_narrow(g)) {
        cvy_narrow_flip(g, w, wt);
        if (cvy_toom_fits(g)) cvy_toom_flip(compute, g, w, wt + cvy_narrow_floats(g));
        return;
    }
    for (int y = 0; y < g->stride_h; y++)
        for (int x = 0; x < g->stride_w; x++) {
            struct flip f = {.table = compute->table, .g = g, .w = w, .wt = wt};
            f.y = cvy_phase_make(y, g->r, g->stride_h, g->pad_top, g->dilation_h, g->in.h);
            f.x = cvy_phase_make(x, g->s, g->stride_w, g->pad_left, g->dilation_w, g->in.w);
            f.items = cvy_ceil_div(cvy_panels(g->in.c), CVY_GROUP) * f.y.taps * f.x.taps;
            if (f.items == 0) continue;
            const int64_t floats = (int64_t)cvy_panels(g->in.c) * f.y.taps * f.x.taps * g->out.c * CVY_PANEL;
            f.tasks = cvy_clamp(floats / TASK_FLOATS, 1, f.items);
            cvy_parallel(compute->pool, f.tasks, flip_task, &f);
            wt += floats;
        }
}
