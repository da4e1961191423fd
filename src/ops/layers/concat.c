/* Concatenation: inputs side by side, along the channels (Inception, DenseNet, U-Net), the height or the width. */
#include "kernels/strided.h"
#include "ops/op.h"

enum axis { CHANNELS, HEIGHT, WIDTH };

struct concat {
    int axis; /* enum axis */
};

static const struct cvy_key keys[] = {{"axis", CVY_KEY_CHOICE, offsetof(struct concat, axis), "channels", CVY_KEY_ANY,
                                       "channels|height|width", "what grows"},
                                      CVY_KEY_END};

static int axis_of(const struct concat *s) {
    static const int axes[] = {[CHANNELS] = CVY_CHANNEL_AXIS, [HEIGHT] = 0, [WIDTH] = 1};
    return axes[s->axis];
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    const struct concat *s = op->state;
    const int axis = axis_of(s);
    int64_t sum = 0;
    op->out = op->in[0];
    op->bf16 = true;
    for (int i = 0; i < op->inputs; i++) {
        struct cvy_shape in = op->in[i], like = op->in[0];
        sum += *cvy_shape_size(&in, axis);
        *cvy_shape_size(&in, axis) = *cvy_shape_size(&like, axis) = 1;
        if (!cvy_shape_equal(in, like))
            cvy_find(findings, op->node, "%s: input %d is %s and the first one %s; only their %s may differ", op->name,
                     i + 1, CVY_SHAPE_TEXT(op->in[i]), CVY_SHAPE_TEXT(op->in[0]), cvy_axis_name(axis));
    }
    if (sum > 1 << 30)
        cvy_find(findings, op->node, "%s: %lld %s; at most %d", op->name, (long long)sum, cvy_axis_name(axis), 1 << 30);
    else
        *cvy_shape_size(&op->out, axis) = (int)sum;
}

/* Where input i begins in the output's first image. */
static ptrdiff_t begin_of(const struct cvy_op *op, int i) {
    const struct concat *s = op->state;
    ptrdiff_t before = 0;
    for (int k = 0; k < i; k++) before += cvy_shape_axis(op->in[k], axis_of(s));
    return before * (ptrdiff_t)cvy_shape_stride(op->out, axis_of(s));
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    for (int i = 0; i < op->inputs; i++)
        cvy_strided_copy(call->compute, op->type, call->n, op->in[i],
                         cvy_view_of(call->x[i].data, op->type, op->in[i], 0),
                         cvy_view_of(call->y.data, op->type, op->out, begin_of(op, i)), false);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    for (int i = 0; i < op->inputs; i++)
        if (call->dx[i].data)
            cvy_strided_copy(call->compute, op->type, call->n, op->in[i],
                             cvy_view_of(call->dy.data, op->type, op->out, begin_of(op, i)),
                             cvy_view_of(call->dx[i].data, op->type, op->in[i], 0), call->accumulate[i]);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    cvy_buf_printf(out, "axis%d ", ((const struct concat *)op->state)->axis);
}

const struct cvy_op_kind cvy_op_concat = {
    .name = "concat",
    .purpose = "inputs side by side along one axis",
    .shorthand = "axis",
    .keys = keys,
    .state_size = sizeof(struct concat),
    .min_inputs = 2,
    .max_inputs = 1 << 10,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
