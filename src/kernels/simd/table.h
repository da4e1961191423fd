/* The table of kernels: what an ISA level offers to the loops above it, which see function pointers and never an ISA.
 */
#ifndef CVY_KERNELS_SIMD_TABLE_H
#define CVY_KERNELS_SIMD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/simd/dots.h"
#include "kernels/simd/epilogue.h"
#include "kernels/simd/single.h"
#include "kernels/simd/toom.h"
#include "kernels/simd/update.h"
#include "kernels/simd/tensor.h"

/* Memory that is read soon after a product and is asked for while it runs: `lines` columns of 16 floats side by side, a
 * column for each block of C that is computed, a row for each step of its sum. It may reach beyond what exists. */
struct cvy_ahead {
    const float *at;
    ptrdiff_t stride; /* floats from row to row */
    int lines;        /* left; the product counts them down */
};

/* Where a product's C is: perhaps in the caches; surely, so that its lines need not be asked for (they are all the same
 * where rows of A are adjacent); or it is to be written past them, being larger than they are. The last for floats
 * alone, which are overwritten, whole panels, aligned to 64 bytes. */
enum cvy_product_place { CVY_PERHAPS_CACHED, CVY_CACHED, CVY_PAST_CACHES };

/* One strided batch-reduce product, the form that all dense work takes:
 *
 *   C[i][j] (+)= Σ_o Σ_p Σ_l  A_op[i·a_row + l·a_step] · B_op[(j/16)·b_panel + l·b_step + j%16]
 *   A_op = a + o·a_outer + p·a_inner,  B_op = b + o·b_outer + p·b_inner,  C[i][j] at c[i·c_row + (j/16)·c_panel + j%16]
 *
 * for i < rows, j < columns, o < outer, p < inner, l < depth; and all of it for each of `lines`, A a_line, B b_line (0
 * but for floats) and C c_line further each time, so that short rows of an image are one call. Either a_step or a_row
 * is 1. B is read in whole vectors within its 16 lanes (so its last panel is padded); of C, `columns` lanes are
 * touched.
 *
 * Elements of A and B are floats, or (kernels/simd/bf16_table.h) pairs of bf16, neighbours in the sum, for which · is
 * the sum of two products; numbers of C are floats, or of such pairs also bf16, `rounded`. Strides are in elements and
 * in numbers. Sums are fp32. In fp32 a sum is taken in the order of (o, p, l); it does not depend on how many rows and
 * columns there are, unless a_row is 1. Of pairs the level chooses the order by the shape. */
struct cvy_product {
    int lines; /* 0 counts as 1 */
    int rows, columns, depth, outer, inner;
    const void *a, *b;
    void *c;
    ptrdiff_t a_line, a_row, a_step, a_inner, a_outer;
    ptrdiff_t b_line, b_panel, b_step, b_inner, b_outer;
    ptrdiff_t c_line, c_row, c_panel;
    bool accumulate;
    enum cvy_product_place place;        /* of C */
    bool rounded;                        /* C is of bf16; a residual is so with pairs, rounded or not */
    const struct cvy_epilogue *epilogue; /* NULL: none; its vectors begin at column 0 of this product */
    struct cvy_ahead *ahead;             /* [aheads], one after the other. Heeded where a_row is 1 */
    int aheads;
};
static inline int cvy_product_lines(const struct cvy_product *g) {
    return g->lines > 0 ? g->lines : 1;
}

/* Loops of one task; counts in floats. */
struct cvy_kernel_table {
    void (*product)(const struct cvy_product *g);
    bool large_blocks; /* of four panels, over which A and B are gone over seldom */
    void (*dots)(const struct cvy_dots *g);
    struct cvy_single_loops single;
    const struct cvy_toom_loops *toom, *toom_narrow; /* the latter for maps of at most 8 channels */
    struct cvy_tensor_loops tensor;                  /* of fp32 */
    void (*add)(float *dst, const float *a, int64_t count);
    void (*scale)(float *dst, float factor, int64_t count);
    void (*add_scaled)(float *dst, float factor, const float *a, int64_t count); /* dst += factor·a */
    /* y = Σ share_i · x_i over four stretches of `x`, at at[i]. */
    void (*mix)(const float *x, const ptrdiff_t at[4], const float share[4], float *y, int64_t count);
    void (*exp_minus)(const float *x, float shift, float *y, int64_t count); /* y = exp(x − shift) */
    void (*transpose)(const float *from, float *to);                         /* [16][16]; apart from one another */
    void (*sgd)(float *w, const float *g, float *v, int64_t count, const struct cvy_sgd *how);
    struct cvy_update_loops update;
};

extern const struct cvy_kernel_table cvy_table_portable, cvy_table_neon, cvy_table_avx2, cvy_table_avx512;

/* The products, in files of their own. */
void cvy_product_portable(const struct cvy_product *g);
void cvy_product_neon(const struct cvy_product *g);
void cvy_product_avx2(const struct cvy_product *g);
void cvy_product_avx512(const struct cvy_product *g);

#endif
