/* Layer normalisation (Ba, Kiros & Hinton 2016): y = γ·(x − μ)/√(σ² + ε) + β with mean and variance over all of a
 * sample and γ, β of each of its values ([h][w][c]), as PyTorch's LayerNorm; or, with `over: channels`, over the
 * channels of each pixel and γ, β of each channel. The same in training and evaluation. */
#include "ops/layers/norm.h"

struct layernorm {
    double eps;
    bool affine;
    int over; /* 0 sample, 1 channels */
};

static const struct cvy_key keys[] = {CVY_NORM_EPS(struct layernorm),
                                      CVY_NORM_AFFINE(struct layernorm),
                                      {"over", CVY_KEY_CHOICE, offsetof(struct layernorm, over), "sample", CVY_KEY_ANY,
                                       "sample|channels", "what has one mean"},
                                      CVY_KEY_END};

static bool over_channels(const struct cvy_op *op) {
    return ((const struct layernorm *)op->state)->over == 1;
}
static int width_of(const struct cvy_op *op) {
    return over_channels(op) ? op->in[0].c : (int)cvy_shape_count(op->in[0]);
}
static int64_t rows_of(const struct cvy_op *op, int n) {
    return cvy_op_count(op->in[0], n) / width_of(op);
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    const struct layernorm *s = op->state;
    int64_t dims[CVY_AXES];
    for (int a = 0; a < CVY_AXES; a++) dims[a] = cvy_shape_axis(op->in[0], a);
    op->out = op->in[0];
    op->reads = CVY_READS_INPUT;
    op->inplace = true;
    if (width_of(op) < 2)
        cvy_find(findings, op->node, "%s: statistics over a single value of %s; %s", op->name,
                 CVY_SHAPE_TEXT(op->in[0]), over_channels(op) ? "set over: sample" : "drop the layer");
    if (s->affine) cvy_norm_declare(op, over_channels(op) ? dims + 2 : dims, over_channels(op) ? 1 : 3, false);
}

static struct cvy_norm columns(const struct cvy_op *op, int n) {
    return (struct cvy_norm){1, rows_of(op, n), width_of(op), CVY_F32};
}

/* Two sums of each column, then what they are joined from. */
static size_t workspace(const struct cvy_op *op, int n, int threads) {
    (void)threads;
    const struct cvy_norm g = columns(op, n);
    return 2 * (size_t)g.channels * sizeof(double) + cvy_norm_workspace(&g);
}

/* Mean and 1/σ of each row. */
static size_t saved(const struct cvy_op *op, int n) {
    return 2 * (size_t)rows_of(op, n) * sizeof(double);
}

static struct cvy_layernorm how(const struct cvy_op *op, const struct cvy_call *call) {
    const struct layernorm *s = op->state;
    return (struct cvy_layernorm){.units = rows_of(op, call->n),
                                  .width = width_of(op),
                                  .weight = s->affine ? call->param[CVY_NORM_WEIGHT] : NULL,
                                  .bias = s->affine ? call->param[CVY_NORM_BIAS] : NULL,
                                  .eps = s->eps};
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_layernorm l = how(op, call);
    cvy_layernorm_forward(call->compute, &l, call->x[0].data, call->y.data, call->saved);
}

static void store_gradients(const struct cvy_layernorm *l, struct cvy_call *call) {
    double *sums = call->workspace;
    cvy_layernorm_gradients(call->compute, l, call->x[0].data, call->dy.data, call->saved, sums, sums + 2 * l->width);
    cvy_norm_store(sums, 1, l->width, call->grad[CVY_NORM_BIAS]);
    cvy_norm_store(sums + l->width, 1, l->width, call->grad[CVY_NORM_WEIGHT]);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_layernorm l = how(op, call);
    if (op->params) store_gradients(&l, call);
    if (call->dx[0].data)
        cvy_layernorm_backward(call->compute, &l, call->x[0].data, call->dy.data, call->saved, call->dx[0].data,
                               call->accumulate[0]);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct layernorm *s = op->state;
    cvy_buf_printf(out, "eps%.17g affine%d over%d ", s->eps, s->affine, s->over);
}

const struct cvy_op_kind cvy_op_layernorm = {
    .name = "layernorm",
    .purpose = "normalises each sample, or the channels of each pixel",
    .keys = keys,
    .state_size = sizeof(struct layernorm),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .workspace = workspace,
    .saved = saved,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
