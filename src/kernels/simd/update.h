/* The steps of optimisers, and what an ISA level gives to them. All vectors have `count`
 * floats; d stands for the gradient with L2 decay, grad_scale·g + weight_decay·w. g is only read. A lane that is zero
 * in w, g and all slots stays zero, as long as eps is above zero. Settings are in double so that 1 − 0.999 is 0.001
 * when it is rounded. */
#ifndef CVY_KERNELS_SIMD_UPDATE_H
#define CVY_KERNELS_SIMD_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

/* Stochastic gradient descent with momentum as PyTorch's SGD has it (Sutskever et al. 2013, dampening 0):
 *   g' = grad_scale·g + weight_decay·w;  v = momentum·v + g';  w −= lr·(nesterov ? g' + momentum·v : v)
 * With momentum 0, w −= lr·g' and v may be NULL. g is only read. */
struct cvy_sgd {
    float lr, momentum, weight_decay, grad_scale;
    bool nesterov;
};

/* Adam (Kingma & Ba 2015), with decay of its own (Loshchilov & Hutter 2019) where keep < 1:
 *   m = beta1·m + (1 − beta1)·d;  v = beta2·v + (1 − beta2)·d²;  top = max(top, v)
 *   w = keep·w − rate·m / (√v·root + eps), of top instead of v where there is one (Reddi et al. 2018)
 * rate = lr / (1 − beta1^t), root = 1/√(1 − beta2^t). */
struct cvy_adam {
    double grad_scale, weight_decay, beta1, beta2, eps, rate, root, keep;
};

/* RMSProp (Hinton 2012; centred: Graves 2013), as PyTorch has it; mean and speed may be NULL:
 *   v = alpha·v + (1 − alpha)·d²;  mean = alpha·mean + (1 − alpha)·d;  step = d / (√(v − mean²) + eps)
 *   speed = momentum·speed + step;  w −= lr·speed, or lr·step without */
struct cvy_rmsprop {
    double grad_scale, weight_decay, alpha, eps, momentum, lr;
};

/* AdaGrad (Duchi et al. 2011): sum += d²;  w −= lr·d / (√(sum + initial) + eps). */
struct cvy_adagrad {
    double grad_scale, weight_decay, initial, eps, lr;
};

/* LARS (You et al. 2017), given its local rate: v = momentum·v + rate·d;  w −= v. */
struct cvy_lars {
    double grad_scale, weight_decay, momentum, rate;
};

/* LAMB (You et al. 2019) in two passes. The first brings the moments up to date (with d = grad_scale·g) and gives the
 * norms of w and of the update u = mean·m / (√v·root + eps) + weight_decay·w; the second is w −= rate·u. */
struct cvy_lamb {
    double grad_scale, weight_decay, beta1, beta2, eps, mean, root, rate;
};
struct cvy_lamb_norms {
    double w, u;
};

/* What an ISA level gives: each loop on one task's part. */
struct cvy_update_loops {
    void (*adam)(const struct cvy_adam *how, float *w, const float *g, float *m, float *v, float *top, int64_t count);
    void (*rmsprop)(const struct cvy_rmsprop *how, float *w, const float *g, float *v, float *mean, float *speed,
                    int64_t count);
    void (*adagrad)(const struct cvy_adagrad *how, float *w, const float *g, float *sum, int64_t count);
    void (*lars)(const struct cvy_lars *how, float *w, const float *g, float *v, int64_t count);
    void (*lamb_moments)(const struct cvy_lamb *how, const float *w, const float *g, float *m, float *v, int64_t count,
                         struct cvy_lamb_norms *squares);
    void (*lamb_apply)(const struct cvy_lamb *how, float *w, const float *m, const float *v, int64_t count);
    double (*sum_squares)(const float *x, int64_t count);
    void (*clamp)(float *x, float scale, float limit, int64_t count);
    void (*average)(float *mean, const float *x, float share, int64_t count);
};

#endif
