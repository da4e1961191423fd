/* 5×5 kernels over few channels, by the algorithm of toom.h. A sample is an item of work: its rows are transformed, at
 * each of the 9 points there is one matrix product, and the result is transformed back. Values at a point:
 *
 *   V image of x     [rows][parts][c]            rows: those of x and of the zeros around it
 *                    [parts][rows][c]            for dw: 5 rows of c are rows of a product
 *   Z values of dy   [⌈k/16⌉][parts][oh][16]
 *            of y    [⌈k/16⌉][oh][parts][16]
 *   U of w           [⌈k/16⌉][5 rows][c][16]     and likewise of dw
 *   Q of dx          [parts][oh][5 rows][c]      the kernel rows side by side fill vectors where c does not */
#include <string.h>

#include "kernels/conv/weights_parts.h"

#include "core/ints.h"
#include "kernels/conv/toom.h"

enum { TAPS = CVY_TOOM_TAPS, POINTS = CVY_TOOM_POINTS, JOINED = 4 /* samples to a sum of dw */ };

/* Floats of each of these at a point. */
struct sizes {
    ptrdiff_t image, values, filter, inputs;
};
static ptrdiff_t whole_vectors(ptrdiff_t floats) {
    return cvy_round_up(floats, CVY_PANEL);
}
static int padded_rows(const struct cvy_conv *g) {
    return g->out.h + TAPS - 1;
}
static int inputs_width(const struct cvy_conv *g) {
    return cvy_panels(TAPS * g->in.c) * CVY_PANEL;
}
static struct sizes sizes_of(const struct cvy_conv *g) {
    const ptrdiff_t parts = cvy_toom_parts(g->out.w), panels = cvy_panels(g->out.c);
    return (struct sizes){.image = whole_vectors(parts * padded_rows(g) * g->in.c),
                          .values = panels * parts * g->out.h * CVY_PANEL,
                          .filter = panels * TAPS * g->in.c * CVY_PANEL,
                          .inputs = parts * g->out.h * inputs_width(g)};
}

bool cvy_toom_fits(const struct cvy_conv *g) {
    enum { CHANNELS = 4, FILTERS = 8 }; /* fewer: transforms cost more than the products save */
    const struct sizes sizes = sizes_of(g);
    const int computed = TAPS * cvy_toom_parts(g->out.w); /* columns of y, some for nothing */
    const bool covered = g->pad_left >= 0 && g->in.w + g->pad_left <= g->out.w + TAPS - 1; /* all of x, by windows */
    const bool cached =
        POINTS * (sizes.values + sizes.inputs) <= CVY_BAND_FLOATS && POINTS * sizes.filter <= CVY_BAND_FLOATS;
    return g->r == TAPS && g->s == TAPS && g->stride_h == 1 && g->stride_w == 1 && g->dilation_h == 1 &&
           g->dilation_w == 1 && g->in.c >= CHANNELS && g->in.c < CVY_PANEL && g->out.c >= FILTERS &&
           4 * computed <= 5 * g->out.w && covered && cached;
}

bool cvy_toom_suits(const struct cvy_conv *g) {
    enum { PIXELS = 256 }; /* likewise */
    return cvy_toom_fits(g) && (int64_t)g->n * g->out.h * g->out.w >= PIXELS;
}

struct toom {
    const struct cvy_kernel_table *table;
    const struct cvy_pass_call *call;
    const struct cvy_toom_loops *x_loops, *y_loops; /* over maps of x, of y */
    struct sizes sizes;
    int tasks;
    const float *u;               /* forward, backward-data */
    struct cvy_weights_sums sums; /* backward-weights: a chunk a task */
    float *scratch;
    size_t scratch_floats; /* a thread */
};

static int tasks_of(const struct cvy_conv *g) {
    return cvy_clamp(cvy_conv_macs(g) / CVY_TASK_MACS, 1, cvy_min(CVY_TASKS_WANTED, g->n));
}

static struct toom make(const struct cvy_pass_call *call, int tasks) {
    const struct cvy_kernel_table *table = call->compute->table;
    return (struct toom){.table = table,
                         .call = call,
                         .x_loops = call->g->in.c <= CVY_PANEL / 2 ? table->toom_narrow : table->toom,
                         .y_loops = table->toom,
                         .sizes = sizes_of(call->g),
                         .tasks = tasks};
}

/* Of sample i. */
static const float *x_of(const struct cvy_conv *g, const void *x, int i) {
    return (const float *)x + i * (ptrdiff_t)cvy_shape_count(g->in);
}
static const float *y_of(const struct cvy_conv *g, const void *y, int i) {
    return (const float *)y + i * (ptrdiff_t)cvy_shape_count(g->out);
}

