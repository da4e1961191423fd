/* The table of level avx2: its loops, and its product. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile with the flags of avx2 (see the Makefile)"
#endif
#define VEC_BITS    256
#define TABLE       cvy_table_avx2
#define PRODUCT     cvy_product_avx2
#define TOOM        cvy_toom_avx2
#define TOOM_NARROW cvy_toom_avx2
#include "kernels/simd/loops_template.h"
