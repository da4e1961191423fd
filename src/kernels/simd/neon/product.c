/* The micro-kernel for 32 registers of 4 floats: 6×4 (four vectors are a panel). */
#ifndef __ARM_NEON
#error "compile for a processor with NEON"
#endif
#define VEC_BITS 128
#define VEC_NEON
#define MAX_N   4
#define PRODUCT cvy_product_neon
static const int rows_of[] = {0, 12, 12, 8, 6};
/* clang-format off */
#define BLOCKS(X) \
    X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1) X(12, 1) \
    X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2) X(7, 2) X(8, 2) X(9, 2) X(10, 2) X(11, 2) X(12, 2) \
    X(1, 3) X(2, 3) X(3, 3) X(4, 3) X(5, 3) X(6, 3) X(7, 3) X(8, 3) \
    X(1, 4) X(2, 4) X(3, 4) X(4, 4) X(5, 4) X(6, 4)
/* clang-format on */
#include "kernels/simd/elements_float.h"
#include "kernels/simd/product_template.h"
