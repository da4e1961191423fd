/* Group normalisation (Wu & He 2018): y = γ·(x − μ)/√(σ² + ε) + β for each channel, with mean and variance over height,
 * width and the channels of a group of one sample: the same in training and evaluation. Sums are taken for each sample
 * and channel; those of a group are then joined. */
#include <math.h>
#include <string.h>

#include "ops/layers/norm.h"

struct groupnorm {
    int64_t groups;
    double eps;
    bool affine;
};

static const struct cvy_key keys[] = {
    {"groups", CVY_KEY_INT, offsetof(struct groupnorm, groups), NULL, 1, 1 << 20, NULL, "of neighbouring channels"},
    CVY_NORM_EPS(struct groupnorm),
    CVY_NORM_AFFINE(struct groupnorm),
    CVY_KEY_END};

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    const struct groupnorm *s = op->state;
    const int64_t channels = op->in[0].c;
    op->out = op->in[0];
    op->reads = CVY_READS_INPUT;
    op->inplace = true;
    if (channels % s->groups != 0)
        cvy_find(findings, op->node, "%s: %d groups do not divide %d %s evenly", op->name, (int)s->groups,
                 (int)channels, cvy_plural((double)channels, "channel", "channels"));
    else if (cvy_shape_count(op->in[0]) / s->groups < 2)
        cvy_find(findings, op->node, "%s: statistics over a single value: %d groups of %s; lower groups", op->name,
                 (int)s->groups, CVY_SHAPE_TEXT(op->in[0]));
    if (s->affine) cvy_norm_declare(op, &channels, 1, false);
}

static struct cvy_norm geometry(const struct cvy_op *op, int n) {
    return (struct cvy_norm){n, cvy_shape_pixels(op->in[0]), op->in[0].c, op->type};
}

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    (void)threads;
    const struct cvy_norm g = geometry(op, n);
    return cvy_norm_scratch_bytes(&g);
}

/* [n][channels] mean, then 1/σ. */
static size_t saved(const struct cvy_op *op, int n) {
    return 2 * (size_t)n * (size_t)op->in[0].c * sizeof(double);
}

/* Both sums of every group, at each of its channels. */
static void join_groups(const struct cvy_op *op, const struct cvy_norm *g, double *sums) {
    const int width = (int)(g->channels / ((const struct groupnorm *)op->state)->groups);
    for (int64_t at = 0; at < 2 * g->units * g->channels; at += width) {
        double sum = 0;
        for (int c = 0; c < width; c++) sum += sums[at + c];
        for (int c = 0; c < width; c++) sums[at + c] = sum;
    }
}

static double values_of_group(const struct cvy_op *op) {
    const int64_t groups = ((const struct groupnorm *)op->state)->groups, values = cvy_shape_count(op->in[0]) / groups;
    return (double)values;
}

static const float *weight_of(const struct cvy_op *op, const struct cvy_call *call) {
    return op->params ? call->param[CVY_NORM_WEIGHT] : NULL;
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    const struct groupnorm *o = op->state;
    const struct cvy_norm g = geometry(op, call->n);
    const double count = values_of_group(op);
    struct cvy_norm_scratch s = cvy_norm_scratch_at(&g, call->workspace);
    cvy_norm_moments(call->compute, &g, call->x[0].data, s.sums, s.parts);
    join_groups(op, &g, s.sums);
    for (int64_t i = 0; i < g.units * g.channels; i++) {
        const double *first = s.sums + 2 * (i - i % g.channels) + i % g.channels;
        const double mean = first[0] / count, variance = first[g.channels] / count - mean * mean;
        s.mean[i] = mean;
        s.inverse[i] = 1 / sqrt((variance < 0 ? 0 : variance) + o->eps); /* below 0 by rounding alone */
    }
    if (call->saved) memcpy(call->saved, s.mean, saved(op, call->n)); /* mean and inverse are neighbours */
    const struct cvy_norm_map map =
        cvy_norm_map_forward(&g, s.mean, weight_of(op, call), op->params ? call->param[CVY_NORM_BIAS] : NULL, &s);
    cvy_norm_forward(call->compute, &g, call->x[0].data, &map, NULL, call->fused.activation == CVY_FUSED_RELU,
                     call->y.data);
}

/* Over the samples. sums: Σ dy and Σ dy·(x − μ) of each sample and channel. */
static void store_gradients(struct cvy_call *call, const struct cvy_norm *g, const struct cvy_norm_scratch *s) {
    double *sum = s->mean; /* no longer needed: [channels] */
    for (int p = 0; p < 2; p++) {
        for (int c = 0; c < g->channels; c++) {
            sum[c] = 0;
            for (int64_t u = 0; u < g->units; u++) {
                const double *first = s->sums + 2 * u * g->channels + c;
                sum[c] += p == CVY_NORM_BIAS ? first[0] : first[g->channels] * s->inverse[u * g->channels + c];
            }
        }
        cvy_norm_store(sum, 1, g->channels, call->grad[p]);
    }
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_norm g = geometry(op, call->n);
    const float *x = call->x[0].data, *dy = call->dy.data, *weight = weight_of(op, call);
    const double *mean = call->saved;
    struct cvy_norm_scratch s = cvy_norm_scratch_at(&g, call->workspace);
    memcpy(s.mean, call->saved, saved(op, call->n));
    cvy_norm_products(call->compute, &g, &(struct cvy_norm_factors){x, dy, mean, NULL}, s.sums, s.parts);
    if (op->params) store_gradients(call, &g, &s);
    if (call->dx[0].data == NULL) return;
    for (int64_t i = 0; i < g.units * g.channels; i++) {
        double *first = s.sums + 2 * (i - i % g.channels) + i % g.channels, gain = weight ? weight[i % g.channels] : 1;
        first[0] *= gain;
        first[g.channels] *= gain * s.inverse[i];
    }
    join_groups(op, &g, s.sums);
    const struct cvy_norm_map map = cvy_norm_map_backward(&g, mean, weight, s.sums, values_of_group(op), &s);
    cvy_norm_backward(call->compute, &g, x, dy, &map, call->dx[0].data, call->accumulate[0]);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct groupnorm *s = op->state;
    cvy_buf_printf(out, "groups%d eps%.17g affine%d ", (int)s->groups, s->eps, s->affine);
}

const struct cvy_op_kind cvy_op_groupnorm = {
    .name = "groupnorm",
    .purpose = "normalises groups of channels of each sample (one channel a group: instance normalisation)",
    .shorthand = "groups",
    .keys = keys,
    .state_size = sizeof(struct groupnorm),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .workspace = workspace,
    .saved = saved,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
