/* Transposed convolution (Zeiler et al. 2010): the transpose of a convolution's matrix run forward, so its passes are
 * those of that convolution's plan with their roles exchanged: forward is backward-data, and the other way round. Of
 * the plan's geometry, `in` is what the layer puts out, `out` what the layer takes. Weights are panels of
 * [r][s][outputs][inputs]: HWIO of that convolution; with groups [r][s][outputs/groups][inputs]. In fp32. */
#ifndef CVY_KERNELS_CONV_TRANSPOSED_H
#define CVY_KERNELS_CONV_TRANSPOSED_H

#include "kernels/conv/plan.h"

/* Bytes of `ws` below, for up to the plan's samples. */
size_t cvy_transposed_workspace(const struct cvy_conv_plan *plan);

/* y [n][in] = the convolution's backward-data of x [n][out], + bias [in.c] (may be NULL). */
void cvy_transposed_forward(const struct cvy_conv_plan *plan, int n, const float *x, struct cvy_conv_weights weights,
                            const float *bias, float *y, void *ws);
/* dx [n][out] (+)= the convolution of dy [n][in]. */
void cvy_transposed_backward_data(const struct cvy_conv_plan *plan, int n, const float *dy,
                                  struct cvy_conv_weights weights, float *dx, bool accumulate, void *ws);
/* dw as stored; dbias [in.c padded to 16] may be NULL. */
void cvy_transposed_backward_weights(const struct cvy_conv_plan *plan, int n, const float *x, const float *dy,
                                     float *dw, float *dbias, void *ws);

#endif
