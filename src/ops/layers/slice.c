/* Part of each image. `slice: {height: [0, ~, 2], channels: [8, 16]}` takes [begin, end) or [begin, end, step] of each
 * axis that is named, as Python does: a negative number counts from the end, ~ is the end itself (or the beginning).
 * `crop: 2` drops a margin; `crop: {size: [h, w]}` keeps the middle. */
#include "kernels/strided.h"
#include "kernels/elementwise.h"
#include "ops/layers/axis.h"

struct slice {
    const struct cvy_node *axis[3]; /* height, width, channels */
    const struct cvy_node *margins;
    int64_t size[2];
    int64_t begin[3], step[3]; /* from infer */
};

static const struct cvy_key slice_keys[] = {
    {"height", CVY_KEY_NODE, offsetof(struct slice, axis[0]), "", CVY_KEY_ANY, NULL, "[begin, end, step]"},
    {"width", CVY_KEY_NODE, offsetof(struct slice, axis[1]), "", CVY_KEY_ANY, NULL, "[begin, end, step]"},
    {"channels", CVY_KEY_NODE, offsetof(struct slice, axis[2]), "", CVY_KEY_ANY, NULL, "[begin, end]"},
    CVY_KEY_END};

static const struct cvy_key crop_keys[] = {
    {"margins", CVY_KEY_NODE, offsetof(struct slice, margins), "", CVY_KEY_ANY, NULL,
     "a number, [height, width] or [top, bottom, left, right]"},
    {"size", CVY_KEY_PAIR, offsetof(struct slice, size), "0", 0, 1 << 20, NULL, "of the middle that is kept"},
    CVY_KEY_END};

/* Number i of a range, counted from the end when negative; `fallback` where there is none. False: no number. */
static bool number(const struct cvy_node *range, size_t i, int length, int64_t fallback, int64_t *out) {
    *out = fallback;
    if (range == NULL || i >= range->count || cvy_node_is_null(range->items[i])) return true;
    if (!cvy_node_int(range->items[i], out)) return false;
    if (*out < 0 && i < 2) *out += length;
    return true;
}

static bool read_range(const struct cvy_node *range, int length, int64_t *begin, int64_t *step, int *count) {
    int64_t end;
    if (range && (range->kind != CVY_NODE_LIST || range->count < 2 || range->count > 3)) return false;
    if (!number(range, 0, length, 0, begin) || !number(range, 1, length, length, &end) ||
        !number(range, 2, length, 1, step))
        return false;
    if (*begin < 0 || end <= *begin || end > length || *step < 1) return false;
    if (*step > length) *step = length; /* the first one alone, as with every longer step */
    *count = (int)((end - *begin + *step - 1) / *step);
    return true;
}

static void infer_slice(struct cvy_op *op, struct cvy_findings *findings) {
    struct slice *s = op->state;
    op->out = op->in[0];
    op->bf16 = true;
    for (int a = 0; a < CVY_AXES; a++) {
        int *size = cvy_shape_size(&op->out, a);
        const int length = *size;
        if (!read_range(s->axis[a], length, &s->begin[a], &s->step[a], size))
            cvy_find(findings, s->axis[a], "%s: %s: expected [begin, end] or [begin, end, step] within the %d of %s",
                     op->name, cvy_axis_name(a), length, CVY_SHAPE_TEXT(op->in[0]));
        else if (a < CVY_SPATIAL_AXES)
            op->jump[a] = (int)s->step[a];
        else if (s->step[a] != 1)
            cvy_find(findings, s->axis[a], "%s: channels take no step", op->name);
    }
}

static void infer_crop(struct cvy_op *op, struct cvy_findings *findings) {
    struct slice *s = op->state;
    int64_t margins[4];
    op->out = op->in[0];
    op->bf16 = true;
    const bool sized = s->size[0] && s->size[1];
    if (sized == (s->margins != NULL) || !cvy_margins_read(s->margins, margins)) {
        cvy_find(findings, op->node,
                 "%s: give margins (a number, [height, width] or [top, bottom, left, right]) or the size to keep",
                 op->name);
        return;
    }
    for (int a = 0; a < CVY_SPATIAL_AXES; a++) {
        const int in = cvy_shape_axis(op->in[0], a);
        const int64_t left = in - margins[2 * a] - margins[2 * a + 1], size = sized ? s->size[a] : left;
        if (size < 1 || size > in) {
            cvy_find(findings, op->node, "%s: %lld %s of a %s input are to be kept; from 1 to %d", op->name,
                     (long long)size, a ? "columns" : "rows", CVY_SPACE_TEXT(op->in[0]), in);
            return;
        }
        s->begin[a] = sized ? (in - size) / 2 : margins[2 * a];
        *cvy_shape_size(&op->out, a) = (int)size;
    }
    for (int a = 0; a < CVY_AXES; a++) s->step[a] = 1;
}

static ptrdiff_t first(const struct cvy_op *op) {
    const struct slice *s = op->state;
    int64_t at = 0;
    for (int a = 0; a < CVY_AXES; a++) at += s->begin[a] * cvy_shape_stride(op->in[0], a);
    return (ptrdiff_t)at;
}

/* What is kept of images like the input's. */
static struct cvy_view kept(const struct cvy_op *op, const void *images) {
    const struct slice *s = op->state;
    struct cvy_view out = cvy_view_of(images, op->type, op->in[0], first(op));
    out.row *= s->step[0];
    out.pixel *= s->step[1];
    return out;
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    cvy_strided_copy(call->compute, op->type, call->n, op->out, kept(op, call->x[0].data),
                     cvy_view_of(call->y.data, op->type, op->out, 0), false);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    void *dx = call->dx[0].data;
    if (dx == NULL) return;
    if (!call->accumulate[0]) cvy_tensor_fill(call->compute, op->type, dx, 0, cvy_op_count(op->in[0], call->n));
    cvy_strided_copy(call->compute, op->type, call->n, op->out, cvy_view_of(call->dy.data, op->type, op->out, 0),
                     kept(op, dx), call->accumulate[0]);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct slice *s = op->state;
    for (int a = 0; a < 3; a++) cvy_buf_printf(out, "%lld+%lld ", (long long)s->begin[a], (long long)s->step[a]);
}

const struct cvy_op_kind cvy_op_slice = {
    .name = "slice",
    .purpose = "every step-th value from begin to end of an axis; negative numbers count from the end",
    .keys = slice_keys,
    .state_size = sizeof(struct slice),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer_slice,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};

const struct cvy_op_kind cvy_op_crop = {
    .name = "crop",
    .purpose = "cuts margins off, or keeps the middle",
    .shorthand = "margins",
    .keys = crop_keys,
    .state_size = sizeof(struct slice),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer_crop,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
