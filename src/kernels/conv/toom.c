#include "kernels/conv/toom.h"

#include <string.h>

#include "core/ints.h"

enum { TAPS = CVY_TOOM_TAPS, POINTS = CVY_TOOM_POINTS };

static int inputs_width(const struct cvy_conv *g) {
    return cvy_panels(TAPS * g->in.c) * CVY_PANEL;
}

struct cvy_toom_sizes cvy_toom_sizes_of(const struct cvy_conv *g) {
    const ptrdiff_t parts = cvy_toom_parts(g->out.w), panels = cvy_panels(g->out.c);
    return (struct cvy_toom_sizes){.image = cvy_round_up(parts * cvy_toom_rows(g) * g->in.c, CVY_PANEL),
                                   .output = panels * parts * g->out.h * CVY_PANEL,
                                   .filter = panels * TAPS * g->in.c * CVY_PANEL,
                                   .inputs = parts * g->out.h * inputs_width(g)};
}

bool cvy_toom_suits(const struct cvy_conv_case *c) {
    enum { CHANNELS = 4, FILTERS = 8, PIXELS = 256 }; /* fewer: transforms cost more than the products save */
    const struct cvy_conv *g = c->g;
    const struct cvy_toom_sizes sizes = cvy_toom_sizes_of(g);
    const int computed = TAPS * cvy_toom_parts(g->out.w); /* columns of y, some for nothing */
    const bool covered = g->pad_left >= 0 && g->in.w + g->pad_left <= g->out.w + TAPS - 1; /* all of x, by windows */
    const bool cached =
        POINTS * (sizes.output + sizes.inputs) <= CVY_BAND_FLOATS && POINTS * sizes.filter <= CVY_BAND_FLOATS;
    return g->r == TAPS && g->s == TAPS && g->stride_h == 1 && g->stride_w == 1 && g->dilation_h == 1 &&
           g->dilation_w == 1 && g->in.c >= CHANNELS && g->in.c < CVY_PANEL && g->out.c >= FILTERS &&
           (int64_t)g->n * g->out.h * g->out.w >= PIXELS && 4 * computed <= 5 * g->out.w && covered && cached;
}

static int tasks_of(const struct cvy_conv *g) {
    return cvy_clamp(cvy_conv_macs(g) / CVY_TASK_MACS, 1, cvy_min(CVY_TASKS_WANTED, g->n));
}

struct cvy_toom cvy_toom_make(const struct cvy_pass_call *call) {
    const struct cvy_kernel_table *table = call->compute->table;
    struct cvy_toom_tiling tiling;
    CVY_TILING_FIND(call, &tiling);
    return (struct cvy_toom){.table = table,
                             .call = call,
                             .x_loops = call->g->in.c <= CVY_PANEL / 2 ? table->toom_narrow : table->toom,
                             .y_loops = table->toom,
                             .sizes = tiling.sizes,
                             .tasks = tiling.tasks,
                             .scratch_floats = tiling.scratch_floats};
}

struct cvy_toom_map cvy_toom_image_map(const struct cvy_toom *d, bool rows_first) {
    const struct cvy_conv *g = d->call->g;
    const ptrdiff_t c = g->in.c;
    return (struct cvy_toom_map){.h = g->in.h,
                                 .w = g->in.w,
                                 .c = g->in.c,
                                 .part = rows_first ? c : cvy_toom_rows(g) * c,
                                 .row = rows_first ? cvy_toom_parts(g->out.w) * c : c,
                                 .step = d->sizes.image};
}
struct cvy_toom_map cvy_toom_output_map(const struct cvy_toom *d, bool rows_first) {
    const struct cvy_conv *g = d->call->g;
    const int parts = cvy_toom_parts(g->out.w);
    return (struct cvy_toom_map){.h = g->out.h,
                                 .w = g->out.w,
                                 .c = g->out.c,
                                 .part = rows_first ? CVY_PANEL : g->out.h * CVY_PANEL,
                                 .row = rows_first ? parts * CVY_PANEL : CVY_PANEL,
                                 .panel = (ptrdiff_t)parts * g->out.h * CVY_PANEL,
                                 .step = d->sizes.output};
}

void cvy_toom_image(const struct cvy_toom *d, const struct cvy_toom_map *map, int i, float *v) {
    const struct cvy_conv *g = d->call->g;
    const float *x = (const float *)d->call->from + i * (ptrdiff_t)cvy_shape_count(g->in);
    d->x_loops->image(x, map, g->pad_top, g->pad_left, cvy_toom_rows(g), cvy_toom_parts(g->out.w), v);
}

/* ---- forward ---- */

static void multiply_forward(const struct cvy_toom *d, const float *v, float *z) {
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
        .c_line = d->sizes.output,
        .c_row = CVY_PANEL,
        .c_panel = (ptrdiff_t)parts * g->out.h * CVY_PANEL,
    });
}

static void forward_task(void *arg, int t, int thread) {
    const struct cvy_toom *d = arg;
    const struct cvy_pass_call *call = d->call;
    const struct cvy_conv *g = call->g;
    const struct cvy_toom_map x = cvy_toom_image_map(d, true), y = cvy_toom_output_map(d, true);
    float *v = d->scratch + thread * d->scratch_floats, *z = v + POINTS * d->sizes.image;
    for (int i = cvy_tile_begin(g->n, d->tasks, t); i < cvy_tile_begin(g->n, d->tasks, t + 1); i++) {
        const ptrdiff_t at = i * (ptrdiff_t)cvy_shape_count(g->out);
        struct cvy_epilogue epilogue;
        if (call->epilogue) epilogue = cvy_epilogue_at(call->epilogue, 0, at, CVY_F32);
        cvy_toom_image(d, &x, i, v);
        multiply_forward(d, v, z);
        d->y_loops->outputs(z, &y, call->epilogue ? &epilogue : NULL, (float *)call->to + at);
    }
}

