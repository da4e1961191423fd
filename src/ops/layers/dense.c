/* A dense (fully connected) layer: y = x·W + b with W [in][out]; the 1×1 convolution of a 1×1 image. An input with
 * height and width is taken as one flat vector in h, w, c order.
 *
 * Large weights are most of a network's memory, so there is no copy of them, and their gradient comes in parts. */
#include "ops/layers/weights.h"

#include <string.h>

#include "core/ints.h"
#include "core/memory.h"

enum { PART_FLOATS = 1 << 22 };

struct dense {
    int64_t units;
    bool bias;
    struct cvy_weight_inits inits;
};

struct plan {
    struct cvy_conv_plan whole;
    struct cvy_conv_plan parts[]; /* op->parts, where there are several: of the gradient alone */
};

static const struct cvy_key keys[] = {
    {"units", CVY_KEY_INT, offsetof(struct dense, units), NULL, 1, 1 << 24, NULL, "how many outputs"},
    {"bias", CVY_KEY_BOOL, offsetof(struct dense, bias), "true", CVY_KEY_ANY, NULL,
     "whether a number is added to each output"},
    CVY_WEIGHT_INIT_KEYS(struct dense, inits),
    CVY_KEY_END};

static struct cvy_conv geometry(const struct cvy_op *op) {
    struct cvy_shape flat = cvy_shape_flat((int)cvy_shape_count(op->in[0]));
    return (struct cvy_conv){.n = 1,
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
    op->out = cvy_shape_flat((int)d->units);
    const int64_t dims[2] = {cvy_shape_count(op->in[0]), d->units};
    cvy_weights_declare(op, dims, 2, d->bias, &d->inits);
    op->reads = CVY_READS_INPUT;
    op->macs = dims[0] * dims[1];
    cvy_op_sees_all(op);
    op->units = (int)cvy_ceil_div(d->units, CVY_PANEL);
    op->parts = (int)cvy_ceil_div(cvy_param_stored(&op->param[0]), PART_FLOATS);
    if (op->parts > op->units) op->parts = op->units;
    op->plan_bytes = sizeof(struct plan) + (size_t)op->parts * sizeof(struct cvy_conv_plan);
    op->bf16 = true;
}

/* ---- planning ---- */

/* Part of the outputs as a layer of their own, from output *first on. */
static struct cvy_conv part_geometry(const struct cvy_op *op, int part, int *first) {
    struct cvy_conv g = geometry(op);
    const int end = (int)cvy_op_part(op, part + 1) * CVY_PANEL;
    *first = (int)cvy_op_part(op, part) * CVY_PANEL;
    g.out.c = (end < op->out.c ? end : op->out.c) - *first;
    return g;
}

/* Their dy, copied together; then what the pass wants. */
static size_t dy_bytes(const struct cvy_op *op, int n, const struct cvy_conv *g) {
    return cvy_align_up((size_t)n * (size_t)g->out.c * cvy_dtype_bytes(op->type));
}

static struct cvy_op_needs plan(const struct cvy_op *op, const struct cvy_op_setting *setting, void *out) {
    struct plan *p = out;
    const struct cvy_conv whole = geometry(op);
    struct cvy_conv_setting how = cvy_weights_setting(op, setting);
    const bool parts = op->parts > 1 && how.passes[CVY_PASS_WEIGHTS];
    how.lean = true;
    how.passes[CVY_PASS_WEIGHTS] &= !parts;
    struct cvy_op_needs needs = cvy_weights_plan(setting, &whole, &how, &p->whole);
    for (int i = 0; parts && i < op->parts; i++) {
        const struct cvy_conv_setting gradient = {.type = op->type, .passes = {[CVY_PASS_WEIGHTS] = true}};
        int first;
        const struct cvy_conv g = part_geometry(op, i, &first);
        const size_t bytes =
            dy_bytes(op, setting->most, &g) + cvy_weights_plan(setting, &g, &gradient, &p->parts[i]).workspace;
        if (bytes > needs.workspace) needs.workspace = bytes;
    }
    return needs;
}

/* ---- running ---- */

static void prepare(const struct cvy_op *op, struct cvy_call *call) {
    (void)op;
    const struct plan *p = call->plan;
    cvy_conv_prepare(&p->whole, call->param[0], call->copy);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct plan *p = call->plan;
    cvy_weights_forward(op, &p->whole, call);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    const struct plan *p = call->plan;
    if (op->parts <= 1) cvy_weights_gradient(op, &p->whole, call, call->dy.data, call->workspace);
    cvy_weights_backward_data(&p->whole, call);
}

static void gradient(const struct cvy_op *op, struct cvy_call *call, int part) {
    const struct plan *p = call->plan;
    int first;
    const struct cvy_conv g = part_geometry(op, part, &first);
    const size_t value = cvy_dtype_bytes(op->type);
    char *dy = call->workspace;
    for (int i = 0; i < call->n; i++)
        memcpy(dy + (size_t)i * g.out.c * value,
               (const char *)call->dy.data + ((size_t)i * op->out.c + (size_t)first) * value, (size_t)g.out.c * value);
    cvy_weights_gradient(op, &p->parts[part], call, dy, dy + dy_bytes(op, call->n, &g));
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
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .gradient = gradient,
};
