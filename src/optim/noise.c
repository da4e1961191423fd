/* Normal noise for gradients: four numbers from one block of the generator (Box & Muller 1958). Logarithm, sine and
 * cosine are series of our own, because every rank draws for itself and C libraries differ in their last digits. */
#include <math.h>
#include <stdio.h>

#include "core/ints.h"
#include "core/rng.h"
#include "optim/gradient.h"

enum { TASK_BLOCKS = 1 << 12 };

/* 2^e·m with m in [√½, √2): ln m = 2·artanh((m − 1)/(m + 1)), the argument below 0.172. */
static double natural_log(double x) {
    int e;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    double s = (m - 1) / (m + 1), t = s * s, sum = 0;
    for (int k = 17; k >= 1; k -= 2) sum = sum * t + 1.0 / k;
    return e * 0.69314718055994531 + 2 * s * sum;
}

/* Of 2π·turn: Taylor's series within an eighth of a turn, whose next terms are below 1e-15. */
static void sine_cosine(double turn, double *sine, double *cosine) {
    int quarter = (int)(4 * turn + 0.5);
    double x = 6.283185307179586 * (turn - 0.25 * quarter), t = x * x, s = 1, c = 1;
    for (int k = 14; k >= 2; k -= 2) {
        s = 1 - s * t / (k * (k + 1));
        c = 1 - c * t / (k * (k - 1));
    }
    s *= x;
    double sines[4] = {s, c, -s, -c};
    *sine = sines[quarter & 3];
    *cosine = sines[(quarter + 1) & 3];
}

static void four_normals(struct cvy_rng *rng, double out[4]) {
    for (int pair = 0; pair < 4; pair += 2) {
        double radius = sqrt(-2 * natural_log(((double)cvy_rng_u32(rng) + 0.5) * 0x1p-32)), sine, cosine;
        sine_cosine((double)cvy_rng_u32(rng) * 0x1p-32, &sine, &cosine);
        out[pair] = radius * cosine;
        out[pair + 1] = radius * sine;
    }
}

struct noise {
    const struct cvy_param *param;
    struct cvy_stream stream;
    uint32_t step;
    double scale, sigma;
    float *sum;
    int64_t count; /* logical */
};

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct noise *n = arg;
    int64_t first = (int64_t)t * TASK_BLOCKS * 4, end = first + TASK_BLOCKS * 4;
    for (int64_t block = first; block < end && block < n->count; block += 4) {
        struct cvy_rng rng = cvy_rng_at(n->stream, n->step, (uint64_t)block / 4);
        double normals[4];
        four_normals(&rng, normals);
        for (int64_t i = block; i < block + 4 && i < n->count; i++) {
            float *g = n->sum + cvy_param_place(n->param, i);
            *g = (float)(n->scale * (double)*g + n->sigma * normals[i - block]);
        }
    }
}

void cvy_gradient_add_noise(const struct cvy_compute *compute, const struct cvy_param *param, uint64_t seed,
                            int64_t step, double scale, double sigma, float *sum) {
    char name[sizeof param->name + 16];
    snprintf(name, sizeof name, "%s/gradient_noise", param->name);
    struct noise n = {.param = param,
                      .stream = cvy_stream_make(seed, name),
                      .step = (uint32_t)step,
                      .scale = scale,
                      .sigma = sigma,
                      .sum = sum,
                      .count = cvy_param_count(param)};
    int64_t blocks = (n.count + 3) / 4;
    cvy_parallel(compute->pool, (int)cvy_ceil_div(blocks, TASK_BLOCKS), task, &n);
}
