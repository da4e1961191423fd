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

struct join {
    const struct cvy_compute *compute;
    const struct cvy_weights_sums *sums;
    int chunks;
    float *dw, *dbias;
    size_t weights, biases;
};

static void join_range(const struct join *j, const float *sums, size_t floats, float *out) {
    if (out != sums) memcpy(out, sums, floats * sizeof *out);
    for (int i = 1; i < j->chunks; i++) j->compute->table->add(out, sums + i * j->sums->stride, (int64_t)floats);
}

static void join_task(void *arg, int t, int thread) {
    (void)thread;
    const struct join *j = arg;
    const size_t begin = (size_t)t * TASK_FLOATS, left = j->weights - begin;
    join_range(j, j->sums->dw + begin, left < TASK_FLOATS ? left : TASK_FLOATS, j->dw + begin);
    if (t == 0 && j->dbias) join_range(j, j->sums->dbias, j->biases, j->dbias);
}

void cvy_weights_reduce(const struct cvy_compute *compute, const struct cvy_conv *g,
                        const struct cvy_weights_sums *sums, int chunks, float *dw, float *dbias) {
    const size_t weights = cvy_weights_floats(g);
    struct join join = {compute, sums, chunks, dw, dbias, weights, cvy_weights_sum_floats(g) - weights};
    cvy_parallel(compute->pool, (int)cvy_ceil_div(weights, TASK_FLOATS), join_task, &join);
}
