/* Backward-data of large dense layers, which would else want a transposed copy of their weights.
 *
 *   dxᵀ[in][n] = W[in][out] · dyᵀ[out][n]
 *
 * With the operands exchanged W is read where it is, panel by panel: a panel holds 16 neighbours of a sum. What is
 * transposed is dy, which is small, and dx, block by block in cache. */
#ifndef CVY_KERNELS_CONV_DENSE_H
#define CVY_KERNELS_CONV_DENSE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/compute.h"

/* Bytes of `ws` below. */
size_t cvy_dense_workspace(int n, int out, int threads);

/* dx [n][in] = (or, with accumulate, +=) dy [n][out] · Wᵀ; w: panels [⌈out/16⌉][in][16], lanes beyond `out` zero. */
void cvy_dense_backward_data(const struct cvy_compute *compute, int n, int in, int out, const float *dy, const float *w,
                             float *dx, bool accumulate, void *ws);

#endif
