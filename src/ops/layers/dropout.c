/* Dropout (Srivastava et al. 2014), inverted: in training an element is kept with probability 1 − rate and divided by
 * that; otherwise nothing happens. The mask is a function of (seed, layer, epoch, sample, element), drawn again in
 * backward rather than stored. Spatial dropout (Tompson et al. 2015) keeps or drops whole channels of a sample. */
#include "core/rng.h"
#include "kernels/elementwise.h"
#include "ops/op.h"

struct dropout {
    double rate;
};

static const struct cvy_key keys[] = {
    {"rate", CVY_KEY_REAL, offsetof(struct dropout, rate), NULL, 0, 0.999, NULL, "the share that is dropped"},
    CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    op->out = op->in[0];
    op->inplace = true;
    op->bf16 = true;
}

static struct cvy_dropout how_of(const struct cvy_op *op, const struct cvy_call *call) {
    return (struct cvy_dropout){
        .draws = {cvy_stream_make(call->seed, op->name), call->epoch, call->ids, call->n},
        .shape = op->out,
        .p = (float)((const struct dropout *)op->state)->rate,
        .type = op->type,
    };
}

/* From x to y or from dy to dx; the kinds differ in what is dropped together. */
static void drop(const struct cvy_op *op, struct cvy_call *call, const void *from, void *to, bool accumulate) {
    const struct cvy_dropout how = how_of(op, call);
    (op->kind == &cvy_op_spatial_dropout ? cvy_channel_dropout : cvy_dropout)(call->compute, &how, from, to,
                                                                              accumulate);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    if (call->mode == CVY_TRAIN && ((const struct dropout *)op->state)->rate > 0)
        drop(op, call, call->x[0].data, call->y.data, false);
    else
        cvy_op_pass(call, cvy_op_count(op->out, call->n));
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    if (call->dx[0].data) drop(op, call, call->dy.data, call->dx[0].data, call->accumulate[0]);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    cvy_buf_printf(out, "rate%.17g ", ((const struct dropout *)op->state)->rate);
}

const struct cvy_op_kind cvy_op_dropout = {
    .name = "dropout",
    .purpose = "in training each value is 0 with this probability, the others are scaled up",
    .shorthand = "rate",
    .keys = keys,
    .state_size = sizeof(struct dropout),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};

const struct cvy_op_kind cvy_op_spatial_dropout = {
    .name = "spatial_dropout",
    .purpose = "dropout of whole feature maps",
    .shorthand = "rate",
    .keys = keys,
    .state_size = sizeof(struct dropout),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
