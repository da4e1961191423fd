/* Depthwise convolution (Sifre 2014; Howard et al. 2017): every input channel has out.c / in.c filters of its own, and
 * output channel k reads input channel k / (out.c / in.c) alone. A named exception to the one family of products: there
 * is no sum over channels, so 16 channels side by side are what a vector holds. Weights are panels of [r][s][1][k],
 * which backward-data reads as they are stored.
 *
 * Here: where each line of output pixels finds its taps, and how work is cut. Forward and each phase
 * of backward-data are one loop: output position j of an axis lies at out_first + j·out_step, and tap t of it is kernel
 * position kernel_first + t·kernel_step at source position begin + j·in_step + t·dilation.
 *
 * Where a channel has several filters, x (dx) is taken to as many copies of itself: [pixels][k] in the workspace. */
#include "kernels/simd/depthwise.h"

#include <string.h>

#include "core/memory.h"
#include "kernels/conv/parts.h"

static const struct cvy_depthwise_table *const tables[CVY_ISA_COUNT] = {
    [CVY_ISA_PORTABLE] = &cvy_depthwise_portable,
#if defined(__aarch64__)
    [CVY_ISA_NEON] = &cvy_depthwise_neon,
#endif
#if defined(__x86_64__)
    [CVY_ISA_AVX2] = &cvy_depthwise_avx2,
    [CVY_ISA_AVX512] = &cvy_depthwise_avx512,
#endif
};

static int task_count(double work, int most) {
    return cvy_clamp((int64_t)(work / CVY_TASK_MACS), 1, most);
}

/* ---- several filters a channel ---- */

struct repeat {
    int64_t pixels;
    int c, times, tasks;
    const float *from;
    float *to;
    bool accumulate;
};

static int64_t pixel_at(const struct repeat *r, int task) {
    return r->pixels * task / r->tasks;
}

static void spread_task(void *arg, int t, int thread) {
    (void)thread;
    const struct repeat *r = arg;
    for (int64_t i = pixel_at(r, t) * r->c; i < pixel_at(r, t + 1) * r->c; i++)
        for (int m = 0; m < r->times; m++) r->to[i * r->times + m] = r->from[i];
}

static void gather_task(void *arg, int t, int thread) {
    (void)thread;
    const struct repeat *r = arg;
    for (int64_t i = pixel_at(r, t) * r->c; i < pixel_at(r, t + 1) * r->c; i++) {
        float sum = r->accumulate ? r->to[i] : 0;
        for (int m = 0; m < r->times; m++) sum += r->from[i * r->times + m];
        r->to[i] = sum;
    }
}

static int filters_a_channel(const struct cvy_conv *g) {
    return g->out.c / g->in.c;
}

static int repeat_tasks(const struct cvy_conv *g) {
    const int64_t pixels = cvy_shape_pixels(g->in) * g->n;
    return task_count((double)pixels * g->out.c * 8, cvy_clamp(pixels, 1, 1024));
}

static void repeat(const struct cvy_pass_call *c, int tasks, cvy_task_fn *fn, const float *from, float *to) {
    struct repeat r = {.pixels = cvy_shape_pixels(c->g->in) * c->g->n,
                       .c = c->g->in.c,
                       .times = filters_a_channel(c->g),
                       .tasks = tasks,
                       .from = from,
                       .to = to,
                       .accumulate = c->accumulate};
    cvy_parallel(c->compute->pool, tasks, fn, &r);
}

static size_t repeated_floats(const struct cvy_conv *g) {
    const size_t floats = filters_a_channel(g) > 1 ? (size_t)g->n * g->in.h * g->in.w * g->out.c : 0;
    return cvy_align_up(floats * sizeof(float)) / sizeof(float);
}

/* ---- forward and backward-data ---- */

struct axis {
    int count, out_first, out_step, in, in_step, begin, taps, dilation, kernel_first, kernel_step;
};

static struct axis forward_axis(int count, int in, int stride, int pad, int dilation, int kernel) {
    return (struct axis){.count = count,
                         .out_step = 1,
                         .in = in,
                         .in_step = stride,
                         .begin = -pad,
                         .taps = kernel,
                         .dilation = dilation,
                         .kernel_step = 1};
}

static struct axis phase_axis(const struct cvy_phase *p, int stride, int out) {
    return (struct axis){.count = p->count,
                         .out_first = p->first,
                         .out_step = stride,
                         .in = out,
                         .in_step = 1,
                         .begin = p->begin,
                         .taps = p->taps,
                         .dilation = p->dilation,
                         .kernel_first = p->last,
                         .kernel_step = -p->step};
}

