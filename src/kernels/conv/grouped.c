#include "kernels/conv/grouped.h"

#include <string.h>

#include "core/memory.h"
#include "kernels/block.h"
#include "kernels/conv/parts.h"
#include "kernels/conv/depthwise.h"
#include "kernels/trace.h"

static bool depthwise(const struct cvy_conv *g, int groups) {
    return groups > 1 && groups == g->in.c;
}

static struct cvy_conv one_group(const struct cvy_conv *g, int groups) {
    struct cvy_conv one = *g;
    one.in.c /= groups;
    one.out.c /= groups;
    return one;
}

/* ---- channels out and in ---- */

/* Of n images of `part` each, and `groups` times as many channels in the whole: group i to an array of its own. */
static void channels_out(const struct cvy_compute *compute, int n, struct cvy_shape part, int groups, int i,
                         const float *whole, float *own) {
    const struct cvy_shape all = {part.h, part.w, part.c * groups};
    cvy_block_copy(compute, CVY_F32, n, part, whole + i * part.c, cvy_strides_of(all), own, cvy_strides_of(part),
                   false);
}
static void channels_in(const struct cvy_compute *compute, int n, struct cvy_shape part, int groups, int i,
                        const float *own, float *whole, bool accumulate) {
    const struct cvy_shape all = {part.h, part.w, part.c * groups};
    cvy_block_copy(compute, CVY_F32, n, part, own, cvy_strides_of(part), whole + i * part.c, cvy_strides_of(all),
                   accumulate);
}

/* A group's columns between the whole panels [⌈k/16⌉][rows][16] and panels of its own. */
static void columns_out(const struct cvy_conv *one, int group, const float *w, float *own) {
    const ptrdiff_t rows = (ptrdiff_t)one->r * one->s * one->in.c;
    memset(own, 0, (size_t)(cvy_panels(one->out.c) * rows * CVY_PANEL) * sizeof *own);
    for (int j = 0; j < one->out.c; j++) {
        const int k = group * one->out.c + j;
        const float *from = w + k / CVY_PANEL * rows * CVY_PANEL + k % CVY_PANEL;
        float *to = own + j / CVY_PANEL * rows * CVY_PANEL + j % CVY_PANEL;
        for (ptrdiff_t i = 0; i < rows; i++) to[i * CVY_PANEL] = from[i * CVY_PANEL];
    }
}
static void columns_in(const struct cvy_conv *one, int group, const float *own, float *w) {
    const ptrdiff_t rows = (ptrdiff_t)one->r * one->s * one->in.c;
    for (int j = 0; j < one->out.c; j++) {
        const int k = group * one->out.c + j;
        float *to = w + k / CVY_PANEL * rows * CVY_PANEL + k % CVY_PANEL;
        const float *from = own + j / CVY_PANEL * rows * CVY_PANEL + j % CVY_PANEL;
        for (ptrdiff_t i = 0; i < rows; i++) to[i * CVY_PANEL] = from[i * CVY_PANEL];
    }
}

/* ---- the workspace of one group: x, y, weights, bias, and what the dense pass wants ---- */

struct scratch {
    float *x, *y, *w, *bias;
    void *dense;
    size_t bytes;
};

static size_t panel_floats(const struct cvy_conv *one) {
    return (size_t)one->r * one->s * one->in.c * cvy_panels(one->out.c) * CVY_PANEL;
}

static float *take(struct scratch *s, unsigned char *ws, size_t floats) {
    float *at = ws ? (float *)(ws + s->bytes) : NULL;
    s->bytes += cvy_align_up(floats * sizeof(float));
    return at;
}

static struct scratch layout(const struct cvy_conv *one, void *ws) {
    struct scratch s = {0};
    s.x = take(&s, ws, (size_t)one->n * (size_t)cvy_shape_count(one->in));
    s.y = take(&s, ws, (size_t)one->n * (size_t)cvy_shape_count(one->out));
    s.w = take(&s, ws, panel_floats(one));
    s.bias = take(&s, ws, (size_t)cvy_panels(one->out.c) * CVY_PANEL);
    s.dense = take(&s, ws, 0);
    return s;
}

bool cvy_grouped_transforms(const struct cvy_conv *g, int groups) {
    const struct cvy_conv one = one_group(g, groups);
    return !depthwise(g, groups) && cvy_conv_transforms(&one);
}

size_t cvy_grouped_workspace(const struct cvy_conv *g, int groups, int threads) {
    if (groups == 1) return cvy_conv_workspace(g, threads);
    if (depthwise(g, groups)) return cvy_depthwise_workspace(g);
    const struct cvy_conv one = one_group(g, groups);
    return layout(&one, NULL).bytes + cvy_conv_workspace(&one, threads);
}

/* ---- the passes ---- */

