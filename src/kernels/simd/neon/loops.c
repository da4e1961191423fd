/* The table of level neon: its loops, and its product. */
#ifndef __ARM_NEON
#error "compile for a processor with NEON"
#endif
#define VEC_BITS    128
#define TABLE       cvy_table_neon
#define PRODUCT     cvy_product_neon
#define TOOM        cvy_toom_neon
#define TOOM_NARROW cvy_toom_neon
#define VEC_NEON
#include "kernels/simd/loops_template.h"
