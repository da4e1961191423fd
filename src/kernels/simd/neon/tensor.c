/* Level neon's loops over bf16. */
#ifndef __ARM_NEON
#error "compile for a processor with NEON"
#endif
#define VEC_NEON
#define VEC_BITS 128
#define ELEMENT_BF16
#include "kernels/simd/tensor_template.h"

const struct cvy_tensor_loops cvy_tensor_neon = TENSOR_LOOPS;
