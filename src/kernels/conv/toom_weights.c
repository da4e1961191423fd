/* Backward-weights by the algorithm of toom.h. */
#include <string.h>

#include "kernels/conv/toom.h"

enum { TAPS = CVY_TOOM_TAPS, POINTS = CVY_TOOM_POINTS, TOGETHER = 4 /* samples to a product */ };

/* Each has sums to transform, and to be reduced. */
static int chunks_of(const struct cvy_conv *g) {
    return cvy_weights_chunks(g, g->n, 8 * CVY_TASK_MACS);
}

static void multiply(const struct cvy_toom *d, int samples, const float *v, const float *z, float *sums) {
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
        .a_inner = (ptrdiff_t)cvy_toom_rows(g) * c,
        .a_outer = POINTS * d->sizes.image,
        .b = z,
        .b_line = d->sizes.output,
        .b_panel = (ptrdiff_t)parts * g->out.h * CVY_PANEL,
        .b_step = CVY_PANEL,
        .b_inner = (ptrdiff_t)g->out.h * CVY_PANEL,
        .b_outer = POINTS * d->sizes.output,
        .c = sums,
        .c_line = d->sizes.filter,
        .c_row = CVY_PANEL,
        .c_panel = (ptrdiff_t)TAPS * c * CVY_PANEL,
        .accumulate = true,
    });
}

static void task(void *arg, int t, int thread) {
    const struct cvy_toom *d = arg;
    const struct cvy_pass_call *call = d->call;
    const struct cvy_conv *g = call->g;
    const struct cvy_toom_map x = cvy_toom_image_map(d, false), dy = cvy_toom_output_map(d, false);
    const ptrdiff_t row = (ptrdiff_t)g->in.c * CVY_PANEL;
    const ptrdiff_t image = POINTS * d->sizes.image, output = POINTS * d->sizes.output;
    float *v = d->scratch + thread * d->scratch_floats, *z = v + TOGETHER * image, *sums = z + TOGETHER * output;
    float *dw = d->sums.dw + t * d->sums.stride, *dbias = d->sums.dbias + t * d->sums.stride;
    memset(sums, 0, POINTS * (size_t)d->sizes.filter * sizeof *sums);
    memset(dbias, 0, (size_t)cvy_panels(g->out.c) * CVY_PANEL * sizeof *dbias);
    const int end = cvy_tile_begin(g->n, d->tasks, t + 1);
    for (int i = cvy_tile_begin(g->n, d->tasks, t), samples; i < end; i += samples) {
        samples = cvy_min(TOGETHER, end - i);
        for (int j = 0; j < samples; j++) {
            cvy_toom_image(d, &x, i + j, v + j * image);
            d->y_loops->gradient(cvy_toom_dy(g, call->with, i + j), &dy, z + j * output, dbias);
        }
        multiply(d, samples, v, z, sums);
    }
    for (int i = 0; i < cvy_panels(g->out.c) * TAPS; i++)
        d->y_loops->filter_gradient(sums + i * row, d->sizes.filter, (int)row, dw + i * TAPS * row, row);
}

static size_t tile(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    struct cvy_toom_tiling tiling = {cvy_toom_sizes_of(c->g), chunks_of(c->g), 0};
    const struct cvy_toom_sizes *sizes = &tiling.sizes;
    tiling.scratch_floats = POINTS * (size_t)(TOGETHER * (sizes->image + sizes->output) + sizes->filter);
    CVY_TILING_KEEP(&tiling, out);
    return tiling.tasks * cvy_weights_sum_floats(c->g) + c->compute->threads * tiling.scratch_floats;
}

static void run(const struct cvy_pass_call *call) {
    const struct cvy_conv *g = call->g;
    struct cvy_toom d = cvy_toom_make(call);
    d.sums = cvy_weights_sums_at(g, call->ws, true);
    d.scratch = call->ws + d.tasks * d.sums.stride;
    cvy_parallel(call->compute->pool, d.tasks, task, &d);
    cvy_weights_reduce(call->compute, g, &d.sums, d.tasks, call->to, call->dbias);
}

const struct cvy_algorithm cvy_gradient_toom = {
    .name = "toom", .type = CVY_F32, .transforms = true, .applicable = cvy_toom_suits, .tile = tile, .run = run};
