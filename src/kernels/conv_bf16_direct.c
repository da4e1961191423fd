/* Correlation of bf16 images with no im2col, as conv_direct.c, whose picture holds here with a pair for a number: a
 * window's row is contiguous, so are its pairs of channels. Sums are not cut: y is rounded once. */
#include <string.h>

#include "kernels/conv_bf16_parts.h"

enum { BAND_PAIRS = CVY_BAND_FLOATS, TASK_PAIRS = CVY_TASK_MACS /* multiply-adds of pairs that are worth a task */ };

/* ---- 1×1 ---- */

enum { POINT_ROWS = 84 /* pixels a task: divides evenly into the rows of the micro-kernels */ };

struct point {
    const struct cvy_compute *compute;
    int pixels, c, k;
    const cvy_pair *x, *w;
    cvy_bf16 *y;
    const struct cvy_epilogue *epilogue;
    bool accumulate;
    int row_blocks, splits; /* splits: of the panels */
};

static void multiply(const struct point *p, int row, int rows, int panel, int panels) {
    const int column = panel * CVY_PANEL;
    const ptrdiff_t at = (ptrdiff_t)row * p->k + column;
    struct cvy_epilogue epilogue;
    if (p->epilogue) epilogue = cvy_bf16_epilogue_at(p->epilogue, column, at);
    p->compute->bf16->dot(&(struct cvy_dot){
        .lines = 1,
        .rows = rows,
        .columns = cvy_least(panels * CVY_PANEL, p->k - column),
        .depth = p->c,
        .outer = 1,
        .inner = 1,
        .a = p->x + (ptrdiff_t)row * p->c,
        .a_row = p->c,
        .a_step = 1,
        .b = p->w + (ptrdiff_t)panel * p->c * CVY_PANEL,
        .b_panel = (ptrdiff_t)p->c * CVY_PANEL,
        .b_step = CVY_PANEL,
        .c = p->y + at,
        .c_row = p->k,
        .c_panel = CVY_PANEL,
        .rounded = true,
        .accumulate = p->accumulate,
        .epilogue = p->epilogue ? &epilogue : NULL,
    });
}

static void point_task(void *arg, int t, int thread) {
    (void)thread;
    const struct point *p = arg;
    const int block = t / p->splits, split = t % p->splits, panels = cvy_panels(p->k);
    const int row = cvy_cut(p->pixels, p->row_blocks, block);
    const int rows = cvy_cut(p->pixels, p->row_blocks, block + 1) - row;
    const int end = cvy_cut(panels, p->splits, split + 1);
    int panel = cvy_cut(panels, p->splits, split);
    for (int left = cvy_ceil_div(end - panel, CVY_GROUP); left > 0; left--) {
        const int count = cvy_ceil_div(end - panel, left);
        multiply(p, row, rows, panel, count);
        panel += count;
    }
}

void cvy_bf16_point_pass(const struct cvy_compute *compute, int pixels, int c, int k, const cvy_pair *x,
                         const cvy_pair *w, const struct cvy_epilogue *epilogue, cvy_bf16 *y, bool accumulate) {
    struct point p = {compute, pixels, c, k, x, w, y, epilogue, accumulate, 0, 0};
    const int64_t products = (int64_t)pixels * c * cvy_panels(k) * CVY_PANEL;
    const int most = cvy_clamp(products / TASK_PAIRS, 1, 1 << 20);
    p.row_blocks = cvy_least(cvy_ceil_div(pixels, POINT_ROWS), most);
    p.splits = cvy_clamp(cvy_least(most, CVY_TASKS_WANTED) / p.row_blocks, 1, cvy_panels(k));
    cvy_parallel(compute->pool, p.row_blocks * p.splits, point_task, &p);
}

/* ---- windows ---- */

struct cut {
    bool copies;
    int width;          /* pixels of an image row that windows read */
    int rows, bands;    /* output rows a band; bands a sample */
    int samples, parts; /* samples a task at least; tasks along the samples */
    int splits;         /* of the panels */
};

