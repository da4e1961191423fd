/* Transposed convolution ("deconvolution", up-sampling with learned weights; Zeiler et al. 2010, Dumoulin & Visin
 * 2016): every input value is spread over a window of outputs: y[i·stride − pad + r·dilation][k] += x[i][c]·w[r][k][c].
 * It is the transpose of the convolution from the outputs to the inputs, and its weight is stored as that one's: HWIO =
 * [r][s][filters/groups][channels in] (PyTorch's [in][out/groups][r][s], permuted 2 3 1 0). */
#include "kernels/conv/transposed.h"
#include "ops/layers/axis.h"
#include "ops/layers/weights.h"

struct transposed {
    int64_t filters, groups;
    struct cvy_sliding window;
    bool bias;
    struct cvy_weight_inits inits;
    struct cvy_axis axes[2];
};

enum { WEIGHT, BIAS };

static const struct cvy_key keys[] = {
    {"filters", CVY_KEY_INT, offsetof(struct transposed, filters), NULL, 1, 1 << 20, NULL, "how many maps come out"},
    {"kernel", CVY_KEY_PAIR, offsetof(struct transposed, window.kernel), NULL, 1, 1 << 12, NULL,
     "its height and width"},
    {"stride", CVY_KEY_PAIR, offsetof(struct transposed, window.stride), "1", 1, 1 << 12, NULL,
     "outputs an input is apart"},
    {"dilation", CVY_KEY_PAIR, offsetof(struct transposed, window.dilation), "1", 1, 1 << 12, NULL,
     "pixels a tap is from the next"},
    {"groups", CVY_KEY_INT, offsetof(struct transposed, groups), "1", 1, 1 << 20, NULL, "the channels: depthwise"},
    {"padding", CVY_KEY_NODE, offsetof(struct transposed, window.padding), "valid", CVY_KEY_ANY, NULL,
     "cut from the output, as conv pads it; same: input * stride come out"},
    {"output_padding", CVY_KEY_PAIR, offsetof(struct transposed, window.output_padding), "0", 0, 1 << 12, NULL,
     "outputs more at the bottom and the right"},
    {"bias", CVY_KEY_BOOL, offsetof(struct transposed, bias), "true", CVY_KEY_ANY, NULL,
     "whether a number is added to each map"},
    CVY_WEIGHT_INIT_KEYS(struct transposed, inits),
    CVY_KEY_END};

/* The convolution that this is the transpose of. */
static struct cvy_conv geometry(const struct cvy_op *op) {
    const struct transposed *t = op->state;
    struct cvy_conv g = cvy_axes_conv(op, t->axes, 1, op->out, op->in[0]);
    g.groups = (int)t->groups;
    return g;
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    struct transposed *t = op->state;
    op->out.c = (int)t->filters;
    if (!cvy_weights_check_groups(op, t->groups, t->filters, findings)) return;
    if (!cvy_axes_infer_transposed(op, &t->window, t->axes, findings)) return;
    const int64_t dims[4] = {t->window.kernel[0], t->window.kernel[1], t->filters / t->groups, op->in[0].c};
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
    op->plan_bytes = sizeof(struct cvy_conv_plan);
}

/* Forward is that convolution's backward-data, and the other way round. */
static struct cvy_op_needs plan(const struct cvy_op *op, const struct cvy_op_setting *setting, void *out) {
    const struct cvy_conv g = geometry(op);
    struct cvy_conv_plan *made = out;
    struct cvy_conv_setting how = cvy_weights_setting(op, setting);
    how.passes[CVY_PASS_FORWARD] = how.passes[CVY_PASS_DATA];
    how.passes[CVY_PASS_DATA] = true;
    struct cvy_op_needs needs = cvy_weights_plan(setting, &g, &how, made);
    needs.workspace = cvy_transposed_workspace(made);
    needs.copy_in_forward = cvy_conv_plan_copies(made, CVY_PASS_DATA);
    return needs;
}

static bool transforms(const struct cvy_op *op, const struct cvy_op_setting *setting) {
    struct cvy_conv_plan made;
    plan(op, setting, &made);
    return cvy_conv_plan_transforms(&made);
}

static void prepare(const struct cvy_op *op, struct cvy_call *call) {
    (void)op;
    cvy_conv_prepare(call->plan, call->param[WEIGHT], call->copy);
}

static struct cvy_conv_weights weights_of(const struct cvy_call *call) {
    return (struct cvy_conv_weights){call->param[WEIGHT], call->copy};
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    cvy_transposed_forward(call->plan, call->n, call->x[0].data, weights_of(call),
                           op->params > BIAS ? call->param[BIAS] : NULL, call->y.data, call->workspace);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    cvy_transposed_backward_weights(call->plan, call->n, call->x[0].data, call->dy.data, call->grad[WEIGHT],
                                    op->params > BIAS ? call->grad[BIAS] : NULL, call->workspace);
    if (call->dx[0].data)
        cvy_transposed_backward_data(call->plan, call->n, call->dy.data, weights_of(call), call->dx[0].data,
                                     call->accumulate[0], call->workspace);
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
    .plan = plan,
    .transforms = transforms,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