/* Maps of x and of y with values as above. */
static struct cvy_toom_map image_map(const struct toom *d, bool rows_first) {
    const struct cvy_conv *g = d->call->g;
    const ptrdiff_t c = g->in.c;
    return (struct cvy_toom_map){.h = g->in.h,
                                 .w = g->in.w,
                                 .c = g->in.c,
                                 .part = rows_first ? c : padded_rows(g) * c,
                                 .row = rows_first ? cvy_toom_parts(g->out.w) * c : c,
                                 .step = d->sizes.image};
}
static struct cvy_toom_map values_map(const struct toom *d, bool rows_first) {
    const struct cvy_conv *g = d->call->g;
    const int parts = cvy_toom_parts(g->out.w);
    return (struct cvy_toom_map){.h = g->out.h,
                                 .w = g->out.w,
                                 .c = g->out.c,
                                 .part = rows_first ? CVY_PANEL : g->out.h * CVY_PANEL,
                                 .row = rows_first ? parts * CVY_PANEL : CVY_PANEL,
                                 .panel = (ptrdiff_t)parts * g->out.h * CVY_PANEL,
                                 .step = d->sizes.values};
}

static void make_image(const struct toom *d, const struct cvy_toom_map *map, const float *x, float *v) {
    const struct cvy_conv *g = d->call->g;
    d->x_loops->image(x, map, g->pad_top, g->pad_left, padded_rows(g), cvy_toom_parts(g->out.w), v);
}

/* ---- forward ---- */

static void multiply_forward(const struct toom *d, const float *v, float *z) {
    const struct cvy_conv *g = d->call->g;
    const int parts = cvy_toom_parts(g->out.w), c = g->in.c;
    d->table->product(&(struct cvy_product){
        .lines = POINTS,
        .rows = parts * g->out.h,
        .columns = g->out.c,
        .depth = c,
        .outer = 1,
        .inner = TAPS,
        .a = v,
        .a_line = d->sizes.image,
        .a_row = c,
        .a_step = 1,
        .a_inner = (ptrdiff_t)parts * c,
        .b = d->u,
        .b_line = d->sizes.filter,
        .b_panel = (ptrdiff_t)TAPS * c * CVY_PANEL,
        .b_step = CVY_PANEL,
        .b_inner = (ptrdiff_t)c * CVY_PANEL,
        .c = z,
        .c_line = d->sizes.values,
        .c_row = CVY_PANEL,
        .c_panel = (ptrdiff_t)parts * g->out.h * CVY_PANEL,
    });
}

static void forward_task(void *arg, int t, int thread) {
    const struct toom *d = arg;
    const struct cvy_pass_call *call = d->call;
    const struct cvy_conv *g = call->g;
    const struct cvy_toom_map x = image_map(d, true), y = values_map(d, true);
    float *v = d->scratch + thread * d->scratch_floats, *z = v + POINTS * d->sizes.image;
    for (int i = cvy_cut(g->n, d->tasks, t); i < cvy_cut(g->n, d->tasks, t + 1); i++) {
        const ptrdiff_t at = i * (ptrdiff_t)cvy_shape_count(g->out);
        struct cvy_epilogue epilogue;
        if (call->epilogue) epilogue = cvy_epilogue_at(call->epilogue, 0, at, CVY_F32);
        make_image(d, &x, x_of(g, call->from, i), v);
        multiply_forward(d, v, z);
        d->y_loops->outputs(z, &y, call->epilogue ? &epilogue : NULL, (float *)call->to + at);
    }
}

size_t cvy_toom_forward_floats(const struct cvy_conv *g, int threads) {
    const struct sizes sizes = sizes_of(g);
    return POINTS * (size_t)(sizes.filter + threads * (sizes.image + sizes.values));
}

void cvy_toom_forward(const struct cvy_pass_call *call) {
    const struct cvy_conv *g = call->g;
    struct toom d = make(call, tasks_of(g));
    const ptrdiff_t row = (ptrdiff_t)g->in.c * CVY_PANEL;
    const float *w = call->with;
    for (int i = 0; i < cvy_panels(g->out.c) * TAPS; i++)
        d.y_loops->filter(w + i * TAPS * row, row, (int)row, call->ws + i * row, d.sizes.filter);
    d.u = call->ws;
    d.scratch = call->ws + POINTS * d.sizes.filter;
    d.scratch_floats = POINTS * (size_t)(d.sizes.image + d.sizes.values);
    cvy_parallel(call->compute->pool, d.tasks, forward_task, &d);
}

