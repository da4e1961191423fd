/* exp, tanh and sigmoid of vectors (vec.h), within about 2 ulp. */
#ifndef CVY_KERNELS_SIMD_VEC_MATH_H
#define CVY_KERNELS_SIMD_VEC_MATH_H

#include "kernels/simd/vec.h"

/* x = n·ln 2 + r with |r| ≤ ln 2 / 2; gives n and r. ln 2 in two parts (Cody & Waite 1980): n times the first is exact.
 */
static inline vf reduce(vf x, vf *n) {
    const vf magic = v_set(0x1.8p23f); /* adding it rounds to an integer, which is then in the low bits */
    *n = v_fma(x, v_set(1.44269504f), magic);
    vf whole = *n - magic;
    vf r = v_fma(whole, v_set(-0.693359375f), x);
    return v_fma(whole, v_set(2.12194440e-4f), r);
}

/* e^r − 1 by Taylor's series to r⁷, whose next term is below 6e-9 of r. */
static inline vf expm1_core(vf r) {
    vf p = v_set(1.0f / 5040);
    p = v_fma(p, r, v_set(1.0f / 720));
    p = v_fma(p, r, v_set(1.0f / 120));
    p = v_fma(p, r, v_set(1.0f / 24));
    p = v_fma(p, r, v_set(1.0f / 6));
    p = v_fma(p, r, v_set(0.5f));
    return v_fma(p, r * r, r);
}

/* 2^n, where n is as `reduce` gives it and −126 ≤ n ≤ 127. */
static inline vf two_to(vf n) {
    return (vf)(((vi)n << 23) + (vi)v_set(1.0f));
}

/* NaN passes through both. */
static inline vf at_most(vf x, float limit) {
    return v_least(v_set(limit), x);
}
static inline vf at_least(vf x, float limit) {
    return v_most(v_set(limit), x);
}

/* 0 below −87.3 (the smallest normal number), 2^127.5 from 88.3 on: nothing here needs more. */
static inline vf v_exp(vf x) {
    vf n, r = reduce(at_most(at_least(x, -87.3f), 88.3f), &n);
    vf two = two_to(n), y = v_fma(two, expm1_core(r), two);
    return v_select(x < v_set(-87.3f), v_set(0), y);
}

/* e^x − 1 for x ≤ 44; −1 below −87.3. */
static inline vf v_expm1(vf x) {
    vf n, r = reduce(at_least(x, -87.3f), &n), two = two_to(n);
    return v_fma(two, expm1_core(r), two - v_set(1));
}

/* With e = e^{2|x|} − 1: tanh |x| = e / (e + 2), which keeps its accuracy near 0. */
static inline vf v_tanh(vf x) {
    const vi sign = (vi)x & (vi)v_set(-0.0f);
    vf size = (vf)((vi)x ^ sign), n;
    vf r = reduce(at_most(size + size, 20.0f), &n);
    vf two = two_to(n), e = v_fma(two, expm1_core(r), two - v_set(1));
    return (vf)((vi)(e / (e + v_set(2))) | sign);
}

static inline vf v_sigmoid(vf x) {
    return v_set(1) / (v_set(1) + v_exp(v_set(0) - x));
}

#endif
