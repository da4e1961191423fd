/* The gradient of weights and bias: dw[r][s][c][k] = Σ x[…][c] · dy[…][k] over all pixels of all samples.
 *
 * Per kernel row it is a product of rows (s, c), contiguous in an image row, and a depth of output pixels:
 *
 *   A: image row, padded in scratch     row stride 1, step stride_w·c, a pair for each output row
 *   B: dy, packed to [panel][pixel][16] where its rows are far apart or end within a panel
 *
 * or either where it lies (tiling.copies, tiling.packs say).
 *
 * The sum is cut into units (a band of output rows of a sample; for 1×1 kernels a stretch of pixels) of which x and dy
 * fit the cache, and the units into chunks. Each chunk has a sum of its own in the workspace, where the outputs alone
 * would give too few tasks; these are added in the order of the chunks. Cuts depend on the shape only. The bias
 * gradient is the same product with ones for A. */
#include <string.h>

#include "kernels/conv/weights_parts.h"

static size_t floats_of(const struct cvy_weights_tiling *tiling, int threads) {
    return (tiling->chunks > 1 || tiling->wide ? tiling->chunks * cvy_weights_sum_floats(&tiling->g) : 0) +
           threads * tiling->scratch_floats;
}

struct weights {
    const struct cvy_compute *compute;
    const float *x, *dy;
    struct cvy_weights_sums sums; /* of one chunk: the result itself */
    float *scratch;
    struct cvy_weights_tiling tiling;
};

/* What all products of a unit have in common: B, the group of panels at `panel`, and C's place for it. */
static struct cvy_product product_of(const struct cvy_weights_tiling *tiling, struct cvy_weights_unit *u, int panel,
                                     int panels, float *c, ptrdiff_t c_panel) {
    return (struct cvy_product){
        .columns = tiling->wide ? tiling->g.out.c : panels * CVY_PANEL,
        .outer = u->samples,
        .inner = u->rows,
        .depth = u->columns,
        .a_row = 1,
        .b = u->dy + (panel - u->part.panel) * u->dy_panel,
        .b_panel = u->dy_panel,
        .b_step = u->dy_step,
        .b_inner = u->dy_row,
        .b_outer = u->dy_sample,
        .c = c + panel * c_panel,
        .c_row = CVY_PANEL,
        .c_panel = c_panel,
        .accumulate = !u->first,
        .ahead = u->ahead,
        .aheads = 2,
    };
}

static void add_bias(const struct weights *d, struct cvy_weights_unit *u, int panel, int panels, float *dbias) {
    static const float one = 1;
    struct cvy_product p = product_of(&d->tiling, u, panel, panels, dbias, CVY_PANEL);
    p.rows = 1;
    p.a = &one;
    p.aheads = 0;
    d->compute->table->product(&p);
}

static void add_kernel_row(const struct weights *d, struct cvy_weights_unit *u, int r, int panel, int panels,
                           float *dw) {
    const struct cvy_conv *g = &d->tiling.g;
    const int c = g->in.c, pixel = d->tiling.pixel;
    const bool whole_rows = g->dilation_w == 1 && !d->tiling.by_channels;
    const int taps = whole_rows ? 1 : g->s, rows = whole_rows ? g->s * c : u->part.channels;
    struct cvy_product p = product_of(&d->tiling, u, panel, panels, dw, (ptrdiff_t)g->r * g->s * c * CVY_PANEL);
    /* the output rows whose image row, top + i·stride_h, exists */
    const int top = u->oy * g->stride_h - g->pad_top + r * g->dilation_h;
    int begin, end;
    cvy_rows_inside(top, g->stride_h, u->rows, g->in.h, &begin, &end);
    p.inner = end - begin;
    p.rows = rows;
    p.a_step = (ptrdiff_t)cvy_weights_step_w(&d->tiling) * pixel;
    p.a_inner = cvy_weights_step_h(&d->tiling) * u->pitch;
    p.a_outer = u->x_sample;
    p.b = (const float *)p.b + begin * u->dy_row;
    float *to = (float *)p.c + ((ptrdiff_t)r * g->s * c + u->part.channel) * CVY_PANEL;
    const float *dy = p.b;
    for (int t = 0; t < taps; t++, to += c * CVY_PANEL) {
        int first = 0, last = u->columns; /* those whose pixel of x exists, copied or not */
        if (!d->tiling.copies)
            cvy_rows_inside(u->ox * g->stride_w - g->pad_left + t * g->dilation_w, g->stride_w, u->columns, g->in.w,
                            &first, &last);
        p.c = to;
        p.depth = last - first;
        p.b = dy + first * u->dy_step;
        if (begin < end)
            p.a = u->x + (top + begin * g->stride_h - u->row) / d->tiling.every_h * u->pitch +
                  (ptrdiff_t)t * g->dilation_w * pixel + first * p.a_step;
        d->compute->table->product(&p);
    }
}

