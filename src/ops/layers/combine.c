/* Element by element, two or more inputs of one shape become one: their sum (the end of a residual block, He et al.
 * 2016) or their product (a gate). */
#include "kernels/elementwise.h"
#include "ops/op.h"

static const struct cvy_key no_keys[] = {CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    op->out = op->in[0];
    op->bf16 = true;
    for (int i = 1; i < op->inputs; i++)
        if (!cvy_shape_equal(op->in[i], op->out))
            cvy_find(findings, op->node, "%s: input %d is %s and the first one %s; they must be alike", op->name, i + 1,
                     CVY_SHAPE_TEXT(op->in[i]), CVY_SHAPE_TEXT(op->out));
}

static void infer_add(struct cvy_op *op, struct cvy_findings *findings) {
    infer(op, findings);
    op->inplace = true;
    op->passes = true;
}

static void infer_multiply(struct cvy_op *op, struct cvy_findings *findings) {
    infer(op, findings);
    op->reads = CVY_READS_INPUT;
    op->macs = cvy_shape_count(op->out) * (op->inputs - 1);
}

static void forward_add(const struct cvy_op *op, struct cvy_call *call) {
    cvy_sum_of(call->compute, call->x, op->inputs, call->y.data);
}

/* Every dx is dy; the first may be in its place. */
static void backward_add(const struct cvy_op *op, struct cvy_call *call) {
    for (int i = 0; i < op->inputs; i++) cvy_op_pass_back(call, i, cvy_op_count(op->out, call->n));
}

static void forward_multiply(const struct cvy_op *op, struct cvy_call *call) {
    cvy_product_of(call->compute, call->x, op->inputs, call->y.data);
}

static void backward_multiply(const struct cvy_op *op, struct cvy_call *call) {
    for (int i = 0; i < op->inputs; i++)
        if (call->dx[i].data)
            cvy_product_of_backward(call->compute, call->x, op->inputs, i, call->dy.data, call->dx[i].data,
                                    call->accumulate[i]);
}

const struct cvy_op_kind cvy_op_add = {
    .name = "add",
    .purpose = "the sum of two or more inputs of one shape",
    .keys = no_keys,
    .min_inputs = 2,
    .max_inputs = 1 << 10,
    .infer = infer_add,
    .forward = forward_add,
    .backward = backward_add,
};

const struct cvy_op_kind cvy_op_multiply = {
    .name = "multiply",
    .purpose = "the product of two or more inputs of one shape, element by element",
    .keys = no_keys,
    .min_inputs = 2,
    .max_inputs = 1 << 10,
    .infer = infer_multiply,
    .forward = forward_multiply,
    .backward = backward_multiply,
};
