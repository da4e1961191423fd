/* Correlation with no im2col: an output row is a product, with a pair (A, B) for each kernel row, because a window's
 * row is contiguous in NHWC (a pair for each tap where dilation pulls the taps apart).
 *
 *   image rows, padded left and right in scratch         kernel row i: taps × c, contiguous
 *   | 0 |  c  |  c  |  c  |  c  | 0 |   A: row stride = stride_w·c   B: panels
 *
 * Padding above and below is never computed: those kernel rows are left out. A task is a band of output rows of one
 * sample (or several small samples) times some panels; the band's input is copied to the thread's scratch only where
 * windows reach over the left or right edge. Rows that meet the same kernel rows are one product. Where rows are so
 * short that padding is much of them, nothing is copied, and kernel columns that meet different pixels are products of
 * their own (3×3/2, 512 → 512 channels at 14×14: 17.2 → 16.1 ms).
 *
 * Elements are floats or pairs of bf16, 4 bytes either way: here they are only copied, as floats. */
#include <string.h>

#include "core/ints.h"
#include "core/memory.h"
#include "kernels/conv/parts.h"

static int input_rows(const struct cvy_direct *g, int rows) {
    return (rows - 1) * g->stride_h + (g->r - 1) * g->dilation_h + 1;
}

/* The columns from s on that are alike. */
static struct cvy_direct_run run_from(const struct cvy_direct *g, int s) {
    struct cvy_direct_run run = {.s = s};
    for (int begin, end; s < g->s; s++) {
        cvy_rows_inside(s * g->dilation_w - g->pad_left, g->stride_w, g->ow, g->in.w, &begin, &end);
        if (run.columns > 0 && (begin != run.begin || end != run.end)) break;
        run.begin = begin, run.end = end, run.columns++;
    }
    return run;
}

/* Where more is padding than it costs to go over y once for each run. */
static bool runs_apart(const struct cvy_direct *g, struct cvy_direct_tiling *tiling) {
    enum { CHANNELS = 64, SHARE = 32, MOST_RUNS = sizeof tiling->runs / sizeof *tiling->runs };
    struct cvy_direct_run whole = {0};
    int padding = 0;
    for (int s = 0; s < g->s;) {
        const struct cvy_direct_run run = run_from(g, s);
        s += run.columns;
        padding += run.columns * (g->ow - (run.end - run.begin));
        if (run.end - run.begin == g->ow)
            whole = run;
        else if (tiling->run_count < MOST_RUNS - 1)
            tiling->runs[tiling->run_count++] = run;
        else
            return false;
    }
    tiling->runs[tiling->run_count++] = whole;
    return whole.columns > 0 && !g->pairs && g->dilation_w == 1 && g->in.c >= CHANNELS &&
           padding * SHARE >= g->ow * g->s;
}

static struct cvy_direct_tiling make_tiling(const struct cvy_direct *g) {
    struct cvy_direct_tiling tiling = {.width = (g->ow - 1) * g->stride_w + (g->s - 1) * g->dilation_w + 1};
    const bool reaches = g->r * g->s > 0 && (g->pad_left > 0 || tiling.width - g->pad_left > g->in.w);
    tiling.copies = reaches && !runs_apart(g, &tiling);
    if (!reaches || tiling.copies) {
        tiling.runs[0] = (struct cvy_direct_run){.columns = g->s, .end = g->ow};
        tiling.run_count = 1;
    }
    const int panels = cvy_panels(g->k);
    const int64_t row_macs = (int64_t)g->ow * g->r * g->s * g->in.c * panels * CVY_PANEL + 1;
    const int64_t row_floats = (int64_t)tiling.width * g->in.c * g->stride_h + 1;
    const int64_t first_floats = (int64_t)tiling.width * g->in.c * ((g->r - 1) * g->dilation_h + 1 - g->stride_h);
    const int fitting = cvy_clamp((CVY_BAND_FLOATS - first_floats) / row_floats, 1, g->oh);
    const int worthwhile = cvy_clamp(CVY_TASK_MACS / row_macs, 1, g->oh);
    const int bands = cvy_min(cvy_ceil_div(CVY_TASKS_WANTED, g->n), cvy_ceil_div(g->oh, worthwhile));
    tiling.bands = cvy_max(bands, cvy_ceil_div(g->oh, fitting));
    tiling.rows = cvy_ceil_div(g->oh, tiling.bands);
    tiling.bands = cvy_ceil_div(g->oh, tiling.rows);
    const int samples = cvy_clamp(CVY_TASK_MACS / (row_macs * g->oh), 1, cvy_max(1, g->n / CVY_TASKS_WANTED));
    tiling.parts = cvy_ceil_div(g->n, samples);
    const int splits = cvy_clamp(row_macs * tiling.rows / CVY_TASK_MACS, 1, cvy_ceil_div(panels, CVY_GROUP));
    tiling.splits = cvy_min(splits, cvy_ceil_div(CVY_TASKS_WANTED, tiling.parts * tiling.bands));
    const size_t copied = tiling.copies ? (size_t)input_rows(g, tiling.rows) * tiling.width * g->in.c : 0;
    tiling.scratch = cvy_round_up(copied, CVY_PANEL);
    return tiling;
}

