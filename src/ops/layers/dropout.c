/* Dropout (Srivastava et al. 2014), inverted: in training an element is kept with probability 1 − rate and divided by
 * that; otherwise nothing happens. The mask is a function of (seed, layer, epoch, sample, element), drawn again in
 * backward rather than stored. Spatial dropout (Tompson et al. 2015) keeps or drops whole channels of a sample. */
#include "core/rng.h"
#include "kernels/elementwise.h"
#include "ops/op.h"

typedef void drop_fn(const struct cvy_compute *compute, const struct cvy_dropout *how, const void *from, void *to,
                     bool accumulate);

struct dropout {
    double rate;
    drop_fn *drop; /* from infer: single values, or whole channels */
};

static const struct cvy_key keys[] = {
    {"rate", CVY_KEY_REAL, offsetof(struct dropout, rate), NULL, 0, 0.999, NULL, "the share that is dropped"},
    CVY_KEY_END};

static void infer_as(struct cvy_op *op, drop_fn *drop) {
    ((struct dropout *)op->state)->drop = drop;
    op->out = op->in[0];
    op->inplace = true;
    op->bf16 = true;
}
static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    infer_as(op, cvy_dropout);
}
static void infer_spatial(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    infer_as(op, cvy_channel_dropout);
}

static struct cvy_dropout how_of(const struct cvy_op *op, const struct cvy_call *call) {
    return (struct cvy_dropout){
        .draws = {cvy_stream_make(call->seed, op->name), call->epoch, call->ids, call->n},
        .shape = op->out,
        .p = (float)((const struct dropout *)op->state)->rate,
        .type = op->type,
    };
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct dropout *s = op->state;
    const struct cvy_dropout how = how_of(op, call);
    if (call->mode == CVY_TRAIN && how.p > 0)
        s->drop(call->compute, &how, call->x[0].data, call->y.data, false);
    else
        cvy_op_pass(call, cvy_op_count(op->out, call->n));
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    const struct dropout *s = op->state;
    const struct cvy_dropout how = how_of(op, call);
    if (call->dx[0].data) s->drop(call->compute, &how, call->dy.data, call->dx[0].data, call->accumulate[0]);
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
    .infer = infer_spatial,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
