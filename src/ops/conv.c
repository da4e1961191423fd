/* Convolution (as cross-correlation, like every framework): y[oh][ow][k] = b[k] + Σ_{r,s,c} x[…][…][c]·w[r][s][c][k].
 */
#include <string.h>

#include "kernels/conv.h"
#include "ops/axis.h"
#include "ops/weights.h"

struct conv {
    int64_t filters, kernel[2], stride[2], dilation[2];
    const struct cvy_node *padding;
    bool bias;
    struct cvy_weight_inits inits;
    struct cvy_axis axes[2];
};

static const struct cvy_key keys[] = {
    {"filters", CVY_KEY_INT, offsetof(struct conv, filters), NULL, 1, 1 << 20, NULL, "how many feature maps come out"},
    {"kernel", CVY_KEY_PAIR, offsetof(struct conv, kernel), NULL, 1, 1 << 12, NULL, "its height and width"},
    {"stride", CVY_KEY_PAIR, offsetof(struct conv, stride), "1", 1, 1 << 12, NULL, NULL},
    {"dilation", CVY_KEY_PAIR, offsetof(struct conv, dilation), "1", 1, 1 << 12, NULL, NULL},
    {"padding", CVY_KEY_NODE, offsetof(struct conv, padding), "", CVY_KEY_ANY, NULL, NULL},
    {"bias", CVY_KEY_BOOL, offsetof(struct conv, bias), "true", CVY_KEY_ANY, NULL, NULL},
    CVY_WEIGHT_INIT_KEYS(struct conv, inits),
    CVY_KEY_END};

static struct cvy_conv geometry(const struct cvy_op *op, int n) {
    const struct conv *c = op->state;
    const struct cvy_axis *h = &c->axes[0], *w = &c->axes[1];
    return (struct cvy_conv){.n = n,
                             .in = op->in[0],
                             .out = op->out,
                             .r = h->kernel,
                             .s = w->kernel,
                             .stride_h = h->stride,
                             .stride_w = w->stride,
                             .pad_top = h->before,
                             .pad_left = w->before,
                             .dilation_h = h->dilation,
                             .dilation_w = w->dilation};
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    struct conv *c = op->state;
    op->out.c = (int)c->filters;
    if (!cvy_axes_infer(op, c->kernel, c->stride, c->dilation, c->padding, c->axes, findings)) return;
    const int64_t dims[4] = {c->kernel[0], c->kernel[1], op->in[0].c, c->filters};
    cvy_weights_declare(op, dims, 4, c->bias, &c->inits);
    op->reads = CVY_READS_INPUT;
    op->sliceable = true;
    op->macs = dims[0] * dims[1] * dims[2] * cvy_shape_count(op->out);
    struct cvy_conv g = geometry(op, 1);
    op->copy_floats = cvy_conv_flip_floats(&g);
}

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    struct cvy_conv g = geometry(op, n);
    return cvy_conv_workspace(&g, threads);
}

static void prepare(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, 1);
    cvy_weights_prepare(&g, call);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, call->n);
    cvy_weights_forward(op, &g, call);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, call->n);
    cvy_weights_backward(op, &g, call);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct conv *c = op->state;
    for (int a = 0; a < 2; a++) {
        const struct cvy_axis *x = &c->axes[a];
        cvy_buf_printf(out, "k%d s%d d%d p%d,%d ", x->kernel, x->stride, x->dilation, x->before, x->after);
    }
}

const struct cvy_op_kind cvy_op_conv = {
    .name = "conv",
    .keys = keys,
    .state_size = sizeof(struct conv),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .workspace = workspace,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
