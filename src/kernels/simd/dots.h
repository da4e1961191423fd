/* Sums along rows of weights (kernels/conv/dots.c): what an ISA level offers to it. */
#ifndef CVY_KERNELS_SIMD_DOTS_H
#define CVY_KERNELS_SIMD_DOTS_H

#include <stdbool.h>
#include <stddef.h>

/* sums[j·sums_row + i] (+)= Σ_p Σ_l  w[p·w_panel + i·16 + l] · y[j·y_row + p·16 + l]   for i < rows, j < n, l < 16
 *
 * Lanes are summed apart and joined at the end: an order that depends on the level, and on nothing else. w's rows are
 * asked for before their turn: it is larger than the caches. */
struct cvy_dots {
    int rows, n, panels;
    const float *w, *y;
    float *sums;
    ptrdiff_t w_panel, y_row, sums_row; /* floats */
    bool accumulate;
};

#endif
