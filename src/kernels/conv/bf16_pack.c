/* The copies of the weights in bf16. A task is some panels' taps. */
#include "kernels/conv/bf16_parts.h"

enum { TASK_PAIRS = 1 << 13 };

size_t cvy_bf16_forward_pairs(const struct cvy_conv *g) {
    return (size_t)g->r * g->s * cvy_ceil_div(g->in.c, 2) * cvy_panels(g->out.c) * CVY_PANEL;
}

size_t cvy_bf16_backward_pairs(const struct cvy_conv *g) {
    return (size_t)g->r * g->s * cvy_ceil_div(g->out.c, 2) * cvy_panels(g->in.c) * CVY_PANEL;
}

struct pack {
    const struct cvy_bf16_table *table;
    const struct cvy_conv *g;
    struct cvy_phase y, x; /* of a flip */
    const float *w;
    cvy_pair *out;
    int items, tasks;
};

static void run(const struct cvy_compute *compute, struct pack *p, int64_t pairs, cvy_task_fn *task) {
    if (p->items == 0) return;
    p->table = compute->bf16;
    p->tasks = cvy_clamp(pairs / TASK_PAIRS, 1, p->items);
    cvy_parallel(compute->pool, p->tasks, task, p);
}

/* ---- forward: neighbouring rows of a panel's tap become pairs ---- */

void cvy_bf16_pack_panels(const struct cvy_compute *compute, const float *w, int c, int panel, int panels,
                          cvy_pair *out) {
    for (int i = 0; i < panels; i++)
        compute->bf16->pack(w + (ptrdiff_t)(panel + i) * c * CVY_PANEL, c,
                            out + (ptrdiff_t)i * cvy_ceil_div(c, 2) * CVY_PANEL);
}

static void pack_task(void *arg, int t, int thread) {
    (void)thread;
    const struct pack *p = arg;
    const int c = p->g->in.c, pairs = cvy_ceil_div(c, 2);
    for (int i = cvy_cut(p->items, p->tasks, t); i < cvy_cut(p->items, p->tasks, t + 1); i++)
        p->table->pack(p->w + (ptrdiff_t)i * c * CVY_PANEL, c, p->out + (ptrdiff_t)i * pairs * CVY_PANEL);
}

void cvy_bf16_pack(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, cvy_pair *out) {
    struct pack p = {.g = g, .w = w, .out = out, .items = cvy_panels(g->out.c) * g->r * g->s};
    run(compute, &p, (int64_t)cvy_bf16_forward_pairs(g), pack_task);
}

/* ---- backward: rows of 16 output channels become columns of 8 pairs ---- */

/* `rows` input channels of one panel of outputs, of whose columns `pairs` pairs are wanted. */
static void flip_block(const struct cvy_bf16_table *table, const float *from, int rows, int pairs, cvy_pair *to) {
    cvy_pair block[CVY_PANEL * CVY_PANEL / 2];
    table->narrow(from, (cvy_bf16 *)block, (int64_t)rows * CVY_PANEL);
    for (int j = rows * CVY_PANEL / 2; j < CVY_PANEL * CVY_PANEL / 2; j++) block[j] = 0;
    for (int l = 0; l < pairs; l++)
        for (int j = 0; j < CVY_PANEL; j++) to[l * CVY_PANEL + j] = block[j * CVY_PANEL / 2 + l];
}

/* A tap of some panels of input channels, from panels of output channels that are `next` floats apart. */
static void flip_tap(const struct cvy_bf16_table *table, const float *from, ptrdiff_t next, int c, int k, int panels,
                     cvy_pair *to) {
    const ptrdiff_t stored = (ptrdiff_t)cvy_ceil_div(k, 2) * CVY_PANEL;
    for (int left = k; left > 0; left -= CVY_PANEL, from += next, to += CVY_PANEL * CVY_PANEL / 2)
        for (int i = 0; i < panels; i++) {
            const int rows = cvy_min(CVY_PANEL, c - i * CVY_PANEL);
            const float *block = from + (ptrdiff_t)i * CVY_PANEL * CVY_PANEL;
            for (int j = 0; j < rows && left > CVY_PANEL; j++) __builtin_prefetch(block + next + j * CVY_PANEL);
            flip_block(table, block, rows, cvy_min(CVY_PANEL / 2, cvy_ceil_div(left, 2)), to + i * stored);
        }
}

void cvy_bf16_flip_panels(const struct cvy_compute *compute, const float *w, int c, int k, int panel, int panels,
                          cvy_pair *out) {
    flip_tap(compute->bf16, w + (ptrdiff_t)panel * CVY_PANEL * CVY_PANEL, (ptrdiff_t)c * CVY_PANEL,
             c - panel * CVY_PANEL, k, panels, out);
}

/* An item is a tap of a panel of input channels: [⌈c/16⌉][taps y][taps x][⌈k/2⌉][16] from [⌈k/16⌉][r][s][c][16]. */
static void flip_item(const struct pack *p, int item) {
    const struct cvy_conv *g = p->g;
    const int tx = item % p->x.taps, ty = item / p->x.taps % p->y.taps, panel = item / p->x.taps / p->y.taps;
    const int r = p->y.last - ty * p->y.step, s = p->x.last - tx * p->x.step, c = g->in.c, k = g->out.c;
    cvy_pair *to = p->out + (ptrdiff_t)item * cvy_ceil_div(k, 2) * CVY_PANEL;
    const float *from = p->w + (((ptrdiff_t)r * g->s + s) * c + panel * CVY_PANEL) * CVY_PANEL;
    flip_tap(p->table, from, (ptrdiff_t)g->r * g->s * c * CVY_PANEL, c - panel * CVY_PANEL, k, 1, to);
}

static void flip_task(void *arg, int t, int thread) {
    (void)thread;
    const struct pack *p = arg;
    for (int i = cvy_cut(p->items, p->tasks, t); i < cvy_cut(p->items, p->tasks, t + 1); i++) flip_item(p, i);
}

void cvy_bf16_flip(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, cvy_pair *out) {
    for (int y = 0; y < g->stride_h; y++)
        for (int x = 0; x < g->stride_w; x++) {
            struct pack p = {.g = g, .w = w, .out = out};
            p.y = cvy_phase_make(y, g->r, g->stride_h, g->pad_top, g->dilation_h, g->in.h);
            p.x = cvy_phase_make(x, g->s, g->stride_w, g->pad_left, g->dilation_w, g->in.w);
            p.items = cvy_panels(g->in.c) * p.y.taps * p.x.taps;
            const int64_t pairs = (int64_t)p.items * cvy_ceil_div(g->out.c, 2) * CVY_PANEL;
            run(compute, &p, pairs, flip_task);
            out += pairs;
        }
}
