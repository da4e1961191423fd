/* The transforms of toom.h for any processor. */
#define VEC_BITS 128
#define TOOM     cvy_toom_portable
#include "kernels/simd/toom_template.h"
