/* Helpers of the kernel suites: buffers that end exactly where they should, random values, errors, ISA levels. */
#ifndef CVY_TESTS_KERNELS_HELP_H
#define CVY_TESTS_KERNELS_HELP_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/compute.h"
#include "kernels/conv/conv.h"

/* `count` floats, not aligned to more than a float, the last one being the last byte of its block (so that a sanitizer
 * sees one step too far). Filled with NaN. Freed by floats_free. */
float *floats_new(size_t count);
void floats_free(float *floats);
void floats_random(float *out, size_t count, uint32_t seed); /* uniform in [−1, 1) */
/* max |a − b| / max |b|; infinite when a holds a NaN that b does not. */
double floats_error(const float *a, const double *b, size_t count);
bool floats_same(const float *a, const float *b, size_t count); /* bit by bit */

/* What rounding may do to a sum of `terms`, as a share of the largest result: the error of a running sum grows with the
 * square root of its length. */
double sum_tolerance(double terms);

/* Calls fn(compute) for every ISA level of this machine that has fp32 kernels of its own, with `threads` threads. */
void each_level(int threads, void (*fn)(const struct cvy_compute *compute, void *arg), void *arg);

void kernels_bench(void);

#endif
