/* Depthwise convolution (Sifre 2014; Howard et al. 2017): every input channel has out.c / in.c filters of its own, and
 * output channel k reads input channel k / (out.c / in.c) alone. A named exception to the one family of products: there
 * is no sum over channels, so 16 channels side by side are what a vector holds.
 *
 * As kernels/conv/conv.h in everything else, with weights as panels of [r][s][1][k]. Backward-data reads the weights as
 * they are stored. */
#ifndef CVY_KERNELS_CONV_DEPTHWISE_H
#define CVY_KERNELS_CONV_DEPTHWISE_H

#include "kernels/conv/conv.h"

size_t cvy_depthwise_workspace(const struct cvy_conv *g);

void cvy_depthwise_forward(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x, const float *w,
                           const struct cvy_epilogue *epilogue, float *y, void *ws);
void cvy_depthwise_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, const float *dy,
                                 const float *w, float *dx, bool accumulate, void *ws);
void cvy_depthwise_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x,
                                    const float *dy, float *dw, float *dbias, void *ws);

#endif
