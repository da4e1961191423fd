/* bf16 for NEON: pairs are taken apart. */
#ifndef __ARM_NEON
#error "compile with the flags of neon (see the Makefile)"
#endif
#define VEC_NEON
#define VEC_BITS 128
#define MAX_N    4
#define TABLE    cvy_bf16_neon
static const int rows_of[] = {0, 12, 8, 6, 4};
/* clang-format off */
#define BLOCKS(X) \
    X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1) X(12, 1) X(1, 2) \
    X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2) X(7, 2) X(8, 2) X(1, 3) X(2, 3) X(3, 3) X(4, 3) X(5, 3) X(6, 3) \
    X(1, 4) X(2, 4) X(3, 4) X(4, 4)
/* clang-format on */
#include "kernels/simd/bf16_template.h"
