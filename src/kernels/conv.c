/* The three passes of a convolution, handed to the loops that suit its shape. */
#include "kernels/conv.h"

#include "core/memory.h"
#include "kernels/conv_parts.h"
#include "kernels/trace.h"
#include "kernels/winograd.h"

bool cvy_conv_is_point(const struct cvy_conv *g) {
    return g->r == 1 && g->s == 1 && g->stride_h == 1 && g->stride_w == 1 && g->pad_top == 0 && g->pad_left == 0 &&
           g->in.h == g->out.h && g->in.w == g->out.w;
}

static int pixels(const struct cvy_conv *g) {
    return g->n * g->in.h * g->in.w;
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

static struct cvy_winograd winograd_forward(const struct cvy_conv *g) {
    return (struct cvy_winograd){g->n, g->in, g->out, g->pad_top, g->pad_left, false};
}
/* dx is a convolution of dy with the flipped weights, padded to what forward left out. */
static struct cvy_winograd winograd_data(const struct cvy_conv *g, bool accumulate) {
    return (struct cvy_winograd){g->n, g->out, g->in, 2 - g->pad_top, 2 - g->pad_left, accumulate};
}

void cvy_conv_forward(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x, const float *w,
                      const struct cvy_epilogue *epilogue, float *y, void *ws) {
    if (cvy_conv_is_point(g)) {
        cvy_trace_algorithm(compute, "point");
        cvy_point_pass(compute, pixels(g), g->in.c, g->out.c, x, w, epilogue, y, false);
        return;
    }
    if (compute->winograd && cvy_winograd_suits(g)) {
        const struct cvy_winograd pass = winograd_forward(g);
        cvy_trace_algorithm(compute, "winograd");
        cvy_winograd_pass(compute, &pass, x, w, epilogue, y, ws);
        return;
    }
    const struct cvy_conv wide = cvy_widen(g);
    const size_t floats = cvy_wide_floats(g, &wide);
    struct cvy_epilogue wide_epilogue;
    if (floats > 0) {
        cvy_wide_operands(g, &wide, w, epilogue, ws, &wide_epilogue);
        w = ws;
        if (epilogue) epilogue = &wide_epilogue;
    }
    cvy_trace_algorithm(compute, floats > 0 ? "widened" : "direct");
    struct cvy_direct pass = cvy_forward_pass(&wide);
    cvy_direct_pass(compute, &pass, x, w, epilogue, y, (float *)ws + floats);
}

static struct cvy_phase phase_y(const struct cvy_conv *g, int p) {
    return cvy_phase_make(p, g->r, g->stride_h, g->pad_top, g->dilation_h, g->in.h);
}
static struct cvy_phase phase_x(const struct cvy_conv *g, int p) {
    return cvy_phase_make(p, g->s, g->stride_w, g->pad_left, g->dilation_w, g->in.w);
}

void cvy_conv_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, const float *dy,
                            const float *wt, float *dx, bool accumulate, void *ws) {
    if (cvy_conv_is_point(g)) {
        cvy_trace_algorithm(compute, "point");
        cvy_point_pass(compute, pixels(g), g->out.c, g->in.c, dy, wt, NULL, dx, accumulate);
        return;
    }
    if (cvy_conv_is_narrow(g)) {
        cvy_trace_algorithm(compute, "narrow");
        cvy_narrow_pass(compute, g, dy, wt, dx, accumulate, ws);
        return;
    }
    if (compute->winograd && cvy_winograd_suits(g)) {
        const struct cvy_winograd pass = winograd_data(g, accumulate);
        cvy_trace_algorithm(compute, "winograd");
        cvy_winograd_pass(compute, &pass, dy, wt, NULL, dx, ws);
        return;
    }
    cvy_trace_algorithm(compute, g->stride_h > 1 || g->stride_w > 1 ? "phases" : "direct");
    for (int y = 0; y < g->stride_h; y++)
        for (int x = 0; x < g->stride_w; x++) {
            struct cvy_phase py = phase_y(g, y), px = phase_x(g, x);
            ptrdiff_t at;
            struct cvy_direct pass = cvy_phase_pass(g, py, px, &at);
            pass.accumulate = accumulate;
            cvy_direct_pass(compute, &pass, dy, wt, NULL, dx + at, ws);
            wt += (size_t)cvy_panels(g->in.c) * py.taps * px.taps * g->out.c * CVY_PANEL;
        }
}

static size_t data_scratch(const struct cvy_conv *g) {
    size_t most = 0;
    if (cvy_conv_is_narrow(g)) return cvy_narrow_scratch(g);
    for (int y = 0; y < g->stride_h; y++)
        for (int x = 0; x < g->stride_w; x++) {
            ptrdiff_t at;
            struct cvy_direct pass = cvy_phase_pass(g, phase_y(g, y), phase_x(g, x), &at);
            size_t floats = cvy_direct_scratch(&pass);
            if (floats > most) most = floats;
        }
    return most;
}

size_t cvy_conv_workspace(const struct cvy_conv *g, int threads) {
    size_t most = cvy_weights_workspace(g, threads);
    if (!cvy_conv_is_point(g)) {
        const struct cvy_conv wide = cvy_widen(g);
        const struct cvy_direct pass = cvy_forward_pass(&wide);
        const size_t forward = cvy_wide_floats(g, &wide) + threads * cvy_direct_scratch(&pass);
        const size_t data = threads * data_scratch(g);
        if (forward > most) most = forward;
        if (data > most) most = data;
    }
    if (cvy_winograd_suits(g)) {
        const struct cvy_winograd passes[] = {winograd_forward(g), winograd_data(g, false)};
        for (int i = 0; i < 2; i++)
            if (cvy_winograd_workspace(&passes[i], threads) > most) most = cvy_winograd_workspace(&passes[i], threads);
    }
    return cvy_align_up(most * sizeof(float));
}
