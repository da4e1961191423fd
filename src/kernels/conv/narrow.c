/* Backward-data to few channels. With c below a vector most lanes of the usual product would idle, so here the lanes
 * hold (s, c): for an image row, Z[ox][s][c] = Σ_r Σ_k dy[oy(r)][ox][k] · w[r][s][c][k] is one product over the pixels
 * of dy, with no padding; then each pixel gathers its taps, dx[ix][c] = Σ_s Z[ox(s)][s][c]. Any stride, no dilation.
 * With stride 1 Z has pixels of zeros on both sides, so that all pixels gather alike. */
#include <string.h>

#include "kernels/conv/parts.h"

static bool applicable(const struct cvy_conv_case *c) {
    const struct cvy_conv *g = c->g;
    return g->in.c < CVY_PANEL && g->s > 1 && g->dilation_h == 1 && g->dilation_w == 1;
}

struct tiling {
    int width;         /* floats of a pixel of Z: s·c in whole panels */
    int before, after; /* pixels of zeros around Z */
    int tasks;
    size_t scratch_floats; /* a thread: Z, and a row of dx */
};

struct narrow {
    const struct cvy_compute *compute;
    const struct cvy_conv *g;
    const float *dy, *mirrored;
    float *dx;
    bool accumulate;
    float *scratch;
    struct tiling tiling;
};

static int z_width(const struct cvy_conv *g) {
    return cvy_panels(g->s * g->in.c) * CVY_PANEL;
}

/* ---- the copy of the weights: [⌈s·c/16⌉][r][k][16] from [⌈k/16⌉][r][s][c][16] ---- */

static size_t copy_floats(const struct cvy_conv *g) {
    return (size_t)g->r * g->out.c * z_width(g);
}

static void copy(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *out) {
    (void)compute;
    const int taps = g->s * g->in.c, k = g->out.c;
    for (int panel = 0; panel < cvy_panels(taps); panel++)
        for (int r = 0; r < g->r; r++)
            for (int i = 0; i < k; i++)
                for (int j = panel * CVY_PANEL; j < (panel + 1) * CVY_PANEL; j++, out++)
                    *out = j < taps
                               ? w[(((ptrdiff_t)(i / CVY_PANEL) * g->r + r) * taps + j) * CVY_PANEL + i % CVY_PANEL]
                               : 0;
}

static const struct cvy_weights_copy mirrored_narrow = {"mirrored narrow", copy_floats, copy};

/* ---- the pass ---- */

/* Pixels left of the first and right of the last output pixel that taps of input pixels would meet. */
static int zeros_before(const struct cvy_conv *g) {
    return g->stride_w > 1 ? 0 : cvy_max(0, g->s - 1 - g->pad_left);
}
static int zeros_after(const struct cvy_conv *g) {
    return g->stride_w > 1 ? 0 : cvy_max(0, g->in.w + g->pad_left - g->out.w);
}

static struct tiling make_tiling(const struct cvy_conv *g) {
    struct tiling tiling = {.width = z_width(g), .before = zeros_before(g), .after = zeros_after(g)};
    const int rows = g->n * g->in.h;
    const int64_t macs = (int64_t)rows * g->out.w * g->r * g->out.c * tiling.width / g->stride_h;
    tiling.tasks = cvy_min(rows, cvy_clamp(macs / CVY_TASK_MACS, 1, 4 * CVY_TASKS_WANTED));
    tiling.scratch_floats = (size_t)(tiling.before + g->out.w + tiling.after) * tiling.width +
                            (size_t)cvy_panels(g->in.w * g->in.c) * CVY_PANEL;
    return tiling;
}

/* Of kernel positions i with (at − i) a multiple of stride and 0 ≤ (at − i) / stride < out: the first and how many; the
 * next is i + stride. */
static void taps_of(int at, int kernel, int stride, int out, int *first, int *count) {
    const int least = at - (out - 1) * stride; /* the kernel position that meets the last output */
    *first = least > 0 ? least : at % stride;
    const int last = cvy_min(kernel - 1, at);
    *count = last < *first ? 0 : (last - *first) / stride + 1;
}

