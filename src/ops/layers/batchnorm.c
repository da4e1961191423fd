/* Batch normalisation (Ioffe & Szegedy 2015), for each channel: y = γ·(x − μ)/√(σ² + ε) + β.
 *
 * Training takes mean and (biased) variance over the leaf ("ghost" batch norm, Hoffer et al. 2017), or with `sync` over
 * the whole batch, whose sums then ride in partials; evaluation, and training where the layer is frozen, takes the
 * running mean and (unbiased) variance. What is normalised is computed again in backward. dγ = Σ dy·x̂ and dβ = Σ dy go
 * over the leaf, the sums in dx over all m values that had a part in μ. */
#include <math.h>
#include <string.h>

#include "ops/layers/norm.h"

#include "core/ints.h"

enum { MEAN, VARIANCE };

struct batchnorm {
    double eps, momentum;
    bool affine, sync, zero_init;
};

static const struct cvy_key keys[] = {CVY_NORM_EPS(struct batchnorm),
                                      CVY_NORM_AFFINE(struct batchnorm),
                                      {"momentum", CVY_KEY_REAL, offsetof(struct batchnorm, momentum), "0.1", 0, 1,
                                       NULL, "the share of a step's statistics in the running ones"},
                                      {"sync", CVY_KEY_BOOL, offsetof(struct batchnorm, sync), "false", CVY_KEY_ANY,
                                       NULL, "statistics over the whole batch instead of the leaf"},
                                      {"zero_init", CVY_KEY_BOOL, offsetof(struct batchnorm, zero_init), "false",
                                       CVY_KEY_ANY, NULL, "the scale starts at 0, for the end of a residual branch"},
                                      CVY_KEY_END};

static void declare_running(struct cvy_op *op, const char *name, enum cvy_init_kind init) {
    const struct batchnorm *b = op->state;
    struct cvy_param buffer = {.rank = 1, .dims = {op->in[0].c}, .init = init, .momentum = b->momentum};
    memcpy(buffer.name, name, strlen(name) + 1);
    cvy_op_declare_buffer(op, &buffer);
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    const struct batchnorm *b = op->state;
    const int64_t channels = op->in[0].c;
    (void)findings;
    op->out = op->in[0];
    op->reads = CVY_READS_INPUT;
    op->inplace = true;
    op->repeats = true;
    op->adds = true;
    op->bf16 = true;
    if (b->affine) cvy_norm_declare(op, &channels, 1, b->zero_init);
    declare_running(op, "running_mean", CVY_INIT_ZERO);
    declare_running(op, "running_var", CVY_INIT_ONE);
    if (b->sync && !op->frozen) {
        op->partial_forward = 2 * op->in[0].c + 1; /* Σ x, Σ x², m */
        op->partial_backward = 2 * op->in[0].c;    /* Σ dy, Σ dy·(x − μ) */
    }
}

static void check(const struct cvy_op *op, int leaf, int batch, struct cvy_findings *findings) {
    const struct batchnorm *b = op->state;
    const int samples = b->sync ? batch : leaf;
    if (op->frozen) return;
    if (samples * cvy_shape_pixels(op->in[0]) < 2)
        cvy_find(findings, op->node, "%s: statistics over a single value: the smallest %s has %d sample of %s; %s",
                 op->name, b->sync ? "batch" : "leaf", samples, CVY_SHAPE_TEXT(op->in[0]),
                 b->sync ? "raise train.batch, or set train.last_batch: drop"
                         : "raise train.leaf, set train.last_batch: drop, or set sync: true here");
}

static struct cvy_norm geometry(const struct cvy_op *op, int n) {
    return (struct cvy_norm){1, n * cvy_shape_pixels(op->in[0]), op->in[0].c, op->type};
}

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    (void)threads;
    const struct cvy_norm g = geometry(op, n);
    return cvy_norm_scratch_bytes(&g);
}

/* [channels] each; sums: of the leaf alone, [2][channels]. */
struct saved {
    double *mean, *variance, *sums, *count;
};

static size_t saved_bytes(const struct cvy_op *op, int n) {
    (void)n;
    return (4 * (size_t)op->in[0].c + 1) * sizeof(double);
}
static struct saved saved_of(const struct cvy_op *op, const struct cvy_call *call) {
    double *at = call->saved;
    const int channels = op->in[0].c;
    return (struct saved){at, at + channels, at + 2 * channels, at + 4 * channels};
}

static const float *weight_of(const struct cvy_op *op, const struct cvy_call *call) {
    return op->params ? call->param[CVY_NORM_WEIGHT] : NULL;
}
static const float *bias_of(const struct cvy_op *op, const struct cvy_call *call) {
    return op->params ? call->param[CVY_NORM_BIAS] : NULL;
}

