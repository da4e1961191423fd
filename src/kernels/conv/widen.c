/* Few output channels. With k of 8 or fewer most lanes of a vector would idle, so q neighbouring output pixels are
 * taken for one pixel of q·k channels, which is how they lie in NHWC. The kernel becomes wider, with zeros where a
 * pixel's own taps are not, and the stride q times as large (k 6, s 5, q 2: 12 of 16 lanes for 6/5 of the
 * multiplications):
 *
 *   input columns        0 1 2 3 4 5
 *   pixel 0, channels k  w w w w w 0     panel row s' = s + i·stride of pixel i holds w[s]
 *   pixel 1, channels k  0 w w w w w
 *
 * The gradient of the wide weights is folded back by adding the q copies of each. (An infinite input makes NaN of its
 * neighbours' outputs as well: ∞·0.) */
#include <string.h>

#include "kernels/conv/parts.h"

enum { WORTHWHILE_ROWS = 8 /* of a product; with fewer, sums wait for themselves */ };

static int cost(const struct cvy_conv *g, int pixels) {
    return (g->s + (pixels - 1) * g->stride_w) * cvy_max(g->out.w / pixels, WORTHWHILE_ROWS);
}

struct cvy_conv cvy_widen(const struct cvy_conv *g) {
    int best = 1;
    if (g->dilation_w == 1 && !cvy_conv_is_pointwise(g))
        for (int q = 2; q * g->out.c <= CVY_PANEL; q++)
            if (g->out.w % q == 0 && cost(g, q) < cost(g, best)) best = q;
    struct cvy_conv wide = *g;
    wide.s += (best - 1) * g->stride_w;
    wide.stride_w *= best;
    wide.out.w /= best;
    wide.out.c *= best;
    return wide;
}

static size_t weight_floats(const struct cvy_conv *wide) {
    return (size_t)wide->r * wide->s * wide->in.c * CVY_PANEL;
}

size_t cvy_wide_floats(const struct cvy_conv *g, const struct cvy_conv *wide) {
    return wide->s == g->s ? 0 : weight_floats(wide) + 3 * (size_t)CVY_PANEL;
}

/* Calls body with the places of each weight, [16] of (r, s, c), and of each of its copies: k lanes from `to` on. */
#define EACH_COPY(g, wide, from, to)                                                                                   \
    for (int r = 0; r < (g)->r; r++)                                                                                   \
        for (int s = 0; s < (g)->s; s++)                                                                               \
            for (int i = 0; i < (wide)->out.c / (g)->out.c; i++)                                                       \
                for (int c = 0; c < (g)->in.c; c++)                                                                    \
                    for (ptrdiff_t                                                                                     \
                             from = ((((ptrdiff_t)r * (g)->s + s) * (g)->in.c) + c) * CVY_PANEL,                       \
                             to = ((((ptrdiff_t)r * (wide)->s + s + i * (g)->stride_w) * (g)->in.c) + c) * CVY_PANEL + \
                                  i * (g)->out.c,                                                                      \
                             once = 1;                                                                                 \
                         once; once = 0)

static const float *repeat(const float *from, int k, float *out) {
    if (from == NULL) return NULL;
    for (int j = 0; j < CVY_PANEL; j++) out[j] = from[j % k];
    return out;
}

void cvy_wide_operands(const struct cvy_conv *g, const struct cvy_conv *wide, const float *w,
                       const struct cvy_epilogue *epilogue, float *out, struct cvy_epilogue *wide_epilogue) {
    memset(out, 0, weight_floats(wide) * sizeof *out);
    EACH_COPY(g, wide, from, to) {
        for (int j = 0; j < g->out.c; j++) out[to + j] = w[from + j];
    }
    if (epilogue == NULL) return;
    float *vectors = out + weight_floats(wide);
    *wide_epilogue = *epilogue;
    wide_epilogue->bias = repeat(epilogue->bias, g->out.c, vectors);
    wide_epilogue->scale = repeat(epilogue->scale, g->out.c, vectors + CVY_PANEL);
    wide_epilogue->shift = repeat(epilogue->shift, g->out.c, vectors + 2 * CVY_PANEL);
}

void cvy_wide_fold(const struct cvy_conv *g, const struct cvy_conv *wide, const float *wide_dw, const float *wide_dbias,
                   float *dw, float *dbias) {
    memset(dw, 0, (size_t)g->r * g->s * g->in.c * CVY_PANEL * sizeof *dw);
    EACH_COPY(g, wide, from, to) {
        for (int j = 0; j < g->out.c; j++) dw[from + j] += wide_dw[to + j];
    }
    if (dbias == NULL) return;
    memset(dbias, 0, CVY_PANEL * sizeof *dbias);
    for (int j = 0; j < wide->out.c; j++) dbias[j % g->out.c] += wide_dbias[j];
}
