/* What an ISA level offers to the loops over bf16: the product of pairs, and moving numbers in and out. */
#ifndef CVY_KERNELS_SIMD_BF16_TABLE_H
#define CVY_KERNELS_SIMD_BF16_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/simd/bf16.h"
#include "kernels/simd/table.h"

struct cvy_bf16_table {
    void (*dot)(const struct cvy_product *g); /* of pairs; rounded or not */
    /* Rows of a panel: out[i][16] pairs (row 2i, row 2i + 1), of an odd last row with zeros. */
    void (*pack)(const float *rows, int count, cvy_pair *out);
    void (*narrow)(const float *from, cvy_bf16 *to, int64_t count);
    /* out[i] = (first[i], second[i]); NULL has zeros. */
    void (*interleave)(const cvy_bf16 *first, const cvy_bf16 *second, cvy_pair *out, int64_t count);
};

extern const struct cvy_bf16_table cvy_bf16_portable, cvy_bf16_neon, cvy_bf16_avx2, cvy_bf16_avx512,
    cvy_bf16_avx512bf16, cvy_bf16_amx;

#endif
