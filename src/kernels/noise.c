/* Gaussian noise: element i of a sample is given number i%4 of the four that Philox block i/4 of (stream, epoch, sample
 * id) makes by Box and Muller's transform of its words, two by two. Tasks are stretches of whole blocks of one sample.
 */
#include "kernels/elementwise.h"

#include "core/ints.h"
#include "core/normals.h"

enum { TASK_FLOATS = 1 << 12 };

struct noise {
    struct cvy_draws draws;
    int64_t per_sample;
    int parts; /* tasks a sample */
    double std;
    const float *x;
    float *y;
};

enum { NOISE_FLOATS = 128 }; /* at a time; a part of a task */

/* Numbers [begin, begin + count) of a sample, begin a multiple of 4. */
static void draw(const struct noise *s, uint64_t id, int64_t begin, int count, double *drawn) {
    const uint32_t counter[4] = {(uint32_t)(begin / 4), s->draws.epoch, (uint32_t)id, (uint32_t)(id >> 32)};
    const int blocks = (count + 3) / 4;
    uint32_t words[NOISE_FLOATS];
    cvy_philox_row(counter, s->draws.stream.key, blocks, words);
    cvy_normals(words, 4 * blocks, drawn);
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct noise *s = arg;
    const int sample = t / s->parts;
    const uint64_t id = (uint64_t)s->draws.ids[sample];
    const int64_t begin = (int64_t)(t % s->parts) * TASK_FLOATS, at = sample * s->per_sample;
    const int64_t end = begin + TASK_FLOATS < s->per_sample ? begin + TASK_FLOATS : s->per_sample;
    double drawn[NOISE_FLOATS];
    for (int64_t i = begin; i < end; i += NOISE_FLOATS) {
        const int count = end - i < NOISE_FLOATS ? (int)(end - i) : NOISE_FLOATS;
        draw(s, id, i, count, drawn);
        for (int k = 0; k < count; k++) s->y[at + i + k] = (float)(s->x[at + i + k] + s->std * drawn[k]);
    }
}

void cvy_gaussian_noise(const struct cvy_compute *compute, const struct cvy_draws *draws, int64_t per_sample,
                        double std, const float *x, float *y) {
    struct noise s = {.draws = *draws,
                      .per_sample = per_sample,
                      .parts = (int)cvy_ceil_div(per_sample, TASK_FLOATS),
                      .std = std,
                      .x = x,
                      .y = y};
    cvy_parallel(compute->pool, draws->n * s.parts, task, &s);
}
