/* The passes of convolutions by Winograd's algorithm (kernels/simd/winograd.h). */
#ifndef CVY_KERNELS_CONV_WINOGRAD_H
#define CVY_KERNELS_CONV_WINOGRAD_H

#include "kernels/conv/algorithm.h"
#include "kernels/simd/winograd.h"

/* Forward, or backward-data as forward of dy with mirrored weights: y [n][oh][ow][k] of x [n][in] and w, panels
 * [⌈k/16⌉][taps][taps][c][16], or their transformed filters. */
struct cvy_winograd {
    enum cvy_dtype type; /* of x, y and the residual: CVY_F32 or CVY_BF16 */
    int n, taps;
    struct cvy_shape in, out;
    int pad_top, pad_left; /* negative: the first window begins inside the image */
    bool cached;           /* the filters were transformed before */
};
/* Keeps it, and how it is cut; gives the floats of workspace. */
size_t cvy_winograd_tile(const struct cvy_winograd *g, int threads, struct cvy_tiling *out);
void cvy_winograd_pass(const struct cvy_pass_call *call);

/* Transformed filters: so many floats, aligned to CVY_ALIGN, the same for every n. */
size_t cvy_winograd_filter_floats(const struct cvy_winograd *g);
void cvy_winograd_filters(const struct cvy_compute *compute, const struct cvy_winograd *g, const float *w, float *u);

/* The gradient of the weights, of x and dy of the call's type. */
size_t cvy_winograd_tile_gradient(const struct cvy_conv_case *c, struct cvy_tiling *out);
void cvy_winograd_gradient(const struct cvy_pass_call *call);

#endif
