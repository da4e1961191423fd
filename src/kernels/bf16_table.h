/* What an ISA level offers to the loops over bf16: the product of pairs, and moving numbers in and out. */
#ifndef CVY_KERNELS_BF16_TABLE_H
#define CVY_KERNELS_BF16_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/bf16.h"
#include "kernels/conv.h"

/* The strided batch-reduce product of kernels/table.h whose A and B are pairs, neighbours in the sum:
 *
 *   C[i][j] (+)= Σ_o Σ_p Σ_l  lo(A)·lo(B) + hi(A)·hi(B),   A = A_op[i·a_row + l·a_step],
 *                                                          B = B_op[(j/16)·b_panel + l·b_step + j%16]
 *
 * with the names, and the places of A_op, B_op and C[i][j], as there; `depth` and strides are in pairs, those of C in
 * its numbers, which are floats or (rounded) bf16. All that is done `lines` times, with A a_line and C c_line further
 * each time: short rows of an image fill wide blocks together. Sums are in fp32, in an order that the level chooses by
 * the shape. */
struct cvy_dot {
    int lines, rows, columns, depth, outer, inner;
    const cvy_pair *a, *b;
    void *c;
    ptrdiff_t a_line, a_row, a_step, a_inner, a_outer;
    ptrdiff_t b_panel, b_step, b_inner, b_outer;
    ptrdiff_t c_line, c_row, c_panel;
    bool rounded; /* C is of bf16 */
    bool accumulate;
    const struct cvy_epilogue *epilogue; /* NULL: none; its residual is bf16 */
};

struct cvy_bf16_table {
    void (*dot)(const struct cvy_dot *g);
    void (*narrow)(const float *from, cvy_bf16 *to, int64_t count);
    void (*widen)(const cvy_bf16 *from, float *to, int64_t count);
    void (*add)(cvy_bf16 *dst, const cvy_bf16 *a, int64_t count);
    /* out[i] = (first[i], second[i]); NULL has zeros. */
    void (*interleave)(const cvy_bf16 *first, const cvy_bf16 *second, cvy_pair *out, int64_t count);
};

extern const struct cvy_bf16_table cvy_bf16_portable, cvy_bf16_neon, cvy_bf16_avx2, cvy_bf16_avx512,
    cvy_bf16_avx512bf16, cvy_bf16_amx;

#endif
