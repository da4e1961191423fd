/* Images of another size, each output pixel made of one input pixel or of four: up-sampling, and padding by what lies
 * inside. */
#ifndef CVY_KERNELS_RESAMPLE_H
#define CVY_KERNELS_RESAMPLE_H

#include <stdbool.h>

#include "core/tensor.h"
#include "kernels/compute.h"

/* Where output pixel o of `out` lies along an axis of `in` input pixels (PyTorch's interpolate and pad):
 *
 *   nearest           ⌊o·in/out⌋
 *   bilinear          between the two beside (o + 1/2)·in/out − 1/2, at least 0
 *   bilinear_aligned  between the two beside o·(in − 1)/(out − 1): corners fall on corners
 *   reflect           |o − pad|, mirrored at the last pixel too
 *   replicate         o − pad within 0 … in − 1 */
enum cvy_resample_kind {
    CVY_RESAMPLE_NEAREST,
    CVY_RESAMPLE_BILINEAR,
    CVY_RESAMPLE_BILINEAR_ALIGNED,
    CVY_RESAMPLE_REFLECT,
    CVY_RESAMPLE_REPLICATE
};

struct cvy_resample {
    int n;
    struct cvy_shape in, out; /* the same c */
    enum cvy_resample_kind kind;
    int pad_top, pad_left; /* reflect (every pad below the size) and replicate */
};

void cvy_resample_forward(const struct cvy_compute *compute, const struct cvy_resample *g, const float *x, float *y);
/* dx = (+=) the transpose applied to dy. */
void cvy_resample_backward(const struct cvy_compute *compute, const struct cvy_resample *g, const float *dy, float *dx,
                           bool accumulate);

#endif
