/* The transforms of toom.h of level neon. */
#ifndef __ARM_NEON
#error "compile for a processor with NEON"
#endif
#define VEC_BITS 128
#define TOOM     cvy_toom_neon
#define VEC_NEON
#include "kernels/simd/toom_template.h"
