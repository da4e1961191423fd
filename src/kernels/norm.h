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

#include "core/tensor.h"
#include "kernels/compute.h"
#include "kernels/simd/norm.h"

struct cvy_norm {
    int64_t units, rows;
    int channels;
    enum cvy_dtype type; /* CVY_F32 or CVY_BF16: of x, y, their gradients and the residual, which are void below */
};

/* Bytes of `ws` below, aligned as doubles. */
size_t cvy_norm_workspace(const struct cvy_norm *g);

/* sums: [units][2][channels] Σ x and Σ x² over the rows. A variance Σx²/m − mean² of these is good to 2⁻⁵²·(mean/σ)²,
 * far beyond what single-precision x can tell. */
void cvy_norm_moments(const struct cvy_compute *compute, const struct cvy_norm *g, const void *x, double *sums,
                      void *ws);

/* y = (x − mean)·scale + shift, plus the residual [units][rows][channels] unless that is NULL, then relu if wanted; y
 * may be x. */
void cvy_norm_forward(const struct cvy_compute *compute, const struct cvy_norm *g, const void *x,
                      const struct cvy_norm_map *map, const void *residual, bool relu, void *y);

/* sums: [units][2][channels] Σ dy and Σ dy·(x − mean); mean: [units][channels]. */
void cvy_norm_products(const struct cvy_compute *compute, const struct cvy_norm *g,
                       const struct cvy_norm_factors *factors, double *sums, void *ws);
/* dx (+)= dy·slope + (x − mean)·scale + shift; dx may be dy. */
void cvy_norm_backward(const struct cvy_compute *compute, const struct cvy_norm *g, const void *x, const void *dy,
                       const struct cvy_norm_map *map, void *dx, bool accumulate);

/* Layer normalisation: units of one row each, whose statistics are taken over the row. */
struct cvy_layernorm {
    int64_t units;
    int width;
    const float *weight, *bias; /* of each place of the row; NULL: none */
    double eps;
};
/* rows: [units][2] mean and 1/√(variance + eps); NULL: not wanted. y may be x. */
void cvy_layernorm_forward(const struct cvy_compute *compute, const struct cvy_layernorm *how, const float *x, float *y,
                           double *rows);
/* dx may be dy. */
void cvy_layernorm_backward(const struct cvy_compute *compute, const struct cvy_layernorm *how, const float *x,
                            const float *dy, const double *rows, float *dx, bool accumulate);
/* sums: [2][width] Σ dy and Σ dy·x̂ over the units; ws as for cvy_norm {1, units, width}. */
void cvy_layernorm_gradients(const struct cvy_compute *compute, const struct cvy_layernorm *how, const float *x,
                             const float *dy, const double *rows, double *sums, void *ws);

/* Local response normalisation. Bytes of `ws`: rows of each thread. */
size_t cvy_lrn_workspace(const struct cvy_lrn *how, int threads);
/* [pixels][channels]; y may be x, dx may be dy. */
void cvy_lrn_forward(const struct cvy_compute *compute, const struct cvy_lrn *how, const void *x, void *y, void *ws);
void cvy_lrn_backward(const struct cvy_compute *compute, const struct cvy_lrn *how, const void *x, const void *dy,
                      void *dx, bool accumulate, void *ws);

#endif
