/* Whether floats are numbers. */
#ifndef CVY_CORE_FINITE_H
#define CVY_CORE_FINITE_H

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

#endif
