/* The table of level portable: its loops, and its product. */
#define VEC_BITS    128
#define TABLE       cvy_table_portable
#define PRODUCT     cvy_product_portable
#define TOOM        cvy_toom_portable
#define TOOM_NARROW cvy_toom_portable
#include "kernels/simd/loops_template.h"
