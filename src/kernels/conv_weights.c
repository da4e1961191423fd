/* The gradient of weights and bias: dw[r][s][c][k] = Σ x[…][c] · dy[…][k] over all pixels of all samples.
 *
 * Per kernel row it is a product of rows (s, c), contiguous in an image row, and a depth of output pixels:
 *
 *   A: image row, padded in scratch     row stride 1, step stride_w·c, a pair for each output row
 *   B: dy, packed to [panel][pixel][16] where its rows are far apart or end within a panel
 *
 * The sum is cut into units (a band of output rows of a sample; for 1×1 kernels a stretch of pixels) of which x and dy
 * fit the cache, and the units into chunks. Each chunk has a sum of its own in the workspace, where the outputs alone
 * would give too few tasks; these are added in the order of the chunks. Cuts depend on the shape only. The bias
 * gradient is the same product with ones for A. */
#include <string.h>

#include "kernels/conv_weights_parts.h"

enum { JOIN_FLOATS = 1 << 12 /* a task of the joining */ };

size_t cvy_weights_workspace(const struct cvy_conv *g, int threads) {
    struct cvy_weights_cut cut = cvy_weights_cut_make(g);
    return (cut.chunks > 1 || cut.wide ? cut.chunks * cut.sum_floats : 0) + threads * cut.scratch_floats;
}

struct weights {
    const struct cvy_compute *compute;
    const float *x, *dy;
    float *dw, *dbias;      /* of the first chunk; dbias may be NULL */
    ptrdiff_t chunk_stride; /* to the next chunk's */
    float *scratch;
    struct cvy_weights_cut cut;
};

/* What all products of a unit have in common: B, the group of panels at `panel`, and C's place for it. */
static struct cvy_product product_of(const struct cvy_weights_cut *cut, struct cvy_weights_unit *u, int panel,
                                     int panels, float *c, ptrdiff_t c_panel) {
    return (struct cvy_product){
        .columns = cut->wide ? cut->g.out.c : panels * CVY_PANEL,
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
    };
}

static void add_bias(const struct weights *d, struct cvy_weights_unit *u, int panel, int panels, float *dbias) {
    static const float one = 1;
    struct cvy_product p = product_of(&d->cut, u, panel, panels, dbias, CVY_PANEL);
    p.rows = 1;
    p.a = &one;
    p.ahead = NULL;
    d->compute->table->product(&p);
}

static int floor_div(int a, int b) {
    return a >= 0 ? a / b : -cvy_ceil_div(-a, b);
}

static void add_kernel_row(const struct weights *d, struct cvy_weights_unit *u, int r, int panel, int panels,
                           float *dw) {
    const struct cvy_conv *g = &d->cut.g;
    const int c = g->in.c, pixel = d->cut.pixel;
    const bool whole_rows = g->dilation_w == 1 && !d->cut.apart;
    const int taps = whole_rows ? 1 : g->s, rows = whole_rows ? g->s * c : u->part.channels;
    struct cvy_product p = product_of(&d->cut, u, panel, panels, dw, (ptrdiff_t)g->r * g->s * c * CVY_PANEL);
    /* the output rows whose image row, top + i·stride_h, exists */
    const int top = u->oy * g->stride_h - g->pad_top + r * g->dilation_h;
    const int begin = top < 0 ? cvy_least(u->rows, cvy_ceil_div(-top, g->stride_h)) : 0;
    const int end = cvy_most(begin, cvy_least(u->rows, floor_div(g->in.h - 1 - top, g->stride_h) + 1));
    p.inner = end - begin;
    p.rows = rows;
    p.a_step = (ptrdiff_t)cvy_weights_step_w(&d->cut) * pixel;
    p.a_inner = cvy_weights_step_h(&d->cut) * u->pitch;
    p.a_outer = u->x_sample;
    p.b = (const float *)p.b + begin * u->dy_row;
    float *to = (float *)p.c + ((ptrdiff_t)r * g->s * c + u->part.channel) * CVY_PANEL;
    for (int t = 0; t < taps; t++, to += c * CVY_PANEL) {
        p.c = to;
        if (begin < end)
            p.a = u->x + (top + begin * g->stride_h - u->row) / d->cut.every_h * u->pitch +
                  (ptrdiff_t)t * g->dilation_w * pixel;
        d->compute->table->product(&p);
    }
}

