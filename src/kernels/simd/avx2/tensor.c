/* Level avx2's loops over bf16. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile with the flags of avx2 (see the Makefile)"
#endif
#define VEC_BITS 256
#define ELEMENT_BF16
#include "kernels/simd/tensor_template.h"

const struct cvy_tensor_loops cvy_tensor_avx2 = TENSOR_LOOPS;
