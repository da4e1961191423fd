/* The loops of Winograd's algorithm at level avx2. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile with the flags of avx2 (see the Makefile)"
#endif
#define VEC_BITS 256
#define WINOGRAD cvy_winograd_avx2
#include "kernels/winograd_template.h"
