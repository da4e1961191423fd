/* Convolution in groups (Krizhevsky et al. 2012): group i of `groups` takes the i-th share of the input channels to the
 * i-th share of the output channels. Weights are panels of [r][s][c/groups][k]. One group is kernels/conv/conv.h,
 * groups of one channel are kernels/conv/depthwise.h; in between each group's channels are copied out, convolved
 * densely, and copied back.
 *
 * The functions are those of kernels/conv/conv.h with `groups` (a divisor of in.c and of out.c) beside the geometry of
 * the whole; an epilogue has no residual unless groups is 1. */
#ifndef CVY_KERNELS_CONV_GROUPED_H
#define CVY_KERNELS_CONV_GROUPED_H

#include "kernels/conv/conv.h"

bool cvy_grouped_transforms(const struct cvy_conv *g, int groups);
size_t cvy_grouped_workspace(const struct cvy_conv *g, int groups, int threads);
void cvy_grouped_forward(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *x,
                         const float *w, const struct cvy_epilogue *epilogue, float *y, void *ws);
size_t cvy_grouped_flip_floats(const struct cvy_conv *g, int groups);
void cvy_grouped_flip(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *w,
                      float *wt);
void cvy_grouped_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *dy,
                               const float *wt, float *dx, bool accumulate, void *ws);
void cvy_grouped_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, int groups,
                                  const float *x, const float *dy, float *dw, float *dbias, void *ws);

#endif
