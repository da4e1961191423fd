/* The passes of convolutions by Winograd's algorithm (kernels/simd/winograd.h). */
#ifndef CVY_KERNELS_CONV_WINOGRAD_H
#define CVY_KERNELS_CONV_WINOGRAD_H

#include "kernels/conv/conv.h"
#include "kernels/simd/winograd.h"

/* Forward, or backward-data as forward of dy with flipped weights: y [n][oh][ow][k] of x [n][in] and w, panels
 * [⌈k/16⌉][taps][taps][c][16]. */
struct cvy_winograd {
    enum cvy_dtype type; /* of x, y and the residual: CVY_F32 or CVY_BF16 */
    int n, taps;
    struct cvy_shape in, out;
    int pad_top, pad_left; /* negative: the first window begins inside the image */
    bool accumulate;
};
struct cvy_winograd cvy_winograd_y(const struct cvy_conv *g, enum cvy_dtype type); /* forward */
size_t cvy_winograd_workspace(const struct cvy_winograd *g, int threads);          /* floats */
void cvy_winograd_pass(const struct cvy_compute *compute, const struct cvy_winograd *g, const void *x, const float *w,
                       const struct cvy_epilogue *epilogue, void *y, float *ws);

/* The same by filters transformed before: so many floats, aligned to CVY_ALIGN, the same for every n. */
size_t cvy_winograd_filter_floats(const struct cvy_winograd *g);
void cvy_winograd_filters(const struct cvy_compute *compute, const struct cvy_winograd *g, const float *w, float *u);
size_t cvy_winograd_kept_workspace(const struct cvy_winograd *g, int threads);
void cvy_winograd_kept_pass(const struct cvy_compute *compute, const struct cvy_winograd *g, const void *x,
                            const float *u, const struct cvy_epilogue *epilogue, void *y, float *ws);

/* As cvy_conv_backward_weights, with x and dy of that type. */
size_t cvy_winograd_weights_workspace(const struct cvy_conv *g, int threads); /* floats */
void cvy_winograd_weights(const struct cvy_compute *compute, enum cvy_dtype type, const struct cvy_conv *g,
                          const void *x, const void *dy, float *dw, float *dbias, float *ws);

/* Whether it can pay, for enough samples. */
bool cvy_winograd_fits(const struct cvy_conv *g);
/* Where it pays: by the shape alone. */
bool cvy_winograd_suits(const struct cvy_conv *g);
/* Where it pays forward to transform the filters once for many calls: for so few tiles that the transform would be much
 * of the work. Likewise. */
bool cvy_winograd_keeps(const struct cvy_conv *g);

#endif
