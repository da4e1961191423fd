/* One input channel and fewer filters than a panel. Of the sum over channels nothing is left, and k lanes of 16 would
 * be used; but a row of y, [ow][k], fills vectors: lane i of it is filter i mod k of pixel ⌊i / k⌋, and what it needs
 * of x at a tap is that pixel's, looked up in a vector of x.
 *
 *   y, k = 3     a b c a b c a b c a b c …
 *   x, tap s     s s s s+1 s+1 s+1 s+2 …
 *   weights      a b c a b c a b c a b c …     the same again after lcm(k, 16) lanes: k / gcd(k, 16) panels
 *
 * An item of work is a band of rows of a sample, whose rows of x are copied with zeros around them. */
#include <string.h>

#include "kernels/conv/weights_parts.h"

enum { BAND_FLOATS = 1 << 12 /* of the rows of x of an item: half of a first-level cache */ };

static bool applicable(const struct cvy_conv_case *c) {
    const struct cvy_conv *g = c->g;
    return g->in.c == 1 && g->out.c < CVY_PANEL && g->r == g->s && (g->r == 3 || g->r == 5) && g->stride_h == 1 &&
           g->stride_w == 1 && g->dilation_h == 1 && g->dilation_w == 1;
}

struct tiling {
    struct cvy_conv lanes; /* g with as many filters as there are lanes that differ, in whole panels */
    int panels;
    int width;       /* of a copied row of x */
    int rows, bands; /* output rows of an item; items a sample */
    int items, tasks;
    int chunks;            /* tasks of backward-weights */
    size_t scratch_floats; /* a thread: copied rows */
};

static struct tiling make_tiling(const struct cvy_conv *g) {
    struct tiling tiling = {.lanes = *g, .panels = g->out.c / cvy_common_divisor(g->out.c, CVY_PANEL)};
    tiling.lanes.out.c = tiling.panels * CVY_PANEL;
    tiling.width = cvy_panels(g->out.w + g->s - 1 + CVY_PANEL) * CVY_PANEL; /* a panel more is read, not used */
    const int fitting = cvy_clamp(BAND_FLOATS / tiling.width - (g->r - 1), 1, g->out.h);
    tiling.bands = cvy_ceil_div(g->out.h, fitting);
    tiling.rows = cvy_ceil_div(g->out.h, tiling.bands);
    tiling.bands = cvy_ceil_div(g->out.h, tiling.rows);
    tiling.items = g->n * tiling.bands;
    tiling.tasks = cvy_clamp(cvy_conv_macs(g) / CVY_TASK_MACS, 1, cvy_min(CVY_TASKS_WANTED, tiling.items));
    tiling.chunks = cvy_weights_chunks(g, tiling.items, 4 * CVY_TASK_MACS);
    tiling.scratch_floats = (size_t)(tiling.rows + g->r - 1) * tiling.width;
    return tiling;
}

struct single {
    const struct cvy_single_loops *loops;
    const struct cvy_conv *g;
    struct tiling tiling;
    const float *x;
    const float *w; /* of the lanes */
    const struct cvy_epilogue *epilogue;
    float *y;
    struct cvy_weights_sums sums; /* of backward-weights: a chunk a task */
    float *scratch;
};

/* Rows [first, first + rows) of a sample; those that do not exist are zero, as is what is beside all of them already.
 */
static void copy_rows(const struct single *d, int sample, int first, int rows, float *out) {
    const struct cvy_conv *g = d->g;
    const float *image = d->x + (ptrdiff_t)sample * g->in.h * g->in.w;
    for (int iy = first; iy < first + rows; iy++, out += d->tiling.width) {
        if (iy >= 0 && iy < g->in.h)
            memcpy(out + g->pad_left, image + (ptrdiff_t)iy * g->in.w, (size_t)g->in.w * sizeof *out);
        else
            memset(out + g->pad_left, 0, (size_t)g->in.w * sizeof *out);
    }
}

/* Rows of y from float `at` on, whose rows of x are copied. */
static void run_columns(const struct single *d, const float *x, int rows, ptrdiff_t at, int chunk) {
    const struct cvy_conv *g = d->g;
    const int k = g->out.c, width = g->out.w * k;
    const ptrdiff_t panel_floats = (ptrdiff_t)g->r * g->s * CVY_PANEL, sum = chunk * d->sums.stride;
    for (int column = 0; column < cvy_panels(width); column++) {
        const int lane = column * CVY_PANEL, panel = column % d->tiling.panels;
        struct cvy_single_column c = {.rows = rows,
                                      .lanes = cvy_min(CVY_PANEL, width - lane),
                                      .size = g->r,
                                      .filters = k,
                                      .first = lane % k,
                                      .x = x + lane / k,
                                      .y = d->y + at + lane,
                                      .x_row = d->tiling.width,
                                      .y_row = width};
        if (d->sums.dw) {
            d->loops->weights(&c, d->sums.dw + sum + panel * panel_floats,
                              d->sums.dbias + sum + (ptrdiff_t)panel * CVY_PANEL);
            continue;
        }
        struct cvy_epilogue epilogue;
        if (d->epilogue) {
            epilogue = cvy_epilogue_at(d->epilogue, panel * CVY_PANEL, at + lane, CVY_F32);
            c.epilogue = &epilogue;
        }
        c.w = d->w + panel * panel_floats;
        d->loops->forward(&c);
    }
}

