/* The parametric rectifier (He et al. 2015): y = x, below 0 slope_c·x, with a slope for each channel. */
#ifndef CVY_KERNELS_PRELU_H
#define CVY_KERNELS_PRELU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/compute.h"

struct cvy_prelu {
    int64_t pixels;
    int channels;
    const float *x;     /* [pixels][channels] */
    const float *slope; /* [channels] */
};

/* x may be y. */
void cvy_prelu_forward(const struct cvy_compute *compute, const struct cvy_prelu *of, float *y);

/* Bytes of `ws`, which is aligned to CVY_ALIGN. */
size_t cvy_prelu_workspace(int64_t pixels, int channels);
/* dx = (+=) dy, below 0 slope_c·dy (NULL: not wanted; may be dy); dslope: [channels] Σ dy·x below 0, set. */
void cvy_prelu_backward(const struct cvy_compute *compute, const struct cvy_prelu *of, const float *dy, float *dx,
                        float *dslope, bool accumulate, void *ws);

#endif
