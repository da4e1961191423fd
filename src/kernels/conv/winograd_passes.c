/* The passes of a convolution by Winograd's algorithm, and where it pays: by the shape, and for bf16 by the ISA level,
 * since its products are of fp32 there too. */
#include "core/memory.h"
#include "kernels/conv/parts.h"
#include "kernels/conv/winograd.h"

/* ---- where it pays ---- */

/* Whether it can, for enough samples. */
static bool fits(const struct cvy_conv *g) {
    enum { CHANNELS = 16 }; /* fewer: transforms cost more than the products save */
    return g->r == g->s && (g->r == 3 || g->r == 5) && g->stride_h == 1 && g->stride_w == 1 && g->dilation_h == 1 &&
           g->dilation_w == 1 && cvy_min(g->in.c, g->out.c) >= CHANNELS &&
           cvy_min(g->out.h, g->out.w) > cvy_winograd_out(g->r);
}
static int64_t outputs(const struct cvy_conv *g) {
    return (int64_t)g->n * g->out.h * g->out.w;
}

static bool pays(const struct cvy_conv *g) {
    enum { PIXELS = 256 }; /* likewise */
    return fits(g) && outputs(g) >= PIXELS;
}
static bool applicable(const struct cvy_conv_case *c) {
    return pays(c->g);
}

/* Where it pays forward to transform the filters once for many calls: for so few tiles that the transform would be much
 * of the work. */
static bool pays_cached(const struct cvy_conv *g) {
    enum {
        PIXELS = 128,      /* fewer: to read U takes as long as the direct sum */
        PIXELS_MOST = 4096 /* more: U takes memory and saves little */
    };
    return fits(g) && outputs(g) >= PIXELS && outputs(g) <= PIXELS_MOST;
}

static struct cvy_conv largest(const struct cvy_conv_case *c) {
    struct cvy_conv g = *c->g;
    g.n = c->most;
    return g;
}

/* The copy is for all leaves, so the largest says whether it is made. */
static bool applicable_cached(const struct cvy_conv_case *c) {
    const struct cvy_conv g = largest(c);
    return c->fixed && pays_cached(&g) && pays_cached(c->g);
}

/* From where on it beats products of pairs by instructions that do twice as many: of fewer channels, whose transforms
 * cost more than they save of the products, only where there are many outputs to share the rounds among. */
struct limits {
    int channels, outputs;
    int saved; /* multiplications of the direct sum for one of Winograd's: what tiles over the edge leave of it */
};
static const struct limits both_ways[] = {{64, 1024, 3}, {32, 1 << 14, 3}}, gradients[] = {{32, 256, 0}};
enum { BOTH_WAYS = 2, GRADIENTS = 1 };

static bool reaches(const struct cvy_conv *g, const struct limits *from) {
    const int out = cvy_winograd_out(g->r);
    const int64_t direct = (int64_t)g->out.h * g->out.w * g->r * g->s;
    const int64_t tiles = (int64_t)cvy_ceil_div(g->out.h, out) * cvy_ceil_div(g->out.w, out);
    return cvy_min(g->in.c, g->out.c) >= from->channels && outputs(g) >= from->outputs &&
           direct >= from->saved * tiles * CVY_WINOGRAD_POINTS;
}

/* Tiles of amx are always faster; levels below avx512bf16 have fp32's instructions alone. */
static bool beats_pairs(const struct cvy_compute *compute, const struct cvy_conv *g, const struct limits *from,
                        int count) {
    if (compute->level == CVY_ISA_AMX || !pays(g)) return false;
    bool reached = compute->level != CVY_ISA_AVX512BF16;
    for (int i = 0; i < count; i++) reached |= reaches(g, &from[i]);
    return reached;
}

/* Forward and backward-data: for all leaves or none, so that they share what is made of the weights. */
static bool applicable_bf16(const struct cvy_conv_case *c) {
    const struct cvy_conv g = largest(c);
    return beats_pairs(c->compute, &g, both_ways, BOTH_WAYS);
}
static bool applicable_bf16_gradient(const struct cvy_conv_case *c) {
    return beats_pairs(c->compute, c->g, gradients, GRADIENTS);
}

/* ---- forward ---- */

static struct cvy_winograd forward_of(const struct cvy_conv *g, enum cvy_dtype type) {
    return (struct cvy_winograd){.type = type,
                                 .n = g->n,
                                 .taps = g->r,
                                 .in = g->in,
                                 .out = g->out,
                                 .pad_top = g->pad_top,
                                 .pad_left = g->pad_left};
}
static struct cvy_winograd cached_of(const struct cvy_conv *g) {
    struct cvy_winograd pass = forward_of(g, CVY_F32);
    pass.cached = true;
    return pass;
}

static size_t tile_forward(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct cvy_winograd pass = forward_of(c->g, c->type);
    return cvy_winograd_tile(&pass, c->compute->threads, out);
}
static size_t tile_cached(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct cvy_winograd pass = cached_of(c->g);
    return cvy_winograd_tile(&pass, c->compute->threads, out);
}

static size_t filter_floats(const struct cvy_conv *g) {
    const struct cvy_winograd pass = cached_of(g);
    return cvy_winograd_filter_floats(&pass);
}
static void filters(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *out) {
    const struct cvy_winograd pass = cached_of(g);
    cvy_winograd_filters(compute, &pass, w, out);
}
static const struct cvy_weights_copy transformed = {"transformed", filter_floats, filters};

/* ---- backward-data ---- */

/* dx is a convolution of dy with the mirrored weights, padded to what forward left out. */
static size_t tile_data(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct cvy_conv *g = c->g;
    const struct cvy_winograd pass = {.type = c->type,
                                      .n = g->n,
                                      .taps = g->r,
                                      .in = g->out,
                                      .out = g->in,
                                      .pad_top = g->r - 1 - g->pad_top,
                                      .pad_left = g->s - 1 - g->pad_left};
    return cvy_winograd_tile(&pass, c->compute->threads, out);
}

/* ---- the rows ---- */

#define WINOGRAD(element, applies, tiles, weights, function)                                                           \
    {                                                                                                                  \
        .name = "winograd", .type = element, .transforms = true, .applicable = applies, .tile = tiles,                 \
        .copy = weights, .run = function,                                                                              \
    }
#define PASS(element, applies, tiles, weights) WINOGRAD(element, applies, tiles, weights, cvy_winograd_pass)
#define GRADIENT(element, applies)             WINOGRAD(element, applies, cvy_winograd_tile_gradient, NULL, cvy_winograd_gradient)
const struct cvy_algorithm cvy_forward_winograd_cached = PASS(CVY_F32, applicable_cached, tile_cached, &transformed),
                           cvy_forward_winograd = PASS(CVY_F32, applicable, tile_forward, NULL),
                           cvy_forward_bf16_winograd = PASS(CVY_BF16, applicable_bf16, tile_forward, NULL),
                           cvy_data_winograd = PASS(CVY_F32, applicable, tile_data, &cvy_mirrored),
                           cvy_data_bf16_winograd = PASS(CVY_BF16, applicable_bf16, tile_data, &cvy_mirrored),
                           cvy_gradient_winograd = GRADIENT(CVY_F32, applicable),
                           cvy_gradient_bf16_winograd = GRADIENT(CVY_BF16, applicable_bf16_gradient);
