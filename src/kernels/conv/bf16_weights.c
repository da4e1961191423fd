/* The gradient of weights and bias from x and dy in bf16: dw[r][s][c][k] = Σ x[…][c] · dy[…][k] over all pixels of all
 * samples. A pair are the same pixels of two samples, or, where their number is odd, of the two halves of one, so that
 * what is woven are whole rows, and a kernel finds its pixels beside one another at any stride.
 *
 * As in weights.c, a kernel row is a product of rows (s, c) and a depth of pairs of pixels:
 *
 *   A: in scratch, image rows of pairs, [row][pixel][channel]; of kernels of one row or column those that they read
 *   B: in scratch, dy as panels [panel][pixel][16]
 *
 * The sum is cut into units (bands of output rows, or several pairs of small images; of images of one row, as those of
 * 1×1 kernels are taken, stretches of pixels), of which A and B stay in a second-level cache, and these into chunks,
 * each with a sum of its own in the workspace where the outputs alone would give too few tasks; they are added in the
 * order of the chunks. A task has a part of the channels and of the panels. Cuts depend on the shape only. */
#include "core/ints.h"
#include "kernels/conv/bf16_weights.h"

enum { ONES = 0x3f803f80 /* a pair of ones */ };

struct weights {
    const struct cvy_compute *compute;
    struct cvy_woven_operands operands;
    struct cvy_weights_sums sums; /* of one chunk: the result itself */
    cvy_pair *scratch;
    struct cvy_woven_tiling tiling;
};

/* What all products of a unit have in common: B, the group of panels at `panel`, and C's place for it. */
static struct cvy_product dot_of(const struct cvy_woven_tiling *tiling, struct cvy_woven_unit *u, int panel, int panels,
                                 float *c, ptrdiff_t c_panel) {
    return (struct cvy_product){
        .columns = panels * CVY_PANEL,
        .outer = u->images,
        .inner = tiling->rows,
        .depth = tiling->columns,
        .a_row = 1,
        .b = u->b + (panel - u->part.panel) * u->b_panel,
        .b_panel = u->b_panel,
        .b_step = CVY_PANEL,
        .b_inner = u->b_row,
        .b_outer = u->b_image,
        .c = c + panel * c_panel,
        .c_row = CVY_PANEL,
        .c_panel = c_panel,
        .accumulate = !u->first,
    };
}

static void add_bias(const struct weights *d, struct cvy_woven_unit *u, int panel, int panels, float *dbias) {
    static const cvy_pair ones = ONES;
    struct cvy_product p = dot_of(&d->tiling, u, panel, panels, dbias, CVY_PANEL);
    p.rows = 1;
    p.a = &ones;
    d->compute->bf16->dot(&p);
}

/* Of a band's output rows, those whose row r of the kernel is inside the image, of either half: [*begin, *end). */
static void rows_inside(const struct cvy_woven_tiling *tiling, const struct cvy_woven_unit *u, int r, int *begin,
                        int *end) {
    const struct cvy_conv *g = &tiling->g;
    *begin = tiling->rows;
    *end = 0;
    for (int i = 0, first, last; i < 2; i++) {
        const struct cvy_woven_half half = cvy_woven_half_of(tiling, u->index, 0, i);
        cvy_rows_inside(half.oy * g->stride_h - g->pad_top + r * g->dilation_h, g->stride_h, half.rows, g->in.h, &first,
                        &last);
        if (first >= last) continue;
        *begin = cvy_min(*begin, first);
        *end = cvy_max(*end, last);
    }
}

static void add_kernel_row(const struct weights *d, struct cvy_woven_unit *u, int r, int panel, int panels, float *dw) {
    const struct cvy_woven_tiling *tiling = &d->tiling;
    const struct cvy_conv *g = &tiling->g;
    const int c = g->in.c, channels = u->part.channels;
    const int taps = g->dilation_w == 1 && channels == c ? 1 : g->s;
    struct cvy_product p = dot_of(tiling, u, panel, panels, dw, (ptrdiff_t)g->r * g->s * c * CVY_PANEL);
    int begin, end;
    rows_inside(tiling, u, r, &begin, &end);
    p.inner = cvy_max(end - begin, 0);
    p.rows = g->s * channels / taps;
    p.a_step = (ptrdiff_t)cvy_woven_step_w(g) * channels;
    p.a_inner = cvy_woven_step_h(g) * u->a_row;
    p.a_outer = u->a_image;
    p.b = (const cvy_pair *)p.b + begin * p.b_inner;
    if (p.a_inner == p.depth * p.a_step) { /* rows are one stretch */
        p.depth *= p.inner;
        p.inner = 1;
    }
    p.ahead = u->ahead;
    p.aheads = 4;
    float *to = (float *)p.c + ((ptrdiff_t)r * g->s * c + u->part.channel) * CVY_PANEL;
    const cvy_pair *a = u->a + (r * g->dilation_h + begin * cvy_woven_step_h(g)) * u->a_row;
    for (int t = 0; t < taps; t++) {
        p.a = a + (ptrdiff_t)t * g->dilation_w * channels;
        p.c = to + (ptrdiff_t)t * c * CVY_PANEL;
        d->compute->bf16->dot(&p);
    }
}

