/* Level avx512bf16's loops over bf16. */
#ifndef __AVX512BF16__
#error "compile with the flags of avx512bf16 (see the Makefile)"
#endif
#define VEC_BITS 512
#define ELEMENT_BF16
#include "kernels/simd/tensor_template.h"

const struct cvy_tensor_loops cvy_tensor_avx512bf16 = TENSOR_LOOPS;
