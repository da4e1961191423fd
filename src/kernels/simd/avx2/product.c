/* The micro-kernel for 16 registers of 8 floats: 12×1, 6×2 (two vectors are a panel). */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile with the flags of avx2 (see the Makefile)"
#endif
#define VEC_BITS 256
#define MAX_N    2
#define PRODUCT  cvy_product_avx2
static const int rows_of[] = {0, 12, 6};
/* clang-format off */
#define BLOCKS(X) \
    X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1) X(12, 1) \
    X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2)
/* clang-format on */
#include "kernels/simd/elements_float.h"
#include "kernels/simd/product_template.h"
