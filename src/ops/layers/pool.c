/* Pooling: the maximum or the mean of a window. `maxpool: 2` is kernel 2, stride 2 (the stride defaults to the kernel);
 * `adaptive_avgpool: [h, w]` and `adaptive_maxpool: [h, w]` have the windows that give that size. */
#include "kernels/pool.h"

#include "core/ints.h"
#include "ops/layers/axis.h"

struct pool {
    struct cvy_sliding window;
    bool ceil_mode, count_pad;
    int64_t size[2]; /* of adaptive pooling: the output's */
    struct cvy_axis axes[2];
    struct cvy_pooling g; /* from infer: of one sample in fp32 */
};

/* clang-format off */
#define POOL_KEYS                                                                                                      \
    {"kernel", CVY_KEY_PAIR, offsetof(struct pool, window.kernel), NULL, 1, 1 << 12, NULL, "its height and width"},    \
    {"stride", CVY_KEY_PAIR, offsetof(struct pool, window.stride), "0", 0, 1 << 12, NULL, "default: the kernel"},      \
    {"padding", CVY_KEY_NODE, offsetof(struct pool, window.padding), "valid", CVY_KEY_ANY, NULL, CVY_PADDING_HELP},    \
    {"ceil_mode", CVY_KEY_BOOL, offsetof(struct pool, ceil_mode), "false", CVY_KEY_ANY, NULL,                          \
     "one window more where some pixels are left over"}
/* clang-format on */

static const struct cvy_key max_keys[] = {POOL_KEYS,
                                          {"dilation", CVY_KEY_PAIR, offsetof(struct pool, window.dilation), "1", 1,
                                           1 << 12, NULL, "pixels a tap is from the next"},
                                          CVY_KEY_END};
static const struct cvy_key average_keys[] = {POOL_KEYS,
                                              {"count_include_pad", CVY_KEY_BOOL, offsetof(struct pool, count_pad),
                                               "true", CVY_KEY_ANY, NULL, "whether padding counts in the mean"},
                                              CVY_KEY_END};

/* One window more where pixels are left over, unless it would begin in the padding behind them (as PyTorch has it). */
static int round_up(const struct cvy_axis *axis, int in, int out) {
    const int room = in + axis->before + axis->after - axis->extent;
    return room % axis->stride != 0 && out * axis->stride < in + axis->before ? out + 1 : out;
}

/* Whether every window has a tap in the image: a small image may lie between two taps. */
static bool all_meet(const struct cvy_axis *axis, int in, int out) {
    bool all = true;
    for (int o = 0; o < out && all; o++) {
        const int at = o * axis->stride - axis->before, past = at < 0 ? -at : 0;
        const int tap = cvy_ceil_div(past, axis->dilation); /* the first one that is not before the image */
        all = tap < axis->kernel && at + tap * axis->dilation < in;
    }
    return all;
}

static void check_windows(struct cvy_op *op, const struct pool *p, struct cvy_findings *findings) {
    const int in[2] = {op->in[0].h, op->in[0].w}, out[2] = {op->out.h, op->out.w};
    for (int a = 0; a < 2; a++) {
        const struct cvy_axis *axis = &p->axes[a];
        if (axis->before < axis->extent && axis->after < axis->extent && all_meet(axis, in[a], out[a])) continue;
        cvy_find(findings, op->node,
                 "%s: padding %d, %d of an input of %d for a kernel of %d: a window would lie outside the input",
                 op->name, axis->before, axis->after, in[a], axis->extent);
        return;
    }
}

static struct cvy_pooling sliding(const struct cvy_op *op) {
    const struct pool *p = op->state;
    const struct cvy_axis *h = &p->axes[0], *w = &p->axes[1];
    return (struct cvy_pooling){.n = 1,
                                .in = op->in[0],
                                .out = op->out,
                                .r = h->kernel,
                                .s = w->kernel,
                                .stride_h = h->stride,
                                .stride_w = w->stride,
                                .pad_top = h->before,
                                .pad_left = w->before,
                                .pad_bottom = h->after,
                                .pad_right = w->after,
                                .count_pad = p->count_pad,
                                .gap_h = h->dilation - 1,
                                .gap_w = w->dilation - 1};
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    struct pool *p = op->state;
    for (int a = 0; a < 2; a++) {
        if (p->window.stride[a] == 0) p->window.stride[a] = p->window.kernel[a];
        if (p->window.dilation[a] == 0) p->window.dilation[a] = 1;
    }
    op->out.c = op->in[0].c;
    if (!cvy_axes_infer(op, &p->window, p->axes, findings)) return;
    for (int a = 0; a < CVY_SPATIAL_AXES && p->ceil_mode; a++) {
        int *size = cvy_shape_size(&op->out, a);
        *size = round_up(&p->axes[a], cvy_shape_axis(op->in[0], a), *size);
    }
    check_windows(op, p, findings);
    p->g = sliding(op);
    op->bf16 = cvy_pooling_apart(&p->g); /* else gradients are added up in fp32 */
}

