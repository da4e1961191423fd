/* Local response normalisation (Krizhevsky et al. 2012, §3.3): y = x / (k + a·Σ x²)^beta over `size` neighbouring
 * channels, where a is alpha / size as in PyTorch, or with `alpha_over_n: false` alpha itself as in the paper. */
#include "kernels/norm.h"
#include "ops/op.h"

struct lrn {
    int64_t size;
    double alpha, beta, k;
    bool alpha_over_n;
};

static const struct cvy_key keys[] = {
    {"size", CVY_KEY_INT, offsetof(struct lrn, size), "5", 1, 1 << 12, NULL, "channels of the neighbourhood"},
    {"alpha", CVY_KEY_REAL, offsetof(struct lrn, alpha), "1e-4", 0, 1e9, NULL, "the share of the neighbours"},
    {"beta", CVY_KEY_REAL, offsetof(struct lrn, beta), "0.75", 0, 100, NULL, "the exponent"},
    {"k", CVY_KEY_REAL, offsetof(struct lrn, k), "1", 1e-9, 1e9, NULL, "the constant beside them"},
    {"alpha_over_n", CVY_KEY_BOOL, offsetof(struct lrn, alpha_over_n), "true", CVY_KEY_ANY, NULL,
     "whether alpha is divided by size"},
    CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    op->out = op->in[0];
    op->reads = CVY_READS_INPUT;
    op->inplace = true;
    op->bf16 = true;
}

static struct cvy_lrn how(const struct cvy_op *op, int n) {
    const struct lrn *s = op->state;
    return (struct cvy_lrn){.pixels = n * cvy_shape_pixels(op->in[0]),
                            .channels = op->in[0].c,
                            .size = (int)s->size,
                            .a = (float)(s->alpha_over_n ? s->alpha / (double)s->size : s->alpha),
                            .beta = (float)s->beta,
                            .k = (float)s->k,
                            .type = op->type};
}

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    const struct cvy_lrn l = how(op, n);
    return cvy_lrn_workspace(&l, threads);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_lrn l = how(op, call->n);
    cvy_lrn_forward(call->compute, &l, call->x[0].data, call->y.data, call->workspace);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_lrn l = how(op, call->n);
    if (call->dx[0].data)
        cvy_lrn_backward(call->compute, &l, call->x[0].data, call->dy.data, call->dx[0].data, call->accumulate[0],
                         call->workspace);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct lrn *s = op->state;
    cvy_buf_printf(out, "size%d alpha%.17g beta%.17g k%.17g over_n%d ", (int)s->size, s->alpha, s->beta, s->k,
                   s->alpha_over_n);
}

const struct cvy_op_kind cvy_op_lrn = {
    .name = "lrn",
    .purpose = "local response normalisation over neighbouring channels (AlexNet's)",
    .keys = keys,
    .state_size = sizeof(struct lrn),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .workspace = workspace,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
