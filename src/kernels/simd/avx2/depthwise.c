/* The loops of depthwise convolution at level avx2. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile with the flags of avx2 (see the Makefile)"
#endif
#define VEC_BITS  256
#define DEPTHWISE cvy_depthwise_avx2
#include "kernels/simd/depthwise_template.h"