static bool own_statistics(const struct cvy_op *op, const struct cvy_call *call) {
    return call->mode == CVY_TRAIN && !op->frozen;
}

/* What this call normalises by: scratch gets the mean and 1/σ. */
static void choose_statistics(const struct cvy_op *op, const struct cvy_call *call, struct cvy_norm_scratch *s) {
    const struct batchnorm *b = op->state;
    const bool own = own_statistics(op, call);
    const struct saved saved = own ? saved_of(op, call) : (struct saved){0};
    for (int c = 0; c < op->in[0].c; c++) {
        s->mean[c] = own ? saved.mean[c] : call->buffer[MEAN][c];
        s->inverse[c] = 1 / sqrt((own ? saved.variance[c] : call->buffer[VARIANCE][c]) + b->eps);
    }
}

/* Forward's map, kept apart from backward's. */
static struct cvy_norm_map forward_again(const struct cvy_op *op, const struct cvy_call *call, const struct cvy_norm *g,
                                         struct cvy_norm_scratch *s) {
    struct cvy_norm_scratch apart = *s;
    apart.scale = s->gain;
    apart.shift = s->offset;
    return cvy_norm_map_forward(g, s->mean, weight_of(op, call), bias_of(op, call), &apart);
}

/* Sums of dy over the leaf. A fused ReLU lets part of dy through: without a residual that follows from x; with one from
 * y, and then the masked dy takes the place of dy, since it is the residual's gradient too. */
static void sum_gradients(const struct cvy_op *op, struct cvy_call *call, const struct cvy_norm *g,
                          struct cvy_norm_scratch *s) {
    const struct saved saved = saved_of(op, call);
    const struct cvy_norm_map map = forward_again(op, call, g, s);
    struct cvy_norm_mask mask = {.map = &map};
    if (call->fused.residual) mask = (struct cvy_norm_mask){.y = call->y.data, .dz = call->dy.data};
    const struct cvy_norm_factors factors = {call->x[0].data, call->dy.data, saved.mean,
                                             call->fused.activation == CVY_FUSED_RELU ? &mask : NULL};
    cvy_norm_products(call->compute, g, &factors, saved.sums, s->parts);
}

static void partial(const struct cvy_op *op, struct cvy_call *call, bool backward) {
    const struct cvy_norm g = geometry(op, call->n);
    struct cvy_norm_scratch s = cvy_norm_scratch_at(&g, call->workspace);
    const struct saved saved = saved_of(op, call);
    if (!backward) {
        cvy_norm_moments(call->compute, &g, call->x[0].data, call->partial, s.parts);
        call->partial[2 * g.channels] = (double)g.rows;
        return;
    }
    choose_statistics(op, call, &s);
    sum_gradients(op, call, &g, &s);
    memcpy(call->partial, saved.sums, 2 * (size_t)g.channels * sizeof(double));
}

/* Mean and variance of this step into `saved`. */
static void take_statistics(const struct cvy_op *op, struct cvy_call *call, const struct cvy_norm *g,
                            const struct cvy_norm_scratch *s) {
    const struct saved saved = saved_of(op, call);
    const double *sums = op->partial_forward ? call->partial : s->sums;
    if (!op->partial_forward) cvy_norm_moments(call->compute, g, call->x[0].data, s->sums, s->parts);
    *saved.count = op->partial_forward ? call->partial[2 * g->channels] : (double)g->rows;
    for (int c = 0; c < g->channels; c++) {
        const double mean = sums[c] / *saved.count;
        const double variance = sums[g->channels + c] / *saved.count - mean * mean;
        saved.mean[c] = mean;
        saved.variance[c] = variance < 0 ? 0 : variance; /* by rounding alone */
    }
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_norm g = geometry(op, call->n);
    struct cvy_norm_scratch s = cvy_norm_scratch_at(&g, call->workspace);
    if (own_statistics(op, call) && !call->recompute) take_statistics(op, call, &g, &s);
    choose_statistics(op, call, &s);
    const struct cvy_norm_map map = cvy_norm_map_forward(&g, s.mean, weight_of(op, call), bias_of(op, call), &s);
    cvy_norm_forward(call->compute, &g, call->x[0].data, &map, call->fused.residual ? call->x[op->inputs].data : NULL,
                     call->fused.activation == CVY_FUSED_RELU, call->y.data);
}

/* Times the samples, as statistics are handed on. */
static void store_statistics(const struct cvy_op *op, struct cvy_call *call) {
    const struct saved saved = saved_of(op, call);
    const double m = *saved.count, unbiased = m > 1 ? m / (m - 1) : 1;
    cvy_norm_store(saved.mean, call->n, op->in[0].c, call->stat[MEAN]);
    cvy_norm_store(saved.variance, call->n * unbiased, op->in[0].c, call->stat[VARIANCE]);
}

