/* Level portable's loops over bf16. */
#define VEC_BITS 128
#define ELEMENT_BF16
#include "kernels/simd/tensor_template.h"

const struct cvy_tensor_loops cvy_tensor_portable = TENSOR_LOOPS;
