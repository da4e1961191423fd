/* Global pooling (Lin et al. 2014, "Network in network"): the mean or the maximum of each channel over the whole image,
 * whatever its size. */
#include "kernels/global_pool.h"
#include "ops/op.h"

static const struct cvy_key no_keys[] = {CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    op->out = cvy_shape_flat(op->in[0].c);
    op->bf16 = true;
    cvy_op_sees_all(op);
}

/* Which pixel was the largest, an int32_t an output. */
static size_t saved_max(const struct cvy_op *op, int n) {
    return (size_t)cvy_op_count(op->out, n) * sizeof(int32_t);
}

static struct cvy_global_pooling geometry(const struct cvy_op *op, const struct cvy_call *call) {
    return (struct cvy_global_pooling){call->n, op->in[0], op->type};
}

static void forward_max(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_global_pooling g = geometry(op, call);
    cvy_global_max_forward(call->compute, &g, call->x[0].data, call->y.data, call->saved);
}

static void backward_max(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_global_pooling g = geometry(op, call);
    if (call->dx[0].data)
        cvy_global_max_backward(call->compute, &g, call->dy.data, call->saved, call->dx[0].data, call->accumulate[0]);
}

static void forward_average(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_global_pooling g = geometry(op, call);
    cvy_global_mean_forward(call->compute, &g, call->x[0].data, call->y.data);
}

static void backward_average(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_global_pooling g = geometry(op, call);
    if (call->dx[0].data)
        cvy_global_mean_backward(call->compute, &g, call->dy.data, call->dx[0].data, call->accumulate[0]);
}

const struct cvy_op_kind cvy_op_global_maxpool = {
    .name = "global_maxpool",
    .purpose = "the largest value of each channel",
    .keys = no_keys,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .saved = saved_max,
    .forward = forward_max,
    .backward = backward_max,
};

const struct cvy_op_kind cvy_op_global_avgpool = {
    .name = "global_avgpool",
    .purpose = "the mean of each channel",
    .keys = no_keys,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = forward_average,
    .backward = backward_average,
};
