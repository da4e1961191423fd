#include "kernels/compute.h"

#include <cblas.h>

#include "core/memory.h"
#include "kernels/table.h"

/* In ascending order; NULL where this build has none. */
static const struct cvy_kernel_table *const tables[CVY_ISA_COUNT] = {
    [CVY_ISA_PORTABLE] = &cvy_table_portable,
#if defined(__aarch64__)
    [CVY_ISA_NEON] = &cvy_table_neon,
#endif
#if defined(__x86_64__)
    [CVY_ISA_AVX2] = &cvy_table_avx2,
    [CVY_ISA_AVX512] = &cvy_table_avx512,
#endif
};

cvy_status cvy_compute_create(int threads, enum cvy_isa isa, struct cvy_compute **out) {
    *out = NULL;
    CVY_CHECK(threads >= 1, CVY_ERR_USAGE, "%d compute threads; give 1 or more", threads);
    CVY_CHECK(tables[isa] && cvy_isa_available(isa), CVY_ERR_USAGE,
              "ISA level %s is not available on this processor, whose best is %s; set CONVOY_ISA to that or lower",
              cvy_isa_name(isa), cvy_isa_name(cvy_isa_detect()));
    openblas_set_num_threads(1); /* a BLAS call is one task of ours */
    struct cvy_compute *compute;
    CVY_TRY(CVY_NEW(&compute, 1, general));
    *compute = (struct cvy_compute){.isa = isa, .table = tables[isa], .threads = threads, .winograd = true};
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
