/* What a kernel runs on: threads and an ISA level. Made once for a process (or for each replica), passed to every
 * kernel, never changed by one. One caller at a time, as with the pool. */
#ifndef CVY_KERNELS_COMPUTE_H
#define CVY_KERNELS_COMPUTE_H

#include <stdbool.h>

#include "core/parallel.h"
#include "core/status.h"
#include "kernels/simd/isa.h"

struct cvy_kernel_table;
struct cvy_bf16_table;
struct cvy_tensor_loops;
struct cvy_trace;

struct cvy_compute {
    struct cvy_pool *pool;                    /* owned */
    enum cvy_isa level;                       /* of bf16 kernels, the one asked for */
    enum cvy_isa isa;                         /* of fp32 kernels: cvy_isa_fp32 of it */
    const struct cvy_kernel_table *table;     /* the level's kernels; static */
    const struct cvy_bf16_table *bf16;        /* those of bf16 */
    const struct cvy_tensor_loops *tensor[2]; /* loops over feature maps of CVY_F32, CVY_BF16 */
    int threads;
    struct cvy_trace *trace; /* a benchmark's ear (kernels/trace.h), NULL in ordinary runs */
};

/* `isa` must be available here, else CVY_ERR_USAGE; ranks agree on the minimum of cvy_isa_detect() before. The caller
 * destroys *out. Not collective. */
cvy_status cvy_compute_create(int threads, enum cvy_isa isa, struct cvy_compute **out);
void cvy_compute_destroy(struct cvy_compute **compute);

/* Around all that is computed with it: a call of BLAS is one task of ours, so from the first _enter to the last _leave
 * BLAS works with one thread where it is used (level portable), then with as many as before. That number is the
 * process's, so what others compute with BLAS meanwhile has one thread too. */
void cvy_compute_enter(const struct cvy_compute *compute);
void cvy_compute_leave(const struct cvy_compute *compute);

#endif
