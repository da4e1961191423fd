/* Transposed convolution (Zeiler et al. 2010): the transpose of a convolution's matrix run forward, so its passes are
 * those of kernels/conv/grouped.h with their roles exchanged. `g` is that convolution: its `in` is what the layer puts
 * out, its `out` what the layer takes. Weights are panels of [r][s][outputs][inputs]: HWIO of that convolution; with
 * groups [r][s][outputs/groups][inputs]. */
#ifndef CVY_KERNELS_CONV_TRANSPOSED_H
#define CVY_KERNELS_CONV_TRANSPOSED_H

#include "kernels/conv/conv.h"

size_t cvy_transposed_workspace(const struct cvy_conv *g, int groups, int threads);

/* y [n][g.in] = the convolution's backward-data of x [n][g.out], + bias [g.in.c] (may be NULL). `wt` is
 * cvy_grouped_flip's copy of the weights. */
void cvy_transposed_forward(const struct cvy_compute *compute, const struct cvy_conv *g, int groups, const float *x,
                            const float *wt, const float *bias, float *y, void *ws);
/* dx [n][g.out] (+)= the convolution of dy [n][g.in]. */
void cvy_transposed_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, int groups,
                                  const float *dy, const float *w, float *dx, bool accumulate, void *ws);
/* dw as stored; dbias [g.in.c padded to 16] may be NULL. */
void cvy_transposed_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, int groups,
                                     const float *x, const float *dy, float *dw, float *dbias, void *ws);

#endif
