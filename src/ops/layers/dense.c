/* A dense (fully connected) layer: y = x·W + b with W [in][out]; the 1×1 convolution of a 1×1 image. An input with
 * height and width is taken as one flat vector in h, w, c order.
 *
 * Large weights are most of a network's memory, so there is no copy of them, and their gradient comes in parts. */
#include "ops/layers/weights.h"

#include <string.h>

#include "core/ints.h"
#include "core/memory.h"
#include "kernels/conv/dense.h"

enum { LARGE_FLOATS = 1 << 19, PART_FLOATS = 1 << 22 };

struct dense {
    int64_t units;
    bool bias;
    struct cvy_weight_inits inits;
};

static const struct cvy_key keys[] = {
    {"units", CVY_KEY_INT, offsetof(struct dense, units), NULL, 1, 1 << 24, NULL, "how many outputs"},
    {"bias", CVY_KEY_BOOL, offsetof(struct dense, bias), "true", CVY_KEY_ANY, NULL,
     "whether a number is added to each output"},
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

static bool is_large(const struct cvy_op *op) {
    return cvy_param_stored(&op->param[0]) >= LARGE_FLOATS;
}

/* dx is made from the weight itself. */
static bool without_copy(const struct cvy_op *op) {
    return is_large(op) && op->type == CVY_F32;
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    const struct dense *d = op->state;
    op->out = (struct cvy_shape){1, 1, (int)d->units};
    const int64_t dims[2] = {cvy_shape_count(op->in[0]), d->units};
    cvy_weights_declare(op, dims, 2, d->bias, &d->inits);
    op->reads = CVY_READS_INPUT;
    op->macs = dims[0] * dims[1];
    cvy_op_sees_all(op);
    struct cvy_conv g = geometry(op, 1);
    op->copy_floats = is_large(op) ? 0 : cvy_conv_flip_floats(&g);
    op->units = (int)cvy_ceil_div(d->units, CVY_PANEL);
    op->parts = (int)cvy_ceil_div(cvy_param_stored(&op->param[0]), PART_FLOATS);
    if (op->parts > op->units) op->parts = op->units;
    cvy_weights_declare_bf16(op, &g);
}

/* Part of the outputs as a layer of their own. */
static struct cvy_conv part_geometry(const struct cvy_op *op, int n, int part, int *first) {
    struct cvy_conv g = geometry(op, n);
    const int end = (int)cvy_op_part(op, part + 1) * CVY_PANEL;
    *first = (int)cvy_op_part(op, part) * CVY_PANEL;
    g.out.c = (end < op->out.c ? end : op->out.c) - *first;
    return g;
}

/* Their dy, copied together; then what the pass wants. */
static size_t dy_bytes(const struct cvy_op *op, const struct cvy_conv *g) {
    return cvy_align_up((size_t)g->n * (size_t)g->out.c * cvy_dtype_bytes(op->type));
}

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    const struct cvy_conv g = geometry(op, n);
    size_t most = cvy_weights_scratch(op, &g, 1, threads), data = cvy_dense_workspace(n, op->out.c, threads);
    if (without_copy(op) && data > most) most = data;
    for (int part = 0; op->parts > 1 && part < op->parts; part++) {
        int first;
        const struct cvy_conv own = part_geometry(op, n, part, &first);
        const size_t bytes = dy_bytes(op, &own) + cvy_weights_scratch(op, &own, 1, threads);
        if (bytes > most) most = bytes;
    }
    return most;
}

static void prepare(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, 1);
    if (!without_copy(op)) cvy_weights_prepare(op, &g, 1, call);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, call->n);
    cvy_weights_forward(op, &g, 1, call);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_conv g = geometry(op, call->n);
    if (op->parts <= 1) cvy_weights_gradient(op, &g, 1, call, call->dy.data, call->workspace);
    if (!without_copy(op))
        cvy_weights_backward_data(op, &g, 1, call);
    else if (call->dx[0].data)
        cvy_dense_backward_data(call->compute, g.n, g.in.c, g.out.c, call->dy.data, call->param[0], call->dx[0].data,
                                call->accumulate[0], call->workspace);
}

static void gradient(const struct cvy_op *op, struct cvy_call *call, int part) {
    int first;
    const struct cvy_conv g = part_geometry(op, call->n, part, &first);
    const size_t value = cvy_dtype_bytes(op->type);
    char *dy = call->workspace;
    for (int i = 0; i < g.n; i++)
        memcpy(dy + (size_t)i * g.out.c * value,
               (const char *)call->dy.data + ((size_t)i * op->out.c + (size_t)first) * value, (size_t)g.out.c * value);
    cvy_weights_gradient(op, &g, 1, call, dy, dy + dy_bytes(op, &g));
}

const struct cvy_op_kind cvy_op_dense = {
    .name = "dense",
    .purpose = "a fully connected layer; its input is flattened",
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
    .gradient = gradient,
};
