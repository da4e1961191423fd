/* The sums of chunks added up. */
#include <string.h>

#include "kernels/conv/weights_parts.h"

#include "core/ints.h"

enum { TASK_FLOATS = 1 << 12 };

int cvy_weights_chunks(const struct cvy_conv *g, int items, int64_t least_macs) {
    const int64_t macs = cvy_conv_macs(g);
    const int most = cvy_min(CVY_TASKS_WANTED, items);
    int chunks = 1;
    while (2 * chunks <= most && 2 * chunks * least_macs <= macs) chunks *= 2;
    return chunks;
}

struct reduction {
    const struct cvy_compute *compute;
    const struct cvy_weights_sums *sums;
    int chunks;
    float *dw, *dbias;
    size_t weights, biases;
};

static void reduce_range(const struct reduction *r, const float *sums, size_t floats, float *out) {
    if (out != sums) memcpy(out, sums, floats * sizeof *out);
    for (int i = 1; i < r->chunks; i++) r->compute->table->add(out, sums + i * r->sums->stride, (int64_t)floats);
}

static void reduce_task(void *arg, int t, int thread) {
    (void)thread;
    const struct reduction *r = arg;
    const size_t begin = (size_t)t * TASK_FLOATS, left = r->weights - begin;
    reduce_range(r, r->sums->dw + begin, left < TASK_FLOATS ? left : TASK_FLOATS, r->dw + begin);
    if (t == 0 && r->dbias) reduce_range(r, r->sums->dbias, r->biases, r->dbias);
}

void cvy_weights_reduce(const struct cvy_compute *compute, const struct cvy_conv *g,
                        const struct cvy_weights_sums *sums, int chunks, float *dw, float *dbias) {
    const size_t weights = cvy_weights_floats(g);
    struct reduction reduction = {compute, sums, chunks, dw, dbias, weights, cvy_weights_sum_floats(g) - weights};
    cvy_parallel(compute->pool, (int)cvy_ceil_div(weights, TASK_FLOATS), reduce_task, &reduction);
}
