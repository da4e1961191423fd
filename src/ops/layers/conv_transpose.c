/* Transposed convolution ("deconvolution", up-sampling with learned weights; Zeiler et al. 2010, Dumoulin & Visin
 * 2016): every input value is spread over a window of outputs: y[i·stride − pad + r·dilation][k] += x[i][c]·w[r][k][c].
 * It is the transpose of the convolution from the outputs to the inputs, and its weight is stored as that one's: HWIO =
 * [r][s][filters/groups][channels in] (PyTorch's [in][out/groups][r][s], permuted 2 3 1 0). */
#include "kernels/conv/grouped.h"
#include "kernels/conv/transposed.h"
#include "ops/layers/axis.h"
#include "ops/layers/weights.h"

struct transposed {
    int64_t filters, kernel[2], stride[2], dilation[2], output_padding[2], groups;
    const struct cvy_node *padding;
    bool bias;
    struct cvy_weight_inits inits;
    struct cvy_axis axes[2];
};

enum { WEIGHT, BIAS };

static const struct cvy_key keys[] = {
    {"filters", CVY_KEY_INT, offsetof(struct transposed, filters), NULL, 1, 1 << 20, NULL, "how many maps come out"},
    {"kernel", CVY_KEY_PAIR, offsetof(struct transposed, kernel), NULL, 1, 1 << 12, NULL, "its height and width"},
    {"stride", CVY_KEY_PAIR, offsetof(struct transposed, stride), "1", 1, 1 << 12, NULL, "outputs an input is apart"},
    {"dilation", CVY_KEY_PAIR, offsetof(struct transposed, dilation), "1", 1, 1 << 12, NULL,
     "pixels a tap is from the next"},
    {"groups", CVY_KEY_INT, offsetof(struct transposed, groups), "1", 1, 1 << 20, NULL, "the channels: depthwise"},
    {"padding", CVY_KEY_NODE, offsetof(struct transposed, padding), "valid", CVY_KEY_ANY, NULL,
     "cut from the output, as conv pads it; same: input * stride come out"},
    {"output_padding", CVY_KEY_PAIR, offsetof(struct transposed, output_padding), "0", 0, 1 << 12, NULL,
     "outputs more at the bottom and the right"},
    {"bias", CVY_KEY_BOOL, offsetof(struct transposed, bias), "true", CVY_KEY_ANY, NULL,
     "whether a number is added to each map"},
    CVY_WEIGHT_INIT_KEYS(struct transposed, inits),
    CVY_KEY_END};

/* The convolution that this is the transpose of. */
static struct cvy_conv geometry(const struct cvy_op *op, int n) {
    return cvy_axes_conv(op, ((const struct transposed *)op->state)->axes, n, op->out, op->in[0]);
}

static int groups_of(const struct cvy_op *op) {
    return (int)((const struct transposed *)op->state)->groups;
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    struct transposed *t = op->state;
    op->out.c = (int)t->filters;
    if (!cvy_weights_check_groups(op, t->groups, t->filters, findings)) return;
    if (!cvy_axes_infer_transposed(op, t->kernel, t->stride, t->dilation, t->padding, t->output_padding, t->axes,
                                   findings))
        return;
    const int64_t dims[4] = {t->kernel[0], t->kernel[1], t->filters / t->groups, op->in[0].c};
    cvy_weights_declare(op, dims, 4, false, &t->inits);
    if (t->bias)
        cvy_op_declare(op, &(struct cvy_param){.name = "bias",
                                               .rank = 1,
                                               .dims = {t->filters},
                                               .init = t->inits.bias.kind,
                                               .init_how = t->inits.bias.how,
                                               .decay = CVY_DECAY_BIAS});
    op->reads = CVY_READS_INPUT;
    op->macs = dims[0] * dims[1] * dims[2] * cvy_shape_count(op->in[0]);
    struct cvy_conv g = geometry(op, 1);
    op->copy_floats = cvy_grouped_flip_floats(&g, groups_of(op));
    op->copy_in_forward = true;
}

static bool transforms(const struct cvy_op *op, int n) {
    const struct cvy_conv g = geometry(op, n);
    return cvy_grouped_transforms(&g, groups_of(op));
}

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    struct cvy_conv g = geometry(op, n);
    return cvy_transposed_workspace(&g, groups_of(op), threads);
}

static void prepare(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, 1);
    cvy_grouped_flip(call->compute, &g, groups_of(op), call->param[WEIGHT], call->copy);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, call->n);
    cvy_transposed_forward(call->compute, &g, groups_of(op), call->x[0].data, call->copy,
                           op->params > BIAS ? call->param[BIAS] : NULL, call->y.data, call->workspace);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, call->n);
    cvy_transposed_backward_weights(call->compute, &g, groups_of(op), call->x[0].data, call->dy.data,
                                    call->grad[WEIGHT], op->params > BIAS ? call->grad[BIAS] : NULL, call->workspace);
    if (call->dx[0].data)
        cvy_transposed_backward_data(call->compute, &g, groups_of(op), call->dy.data, call->param[WEIGHT],
                                     call->dx[0].data, call->accumulate[0], call->workspace);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct transposed *t = op->state;
    cvy_axes_describe(t->axes, out);
    cvy_buf_printf(out, "groups%d ", (int)t->groups);
}

const struct cvy_op_kind cvy_op_conv_transpose = {
    .name = "conv_transpose",
    .purpose = "transposed convolution: every input value is spread over a window of outputs",
    .keys = keys,
    .state_size = sizeof(struct transposed),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .transforms = transforms,
    .workspace = workspace,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
