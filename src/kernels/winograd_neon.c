/* The loops of Winograd's algorithm at level neon. */
#ifndef __ARM_NEON
#error "compile for a processor with NEON"
#endif
#define VEC_BITS 128
#define WINOGRAD cvy_winograd_neon
#define VEC_NEON
#include "kernels/winograd_template.h"
