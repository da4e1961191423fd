/* Forward and backward-data by direct sums (direct.c), over floats or pairs of bf16; forward of few filters widened
 * (widen.c). Backward-data is a correlation of dy with mirrored weights (mirrored.c), a pass for each phase of the
 * stride. */
#include "kernels/conv/parts.h"

/* ---- forward ---- */

static struct cvy_direct pass_of(const struct cvy_conv *g, enum cvy_dtype type) {
    struct cvy_direct pass = {
        .n = g->n,
        .in = {g->in.h, g->in.w, cvy_elements_of(type, g->in.c)},
        .r = g->r,
        .s = g->s,
        .stride_h = g->stride_h,
        .stride_w = g->stride_w,
        .dilation_h = g->dilation_h,
        .dilation_w = g->dilation_w,
        .pad_top = g->pad_top,
        .pad_left = g->pad_left,
        .oh = g->out.h,
        .ow = g->out.w,
        .k = g->out.c,
        .y_sample = (ptrdiff_t)cvy_shape_count(g->out),
        .y_row = (ptrdiff_t)g->out.w * g->out.c,
        .y_pixel = g->out.c,
        .pairs = type == CVY_BF16,
    };
    cvy_direct_tile(&pass);
    return pass;
}

static size_t tile_forward(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct cvy_direct pass = pass_of(c->g, c->type);
    CVY_TILING_KEEP(&pass, out);
    return cvy_even_floats(c->type, c->g->n, c->g->in) + c->compute->threads * pass.tiling.scratch;
}
static void forward(const struct cvy_pass_call *c) {
    struct cvy_direct pass;
    CVY_TILING_FIND(c, &pass);
    const void *x = cvy_make_even(c, c->g->in);
    cvy_direct_pass(c->compute, &pass, x, c->with, c->epilogue, c->to,
                    c->ws + cvy_even_floats(c->type, c->g->n, c->g->in));
}

struct widened {
    struct cvy_conv wide;
    struct cvy_direct pass;
};

static bool is_widened(const struct cvy_conv_case *c) {
    return cvy_widen(c->g).s != c->g->s;
}
static size_t tile_widened(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct cvy_conv wide = cvy_widen(c->g);
    const struct widened w = {wide, pass_of(&wide, c->type)};
    CVY_TILING_KEEP(&w, out);
    return cvy_wide_floats(c->g, &wide) + c->compute->threads * w.pass.tiling.scratch;
}
static void forward_widened(const struct cvy_pass_call *c) {
    struct widened w;
    struct cvy_epilogue epilogue;
    CVY_TILING_FIND(c, &w);
    cvy_wide_operands(c->g, &w.wide, c->with, c->epilogue, c->ws, &epilogue);
    cvy_direct_pass(c->compute, &w.pass, c->from, c->ws, c->epilogue ? &epilogue : NULL, c->to,
                    c->ws + cvy_wide_floats(c->g, &w.wide));
}

/* ---- backward-data ---- */

struct phase {
    struct cvy_direct pass;
    ptrdiff_t at; /* in dx */
};

static struct phase phase_of(const struct cvy_conv *g, enum cvy_dtype type, int i) {
    const struct cvy_phases p = cvy_phases_at(g, i);
    struct phase phase;
    phase.pass = cvy_phase_pass(g, type, &p, &phase.at);
    cvy_direct_tile(&phase.pass);
    return phase;
}

static size_t tile_data(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    struct phase cached[CVY_PHASES_CACHED] = {0};
    size_t most = 0;
    for (int i = 0; i < cvy_phase_count(c->g); i++) {
        const struct phase phase = phase_of(c->g, c->type, i);
        if (i < CVY_PHASES_CACHED) cached[i] = phase;
        if (phase.pass.tiling.scratch > most) most = phase.pass.tiling.scratch;
    }
    CVY_TILING_KEEP(&cached, out);
    return cvy_even_floats(c->type, c->g->n, c->g->out) + c->compute->threads * most;
}
static void data(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const void *dy = cvy_make_even(c, g->out);
    float *scratch = c->ws + cvy_even_floats(c->type, g->n, g->out);
    const float *w = c->with; /* or pairs */
    struct phase cached[CVY_PHASES_CACHED];
    CVY_TILING_FIND(c, &cached);
    for (int i = 0; i < cvy_phase_count(g); i++) {
        struct phase p = i < CVY_PHASES_CACHED ? cached[i] : phase_of(g, c->type, i);
        p.pass.accumulate = c->accumulate;
        cvy_direct_pass(c->compute, &p.pass, dy, w, NULL, cvy_element(c->to, c->type, p.at), scratch);
        w += (size_t)cvy_panels(g->in.c) * p.pass.r * p.pass.s * p.pass.in.c * CVY_PANEL;
    }
}

static bool has_phases(const struct cvy_conv_case *c) {
    return cvy_phase_count(c->g) > 1;
}

/* ---- the rows ---- */

const struct cvy_algorithm cvy_forward_widened = {
    .name = "widened", .type = CVY_F32, .applicable = is_widened, .tile = tile_widened, .run = forward_widened};
const struct cvy_algorithm cvy_forward_direct = {
    .name = "direct", .type = CVY_F32, .applicable = cvy_always, .tile = tile_forward, .run = forward};
const struct cvy_algorithm cvy_forward_bf16_direct = {.name = "pairs direct",
                                                      .type = CVY_BF16,
                                                      .applicable = cvy_always,
                                                      .tile = tile_forward,
                                                      .copy = &cvy_pairs,
                                                      .run = forward};
const struct cvy_algorithm cvy_data_phases = {
    .name = "phases", .type = CVY_F32, .applicable = has_phases, .tile = tile_data, .copy = &cvy_mirrored, .run = data};
const struct cvy_algorithm cvy_data_direct = {
    .name = "direct", .type = CVY_F32, .applicable = cvy_always, .tile = tile_data, .copy = &cvy_mirrored, .run = data};
const struct cvy_algorithm cvy_data_bf16_direct = {.name = "pairs direct",
                                                   .type = CVY_BF16,
                                                   .applicable = cvy_always,
                                                   .tile = tile_data,
                                                   .copy = &cvy_mirrored_pairs,
                                                   .run = data};