void cvy_direct_tile(struct cvy_direct *g) {
    if (g->oh > 0 && g->ow > 0) g->tiling = make_tiling(g);
}

void cvy_pad_rows(const float *image, struct cvy_shape shape, int first, int rows, int left, int width, float *out) {
    const int begin = cvy_clamp(-left, 0, width), end = cvy_clamp(shape.w - left, begin, width);
    const size_t c = (size_t)shape.c, pixel = c * sizeof(float);
    for (int i = 0; i < rows; i++) {
        float *row = out + (size_t)i * width * c;
        if (first + i < 0 || first + i >= shape.h) continue;
        memset(row, 0, begin * pixel);
        if (end > begin)
            memcpy(row + begin * c, image + ((ptrdiff_t)(first + i) * shape.w + left + begin) * (ptrdiff_t)c,
                   (end - begin) * pixel);
        memset(row + end * c, 0, (width - end) * pixel);
    }
}

void cvy_rows_inside(int top, int step, int rows, int h, int *begin, int *end) {
    *begin = cvy_min(top < 0 ? cvy_ceil_div(-top, step) : 0, rows);
    *end = cvy_max(top < h ? cvy_min(rows, (h - 1 - top) / step + 1) : 0, *begin);
}

struct direct {
    const struct cvy_compute *compute;
    const struct cvy_direct *g;
    const float *x, *w;
    const struct cvy_epilogue *epilogue;
    void *y;
    float *scratch;
    enum cvy_product_place place; /* of y */
};

