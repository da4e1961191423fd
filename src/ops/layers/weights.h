/* What convolution and dense layers share: a weight and a bias over the contraction kernels. Parameter 0 is the weight,
 * 1 the bias. */
#ifndef CVY_OPS_LAYERS_WEIGHTS_H
#define CVY_OPS_LAYERS_WEIGHTS_H

#include "kernels/conv/plan.h"
#include "ops/op.h"

/* How a layer's weight and bias start, and the two keys of its table that say so. */
struct cvy_weight_inits {
    struct cvy_init weight, bias;
};
#define CVY_WEIGHT_INIT_KEYS(type, member)                                                                             \
    {"init", CVY_KEY_INIT, offsetof(type, member.weight), "he_normal", CVY_KEY_ANY, NULL, "how the weights start"}, {  \
        "bias_init", CVY_KEY_INIT, offsetof(type, member.bias), "zero", CVY_KEY_ANY, "bias",                           \
            "how the bias starts: an initialiser that knows no fan"                                                    \
    }

/* Whether groups divide the input's channels and the filters; else a finding. */
bool cvy_weights_check_groups(const struct cvy_op *op, int64_t groups, int64_t filters, struct cvy_findings *findings);
/* Declares "weight" (dims) and, if wanted, "bias" ([last dim]). */
void cvy_weights_declare(struct cvy_op *op, const int64_t *dims, int rank, bool bias,
                         const struct cvy_weight_inits *inits);
/* Which passes a setting asks for, of a layer that goes forward as convolutions do. */
struct cvy_conv_setting cvy_weights_setting(const struct cvy_op *op, const struct cvy_op_setting *setting);
/* Plans a layer of this geometry, whose samples are the setting's. */
struct cvy_op_needs cvy_weights_plan(const struct cvy_op_setting *setting, const struct cvy_conv *g,
                                     const struct cvy_conv_setting *how, struct cvy_conv_plan *plan);

/* The passes. A frozen weight's gradient is zero. */
void cvy_weights_forward(const struct cvy_op *op, const struct cvy_conv_plan *plan, struct cvy_call *call);
void cvy_weights_backward_data(const struct cvy_conv_plan *plan, struct cvy_call *call);
/* plan, dy and grad of the call: of all outputs, or of some that are taken for a layer of their own. */
void cvy_weights_gradient(const struct cvy_op *op, const struct cvy_conv_plan *plan, struct cvy_call *call,
                          const void *dy, void *workspace);

#endif