/* What task t sums up: a part of dw over the units [first, last) of a chunk. */
struct place {
    struct cvy_weights_part part;
    int chunk, first, last;
};
static struct place place_of(const struct cvy_weights_cut *cut, int t) {
    const int parts = cvy_weights_parts(cut), chunk = t / parts;
    return (struct place){cvy_weights_part_of(cut, t % parts), chunk, cvy_cut(cut->units, cut->chunks, chunk),
                          cvy_cut(cut->units, cut->chunks, chunk + 1)};
}

static void add_unit(const struct weights *d, struct cvy_weights_unit *u, int chunk) {
    const struct cvy_weights_part *part = &u->part;
    float *dw = d->dw + chunk * d->chunk_stride, *dbias = d->dbias ? d->dbias + chunk * d->chunk_stride : NULL;
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
    const struct cvy_weights_cut *cut = &d->cut;
    const struct place here = place_of(cut, t);
    const struct place next = place_of(cut, cvy_least(t + 1, cut->chunks * cvy_weights_parts(cut) - 1));
    for (int i = here.first; i < here.last; i++) {
        struct cvy_weights_unit u =
            cvy_weights_unit_make(cut, d->x, d->dy, i, &here.part, d->scratch + thread * cut->scratch_floats);
        u.first = i == here.first;
        if (i + 1 < here.last)
            cvy_weights_ahead(cut, d->x, d->dy, i + 1, &here.part, u.ahead);
        else
            cvy_weights_ahead(cut, d->x, d->dy, next.first, &next.part, u.ahead);
        add_unit(d, &u, here.chunk);
    }
}

struct join {
    const struct weights *d;
    float *dw, *dbias; /* may be the first chunk's own */
    size_t weights;
};

static void join_range(const struct weights *d, const float *sums, size_t floats, float *out) {
    if (out != sums) memcpy(out, sums, floats * sizeof *out);
    for (int i = 1; i < d->cut.chunks; i++) d->compute->table->add(out, sums + i * d->chunk_stride, (int64_t)floats);
}

static void join_task(void *arg, int t, int thread) {
    (void)thread;
    const struct join *j = arg;
    const size_t begin = (size_t)t * JOIN_FLOATS, left = j->weights - begin;
    join_range(j->d, j->d->dw + begin, left < JOIN_FLOATS ? left : JOIN_FLOATS, j->dw + begin);
    if (t == 0 && j->dbias) join_range(j->d, j->d->dbias, (size_t)cvy_panels(j->d->cut.g.out.c) * CVY_PANEL, j->dbias);
}

static void join_chunks(const struct weights *d, float *dw, float *dbias) {
    struct join join = {d, dw, dbias, cvy_weights_floats(&d->cut.g)};
    cvy_parallel(d->compute->pool, (int)((join.weights + JOIN_FLOATS - 1) / JOIN_FLOATS), join_task, &join);
}

void cvy_weights_pass(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x, const float *dy,
                      float *dw, float *dbias, float *ws) {
    struct weights d = {compute, x, dy, dw, dbias, 0, ws, cvy_weights_cut_make(g)};
    const struct cvy_weights_cut *cut = &d.cut;
    const bool apart = cut->chunks > 1 || cut->wide;
    if (apart) {
        d.chunk_stride = (ptrdiff_t)cut->sum_floats;
        d.dw = ws;
        d.dbias = dbias ? d.dw + cvy_weights_floats(&cut->g) : NULL;
        d.scratch = d.dw + cut->chunks * cut->sum_floats;
    }
    cvy_parallel(compute->pool, cut->chunks * cvy_weights_parts(cut), task, &d);
    if (cut->wide) {
        join_chunks(&d, d.dw, d.dbias);
        cvy_wide_fold(g, &cut->g, d.dw, d.dbias, dw, dbias);
    } else if (apart)
        join_chunks(&d, dw, dbias);
}
