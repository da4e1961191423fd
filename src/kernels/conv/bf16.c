/* The passes of a bf16 convolution, each handed to the first algorithm of its table that is applicable. Those on pairs
 * make an odd number of channels even first, in a copy whose last channel is zero. */
#include "kernels/conv/bf16.h"

#include "core/memory.h"
#include "kernels/conv/bf16_parts.h"
#include "kernels/trace.h"
#include "kernels/conv/winograd.h"

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

/* A phase of backward-data (phases.c), and where in dx it begins. */
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

/* ---- on pairs ---- */

static struct cvy_bf16_pieces pieces_forward_of(const struct cvy_conv *g) {
    return (struct cvy_bf16_pieces){.n = g->n, .c = g->in.c, .k = g->out.c};
}
static size_t pieces_forward_floats(const struct cvy_conv *g, int threads) {
    const struct cvy_bf16_pieces pass = pieces_forward_of(g);
    return even_pairs(g->n, g->in) + threads * cvy_bf16_pieces_scratch(&pass);
}
static void pieces_forward(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const cvy_pair *x = make_even(c->compute, g->n, g->in, c->from, (cvy_pair *)c->ws);
    struct cvy_bf16_pieces pass = pieces_forward_of(g);
    pass.w = c->with;
    pass.epilogue = c->epilogue;
    cvy_bf16_pieces_pass(c->compute, &pass, x, c->to, (cvy_pair *)c->ws + even_pairs(g->n, g->in));
}

static struct cvy_bf16_pieces pieces_data_of(const struct cvy_conv *g) {
    return (struct cvy_bf16_pieces){.n = g->n, .c = g->out.c, .k = g->in.c, .turned = true};
}
static size_t pieces_data_floats(const struct cvy_conv *g, int threads) {
    const struct cvy_bf16_pieces pass = pieces_data_of(g);
    return even_pairs(g->n, g->out) + threads * cvy_bf16_pieces_scratch(&pass);
}
static void pieces_data(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const cvy_pair *dy = make_even(c->compute, g->n, g->out, c->from, (cvy_pair *)c->ws);
    struct cvy_bf16_pieces pass = pieces_data_of(g);
    pass.w = c->with;
    pass.accumulate = c->accumulate;
    cvy_bf16_pieces_pass(c->compute, &pass, dy, c->to, (cvy_pair *)c->ws + even_pairs(g->n, g->out));
}

static size_t point_forward_floats(const struct cvy_conv *g, int threads) {
    (void)threads;
    return even_pairs(g->n, g->in);
}
static void point_forward(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const cvy_pair *x = make_even(c->compute, g->n, g->in, c->from, (cvy_pair *)c->ws);
    cvy_bf16_point_pass(c->compute, g->n * g->in.h * g->in.w, pairs_of(g->in.c), g->out.c, x, c->with, c->epilogue,
                        c->to, false);
}

static size_t direct_forward_floats(const struct cvy_conv *g, int threads) {
    const struct cvy_direct pass = forward_pass(g);
    return even_pairs(g->n, g->in) + threads * cvy_direct_scratch(&pass);
}
static void direct_forward(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const cvy_pair *x = make_even(c->compute, g->n, g->in, c->from, (cvy_pair *)c->ws);
    const struct cvy_direct pass = forward_pass(g);
    cvy_direct_pass(c->compute, &pass, x, c->with, c->epilogue, c->to, c->ws + even_pairs(g->n, g->in));
}

static size_t point_data_floats(const struct cvy_conv *g, int threads) {
    (void)threads;
    return even_pairs(g->n, g->out);
}
static void point_data(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const cvy_pair *dy = make_even(c->compute, g->n, g->out, c->from, (cvy_pair *)c->ws);
    cvy_bf16_point_pass(c->compute, g->n * g->in.h * g->in.w, pairs_of(g->out.c), g->in.c, dy, c->with, NULL, c->to,
                        c->accumulate);
}

