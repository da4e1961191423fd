/* What an ISA level offers to the loops over bf16: the product of pairs, and moving numbers in and out. */
#ifndef CVY_KERNELS_SIMD_BF16_TABLE_H
#define CVY_KERNELS_SIMD_BF16_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/simd/bf16.h"
#include "kernels/simd/table.h"

/* Rows of `count` numbers each and `row` apart, to be woven: out[i·out_row + (j/16)·out_panel + j%16] = (first[i·row +
 * j], second[i·row + j]); NULL has zeros. */
struct cvy_weave {
    const cvy_bf16 *first, *second;
    ptrdiff_t row;
    int rows;
    int64_t count;
    cvy_pair *out;
    ptrdiff_t out_row, out_panel;
};

struct cvy_bf16_table {
    void (*dot)(const struct cvy_product *g); /* of pairs; rounded or not */
    /* Rows of a panel: out[i][16] pairs (row 2i, row 2i + 1), of an odd last row with zeros. */
    void (*pack)(const float *rows, int count, cvy_pair *out);
    void (*narrow)(const float *from, cvy_bf16 *to, int64_t count);
    void (*weave)(const struct cvy_weave *w);
};

extern const struct cvy_bf16_table cvy_bf16_portable, cvy_bf16_neon, cvy_bf16_avx2, cvy_bf16_avx512,
    cvy_bf16_avx512bf16, cvy_bf16_amx;

#endif
