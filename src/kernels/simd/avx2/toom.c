/* The transforms of toom.h of level avx2. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile with the flags of avx2 (see the Makefile)"
#endif
#define VEC_BITS 256
#define TOOM     cvy_toom_avx2
#include "kernels/simd/toom_template.h"