static void add_unit(const struct weights *d, struct cvy_woven_unit *u, float *dw, float *dbias) {
    const int end = u->part.panel + u->part.panels;
    for (int p = u->part.panel, count; p < end; p += count) {
        count = cvy_min(end - p, CVY_GROUP);
        if (dbias && u->part.channel == 0) add_bias(d, u, p, count, dbias);
        for (int r = 0; r < d->tiling.g.r; r++) add_kernel_row(d, u, r, p, count, dw);
    }
}

/* While a unit is multiplied, memory is asked for what the next one is going to weave: the task's own, at its end the
 * first of the next task, which is most often the same thread's. */
static void task(void *arg, int t, int thread) {
    const struct weights *d = arg;
    const struct cvy_woven_tiling *tiling = &d->tiling;
    const int parts = cvy_woven_parts(tiling), chunk = t / parts, next = cvy_min(t + 1, tiling->chunks * parts - 1);
    const struct cvy_weights_part part = cvy_woven_part_of(tiling, t % parts);
    const struct cvy_weights_part next_part = cvy_woven_part_of(tiling, next % parts);
    const int begin = cvy_tile_begin(tiling->units, tiling->chunks, chunk);
    const int end = cvy_tile_begin(tiling->units, tiling->chunks, chunk + 1);
    float *dw = d->sums.dw + chunk * d->sums.stride;
    float *dbias = d->sums.dbias ? d->sums.dbias + chunk * d->sums.stride : NULL;
    for (int i = begin; i < end; i++) {
        struct cvy_woven_unit u =
            cvy_woven_unit_make(&d->operands, i, &part, d->scratch + thread * tiling->scratch_pairs);
        u.first = i == begin;
        if (i + 1 < end)
            cvy_woven_ahead(&d->operands, i + 1, &part, u.ahead);
        else
            cvy_woven_ahead(&d->operands, cvy_tile_begin(tiling->units, tiling->chunks, next / parts), &next_part,
                            u.ahead);
        add_unit(d, &u, dw, dbias);
    }
}

static size_t tile(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct cvy_woven_tiling tiling = cvy_woven_tiling_make(c->g);
    CVY_TILING_KEEP(&tiling, out);
    return (tiling.chunks > 1 ? tiling.chunks * cvy_weights_sum_floats(&tiling.g) : 0) +
           (size_t)c->compute->threads * tiling.scratch_pairs;
}

static void run(const struct cvy_pass_call *call) {
    struct weights d = {.compute = call->compute, .sums = {call->to, call->dbias, 0}, .scratch = (cvy_pair *)call->ws};
    CVY_TILING_FIND(call, &d.tiling);
    const struct cvy_woven_tiling *tiling = &d.tiling;
    d.operands = (struct cvy_woven_operands){call->compute->bf16, tiling, call->from, call->with};
    if (tiling->chunks > 1) {
        d.sums = cvy_weights_sums_at(&tiling->g, call->ws, call->dbias != NULL);
        d.scratch = (cvy_pair *)(call->ws + tiling->chunks * d.sums.stride);
    }
    cvy_parallel(call->compute->pool, tiling->chunks * cvy_woven_parts(tiling), task, &d);
    if (tiling->chunks > 1)
        cvy_weights_reduce(call->compute, &tiling->g, &d.sums, tiling->chunks, call->to, call->dbias);
}

const struct cvy_algorithm cvy_gradient_bf16_direct = {
    .name = "pairs direct", .type = CVY_BF16, .applicable = cvy_always, .tile = tile, .run = run};
