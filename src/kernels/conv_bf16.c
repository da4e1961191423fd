/* The passes of a bf16 convolution, handed to the loops that suit its shape. An odd number of channels is made even
 * first, in a copy whose last channel is zero. */
#include "kernels/conv_bf16.h"

#include "core/memory.h"
#include "kernels/conv_bf16_parts.h"
#include "kernels/trace.h"

static int pairs_of(int channels) {
    return cvy_ceil_div(channels, 2);
}

/* Of pairs of input channels. */
static struct cvy_direct forward_pass(const struct cvy_conv *g) {
    struct cvy_direct pass = cvy_forward_pass(g);
    pass.in.c = pairs_of(g->in.c);
    pass.pairs = true;
    return pass;
}

/* A phase of backward-data (conv_phases.c), and where in dx it begins. */
static struct cvy_direct phase_pass(const struct cvy_conv *g, int y, int x, ptrdiff_t *at) {
    struct cvy_direct pass =
        cvy_phase_pass(g, cvy_phase_make(y, g->r, g->stride_h, g->pad_top, g->dilation_h, g->in.h),
                       cvy_phase_make(x, g->s, g->stride_w, g->pad_left, g->dilation_w, g->in.w), at);
    pass.in.c = pairs_of(g->out.c);
    pass.pairs = true;
    return pass;
}

/* ---- channels made even ---- */

struct even {
    const cvy_bf16 *from;
    cvy_bf16 *to;
    int64_t pixels;
    int c, tasks;
};

static void even_task(void *arg, int t, int thread) {
    (void)thread;
    const struct even *e = arg;
    const int64_t begin = e->pixels * t / e->tasks, end = e->pixels * (t + 1) / e->tasks;
    for (int64_t i = begin; i < end; i++) {
        cvy_bf16 *to = e->to + i * (e->c + 1);
        for (int k = 0; k < e->c; k++) to[k] = e->from[i * e->c + k];
        to[e->c] = 0;
    }
}

/* Pairs that the copy of n images takes; 0 where none is needed. */
static size_t even_pairs(int n, struct cvy_shape shape) {
    return shape.c % 2 ? (size_t)n * shape.h * shape.w * pairs_of(shape.c) : 0;
}

static const cvy_pair *make_even(const struct cvy_compute *compute, int n, struct cvy_shape shape, const cvy_bf16 *x,
                                 cvy_pair *copy) {
    if (shape.c % 2 == 0) return (const cvy_pair *)x;
    struct even e = {x, (cvy_bf16 *)copy, (int64_t)n * shape.h * shape.w, shape.c, 0};
    e.tasks = cvy_clamp(e.pixels * shape.c / CVY_BAND_FLOATS, 1, CVY_TASKS_WANTED);
    cvy_parallel(compute->pool, e.tasks, even_task, &e);
    return copy;
}

/* ---- the passes ---- */

static size_t forward_floats(const struct cvy_conv *g, int threads) {
    const struct cvy_direct pass = forward_pass(g);
    const size_t scratch = cvy_conv_is_point(g) ? 0 : threads * cvy_direct_scratch(&pass);
    return even_pairs(g->n, g->in) + scratch;
}

static size_t data_floats(const struct cvy_conv *g, int threads) {
    size_t most = 0;
    for (int y = 0; !cvy_conv_is_point(g) && y < g->stride_h; y++)
        for (int x = 0; x < g->stride_w; x++) {
            ptrdiff_t at;
            const struct cvy_direct pass = phase_pass(g, y, x, &at);
            const size_t pairs = cvy_direct_scratch(&pass);
            if (pairs > most) most = pairs;
        }
    return even_pairs(g->n, g->out) + threads * most;
}

size_t cvy_conv_bf16_workspace(const struct cvy_conv *g, int threads) {
    size_t most = cvy_bf16_weights_workspace(g, threads);
    const size_t forward = forward_floats(g, threads), data = data_floats(g, threads);
    if (forward > most) most = forward;
    if (data > most) most = data;
    return cvy_align_up(most * sizeof(cvy_pair));
}

void cvy_conv_bf16_forward(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *x,
                           const cvy_pair *w, const struct cvy_epilogue *epilogue, cvy_bf16 *y, void *ws) {
    const bool point = cvy_conv_is_point(g);
    const cvy_pair *even = make_even(compute, g->n, g->in, x, ws);
    const struct cvy_direct pass = forward_pass(g);
    cvy_trace_algorithm(compute, point ? "pairs point" : "pairs direct");
    if (point)
        cvy_bf16_point_pass(compute, g->n * g->in.h * g->in.w, pass.in.c, pass.k, even, w, epilogue, y, false);
    else
        cvy_direct_pass(compute, &pass, even, w, epilogue, y, (float *)ws + even_pairs(g->n, g->in));
}

static void data_phases(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_pair *dy,
                        const cvy_pair *wt, cvy_bf16 *dx, bool accumulate, float *scratch) {
    for (int y = 0; y < g->stride_h; y++)
        for (int x = 0; x < g->stride_w; x++) {
            ptrdiff_t at;
            struct cvy_direct pass = phase_pass(g, y, x, &at);
            pass.accumulate = accumulate;
            cvy_direct_pass(compute, &pass, dy, wt, NULL, dx + at, scratch);
            wt += (size_t)cvy_panels(g->in.c) * pass.r * pass.s * pass.in.c * CVY_PANEL;
        }
}

void cvy_conv_bf16_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *dy,
                                 const cvy_pair *wt, cvy_bf16 *dx, bool accumulate, void *ws) {
    const bool point = cvy_conv_is_point(g);
    const cvy_pair *even = make_even(compute, g->n, g->out, dy, ws);
    cvy_trace_algorithm(compute, point ? "pairs point" : "pairs direct");
    if (point)
        cvy_bf16_point_pass(compute, g->n * g->in.h * g->in.w, pairs_of(g->out.c), g->in.c, even, wt, NULL, dx,
                            accumulate);
    else
        data_phases(compute, g, even, wt, dx, accumulate, (float *)ws + even_pairs(g->n, g->out));
}
