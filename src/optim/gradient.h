/* What is done to the batch's mean gradient between its sum and the optimiser: clipping, then noise. It sees the
 * reduced gradient alone, so it is the same on every number of ranks; parameters that do not learn take no part. */
#ifndef CVY_OPTIM_GRADIENT_H
#define CVY_OPTIM_GRADIENT_H

#include "core/tree/node.h"
#include "core/param.h"
#include "core/tree/schema.h"
#include "kernels/compute.h"

struct cvy_gradient_rule {
    double clip_value, clip_norm;  /* 0: none */
    double noise_eta, noise_gamma; /* eta 0: none */
};

/* Reads clip ({value: v} or {norm: v}) and gradient_noise ({eta: , gamma: }); either may be NULL. */
void cvy_gradient_read(const struct cvy_node *clip, const struct cvy_node *noise, struct cvy_gradient_rule *out,
                       struct cvy_findings *findings);

/* What it reads: train.clip, train.gradient_noise. */
bool cvy_gradient_list(int index, struct cvy_listing *out);

/* Whether the rule sees all floats at once; else any range at a time will do. */
bool cvy_gradient_needs_all(const struct cvy_gradient_rule *rule);

struct cvy_gradient {
    float *sum; /* [end − first] of the parameters, summed over the batch; changed in place */
    size_t first, end;
    double scale; /* 1 / samples */
    uint64_t seed;
    int64_t step; /* of the update, from 1 */
};
/* Floats [first, end). Gives the factor that makes what is then in `sum` the gradient to update with:
 *   value: min(max(g, −v), v)
 *   norm:  g·min(1, v / (‖g‖ + 1e-6)), ‖g‖ over all parameters that learn (Pascanu et al. 2013, as in PyTorch)
 *   noise: g + N(0, η/(1 + t)^γ), t steps before this one (Neelakantan et al. 2015), after clipping; a function of
 *          (seed, parameter's name, step, logical index) */
double cvy_gradient_apply(const struct cvy_gradient_rule *rule, const struct cvy_compute *compute,
                          const struct cvy_params *params, const struct cvy_gradient *gradient);

/* √Σ g² over all parameters that learn, of the vector as it is. */
double cvy_gradient_norm(const struct cvy_compute *compute, const struct cvy_params *params, const float *gradient);

/* sum = sum·scale + sigma·N(0, 1) in one parameter, not in its padding. `sum` is the parameter's own part. */
void cvy_gradient_add_noise(const struct cvy_compute *compute, const struct cvy_param *param, uint64_t seed,
                            int64_t step, double scale, double sigma, float *sum);

#endif