/* Output rows of panels, and how they are shared out. */
struct lines {
    struct axis y, x;
    int items, tasks;
};

static struct lines share_out(const struct cvy_conv *g, struct axis y, struct axis x) {
    struct lines l = {y, x, .items = x.count > 0 ? g->n * y.count * cvy_panels(g->out.c) : 0};
    if (l.items) l.tasks = task_count((double)l.items * x.count * CVY_PANEL * (y.taps * x.taps + 1), l.items);
    return l;
}
static struct lines forward_lines(const struct cvy_conv *g) {
    return share_out(g, forward_axis(g->out.h, g->in.h, g->stride_h, g->pad_top, g->dilation_h, g->r),
                     forward_axis(g->out.w, g->in.w, g->stride_w, g->pad_left, g->dilation_w, g->s));
}
static struct lines phase_lines(const struct cvy_conv *g, int i) {
    const struct cvy_phases p = cvy_phases_at(g, i);
    return share_out(g, phase_axis(&p.y, g->stride_h, g->out.h), phase_axis(&p.x, g->stride_w, g->out.w));
}

struct tiling {
    int repeats; /* tasks */
    int parts;   /* of the rows of dy: backward-weights */
    struct lines lines[CVY_PHASES_CACHED];
};

/* One correlation of [n][source][k] with the weights, to [n][target][k]. */
struct pass {
    const struct cvy_depthwise_table *table;
    struct lines lines;
    int k, kernel_w, target_w, panels;
    int64_t source_sample, target_sample, kernel_panel;
    const float *from, *w;
    float *to;
    bool accumulate;
    const struct cvy_epilogue *epilogue;
};

/* Output positions [first, first + count) of a row, taps [x0, x1) and [y0, y1) of all of them inside. */
struct run {
    int sample, panel, row, first, count, y0, y1, x0, x1;
};

static void run_line(const struct pass *p, struct run at) {
    const struct axis *y = &p->lines.y, *x = &p->lines.x;
    const int column = at.panel * CVY_PANEL;
    const int sy = y->begin + at.row * y->in_step + at.y0 * y->dilation;
    const int sx = x->begin + at.first * x->in_step + at.x0 * x->dilation;
    const int ky = y->kernel_first + at.y0 * y->kernel_step, kx = x->kernel_first + at.x0 * x->kernel_step;
    const int ty = y->out_first + at.row * y->out_step, tx = x->out_first + at.first * x->out_step;
    const bool any = at.y0 < at.y1 && at.x0 < at.x1;
    const ptrdiff_t target = at.sample * p->target_sample + ((ptrdiff_t)ty * p->target_w + tx) * p->k + column;
    struct cvy_epilogue epilogue;
    if (p->epilogue) epilogue = cvy_epilogue_at(p->epilogue, column, target, CVY_F32);
    p->table->line(&(struct cvy_depthwise_line){
        .pixels = at.count,
        .lanes = cvy_min(CVY_PANEL, p->k - column),
        .rows = any ? at.y1 - at.y0 : 0,
        .columns = at.x1 - at.x0,
        .x = any ? p->from + at.sample * p->source_sample + ((ptrdiff_t)sy * x->in + sx) * p->k + column : p->from,
        .w = any ? p->w + at.panel * p->kernel_panel + ((ptrdiff_t)ky * p->kernel_w + kx) * CVY_PANEL : p->w,
        .y = p->to + target,
        .x_pixel = (ptrdiff_t)x->in_step * p->k,
        .x_row = (ptrdiff_t)y->dilation * x->in * p->k,
        .x_column = (ptrdiff_t)x->dilation * p->k,
        .w_row = (ptrdiff_t)y->kernel_step * p->kernel_w * CVY_PANEL,
        .w_column = (ptrdiff_t)x->kernel_step * CVY_PANEL,
        .y_pixel = (ptrdiff_t)x->out_step * p->k,
        .accumulate = p->accumulate,
        .epilogue = p->epilogue ? &epilogue : NULL,
    });
}

static void taps_inside(const struct axis *a, int j, int *first, int *end) {
    cvy_rows_inside(a->begin + j * a->in_step, a->dilation, a->taps, a->in, first, end);
}

