/* Winograd's minimal filtering (Winograd 1980; Lavin & Gray, "Fast algorithms for convolutional neural networks", CVPR
 * 2016) for 3×3 and 5×5 kernels of stride 1 without dilation, in tiles of 6×6 inputs: F(4×4, 3×3) has 36
 * multiplications for 16 outputs where the direct algorithm has 144, F(2×2, 5×5) the same 36 for 4 outputs where that
 * has 100. Each of forward, backward-data and backward-weights is
 *
 *   transform the two operands, [36] values a tile or filter · 36 matrix products · transform the result
 *
 * along rows and columns alike. A filter g, an image d (6 pixels) and a result y (4 or 2 outputs) meet as
 * y = Aᵀ[(G g) ⊙ (Bᵀ d)], with G and A evaluating polynomials at the points 0, ±√½, ±√2, ∞:
 *
 *   Bᵀ  1   0 −5/2   0   1   0      G row of point x: (1, x, x²) / N_x, N_x = Π (x − other points)
 *       0 −√2  −2  √½   1   0       Aᵀ column of point x: (1, x, x², x³); of ∞: (0, 0, 0, 1)
 *       …                           for weights the two change places: dw = A₃ᵀ[(G₄ dy) ⊙ (Bᵀ d)]
 *
 * The points (Barabasz et al. 2020 on their choice) have a product of 1, which keeps all coefficients near 1: largest
 * error 2.3e-6 of the largest output over 256 channels, where 0, ±1, ±2 give 1.0e-5 and the direct sum gives 3e-7. */
#ifndef CVY_KERNELS_SIMD_WINOGRAD_H
#define CVY_KERNELS_SIMD_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ints.h"
#include "core/param.h"
#include "core/tensor.h"
#include "kernels/simd/epilogue.h"

enum { CVY_WINOGRAD_IN = 6, CVY_WINOGRAD_POINTS = 36 };

/* Outputs of a tile along one axis, for kernels of so many taps. */
static inline int cvy_winograd_out(int taps) {
    return CVY_WINOGRAD_IN + 1 - taps;
}

/* Floats from tile to tile among transformed images: so many that a column of some tens of them does not share cache
 * sets. */
static inline int cvy_winograd_row(int channels) {
    const int whole = cvy_round_up(channels, CVY_PANEL);
    return whole < 256 ? whole : whole + CVY_PANEL;
}

/* Pixels of a tile in an image: rows [top, bottom) and columns [left, right) of it exist. Strides in numbers; `ahead`
 * is from here to a later tile, which is asked for in passing. */
struct cvy_winograd_tile {
    ptrdiff_t row, pixel, ahead;
    int top, bottom, left, right;
};

static inline int cvy_winograd_inside(int x, int size) {
    return x < 0 ? 0 : x > size ? size : x;
}
/* Of a tile of `size` pixels squared at (y, x) of an image. */
static inline struct cvy_winograd_tile cvy_winograd_tile_of(struct cvy_shape image, int y, int x, int size) {
    return (struct cvy_winograd_tile){.row = (ptrdiff_t)image.w * image.c,
                                      .pixel = image.c,
                                      .top = cvy_winograd_inside(-y, size),
                                      .bottom = cvy_winograd_inside(image.h - y, size),
                                      .left = cvy_winograd_inside(-x, size),
                                      .right = cvy_winograd_inside(image.w - x, size)};
}

/* What an ISA level offers for kernels of 3×3 or 5×5 taps, with tiles of 4×4 or 2×2 outputs, and for a type of pixels:
 * void, as in tensor.h. Pointers to pixels are to the tile's first, which may lie outside the image; what does not
 * exist is zero and is not written. Transformed values are `step` floats apart from point to point; they are written in
 * whole vectors of 16, zeros beyond `channels`. */
struct cvy_winograd_table {
    /* Bᵀ d B of 6×6 pixels. */
    void (*image)(const void *x, const struct cvy_winograd_tile *tile, int channels, float *v, ptrdiff_t step);
    /* G dy Gᵀ of a tile of outputs, 16 channels every `panel` floats. sum[channels] += the pixels, unless NULL. */
    void (*gradient)(const void *dy, const struct cvy_winograd_tile *tile, int channels, float *z, ptrdiff_t step,
                     ptrdiff_t panel, float *sum);
    /* Aᵀ m A to a tile of outputs, and what the epilogue (NULL: none; of these channels and this pixel) wants. */
    void (*output)(const float *m, ptrdiff_t step, int channels, const struct cvy_winograd_tile *tile,
                   const struct cvy_epilogue *epilogue, bool accumulate, void *y);
    /* G w Gᵀ of `count` floats (a multiple of 16), taps `tap` floats apart. u and step are aligned to 64 bytes: it may
     * be written past the caches. */
    void (*filter)(const float *w, ptrdiff_t tap, int64_t count, bool past, float *u, ptrdiff_t step);
    /* Aᵀ s A to the taps, likewise. */
    void (*filter_gradient)(const float *s, ptrdiff_t step, int64_t count, float *dw, ptrdiff_t tap);
};

#endif
