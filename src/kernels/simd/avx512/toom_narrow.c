/* The transforms of toom.h of level avx512 for at most 8 channels: half a vector, of which processors that have wide
 * ones in two halves do twice as many. */
#ifndef __AVX512VL__
#error "compile with the flags of avx512 (see the Makefile)"
#endif
#define VEC_BITS 256
#define TOOM     cvy_toom_narrow_avx512
#include "kernels/simd/toom_template.h"