static size_t direct_data_floats(const struct cvy_conv *g, int threads) {
    size_t most = 0;
    for (int y = 0; y < g->stride_h; y++)
        for (int x = 0; x < g->stride_w; x++) {
            ptrdiff_t at;
            const struct cvy_direct pass = phase_pass(g, y, x, &at);
            const size_t pairs = cvy_direct_scratch(&pass);
            if (pairs > most) most = pairs;
        }
    return even_pairs(g->n, g->out) + threads * most;
}
static void direct_data(const struct cvy_pass_call *c) {
    const struct cvy_conv *g = c->g;
    const cvy_pair *dy = make_even(c->compute, g->n, g->out, c->from, (cvy_pair *)c->ws), *wt = c->with;
    for (int y = 0; y < g->stride_h; y++)
        for (int x = 0; x < g->stride_w; x++) {
            ptrdiff_t at;
            struct cvy_direct pass = phase_pass(g, y, x, &at);
            pass.accumulate = c->accumulate;
            cvy_direct_pass(c->compute, &pass, dy, wt, NULL, cvy_element(c->to, CVY_BF16, at),
                            c->ws + even_pairs(g->n, g->out));
            wt += (size_t)cvy_panels(g->in.c) * pass.r * pass.s * pass.in.c * CVY_PANEL;
        }
}

static void pairs_weights(const struct cvy_pass_call *c) {
    cvy_bf16_weights_pass(c->compute, c->g, c->from, c->with, c->to, c->dbias, c->ws);
}

/* ---- the choice ---- */

static const struct cvy_algorithm algorithms[][4] = {
    [CVY_PASS_FORWARD] = {{"pairs pieces", false, cvy_bf16_in_pieces, pieces_forward_floats, pieces_forward},
                          {"pairs point", false, cvy_conv_is_point, point_forward_floats, point_forward},
                          {"winograd", true, cvy_winograd_fits, cvy_winograd_forward_floats, cvy_winograd_forward},
                          {"pairs direct", false, cvy_always, direct_forward_floats, direct_forward}},
    [CVY_PASS_DATA] = {{"pairs pieces", false, cvy_bf16_in_pieces, pieces_data_floats, pieces_data},
                       {"pairs point", false, cvy_conv_is_point, point_data_floats, point_data},
                       {"winograd", true, cvy_winograd_fits, cvy_winograd_data_floats, cvy_winograd_data},
                       {"pairs direct", false, cvy_always, direct_data_floats, direct_data}},
    [CVY_PASS_WEIGHTS] = {{"winograd", true, cvy_winograd_suits, cvy_winograd_weights_floats, cvy_winograd_gradient},
                          {"pairs direct", false, cvy_always, cvy_bf16_weights_workspace, pairs_weights}},
};

/* From where on Winograd's algorithm, in fp32, beats products of pairs by instructions that do twice as many. */
struct limits {
    int channels, outputs;
    int saved; /* multiplications of the direct sum for one of Winograd's: what tiles over the edge leave of it */
};
static const struct limits both_ways = {64, 1024, 3}, gradients = {32, 256, 0};

static bool reaches(const struct cvy_conv *g, const struct limits *from) {
    const int out = cvy_winograd_out(g->r);
    const int64_t direct = (int64_t)g->out.h * g->out.w * g->r * g->s;
    const int64_t tiles = (int64_t)cvy_ceil_div(g->out.h, out) * cvy_ceil_div(g->out.w, out);
    return cvy_min(g->in.c, g->out.c) >= from->channels && (int64_t)g->n * g->out.h * g->out.w >= from->outputs &&
           direct >= from->saved * tiles * CVY_WINOGRAD_POINTS;
}

/* Tiles of amx are always faster; levels below avx512bf16 have fp32's instructions alone. */
static bool is_faster(const struct cvy_compute *compute, const struct cvy_conv *g, const struct limits *from) {
    return !g->direct && compute->level != CVY_ISA_AMX && cvy_winograd_suits(g) &&
           (compute->level != CVY_ISA_AVX512BF16 || reaches(g, from));
}

