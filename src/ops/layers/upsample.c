/* Up-sampling by repetition (nearest) or by weights between neighbours (bilinear), to a multiple of the size or to a
 * given one; as PyTorch's interpolate. */
#include "kernels/resample.h"
#include "ops/op.h"

enum mode { NEAREST, BILINEAR };

struct upsample {
    int64_t factor[2], size[2];
    int mode; /* enum mode */
    bool align_corners;
};

static const struct cvy_key keys[] = {
    {"factor", CVY_KEY_PAIR, offsetof(struct upsample, factor), "0", 0, 1 << 12, NULL, "of height and width"},
    {"size", CVY_KEY_PAIR, offsetof(struct upsample, size), "0", 0, 1 << 20, NULL, "height and width of the output"},
    {"mode", CVY_KEY_CHOICE, offsetof(struct upsample, mode), "nearest", CVY_KEY_ANY, "nearest|bilinear",
     "how values between are found"},
    {"align_corners", CVY_KEY_BOOL, offsetof(struct upsample, align_corners), "false", CVY_KEY_ANY, NULL,
     "bilinear: corners fall on corners"},
    CVY_KEY_END};

enum { MOST_PIXELS = 1 << 20 };

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    const struct upsample *s = op->state;
    const bool factor = s->factor[0] && s->factor[1], size = s->size[0] && s->size[1];
    op->field[0] = op->field[1] = s->mode == BILINEAR ? 2 : 1;
    op->out = op->in[0];
    if (factor == size) {
        cvy_find(findings, op->node, "%s: give a factor from 1, or a size from 1; one of the two", op->name);
        return;
    }
    for (int a = 0; a < CVY_SPATIAL_AXES; a++) {
        const int64_t size = factor ? cvy_shape_axis(op->in[0], a) * s->factor[a] : s->size[a];
        if (size > MOST_PIXELS) {
            cvy_find(findings, op->node, "%s: a %s of %lld pixels; at most %d", op->name, cvy_axis_name(a),
                     (long long)size, MOST_PIXELS);
            return;
        }
        *cvy_shape_size(&op->out, a) = (int)size;
    }
    if (s->align_corners && s->mode == NEAREST)
        cvy_find(findings, op->node, "%s: align_corners goes with mode bilinear", op->name);
}

static struct cvy_resample geometry(const struct cvy_op *op, int n) {
    const struct upsample *s = op->state;
    return (struct cvy_resample){.n = n,
                                 .in = op->in[0],
                                 .out = op->out,
                                 .kind = s->mode == NEAREST ? CVY_RESAMPLE_NEAREST
                                         : s->align_corners ? CVY_RESAMPLE_BILINEAR_ALIGNED
                                                            : CVY_RESAMPLE_BILINEAR};
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_resample g = geometry(op, call->n);
    cvy_resample_forward(call->compute, &g, call->x[0].data, call->y.data);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_resample g = geometry(op, call->n);
    if (call->dx[0].data)
        cvy_resample_backward(call->compute, &g, call->dy.data, call->dx[0].data, call->accumulate[0]);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    cvy_buf_printf(out, "kind%d ", (int)geometry(op, 1).kind);
}

const struct cvy_op_kind cvy_op_upsample = {
    .name = "upsample",
    .purpose = "a larger (or smaller) image by nearest or bilinear interpolation",
    .shorthand = "factor",
    .keys = keys,
    .state_size = sizeof(struct upsample),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
