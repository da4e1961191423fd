/* Convolution as in kernels/conv.h with x, y and their gradients in bf16: sums, bias, and the gradients of weight and
 * bias are in fp32. The weights are read from copies in bf16, pairs of neighbours in the sum, that are made once a
 * step:
 *
 *   forward         [⌈k/16⌉][r][s][⌈c/2⌉][16] pairs (c, c + 1)
 *   backward-data   the same of in and out swapped, taps mirrored, a part for each phase of the stride
 *
 * Results differ between ISA levels by the order of sums and by how a level rounds within them; they depend neither on
 * the number of threads nor on anything but the operands. bf16 pointers need the alignment of a pair. */
#ifndef CVY_KERNELS_CONV_BF16_H
#define CVY_KERNELS_CONV_BF16_H

#include "kernels/bf16.h"
#include "kernels/conv.h"

/* Bytes of `ws` below, as cvy_conv_workspace. */
size_t cvy_conv_bf16_workspace(const struct cvy_conv *g, int threads);

/* Pairs of the copy that forward and that backward-data reads. */
size_t cvy_conv_bf16_forward_pairs(const struct cvy_conv *g);
size_t cvy_conv_bf16_backward_pairs(const struct cvy_conv *g);
void cvy_conv_bf16_pack(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, cvy_pair *out);
void cvy_conv_bf16_flip(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, cvy_pair *out);

/* `w` is what cvy_conv_bf16_pack made. `epilogue` may be NULL; its residual points to bf16. */
void cvy_conv_bf16_forward(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *x,
                           const cvy_pair *w, const struct cvy_epilogue *epilogue, cvy_bf16 *y, void *ws);
/* dx = (+=); `wt` is what cvy_conv_bf16_flip made. */
void cvy_conv_bf16_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *dy,
                                 const cvy_pair *wt, cvy_bf16 *dx, bool accumulate, void *ws);
void cvy_conv_bf16_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *x,
                                    const cvy_bf16 *dy, float *dw, float *dbias, void *ws);

#endif
