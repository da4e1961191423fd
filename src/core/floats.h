/* Looking at floats: whether they are numbers, and which is the largest. */
#ifndef CVY_CORE_FLOATS_H
#define CVY_CORE_FLOATS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Whether none is infinite or NaN: no exponent is all ones. Without a branch, at the speed of memory. */
static inline bool cvy_all_finite(const float *x, int64_t count) {
    uint32_t bad = 0, bits;
    for (int64_t i = 0; i < count; i++) {
        memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & 0x7f800000U) == 0x7f800000U;
    }
    return bad == 0;
}

/* The place of the largest of `count` ≥ 1, the first of equals. */
static inline int cvy_largest(const float *x, int count) {
    int best = 0;
    for (int i = 1; i < count; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

#endif