/* What task t sums up: a part of dw over the units [first, last) of a chunk. */
struct place {
    struct cvy_weights_part part;
    int chunk, first, last;
};
static struct place place_of(const struct cvy_weights_tiling *tiling, int t) {
    const int parts = cvy_weights_parts(tiling), chunk = t / parts;
    return (struct place){cvy_weights_part_of(tiling, t % parts), chunk,
                          cvy_tile_begin(tiling->units, tiling->chunks, chunk),
                          cvy_tile_begin(tiling->units, tiling->chunks, chunk + 1)};
}

static void add_unit(const struct weights *d, struct cvy_weights_unit *u, int chunk) {
    const struct cvy_weights_part *part = &u->part;
    float *dw = d->sums.dw + chunk * d->sums.stride;
    float *dbias = d->sums.dbias ? d->sums.dbias + chunk * d->sums.stride : NULL;
    const int end = part->panel + part->panels;
    for (int p = part->panel, count; p < end; p += count) {
        count = cvy_ceil_div(end - p, cvy_ceil_div(end - p, CVY_GROUP));
        if (dbias && part->row == 0 && part->channel == 0) add_bias(d, u, p, count, dbias);
        for (int r = part->row; r < part->row + part->rows; r++) add_kernel_row(d, u, r, p, count, dw);
    }
}

/* While a unit is multiplied, memory is asked for what the next one is going to copy: the task's own, at its end the
 * first of the next task, which is most often the same thread's. */
static void task(void *arg, int t, int thread) {
    const struct weights *d = arg;
    const struct cvy_weights_tiling *tiling = &d->tiling;
    const struct place here = place_of(tiling, t);
    const struct place next = place_of(tiling, cvy_min(t + 1, tiling->chunks * cvy_weights_parts(tiling) - 1));
    for (int i = here.first; i < here.last; i++) {
        struct cvy_weights_unit u =
            cvy_weights_unit_make(tiling, d->x, d->dy, i, &here.part, d->scratch + thread * tiling->scratch_floats);
        u.first = i == here.first;
        if (i + 1 < here.last)
            cvy_weights_ahead(tiling, d->x, d->dy, i + 1, &here.part, u.ahead);
        else
            cvy_weights_ahead(tiling, d->x, d->dy, next.first, &next.part, u.ahead);
        add_unit(d, &u, here.chunk);
    }
}

/* ---- the rows: one algorithm, which adapts to the shape ---- */

static size_t tile(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct cvy_weights_tiling tiling = cvy_weights_tiling_make(c->g, c->compute->table->large_blocks);
    CVY_TILING_KEEP(&tiling, out);
    return floats_of(&tiling, c->compute->threads);
}

static void run(const struct cvy_pass_call *call) {
    const struct cvy_compute *compute = call->compute;
    struct weights d = {compute, call->from, call->with, {call->to, call->dbias, 0}, .scratch = call->ws};
    CVY_TILING_FIND(call, &d.tiling);
    const struct cvy_weights_tiling *tiling = &d.tiling;
    const bool apart = tiling->chunks > 1 || tiling->wide;
    if (apart) {
        d.sums = cvy_weights_sums_at(&tiling->g, call->ws, call->dbias != NULL);
        d.scratch = call->ws + tiling->chunks * d.sums.stride;
    }
    cvy_parallel(compute->pool, tiling->chunks * cvy_weights_parts(tiling), task, &d);
    if (tiling->wide) {
        cvy_weights_reduce(compute, &tiling->g, &d.sums, tiling->chunks, d.sums.dw, d.sums.dbias);
        cvy_wide_fold(call->g, &tiling->g, d.sums.dw, d.sums.dbias, call->to, call->dbias);
    } else if (apart)
        cvy_weights_reduce(compute, &tiling->g, &d.sums, tiling->chunks, call->to, call->dbias);
}

static bool is_widened(const struct cvy_conv_case *c) {
    return cvy_widen(c->g).s != c->g->s;
}
static bool is_pointwise(const struct cvy_conv_case *c) {
    return cvy_conv_is_pointwise(c->g);
}
static bool is_packed(const struct cvy_conv_case *c) {
    return cvy_weights_packs(c->g);
}

const struct cvy_algorithm cvy_gradient_widened = {
    .name = "widened", .type = CVY_F32, .applicable = is_widened, .tile = tile, .run = run};
const struct cvy_algorithm cvy_gradient_pointwise = {
    .name = "pointwise", .type = CVY_F32, .applicable = is_pointwise, .tile = tile, .run = run};
const struct cvy_algorithm cvy_gradient_packed = {
    .name = "packed", .type = CVY_F32, .applicable = is_packed, .tile = tile, .run = run};
const struct cvy_algorithm cvy_gradient_rows = {
    .name = "rows", .type = CVY_F32, .applicable = cvy_always, .tile = tile, .run = run};
