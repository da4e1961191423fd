/* The parametric rectifier (He et al. 2015): y = x, below 0 slope_c·x, with a slope for each channel. */
#ifndef CVY_KERNELS_PRELU_H
#define CVY_KERNELS_PRELU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/compute.h"

/* [pixels][channels]; x may be y. */
void cvy_prelu_forward(const struct cvy_compute *compute, int64_t pixels, int channels, const float *x,
                       const float *slope, float *y);

/* Bytes of `ws`, which is aligned to CVY_ALIGN. */
size_t cvy_prelu_workspace(int64_t pixels, int channels);
/* dx = (+=) dy, below 0 slope_c·dy (NULL: not wanted; may be dy); dslope: [channels] Σ dy·x below 0, set. */
void cvy_prelu_backward(const struct cvy_compute *compute, int64_t pixels, int channels, const float *x,
                        const float *slope, const float *dy, float *dx, float *dslope, bool accumulate, void *ws);

#endif