/* ---- backward-data ---- */

/* Filters for it at a point: [⌈5·c/16⌉][k in whole panels][16 lanes], lane (r, c). */
static ptrdiff_t flipped_size(const struct cvy_conv *g) {
    return (ptrdiff_t)inputs_width(g) * cvy_panels(g->out.c) * CVY_PANEL;
}

size_t cvy_toom_flip_floats(const struct cvy_conv *g) {
    return POINTS * (size_t)flipped_size(g);
}

/* Tap s of a panel of filters, for lanes [16·panel, 16·panel + 16): [16 k][16 lanes] from [r][s][c][16 k]. */
static void flip_tap(const struct cvy_kernel_table *table, const struct cvy_conv *g, const float *w, int panel, int s,
                     float *out) {
    const int c = g->in.c;
    float rows[CVY_PANEL * CVY_PANEL];
    for (int i = 0; i < CVY_PANEL; i++) {
        const int lane = panel * CVY_PANEL + i, r = lane / c;
        if (r < TAPS)
            memcpy(rows + i * CVY_PANEL, w + ((ptrdiff_t)(r * TAPS + s) * c + lane % c) * CVY_PANEL,
                   CVY_PANEL * sizeof *w);
        else
            memset(rows + i * CVY_PANEL, 0, CVY_PANEL * sizeof *w);
    }
    table->transpose(rows, out);
}

/* Taps are put where the values at the first points are going to be. */
void cvy_toom_flip(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *u) {
    const int filters = cvy_panels(g->out.c), panels = inputs_width(g) / CVY_PANEL, c = g->in.c;
    const ptrdiff_t size = flipped_size(g);
    for (int k = 0; k < filters; k++)
        for (int panel = 0; panel < panels; panel++)
            for (int s = 0; s < TAPS; s++)
                flip_tap(compute->table, g, w + (ptrdiff_t)k * TAPS * TAPS * c * CVY_PANEL, panel, s,
                         u + s * size + ((ptrdiff_t)panel * filters + k) * CVY_PANEL * CVY_PANEL);
    compute->table->toom->filter(u, size, (int)size, u, size);
}

static void multiply_data(const struct toom *d, const float *z, float *q) {
    const struct cvy_conv *g = d->call->g;
    const int rows = cvy_toom_parts(g->out.w) * g->out.h, panels = cvy_panels(g->out.c), width = inputs_width(g);
    d->table->product(&(struct cvy_product){
        .lines = POINTS,
        .rows = rows,
        .columns = width,
        .depth = CVY_PANEL,
        .outer = 1,
        .inner = panels,
        .a = z,
        .a_line = d->sizes.values,
        .a_row = CVY_PANEL,
        .a_step = 1,
        .a_inner = (ptrdiff_t)rows * CVY_PANEL,
        .b = d->u,
        .b_line = flipped_size(g),
        .b_panel = (ptrdiff_t)panels * CVY_PANEL * CVY_PANEL,
        .b_step = CVY_PANEL,
        .b_inner = CVY_PANEL * CVY_PANEL,
        .c = q,
        .c_line = d->sizes.inputs,
        .c_row = width,
        .c_panel = CVY_PANEL,
        .place = CVY_CACHED,
    });
}

static void data_task(void *arg, int t, int thread) {
    const struct toom *d = arg;
    const struct cvy_pass_call *call = d->call;
    const struct cvy_conv *g = call->g;
    const struct cvy_toom_map dy = values_map(d, false);
    const struct cvy_toom_map dx = {.h = g->in.h,
                                    .w = g->in.w,
                                    .c = g->in.c,
                                    .part = (ptrdiff_t)g->out.h * inputs_width(g),
                                    .row = inputs_width(g),
                                    .step = d->sizes.inputs};
    float *z = d->scratch + thread * d->scratch_floats, *q = z + POINTS * d->sizes.values;
    for (int i = cvy_cut(g->n, d->tasks, t); i < cvy_cut(g->n, d->tasks, t + 1); i++) {
        d->y_loops->values(y_of(g, call->from, i), &dy, z, NULL);
        multiply_data(d, z, q);
        d->x_loops->inputs(q, &dx, g->pad_top, g->pad_left, padded_rows(g), cvy_toom_parts(g->out.w), call->accumulate,
                           (float *)call->to + i * (ptrdiff_t)cvy_shape_count(g->in));
    }
}

size_t cvy_toom_data_floats(const struct cvy_conv *g, int threads) {
    const struct sizes sizes = sizes_of(g);
    return POINTS * (size_t)(threads * (sizes.values + sizes.inputs));
}

