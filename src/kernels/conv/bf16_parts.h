/* Private to the convolution of bf16. */
#ifndef CVY_KERNELS_CONV_BF16_PARTS_H
#define CVY_KERNELS_CONV_BF16_PARTS_H

#include "kernels/simd/bf16_table.h"
#include "kernels/conv/bf16.h"
#include "kernels/conv/parts.h"

/* Pairs of the copies that forward and that backward-data reads. */
size_t cvy_bf16_forward_pairs(const struct cvy_conv *g);
size_t cvy_bf16_backward_pairs(const struct cvy_conv *g);
void cvy_bf16_pack(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, cvy_pair *out);
void cvy_bf16_flip(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, cvy_pair *out);

/* Some panels of the copies of a 1×1 kernel from c to k: of forward's, and of backward-data's. */
void cvy_bf16_pack_panels(const struct cvy_compute *compute, const float *w, int c, int panel, int panels,
                          cvy_pair *out);
void cvy_bf16_flip_panels(const struct cvy_compute *compute, const float *w, int c, int k, int panel, int panels,
                          cvy_pair *out);

/* y[n][k] (+)= x[n][c] · w, or its transpose, for dense layers of large weights; w in fp32. */
struct cvy_bf16_pieces {
    int n, c, k;
    const float *w;
    bool turned; /* w is of the layer that goes from k to c */
    const struct cvy_epilogue *epilogue;
    bool accumulate;
};
bool cvy_bf16_in_pieces(const struct cvy_conv *g);
size_t cvy_bf16_pieces_scratch(const struct cvy_bf16_pieces *how); /* pairs a thread */
void cvy_bf16_pieces_pass(const struct cvy_compute *compute, const struct cvy_bf16_pieces *how, const cvy_pair *x,
                          void *y, cvy_pair *scratch);

/* Backward-weights on pairs, as cvy_conv_bf16_backward_weights. */
size_t cvy_bf16_weights_workspace(const struct cvy_conv *g, int threads); /* floats */
void cvy_bf16_weights_pass(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *x,
                           const cvy_bf16 *dy, float *dw, float *dbias, float *ws);

#endif
