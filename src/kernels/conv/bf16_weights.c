/* The gradient of weights and bias from x and dy in bf16: dw[r][s][c][k] = Σ x[…][c] · dy[…][k] over all pixels of all
 * samples, whose pairs are neighbouring output pixels of a row (a last one alone has zero beside it).
 *
 * As in weights.c, a kernel row is a product of rows (s, c) and a depth of pairs of pixels:
 *
 *   A: in scratch, for each image row: pixel i beside pixel i + stride_w, channel by channel, so that rows (s, c) are
 *      contiguous for every s; a step is two output pixels on (kernels of one column have no pixels between these)
 *   B: in scratch, dy's pairs of pixels as panels [panel][pair][16]
 *
 * The sum is cut into units (a band of output rows of a sample; for 1×1 kernels a stretch of pixels) and these into
 * chunks, each with a sum of its own in the workspace where the outputs alone would give too few tasks; they are added
 * in the order of the chunks. Cuts depend on the shape only. */
#include <string.h>

#include "core/ints.h"
#include "kernels/conv/weights_parts.h"

enum {
    POINTWISE_PIXELS = 256, /* of a unit, 1×1 kernels */
    UNIT_PAIRS = 1 << 17,   /* of A and of B in a unit: 512 KiB, half of a second-level cache */
    CHUNK_PIXELS = 800,     /* output pixels of a chunk at least */
    ONES = 0x3f803f80       /* a pair of ones */
};

struct tiling {
    struct cvy_conv g;             /* 1×1 kernels: one sample of one row */
    int rows, columns;             /* output rows and columns of a unit */
    int bands, units;              /* units a sample; in all */
    int chunks;                    /* of the units */
    int panel_splits, row_splits;  /* tasks of a chunk: parts of the panels × parts of the kernel rows */
    int width;                     /* pixels of an image row in scratch */
    size_t a_pairs, scratch_pairs; /* a thread: image rows; with dy */
};

/* Image rows and pixels from one in scratch to the next: a kernel of one row or column has only those that it reads. */
static int every_h(const struct cvy_conv *g) {
    return g->r == 1 ? g->stride_h : 1;
}
static int every_w(const struct cvy_conv *g) {
    return g->s == 1 ? 2 * g->stride_w : 1;
}
/* In scratch, from an output row, or pair of pixels, to the next. */
static int step_h(const struct cvy_conv *g) {
    return g->stride_h / every_h(g);
}
static int step_w(const struct cvy_conv *g) {
    return 2 * g->stride_w / every_w(g);
}

static int input_rows(const struct cvy_conv *g, int rows) {
    return (rows - 1) * step_h(g) + (g->r - 1) * g->dilation_h + 1;
}

static int scratch_width(const struct cvy_conv *g, int columns) {
    return (cvy_pairs_of(columns) - 1) * step_w(g) + (g->s - 1) * g->dilation_w + 1;
}

static void tile_units(struct tiling *tiling) {
    struct cvy_conv *g = &tiling->g;
    if (cvy_conv_is_pointwise(g)) {
        const int pixels = g->n * g->in.h * g->in.w;
        g->n = g->in.h = g->out.h = tiling->rows = 1;
        g->in.w = g->out.w = pixels;
        tiling->columns = cvy_min(pixels, POINTWISE_PIXELS);
        tiling->bands = tiling->units = cvy_ceil_div(pixels, POINTWISE_PIXELS);
        return;
    }
    const int64_t a_pairs = (int64_t)scratch_width(g, g->out.w) * g->in.c * step_h(g);
    const int64_t b_pairs = (int64_t)cvy_pairs_of(g->out.w) * g->out.c;
    const int rows = cvy_clamp(UNIT_PAIRS / (a_pairs > b_pairs ? a_pairs : b_pairs), 1, g->out.h);
    tiling->columns = g->out.w;
    tiling->bands = cvy_ceil_div(g->out.h, rows);
    tiling->rows = cvy_ceil_div(g->out.h, tiling->bands);
    tiling->bands = cvy_ceil_div(g->out.h, tiling->rows);
    tiling->units = g->n * tiling->bands;
}

static void tile_tasks(struct tiling *tiling) {
    const struct cvy_weights_split split = cvy_weights_split_of(&tiling->g, tiling->units, CHUNK_PIXELS);
    tiling->chunks = split.chunks;
    tiling->panel_splits = split.panels;
    tiling->row_splits = cvy_min(cvy_ceil_div(split.parts, split.panels), tiling->g.r);
}

static struct tiling make_tiling(const struct cvy_conv *g) {
    struct tiling tiling = {.g = *g};
    tile_units(&tiling);
    tile_tasks(&tiling);
    tiling.width = scratch_width(&tiling.g, tiling.columns);
    const int panels = cvy_ceil_div(cvy_panels(g->out.c), tiling.panel_splits);
    const size_t a_pairs = (size_t)input_rows(&tiling.g, tiling.rows) * tiling.width * g->in.c;
    tiling.a_pairs = cvy_round_up(a_pairs, CVY_PANEL);
    tiling.scratch_pairs = tiling.a_pairs + (size_t)tiling.rows * cvy_pairs_of(tiling.columns) * panels * CVY_PANEL;
    return tiling;
}

