/* A vector of floats, the little of it that the loops need, so that each loop is written once and compiled for each
 * level. The including file defines VEC_BITS (128, 256, 512) and is named after its level.
 *
 * Whole vectors and tails go through the same operations, so a result does not depend on where in an array it stands.
 * Arithmetic and comparisons are the compiler's own on vector types; here is what they lack. 128 bits is also the
 * portable level: no fused multiply-add there unless the processor always has one. */
#ifndef CVY_KERNELS_SIMD_VEC_H
#define CVY_KERNELS_SIMD_VEC_H

#include <stdint.h>
#include <string.h>

#if VEC_BITS > 128
#include <immintrin.h>
#elif defined(VEC_NEON)
#include <arm_neon.h>
#endif

#define VEC (VEC_BITS / 32) /* floats a vector */

/* A loop over [0, count) in whole vectors and one part: i is the index, lanes how many count. */
#define EACH_VECTOR(i, lanes, count)                                                                                   \
    for (int64_t i = 0, lanes = VEC; i < (count) && (lanes = (count)-i < VEC ? (count)-i : VEC) > 0; i += VEC)

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

typedef float vf __attribute__((vector_size(VEC_BITS / 8)));
typedef int32_t vi __attribute__((vector_size(VEC_BITS / 8)));

static inline vf v_load(const float *p) {
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void v_store(float *p, vf v) {
    memcpy(p, &v, sizeof v);
}

/* A store past the caches, to an address aligned to the vector: for what is read only after much else, it spares
 * reading the lines first and keeps the caches. Before other threads read it, v_streamed. */
static inline void v_stream(float *p, vf v) {
#if VEC_BITS == 512
    _mm512_stream_ps(p, v);
#elif VEC_BITS == 256
    _mm256_stream_ps(p, v);
#else
    v_store(p, v);
#endif
}
static inline void v_streamed(void) {
#if VEC_BITS > 128
    _mm_sfence();
#endif
}

/* The first `lanes` (1 … VEC) of a vector; v_load_part has zeros in the others. Nothing beyond them is touched. */
#if VEC_BITS == 512
static inline __mmask16 v_part(int lanes) {
    return (__mmask16)((1u << lanes) - 1); /* all for 16 */
}
static inline vf v_load_part(const float *p, int lanes) {
    return _mm512_maskz_loadu_ps(v_part(lanes), p);
}
static inline void v_store_part(float *p, vf v, int lanes) {
    _mm512_mask_storeu_ps(p, v_part(lanes), v);
}
static inline vf v_set(float x) {
    return _mm512_set1_ps(x);
}
static inline vf v_fma(vf a, vf b, vf c) { /* a·b + c */
    return _mm512_fmadd_ps(a, b, c);
}
#elif VEC_BITS == 256
#ifdef __AVX512VL__
static inline __mmask8 v_part(int lanes) {
    return (__mmask8)((1u << lanes) - 1);
}
static inline vf v_load_part(const float *p, int lanes) {
    return _mm256_maskz_loadu_ps(v_part(lanes), p);
}
static inline void v_store_part(float *p, vf v, int lanes) {
    _mm256_mask_storeu_ps(p, v_part(lanes), v);
}
#else
static inline __m256i v_part(int lanes) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vf v_load_part(const float *p, int lanes) {
    return _mm256_maskload_ps(p, v_part(lanes));
}
static inline void v_store_part(float *p, vf v, int lanes) {
    _mm256_maskstore_ps(p, v_part(lanes), v);
}
#endif
static inline vf v_set(float x) {
    return _mm256_set1_ps(x);
}
static inline vf v_fma(vf a, vf b, vf c) {
    return _mm256_fmadd_ps(a, b, c);
}
#else
static inline vf v_load_part(const float *p, int lanes) {
    vf v = {0};
    for (int i = 0; i < VEC; i++)
        if (i < lanes) v[i] = p[i];
    return v;
}
static inline void v_store_part(float *p, vf v, int lanes) {
    for (int i = 0; i < VEC; i++)
        if (i < lanes) p[i] = v[i];
}
static inline vf v_set(float x) {
    return (vf){x, x, x, x};
}
static inline vf v_fma(vf a, vf b, vf c) {
#ifdef VEC_NEON
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}
#endif

/* Bytes widened to a vector of integers, and back; as with v_load_part, `lanes` of them are touched. */
#if VEC_BITS == 512
static inline vi v_load_bytes(const uint8_t *p, int lanes) {
    return (vi)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(v_part(lanes), p));
}
static inline void v_store_bytes(uint8_t *p, vi v, int lanes) {
    _mm_mask_storeu_epi8(p, v_part(lanes), _mm512_cvtepi32_epi8((__m512i)v));
}
#else
typedef uint8_t vb __attribute__((vector_size(VEC)));
static inline void v_copy_bytes(void *to, const void *from, int lanes) {
    char *t = to;
    const char *f = from;
    if (lanes & VEC) {
        memcpy(t, f, VEC);
        return;
    }
    if (VEC > 4 && lanes & 4) memcpy(t, f, 4), t += 4, f += 4;
    if (lanes & 2) memcpy(t, f, 2), t += 2, f += 2;
    if (lanes & 1) *t = *f;
}
static inline vi v_load_bytes(const uint8_t *p, int lanes) {
    vb bytes = {0};
    v_copy_bytes(&bytes, p, lanes);
    return __builtin_convertvector(bytes, vi);
}
static inline void v_store_bytes(uint8_t *p, vi v, int lanes) {
    vb bytes = __builtin_convertvector(v, vb);
    v_copy_bytes(p, &bytes, lanes);
}
#endif

