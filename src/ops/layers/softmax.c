/* Softmax over the channels of each pixel, and its logarithm, as layers. A network that is trained with
 * softmax_cross_entropy has none at its end: the loss takes the scores before it. */
#include "kernels/softmax.h"
#include "ops/op.h"

static const struct cvy_key no_keys[] = {CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    op->out = op->in[0];
    op->reads = CVY_READS_OUTPUT;
    op->inplace = true;
}

static int pixels(const struct cvy_op *op, int n) {
    return n * cvy_shape_pixels(op->out);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    cvy_softmax(call->compute, pixels(op, call->n), op->out.c, call->x[0].data, call->y.data);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    if (call->dx[0].data)
        cvy_softmax_backward(call->compute, pixels(op, call->n), op->out.c, call->y.data, call->dy.data,
                             call->dx[0].data, call->accumulate[0]);
}

const struct cvy_op_kind cvy_op_softmax = {
    .name = "softmax",
    .purpose = "the channels of each pixel as probabilities",
    .keys = no_keys,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

static void log_forward(const struct cvy_op *op, struct cvy_call *call) {
    cvy_log_softmax(call->compute, pixels(op, call->n), op->out.c, call->x[0].data, call->y.data);
}

static void log_backward(const struct cvy_op *op, struct cvy_call *call) {
    if (call->dx[0].data)
        cvy_log_softmax_backward(call->compute, pixels(op, call->n), op->out.c, call->y.data, call->dy.data,
                                 call->dx[0].data, call->accumulate[0]);
}

const struct cvy_op_kind cvy_op_log_softmax = {
    .name = "log_softmax",
    .purpose = "the channels of each pixel as logarithms of probabilities, for nll",
    .keys = no_keys,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = log_forward,
    .backward = log_backward,
};