struct weights {
    const struct cvy_compute *compute;
    const cvy_bf16 *x, *dy;
    struct cvy_weights_sums sums; /* of one chunk: the result itself */
    cvy_pair *scratch;
    struct tiling tiling;
};

/* ---- packing ---- */

/* An image row: out[i] = (pixel left + i·every_w, the pixel stride_w further), zero where there is none. */
static void pair_pixels(const struct cvy_bf16_table *table, const struct cvy_conv *g, const cvy_bf16 *from, int left,
                        int width, cvy_pair *out) {
    const int w = g->in.w, c = g->in.c, step = g->stride_w, every = every_w(g);
    for (int i = 0, count; i < width; i += count, out += (ptrdiff_t)count * c) {
        const int first = left + i * every, second = first + step;
        const bool has_first = first >= 0 && first < w, has_second = second >= 0 && second < w;
        count = every == 1 && has_first && has_second ? cvy_min(width - i, w - second) : 1;
        table->interleave(has_first ? from + (ptrdiff_t)first * c : NULL,
                          has_second ? from + (ptrdiff_t)second * c : NULL, out, (int64_t)count * c);
    }
}

/* One output row's `pixels` pixels of k channels as pairs, [pair][16] of one panel. */
static void pack_panel(const struct cvy_bf16_table *table, const cvy_bf16 *dy, int pixels, int k, int panel,
                       cvy_pair *out) {
    const int lanes = cvy_min(CVY_PANEL, k - panel * CVY_PANEL);
    const cvy_bf16 *from = dy + panel * CVY_PANEL;
    for (int i = 0; i < pixels; i += 2, out += CVY_PANEL, from += 2 * (ptrdiff_t)k) {
        table->interleave(from, i + 1 < pixels ? from + k : NULL, out, lanes);
        for (int j = lanes; j < CVY_PANEL; j++) out[j] = 0;
    }
}

/* ---- units ---- */

/* A unit as a task sees it. */
struct unit {
    int sample, oy, rows, ox, columns;
    int row;           /* image row of the first in scratch */
    const cvy_pair *a; /* [image rows][width][c] */
    const cvy_pair *b; /* [panels][rows][pairs][16] */
    int panel, panels;
    bool first; /* of its chunk */
};

static struct unit place_unit(const struct tiling *tiling, int index) {
    const struct cvy_conv *g = &tiling->g;
    const int band = index % tiling->bands;
    struct unit u = {.sample = index / tiling->bands, .rows = 1};
    if (tiling->columns < g->out.w || g->out.h == 1) {
        u.ox = band * tiling->columns;
        u.columns = cvy_min(tiling->columns, g->out.w - u.ox);
    } else {
        u.oy = band * tiling->rows;
        u.rows = cvy_min(tiling->rows, g->out.h - u.oy);
        u.columns = tiling->columns;
    }
    u.row = u.oy * g->stride_h - g->pad_top;
    return u;
}

static struct unit make_unit(const struct weights *d, int index, int panel, int panels, cvy_pair *scratch) {
    const struct cvy_bf16_table *table = d->compute->bf16;
    const struct tiling *tiling = &d->tiling;
    const struct cvy_conv *g = &tiling->g;
    const int k = g->out.c, c = g->in.c;
    struct unit u = place_unit(tiling, index);
    u.panel = panel;
    u.panels = panels;
    u.a = scratch;
    u.b = scratch + tiling->a_pairs;
    const cvy_bf16 *image = d->x + u.sample * (ptrdiff_t)cvy_shape_count(g->in);
    for (int i = 0; i < input_rows(g, u.rows); i++)
        if (u.row + i * every_h(g) >= 0 && u.row + i * every_h(g) < g->in.h)
            pair_pixels(table, g, image + (ptrdiff_t)(u.row + i * every_h(g)) * g->in.w * c,
                        u.ox * g->stride_w - g->pad_left, scratch_width(g, u.columns),
                        scratch + (ptrdiff_t)i * tiling->width * c);
    const cvy_bf16 *dy = d->dy + (((ptrdiff_t)u.sample * g->out.h + u.oy) * g->out.w + u.ox) * k;
    cvy_pair *out = scratch + tiling->a_pairs;
    for (int p = panel; p < panel + panels; p++)
        for (int i = 0; i < u.rows; i++, out += (ptrdiff_t)cvy_pairs_of(u.columns) * CVY_PANEL)
            pack_panel(table, dy + (ptrdiff_t)i * g->out.w * k, u.columns, k, p, out);
    return u;
}

