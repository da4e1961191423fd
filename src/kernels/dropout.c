/* Dropout: element i of a sample is kept when word i%4 of Philox block i/4 of (stream, epoch, sample id) is not below
 * p·2³². Tasks are stretches of whole blocks of one sample. */
#include "kernels/eltwise.h"

enum { TASK_FLOATS = 1 << 12 };

struct dropout {
    struct cvy_stream stream;
    uint32_t epoch, threshold;
    const int64_t *ids;
    int64_t per_sample;
    int parts; /* tasks a sample */
    float factor;
    const float *from;
    float *to;
    bool accumulate;
};

/* `from` and `to` hold elements begin … end − 1. */
static void drop_range(const struct dropout *d, uint64_t id, int64_t begin, int64_t end, const float *from, float *to) {
    uint32_t words[4];
    for (int64_t i = begin; i < end; i++) {
        const uint32_t counter[4] = {(uint32_t)(i / 4), d->epoch, (uint32_t)id, (uint32_t)(id >> 32)};
        if (i % 4 == 0) cvy_philox(counter, d->stream.key, words);
        const float kept = words[i % 4] < d->threshold ? 0 : from[i - begin] * d->factor;
        to[i - begin] = d->accumulate ? to[i - begin] + kept : kept;
    }
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct dropout *d = arg;
    const int sample = t / d->parts;
    const int64_t begin = (int64_t)(t % d->parts) * TASK_FLOATS, left = d->per_sample - begin;
    const int64_t at = sample * d->per_sample + begin;
    drop_range(d, (uint64_t)d->ids[sample], begin, begin + (left < TASK_FLOATS ? left : TASK_FLOATS), d->from + at,
               d->to + at);
}

static void run(const struct cvy_compute *compute, struct dropout *d, int n, float p) {
    d->threshold = (uint32_t)((double)p * 0x1p32);
    d->factor = 1 / (1 - p);
    d->parts = (int)((d->per_sample + TASK_FLOATS - 1) / TASK_FLOATS);
    cvy_parallel(compute->pool, n * d->parts, task, d);
}

void cvy_dropout_forward(const struct cvy_compute *compute, struct cvy_stream stream, uint32_t epoch,
                         const int64_t *ids, int n, int64_t per_sample, float p, const float *x, float *y) {
    struct dropout d = {stream, epoch, 0, ids, per_sample, 0, 0, x, y, false};
    run(compute, &d, n, p);
}

void cvy_dropout_backward(const struct cvy_compute *compute, struct cvy_stream stream, uint32_t epoch,
                          const int64_t *ids, int n, int64_t per_sample, float p, const float *dy, float *dx,
                          bool accumulate) {
    struct dropout d = {stream, epoch, 0, ids, per_sample, 0, 0, dy, dx, accumulate};
    run(compute, &d, n, p);
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
    struct dropout mask = *d;
    float ones[BLOCK] = {0}, factors[BLOCK] = {0};
    for (int i = 0; i < count; i++) ones[i] = 1;
    mask.accumulate = false;
    drop_range(&mask, (uint64_t)d->ids[sample], first, first + count, ones, factors);
    for (int64_t pixel = 0; pixel < (int64_t)s->shape.h * s->shape.w; pixel++) {
        const int64_t at = sample * d->per_sample + pixel * c + first;
        for (int i = 0; i < count; i++) {
            const float kept = factors[i] == 0 ? 0 : d->from[at + i] * factors[i];
            d->to[at + i] = d->accumulate ? d->to[at + i] + kept : kept;
        }
    }
}

void cvy_channel_dropout(const struct cvy_compute *compute, struct cvy_stream stream, uint32_t epoch,
                         const int64_t *ids, int n, struct cvy_shape shape, float p, const float *from, float *to,
                         bool accumulate) {
    struct channel_dropout s = {.draw = {.stream = stream,
                                         .epoch = epoch,
                                         .threshold = (uint32_t)((double)p * 0x1p32),
                                         .ids = ids,
                                         .per_sample = cvy_shape_count(shape),
                                         .factor = 1 / (1 - p),
                                         .from = from,
                                         .to = to,
                                         .accumulate = accumulate},
                                .shape = shape,
                                .blocks = (shape.c + BLOCK - 1) / BLOCK};
    cvy_parallel(compute->pool, n * s.blocks, channel_task, &s);
}
