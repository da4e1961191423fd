/* The loops of Winograd's algorithm at level avx512. */
#ifndef __AVX512F__
#error "compile with the flags of avx512 (see the Makefile)"
#endif
#define VEC_BITS 512
#define WINOGRAD cvy_winograd_avx512
#include "kernels/winograd_template.h"
