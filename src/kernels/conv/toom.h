/* Where the algorithm of kernels/simd/toom.h is taken. */
#ifndef CVY_KERNELS_CONV_TOOM_H
#define CVY_KERNELS_CONV_TOOM_H

#include "kernels/conv/conv.h"
#include "kernels/simd/toom.h"

/* Whether it can pay, for enough samples. */
bool cvy_toom_fits(const struct cvy_conv *g);
/* Where it pays: by the shape alone. */
bool cvy_toom_suits(const struct cvy_conv *g);

#endif
