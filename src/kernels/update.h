/* The steps of optimisers other than SGD (elementwise.h), averages of weights and clipping, over all threads; their
 * formulas stand in kernels/simd/update.h. */
#ifndef CVY_KERNELS_UPDATE_H
#define CVY_KERNELS_UPDATE_H

#include <stdint.h>

#include "kernels/compute.h"
#include "kernels/simd/update.h"

/* What a step goes over; slots in the order of its formula: adam m, v, top (or NULL) · rmsprop v, mean, speed (or NULL)
 * · adagrad sum · lars v · lamb m, v. */
struct cvy_update_vectors {
    float *w;
    const float *g;
    float *slot[3];
    int64_t count;
};

void cvy_adam_update(const struct cvy_compute *compute, const struct cvy_adam *how,
                     const struct cvy_update_vectors *of);
void cvy_rmsprop_update(const struct cvy_compute *compute, const struct cvy_rmsprop *how,
                        const struct cvy_update_vectors *of);
void cvy_adagrad_update(const struct cvy_compute *compute, const struct cvy_adagrad *how,
                        const struct cvy_update_vectors *of);
void cvy_lars_update(const struct cvy_compute *compute, const struct cvy_lars *how,
                     const struct cvy_update_vectors *of);
struct cvy_lamb_norms cvy_lamb_moments(const struct cvy_compute *compute, const struct cvy_lamb *how,
                                       const struct cvy_update_vectors *of);
void cvy_lamb_apply(const struct cvy_compute *compute, const struct cvy_lamb *how, const struct cvy_update_vectors *of);

/* Σ x², in double, over chunks whose size follows from `count` alone. */
double cvy_vec_sum_squares(const struct cvy_compute *compute, const float *x, int64_t count);
/* x = min(max(x·scale, −limit), limit); NaN stays. */
void cvy_vec_clamp(const struct cvy_compute *compute, float *x, float scale, float limit, int64_t count);
/* mean += share·(x − mean): an exponential moving average. */
void cvy_vec_average(const struct cvy_compute *compute, float *mean, const float *x, float share, int64_t count);

#endif
