/* Pooling: windows over NHWC images. Pixels outside the image count for no maximum, and for an average only as zeros of
 * the padding when count_pad is set. NaN wins a maximum. */
#ifndef CVY_KERNELS_POOL_H
#define CVY_KERNELS_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tensor.h"
#include "kernels/compute.h"

struct cvy_pooling {
    int n;                    /* samples */
    struct cvy_shape in, out; /* the same c */
    int r, s;                 /* height, width */
    int stride_h, stride_w;
    int pad_top, pad_left; /* bottom and right are implied by `out`; every window has a tap in the image */
    bool count_pad; /* averages divide by the pixels of the padded image in a window, not by those inside the image */
    int pad_bottom, pad_right; /* for count_pad; a last window may lie beyond */
    /* Windows of unlike size, those of PyTorch's adaptive pooling: [⌊i·in/out⌋, ⌈(i + 1)·in/out⌉). Then only n, in,
     * out, r and s, the height and width of the largest, are read. */
    bool adaptive;
    int gap_h, gap_w; /* pixels between two taps, dilation − 1; 0 for averages */
    /* CVY_F32 or CVY_BF16: of x, y and their gradients. Where windows overlap, backward of averages adds to dx once for
     * each, so in bf16 it is rounded as often; see cvy_pooling_apart. */
    enum cvy_dtype type;
};

/* Whether no pixel is in more than one window. */
bool cvy_pooling_apart(const struct cvy_pooling *g);

/* argmax: [n][oh][ow][c], the tap r·S + s that won (the first of equals), for the backward pass; NULL when evaluating.
 * Each is a byte, or an int32_t where a window has more than 256 taps: so many bytes. */
size_t cvy_pooling_tap_bytes(const struct cvy_pooling *g);
void cvy_maxpool_forward(const struct cvy_compute *compute, const struct cvy_pooling *g, const void *x, void *y,
                         void *argmax);
void cvy_maxpool_backward(const struct cvy_compute *compute, const struct cvy_pooling *g, const void *dy,
                          const void *argmax, void *dx, bool accumulate);
/* Its way where windows are all of one size and overlap. */
void cvy_maxpool_gather(const struct cvy_compute *compute, const struct cvy_pooling *g, const void *dy,
                        const void *argmax, void *dx, bool accumulate);

void cvy_avgpool_forward(const struct cvy_compute *compute, const struct cvy_pooling *g, const void *x, void *y);
void cvy_avgpool_backward(const struct cvy_compute *compute, const struct cvy_pooling *g, const void *dy, void *dx,
                          bool accumulate);

#endif
