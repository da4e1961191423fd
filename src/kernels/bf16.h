/* Flat vectors of bf16 (kernels/simd/bf16.h). */
#ifndef CVY_KERNELS_BF16_H
#define CVY_KERNELS_BF16_H

#include <stdint.h>

#include "kernels/compute.h"
#include "kernels/simd/bf16.h"

/* Of `count` numbers. */
void cvy_bf16_from_floats(const struct cvy_compute *compute, const float *from, cvy_bf16 *to, int64_t count);
void cvy_bf16_to_floats(const struct cvy_compute *compute, const cvy_bf16 *from, float *to, int64_t count);

#endif
