/* bf16 for any processor: pairs are taken apart. */
#define VEC_BITS 128
#define MAX_N    2
#define TABLE    cvy_bf16_portable
static const int rows_of[] = {0, 6, 4};
/* clang-format off */
#define BLOCKS(X) \
    X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(1, 2) X(2, 2) X(3, 2) X(4, 2)
/* clang-format on */
#include "kernels/simd/bf16_template.h"
