/* The loops of depthwise convolution (kernels/conv/depthwise.c). */
#ifndef CVY_KERNELS_SIMD_DEPTHWISE_H
#define CVY_KERNELS_SIMD_DEPTHWISE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/simd/epilogue.h"

/* Some output pixels of one panel, side by side, all of whose taps lie inside the image. Strides in floats. */
struct cvy_depthwise_line {
    int pixels, lanes; /* lanes: channels, 1 … 16 */
    int rows, columns; /* taps */
    const float *x, *w;
    float *y;
    ptrdiff_t x_pixel, x_row, x_column; /* to the next output's input, to a tap's next row and column */
    ptrdiff_t w_row, w_column, y_pixel;
    bool accumulate;
    const struct cvy_epilogue *epilogue; /* of this panel and place, NULL: none */
};

/* What an ISA level offers. */
struct cvy_depthwise_table {
    void (*line)(const struct cvy_depthwise_line *g);
    /* sum[16] += Σ_i a[i·a_pixel]·b[i·b_pixel]; a NULL: Σ_i b[i·b_pixel]. `lanes` of each are read. */
    void (*dot)(const float *a, ptrdiff_t a_pixel, const float *b, ptrdiff_t b_pixel, int pixels, int lanes,
                float *sum);
};
extern const struct cvy_depthwise_table cvy_depthwise_portable, cvy_depthwise_neon, cvy_depthwise_avx2,
    cvy_depthwise_avx512;

#endif
