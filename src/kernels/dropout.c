/* Dropout: element i of a sample is kept when word i%4 of Philox block i/4 of (stream, epoch, sample id) is not below
 * p·2³². Tasks are stretches of whole blocks of one sample. */
#include "kernels/elementwise.h"

#include "core/ints.h"
#include "core/parallel.h"
#include "kernels/simd/tensor.h"

enum { TASK_FLOATS = 1 << 12 };

struct dropout {
    struct cvy_draws draws;
    uint32_t threshold;
    int64_t per_sample;
    int parts; /* tasks a sample */
    float factor;
    enum cvy_dtype type;
    const struct cvy_tensor_loops *loops;
    const void *from;
    void *to;
    bool accumulate;
};

static struct dropout dropout_of(const struct cvy_compute *compute, const struct cvy_dropout *how, const void *from,
                                 void *to, bool accumulate) {
    return (struct dropout){.draws = how->draws,
                            .threshold = (uint32_t)((double)how->p * 0x1p32),
                            .per_sample = cvy_shape_count(how->shape),
                            .factor = 1 / (1 - how->p),
                            .type = how->type,
                            .loops = compute->tensor[how->type],
                            .from = from,
                            .to = to,
                            .accumulate = accumulate};
}

/* What elements begin … begin + count − 1 are multiplied by; begin is a multiple of 4, count TASK_FLOATS at most. */
static void draw_factors(const struct dropout *d, uint64_t id, int64_t begin, int count, float *factors) {
    uint32_t words[TASK_FLOATS];
    const uint32_t counter[4] = {(uint32_t)(begin / 4), d->draws.epoch, (uint32_t)id, (uint32_t)(id >> 32)};
    cvy_philox_row(counter, d->draws.stream.key, (count + 3) / 4, words);
    for (int i = 0; i < count; i++) factors[i] = words[i] < d->threshold ? 0 : d->factor;
}

static void mask(const struct dropout *d, const float *factors, int64_t at, int count) {
    d->loops->mask(factors, cvy_element(d->from, d->type, at), cvy_element(d->to, d->type, at), count, d->accumulate);
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct dropout *d = arg;
    const int sample = t / d->parts;
    const int64_t begin = (int64_t)(t % d->parts) * TASK_FLOATS, left = d->per_sample - begin;
    const int count = (int)(left < TASK_FLOATS ? left : TASK_FLOATS);
    float factors[TASK_FLOATS];
    draw_factors(d, (uint64_t)d->draws.ids[sample], begin, count, factors);
    mask(d, factors, sample * d->per_sample + begin, count);
}

void cvy_dropout(const struct cvy_compute *compute, const struct cvy_dropout *how, const void *from, void *to,
                 bool accumulate) {
    struct dropout d = dropout_of(compute, how, from, to, accumulate);
    d.parts = (int)cvy_ceil_div(d.per_sample, TASK_FLOATS);
    cvy_parallel(compute->pool, how->draws.n * d.parts, task, &d);
}

/* ---- whole channels: a task is up to BLOCK channels of a sample ---- */

enum { BLOCK = 64 };

struct channel_dropout {
    struct dropout draw;
    struct cvy_shape shape;
    int blocks;
};

static void channel_task(void *arg, int t, int thread) {
    (void)thread;
    const struct channel_dropout *s = arg;
    const struct dropout *d = &s->draw;
    const int sample = t / s->blocks, first = t % s->blocks * BLOCK, c = s->shape.c;
    const int count = c - first < BLOCK ? c - first : BLOCK;
    float factors[BLOCK];
    draw_factors(d, (uint64_t)d->draws.ids[sample], first, count, factors);
    for (int64_t pixel = 0; pixel < cvy_shape_pixels(s->shape); pixel++)
        mask(d, factors, sample * d->per_sample + pixel * c + first, count);
}

void cvy_channel_dropout(const struct cvy_compute *compute, const struct cvy_dropout *how, const void *from, void *to,
                         bool accumulate) {
    struct channel_dropout s = {.draw = dropout_of(compute, how, from, to, accumulate),
                                .shape = how->shape,
                                .blocks = cvy_ceil_div(how->shape.c, BLOCK)};
    cvy_parallel(compute->pool, how->draws.n * s.blocks, channel_task, &s);
}
