/* The kernels of bf16, written once for every ISA level with vectors: the product of pairs, and the loops that move
 * numbers.
 *
 * The including file defines VEC_BITS, TABLE (the name of the table that is made here), MAX_N, rows_of and BLOCKS as
 * for product_template.h. */
#include "kernels/simd/elements_pairs.h"

#define PRODUCT dot
static void dot(const struct cvy_product *g);
#include "kernels/simd/product_template.h"

#include "kernels/simd/bf16_moves.h"
