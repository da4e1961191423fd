/* The table of level portable: its loops, and its product. */
#define VEC_BITS 128
#define TABLE    cvy_table_portable
#define PRODUCT  cvy_product_portable
#include "kernels/loops_template.h"
