/* Backward-data as a correlation of dy with mirrored weights, and the copies of these.
 *
 * Along one axis, input position i meets output position o through kernel position r where o·stride − pad + r·dilation
 * = i. So positions i with the same phase p = (i + pad) mod stride meet the same r: those with r·dilation ≡ p (mod
 * stride). Within a phase the next i meets the next o, and the next r the o before: a correlation of stride 1 with the
 * taps mirrored, whose result is spread out with the stride. */
#include <string.h>

#include "kernels/conv/parts.h"

static struct cvy_phase along_axis(int phase, int kernel, int stride, int pad, int dilation, int in) {
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

int cvy_phase_count(const struct cvy_conv *g) {
    return g->stride_h * g->stride_w;
}

struct cvy_phases cvy_phases_at(const struct cvy_conv *g, int i) {
    return (struct cvy_phases){along_axis(i / g->stride_w, g->r, g->stride_h, g->pad_top, g->dilation_h, g->in.h),
                               along_axis(i % g->stride_w, g->s, g->stride_w, g->pad_left, g->dilation_w, g->in.w)};
}

struct cvy_direct cvy_phase_pass(const struct cvy_conv *g, enum cvy_dtype type, const struct cvy_phases *p,
                                 ptrdiff_t *at) {
    const ptrdiff_t row = (ptrdiff_t)g->in.w * g->in.c;
    *at = p->y.first * row + (ptrdiff_t)p->x.first * g->in.c;
    return (struct cvy_direct){
        .n = g->n,
        .in = {g->out.h, g->out.w, cvy_elements_of(type, g->out.c)},
        .r = p->y.taps,
        .s = p->x.taps,
        .stride_h = 1,
        .stride_w = 1,
        .dilation_h = p->y.dilation,
        .dilation_w = p->x.dilation,
        .pad_top = -p->y.begin,
        .pad_left = -p->x.begin,
        .oh = p->y.count,
        .ow = p->x.count,
        .k = g->in.c,
        .y_sample = (ptrdiff_t)cvy_shape_count(g->in),
        .y_row = g->stride_h * row,
        .y_pixel = (ptrdiff_t)g->stride_w * g->in.c,
        .pairs = type == CVY_BF16,
    };
}

/* ---- blocks: [16 c][16 k] of w to rows of k, or of pairs of k, of 16 c ---- */

/* Of the result `rows` of k are wanted, and `lanes` of c exist. */
typedef void block_fn(const struct cvy_compute *compute, const float *from, int rows, int lanes, void *to);

static void float_block(const struct cvy_compute *compute, const float *from, int rows, int lanes, void *out) {
    float *to = out, whole[CVY_PANEL * CVY_PANEL];
    if (lanes < CVY_PANEL) {
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < CVY_PANEL; j++) to[i * CVY_PANEL + j] = j < lanes ? from[j * CVY_PANEL + i] : 0;
        return;
    }
    compute->table->transpose(from, rows == CVY_PANEL ? to : whole);
    if (rows < CVY_PANEL) memcpy(to, whole, (size_t)rows * CVY_PANEL * sizeof *to);
}

static void pair_block(const struct cvy_compute *compute, const float *from, int rows, int lanes, void *out) {
    cvy_pair *to = out, block[CVY_PANEL * CVY_PANEL / 2];
    compute->bf16->narrow(from, (cvy_bf16 *)block, (int64_t)lanes * CVY_PANEL);
    for (int j = lanes * CVY_PANEL / 2; j < CVY_PANEL * CVY_PANEL / 2; j++) block[j] = 0;
    for (int l = 0; l < cvy_pairs_of(rows); l++)
        for (int j = 0; j < CVY_PANEL; j++) to[l * CVY_PANEL + j] = block[j * CVY_PANEL / 2 + l];
}

/* ---- a tap ---- */

struct mirror {
    const struct cvy_compute *compute;
    enum cvy_dtype type; /* of the copy */
    int c, k;
    ptrdiff_t next;  /* floats from panel to panel of output channels in w */
    ptrdiff_t panel; /* elements from panel to panel of input channels in the copy */
};

/* Of some panels of input channels, which lie side by side in w: [k] each from a column of [⌈k/16⌉][…][c][16]. `first`
 * is their first channel. The next block is fetched meanwhile: they are far apart. */
