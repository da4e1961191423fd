/* Element-wise activations whose derivative follows from their output alone, so they work in place. */
#include "kernels/eltwise.h"
#include "ops/op.h"

static const struct cvy_key no_keys[] = {CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    op->out = op->in[0];
    op->reads = CVY_READS_OUTPUT;
    op->inplace = true;
    op->sliceable = true;
}

static void forward(enum cvy_act act, const struct cvy_op *op, struct cvy_call *call) {
    cvy_act_forward(call->compute, act, call->x[0].data, call->y.data, cvy_op_count(op->out, call->n));
}

static void backward(enum cvy_act act, const struct cvy_op *op, struct cvy_call *call) {
    if (call->dx[0].data)
        cvy_act_backward(call->compute, act, call->y.data, call->dy.data, call->dx[0].data,
                         cvy_op_count(op->out, call->n), call->accumulate[0]);
}

#define ACTIVATION(label, act)                                                                                         \
    static void forward_##label(const struct cvy_op *op, struct cvy_call *call) {                                      \
        forward(act, op, call);                                                                                        \
    }                                                                                                                  \
    static void backward_##label(const struct cvy_op *op, struct cvy_call *call) {                                     \
        backward(act, op, call);                                                                                       \
    }                                                                                                                  \
    const struct cvy_op_kind cvy_op_##label = {                                                                        \
        .name = #label,                                                                                                \
        .keys = no_keys,                                                                                               \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .infer = infer,                                                                                                \
        .forward = forward_##label,                                                                                    \
        .backward = backward_##label,                                                                                  \
    };

ACTIVATION(relu, CVY_ACT_RELU)
ACTIVATION(tanh, CVY_ACT_TANH)
ACTIVATION(sigmoid, CVY_ACT_SIGMOID)
