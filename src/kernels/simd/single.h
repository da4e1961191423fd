/* Convolution of images of one channel with few filters (kernels/conv/single.c): what an ISA level offers to it. */
#ifndef CVY_KERNELS_SIMD_SINGLE_H
#define CVY_KERNELS_SIMD_SINGLE_H

#include <stdbool.h>
#include <stddef.h>

struct cvy_epilogue;

/* Up to 16 neighbouring numbers of a row of y, [pixels][filters], in `rows` rows below one another. The first is of
 * filter `first`; strides in floats. */
struct cvy_single_column {
    int rows, lanes; /* lanes: 1 … 16 */
    int size;        /* size × size taps: 3 or 5 */
    int filters, first;
    const float *x; /* its pixel at the first tap; from there on, 16 pixels for each tap of a row may be read */
    const float *w; /* [size][size][16]: the weight of each lane */
    float *y;
    ptrdiff_t x_row, y_row;
    const struct cvy_epilogue *epilogue; /* of these lanes, at the first row; NULL: none */
};

struct cvy_single_loops {
    void (*forward)(const struct cvy_single_column *g);
    /* dw[size][size][16] += Σ over the rows of x at the tap times y, and dbias[16] += Σ y; w is not read. */
    void (*weights)(const struct cvy_single_column *g, float *dw, float *dbias);
};

#endif
