#include "api/peaks.h"

#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/param.h"
#include "kernels/simd/bf16_table.h"
#include "kernels/simd/table.h"

enum {
    ROWS = 6, /* a product that the registers of every level hold, of operands within an L1 cache */
    COLUMNS = 64,
    DEPTH = 96,
    DOT_ROWS = 32, /* of pairs: two tiles of 16 rows */
    DOT_DEPTH = 48,
    ROUNDS = 16, /* of one sum over the same operands, so that what a call begins and ends with does not count */
    CALLS = 4,   /* of a product, a task */
    OPERANDS = (ROWS + COLUMNS) * DEPTH,
    STREAM_FLOATS = 1 << 24, /* of each of the three streams: 64 MiB */
    REPEATS = 20             /* short rounds: one of them meets no other process */
};

/* ---- multiply-adds ---- */

static void multiply_task(void *arg, int t, int thread) {
    const struct cvy_peaks *p = arg;
    (void)t, (void)thread;
    _Alignas(CVY_ALIGN) float c[ROWS * COLUMNS];
    for (int i = 0; i < CALLS; i++)
        p->compute->table->product(&(struct cvy_product){.rows = ROWS,
                                                         .columns = COLUMNS,
                                                         .depth = DEPTH,
                                                         .outer = ROUNDS,
                                                         .inner = 1,
                                                         .a = p->operands + COLUMNS * DEPTH,
                                                         .a_row = DEPTH,
                                                         .a_step = 1,
                                                         .b = p->operands,
                                                         .b_panel = (ptrdiff_t)CVY_PANEL * DEPTH,
                                                         .b_step = CVY_PANEL,
                                                         .c = c,
                                                         .c_row = COLUMNS,
                                                         .c_panel = CVY_PANEL});
}

static void dot_task(void *arg, int t, int thread) {
    const struct cvy_peaks *p = arg;
    (void)t, (void)thread;
    const cvy_pair *pairs = (const cvy_pair *)(const void *)p->operands;
    _Alignas(CVY_ALIGN) float c[DOT_ROWS * COLUMNS];
    for (int i = 0; i < CALLS; i++)
        p->compute->bf16->dot(&(struct cvy_product){.rows = DOT_ROWS,
                                                    .columns = COLUMNS,
                                                    .depth = DOT_DEPTH,
                                                    .outer = ROUNDS,
                                                    .inner = 1,
                                                    .a = pairs + COLUMNS * DOT_DEPTH,
                                                    .a_row = DOT_DEPTH,
                                                    .a_step = 1,
                                                    .b = pairs,
                                                    .b_panel = (ptrdiff_t)CVY_PANEL * DOT_DEPTH,
                                                    .b_step = CVY_PANEL,
                                                    .c = c,
                                                    .c_row = COLUMNS,
                                                    .c_panel = CVY_PANEL});
}

static double seconds_of(struct cvy_pool *pool, cvy_task_fn *fn, void *arg, int tasks) {
    double start = cvy_clock();
    if (pool)
        cvy_parallel(pool, tasks, fn, arg);
    else
        for (int t = 0; t < tasks; t++) fn(arg, t, 0);
    return cvy_clock() - start;
}

static void raise_to(double *best, double rate) {
    if (rate > *best) *best = rate;
}

static void probe_multiplying(struct cvy_peaks *p) {
    const int threads = p->compute->threads;
    const double flops = 2.0 * ROWS * COLUMNS * DEPTH * ROUNDS * CALLS * 1e-9; /* a task */
    for (int i = 0; i < REPEATS; i++) {
        raise_to(&p->fma_one, 2 * flops / seconds_of(NULL, multiply_task, p, 2));
        raise_to(&p->fma_all, 4 * threads * flops / seconds_of(p->compute->pool, multiply_task, p, 4 * threads));
    }
}

static void probe_bf16(struct cvy_peaks *p) {
    const int threads = p->compute->threads;
    const double flops = 4.0 * DOT_ROWS * COLUMNS * DOT_DEPTH * ROUNDS * CALLS * 1e-9; /* a task */
    if (p->compute->level == p->compute->isa) return;                                  /* emulated */
    for (int i = 0; i < REPEATS; i++)
        raise_to(&p->bf16_all, 4 * threads * flops / seconds_of(p->compute->pool, dot_task, p, 4 * threads));
}

/* ---- memory ---- */

static void read_task(void *arg, int task, int thread) {
    const struct cvy_peaks *p = arg;
    (void)thread;
    enum { WORDS = STREAM_FLOATS / 2 / CVY_PEAK_TASKS };
    const uint64_t *from = (const uint64_t *)(const void *)p->memory + (ptrdiff_t)task * WORDS;
    uint64_t sum[8] = {0};
    for (int i = 0; i < WORDS; i += 8)
        for (int k = 0; k < 8; k++) sum[k] += from[i + k];
    for (int k = 1; k < 8; k++) sum[0] += sum[k];
    p->sums[task * 8] = (double)sum[0];
}

static void triad_task(void *arg, int task, int thread) {
    const struct cvy_peaks *p = arg;
    (void)thread;
    enum { FLOATS = STREAM_FLOATS / CVY_PEAK_TASKS };
    const float *b = p->memory + (ptrdiff_t)task * FLOATS, *c = b + STREAM_FLOATS;
    float *a = p->memory + 2 * (ptrdiff_t)STREAM_FLOATS + (ptrdiff_t)task * FLOATS;
    for (int i = 0; i < FLOATS; i++) a[i] = b[i] + 0.5f * c[i];
}

static void probe_memory(struct cvy_peaks *p) {
    const double bytes = sizeof(float) * (double)STREAM_FLOATS * 1e-9;
    raise_to(&p->read_gbs, bytes / seconds_of(p->compute->pool, read_task, p, CVY_PEAK_TASKS));
    raise_to(&p->triad_gbs, 3 * bytes / seconds_of(p->compute->pool, triad_task, p, CVY_PEAK_TASKS));
}

void cvy_peaks_probe(struct cvy_peaks *peaks) {
    probe_multiplying(peaks);
    probe_bf16(peaks);
    probe_memory(peaks);
}

/* ---- life ---- */

cvy_status cvy_peaks_create(const struct cvy_compute *compute, struct cvy_peaks *out) {
    *out = (struct cvy_peaks){.compute = compute};
    cvy_status status = CVY_NEW(&out->operands, OPERANDS, general);
    if (status == CVY_OK) status = CVY_NEW(&out->memory, 3 * (size_t)STREAM_FLOATS, general);
    if (status == CVY_OK) status = CVY_NEW(&out->sums, CVY_PEAK_TASKS * 8, general);
    if (status != CVY_OK) {
        cvy_peaks_destroy(out);
        return status;
    }
    memset(out->memory, 0, 3 * sizeof(float) * (size_t)STREAM_FLOATS); /* pages of its own */
    return CVY_OK;
}

void cvy_peaks_destroy(struct cvy_peaks *peaks) {
    cvy_free(peaks->operands);
    cvy_free(peaks->memory);
    cvy_free(peaks->sums);
    *peaks = (struct cvy_peaks){0};
}
