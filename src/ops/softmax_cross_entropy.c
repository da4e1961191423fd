/* Softmax cross-entropy: −Σ_j t_j·log softmax(x)_j summed over the leaf, t = (1−ε)·onehot + ε/classes (label smoothing,
 * Szegedy et al. 2016). Division by the samples of the batch comes last, after the reduction. */
#include "kernels/softmax.h"
#include "ops/op.h"

struct xent {
    double label_smoothing;
};

static const struct cvy_key keys[] = {
    {"label_smoothing", CVY_KEY_REAL, offsetof(struct xent, label_smoothing), "0", 0, 0.999, NULL, NULL}, CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    if (op->in[0].h != 1 || op->in[0].w != 1)
        cvy_find(findings, op->node,
                 "%s: the network ends in %d×%d×%d; a class score each is needed: end it with dense (or flatten)",
                 op->name, op->in[0].h, op->in[0].w, op->in[0].c);
    op->sliceable = true;
    op->reads = CVY_READS_INPUT;
}

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    (void)threads;
    return cvy_softmax_xent_workspace(n, op->in[0].c);
}

static void run(const struct cvy_op *op, struct cvy_call *call, float *dx) {
    const struct xent *s = op->state;
    struct cvy_xent_result sum;
    cvy_softmax_xent(call->compute, call->n, op->in[0].c, call->x[0].data, call->labels, (float)s->label_smoothing,
                     &sum, dx, call->workspace);
    call->loss->loss += sum.loss;
    call->loss->top1 += sum.top1;
    call->loss->top5 += sum.top5;
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    run(op, call, NULL);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    run(op, call, call->dx[0].data);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    cvy_buf_printf(out, "smoothing%.17g ", ((const struct xent *)op->state)->label_smoothing);
}

const struct cvy_op_kind cvy_op_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .keys = keys,
    .state_size = sizeof(struct xent),
    .min_inputs = 1,
    .max_inputs = 1,
    .loss = true,
    .infer = infer,
    .workspace = workspace,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