static int input_rows(const struct cvy_direct *g, int rows) {
    return (rows - 1) * g->stride_h + (g->r - 1) * g->dilation_h + 1;
}

static struct cut make_cut(const struct cvy_direct *g) {
    struct cut cut = {.width = (g->ow - 1) * g->stride_w + (g->s - 1) * g->dilation_w + 1};
    cut.copies = g->r * g->s > 0 && (g->pad_left > 0 || cut.width - g->pad_left > g->in.w);
    const int panels = cvy_panels(g->k);
    const int64_t row_products = (int64_t)g->ow * g->r * g->s * g->in.c * panels * CVY_PANEL + 1;
    const int64_t row_pairs = (int64_t)cut.width * g->in.c * g->stride_h + 1;
    const int64_t first_pairs = (int64_t)cut.width * g->in.c * ((g->r - 1) * g->dilation_h + 1 - g->stride_h);
    const int fitting = cvy_clamp((BAND_PAIRS - first_pairs) / row_pairs, 1, g->oh);
    const int worthwhile = cvy_clamp(TASK_PAIRS / row_products, 1, g->oh);
    const int bands = cvy_least(cvy_ceil_div(CVY_TASKS_WANTED, g->n), cvy_ceil_div(g->oh, worthwhile));
    cut.bands = cvy_most(bands, cvy_ceil_div(g->oh, fitting));
    cut.rows = cvy_ceil_div(g->oh, cut.bands);
    cut.bands = cvy_ceil_div(g->oh, cut.rows);
    const int samples = cvy_clamp(TASK_PAIRS / (row_products * g->oh), 1, cvy_most(1, g->n / CVY_TASKS_WANTED));
    cut.parts = cvy_ceil_div(g->n, samples);
    const int splits = cvy_clamp(row_products * cut.rows / TASK_PAIRS, 1, cvy_ceil_div(panels, CVY_GROUP));
    cut.splits = cvy_least(splits, cvy_ceil_div(CVY_TASKS_WANTED, cut.parts * cut.bands));
    return cut;
}

size_t cvy_bf16_direct_scratch(const struct cvy_direct *g) {
    if (g->oh <= 0 || g->ow <= 0) return 0;
    const struct cut cut = make_cut(g);
    const size_t pairs = cut.copies ? (size_t)input_rows(g, cut.rows) * cut.width * g->in.c : 0;
    return (pairs + CVY_PANEL - 1) / CVY_PANEL * CVY_PANEL;
}

struct direct {
    const struct cvy_compute *compute;
    const struct cvy_direct *g;
    const cvy_pair *x, *w;
    const struct cvy_epilogue *epilogue;
    cvy_bf16 *y;
    cvy_pair *scratch;
    size_t scratch_pairs; /* a thread */
    struct cut cut;
};

/* Where image row `row`, column −pad_left is (it may lie outside); `pitch` pairs a row. */
struct source {
    const cvy_pair *origin;
    ptrdiff_t pitch;
    int row;
};

/* The kernel rows that lie inside the image for an output row. */
struct kernel_rows {
    int begin, end;
};
static struct kernel_rows kernel_rows_of(const struct cvy_direct *g, int oy) {
    struct kernel_rows rows;
    cvy_rows_inside(oy * g->stride_h - g->pad_top, g->dilation_h, g->r, g->in.h, &rows.begin, &rows.end);
    return rows;
}

/* From output row oy on, of `rows`, how many have the same kernel rows. */
static int rows_alike(const struct cvy_direct *g, int oy, int rows) {
    const struct kernel_rows first = kernel_rows_of(g, oy);
    for (int i = 1; i < rows; i++) {
        const struct kernel_rows other = kernel_rows_of(g, oy + i);
        if (other.begin != first.begin || other.end != first.end) return i;
    }
    return rows;
}

