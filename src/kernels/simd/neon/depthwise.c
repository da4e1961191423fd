/* The loops of depthwise convolution at level neon. */
#ifndef __ARM_NEON
#error "compile for a processor with NEON"
#endif
#define VEC_BITS  128
#define DEPTHWISE cvy_depthwise_neon
#define VEC_NEON
#include "kernels/simd/depthwise_template.h"
