/* The micro-kernel for 32 registers of 16 floats: 28×1, 14×2, 9×3, 6×4. */
#ifndef __AVX512F__
#error "compile with the flags of avx512 (see the Makefile)"
#endif
#define VEC_BITS 512
#define MAX_N    4
#define PRODUCT  cvy_product_avx512
static const int rows_of[] = {0, 28, 14, 9, 6};
/* clang-format off */
#define BLOCKS(X) \
    X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1) X(12, 1) X(13, 1) \
    X(14, 1) X(15, 1) X(16, 1) X(17, 1) X(18, 1) X(19, 1) X(20, 1) X(21, 1) X(22, 1) X(23, 1) X(24, 1) X(25, 1) \
    X(26, 1) X(27, 1) X(28, 1) \
    X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2) X(7, 2) X(8, 2) X(9, 2) X(10, 2) X(11, 2) X(12, 2) X(13, 2) \
    X(14, 2) \
    X(1, 3) X(2, 3) X(3, 3) X(4, 3) X(5, 3) X(6, 3) X(7, 3) X(8, 3) X(9, 3) \
    X(1, 4) X(2, 4) X(3, 4) X(4, 4) X(5, 4) X(6, 4)
/* clang-format on */
#include "kernels/simd/elements_float.h"
#include "kernels/simd/product_template.h"