/* Output rows that are alike: one product. */
static void output_rows(const struct direct *d, struct source from, int sample, int oy, int rows, int panel,
                        int panels) {
    const struct cvy_direct *g = d->g;
    const int column = panel * CVY_PANEL, top = oy * g->stride_h - g->pad_top, c = g->in.c;
    const ptrdiff_t at = sample * g->y_sample + oy * g->y_row + column, tap = (ptrdiff_t)c * CVY_PANEL;
    const bool whole_rows = g->dilation_w == 1 || g->s == 1;
    const int begin = kernel_rows_of(g, oy).begin, end = kernel_rows_of(g, oy).end;
    struct cvy_epilogue epilogue;
    if (d->epilogue) epilogue = cvy_bf16_epilogue_at(d->epilogue, column, at);
    d->compute->bf16->dot(&(struct cvy_dot){
        .lines = rows,
        .rows = g->ow,
        .columns = cvy_least(panels * CVY_PANEL, g->k - column),
        .depth = whole_rows ? g->s * c : c,
        .outer = end - begin,
        .inner = whole_rows ? 1 : g->s,
        .a = begin < end ? from.origin + (top + begin * g->dilation_h - from.row) * from.pitch : NULL,
        .a_line = g->stride_h * from.pitch,
        .a_row = (ptrdiff_t)g->stride_w * c,
        .a_step = 1,
        .a_inner = (ptrdiff_t)g->dilation_w * c,
        .a_outer = g->dilation_h * from.pitch,
        .b = d->w + ((ptrdiff_t)panel * g->r + begin) * g->s * tap,
        .b_panel = g->r * g->s * tap,
        .b_step = CVY_PANEL,
        .b_inner = tap,
        .b_outer = g->s * tap,
        .c = d->y + at,
        .c_line = g->y_row,
        .c_row = g->y_pixel,
        .c_panel = CVY_PANEL,
        .rounded = true,
        .accumulate = g->accumulate,
        .epilogue = d->epilogue ? &epilogue : NULL,
    });
}

static void band(const struct direct *d, int sample, int oy, int rows, int split, cvy_pair *scratch) {
    const struct cvy_direct *g = d->g;
    const cvy_pair *image = d->x + sample * (ptrdiff_t)cvy_shape_count(g->in);
    struct source from = {scratch, (ptrdiff_t)d->cut.width * g->in.c, oy * g->stride_h - g->pad_top};
    if (d->cut.copies)
        cvy_pad_rows((const float *)image, g->in, from.row, input_rows(g, rows), -g->pad_left, d->cut.width,
                     (float *)scratch);
    else
        from = (struct source){image - (ptrdiff_t)g->pad_left * g->in.c, (ptrdiff_t)g->in.w * g->in.c, 0};
    const int panels = cvy_panels(g->k), end = cvy_cut(panels, d->cut.splits, split + 1);
    int panel = cvy_cut(panels, d->cut.splits, split);
    for (int left = cvy_ceil_div(end - panel, CVY_GROUP); left > 0; left--) {
        const int count = cvy_ceil_div(end - panel, left);
        for (int i = 0, alike; i < rows; i += alike) {
            alike = rows_alike(g, oy + i, rows - i);
            output_rows(d, from, sample, oy + i, alike, panel, count);
        }
        panel += count;
    }
}

static void task(void *arg, int t, int thread) {
    const struct direct *d = arg;
    const struct cut *cut = &d->cut;
    const int split = t % cut->splits, oy = t / cut->splits % cut->bands * cut->rows;
    const int part = t / cut->splits / cut->bands, rows = cvy_least(cut->rows, d->g->oh - oy);
    for (int n = cvy_cut(d->g->n, cut->parts, part); n < cvy_cut(d->g->n, cut->parts, part + 1); n++)
        band(d, n, oy, rows, split, d->scratch + thread * d->scratch_pairs);
}

void cvy_bf16_direct_pass(const struct cvy_compute *compute, const struct cvy_direct *g, const cvy_pair *x,
                          const cvy_pair *w, const struct cvy_epilogue *epilogue, cvy_bf16 *y, cvy_pair *scratch) {
    if (g->oh <= 0 || g->ow <= 0) return;
    struct direct d = {compute, g, x, w, epilogue, y, scratch, cvy_bf16_direct_scratch(g), make_cut(g)};
    cvy_parallel(compute->pool, d.cut.parts * d.cut.bands * d.cut.splits, task, &d);
}
