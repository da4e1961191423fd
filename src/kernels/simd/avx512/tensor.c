/* Level avx512's loops over bf16. */
#ifndef __AVX512F__
#error "compile with the flags of avx512 (see the Makefile)"
#endif
#define VEC_BITS 512
#define ELEMENT_BF16
#include "kernels/simd/tensor_template.h"

const struct cvy_tensor_loops cvy_tensor_avx512 = TENSOR_LOOPS;
