/* A convolution's geometry. Dense layers are the case r = s = h = w = 1.
 *
 *   y[n][oy][ox][k] = act(scale_k (Σ_rsc x[n][oy·stride_h − pad_top + r·dilation_h][…][c] w[r][s][c][k] + bias_k)
 *                         + shift_k + residual[n][oy][ox][k])
 *
 * Feature maps are NHWC. Weights are stored as panels (core/param.h): [⌈k/16⌉][r][s][c][16], lanes beyond k zero.
 * Padding at the bottom and at the right is what the output's size implies. Any size of 1 or more works.
 *
 * In groups (Krizhevsky et al. 2012) the i-th share of the channels goes to the i-th share of the filters, and weights
 * are panels of [r][s][c/groups][k]; an epilogue then has no residual. How it is computed: kernels/conv/plan.h. */
#ifndef CVY_KERNELS_CONV_CONV_H
#define CVY_KERNELS_CONV_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "core/tensor.h"

struct cvy_conv {
    int n;                    /* samples */
    struct cvy_shape in, out; /* h w c of x · oh ow k of y */
    int r, s;                 /* kernel height, width */
    int stride_h, stride_w;
    int pad_top, pad_left;
    int dilation_h, dilation_w;
    bool direct; /* by direct sums alone: never by Winograd's or Toom's algorithm */
    int groups;  /* a divisor of in.c and of out.c; 0 is 1 */
};

#endif