/* Positions at the edges one by one; those between, where every tap is inside, together. */
static void run_row(const struct pass *p, int item) {
    const struct axis *y = &p->lines.y, *x = &p->lines.x;
    struct run at = {.panel = item % p->panels, .row = item / p->panels % y->count};
    at.sample = item / p->panels / y->count;
    taps_inside(y, at.row, &at.y0, &at.y1);
    for (int j = 0; j < x->count; j += at.count) {
        at.first = j;
        at.count = 1;
        taps_inside(x, j, &at.x0, &at.x1);
        const int last = x->begin + j * x->in_step + (x->taps - 1) * x->dilation; /* of its taps */
        if (at.x0 == 0 && at.x1 == x->taps && x->taps > 0)
            at.count = cvy_min(x->count - j, (x->in - 1 - last) / x->in_step + 1);
        run_line(p, at);
    }
}

static void pass_task(void *arg, int t, int thread) {
    (void)thread;
    const struct pass *p = arg;
    const struct lines *l = &p->lines;
    for (int i = cvy_tile_begin(l->items, l->tasks, t); i < cvy_tile_begin(l->items, l->tasks, t + 1); i++)
        run_row(p, i);
}

static void run_pass(const struct cvy_pass_call *c, struct pass *p) {
    const struct cvy_conv *g = c->g;
    p->table = tables[c->compute->isa];
    p->k = g->out.c;
    p->kernel_w = g->s;
    p->kernel_panel = (int64_t)g->r * g->s * CVY_PANEL;
    p->panels = cvy_panels(p->k);
    cvy_parallel(c->compute->pool, p->lines.tasks, pass_task, p);
}

static size_t tile_forward(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct tiling tiling = {.repeats = repeat_tasks(c->g), .lines = {forward_lines(c->g)}};
    CVY_TILING_KEEP(&tiling, out);
    return repeated_floats(c->g);
}

static void forward(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const bool repeated = filters_a_channel(g) > 1;
    struct tiling tiling;
    CVY_TILING_FIND(c, &tiling);
    if (repeated) repeat(c, tiling.repeats, spread_task, c->from, c->ws);
    run_pass(c, &(struct pass){.lines = tiling.lines[0],
                               .target_w = g->out.w,
                               .source_sample = cvy_shape_pixels(g->in) * g->out.c,
                               .target_sample = cvy_shape_count(g->out),
                               .from = repeated ? c->ws : c->from,
                               .w = c->with,
                               .to = c->to,
                               .epilogue = c->epilogue});
}

static size_t tile_data(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    struct tiling tiling = {.repeats = repeat_tasks(c->g)};
    for (int i = 0; i < cvy_min(cvy_phase_count(c->g), CVY_PHASES_CACHED); i++) tiling.lines[i] = phase_lines(c->g, i);
    CVY_TILING_KEEP(&tiling, out);
    return repeated_floats(c->g);
}

static void data(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const bool repeated = filters_a_channel(g) > 1;
    struct tiling tiling;
    CVY_TILING_FIND(c, &tiling);
    for (int i = 0; i < cvy_phase_count(g); i++) {
        run_pass(c, &(struct pass){.lines = i < CVY_PHASES_CACHED ? tiling.lines[i] : phase_lines(g, i),
                                   .target_w = g->in.w,
                                   .source_sample = cvy_shape_count(g->out),
                                   .target_sample = cvy_shape_pixels(g->in) * g->out.c,
                                   .from = c->from,
                                   .w = c->with,
                                   .to = repeated ? c->ws : c->to,
                                   .accumulate = c->accumulate && !repeated});
    }
    if (repeated) repeat(c, tiling.repeats, gather_task, c->ws, c->to);
}

/* ---- backward-weights ---- */

/* Rows of dy are cut into parts at places fixed by the shape; each part's sums, then their sum in order. */
struct weights {
    const struct cvy_depthwise_table *table;
    const struct cvy_conv *g;
    const float *x, *dy;
    float *sums; /* [parts][panels][r·s + 1][16]: the last is the bias's */
    float *dw, *dbias;
    int panels, parts;
};

static int weight_parts(const struct cvy_conv *g) {
    const double macs = (double)g->n * cvy_shape_count(g->out) * g->r * g->s;
    const int wanted = cvy_ceil_div(CVY_TASKS_WANTED, cvy_panels(g->out.c));
    return cvy_clamp((int64_t)(macs / CVY_TASK_MACS), 1, cvy_min(wanted, g->n * g->out.h));
}

static ptrdiff_t sums_a_panel(const struct cvy_conv *g) {
    return ((ptrdiff_t)g->r * g->s + 1) * CVY_PANEL;
}

