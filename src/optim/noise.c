/* Normal noise for gradients, which every rank draws for itself: four numbers from one block of the generator. */
#include <stdio.h>

#include "core/ints.h"
#include "core/normals.h"
#include "core/rng.h"
#include "optim/gradient.h"

enum { TASK_BLOCKS = 1 << 12, BLOCKS = 32 /* at a time */ };

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
    const int64_t first = (int64_t)t * TASK_BLOCKS * 4, past = first + TASK_BLOCKS * 4;
    const int64_t end = past < n->count ? past : n->count;
    for (int64_t begin = first; begin < end; begin += 4 * BLOCKS) {
        const int64_t count = end - begin < 4 * BLOCKS ? end - begin : 4 * BLOCKS;
        const int blocks = (int)cvy_ceil_div(count, 4);
        uint32_t words[4 * BLOCKS];
        double normals[4 * BLOCKS];
        cvy_rng_blocks(n->stream, n->step, (uint64_t)begin / 4, blocks, words);
        cvy_normals(words, 4 * blocks, normals);
        for (int64_t i = 0; i < count; i++) {
            float *g = n->sum + cvy_param_place(n->param, begin + i);
            *g = (float)(n->scale * (double)*g + n->sigma * normals[i]);
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
