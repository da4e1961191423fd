/* Convolution as in kernels/conv/conv.h with x, y and their gradients in bf16: sums, bias, and the gradients of weight
 * and bias are in fp32. The weights are read from copies in bf16, pairs of neighbours in the sum, that are made once a
 * step:
 *
 *   forward         [⌈k/16⌉][r][s][⌈c/2⌉][16] pairs (c, c + 1)
 *   backward-data   the same of in and out swapped, taps mirrored, a part for each phase of the stride
 *
 * or, where Winograd's algorithm in fp32 is faster, by shape and ISA level, they are read as they are, and
 * backward-data has the flipped copy of conv.h. Large weights of dense layers are converted as they are used.
 *
 * Results differ between ISA levels by the order of sums and by how a level rounds within them; they depend neither on
 * the number of threads nor on anything but the operands. bf16 pointers need the alignment of a pair. */
#ifndef CVY_KERNELS_CONV_BF16_H
#define CVY_KERNELS_CONV_BF16_H

#include "kernels/bf16.h"
#include "kernels/conv/conv.h"

/* Bytes of `ws` below, as cvy_conv_workspace. */
size_t cvy_conv_bf16_workspace(const struct cvy_conv *g, int threads);

/* The weights, and the copy that cvy_conv_bf16_prepare made of them for calls of up to `most` samples: so many floats.
 * In training it serves both passes, else forward alone. */
struct cvy_bf16_weights {
    const float *w;
    float *copy;
    int most;
};
size_t cvy_conv_bf16_copy_floats(const struct cvy_conv *g, bool training);
void cvy_conv_bf16_prepare(const struct cvy_compute *compute, const struct cvy_conv *g,
                           const struct cvy_bf16_weights *w, bool training);

/* `epilogue` may be NULL; its residual points to bf16. */
void cvy_conv_bf16_forward(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *x,
                           const struct cvy_bf16_weights *w, const struct cvy_epilogue *epilogue, cvy_bf16 *y,
                           void *ws);
/* dx = (+=) */
void cvy_conv_bf16_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *dy,
                                 const struct cvy_bf16_weights *w, cvy_bf16 *dx, bool accumulate, void *ws);
void cvy_conv_bf16_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, const cvy_bf16 *x,
                                    const cvy_bf16 *dy, float *dw, float *dbias, void *ws);

#endif
