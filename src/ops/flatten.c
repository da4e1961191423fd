/* Flatten: the same values as one vector of h·w·c, in that order. */
#include <string.h>

#include "kernels/eltwise.h"
#include "ops/op.h"

static const struct cvy_key no_keys[] = {CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    op->out = (struct cvy_shape){1, 1, (int)cvy_shape_count(op->in[0])};
    op->view = true;
    op->sliceable = true;
    op->field[0] = op->in[0].h;
    op->field[1] = op->in[0].w;
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    if (call->x[0].data != call->y.data)
        memcpy(call->y.data, call->x[0].data, (size_t)cvy_op_count(op->out, call->n) * sizeof(float));
}

/* dx is dy itself, unless others add to it too. */
static void backward(const struct cvy_op *op, struct cvy_call *call) {
    int64_t count = cvy_op_count(op->out, call->n);
    float *dx = call->dx[0].data;
    if (dx == NULL || dx == call->dy.data) return;
    if (call->accumulate[0])
        cvy_vec_add(call->compute, dx, call->dy.data, count);
    else
        memcpy(dx, call->dy.data, (size_t)count * sizeof(float));
}

const struct cvy_op_kind cvy_op_flatten = {
    .name = "flatten",
    .keys = no_keys,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};
