#include "kernels/compute.h"

#include <cblas.h>
#include <pthread.h>

#include "core/memory.h"
#include "kernels/simd/bf16_table.h"
#include "kernels/simd/table.h"

/* In ascending order; NULL where this build has none. */
static const struct {
    const struct cvy_kernel_table *fp32;
    const struct cvy_bf16_table *bf16;
    const struct cvy_tensor_loops *tensor; /* of bf16 */
} tables[CVY_ISA_COUNT] = {
    [CVY_ISA_PORTABLE] = {&cvy_table_portable, &cvy_bf16_portable, &cvy_tensor_portable},
#if defined(__aarch64__)
    [CVY_ISA_NEON] = {&cvy_table_neon, &cvy_bf16_neon, &cvy_tensor_neon},
#endif
#if defined(__x86_64__)
    [CVY_ISA_AVX2] = {&cvy_table_avx2, &cvy_bf16_avx2, &cvy_tensor_avx2},
    [CVY_ISA_AVX512] = {&cvy_table_avx512, &cvy_bf16_avx512, &cvy_tensor_avx512},
    [CVY_ISA_AVX512BF16] = {&cvy_table_avx512, &cvy_bf16_avx512bf16, &cvy_tensor_avx512bf16},
    [CVY_ISA_AMX] = {&cvy_table_avx512, &cvy_bf16_amx, &cvy_tensor_avx512bf16},
#endif
};

cvy_status cvy_compute_create(int threads, enum cvy_isa isa, struct cvy_compute **out) {
    *out = NULL;
    CVY_CHECK(threads >= 1, CVY_ERR_USAGE, "%d compute threads; give 1 or more", threads);
    CVY_CHECK(tables[isa].fp32 && cvy_isa_available(isa), CVY_ERR_USAGE,
              "ISA level %s is not available on this processor, whose best is %s; set CONVOY_ISA to that or lower",
              cvy_isa_name(isa), cvy_isa_name(cvy_isa_detect()));
    struct cvy_compute *compute;
    CVY_TRY(CVY_NEW(&compute, 1, general));
    *compute = (struct cvy_compute){.level = isa,
                                    .isa = cvy_isa_fp32(isa),
                                    .table = tables[isa].fp32,
                                    .bf16 = tables[isa].bf16,
                                    .tensor = {&tables[isa].fp32->tensor, tables[isa].tensor},
                                    .threads = threads};
    cvy_status status = cvy_pool_create(threads, &compute->pool);
    if (status != CVY_OK) cvy_compute_destroy(&compute);
    *out = compute;
    return status;
}

void cvy_compute_destroy(struct cvy_compute **compute) {
    if (*compute == NULL) return;
    cvy_pool_destroy(&(*compute)->pool);
    CVY_DELETE(compute);
}

/* ---- BLAS's threads ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int inside, threads_before; /* how many are inside; under the mutex */

void cvy_compute_enter(const struct cvy_compute *compute) {
    if (compute->isa != CVY_ISA_PORTABLE) return;
    pthread_mutex_lock(&mutex);
    if (inside++ == 0) {
        threads_before = openblas_get_num_threads();
        if (threads_before != 1) openblas_set_num_threads(1);
    }
    pthread_mutex_unlock(&mutex);
}

void cvy_compute_leave(const struct cvy_compute *compute) {
    if (compute->isa != CVY_ISA_PORTABLE) return;
    pthread_mutex_lock(&mutex);
    if (--inside == 0 && threads_before != 1) openblas_set_num_threads(threads_before);
    pthread_mutex_unlock(&mutex);
}
