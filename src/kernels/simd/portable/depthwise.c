/* The loops of depthwise convolution at level portable. */
#define VEC_BITS  128
#define DEPTHWISE cvy_depthwise_portable
#include "kernels/simd/depthwise_template.h"
