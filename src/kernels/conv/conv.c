/* The three passes of a convolution, each handed to the first algorithm of its table that is applicable. */
#include "kernels/conv/conv.h"

#include "core/memory.h"
#include "kernels/conv/parts.h"
#include "kernels/conv/toom.h"
#include "kernels/trace.h"
#include "kernels/conv/winograd.h"

bool cvy_conv_is_point(const struct cvy_conv *g) {
    return g->r == 1 && g->s == 1 && g->stride_h == 1 && g->stride_w == 1 && g->pad_top == 0 && g->pad_left == 0 &&
           g->in.h == g->out.h && g->in.w == g->out.w;
}

struct cvy_direct cvy_forward_pass(const struct cvy_conv *g) {
    return (struct cvy_direct){
        .n = g->n,
        .in = g->in,
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
    };
}

bool cvy_conv_transforms(const struct cvy_conv *g) {
    return !g->direct && (cvy_winograd_suits(g) || cvy_toom_suits(g));
}

/* ---- forward ---- */

static int pixels(const struct cvy_conv *g) {
    return g->n * g->in.h * g->in.w;
}

static void point_forward(const struct cvy_pass_call *c) {
    cvy_point_pass(c->compute, pixels(c->g), c->g->in.c, c->g->out.c, c->from, c->with, c->epilogue, c->to, false);
}

static bool is_widened(const struct cvy_conv *g) {
    return cvy_widen(g).s != g->s;
}
static size_t direct_floats(const struct cvy_conv *g, int threads) {
    const struct cvy_direct pass = cvy_forward_pass(g);
    return threads * cvy_direct_scratch(&pass);
}
static size_t widened_floats(const struct cvy_conv *g, int threads) {
    const struct cvy_conv wide = cvy_widen(g);
    return cvy_wide_floats(g, &wide) + direct_floats(&wide, threads);
}
static void widened_forward(const struct cvy_pass_call *c) {
    const struct cvy_conv wide = cvy_widen(c->g);
    const struct cvy_direct pass = cvy_forward_pass(&wide);
    struct cvy_epilogue epilogue;
    cvy_wide_operands(c->g, &wide, c->with, c->epilogue, c->ws, &epilogue);
    cvy_direct_pass(c->compute, &pass, c->from, c->ws, c->epilogue ? &epilogue : NULL, c->to,
                    c->ws + cvy_wide_floats(c->g, &wide));
}
static void direct_forward(const struct cvy_pass_call *c) {
    const struct cvy_direct pass = cvy_forward_pass(c->g);
    cvy_direct_pass(c->compute, &pass, c->from, c->with, c->epilogue, c->to, c->ws);
}

/* ---- backward-data ---- */

static void point_data(const struct cvy_pass_call *c) {
    cvy_point_pass(c->compute, pixels(c->g), c->g->out.c, c->g->in.c, c->from, c->with, NULL, c->to, c->accumulate);
}

static size_t narrow_floats(const struct cvy_conv *g, int threads) {
    return threads * cvy_narrow_scratch(g);
}
static void narrow_data(const struct cvy_pass_call *c) {
    cvy_narrow_pass(c->compute, c->g, c->from, c->with, c->to, c->accumulate, c->ws);
}

static bool has_phases(const struct cvy_conv *g) {
    return g->stride_h > 1 || g->stride_w > 1;
}
static struct cvy_phase phase_y(const struct cvy_conv *g, int p) {
    return cvy_phase_make(p, g->r, g->stride_h, g->pad_top, g->dilation_h, g->in.h);
}
static struct cvy_phase phase_x(const struct cvy_conv *g, int p) {
    return cvy_phase_make(p, g->s, g->stride_w, g->pad_left, g->dilation_w, g->in.w);
}
static size_t phases_floats(const struct cvy_conv *g, int threads) {
    size_t most = 0;
    for (int y = 0; y < g->stride_h; y++)
        for (int x = 0; x < g->stride_w; x++) {
            ptrdiff_t at;
            const struct cvy_direct pass = cvy_phase_pass(g, phase_y(g, y), phase_x(g, x), &at);
            const size_t floats = threads * cvy_direct_scratch(&pass);
            if (floats > most) most = floats;
        }
    return most;
}
static void phases_data(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const float *wt = c->with;
    for (int y = 0; y < g->stride_h; y++)
        for (int x = 0; x < g->stride_w; x++) {
            const struct cvy_phase py = phase_y(g, y), px = phase_x(g, x);
            ptrdiff_t at;
            struct cvy_direct pass = cvy_phase_pass(g, py, px, &at);
            pass.accumulate = c->accumulate;
            cvy_direct_pass(c->compute, &pass, c->from, wt, NULL, cvy_element(c->to, CVY_F32, at), c->ws);
            wt += (size_t)cvy_panels(g->in.c) * py.taps * px.taps * g->out.c * CVY_PANEL;
        }
}

/* ---- backward-weights ---- */

static void direct_weights(const struct cvy_pass_call *c) {
    cvy_weights_pass(c->compute, c->g, c->from, c->with, c->to, c->dbias, c->ws);
}

