/* bf16 for vectors (vec.h): widening, rounding, and the product of pairs, by instructions where the level has them. */
#ifndef CVY_KERNELS_SIMD_BF16_VEC_H
#define CVY_KERNELS_SIMD_BF16_VEC_H

#include "kernels/simd/bf16.h"
#include "kernels/simd/vec.h"

typedef uint32_t vu __attribute__((vector_size(VEC_BITS / 8)));
typedef uint16_t vus __attribute__((vector_size(VEC_BITS / 16))); /* as many numbers of 16 bits */

/* ---- 16 bits a number; of `lanes` (1 … VEC) numbers, nothing beyond is touched and the other lanes are zero ---- */

static inline vu v_load_half(const cvy_bf16 *p, int lanes) {
#if VEC_BITS == 512
    return (vu)_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(v_part(lanes), p));
#else
    vus v = {0};
    if (lanes >= VEC)
        memcpy(&v, p, sizeof v);
    else
        for (int i = 0; i < VEC; i++)
            if (i < lanes) v[i] = p[i];
    return __builtin_convertvector(v, vu);
#endif
}

static inline void v_store_half(cvy_bf16 *p, vus half, int lanes) {
#if VEC_BITS == 512
    _mm256_mask_storeu_epi16(p, v_part(lanes), (__m256i)half);
#else
    if (lanes >= VEC)
        memcpy(p, &half, sizeof half);
    else
        for (int i = 0; i < VEC; i++)
            if (i < lanes) p[i] = half[i];
#endif
}

/* The lower halves. */
static inline vus v_halve(vu v) {
#if VEC_BITS == 512
    return (vus)_mm512_cvtepi32_epi16((__m512i)v);
#else
    return __builtin_convertvector(v, vus);
#endif
}

static inline vf v_widen(const cvy_bf16 *p, int lanes) {
    return (vf)(v_load_half(p, lanes) << 16);
}

static inline vus v_round(vf x) {
#ifdef __AVX512BF16__
    return (vus)_mm512_cvtneps_pbh((__m512)x);
#else
    const vu bits = (vu)x, rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return v_halve((vu)v_select((vi)(x == x), (vf)rounded, (vf)(bits >> 16 | 0x40)));
#endif
}

static inline void v_narrow(cvy_bf16 *p, vf x, int lanes) {
    v_store_half(p, v_round(x), lanes);
}

/* ---- pairs ---- */

static inline vu v_load_pairs(const cvy_pair *p) {
    vu v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* What v_dot takes: pairs as they are, or their halves apart. */
#ifdef __AVX512BF16__
typedef vu vp;
static inline vp v_pairs(vu pairs) {
    return pairs;
}
static inline vp v_set_pair(const cvy_pair *p) {
    return (vu)_mm512_set1_epi32((int)*p);
}
static inline vf v_dot(vp a, vp b, vf c) { /* a·b + c */
    return _mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
}
#else
typedef struct {
    vf low, high;
} vp;
static inline vp v_pairs(vu pairs) {
    return (vp){(vf)(pairs << 16), (vf)(pairs & 0xffff0000u)};
}
static inline vp v_set_pair(const cvy_pair *p) {
    const cvy_pair pair = *p;
    return (vp){v_set(cvy_bf16_float((cvy_bf16)pair)), v_set(cvy_bf16_float((cvy_bf16)(pair >> 16)))};
}
static inline vf v_dot(vp a, vp b, vf c) {
    return v_fma(a.high, b.high, v_fma(a.low, b.low, c));
}
#endif

#endif
