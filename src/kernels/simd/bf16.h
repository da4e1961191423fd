/* bfloat16: the upper half of a float, 8 bits of which are its fraction's. Activations of a bf16 network and copies of
 * its weights are such; every sum is taken in fp32. Rounding is to the nearest, ties to even; NaN stays NaN. Levels
 * with instructions for it may take numbers below 2⁻¹²⁶ for zero.
 *
 * A layer's numbers are computed in fp32 and rounded once, as they are stored. Levels differ in how sums of products,
 * and functions such as tanh, round in fp32: the losses of a small network's first 20 steps are within 1 % of the first
 * one of fp32's, and within 0.2 % of every other level's (tests/unit/graph/test_mixed.c). */
#ifndef CVY_KERNELS_SIMD_BF16_H
#define CVY_KERNELS_SIMD_BF16_H

#include <stdint.h>
#include <string.h>

typedef uint16_t cvy_bf16;
/* Two neighbours, the first in the low half: what instructions multiply. Read out of rows of cvy_bf16. */
typedef uint32_t __attribute__((may_alias, aligned(2))) cvy_pair;

static inline float cvy_bf16_float(cvy_bf16 x) {
    const uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline cvy_bf16 cvy_bf16_round(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (f != f) return (cvy_bf16)(bits >> 16 | 0x40); /* quiet */
    return (cvy_bf16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
