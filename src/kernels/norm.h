/* Normalisation: the sums over rows that statistics and gradients are made of, and the pass that applies them.
 *
 * Data is [units][rows][channels]; each unit has its own statistics: a batch is one unit of n·h·w rows (batch norm), or
 * each sample is one of h·w rows (group norm, whose groups are then combined from channels). Sums are taken in double
 * over stretches of rows fixed by the shape and joined in their order. Normalised values are never stored. */
#ifndef CVY_KERNELS_NORM_H
#define CVY_KERNELS_NORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/compute.h"

struct cvy_norm {
    int64_t units, rows;
    int channels;
};

/* Bytes of `ws` below, aligned as doubles. */
size_t cvy_norm_workspace(const struct cvy_norm *g);

/* sums: [units][2][channels] Σ x and Σ x² over the rows. A variance Σx²/m − mean² of these is good to 2⁻⁵²·(mean/σ)²,
 * far beyond what single-precision x can tell. */
void cvy_norm_moments(const struct cvy_compute *compute, const struct cvy_norm *g, const float *x, double *sums,
                      void *ws);
/* sums: [units][2][channels] Σ dy and Σ dy·(x − mean); mean: [units][channels]. */
void cvy_norm_products(const struct cvy_compute *compute, const struct cvy_norm *g, const float *x, const float *dy,
                       const double *mean, double *sums, void *ws);

/* [units][channels] each. */
struct cvy_norm_map {
    const float *mean, *scale, *shift;
    const float *slope; /* of dy; backward only */
};
/* y = (x − mean)·scale + shift, then relu if wanted; y may be x. */
void cvy_norm_forward(const struct cvy_compute *compute, const struct cvy_norm *g, const float *x,
                      const struct cvy_norm_map *map, bool relu, float *y);
/* dx (+)= dy·slope + (x − mean)·scale + shift; dx may be dy. */
void cvy_norm_backward(const struct cvy_compute *compute, const struct cvy_norm *g, const float *x, const float *dy,
                       const struct cvy_norm_map *map, float *dx, bool accumulate);

#endif
