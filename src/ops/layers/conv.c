/* Convolution, as cross-correlation like every framework: y[oh][ow][k] = b[k] + Σ_{r,s,c} x[…][…][c]·w[r][s][c][k].
 * With `flip` the kernel is turned by 180°, which is the convolution of signal processing.
 *
 * With `groups` the i-th share of the filters sees the i-th share of the channels (weights [r][s][c/groups][k]); groups
 * equal to the channels is depthwise. `weights` sets a fixed filter (ops/layers/filters.h): the same matrix in every
 * slice [r][s], so with groups 1 the channels' responses are summed, with groups = channels each channel has its own;
 * it is frozen, and has no bias. */
#include <string.h>

#include "core/ints.h"
#include "ops/layers/axis.h"
#include "ops/layers/filters.h"
#include "ops/layers/weights.h"

struct conv {
    int64_t filters, groups;
    struct cvy_sliding window;
    const struct cvy_node *bias, *weights;
    bool flip;
    struct cvy_weight_inits inits;
    struct cvy_axis axes[2];
    float filter[CVY_FILTER_MOST]; /* the fixed one */
};

static const struct cvy_key keys[] = {
    {"filters", CVY_KEY_INT, offsetof(struct conv, filters), NULL, 1, 1 << 20, NULL, "how many feature maps come out"},
    {"kernel", CVY_KEY_PAIR, offsetof(struct conv, window.kernel), NULL, 1, 1 << 12, NULL, "its height and width"},
    {"stride", CVY_KEY_PAIR, offsetof(struct conv, window.stride), "1", 1, 1 << 12, NULL,
     "pixels a window is from the next"},
    {"dilation", CVY_KEY_PAIR, offsetof(struct conv, window.dilation), "1", 1, 1 << 12, NULL,
     "pixels a tap is from the next"},
    {"padding", CVY_KEY_NODE, offsetof(struct conv, window.padding), "valid", CVY_KEY_ANY, NULL, CVY_PADDING_HELP},
    {"groups", CVY_KEY_INT, offsetof(struct conv, groups), "1", 1, 1 << 20, NULL, "the channels: depthwise"},
    {"flip", CVY_KEY_BOOL, offsetof(struct conv, flip), "false", CVY_KEY_ANY, NULL, "a true convolution"},
    {"weights", CVY_KEY_NODE, offsetof(struct conv, weights), "", CVY_KEY_ANY, NULL,
     "a fixed filter: its name (convoy help filters), or rows [[…], …]"},
    {"bias", CVY_KEY_NODE, offsetof(struct conv, bias), "", CVY_KEY_ANY, NULL, "default: true unless weights is given"},
    CVY_WEIGHT_INIT_KEYS(struct conv, inits),
    CVY_KEY_END};

/* ---- what infer reads ---- */

static bool read_bias(const struct cvy_op *op, bool *bias, struct cvy_findings *findings) {
    const struct conv *c = op->state;
    *bias = c->weights == NULL;
    if (c->bias == NULL) return true;
    if (!cvy_node_bool(c->bias, bias)) {
        cvy_find(findings, c->bias, "bias: expected true or false");
        return false;
    }
    if (!*bias || c->weights == NULL) return true;
    cvy_find(findings, c->bias, "%s: a fixed filter has no bias; drop bias or weights", op->name);
    return false;
}

static struct cvy_conv geometry(const struct cvy_op *op) {
    const struct conv *c = op->state;
    struct cvy_conv g = cvy_axes_conv(op, c->axes, 1, op->in[0], op->out);
    g.groups = (int)c->groups;
    return g;
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    struct conv *c = op->state;
    bool bias;
    op->out.c = (int)c->filters;
    if (!cvy_weights_check_groups(op, c->groups, c->filters, findings) || !read_bias(op, &bias, findings)) return;
    if (c->weights && !cvy_filter_read(c->weights, c->window.kernel, op->name, c->filter, findings)) return;
    if (!cvy_axes_infer(op, &c->window, c->axes, findings)) return;
    const int64_t dims[4] = {c->window.kernel[0], c->window.kernel[1], op->in[0].c / c->groups, c->filters};
    cvy_weights_declare(op, dims, 4, bias, &c->inits);
    if (c->weights) {
        op->param[0].given = c->filter;
        op->param[0].lr_factor = 0;
    }
    op->reads = CVY_READS_INPUT;
    op->adds = c->groups == 1;
    op->macs = dims[0] * dims[1] * dims[2] * cvy_shape_count(op->out);
    op->plan_bytes = sizeof(struct cvy_conv_plan);
    op->bf16 = c->groups == 1 && !c->flip;
}

