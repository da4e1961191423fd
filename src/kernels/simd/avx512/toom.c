/* The transforms of toom.h of level avx512. */
#ifndef __AVX512F__
#error "compile with the flags of avx512 (see the Makefile)"
#endif
#define VEC_BITS 512
#define TOOM     cvy_toom_avx512
#include "kernels/simd/toom_template.h"
