/* What the loops of normalisations are given. */
#ifndef CVY_KERNELS_SIMD_NORM_H
#define CVY_KERNELS_SIMD_NORM_H

#include "core/tensor.h"

/* [units][channels] each. */
struct cvy_norm_map {
    const float *mean, *scale, *shift;
    const float *slope;         /* of dy; backward only */
    const float *gain, *offset; /* backward only, NULL: none; forward's scale and shift, where a ReLU came after it */
};

/* Which elements of dy went through a ReLU: those whose y before it is made again by a map from x; or is to be read
 * from y, and then what is left of dy goes to dz, which may be dy. */
struct cvy_norm_mask {
    const struct cvy_norm_map *map;
    const void *y;
    void *dz;
};

/* What the sums of products are of: Σ dy and Σ dy·(x − mean). mask: NULL for the whole dy. */
struct cvy_norm_factors {
    const void *x, *dy;
    const double *mean;
    const struct cvy_norm_mask *mask;
};

/* Local response normalisation across channels (Krizhevsky et al. 2012, §3.3):
 *
 *   y_c = x_c / s_c^β,   s_c = k + a·Σ x_j²,   j from c − ⌊size/2⌋ to c + ⌊(size − 1)/2⌋ where there is such a channel
 */
struct cvy_lrn {
    int64_t pixels;
    int channels, size;
    float a, beta, k;
    enum cvy_dtype type; /* CVY_F32 or CVY_BF16: of x, y and their gradients */
};

#endif
