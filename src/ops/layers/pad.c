/* Padding: a frame around each image, of one value, or of what lies inside (reflect, replicate); and channels of that
 * value before and behind those of each pixel (the shortcuts of He et al. 2016, option A). */
#include "kernels/strided.h"
#include "kernels/elementwise.h"
#include "kernels/resample.h"
#include "ops/layers/axis.h"

enum mode { CONSTANT, REFLECT, REPLICATE };

struct pad {
    const struct cvy_node *padding, *channels_node;
    double value;
    int mode;
    int64_t sides[4], channels[2]; /* top, bottom, left, right; before, behind */
};

static const struct cvy_key keys[] = {
    {"padding", CVY_KEY_NODE, offsetof(struct pad, padding), "", CVY_KEY_ANY, NULL,
     "a number, [height, width] or [top, bottom, left, right]"},
    {"channels", CVY_KEY_NODE, offsetof(struct pad, channels_node), "", CVY_KEY_ANY, NULL, "[before, behind]"},
    {"mode", CVY_KEY_CHOICE, offsetof(struct pad, mode), "constant", CVY_KEY_ANY, "constant|reflect|replicate",
     "what the frame is made of"},
    {"value", CVY_KEY_REAL, offsetof(struct pad, value), "0", -1e30, 1e30, NULL, "of a constant frame"},
    CVY_KEY_END};

static bool read_channels(struct pad *s) {
    const struct cvy_node *node = s->channels_node;
    if (node == NULL) return true;
    if (node->kind != CVY_NODE_LIST || node->count != 2) return false;
    for (int i = 0; i < 2; i++)
        if (!cvy_node_int(node->items[i], &s->channels[i]) || s->channels[i] < 0 || s->channels[i] > 1 << 20)
            return false;
    return true;
}

static void check_mode(const struct cvy_op *op, struct cvy_findings *findings) {
    const struct pad *s = op->state;
    if (s->mode != CONSTANT && (s->channels[0] || s->channels[1]))
        cvy_find(findings, op->node, "%s: channels are padded with a constant only", op->name);
    for (int i = 0, wrong = 0; i < 2 * CVY_SPATIAL_AXES && s->mode == REFLECT && !wrong; i++) {
        const int in = cvy_shape_axis(op->in[0], i / 2);
        if ((wrong = s->sides[i] >= in))
            cvy_find(findings, op->node, "%s: %d pixels of a %s input cannot be mirrored; at most %d", op->name,
                     (int)s->sides[i], CVY_SPACE_TEXT(op->in[0]), in - 1);
    }
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    struct pad *s = op->state;
    op->out = op->in[0];
    op->bf16 = s->mode == CONSTANT;
    if (!cvy_margins_read(s->padding, s->sides)) {
        cvy_find(findings, s->padding,
                 "%s: padding: expected a number, [height, width] or [top, bottom, left, right]; numbers from 0 to %d",
                 op->name, CVY_MARGIN_MOST);
        return;
    }
    if (!read_channels(s)) {
        cvy_find(findings, s->channels_node, "%s: channels: expected [before, behind], whole numbers from 0", op->name);
        return;
    }
    const int64_t h = op->out.h + s->sides[0] + s->sides[1], w = op->out.w + s->sides[2] + s->sides[3],
                  c = op->out.c + s->channels[0] + s->channels[1];
    if (h > 1 << 30 || w > 1 << 30 || c > 1 << 30) {
        cvy_find(findings, op->node, "%s: an output of %lld×%lld×%lld is too large", op->name, (long long)h,
                 (long long)w, (long long)c);
        return;
    }
    op->out = (struct cvy_shape){(int)h, (int)w, (int)c};
    check_mode(op, findings);
}

static struct cvy_resample frame(const struct cvy_op *op, int n) {
    const struct pad *s = op->state;
    return (struct cvy_resample){.n = n,
                                 .in = op->in[0],
                                 .out = op->out,
                                 .kind = s->mode == REFLECT ? CVY_RESAMPLE_REFLECT : CVY_RESAMPLE_REPLICATE,
                                 .pad_top = (int)s->sides[0],
                                 .pad_left = (int)s->sides[2]};
}

/* Where the input begins in the output's first image. */
static ptrdiff_t inner(const struct cvy_op *op) {
    const struct pad *s = op->state;
    return (ptrdiff_t)((s->sides[0] * op->out.w + s->sides[2]) * op->out.c + s->channels[0]);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct pad *s = op->state;
    const struct cvy_resample g = frame(op, call->n);
    if (s->mode != CONSTANT) {
        cvy_resample_forward(call->compute, &g, call->x[0].data, call->y.data);
        return;
    }
    cvy_tensor_fill(call->compute, op->type, call->y.data, (float)s->value, cvy_op_count(op->out, call->n));
    cvy_strided_copy(call->compute, op->type, call->n, op->in[0], cvy_view_of(call->x[0].data, op->type, op->in[0], 0),
                     cvy_view_of(call->y.data, op->type, op->out, inner(op)), false);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    const struct pad *s = op->state;
    const struct cvy_resample g = frame(op, call->n);
    if (call->dx[0].data == NULL) return;
    if (s->mode != CONSTANT)
        cvy_resample_backward(call->compute, &g, call->dy.data, call->dx[0].data, call->accumulate[0]);
    else
        cvy_strided_copy(call->compute, op->type, call->n, op->in[0],
                         cvy_view_of(call->dy.data, op->type, op->out, inner(op)),
                         cvy_view_of(call->dx[0].data, op->type, op->in[0], 0), call->accumulate[0]);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct pad *s = op->state;
    cvy_buf_printf(out, "mode%d value%.9g at%lld ", s->mode, (double)(float)s->value, (long long)inner(op));
}

const struct cvy_op_kind cvy_op_pad = {
    .name = "pad",
    .purpose = "a frame of a constant, of mirrored or of repeated pixels; also channels of zeros",
    .shorthand = "padding",
    .keys = keys,
    .state_size = sizeof(struct pad),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
