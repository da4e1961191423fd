/* Depthwise convolution (Sifre 2014; Howard et al. 2017): every input channel has out.c / in.c filters of its own, and
 * output channel k reads input channel k / (out.c / in.c) alone. A named exception to the one family of products: there
 * is no sum over channels, so 16 channels side by side are what a vector holds.
 *
 * As kernels/conv/conv.h in everything else, with weights as panels of [r][s][1][k]. Backward-data reads the weights as
 * they are stored. */
#ifndef CVY_KERNELS_CONV_DEPTHWISE_H
#define CVY_KERNELS_CONV_DEPTHWISE_H

#include "kernels/conv/conv.h"

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

size_t cvy_depthwise_workspace(const struct cvy_conv *g);

void cvy_depthwise_forward(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x, const float *w,
                           const struct cvy_epilogue *epilogue, float *y, void *ws);
void cvy_depthwise_backward_data(const struct cvy_compute *compute, const struct cvy_conv *g, const float *dy,
                                 const float *w, float *dx, bool accumulate, void *ws);
void cvy_depthwise_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x,
                                    const float *dy, float *dw, float *dbias, void *ws);

#endif