/* Forward and backward-data, which share a copy of the weights, in calls of up to `most` samples. */
static bool is_transformed(const struct cvy_compute *compute, const struct cvy_conv *g, int most) {
    struct cvy_conv largest = *g;
    largest.n = most;
    return is_faster(compute, &largest, &both_ways);
}

size_t cvy_conv_bf16_workspace(const struct cvy_conv *g, int threads) {
    size_t most = 0;
    for (size_t pass = 0; pass < sizeof algorithms / sizeof *algorithms; pass++) {
        const size_t floats = cvy_algorithms_floats(algorithms[pass], g, threads);
        if (floats > most) most = floats;
    }
    return cvy_align_up(most * sizeof(float));
}

size_t cvy_conv_bf16_copy_floats(const struct cvy_conv *g, bool training) {
    if (cvy_bf16_in_pieces(g)) return 0;
    const size_t pairs = cvy_bf16_forward_pairs(g) + (training ? cvy_bf16_backward_pairs(g) : 0);
    const size_t flipped = training && cvy_winograd_fits(g) ? cvy_conv_flip_floats(g) : 0;
    return pairs > flipped ? pairs : flipped;
}

void cvy_conv_bf16_prepare(const struct cvy_compute *compute, const struct cvy_conv *g,
                           const struct cvy_bf16_weights *w, bool training) {
    if (cvy_bf16_in_pieces(g)) return;
    cvy_pair *pairs = (cvy_pair *)w->copy;
    if (!is_transformed(compute, g, w->most)) {
        cvy_bf16_pack(compute, g, w->w, pairs);
        if (training) cvy_bf16_flip(compute, g, w->w, pairs + cvy_bf16_forward_pairs(g));
    } else if (training)
        cvy_conv_flip(compute, g, w->w, w->copy);
}

void cvy_conv_bf16_forward(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *x,
                           const struct cvy_bf16_weights *w, const struct cvy_epilogue *epilogue, cvy_bf16 *y,
                           void *ws) {
    const bool transformed = is_transformed(compute, g, w->most);
    cvy_algorithm_run(cvy_algorithm_choose(algorithms[CVY_PASS_FORWARD], g, transformed),
                      &(struct cvy_pass_call){.compute = compute,
                                              .g = g,
                                              .type = CVY_BF16,
                                              .from = x,
                                              .with = transformed || cvy_bf16_in_pieces(g) ? w->w : w->copy,
                                              .epilogue = epilogue,
                                              .to = y,
                                              .ws = ws});
}

void cvy_conv_bf16_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *dy,
                                 const struct cvy_bf16_weights *w, cvy_bf16 *dx, bool accumulate, void *ws) {
    const bool transformed = is_transformed(compute, g, w->most);
    const float *copy = w->copy + (transformed ? 0 : cvy_bf16_forward_pairs(g));
    cvy_algorithm_run(cvy_algorithm_choose(algorithms[CVY_PASS_DATA], g, transformed),
                      &(struct cvy_pass_call){.compute = compute,
                                              .g = g,
                                              .type = CVY_BF16,
                                              .from = dy,
                                              .with = cvy_bf16_in_pieces(g) ? w->w : copy,
                                              .accumulate = accumulate,
                                              .to = dx,
                                              .ws = ws});
}

void cvy_conv_bf16_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *x,
                                    const cvy_bf16 *dy, float *dw, float *dbias, void *ws) {
    cvy_algorithm_run(
        cvy_algorithm_choose(algorithms[CVY_PASS_WEIGHTS], g, is_faster(compute, g, &gradients)),
        &(struct cvy_pass_call){
            .compute = compute, .g = g, .type = CVY_BF16, .from = x, .with = dy, .dbias = dbias, .to = dw, .ws = ws});
}
