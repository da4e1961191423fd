/* Convolution of 5×5 kernels, stride 1, by Toom and Cook's algorithm along rows (Toom 1963, Cook 1966; Winograd 1980):
 * 9 multiplications for 5 outputs of 5 taps, where the direct algorithm has 25. Along columns sums stay as they are, so
 * unlike with tiles (winograd.h) a transform has little to do, and it pays for few channels too.
 *
 * Polynomials are evaluated at the points ±¼, ±¾, ±5/4, ±2 and ∞, of which only the squares' are worked with: even and
 * odd powers apart. Of 5 taps or outputs g, 9 inputs d of a row and 9 values v at the points,
 *
 *   values  A g, row of x: (1, x, x², x³, x⁴); of ∞: (0, 0, 0, 0, 1)
 *   image   B d, row of ±p: (±1)(x ± p) Π (x² − q²) over the other q; of ∞: Π (x² − q²) over all; powers of x are
 *           places in d
 *   N       of ±p: 2p Π (p² − q²) over the other q; of ∞: 1
 *
 *   y  = Aᵀ [(A g / N) ⊙ (B d)]    outputs, of taps and inputs
 *   dg = Aᵀ [(A dy ⊙ (B d)) / N]   the taps' gradient
 *   dd = Bᵀ [(A g / N) ⊙ (A dy)]   the inputs'
 *
 * These points give the least error among fours of pairs with denominators up to 4: root mean square 9e-7 of a sum of
 * 150 products where the direct sum has 2e-7 and tiles of winograd.h have 5e-7. */
#ifndef CVY_KERNELS_SIMD_TOOM_H
#define CVY_KERNELS_SIMD_TOOM_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/simd/epilogue.h"
#include "core/ints.h"

enum { CVY_TOOM_TAPS = 5, CVY_TOOM_POINTS = 9 };

/* Parts of 5 outputs that a row of them has; the last may be shorter. */
static inline int cvy_toom_parts(int width) {
    return cvy_ceil_div(width, CVY_TOOM_TAPS);
}

/* A feature map of a sample, [h][w][c], and where its values at a point are: those of a part of a row are `part` floats
 * after the part's before and `row` after the row's before, the next point's `step` further. They are of c channels, or
 * of 16 for each [⌈c/16⌉], `panel` floats apart, with zeros beyond c. */
struct cvy_toom_map {
    int h, w, c;
    ptrdiff_t part, row, panel, step;
};

/* What an ISA level offers. */
struct cvy_toom_loops {
    /* B of the windows of each row: row r is row r − top of the map x, part p its pixels from 5p − left on; what does
     * not exist is zero. */
    void (*image)(const float *x, const struct cvy_toom_map *map, int top, int left, int rows, int parts, float *v);
    /* A of the map's parts, in panels. sum[c] += the pixels, unless NULL. */
    void (*gradient)(const float *y, const struct cvy_toom_map *map, float *v, float *sum);
    /* Aᵀ of values in panels, and the epilogue (NULL: none; of this sample), to the map. */
    void (*outputs)(const float *v, const struct cvy_toom_map *map, const struct cvy_epilogue *epilogue, float *y);
    /* Bᵀ of the sums over the 5 kernel rows of values [5 kernel rows][c], which are of rows of y, of which there are
     * `rows` − 4; to the map x, or added to it. rows, parts, top, left: as for image. */
    void (*inputs)(const float *v, const struct cvy_toom_map *map, int top, int left, int rows, int parts,
                   bool accumulate, float *x);
    /* A w / N of `count` floats (a multiple of 16), taps `tap` floats apart; u may be w where step is tap. */
    void (*filter)(const float *w, ptrdiff_t tap, int count, float *u, ptrdiff_t step);
    /* Aᵀ (s / N) to the taps, likewise. */
    void (*filter_gradient)(const float *s, ptrdiff_t step, int count, float *dw, ptrdiff_t tap);
};

extern const struct cvy_toom_loops cvy_toom_portable, cvy_toom_neon, cvy_toom_avx2, cvy_toom_avx512,
    cvy_toom_narrow_avx512;

#endif
