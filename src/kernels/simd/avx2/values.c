/* Level avx2's loops over bf16. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile with the flags of avx2 (see the Makefile)"
#endif
#define VEC_BITS 256
#define ELEMENT_BF16
#include "kernels/simd/values_template.h"

const struct cvy_value_loops cvy_values_avx2 = VALUE_LOOPS;