static void infer_max(struct cvy_op *op, struct cvy_findings *findings) {
    infer(op, findings);
    op->bf16 = true; /* a pixel's gradients are added up before it is stored */
}

/* ---- adaptive ---- */

static const struct cvy_key adaptive_keys[] = {
    {"size", CVY_KEY_PAIR, offsetof(struct pool, size), NULL, 1, 1 << 20, NULL, "height and width of the output"},
    CVY_KEY_END};

/* The widest window: it begins at ⌊i·in/out⌋ and ends at ⌈(i + 1)·in/out⌉. */
static int widest(int in, int out) {
    int most = 0;
    for (int64_t i = 0; i < out; i++) {
        const int begin = (int)(i * in / out), end = (int)cvy_ceil_div((i + 1) * in, out);
        if (end - begin > most) most = end - begin;
    }
    return most;
}

static void infer_adaptive(struct cvy_op *op, struct cvy_findings *findings) {
    struct pool *p = op->state;
    (void)findings;
    op->out = (struct cvy_shape){(int)p->size[0], (int)p->size[1], op->in[0].c};
    for (int a = 0; a < CVY_SPATIAL_AXES; a++) {
        const int in = cvy_shape_axis(op->in[0], a), out = cvy_shape_axis(op->out, a);
        op->field[a] = cvy_ceil_div(in, out);
        op->jump[a] = in > out ? in / out : 1;
    }
    p->g = (struct cvy_pooling){.n = 1,
                                .in = op->in[0],
                                .out = op->out,
                                .r = widest(op->in[0].h, op->out.h),
                                .s = widest(op->in[0].w, op->out.w),
                                .adaptive = true};
}

/* ---- running ---- */

static struct cvy_pooling pooling(const struct cvy_op *op, int n) {
    struct cvy_pooling g = ((const struct pool *)op->state)->g;
    g.n = n;
    g.type = op->type;
    return g;
}

/* Which tap of its window was the largest, of each output. */
static size_t saved_max(const struct cvy_op *op, int n) {
    const struct cvy_pooling g = pooling(op, n);
    return (size_t)cvy_op_count(op->out, n) * cvy_pooling_tap_bytes(&g);
}

static void forward_max(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_pooling g = pooling(op, call->n);
    cvy_maxpool_forward(call->compute, &g, call->x[0].data, call->y.data, call->saved);
}

static void backward_max(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_pooling g = pooling(op, call->n);
    if (call->dx[0].data)
        cvy_maxpool_backward(call->compute, &g, call->dy.data, call->saved, call->dx[0].data, call->accumulate[0]);
}

static void forward_average(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_pooling g = pooling(op, call->n);
    cvy_avgpool_forward(call->compute, &g, call->x[0].data, call->y.data);
}

static void backward_average(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_pooling g = pooling(op, call->n);
    if (call->dx[0].data) cvy_avgpool_backward(call->compute, &g, call->dy.data, call->dx[0].data, call->accumulate[0]);
}

/* ---- the kinds ---- */

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct pool *p = op->state;
    cvy_axes_describe(p->axes, out);
    cvy_buf_printf(out, "count_pad%d ", p->count_pad);
}

#define MAXIMUM  .min_inputs = 1, .max_inputs = 1, .saved = saved_max, .forward = forward_max, .backward = backward_max
#define MEAN     .min_inputs = 1, .max_inputs = 1, .forward = forward_average, .backward = backward_average
#define SLIDING  .shorthand = "kernel", .state_size = sizeof(struct pool), .describe = describe
#define ADAPTIVE .shorthand = "size", .keys = adaptive_keys, .state_size = sizeof(struct pool), .infer = infer_adaptive

const struct cvy_op_kind cvy_op_maxpool = {
    .name = "maxpool",
    .purpose = "the largest value of a sliding window",
    .keys = max_keys,
    .infer = infer_max,
    SLIDING,
    MAXIMUM,
};
const struct cvy_op_kind cvy_op_avgpool = {
    .name = "avgpool",
    .purpose = "the mean of a sliding window",
    .keys = average_keys,
    .infer = infer,
    SLIDING,
    MEAN,
};
const struct cvy_op_kind cvy_op_adaptive_maxpool = {
    .name = "adaptive_maxpool",
    .purpose = "the largest value of windows such that the output has the given size",
    ADAPTIVE,
    MAXIMUM,
};
const struct cvy_op_kind cvy_op_adaptive_avgpool = {
    .name = "adaptive_avgpool",
    .purpose = "the mean of windows such that the output has the given size",
    ADAPTIVE,
    MEAN,
};