/* lanes may be VEC or more here; AVX-512 masks whole vectors at no cost, so it needs no branch. */
static inline vf v_load_lanes(const float *p, int lanes) {
    return VEC_BITS < 512 && lanes >= VEC ? v_load(p) : v_load_part(p, lanes);
}
static inline void v_store_lanes(float *p, vf v, int lanes) {
    if (VEC_BITS < 512 && lanes >= VEC)
        v_store(p, v);
    else
        v_store_part(p, v, lanes);
}

#if VEC_BITS == 512
/* Lanes of (low, high) by index: 0 … VEC−1 of low, VEC … of high. */
static inline vf v_pick(vf low, vf high, vi index) {
    return _mm512_permutex2var_ps(low, (__m512i)index, high);
}
#endif

/* Lane i is lane index[i] of v, 0 … VEC−1. */
static inline vf v_lookup(vf v, vi index) {
#if VEC_BITS == 512
    return _mm512_permutexvar_ps((__m512i)index, v);
#elif VEC_BITS == 256
    return _mm256_permutevar8x32_ps(v, (__m256i)index);
#else
    return (vf){v[index[0]], v[index[1]], v[index[2]], v[index[3]]};
#endif
}

static const vi v_lane_numbers = {0,  1,  2,  3,
#if VEC_BITS > 128
                                  4,  5,  6,  7,
#endif
#if VEC_BITS > 256
                                  8,  9,  10, 11, 12,
                                  13, 14, 15
#endif
};

/* ⌊i / d⌋ for small numbers: half above a whole number, no rounding of 1/d matters. */
static inline vi v_quotient(vi i, int d) {
    return __builtin_convertvector((__builtin_convertvector(i, vf) + v_set(0.5f)) * v_set(1.0f / (float)d), vi);
}

/* mask ? a : b, lane by lane; a mask is the value of a comparison. */
static inline vf v_select(vi mask, vf a, vf b) {
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
}
static inline vf v_sqrt(vf x) {
#if VEC_BITS == 512
    return _mm512_sqrt_ps(x);
#elif VEC_BITS == 256
    return _mm256_sqrt_ps(x);
#else
    for (int i = 0; i < VEC; i++) x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
}
/* The smaller, the larger of both; x where they are equal or one is NaN. */
static inline vf v_least(vf limit, vf x) {
#if VEC_BITS == 512
    return _mm512_min_ps(limit, x);
#elif VEC_BITS == 256
    return _mm256_min_ps(limit, x);
#else
    return v_select(x > limit, limit, x);
#endif
}
static inline vf v_most(vf limit, vf x) {
#if VEC_BITS == 512
    return _mm512_max_ps(limit, x);
#elif VEC_BITS == 256
    return _mm256_max_ps(limit, x);
#else
    return v_select(x < limit, limit, x);
#endif
}
/* max(0, x), x where that is NaN or a zero. */
static inline vf v_relu(vf x) {
    return v_most(v_set(0), x);
}

#endif