static void make_z(const struct narrow *d, int sample, int iy, float *z) {
    const struct cvy_conv *g = d->g;
    const int k = g->out.c, panel = g->r * k * CVY_PANEL, at = iy + g->pad_top;
    const ptrdiff_t dy_row = (ptrdiff_t)g->out.w * k;
    int r, count;
    taps_of(at, g->r, g->stride_h, g->out.h, &r, &count);
    d->compute->table->product(&(struct cvy_product){
        .rows = g->out.w,
        .columns = d->tiling.width,
        .depth = k,
        .outer = 1,
        .inner = count,
        .a = count ? d->dy + sample * (ptrdiff_t)cvy_shape_count(g->out) + (at - r) / g->stride_h * dy_row : NULL,
        .a_row = k,
        .a_step = 1,
        .a_inner = -dy_row,
        .b = d->mirrored + (ptrdiff_t)(count ? r : 0) * k * CVY_PANEL,
        .b_panel = panel,
        .b_step = CVY_PANEL,
        .b_inner = (ptrdiff_t)g->stride_h * k * CVY_PANEL,
        .c = z,
        .c_row = d->tiling.width,
        .c_panel = CVY_PANEL,
    });
}

static void gather_pixels(const struct narrow *d, const float *first, int taps, int pixels, float *out) {
    const struct cvy_taps t = {.rows = 1,
                               .columns = taps,
                               .column = (ptrdiff_t)d->g->stride_w * d->g->in.c - d->tiling.width,
                               .pixels = pixels,
                               .lines = 1,
                               .step = d->tiling.width};
    d->compute->table->tensor.sum_taps(first, &t, 1, out, d->g->in.c);
}

static void gather(const struct narrow *d, const float *z, float *row) {
    const struct cvy_conv *g = d->g;
    if (g->stride_w == 1) {
        gather_pixels(d, z + (ptrdiff_t)g->pad_left * d->tiling.width, g->s, g->in.w, row);
        return;
    }
    for (int ix = 0; ix < g->in.w; ix++) {
        const int at = ix + g->pad_left;
        int s, count;
        taps_of(at, g->s, g->stride_w, g->out.w, &s, &count);
        const float *first =
            count ? z + (ptrdiff_t)(at - s) / g->stride_w * d->tiling.width + (ptrdiff_t)s * g->in.c : z;
        gather_pixels(d, first, count, 1, row + (ptrdiff_t)ix * g->in.c);
    }
}

static void task(void *arg, int t, int thread) {
    const struct narrow *d = arg;
    const struct cvy_conv *g = d->g;
    const int rows = g->n * g->in.h;
    const ptrdiff_t row_floats = (ptrdiff_t)g->in.w * g->in.c;
    float *zeros = d->scratch + thread * d->tiling.scratch_floats,
          *z = zeros + (ptrdiff_t)d->tiling.before * d->tiling.width;
    float *end = z + (ptrdiff_t)g->out.w * d->tiling.width, *sum = end + (ptrdiff_t)d->tiling.after * d->tiling.width;
    memset(zeros, 0, (size_t)(z - zeros) * sizeof *z);
    memset(end, 0, (size_t)(sum - end) * sizeof *z);
    for (int row = cvy_tile_begin(rows, d->tiling.tasks, t); row < cvy_tile_begin(rows, d->tiling.tasks, t + 1);
         row++) {
        float *dx = d->dx + row * row_floats;
        make_z(d, row / g->in.h, row % g->in.h, z);
        gather(d, z, d->accumulate ? sum : dx);
        if (d->accumulate) d->compute->table->add(dx, sum, row_floats);
    }
}

static size_t tile(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct tiling tiling = make_tiling(c->g);
    CVY_TILING_KEEP(&tiling, out);
    return c->compute->threads * tiling.scratch_floats;
}

static void run(const struct cvy_pass_call *c) {
    struct narrow d = {.compute = c->compute,
                       .g = c->g,
                       .dy = c->from,
                       .mirrored = c->with,
                       .dx = c->to,
                       .accumulate = c->accumulate,
                       .scratch = c->ws};
    CVY_TILING_FIND(c, &d.tiling);
    cvy_parallel(c->compute->pool, d.tiling.tasks, task, &d);
}

const struct cvy_algorithm cvy_data_narrow = {
    .name = "narrow", .type = CVY_F32, .applicable = applicable, .tile = tile, .copy = &mirrored_narrow, .run = run};
