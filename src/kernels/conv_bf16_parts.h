/* Private to the convolution of bf16. */
#ifndef CVY_KERNELS_CONV_BF16_PARTS_H
#define CVY_KERNELS_CONV_BF16_PARTS_H

#include "kernels/bf16_table.h"
#include "kernels/conv_bf16.h"
#include "kernels/conv_parts.h"

size_t cvy_bf16_weights_workspace(const struct cvy_conv *g, int threads); /* floats */

#endif
