/* bf16 for 16 registers of 8 floats: pairs are taken apart. */
#ifndef __AVX2__
#error "compile with the flags of avx2 (see the Makefile)"
#endif
#define VEC_BITS 256
#define MAX_N    2
#define TABLE    cvy_bf16_avx2
static const int rows_of[] = {0, 8, 4};
/* clang-format off */
#define BLOCKS(X) \
    X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(1, 2) X(2, 2) X(3, 2) X(4, 2)
/* clang-format on */
#include "kernels/simd/bf16_template.h"
