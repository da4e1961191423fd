/* Gaussian noise on a feature map, in training only. It is a function of (seed, layer, epoch, sample, element). */
#include "core/rng.h"
#include "kernels/elementwise.h"
#include "ops/op.h"

struct noise {
    double std;
};

static const struct cvy_key keys[] = {
    {"std", CVY_KEY_REAL, offsetof(struct noise, std), NULL, 0, 1e6, NULL, "standard deviation"}, CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    op->out = op->in[0];
    op->inplace = true;
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct noise *s = op->state;
    const struct cvy_draws draws = {cvy_stream_make(call->seed, op->name), call->epoch, call->ids, call->n};
    if (call->mode == CVY_TRAIN && s->std > 0)
        cvy_gaussian_noise(call->compute, &draws, cvy_shape_count(op->out), s->std, call->x[0].data, call->y.data);
    else
        cvy_op_pass(call, cvy_op_count(op->out, call->n));
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    cvy_op_pass_back(call, 0, cvy_op_count(op->out, call->n));
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    cvy_buf_printf(out, "std%.17g ", ((const struct noise *)op->state)->std);
}

const struct cvy_op_kind cvy_op_gaussian_noise = {
    .name = "gaussian_noise",
    .purpose = "adds normal noise, in training only",
    .shorthand = "std",
    .keys = keys,
    .state_size = sizeof(struct noise),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