void cvy_toom_data(const struct cvy_pass_call *call) {
    const struct cvy_conv *g = call->g;
    struct toom d = make(call, tasks_of(g));
    d.u = (const float *)call->with + cvy_narrow_floats(g); /* behind those of the direct way */
    d.scratch = call->ws;
    d.scratch_floats = POINTS * (size_t)(d.sizes.values + d.sizes.inputs);
    cvy_parallel(call->compute->pool, d.tasks, data_task, &d);
}

/* ---- backward-weights ---- */

/* Each has sums to transform, and to be joined. */
static int chunks_of(const struct cvy_conv *g) {
    return cvy_weights_chunks(g, g->n, 8 * CVY_TASK_MACS);
}

static void multiply_weights(const struct toom *d, int samples, const float *v, const float *z, float *sums) {
    const struct cvy_conv *g = d->call->g;
    const int parts = cvy_toom_parts(g->out.w), c = g->in.c;
    d->table->product(&(struct cvy_product){
        .lines = POINTS,
        .rows = TAPS * c,
        .columns = g->out.c,
        .depth = g->out.h,
        .outer = samples,
        .inner = parts,
        .a = v,
        .a_line = d->sizes.image,
        .a_row = 1,
        .a_step = c,
        .a_inner = (ptrdiff_t)padded_rows(g) * c,
        .a_outer = POINTS * d->sizes.image,
        .b = z,
        .b_line = d->sizes.values,
        .b_panel = (ptrdiff_t)parts * g->out.h * CVY_PANEL,
        .b_step = CVY_PANEL,
        .b_inner = (ptrdiff_t)g->out.h * CVY_PANEL,
        .b_outer = POINTS * d->sizes.values,
        .c = sums,
        .c_line = d->sizes.filter,
        .c_row = CVY_PANEL,
        .c_panel = (ptrdiff_t)TAPS * c * CVY_PANEL,
        .accumulate = true,
    });
}

static void weights_task(void *arg, int t, int thread) {
    const struct toom *d = arg;
    const struct cvy_pass_call *call = d->call;
    const struct cvy_conv *g = call->g;
    const struct cvy_toom_map x = image_map(d, false), dy = values_map(d, false);
    const ptrdiff_t row = (ptrdiff_t)g->in.c * CVY_PANEL;
    const ptrdiff_t image = POINTS * d->sizes.image, values = POINTS * d->sizes.values;
    float *v = d->scratch + thread * d->scratch_floats, *z = v + JOINED * image, *sums = z + JOINED * values;
    float *dw = d->sums.dw + t * d->sums.stride, *dbias = d->sums.dbias + t * d->sums.stride;
    memset(sums, 0, POINTS * (size_t)d->sizes.filter * sizeof *sums);
    memset(dbias, 0, (size_t)cvy_panels(g->out.c) * CVY_PANEL * sizeof *dbias);
    const int end = cvy_cut(g->n, d->tasks, t + 1);
    for (int i = cvy_cut(g->n, d->tasks, t), samples; i < end; i += samples) {
        samples = cvy_min(JOINED, end - i);
        for (int j = 0; j < samples; j++) {
            make_image(d, &x, x_of(g, call->from, i + j), v + j * image);
            d->y_loops->values(y_of(g, call->with, i + j), &dy, z + j * values, dbias);
        }
        multiply_weights(d, samples, v, z, sums);
    }
    for (int i = 0; i < cvy_panels(g->out.c) * TAPS; i++)
        d->y_loops->filter_gradient(sums + i * row, d->sizes.filter, (int)row, dw + i * TAPS * row, row);
}

size_t cvy_toom_weights_floats(const struct cvy_conv *g, int threads) {
    const struct sizes sizes = sizes_of(g);
    return chunks_of(g) * cvy_weights_sum_floats(g) +
           POINTS * (size_t)(threads * (JOINED * (sizes.image + sizes.values) + sizes.filter));
}

void cvy_toom_weights(const struct cvy_pass_call *call) {
    const struct cvy_conv *g = call->g;
    struct toom d = make(call, chunks_of(g));
    d.sums = cvy_weights_sums_at(g, call->ws, true);
    d.scratch = call->ws + d.tasks * d.sums.stride;
    d.scratch_floats = POINTS * (size_t)(JOINED * (d.sizes.image + d.sizes.values) + d.sizes.filter);
    cvy_parallel(call->compute->pool, d.tasks, weights_task, &d);
    cvy_weights_join(call->compute, g, &d.sums, d.tasks, call->to, call->dbias);
}
