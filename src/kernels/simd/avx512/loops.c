/* The table of level avx512: its loops, and its product. */
#ifndef __AVX512F__
#error "compile with the flags of avx512 (see the Makefile)"
#endif
#define VEC_BITS    512
#define TABLE       cvy_table_avx512
#define PRODUCT     cvy_product_avx512
#define TOOM        cvy_toom_avx512
#define TOOM_NARROW cvy_toom_narrow_avx512
#include "kernels/simd/loops_template.h"
