/* The same values under another shape, in the order of height, width, channels: flatten makes one vector of them. */
#include "ops/op.h"

static const struct cvy_key no_keys[] = {CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    op->out = cvy_shape_flat((int)cvy_shape_count(op->in[0]));
    op->view = true;
    op->bf16 = true;
    cvy_op_sees_all(op);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    cvy_op_pass(call, cvy_op_count(op->out, call->n));
}

/* dx is dy itself, unless others add to it too. */
static void backward(const struct cvy_op *op, struct cvy_call *call) {
    cvy_op_pass_back(call, 0, cvy_op_count(op->out, call->n));
}

/* ---- reshape ---- */

struct reshape {
    const struct cvy_node *shape;
};

static const struct cvy_key reshape_keys[] = {
    {"shape", CVY_KEY_NODE, offsetof(struct reshape, shape), NULL, CVY_KEY_ANY, NULL, "[height, width, channels]"},
    CVY_KEY_END};

/* One of the numbers may be −1: what is left over. */
static bool read_shape(const struct cvy_node *node, int64_t count, int64_t d[3]) {
    int64_t product = 1;
    int open = -1;
    if (node == NULL || node->kind != CVY_NODE_LIST || node->count != 3) return false;
    for (int i = 0; i < 3; i++) {
        if (!cvy_node_int(node->items[i], &d[i]) || d[i] == 0 || d[i] < -1 || d[i] > count) return false;
        if (d[i] == -1 && open >= 0) return false;
        if (d[i] == -1)
            open = i;
        else if ((product *= d[i]) > count)
            return false;
    }
    if (open >= 0) d[open] = count / product;
    return d[0] * d[1] * d[2] == count;
}

static void infer_reshape(struct cvy_op *op, struct cvy_findings *findings) {
    const struct reshape *s = op->state;
    int64_t d[3] = {0};
    infer(op, findings);
    if (!read_shape(s->shape, cvy_shape_count(op->in[0]), d))
        cvy_find(findings, s->shape ? s->shape : op->node,
                 "%s: expected [height, width, channels] of as many values as the input's %s; one may be -1", op->name,
                 CVY_SHAPE_TEXT(op->in[0]));
    op->out = cvy_shape_of(d);
}

/* ---- the kinds ---- */

const struct cvy_op_kind cvy_op_flatten = {
    .name = "flatten",
    .purpose = "height, width and channels in one row of values",
    .keys = no_keys,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

const struct cvy_op_kind cvy_op_reshape = {
    .name = "reshape",
    .purpose = "the same values, in their order, in another shape",
    .shorthand = "shape",
    .keys = reshape_keys,
    .state_size = sizeof(struct reshape),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer_reshape,
    .forward = forward,
    .backward = backward,
};