static void forward(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *x,
                    const float *w, const struct cvy_epilogue *epilogue, float *y, void *ws) {
    if (groups == 1) {
        cvy_conv_forward(compute, g, x, w, epilogue, y, ws);
        return;
    }
    CVY_ASSERT(epilogue == NULL || epilogue->residual == NULL);
    if (depthwise(g, groups)) {
        cvy_trace_algorithm(compute, "depthwise");
        cvy_depthwise_forward(compute, g, x, w, epilogue, y, ws);
        return;
    }
    const struct cvy_conv one = one_group(g, groups);
    const struct scratch s = layout(&one, ws);
    for (int i = 0; i < groups; i++) {
        struct cvy_epilogue own;
        if (epilogue) own = cvy_epilogue_at(epilogue, i * one.out.c, 0, CVY_F32);
        channels_out(compute, g->n, one.in, groups, i, x, s.x);
        columns_out(&one, i, w, s.w);
        cvy_conv_forward(compute, &one, s.x, s.w, epilogue ? &own : NULL, s.y, s.dense);
        channels_in(compute, g->n, one.out, groups, i, s.y, y, false);
    }
}

/* Of each group the dense copy; then room for one group's panels. A depthwise copy is the weights as they are. */
size_t cvy_grouped_flip_floats(const struct cvy_conv *g, int groups) {
    if (groups == 1) return cvy_conv_flip_floats(g);
    if (depthwise(g, groups)) return (size_t)g->r * g->s * cvy_panels(g->out.c) * CVY_PANEL;
    const struct cvy_conv one = one_group(g, groups);
    return (size_t)groups * cvy_conv_flip_floats(&one) + panel_floats(&one);
}

static void flip(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *w, float *wt) {
    if (groups == 1) {
        cvy_conv_flip(compute, g, w, wt);
        return;
    }
    if (depthwise(g, groups)) {
        memcpy(wt, w, cvy_grouped_flip_floats(g, groups) * sizeof *wt);
        return;
    }
    const struct cvy_conv one = one_group(g, groups);
    const size_t floats = cvy_conv_flip_floats(&one);
    float *own = wt + (size_t)groups * floats;
    for (int i = 0; i < groups; i++) {
        columns_out(&one, i, w, own);
        cvy_conv_flip(compute, &one, own, wt + (size_t)i * floats);
    }
}

static void backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *dy,
                          const float *wt, float *dx, bool accumulate, void *ws) {
    if (groups == 1) {
        cvy_conv_backward_data(compute, g, dy, wt, dx, accumulate, ws);
        return;
    }
    if (depthwise(g, groups)) {
        cvy_trace_algorithm(compute, "depthwise");
        cvy_depthwise_backward_data(compute, g, dy, wt, dx, accumulate, ws);
        return;
    }
    const struct cvy_conv one = one_group(g, groups);
    const struct scratch s = layout(&one, ws);
    for (int i = 0; i < groups; i++) {
        channels_out(compute, g->n, one.out, groups, i, dy, s.y);
        cvy_conv_backward_data(compute, &one, s.y, wt + (size_t)i * cvy_conv_flip_floats(&one), s.x, false, s.dense);
        channels_in(compute, g->n, one.in, groups, i, s.x, dx, accumulate);
    }
}

static void backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *x,
                             const float *dy, float *dw, float *dbias, void *ws) {
    if (groups == 1) {
        cvy_conv_backward_weights(compute, g, x, dy, dw, dbias, ws);
        return;
    }
    if (depthwise(g, groups)) {
        cvy_trace_algorithm(compute, "depthwise");
        cvy_depthwise_backward_weights(compute, g, x, dy, dw, dbias, ws);
        return;
    }
    const struct cvy_conv one = one_group(g, groups);
    const struct scratch s = layout(&one, ws);
    const size_t lanes = (size_t)cvy_panels(g->out.c) * CVY_PANEL;
    memset(dw, 0, (size_t)one.r * one.s * one.in.c * lanes * sizeof *dw);
    if (dbias) memset(dbias, 0, lanes * sizeof *dbias);
    for (int i = 0; i < groups; i++) {
        channels_out(compute, g->n, one.in, groups, i, x, s.x);
        channels_out(compute, g->n, one.out, groups, i, dy, s.y);
        cvy_conv_backward_weights(compute, &one, s.x, s.y, s.w, dbias ? s.bias : NULL, s.dense);
        columns_in(&one, i, s.w, dw);
        if (dbias) memcpy(dbias + i * one.out.c, s.bias, (size_t)one.out.c * sizeof *dbias);
    }
}

/* ---- the same, timed for whom it concerns ---- */

void cvy_grouped_forward(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *x,
                         const float *w, const struct cvy_epilogue *epilogue, float *y, void *ws) {
    const double start = cvy_trace_start(compute);
    forward(compute, g, groups, x, w, epilogue, y, ws);
    cvy_trace_end(compute, CVY_PASS_FORWARD, start);
}
void cvy_grouped_flip(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *w,
                      float *wt) {
    const double start = cvy_trace_start(compute);
    flip(compute, g, groups, w, wt);
    cvy_trace_end(compute, CVY_PASS_COPIES, start);
}
void cvy_grouped_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *dy,
                               const float *wt, float *dx, bool accumulate, void *ws) {
    const double start = cvy_trace_start(compute);
    backward_data(compute, g, groups, dy, wt, dx, accumulate, ws);
    cvy_trace_end(compute, CVY_PASS_DATA, start);
}
void cvy_grouped_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, int groups,
                                  const float *x, const float *dy, float *dw, float *dbias, void *ws) {
    const double start = cvy_trace_start(compute);
    backward_weights(compute, g, groups, x, dy, dw, dbias, ws);
    cvy_trace_end(compute, CVY_PASS_WEIGHTS, start);
}