/* What all products of a unit have in common: B, the group of panels at `panel`, and C's place for it. */
static struct cvy_product dot_of(const struct unit *u, int panel, int panels, float *c, ptrdiff_t c_panel) {
    const ptrdiff_t row = (ptrdiff_t)cvy_pairs_of(u->columns) * CVY_PANEL;
    return (struct cvy_product){
        .columns = panels * CVY_PANEL,
        .outer = 1,
        .inner = u->rows,
        .depth = cvy_pairs_of(u->columns),
        .a_row = 1,
        .b = u->b + (panel - u->panel) * u->rows * row,
        .b_panel = u->rows * row,
        .b_step = CVY_PANEL,
        .b_inner = row,
        .c = c + panel * c_panel,
        .c_row = CVY_PANEL,
        .c_panel = c_panel,
        .accumulate = !u->first,
    };
}

static void add_bias(const struct weights *d, const struct unit *u, int panel, int panels, float *dbias) {
    static const cvy_pair ones = ONES;
    struct cvy_product p = dot_of(u, panel, panels, dbias, CVY_PANEL);
    p.rows = 1;
    p.a = &ones;
    d->compute->bf16->dot(&p);
}

static void add_kernel_row(const struct weights *d, const struct unit *u, int r, int panel, int panels, float *dw) {
    const struct tiling *tiling = &d->tiling;
    const struct cvy_conv *g = &tiling->g;
    const int c = g->in.c, taps = g->dilation_w == 1 ? 1 : g->s;
    const ptrdiff_t pitch = (ptrdiff_t)tiling->width * c;
    struct cvy_product p = dot_of(u, panel, panels, dw, (ptrdiff_t)g->r * g->s * c * CVY_PANEL);
    /* the output rows whose image row, top + i·stride_h, exists */
    const int top = u->row + r * g->dilation_h;
    int begin, end;
    cvy_rows_inside(top, g->stride_h, u->rows, g->in.h, &begin, &end);
    p.inner = end - begin;
    p.rows = g->s * c / taps;
    p.a_step = (ptrdiff_t)step_w(g) * c;
    p.a_inner = step_h(g) * pitch;
    p.b = (const cvy_pair *)p.b + begin * p.b_inner;
    for (int t = 0; t < taps; t++) {
        p.a = u->a + (r * g->dilation_h + begin * step_h(g)) * pitch + (ptrdiff_t)t * g->dilation_w * c;
        p.c = dw + panel * p.c_panel + ((ptrdiff_t)r * g->s + t) * c * CVY_PANEL;
        d->compute->bf16->dot(&p);
    }
}

static void task(void *arg, int t, int thread) {
    const struct weights *d = arg;
    const struct tiling *tiling = &d->tiling;
    const int rs = t % tiling->row_splits, ps = t / tiling->row_splits % tiling->panel_splits;
    const int chunk = t / tiling->row_splits / tiling->panel_splits, all = cvy_panels(tiling->g.out.c);
    const int panel = cvy_tile_begin(all, tiling->panel_splits, ps),
              end = cvy_tile_begin(all, tiling->panel_splits, ps + 1);
    const int first = cvy_tile_begin(tiling->units, tiling->chunks, chunk),
              last = cvy_tile_begin(tiling->units, tiling->chunks, chunk + 1);
    float *dw = d->sums.dw + chunk * d->sums.stride;
    float *dbias = d->sums.dbias ? d->sums.dbias + chunk * d->sums.stride : NULL;
    for (int i = first; i < last; i++) {
        struct unit u = make_unit(d, i, panel, end - panel, d->scratch + thread * tiling->scratch_pairs);
        u.first = i == first;
        for (int p = panel, count; p < end; p += count) {
            count = cvy_ceil_div(end - p, cvy_ceil_div(end - p, CVY_GROUP));
            if (dbias && rs == 0) add_bias(d, &u, p, count, dbias);
            for (int r = cvy_tile_begin(tiling->g.r, tiling->row_splits, rs);
                 r < cvy_tile_begin(tiling->g.r, tiling->row_splits, rs + 1); r++)
                add_kernel_row(d, &u, r, p, count, dw);
        }
    }
}

static size_t tile(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct tiling tiling = make_tiling(c->g);
    CVY_TILING_KEEP(&tiling, out);
    return (tiling.chunks > 1 ? tiling.chunks * cvy_weights_sum_floats(&tiling.g) : 0) +
           (size_t)c->compute->threads * tiling.scratch_pairs;
}

static void run(const struct cvy_pass_call *call) {
    struct weights d = {
        call->compute, call->from, call->with, {call->to, call->dbias, 0}, .scratch = (cvy_pair *)call->ws};
    CVY_TILING_FIND(call, &d.tiling);
    const struct tiling *tiling = &d.tiling;
    if (tiling->chunks > 1) {
        d.sums = cvy_weights_sums_at(&tiling->g, call->ws, call->dbias != NULL);
        d.scratch = (cvy_pair *)(call->ws + tiling->chunks * d.sums.stride);
    }
    cvy_parallel(call->compute->pool, tiling->chunks * tiling->panel_splits * tiling->row_splits, task, &d);
    if (tiling->chunks > 1)
        cvy_weights_reduce(call->compute, &tiling->g, &d.sums, tiling->chunks, call->to, call->dbias);
}

const struct cvy_algorithm cvy_gradient_bf16_direct = {
    .name = "pairs direct", .type = CVY_BF16, .applicable = cvy_always, .tile = tile, .run = run};
