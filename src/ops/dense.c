/* A dense (fully connected) layer: y = x·W + b with W [in][out]; the 1×1 convolution of a 1×1 image. An input with
 * height and width is taken as one flat vector in h, w, c order. */
#include "ops/weights.h"

struct dense {
    int64_t units;
    bool bias;
    struct cvy_weight_inits inits;
};

static const struct cvy_key keys[] = {
    {"units", CVY_KEY_INT, offsetof(struct dense, units), NULL, 1, 1 << 24, NULL, "how many outputs"},
    {"bias", CVY_KEY_BOOL, offsetof(struct dense, bias), "true", CVY_KEY_ANY, NULL, NULL},
    CVY_WEIGHT_INIT_KEYS(struct dense, inits),
    CVY_KEY_END};

static struct cvy_conv geometry(const struct cvy_op *op, int n) {
    struct cvy_shape flat = {1, 1, (int)cvy_shape_count(op->in[0])};
    return (struct cvy_conv){.n = n,
                             .in = flat,
                             .out = op->out,
                             .r = 1,
                             .s = 1,
                             .stride_h = 1,
                             .stride_w = 1,
                             .dilation_h = 1,
                             .dilation_w = 1};
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    const struct dense *d = op->state;
    op->out = (struct cvy_shape){1, 1, (int)d->units};
    const int64_t dims[2] = {cvy_shape_count(op->in[0]), d->units};
    cvy_weights_declare(op, dims, 2, d->bias, &d->inits);
    op->reads = CVY_READS_INPUT;
    op->sliceable = true;
    op->macs = dims[0] * dims[1];
    op->field[0] = op->in[0].h;
    op->field[1] = op->in[0].w;
    struct cvy_conv g = geometry(op, 1);
    op->copy_floats = cvy_conv_flip_floats(&g);
    cvy_weights_declare_bf16(op, &g);
}

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    struct cvy_conv g = geometry(op, n);
    return cvy_weights_scratch(op, &g, 1, threads);
}

static void prepare(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, 1);
    cvy_weights_prepare(op, &g, 1, call);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, call->n);
    cvy_weights_forward(op, &g, 1, call);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, call->n);
    cvy_weights_backward(op, &g, 1, call);
}

const struct cvy_op_kind cvy_op_dense = {
    .name = "dense",
    .shorthand = "units",
    .keys = keys,
    .state_size = sizeof(struct dense),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .workspace = workspace,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