/* Of taps of kernel column s: the outputs whose input column is inside. */
static void outputs_inside(const struct cvy_conv *g, int s, int *first, int *end) {
    const int shift = s * g->dilation_w - g->pad_left;
    cvy_rows_inside(shift, g->stride_w, g->out.w, g->in.w, first, end);
}

static void sum_row(const struct weights *a, int panel, int row, float *sums) {
    const struct cvy_conv *g = a->g;
    const int n = row / g->out.h, oy = row % g->out.h, k = g->out.c, column = panel * CVY_PANEL;
    const int top = oy * g->stride_h - g->pad_top, lanes = cvy_min(CVY_PANEL, k - column);
    const float *dy = a->dy + (ptrdiff_t)row * g->out.w * k + column;
    int r0, r1;
    cvy_rows_inside(top, g->dilation_h, g->r, g->in.h, &r0, &r1);
    for (int r = r0; r < r1; r++)
        for (int s = 0; s < g->s; s++) {
            int first, end;
            outputs_inside(g, s, &first, &end);
            if (first == end) continue;
            const int iy = top + r * g->dilation_h, ix = first * g->stride_w + s * g->dilation_w - g->pad_left;
            const float *x = a->x + (((ptrdiff_t)n * g->in.h + iy) * g->in.w + ix) * k + column;
            a->table->dot(x, (ptrdiff_t)g->stride_w * k, dy + (ptrdiff_t)first * k, k, end - first, lanes,
                          sums + ((ptrdiff_t)r * g->s + s) * CVY_PANEL);
        }
    if (a->dbias) a->table->dot(NULL, 0, dy, k, g->out.w, lanes, sums + (ptrdiff_t)g->r * g->s * CVY_PANEL);
}

static void weights_task(void *arg, int t, int thread) {
    (void)thread;
    const struct weights *a = arg;
    const int part = t / a->panels, panel = t % a->panels, rows = a->g->n * a->g->out.h;
    float *sums = a->sums + t * sums_a_panel(a->g);
    memset(sums, 0, (size_t)sums_a_panel(a->g) * sizeof *sums);
    for (int row = cvy_tile_begin(rows, a->parts, part); row < cvy_tile_begin(rows, a->parts, part + 1); row++)
        sum_row(a, panel, row, sums);
}

static void reduce_task(void *arg, int panel, int thread) {
    (void)thread;
    const struct weights *a = arg;
    const ptrdiff_t size = sums_a_panel(a->g), weights = size - CVY_PANEL;
    for (ptrdiff_t i = 0; i < size; i++) {
        float sum = 0;
        for (int part = 0; part < a->parts; part++) sum += a->sums[((ptrdiff_t)part * a->panels + panel) * size + i];
        if (i < weights)
            a->dw[panel * weights + i] = sum;
        else if (a->dbias)
            a->dbias[panel * CVY_PANEL + i - weights] = sum;
    }
}

static size_t tile_gradient(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct tiling tiling = {.repeats = repeat_tasks(c->g), .parts = weight_parts(c->g)};
    CVY_TILING_KEEP(&tiling, out);
    return repeated_floats(c->g) + (size_t)tiling.parts * (size_t)cvy_panels(c->g->out.c) * (size_t)sums_a_panel(c->g);
}

static void gradient(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const bool repeated = filters_a_channel(g) > 1;
    struct tiling tiling;
    CVY_TILING_FIND(c, &tiling);
    if (repeated) repeat(c, tiling.repeats, spread_task, c->from, c->ws);
    struct weights a = {.table = tables[c->compute->isa],
                        .g = g,
                        .x = repeated ? c->ws : c->from,
                        .dy = c->with,
                        .sums = c->ws + repeated_floats(g),
                        .dw = c->to,
                        .dbias = c->dbias,
                        .panels = cvy_panels(g->out.c),
                        .parts = tiling.parts};
    cvy_parallel(c->compute->pool, a.parts * a.panels, weights_task, &a);
    cvy_parallel(c->compute->pool, a.panels, reduce_task, &a);
}

static bool applicable(const struct cvy_conv_case *c) {
    return cvy_conv_is_depthwise(c->g);
}

const struct cvy_algorithm cvy_forward_depthwise = {
    .name = "depthwise", .type = CVY_F32, .applicable = applicable, .tile = tile_forward, .run = forward};
const struct cvy_algorithm cvy_data_depthwise = {
    .name = "depthwise", .type = CVY_F32, .applicable = applicable, .tile = tile_data, .run = data};
const struct cvy_algorithm cvy_gradient_depthwise = {
    .name = "depthwise", .type = CVY_F32, .applicable = applicable, .tile = tile_gradient, .run = gradient};