static void mirror_tap(const struct mirror *m, const float *from, int first, int panels, float *to) {
    const bool pairs = m->type == CVY_BF16;
    block_fn *const block = pairs ? pair_block : float_block;
    const ptrdiff_t step = CVY_PANEL * (pairs ? CVY_PANEL / 2 : CVY_PANEL);
    for (int left = m->k; left > 0; left -= CVY_PANEL, from += m->next, to += step)
        for (int i = 0; i < panels; i++) {
            const int lanes = cvy_min(CVY_PANEL, m->c - first - i * CVY_PANEL);
            const float *here = from + (ptrdiff_t)i * CVY_PANEL * CVY_PANEL;
            for (int j = 0; pairs && j < lanes && left > CVY_PANEL; j++)
                __builtin_prefetch(here + m->next + j * CVY_PANEL);
            block(m->compute, here, cvy_min(CVY_PANEL, left), lanes, to + i * m->panel);
        }
}

void cvy_mirrored_pairs_panels(const struct cvy_compute *compute, const float *w, int c, int k, int panel, int panels,
                               cvy_pair *out) {
    const struct mirror m = {compute, CVY_BF16, c, k, (ptrdiff_t)c * CVY_PANEL, (ptrdiff_t)cvy_pairs_of(k) * CVY_PANEL};
    mirror_tap(&m, w + (ptrdiff_t)panel * CVY_PANEL * CVY_PANEL, panel * CVY_PANEL, panels, (float *)out);
}

/* ---- all of a phase: [⌈c/16⌉][taps y][taps x][k or pairs of k][16] from [⌈k/16⌉][r][s][c][16] ---- */

struct phase_copy {
    struct mirror mirror;
    const struct cvy_conv *g;
    struct cvy_phases at;
    const float *w;
    float *out;
    int items, tasks;
};

/* An item is a tap of a group of panels: 4 KiB of w at a time. */
static void item(const struct phase_copy *p, int index) {
    const struct cvy_conv *g = p->g;
    const struct cvy_phase *y = &p->at.y, *x = &p->at.x;
    const int taps = y->taps * x->taps, panel = index / taps * CVY_GROUP, tap = index % taps;
    const int r = y->last - tap / x->taps * y->step, s = x->last - tap % x->taps * x->step;
    const float *from = p->w + (((ptrdiff_t)r * g->s + s) * g->in.c + panel * CVY_PANEL) * CVY_PANEL;
    mirror_tap(&p->mirror, from, panel * CVY_PANEL, cvy_min(CVY_GROUP, cvy_panels(g->in.c) - panel),
               p->out + panel * p->mirror.panel + tap * (p->mirror.panel / taps));
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct phase_copy *p = arg;
    for (int i = cvy_tile_begin(p->items, p->tasks, t); i < cvy_tile_begin(p->items, p->tasks, t + 1); i++) item(p, i);
}

static void make(const struct cvy_compute *compute, enum cvy_dtype type, const struct cvy_conv *g, const float *w,
                 float *out) {
    enum { TASK_FLOATS = 1 << 12 };
    const ptrdiff_t depth = cvy_elements_of(type, g->out.c);
    for (int i = 0; i < cvy_phase_count(g); i++) {
        const struct cvy_phases at = cvy_phases_at(g, i);
        const int taps = at.y.taps * at.x.taps;
        struct phase_copy p = {
            {compute, type, g->in.c, g->out.c, (ptrdiff_t)g->r * g->s * g->in.c * CVY_PANEL, taps * depth * CVY_PANEL},
            .g = g,
            .at = at,
            .w = w,
            .out = out,
            .items = cvy_ceil_div(cvy_panels(g->in.c), CVY_GROUP) * taps};
        if (p.items == 0) continue;
        const int64_t elements = cvy_panels(g->in.c) * p.mirror.panel;
        p.tasks = cvy_clamp(elements / TASK_FLOATS, 1, p.items);
        cvy_parallel(compute->pool, p.tasks, task, &p);
        out += elements;
    }
}

static size_t elements(const struct cvy_conv *g, enum cvy_dtype type) {
    return (size_t)g->r * g->s * cvy_elements_of(type, g->out.c) * cvy_panels(g->in.c) * CVY_PANEL;
}

static size_t floats(const struct cvy_conv *g) {
    return elements(g, CVY_F32);
}
static void make_floats(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *out) {
    make(compute, CVY_F32, g, w, out);
}
const struct cvy_weights_copy cvy_mirrored = {"mirrored", floats, make_floats};

static size_t pairs(const struct cvy_conv *g) {
    return elements(g, CVY_BF16);
}
static void make_pairs(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *out) {
    make(compute, CVY_BF16, g, w, out);
}
const struct cvy_weights_copy cvy_mirrored_pairs = {"mirrored pairs", pairs, make_pairs};
