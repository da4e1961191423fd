#include "ops/layers/norm.h"

#include "core/ints.h"

#include <string.h>

void cvy_norm_declare(struct cvy_op *op, const int64_t *dims, int rank, bool zero_init) {
    struct cvy_param weight = {
        .name = "weight", .rank = rank, .init = zero_init ? CVY_INIT_ZERO : CVY_INIT_ONE, .decay = CVY_DECAY_NORM};
    struct cvy_param bias = {.name = "bias", .rank = rank, .init = CVY_INIT_ZERO, .decay = CVY_DECAY_NORM};
    memcpy(weight.dims, dims, (size_t)rank * sizeof *dims);
    memcpy(bias.dims, dims, (size_t)rank * sizeof *dims);
    cvy_op_declare(op, &weight);
    cvy_op_declare(op, &bias);
}

size_t cvy_norm_scratch_bytes(const struct cvy_norm *g) {
    const size_t count = (size_t)g->units * (size_t)g->channels;
    return 4 * count * sizeof(double) + 6 * count * sizeof(float) + cvy_norm_workspace(g);
}

struct cvy_norm_scratch cvy_norm_scratch_at(const struct cvy_norm *g, void *workspace) {
    const int64_t count = g->units * g->channels;
    double *d = workspace;
    float *f = (float *)(d + 4 * count);
    return (struct cvy_norm_scratch){.sums = d,
                                     .mean = d + 2 * count,
                                     .inverse = d + 3 * count,
                                     .means = f,
                                     .scale = f + count,
                                     .shift = f + 2 * count,
                                     .slope = f + 3 * count,
                                     .gain = f + 4 * count,
                                     .offset = f + 5 * count,
                                     .parts = f + 6 * count};
}

struct cvy_norm_map cvy_norm_map_forward(const struct cvy_norm *g, const double *mean, const float *weight,
                                         const float *bias, struct cvy_norm_scratch *s) {
    for (int64_t i = 0; i < g->units * g->channels; i++) {
        const int64_t c = i % g->channels;
        s->means[i] = (float)mean[i];
        s->scale[i] = (float)(weight ? weight[c] * s->inverse[i] : s->inverse[i]);
        s->shift[i] = bias ? bias[c] : 0;
    }
    return (struct cvy_norm_map){.mean = s->means, .scale = s->scale, .shift = s->shift};
}

struct cvy_norm_map cvy_norm_map_backward(const struct cvy_norm *g, const double *mean, const float *weight,
                                          const double *sums, double count, struct cvy_norm_scratch *s) {
    for (int64_t i = 0; i < g->units * g->channels; i++) {
        const int64_t c = i % g->channels;
        const double *first = sums + (i - c) * 2 + c, inverse = s->inverse[i];
        s->means[i] = (float)mean[i];
        s->slope[i] = (float)(weight ? weight[c] * inverse : inverse);
        s->shift[i] = (float)(-first[0] * inverse / count);
        s->scale[i] = (float)(-first[g->channels] * inverse * inverse / count);
    }
    return (struct cvy_norm_map){.mean = s->means, .scale = s->scale, .shift = s->shift, .slope = s->slope};
}

void cvy_norm_store(const double *from, double factor, int channels, float *to) {
    const int stored = cvy_round_up(channels, CVY_PANEL);
    for (int c = 0; c < channels; c++) to[c] = (float)(from[c] * factor);
    memset(to + channels, 0, (size_t)(stored - channels) * sizeof *to);
}
