/* Convolution in its three passes, fp32, NHWC. Dense layers are the case r = s = h = w = 1.
 *
 *   y[n][oy][ox][k] = act(scale_k (Σ_rsc x[n][oy·stride_h − pad_top + r·dilation_h][…][c] w[r][s][c][k] + bias_k)
 *                         + shift_k + residual[n][oy][ox][k])
 *
 * Weights are stored as panels (core/param.h): [⌈k/16⌉][r][s][c][16], lanes beyond k zero. Padding at the bottom and at
 * the right is what the output's size implies. Results do not depend on the number of threads. Any size of 1 or more
 * works; pointers need the alignment of a float only. No call allocates. */
#ifndef CVY_KERNELS_CONV_CONV_H
#define CVY_KERNELS_CONV_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "core/tensor.h"
#include "kernels/compute.h"
#include "kernels/simd/epilogue.h"

struct cvy_conv {
    int n;                    /* samples */
    struct cvy_shape in, out; /* h w c of x · oh ow k of y */
    int r, s;                 /* kernel height, width */
    int stride_h, stride_w;
    int pad_top, pad_left;
    int dilation_h, dilation_w;
    bool direct; /* by direct sums alone: never by Winograd's or Toom's algorithm */
};

/* Whether a pass may go by Winograd's or Toom's algorithm. Those give exact zeros where a whole channel is zero: dw of
 * channels of x or dy that are, y and dx of filters and channels whose weights are. Elsewhere a sum of zeros alone may
 * come out as rounding noise: 1e-6 of the largest sum. */
bool cvy_conv_transforms(const struct cvy_conv *g);

/* Bytes of `ws` below: the most that any of the three passes wants with this number of threads. `ws` is aligned to
 * CVY_ALIGN, holds nothing between calls, and may be NULL when 0 bytes are wanted. */
size_t cvy_conv_workspace(const struct cvy_conv *g, int threads);

/* y is overwritten. `epilogue` may be NULL. */
void cvy_conv_forward(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x, const float *w,
                      const struct cvy_epilogue *epilogue, float *y, void *ws);

/* What evaluation keeps beside weights that stay as they are over many calls: floats, aligned to CVY_ALIGN, 0 where it
 * would not pay. Made for a g of some n, it serves every n; forward with it rounds otherwise than without. */
size_t cvy_conv_kept_floats(const struct cvy_conv *g);
void cvy_conv_keep(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *kept);
void cvy_conv_forward_kept(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x, const float *w,
                           const float *kept, const struct cvy_epilogue *epilogue, float *y, void *ws);

/* The copy of the weights that backward-data reads, made once a step: in and out swapped, taps mirrored, one part per
 * phase of the stride (of the input pixels with iy + pad_top ≡ phase mod stride_h, likewise in x); or what else suits
 * the shape. */
size_t cvy_conv_flip_floats(const struct cvy_conv *g);
void cvy_conv_flip(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *wt);

/* dx = (or, with accumulate, +=) the gradient with respect to x. `wt` is what cvy_conv_flip made. */
void cvy_conv_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, const float *dy,
                            const float *wt, float *dx, bool accumulate, void *ws);

/* dw (panels, padding lanes zero) and dbias (padded to 16 as stored; may be NULL) are overwritten by the sums over the
 * n samples. */
void cvy_conv_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x,
                               const float *dy, float *dw, float *dbias, void *ws);

#endif
