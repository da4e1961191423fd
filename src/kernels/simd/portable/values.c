/* Level portable's loops over bf16. */
#define VEC_BITS 128
#define ELEMENT_BF16
#include "kernels/simd/values_template.h"

const struct cvy_value_loops cvy_values_portable = VALUE_LOOPS;
