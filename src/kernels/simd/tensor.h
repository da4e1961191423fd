/* What an ISA level offers to the loops over feature maps and their gradients, for each type that these may have. */
#ifndef CVY_KERNELS_SIMD_TENSOR_H
#define CVY_KERNELS_SIMD_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tensor.h"
#include "kernels/simd/act.h"
#include "kernels/simd/norm.h"
#include "kernels/simd/winograd.h"

/* Windows alike, side by side: tap (i, j) of the first is i·row + j·column numbers from its first tap, and is called
 * first + i·next_row + j in argmax; each of the `pixels` windows begins `step` numbers after the one before, and each
 * of the `lines` of such windows `line` numbers after the one before. wide: argmax is of int32_t, else of bytes. alone:
 * no other window has these taps, so spreading stores what it would add. To gather, the other way round: pixels alike,
 * `step` numbers apart, each with rows × columns windows that have it, row and column apart in dy and argmax, as their
 * tap first + i·next_row + j·next_column; windows of the next pixel are the next ones. */
struct cvy_taps {
    int rows, columns;
    ptrdiff_t row, column;
    int first, next_row, next_column; /* the last to gather alone */
    int pixels, lines;
    ptrdiff_t step, line;
    bool wide, alone;
};

/* Loops of one task. void: numbers of the table's type, which are read and written as such and computed with as floats,
 * so that each is rounded once, as it is stored; counts and distances are in numbers. */
struct cvy_tensor_loops {
    void (*act_forward[CVY_ACT_COUNT])(const struct cvy_act *act, const void *x, void *y, int64_t count);
    void (*act_backward[CVY_ACT_COUNT])(const struct cvy_act *act, const void *from, const void *dy, void *dx,
                                        int64_t count, bool accumulate);
    /* To and from floats, in the place of what is there or added to it. */
    void (*read)(const void *x, float *out, int64_t count, bool accumulate);
    void (*write)(const float *from, void *y, int64_t count, bool accumulate);
    void (*add)(void *dst, const void *a, int64_t count); /* dst += a */
    void (*fill)(void *dst, float value, int64_t count);
    /* y = (+=) factor·x, and 0 for a factor of 0, whatever x is. */
    void (*mask)(const float *factor, const void *x, void *y, int64_t count, bool accumulate);
    /* y = Σ x_i, and y = (+=) seed · Π x_i over all i but `skip`; all from element `at` of the tensors on. */
    void (*sum_of)(const struct cvy_tensor *x, int inputs, int64_t at, void *y, int64_t count);
    void (*product_of)(const struct cvy_tensor *x, int inputs, int skip, const void *seed, int64_t at, void *y,
                       int64_t count, bool accumulate);
    /* Windows: x (dx) begins at the first tap of the first window; y (dy, argmax) is [lines][pixels][channels]. */
    void (*max_taps)(const void *x, const struct cvy_taps *taps, void *y, void *argmax, int channels);
    void (*max_spread)(const void *dy, const void *argmax, const struct cvy_taps *taps, void *dx, int channels);
    void (*max_gather)(const void *dy, const void *argmax, const struct cvy_taps *taps, void *dx, int channels,
                       bool accumulate);
    void (*sum_taps)(const void *x, const struct cvy_taps *taps, float factor, void *y, int channels);
    void (*sum_spread)(const void *dy, const struct cvy_taps *taps, float factor, void *dx, int channels);
    /* Normalisation: rows of `channels` numbers, `stride` apart; without a stride they lie one after the other. */
    void (*moments)(const void *x, int64_t rows, ptrdiff_t stride, int channels, double *sum, double *squares);
    void (*products)(const struct cvy_norm_factors *factors, int64_t rows, ptrdiff_t stride, int channels, double *sum,
                     double *product);
    void (*normalise)(const void *x, const struct cvy_norm_map *map, const void *residual, int64_t rows, int channels,
                      bool relu, void *y);
    void (*normalise_back)(const void *x, const void *dy, const struct cvy_norm_map *map, int64_t rows, int channels,
                           bool accumulate, void *dx);
    /* Local response normalisation of one pixel; ws as lrn.c lays it out. */
    void (*lrn)(const void *x, const struct cvy_lrn *how, void *y, float *ws);
    void (*lrn_back)(const void *x, const void *dy, const struct cvy_lrn *how, bool accumulate, void *dx, float *ws);
    struct cvy_winograd_table winograd[2]; /* for kernels of 3×3 and of 5×5 */
};

/* Those of bf16; those of fp32 are in the table of kernels. */
extern const struct cvy_tensor_loops cvy_tensor_portable, cvy_tensor_neon, cvy_tensor_avx2, cvy_tensor_avx512,
    cvy_tensor_avx512bf16;

#endif
