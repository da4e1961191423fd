/* The copies of the weights in bf16. A task is some panels' taps. */
#include "kernels/conv_bf16_parts.h"

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

static void pack_rows(const struct cvy_bf16_table *table, const float *from, int rows, cvy_pair *to) {
    cvy_bf16 pair[2][CVY_PANEL];
    for (int i = 0; i + 1 < rows; i += 2, from += 2 * CVY_PANEL, to += CVY_PANEL) {
        table->narrow(from, pair[0], 2 * CVY_PANEL);
        table->interleave(pair[0], pair[1], to, CVY_PANEL);
    }
    if (rows % 2 == 0) return;
    table->narrow(from, pair[0], CVY_PANEL);
    table->interleave(pair[0], NULL, to, CVY_PANEL);
}

static void pack_task(void *arg, int t, int thread) {
    (void)thread;
    const struct pack *p = arg;
    const int c = p->g->in.c, pairs = cvy_ceil_div(c, 2);
    for (int i = cvy_cut(p->items, p->tasks, t); i < cvy_cut(p->items, p->tasks, t + 1); i++)
        pack_rows(p->table, p->w + (ptrdiff_t)i * c * CVY_PANEL, c, p->out + (ptrdiff_t)i * pairs * CVY_PANEL);
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
    for (int l = 0; l < pairs; l++)
        for (int j = 0; j < CVY_PANEL; j++) to[l * CVY_PANEL + j] = j < rows ? block[j * CVY_PANEL / 2 + l] : 0;
}

/* An item is a tap of a panel of input channels: [⌈c/16⌉][taps y][taps x][⌈k/2⌉][16] from [⌈k/16⌉][r][s][c][16]. */
static void flip_item(const struct pack *p, int item) {
    const struct cvy_conv *g = p->g;
    const int tx = item % p->x.taps, ty = item / p->x.taps % p->y.taps, panel = item / p->x.taps / p->y.taps;
    const int r = p->y.last - ty * p->y.step, s = p->x.last - tx * p->x.step, c = g->in.c, k = g->out.c;
    cvy_pair *to = p->out + (ptrdiff_t)item * cvy_ceil_div(k, 2) * CVY_PANEL;
    for (int q = 0; q < cvy_panels(k); q++) {
        const float *from = p->w + ((((ptrdiff_t)q * g->r + r) * g->s + s) * c + panel * CVY_PANEL) * CVY_PANEL;
        const int pairs = cvy_least(CVY_PANEL / 2, cvy_ceil_div(k - q * CVY_PANEL, 2));
        flip_block(p->table, from, cvy_least(CVY_PANEL, c - panel * CVY_PANEL), pairs, to);
        to += (ptrdiff_t)pairs * CVY_PANEL;
    }
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
