/* The loops of depthwise convolution at level avx512. */
#ifndef __AVX512F__
#error "compile with the flags of avx512 (see the Makefile)"
#endif
#define VEC_BITS  512
#define DEPTHWISE cvy_depthwise_avx512
#include "kernels/simd/depthwise_template.h"
