/* Level neon's loops over bf16. */
#ifndef __ARM_NEON
#error "compile for a processor with NEON"
#endif
#define VEC_NEON
#define VEC_BITS 128
#define ELEMENT_BF16
#include "kernels/simd/values_template.h"

const struct cvy_value_loops cvy_values_neon = VALUE_LOOPS;
