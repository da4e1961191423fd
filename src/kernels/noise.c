/* Gaussian noise: element i of a sample is given number i%4 of the four that Philox block i/4 of (stream, epoch, sample
 * id) makes by Box and Muller's transform of its words, two by two. Tasks are stretches of whole blocks of one sample.
 */
#include <math.h>

#include "kernels/elementwise.h"

#include "core/ints.h"

enum { TASK_FLOATS = 1 << 12 };

struct noise {
    struct cvy_draws draws;
    int64_t per_sample;
    int parts; /* tasks a sample */
    double std;
    const float *x;
    float *y;
};

static void normals(const uint32_t words[4], double out[4]) {
    for (int i = 0; i < 4; i += 2) {
        const double size = sqrt(-2 * log((words[i] + 0.5) * 0x1p-32)); /* never of 0 */
        const double angle = words[i + 1] * (0x1p-32 * 6.283185307179586);
        out[i] = size * cos(angle);
        out[i + 1] = size * sin(angle);
    }
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct noise *s = arg;
    const int sample = t / s->parts;
    const uint64_t id = (uint64_t)s->draws.ids[sample];
    const int64_t begin = (int64_t)(t % s->parts) * TASK_FLOATS, at = sample * s->per_sample;
    const int64_t end = begin + TASK_FLOATS < s->per_sample ? begin + TASK_FLOATS : s->per_sample;
    double drawn[4];
    for (int64_t i = begin; i < end; i++) {
        if (i % 4 == 0) {
            const uint32_t counter[4] = {(uint32_t)(i / 4), s->draws.epoch, (uint32_t)id, (uint32_t)(id >> 32)};
            uint32_t words[4];
            cvy_philox(counter, s->draws.stream.key, words);
            normals(words, drawn);
        }
        s->y[at + i] = (float)(s->x[at + i] + s->std * drawn[i % 4]);
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