static void task(void *arg, int t, int thread) {
    const struct single *d = arg;
    const struct cvy_conv *g = d->g;
    const struct tiling *tiling = &d->tiling;
    const int tasks = d->sums.dw ? tiling->chunks : tiling->tasks;
    float *x = d->scratch + thread * tiling->scratch_floats;
    memset(x, 0, tiling->scratch_floats * sizeof *x);
    if (d->sums.dw) memset(d->sums.dw + t * d->sums.stride, 0, cvy_weights_sum_floats(&tiling->lanes) * sizeof *x);
    for (int i = cvy_tile_begin(tiling->items, tasks, t); i < cvy_tile_begin(tiling->items, tasks, t + 1); i++) {
        const int sample = i / tiling->bands, oy = i % tiling->bands * tiling->rows,
                  rows = cvy_min(tiling->rows, g->out.h - oy);
        copy_rows(d, sample, oy - g->pad_top, rows + g->r - 1, x);
        run_columns(d, x, rows, ((ptrdiff_t)sample * g->out.h + oy) * g->out.w * g->out.c, t);
    }
}

/* ---- forward ---- */

/* [rows][k of 16] to [panels][rows][16 lanes]; NULL stays. */
static const float *to_lanes(const struct tiling *tiling, int k, const float *from, int rows, float *out) {
    if (from == NULL) return NULL;
    for (int lane = 0, j = 0; lane < tiling->lanes.out.c; lane++, j = j + 1 < k ? j + 1 : 0)
        for (int row = 0; row < rows; row++)
            out[(lane / CVY_PANEL * rows + row) * CVY_PANEL + lane % CVY_PANEL] = from[row * CVY_PANEL + j];
    return out;
}

static size_t tile_forward(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct tiling tiling = make_tiling(c->g);
    CVY_TILING_KEEP(&tiling, out);
    return cvy_weights_floats(&tiling.lanes) + 3 * (size_t)tiling.lanes.out.c +
           c->compute->threads * tiling.scratch_floats;
}

static void forward(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    struct single d = {.loops = &c->compute->table->single, .g = g, .x = c->from, .y = c->to};
    CVY_TILING_FIND(c, &d.tiling);
    const int k = g->out.c;
    const ptrdiff_t lanes = d.tiling.lanes.out.c;
    float *vectors = c->ws + cvy_weights_floats(&d.tiling.lanes);
    d.w = to_lanes(&d.tiling, k, c->with, g->r * g->s, c->ws);
    d.scratch = vectors + 3 * lanes;
    struct cvy_epilogue epilogue;
    if (c->epilogue) {
        epilogue = *c->epilogue;
        epilogue.bias = to_lanes(&d.tiling, k, epilogue.bias, 1, vectors);
        epilogue.scale = to_lanes(&d.tiling, k, epilogue.scale, 1, vectors + lanes);
        epilogue.shift = to_lanes(&d.tiling, k, epilogue.shift, 1, vectors + 2 * lanes);
        d.epilogue = &epilogue;
    }
    cvy_parallel(c->compute->pool, d.tiling.tasks, task, &d);
}

/* ---- backward-weights ---- */

/* [panels][rows][16 lanes] added up to [rows][k of 16], the others zero. */
static void from_lanes(const struct tiling *tiling, int k, const float *from, int rows, float *out) {
    memset(out, 0, (size_t)rows * CVY_PANEL * sizeof *out);
    for (int lane = 0, j = 0; lane < tiling->lanes.out.c; lane++, j = j + 1 < k ? j + 1 : 0)
        for (int row = 0; row < rows; row++)
            out[row * CVY_PANEL + j] += from[(lane / CVY_PANEL * rows + row) * CVY_PANEL + lane % CVY_PANEL];
}

static size_t tile_gradient(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct tiling tiling = make_tiling(c->g);
    CVY_TILING_KEEP(&tiling, out);
    return tiling.chunks * cvy_weights_sum_floats(&tiling.lanes) + c->compute->threads * tiling.scratch_floats;
}

static void gradient(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    struct single d = {.loops = &c->compute->table->single, .g = g, .x = c->from};
    CVY_TILING_FIND(c, &d.tiling);
    d.y = (float *)(uintptr_t)c->with; /* which is only read */
    d.sums = cvy_weights_sums_at(&d.tiling.lanes, c->ws, true);
    d.scratch = c->ws + d.tiling.chunks * d.sums.stride;
    cvy_parallel(c->compute->pool, d.tiling.chunks, task, &d);
    cvy_weights_reduce(c->compute, &d.tiling.lanes, &d.sums, d.tiling.chunks, d.sums.dw, d.sums.dbias);
    from_lanes(&d.tiling, g->out.c, d.sums.dw, g->r * g->s, c->to);
    if (c->dbias) from_lanes(&d.tiling, g->out.c, d.sums.dbias, 1, c->dbias);
}

const struct cvy_algorithm cvy_forward_single = {
    .name = "single", .type = CVY_F32, .applicable = applicable, .tile = tile_forward, .run = forward};
const struct cvy_algorithm cvy_gradient_single = {
    .name = "single", .type = CVY_F32, .applicable = applicable, .tile = tile_gradient, .run = gradient};