/* Where image row `row`, column −pad_left is (it may lie outside); `pitch` elements a row. */
struct source {
    const float *origin;
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

/* Output rows that meet the same kernel rows. */
struct lines {
    struct source from;
    int sample, oy, rows, panel, panels;
};

static ptrdiff_t offset_of(const struct cvy_direct *g, const struct lines *l) {
    return l->sample * g->y_sample + l->oy * g->y_row + l->panel * CVY_PANEL;
}

static struct cvy_product product_of(const struct direct *d, const struct lines *l, const struct cvy_direct_run *run) {
    const struct cvy_direct *g = d->g;
    const int top = l->oy * g->stride_h - g->pad_top, c = g->in.c;
    const ptrdiff_t column = (ptrdiff_t)c * CVY_PANEL, pitch = l->from.pitch;
    const ptrdiff_t first = ((ptrdiff_t)run->begin * g->stride_w + (ptrdiff_t)run->s * g->dilation_w) * c;
    const bool whole_rows = g->dilation_w == 1 || g->s == 1;
    const struct kernel_rows kernel = kernel_rows_of(g, l->oy);
    return (struct cvy_product){
        .lines = l->rows,
        .rows = run->end - run->begin,
        .columns = cvy_min(l->panels * CVY_PANEL, g->k - l->panel * CVY_PANEL),
        .depth = whole_rows ? run->columns * c : c,
        .outer = kernel.end - kernel.begin,
        .inner = whole_rows ? 1 : run->columns,
        .a = kernel.begin < kernel.end
                 ? l->from.origin + (top + kernel.begin * g->dilation_h - l->from.row) * pitch + first
                 : NULL,
        .a_line = g->stride_h * pitch,
        .a_row = (ptrdiff_t)g->stride_w * c,
        .a_step = 1,
        .a_inner = (ptrdiff_t)g->dilation_w * c,
        .a_outer = g->dilation_h * pitch,
        .b = d->w + (((ptrdiff_t)l->panel * g->r + kernel.begin) * g->s + run->s) * column,
        .b_panel = g->r * g->s * column,
        .b_step = CVY_PANEL,
        .b_inner = column,
        .b_outer = g->s * column,
        .c = cvy_element(d->y, cvy_result_type(g->pairs), offset_of(g, l) + run->begin * g->y_pixel),
        .c_line = g->y_row,
        .c_row = g->y_pixel,
        .c_panel = CVY_PANEL,
        .place = d->place,
        .rounded = g->pairs,
        .accumulate = g->accumulate || g->tiling.run_count > 1,
    };
}

static void clear(const struct cvy_product *p) {
    for (int line = 0; line < p->lines; line++)
        for (int i = 0; i < p->rows; i++)
            memset((float *)p->c + line * p->c_line + i * p->c_row, 0, (size_t)p->columns * sizeof(float));
}

static void output_rows(const struct direct *d, const struct lines *l) {
    const struct cvy_direct *g = d->g;
    const struct cvy_direct_run *last = &g->tiling.runs[g->tiling.run_count - 1];
    struct cvy_product whole = product_of(d, l, last);
    if (g->tiling.run_count > 1 && !g->accumulate) clear(&whole);
    for (const struct cvy_direct_run *run = g->tiling.runs; run < last; run++) {
        const struct cvy_product part = product_of(d, l, run);
        if (part.rows > 0) cvy_multiply(d->compute, g->pairs, &part);
    }
    struct cvy_epilogue epilogue;
    if (d->epilogue) {
        epilogue = cvy_epilogue_at(d->epilogue, l->panel * CVY_PANEL, offset_of(g, l), cvy_result_type(g->pairs));
        whole.epilogue = &epilogue;
    }
    cvy_multiply(d->compute, g->pairs, &whole);
}

static void band(const struct direct *d, int sample, int oy, int rows, int split, float *scratch) {
    const struct cvy_direct *g = d->g;
    const float *image = d->x + sample * (ptrdiff_t)cvy_shape_count(g->in);
    struct source from = {scratch, (ptrdiff_t)g->tiling.width * g->in.c, oy * g->stride_h - g->pad_top};
    if (g->tiling.copies)
        cvy_pad_rows(image, g->in, from.row, input_rows(g, rows), -g->pad_left, g->tiling.width, scratch);
    else
        from = (struct source){image - (ptrdiff_t)g->pad_left * g->in.c, (ptrdiff_t)g->in.w * g->in.c, 0};
    const int panels = cvy_panels(g->k), end = cvy_tile_begin(panels, g->tiling.splits, split + 1);
    int panel = cvy_tile_begin(panels, g->tiling.splits, split);
    for (int left = cvy_ceil_div(end - panel, CVY_GROUP); left > 0; left--) {
        int count = cvy_ceil_div(end - panel, left);
        for (int i = 0, alike; i < rows; i += alike) {
            alike = rows_alike(g, oy + i, rows - i);
            output_rows(d, &(struct lines){from, sample, oy + i, alike, panel, count});
        }
        panel += count;
    }
}

static void task(void *arg, int t, int thread) {
    const struct direct *d = arg;
    const struct cvy_direct_tiling *tiling = &d->g->tiling;
    const int split = t % tiling->splits, oy = t / tiling->splits % tiling->bands * tiling->rows;
    const int part = t / tiling->splits / tiling->bands, rows = cvy_min(tiling->rows, d->g->oh - oy);
    for (int n = cvy_tile_begin(d->g->n, tiling->parts, part); n < cvy_tile_begin(d->g->n, tiling->parts, part + 1);
         n++)
        band(d, n, oy, rows, split, d->scratch + thread * tiling->scratch);
}

/* A y far larger than caches is written past them: VGG's first layer 14.6 → 14.1 ms. */
static enum cvy_product_place place_of_y(const struct cvy_direct *g, const void *y) {
    enum { LARGE_BYTES = 1 << 26 };
    const bool whole = g->k % CVY_PANEL == 0 && g->y_pixel % CVY_PANEL == 0 && (uintptr_t)y % CVY_ALIGN == 0;
    const bool large = g->n * g->y_sample * (ptrdiff_t)sizeof(float) >= LARGE_BYTES;
    return whole && large && !g->pairs && !g->accumulate ? CVY_PAST_CACHES : CVY_PERHAPS_CACHED;
}

void cvy_direct_pass(const struct cvy_compute *compute, const struct cvy_direct *g, const void *x, const void *w,
                     const struct cvy_epilogue *epilogue, void *y, float *scratch) {
    if (g->oh <= 0 || g->ow <= 0) return;
    struct direct d = {compute, g, x, w, epilogue, y, scratch, place_of_y(g, y)};
    if (g->tiling.run_count > 1) d.place = CVY_PERHAPS_CACHED; /* which goes over it several times */
    cvy_parallel(compute->pool, g->tiling.parts * g->tiling.bands * g->tiling.splits, task, &d);
}
