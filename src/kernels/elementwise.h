/* Loops over flat vectors: activations, dropout, sums, the SGD update. Feature maps and their gradients are of a type,
 * CVY_F32 or CVY_BF16; each number is computed in fp32 and rounded once, as it is stored. Counts are in numbers. */
#ifndef CVY_KERNELS_ELEMENTWISE_H
#define CVY_KERNELS_ELEMENTWISE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/rng.h"
#include "core/tensor.h"
#include "kernels/compute.h"
#include "kernels/simd/act.h"
#include "kernels/simd/update.h"

/* y = act(x); x may be y. tanh and sigmoid are within about 2 ulp. NaN stays NaN. */
void cvy_act_forward(const struct cvy_compute *compute, enum cvy_dtype type, struct cvy_act act, const void *x, void *y,
                     int64_t count);
/* dx = (+=) dy · act'; `from` is y or x, as the list says (may be NULL for NOTHING); dy may be dx. relu passes dy where
 * !(y ≤ 0). Needs a ≥ 0 of leaky_relu and elu. */
void cvy_act_backward(const struct cvy_compute *compute, enum cvy_dtype type, struct cvy_act act, const void *from,
                      const void *dy, void *dx, int64_t count, bool accumulate);

/* Which random numbers samples are given: a function of (stream, epoch, ids[sample], element), so that they depend
 * neither on the batch nor on the rank that a sample is in. */
struct cvy_draws {
    struct cvy_stream stream;
    uint32_t epoch;
    const int64_t *ids; /* [n] */
    int n;
};

/* Dropout (Srivastava et al. 2014, "inverted"): to = from/(1−p) where kept, 0 where dropped (with probability p, 0 ≤ p
 * < 1); forward from x to y, backward from dy to dx. The mask is drawn again and never stored. [n][shape]; `to` may be
 * `from`. */
struct cvy_dropout {
    struct cvy_draws draws;
    struct cvy_shape shape;
    float p;
    enum cvy_dtype type;
};
void cvy_dropout(const struct cvy_compute *compute, const struct cvy_dropout *how, const void *from, void *to,
                 bool accumulate);
/* Spatial dropout (Tompson et al. 2015): the same for whole channels, drawn by channel. */
void cvy_channel_dropout(const struct cvy_compute *compute, const struct cvy_dropout *how, const void *from, void *to,
                         bool accumulate);

/* y = x + std·(normal numbers). [n][per_sample]; x may be y. */
void cvy_gaussian_noise(const struct cvy_compute *compute, const struct cvy_draws *draws, int64_t per_sample,
                        double std, const float *x, float *y);

void cvy_vec_add(const struct cvy_compute *compute, float *dst, const float *a, int64_t count); /* dst += a */
void cvy_tensor_add(const struct cvy_compute *compute, enum cvy_dtype type, void *dst, const void *a, int64_t count);
void cvy_tensor_fill(const struct cvy_compute *compute, enum cvy_dtype type, void *dst, float value, int64_t count);
void cvy_vec_scale(const struct cvy_compute *compute, float *dst, float factor, int64_t count); /* dst *= factor */
/* dst += a in the calling thread alone: the same bits as cvy_vec_add, for threads that are not the pool's caller. */
void cvy_vec_add_serial(const struct cvy_compute *compute, float *dst, const float *a, int64_t count);

/* y = Σ x_i of two or more tensors of one size and type; y may be any of them. */
void cvy_sum_of(const struct cvy_compute *compute, const struct cvy_tensor *x, int inputs, void *y);
/* y = Π x_i, and dx_k = (+=) dy · Π x_i over all i but k; the result may not be an input. */
void cvy_product_of(const struct cvy_compute *compute, const struct cvy_tensor *x, int inputs, void *y);
void cvy_product_of_backward(const struct cvy_compute *compute, const struct cvy_tensor *x, int inputs, int k,
                             const void *dy, void *dx, bool accumulate);

/* One step of kernels/simd/update.h; v may be NULL with momentum 0. */
void cvy_sgd_update(const struct cvy_compute *compute, const struct cvy_sgd *how, float *w, const float *g, float *v,
                    int64_t count);

#endif
