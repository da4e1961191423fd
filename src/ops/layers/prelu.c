/* The parametric rectifier (He et al. 2015, "Delving deep into rectifiers"): the slope below 0 is learned, one for each
 * channel, starting at 0.25. It does not decay, as the paper has it. */
#include "kernels/prelu.h"

#include "core/ints.h"

#include <string.h>

#include "ops/op.h"

enum { SLOPE };

struct prelu {
    double init;
};

static const struct cvy_key keys[] = {
    {"init", CVY_KEY_REAL, offsetof(struct prelu, init), "0.25", -1e6, 1e6, NULL, "where the slopes start"},
    CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    const struct prelu *s = op->state;
    (void)findings;
    op->out = op->in[0];
    op->reads = CVY_READS_INPUT;
    op->inplace = true;
    cvy_op_declare(op, &(struct cvy_param){.name = "slope",
                                           .rank = 1,
                                           .dims = {op->out.c},
                                           .init = CVY_INIT_CONSTANT,
                                           .init_how = {.value = s->init},
                                           .decay = CVY_DECAY_NORM});
}

static int64_t pixels(const struct cvy_op *op, int n) {
    return n * cvy_shape_pixels(op->out);
}

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    (void)threads;
    return cvy_prelu_workspace(pixels(op, n), op->out.c);
}

static struct cvy_prelu applied(const struct cvy_op *op, const struct cvy_call *call) {
    return (struct cvy_prelu){pixels(op, call->n), op->out.c, call->x[0].data, call->param[SLOPE]};
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_prelu p = applied(op, call);
    cvy_prelu_forward(call->compute, &p, call->y.data);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    const int c = op->out.c, stored = cvy_round_up(c, CVY_PANEL);
    const struct cvy_prelu p = applied(op, call);
    cvy_prelu_backward(call->compute, &p, call->dy.data, call->dx[0].data, call->grad[SLOPE], call->accumulate[0],
                       call->workspace);
    memset(call->grad[SLOPE] + c, 0, (size_t)(stored - c) * sizeof(float));
}

const struct cvy_op_kind cvy_op_prelu = {
    .name = "prelu",
    .purpose = "x above 0, a learned slope times x below; a slope a channel",
    .shorthand = "init",
    .keys = keys,
    .state_size = sizeof(struct prelu),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .workspace = workspace,
    .forward = forward,
    .backward = backward,
};
