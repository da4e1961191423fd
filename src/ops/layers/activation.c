/* Element-wise activations (kernels/elementwise.h has their formulas). Those whose slope follows from their output work
 * in place; the others read their input again. */
#include "kernels/elementwise.h"
#include "ops/op.h"

struct activation {
    double a, b;
    int approximate;
    struct cvy_act act; /* from infer */
};

#define A(name, fallback, low, high, help)                                                                             \
    { name, CVY_KEY_REAL, offsetof(struct activation, a), fallback, low, high, NULL, help }

static const struct cvy_key no_keys[] = {CVY_KEY_END};
static const struct cvy_key leaky_keys[] = {A("slope", "0.01", 0, 1e6, "below 0"), CVY_KEY_END};
static const struct cvy_key elu_keys[] = {A("alpha", "1", 0, 1e6, "minus the limit to the left"), CVY_KEY_END};
static const struct cvy_key softplus_keys[] = {A("beta", "1", 1e-3, 1e3, "how sharp the bend is"), CVY_KEY_END};
static const struct cvy_key step_keys[] = {A("at_zero", "0", 0, 1, "the value at 0"), CVY_KEY_END};
static const struct cvy_key clip_keys[] = {
    A("min", "-1", -1e6, 1e6, "the lower end"),
    {"max", CVY_KEY_REAL, offsetof(struct activation, b), "1", -1e6, 1e6, NULL, "the upper end"},
    CVY_KEY_END};
static const struct cvy_key gelu_keys[] = {{"approximate", CVY_KEY_CHOICE, offsetof(struct activation, approximate),
                                            "none", CVY_KEY_ANY, "none|tanh", "tanh: Hendrycks & Gimpel's formula"},
                                           CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings, enum cvy_act_kind kind, double a, double b) {
#define READS(upper, lower, from) CVY_READS_##from,
    static const unsigned reads[] = {CVY_ACTS(READS)};
    struct activation *s = op->state;
    s->act = (struct cvy_act){kind, (float)a, (float)b};
    op->out = op->in[0];
    op->reads = reads[kind];
    op->inplace = true;
    op->bf16 = true;
    if (kind == CVY_ACT_CLIP && a >= b) cvy_find(findings, op->node, "%s: min %g is not below max %g", op->name, a, b);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct activation *s = op->state;
    cvy_act_forward(call->compute, op->type, s->act, call->x[0].data, call->y.data, cvy_op_count(op->out, call->n));
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    const struct activation *s = op->state;
    if (call->dx[0].data)
        cvy_act_backward(call->compute, op->type, s->act, op->reads == CVY_READS_INPUT ? call->x[0].data : call->y.data,
                         call->dy.data, call->dx[0].data, cvy_op_count(op->out, call->n), call->accumulate[0]);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct cvy_act *act = &((const struct activation *)op->state)->act;
    cvy_buf_printf(out, "act%d a%.9g b%.9g ", (int)act->kind, (double)act->a, (double)act->b);
}

#define ACTIVATION(label, text, key_table, short_key, kind, a_value, b_value)                                          \
    static void infer_##label(struct cvy_op *op, struct cvy_findings *findings) {                                      \
        const struct activation *s = op->state;                                                                        \
        (void)s;                                                                                                       \
        infer(op, findings, kind, a_value, b_value);                                                                   \
    }                                                                                                                  \
    const struct cvy_op_kind cvy_op_##label = {                                                                        \
        .name = #label,                                                                                                \
        .purpose = text,                                                                                               \
        .shorthand = short_key,                                                                                        \
        .keys = key_table,                                                                                             \
        .state_size = sizeof(struct activation),                                                                       \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .infer = infer_##label,                                                                                        \
        .forward = forward,                                                                                            \
        .backward = backward,                                                                                          \
        .describe = describe,                                                                                          \
    };

ACTIVATION(relu, "max(x, 0)", no_keys, NULL, CVY_ACT_RELU, 0, 0)
ACTIVATION(relu6, "min(max(x, 0), 6)", no_keys, NULL, CVY_ACT_CLIP, 0, 6)
ACTIVATION(leaky_relu, "x above 0, slope * x below", leaky_keys, "slope", CVY_ACT_LEAKY_RELU, s->a, 0)
ACTIVATION(elu, "x above 0, alpha * (exp(x) - 1) below", elu_keys, "alpha", CVY_ACT_ELU, s->a, 0)
ACTIVATION(gelu, "x times the normal distribution function (Hendrycks & Gimpel 2016)", gelu_keys, "approximate",
           s->approximate ? CVY_ACT_GELU_TANH : CVY_ACT_GELU, 0, 0)
ACTIVATION(silu, "x * sigmoid(x), also called swish", no_keys, NULL, CVY_ACT_SILU, 0, 0)
ACTIVATION(softplus, "log(1 + exp(beta * x)) / beta", softplus_keys, "beta", CVY_ACT_SOFTPLUS, s->a, 0)
ACTIVATION(tanh, "hyperbolic tangent", no_keys, NULL, CVY_ACT_TANH, 0, 0)
ACTIVATION(sigmoid, "1 / (1 + exp(-x))", no_keys, NULL, CVY_ACT_SIGMOID, 0, 0)
ACTIVATION(hard_sigmoid, "min(max(x / 6 + 1/2, 0), 1)", no_keys, NULL, CVY_ACT_HARD_SIGMOID, 0, 0)
ACTIVATION(hard_swish, "x * hard_sigmoid(x)", no_keys, NULL, CVY_ACT_HARD_SWISH, 0, 0)
ACTIVATION(hard_tanh, "x cut at min and max", clip_keys, NULL, CVY_ACT_CLIP, s->a, s->b)
ACTIVATION(sign, "-1, 0 or 1; its slope counts as 0", no_keys, NULL, CVY_ACT_SIGN, 0, 0)
ACTIVATION(step, "0 below 0, 1 above; its slope counts as 0", step_keys, "at_zero", CVY_ACT_STEP, s->a, 0)