/* ---- planning ---- */

/* With `flip`: the turned kernel, at the head of the copy. */
static size_t turned_floats(const struct cvy_op *op) {
    return ((const struct conv *)op->state)->flip ? cvy_param_stored(&op->param[0]) : 0;
}

static struct cvy_op_needs plan(const struct cvy_op *op, const struct cvy_op_setting *setting, void *out) {
    const struct cvy_conv g = geometry(op);
    const size_t turned = turned_floats(op);
    struct cvy_conv_setting how = cvy_weights_setting(op, setting);
    how.fixed &= turned == 0;
    struct cvy_op_needs needs = cvy_weights_plan(setting, &g, &how, out);
    needs.copy_floats += turned;
    needs.copy_in_forward |= turned > 0;
    return needs;
}

static bool transforms(const struct cvy_op *op, const struct cvy_op_setting *setting) {
    struct cvy_conv_plan made;
    plan(op, setting, &made);
    return cvy_conv_plan_transforms(&made);
}

/* ---- running ---- */

/* Panels [⌈k/16⌉][taps][c][16] with the taps in reverse; `to` may be `from`. */
static void turn(const struct cvy_op *op, const float *from, float *to) {
    const int64_t *dims = op->param[0].dims, taps = dims[0] * dims[1], tap = dims[2] * CVY_PANEL;
    const int64_t panels = cvy_ceil_div(dims[3], CVY_PANEL);
    for (int64_t p = 0; p < panels; p++, from += taps * tap, to += taps * tap)
        for (int64_t i = 0, j = taps - 1; i <= j; i++, j--)
            for (int64_t k = 0; k < tap; k++) {
                float first = from[i * tap + k], last = from[j * tap + k];
                to[i * tap + k] = last;
                to[j * tap + k] = first;
            }
}

/* The call as the kernels see it: a cross-correlation with the turned weights. */
static struct cvy_call as_correlation(const struct cvy_op *op, const struct cvy_call *call) {
    struct cvy_call view = *call;
    if (turned_floats(op) == 0) return view;
    view.param[0] = call->copy;
    view.copy = call->copy + turned_floats(op);
    return view;
}

static void prepare(const struct cvy_op *op, struct cvy_call *call) {
    if (turned_floats(op)) turn(op, call->param[0], call->copy);
    const struct cvy_call view = as_correlation(op, call);
    cvy_conv_prepare(call->plan, view.param[0], view.copy);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_call view = as_correlation(op, call);
    cvy_weights_forward(op, call->plan, &view);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    struct cvy_call view = as_correlation(op, call);
    cvy_weights_gradient(op, call->plan, &view, call->dy.data, call->workspace);
    cvy_weights_backward_data(call->plan, &view);
    if (turned_floats(op)) turn(op, call->grad[0], call->grad[0]);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct conv *c = op->state;
    cvy_axes_describe(c->axes, out);
    cvy_buf_printf(out, "groups%d flip%d ", (int)c->groups, c->flip);
    for (int i = 0; c->weights && i < c->window.kernel[0] * c->window.kernel[1]; i++)
        cvy_buf_printf(out, "%.9g ", (double)c->filter[i]);
}

const struct cvy_op_kind cvy_op_conv = {
    .name = "conv",
    .purpose = "convolution (cross-correlation, or with flip the true one), also in groups, depthwise, dilated, with a "
               "fixed filter",
    .keys = keys,
    .state_size = sizeof(struct conv),
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
