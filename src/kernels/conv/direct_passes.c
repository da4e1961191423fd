/* Forward and backward-data by direct sums (direct.c), over floats or pairs of bf16; forward of few filters widened
 * (widen.c). Backward-data is a correlation of dy with mirrored weights (mirrored.c), a pass for each phase of the
 * stride. */
#include "kernels/conv/parts.h"

/* ---- forward ---- */

struct cvy_direct cvy_forward_pass(const struct cvy_conv *g, enum cvy_dtype type) {
    return (struct cvy_direct){
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
}

static size_t scratch_floats(const struct cvy_conv_case *c, const struct cvy_conv *g) {
    const struct cvy_direct pass = cvy_forward_pass(g, c->type);
    return (size_t)c->compute->threads * cvy_direct_scratch(&pass);
}
static size_t forward_workspace(const struct cvy_conv_case *c) {
    return cvy_even_floats(c->type, c->g->n, c->g->in) + scratch_floats(c, c->g);
}
static void forward(const struct cvy_pass_call *c) {
    const struct cvy_direct pass = cvy_forward_pass(c->g, c->type);
    const void *x = cvy_make_even(c, c->g->in);
    cvy_direct_pass(c->compute, &pass, x, c->with, c->epilogue, c->to,
                    c->ws + cvy_even_floats(c->type, c->g->n, c->g->in));
}

static bool is_widened(const struct cvy_conv_case *c) {
    return cvy_widen(c->g).s != c->g->s;
}
static size_t widened_workspace(const struct cvy_conv_case *c) {
    const struct cvy_conv wide = cvy_widen(c->g);
    return cvy_wide_floats(c->g, &wide) + scratch_floats(c, &wide);
}
static void forward_widened(const struct cvy_pass_call *c) {
    const struct cvy_conv wide = cvy_widen(c->g);
    const struct cvy_direct pass = cvy_forward_pass(&wide, CVY_F32);
    struct cvy_epilogue epilogue;
    cvy_wide_operands(c->g, &wide, c->with, c->epilogue, c->ws, &epilogue);
    cvy_direct_pass(c->compute, &pass, c->from, c->ws, c->epilogue ? &epilogue : NULL, c->to,
                    c->ws + cvy_wide_floats(c->g, &wide));
}

/* ---- backward-data ---- */

static size_t data_workspace(const struct cvy_conv_case *c) {
    size_t most = 0;
    for (int i = 0; i < cvy_phase_count(c->g); i++) {
        const struct cvy_phases p = cvy_phases_at(c->g, i);
        ptrdiff_t at;
        const struct cvy_direct pass = cvy_phase_pass(c->g, c->type, &p, &at);
        const size_t floats = cvy_direct_scratch(&pass);
        if (floats > most) most = floats;
    }
    return cvy_even_floats(c->type, c->g->n, c->g->out) + (size_t)c->compute->threads * most;
}
static void data(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const void *dy = cvy_make_even(c, g->out);
    float *scratch = c->ws + cvy_even_floats(c->type, g->n, g->out);
    const float *w = c->with; /* or pairs */
    for (int i = 0; i < cvy_phase_count(g); i++) {
        const struct cvy_phases p = cvy_phases_at(g, i);
        ptrdiff_t at;
        struct cvy_direct pass = cvy_phase_pass(g, c->type, &p, &at);
        pass.accumulate = c->accumulate;
        cvy_direct_pass(c->compute, &pass, dy, w, NULL, cvy_element(c->to, c->type, at), scratch);
        w += (size_t)cvy_panels(g->in.c) * pass.r * pass.s * pass.in.c * CVY_PANEL;
    }
}

static bool has_phases(const struct cvy_conv_case *c) {
    return cvy_phase_count(c->g) > 1;
}

/* ---- the rows ---- */

const struct cvy_algorithm cvy_forward_widened = {.name = "widened",
                                                  .type = CVY_F32,
                                                  .applicable = is_widened,
                                                  .workspace = widened_workspace,
                                                  .run = forward_widened};
const struct cvy_algorithm cvy_forward_direct = {
    .name = "direct", .type = CVY_F32, .applicable = cvy_always, .workspace = forward_workspace, .run = forward};
const struct cvy_algorithm cvy_forward_bf16_direct = {.name = "pairs direct",
                                                      .type = CVY_BF16,
                                                      .applicable = cvy_always,
                                                      .workspace = forward_workspace,
                                                      .copy = &cvy_pairs,
                                                      .run = forward};
const struct cvy_algorithm cvy_data_phases = {.name = "phases",
                                              .type = CVY_F32,
                                              .applicable = has_phases,
                                              .workspace = data_workspace,
                                              .copy = &cvy_mirrored,
                                              .run = data};
const struct cvy_algorithm cvy_data_direct = {.name = "direct",
                                              .type = CVY_F32,
                                              .applicable = cvy_always,
                                              .workspace = data_workspace,
                                              .copy = &cvy_mirrored,
                                              .run = data};
const struct cvy_algorithm cvy_data_bf16_direct = {.name = "pairs direct",
                                                   .type = CVY_BF16,
                                                   .applicable = cvy_always,
                                                   .workspace = data_workspace,
                                                   .copy = &cvy_mirrored_pairs,
                                                   .run = data};