/* sums: [2][channels], Σ dy and Σ dy·(x − μ) over the leaf. */
static void store_gradients(struct cvy_call *call, const double *sums, struct cvy_norm_scratch *s, int channels) {
    for (int c = 0; c < channels; c++) s->mean[c] = sums[channels + c] * s->inverse[c];
    cvy_norm_store(s->mean, 1, channels, call->grad[CVY_NORM_WEIGHT]);
    cvy_norm_store(sums, 1, channels, call->grad[CVY_NORM_BIAS]);
}

/* Mean and variance are constants: dx = dy·γ/σ. */
static void backward_frozen(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_norm g = geometry(op, call->n);
    struct cvy_norm_scratch s = cvy_norm_scratch_at(&g, call->workspace);
    choose_statistics(op, call, &s);
    memset(s.sums, 0, 2 * (size_t)g.channels * sizeof *s.sums);
    for (int i = 0; i < op->params; i++) cvy_norm_store(s.sums, 0, g.channels, call->grad[i]);
    for (int i = 0; i < op->buffers; i++) cvy_norm_store(s.sums, 0, g.channels, call->stat[i]);
    if (call->dx[0].data == NULL) return;
    const struct cvy_norm_map map = cvy_norm_map_backward(&g, s.mean, weight_of(op, call), s.sums, 1, &s);
    cvy_norm_backward(call->compute, &g, call->x[0].data, call->dy.data, &map, call->dx[0].data, call->accumulate[0]);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    const struct batchnorm *b = op->state;
    const struct cvy_norm g = geometry(op, call->n);
    const struct saved saved = saved_of(op, call);
    struct cvy_norm_scratch s = cvy_norm_scratch_at(&g, call->workspace);
    if (op->frozen) {
        backward_frozen(op, call);
        return;
    }
    const float *weight = weight_of(op, call);
    choose_statistics(op, call, &s);
    if (!b->sync) sum_gradients(op, call, &g, &s);
    if (b->affine) store_gradients(call, saved.sums, &s, g.channels);
    store_statistics(op, call);
    if (call->fused.residual) cvy_op_pass_back(call, op->inputs, cvy_op_count(op->out, call->n));
    if (call->dx[0].data == NULL) return;
    const bool masked = call->fused.activation == CVY_FUSED_RELU && !call->fused.residual;
    const struct cvy_norm_map again = forward_again(op, call, &g, &s);
    for (int c = 0; c < g.channels; c++) {
        const double gain = weight ? weight[c] : 1, *all = b->sync ? call->partial : saved.sums;
        s.sums[c] = gain * all[c];
        s.sums[g.channels + c] = gain * all[g.channels + c] * s.inverse[c];
    }
    struct cvy_norm_map map = cvy_norm_map_backward(&g, saved.mean, weight, s.sums, *saved.count, &s);
    if (masked) map.gain = again.scale, map.offset = again.shift;
    cvy_norm_backward(call->compute, &g, call->x[0].data, call->dy.data, &map, call->dx[0].data, call->accumulate[0]);
}

/* The bias of what is before goes into the mean; the two are rounded together, once. */
static void fold(const struct cvy_op *op, struct cvy_call *call) {
    const struct batchnorm *b = op->state;
    const int channels = op->in[0].c, stored = cvy_round_up(channels, CVY_PANEL);
    const float *weight = weight_of(op, call), *bias = bias_of(op, call), *before = call->fused.bias;
    memset(call->copy, 0, 3 * (size_t)stored * sizeof *call->copy);
    for (int c = 0; c < channels; c++) {
        const double inverse = 1 / sqrt(call->buffer[VARIANCE][c] + b->eps);
        call->copy[c] = (before ? before[c] : 0) - call->buffer[MEAN][c];
        call->copy[stored + c] = (float)(weight ? weight[c] * inverse : inverse);
        call->copy[2 * stored + c] = bias ? bias[c] : 0;
    }
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct batchnorm *b = op->state;
    cvy_buf_printf(out, "eps%.17g momentum%.17g affine%d sync%d zero_init%d ", b->eps, b->momentum, b->affine, b->sync,
                   b->zero_init);
}

const struct cvy_op_kind cvy_op_batchnorm = {
    .name = "batchnorm",
    .purpose = "normalises each channel over the leaf (sync: over the whole batch), then scales and shifts it",
    .keys = keys,
    .state_size = sizeof(struct batchnorm),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .check = check,
    .workspace = workspace,
    .saved = saved_bytes,
    .partial = partial,
    .forward = forward,
    .backward = backward,
    .fold = fold,
    .describe = describe,
};
