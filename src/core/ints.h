/* Whole numbers: what is written again and again wherever work is cut into parts. For operands of 0 and more. */
#ifndef CVY_CORE_INTS_H
#define CVY_CORE_INTS_H

#include <stdint.h>

/* ⌈a / b⌉ */
static inline int64_t cvy_ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
/* The least multiple of `step` that is not below a. */
static inline int64_t cvy_round_up(int64_t a, int64_t step) {
    return cvy_ceil_div(a, step) * step;
}
static inline int64_t cvy_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t cvy_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static inline int64_t cvy_clamp(int64_t x, int64_t low, int64_t high) {
    return x < low ? low : x > high ? high : x;
}

#endif