static size_t tile_forward(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    struct cvy_toom_tiling tiling = {cvy_toom_sizes_of(c->g), tasks_of(c->g), 0};
    tiling.scratch_floats = POINTS * (size_t)(tiling.sizes.image + tiling.sizes.output);
    CVY_TILING_KEEP(&tiling, out);
    return POINTS * (size_t)tiling.sizes.filter + c->compute->threads * tiling.scratch_floats;
}

static void forward(const struct cvy_pass_call *call) {
    const struct cvy_conv *g = call->g;
    struct cvy_toom d = cvy_toom_make(call);
    const ptrdiff_t row = (ptrdiff_t)g->in.c * CVY_PANEL;
    const float *w = call->with;
    for (int i = 0; i < cvy_panels(g->out.c) * TAPS; i++)
        d.y_loops->filter(w + i * TAPS * row, row, (int)row, call->ws + i * row, d.sizes.filter);
    d.u = call->ws;
    d.scratch = call->ws + POINTS * d.sizes.filter;
    cvy_parallel(call->compute->pool, d.tasks, forward_task, &d);
}

/* ---- backward-data ---- */

/* Filters for it at a point: [⌈5·c/16⌉][k in whole panels][16 lanes], lane (r, c). */
static ptrdiff_t mirrored_size(const struct cvy_conv *g) {
    return (ptrdiff_t)inputs_width(g) * cvy_panels(g->out.c) * CVY_PANEL;
}

static size_t copy_floats(const struct cvy_conv *g) {
    return POINTS * (size_t)mirrored_size(g);
}

/* Tap s of a panel of filters, for lanes [16·panel, 16·panel + 16): [16 k][16 lanes] from [r][s][c][16 k]. */
static void mirror_tap(const struct cvy_kernel_table *table, const struct cvy_conv *g, const float *w, int panel, int s,
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
static void copy(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *u) {
    const int filters = cvy_panels(g->out.c), panels = inputs_width(g) / CVY_PANEL, c = g->in.c;
    const ptrdiff_t size = mirrored_size(g);
    for (int k = 0; k < filters; k++)
        for (int panel = 0; panel < panels; panel++)
            for (int s = 0; s < TAPS; s++)
                mirror_tap(compute->table, g, w + (ptrdiff_t)k * TAPS * TAPS * c * CVY_PANEL, panel, s,
                           u + s * size + ((ptrdiff_t)panel * filters + k) * CVY_PANEL * CVY_PANEL);
    compute->table->toom->filter(u, size, (int)size, u, size);
}

static const struct cvy_weights_copy mirrored_toom = {"mirrored toom", copy_floats, copy};

static void multiply_data(const struct cvy_toom *d, const float *z, float *q) {
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
        .a_line = d->sizes.output,
        .a_row = CVY_PANEL,
        .a_step = 1,
        .a_inner = (ptrdiff_t)rows * CVY_PANEL,
        .b = d->u,
        .b_line = mirrored_size(g),
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
    const struct cvy_toom *d = arg;
    const struct cvy_pass_call *call = d->call;
    const struct cvy_conv *g = call->g;
    const struct cvy_toom_map dy = cvy_toom_output_map(d, false);
    const struct cvy_toom_map dx = {.h = g->in.h,
                                    .w = g->in.w,
                                    .c = g->in.c,
                                    .part = (ptrdiff_t)g->out.h * inputs_width(g),
                                    .row = inputs_width(g),
                                    .step = d->sizes.inputs};
    float *z = d->scratch + thread * d->scratch_floats, *q = z + POINTS * d->sizes.output;
    for (int i = cvy_tile_begin(g->n, d->tasks, t); i < cvy_tile_begin(g->n, d->tasks, t + 1); i++) {
        d->y_loops->gradient(cvy_toom_dy(g, call->from, i), &dy, z, NULL);
        multiply_data(d, z, q);
        d->x_loops->inputs(q, &dx, g->pad_top, g->pad_left, cvy_toom_rows(g), cvy_toom_parts(g->out.w),
                           call->accumulate, (float *)call->to + i * (ptrdiff_t)cvy_shape_count(g->in));
    }
}

static size_t tile_data(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    struct cvy_toom_tiling tiling = {cvy_toom_sizes_of(c->g), tasks_of(c->g), 0};
    tiling.scratch_floats = POINTS * (size_t)(tiling.sizes.output + tiling.sizes.inputs);
    CVY_TILING_KEEP(&tiling, out);
    return c->compute->threads * tiling.scratch_floats;
}

static void data(const struct cvy_pass_call *call) {
    struct cvy_toom d = cvy_toom_make(call);
    d.u = call->with;
    d.scratch = call->ws;
    cvy_parallel(call->compute->pool, d.tasks, data_task, &d);
}

const struct cvy_algorithm cvy_forward_toom = {.name = "toom",
                                               .type = CVY_F32,
                                               .transforms = true,
                                               .applicable = cvy_toom_suits,
                                               .tile = tile_forward,
                                               .run = forward};
const struct cvy_algorithm cvy_data_toom = {.name = "toom",
                                            .type = CVY_F32,
                                            .transforms = true,
                                            .applicable = cvy_toom_suits,
                                            .tile = tile_data,
                                            .copy = &mirrored_toom,
                                            .run = data};