/* ---- the choice ---- */

static const struct cvy_algorithm algorithms[][7] = {
    [CVY_PASS_FORWARD] = {{"point", false, cvy_conv_is_point, cvy_no_floats, point_forward},
                          {"winograd", true, cvy_winograd_suits, cvy_winograd_forward_floats, cvy_winograd_forward},
                          {"single", false, cvy_conv_is_single, cvy_single_forward_floats, cvy_single_forward},
                          {"toom", true, cvy_toom_suits, cvy_toom_forward_floats, cvy_toom_forward},
                          {"widened", false, is_widened, widened_floats, widened_forward},
                          {"direct", false, cvy_always, direct_floats, direct_forward}},
    [CVY_PASS_DATA] = {{"point", false, cvy_conv_is_point, cvy_no_floats, point_data},
                       {"toom", true, cvy_toom_suits, cvy_toom_data_floats, cvy_toom_data},
                       {"narrow", false, cvy_conv_is_narrow, narrow_floats, narrow_data},
                       {"winograd", true, cvy_winograd_suits, cvy_winograd_data_floats, cvy_winograd_data},
                       {"phases", false, has_phases, phases_floats, phases_data},
                       {"direct", false, cvy_always, phases_floats, phases_data}},
    [CVY_PASS_WEIGHTS] = {{"winograd", true, cvy_winograd_suits, cvy_winograd_weights_floats, cvy_winograd_gradient},
                          {"single", false, cvy_conv_is_single, cvy_single_weights_floats, cvy_single_weights},
                          {"toom", true, cvy_toom_suits, cvy_toom_weights_floats, cvy_toom_weights},
                          {"widened", false, is_widened, cvy_weights_workspace, direct_weights},
                          {"point", false, cvy_conv_is_point, cvy_weights_workspace, direct_weights},
                          {"packed", false, cvy_weights_packs, cvy_weights_workspace, direct_weights},
                          {"rows", false, cvy_always, cvy_weights_workspace, direct_weights}},
};

static void run(enum cvy_pass pass, const struct cvy_pass_call *c) {
    cvy_algorithm_run(cvy_algorithm_choose(algorithms[pass], c->g, !c->g->direct), c);
}

static bool keeps(const struct cvy_conv *g) {
    return !g->direct && cvy_winograd_keeps(g);
}

size_t cvy_conv_workspace(const struct cvy_conv *g, int threads) {
    size_t most = 0;
    for (size_t pass = 0; pass < sizeof algorithms / sizeof *algorithms; pass++) {
        const size_t floats = cvy_algorithms_floats(algorithms[pass], g, threads);
        if (floats > most) most = floats;
    }
    const struct cvy_winograd kept = cvy_winograd_y(g, CVY_F32);
    if (keeps(g) && cvy_winograd_kept_workspace(&kept, threads) > most)
        most = cvy_winograd_kept_workspace(&kept, threads);
    return cvy_align_up(most * sizeof(float));
}

void cvy_conv_forward(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x, const float *w,
                      const struct cvy_epilogue *epilogue, float *y, void *ws) {
    run(CVY_PASS_FORWARD,
        &(struct cvy_pass_call){
            .compute = compute, .g = g, .from = x, .with = w, .epilogue = epilogue, .to = y, .ws = ws});
}

/* ---- filters that are kept ---- */

size_t cvy_conv_kept_floats(const struct cvy_conv *g) {
    const struct cvy_winograd pass = cvy_winograd_y(g, CVY_F32);
    return keeps(g) ? cvy_winograd_filter_floats(&pass) : 0;
}

void cvy_conv_keep(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *kept) {
    const struct cvy_winograd pass = cvy_winograd_y(g, CVY_F32);
    if (keeps(g)) cvy_winograd_filters(compute, &pass, w, kept);
}

void cvy_conv_forward_kept(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x, const float *w,
                           const float *kept, const struct cvy_epilogue *epilogue, float *y, void *ws) {
    const struct cvy_winograd pass = cvy_winograd_y(g, CVY_F32);
    if (!keeps(g)) {
        cvy_conv_forward(compute, g, x, w, epilogue, y, ws);
        return;
    }
    cvy_trace_algorithm(compute, "winograd");
    cvy_winograd_kept_pass(compute, &pass, x, kept, epilogue, y, ws);
}

/* ---- backward ---- */

void cvy_conv_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, const float *dy,
                            const float *wt, float *dx, bool accumulate, void *ws) {
    run(CVY_PASS_DATA,
        &(struct cvy_pass_call){
            .compute = compute, .g = g, .from = dy, .with = wt, .accumulate = accumulate, .to = dx, .ws = ws});
}
void cvy_conv_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x,
                               const float *dy, float *dw, float *dbias, void *ws) {
    run(CVY_PASS_WEIGHTS,
        &(struct cvy_pass_call){.compute = compute, .g = g, .from = x, .with = dy, .dbias = dbias, .to = dw, .ws = ws});
}
