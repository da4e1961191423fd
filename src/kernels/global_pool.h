/* Pooling over whole images: the mean or the maximum of each channel. */
#ifndef CVY_KERNELS_GLOBAL_POOL_H
#define CVY_KERNELS_GLOBAL_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tensor.h"
#include "kernels/compute.h"

struct cvy_global_pooling {
    int n;
    struct cvy_shape in;
    enum cvy_dtype type; /* CVY_F32 or CVY_BF16: of x, y and their gradients */
};

/* y: [n][c]. Rows are summed, then their sums. */
void cvy_global_mean_forward(const struct cvy_compute *compute, const struct cvy_global_pooling *g, const void *x,
                             void *y);
void cvy_global_mean_backward(const struct cvy_compute *compute, const struct cvy_global_pooling *g, const void *dy,
                              void *dx, bool accumulate);

/* argmax: [n][c], the pixel that won (the first of equals; NaN wins), for the backward pass; NULL when evaluating. */
void cvy_global_max_forward(const struct cvy_compute *compute, const struct cvy_global_pooling *g, const void *x,
                            void *y, int32_t *argmax);
void cvy_global_max_backward(const struct cvy_compute *compute, const struct cvy_global_pooling *g, const void *dy,
                             const int32_t *argmax, void *dx, bool accumulate);

#endif
