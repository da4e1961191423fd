/* Loops of normalisation over [rows][channels], and of local response normalisation, part of tensor_template.h. Sums
 * are in double: half a vector of floats at a time becomes a vector of doubles. */
#include <math.h>

#include "kernels/simd/tensor_vec.h"
#include "kernels/simd/norm.h"

#define HALF (VEC / 2)
#ifdef __clang__
#define UNROLL_GROUPS _Pragma("clang loop unroll(full)")
#else
#define UNROLL_GROUPS _Pragma("GCC unroll 4")
#endif

typedef double vd __attribute__((vector_size(VEC_BITS / 8)));
typedef float vh __attribute__((vector_size(VEC_BITS / 16)));

typedef int32_t vhi __attribute__((vector_size(VEC_BITS / 16)));

/* The lower half, and a vector of which it is that; the upper one is anything. */
static inline vh half_of(vf whole) {
    vh half;
    memcpy(&half, &whole, sizeof half);
    return half;
}
static inline vf whole_of(vh half) {
#if VEC_BITS == 512
    return (vf)_mm512_castps256_ps512((__m256)half);
#elif VEC_BITS == 256
    return (vf)_mm256_castps128_ps256((__m128)half);
#else
    vf whole = {0};
    memcpy(&whole, &half, sizeof half);
    return whole;
#endif
}

/* lanes ≤ HALF; the others are zero. */
static inline vh half_load(const float *p, int lanes) {
    vh half;
    if (lanes < HALF) return half_of(v_load_part(p, lanes));
    memcpy(&half, p, sizeof half);
    return half;
}

/* Likewise of elements, from number i on. Whole halves are not masked: a load would wait for the masked store of its
 * neighbours. */
#ifdef ELEMENT_BF16
typedef uint16_t vh_bits __attribute__((vector_size(VEC_BITS / 32)));
typedef uint32_t vh_wide __attribute__((vector_size(VEC_BITS / 16)));

static inline vh_wide widened(vh_bits bits) {
#if VEC_BITS == 512
    return (vh_wide)_mm256_cvtepu16_epi32((__m128i)bits); /* of the builtin gcc makes two */
#else
    return __builtin_convertvector(bits, vh_wide);
#endif
}
static inline vh half_get(const void *x, ptrdiff_t i, int lanes) {
    vh_bits bits;
    if (lanes < HALF) return half_of(v_get(x, i, lanes));
    memcpy(&bits, (const elem *)x + i, sizeof bits);
    return (vh)(widened(bits) << 16);
}
static inline void half_put(void *y, ptrdiff_t i, vh half, int lanes) {
    const vus rounded = v_round(whole_of(half));
    vh_bits bits;
    memcpy(&bits, &rounded, sizeof bits);
    if (lanes < HALF)
        v_store_half((elem *)y + i, rounded, lanes);
    else
        memcpy((elem *)y + i, &bits, sizeof bits);
}
#else
static inline vh half_get(const void *x, ptrdiff_t i, int lanes) {
    return half_load((const elem *)x + i, lanes);
}
static inline void half_put(void *y, ptrdiff_t i, vh half, int lanes) {
    if (lanes < HALF)
        v_put(y, i, whole_of(half), lanes);
    else
        memcpy((elem *)y + i, &half, sizeof half);
}
#endif

/* As v_fma rounds it. */
static inline vh half_fma(vh a, vh b, vh c) {
#if VEC_BITS == 512
    return (vh)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif VEC_BITS == 256
    return (vh)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)c);
#elif defined(VEC_NEON)
    return (vh)vfma_f32((float32x2_t)c, (float32x2_t)a, (float32x2_t)b);
#else
    return a * b + c;
#endif
}
static inline vd wide(vh half) {
#if VEC_BITS == 512
    return (vd)_mm512_cvtps_pd((__m256)half); /* of the builtin gcc makes two */
#else
    return __builtin_convertvector(half, vd);
#endif
}

/* What is summed: x alone (Σ x, Σ x²); dy; dy where y, made again from x, is not ≤ 0; likewise where y is read, and
 * stored. */
enum sums { OF_X, OF_DY, OF_DY_RECOMPUTED, OF_DY_MASKED };

struct sum_of {
    const void *x, *dy;
    const double *mean;
    const struct cvy_norm_mask *mask;
    ptrdiff_t stride;
};

/* Rows are gone over a few at a time, in all columns, so that memory is read almost in its order; meanwhile it is asked
 * for the next few (50176×256 of bf16, 2 cores of Zen 4: moments 2.2 → 1.0 ms, products 3.4 → 2.1 ms). */
enum { NUMBERS_AT_A_TIME = 1 << 11 };

INLINE void ask_for(const struct sum_of *s, enum sums what, ptrdiff_t at, int numbers) {
    UNROLL for (int i = 0; i < numbers; i += 64 / (int)sizeof(elem)) {
        __builtin_prefetch((const elem *)s->x + at + i, 0, 2);
        if (what != OF_X) __builtin_prefetch((const elem *)s->dy + at + i, 0, 2);
        if (what == OF_DY_MASKED) __builtin_prefetch((const elem *)s->mask->y + at + i, 0, 2);
    }
}

/* Of `groups` vectors of doubles side by side from column c on; all but a tail's single one are whole. Rows [begin,
 * end) are added to what the sums have of those before. */
static inline __attribute__((always_inline)) void sum_groups(const struct sum_of *s, enum sums what, int c,
                                                             int64_t begin, int64_t end, int groups, int lanes,
                                                             double *first, double *second) {
    vd a[4] = {{0}, {0}, {0}, {0}}, b[4] = {{0}, {0}, {0}, {0}}, m[4] = {{0}, {0}, {0}, {0}};
    vh mean[4] = {{0}, {0}, {0}, {0}}, scale[4] = {{0}, {0}, {0}, {0}}, shift[4] = {{0}, {0}, {0}, {0}};
    const size_t bytes = (size_t)lanes * sizeof(double);
    if (begin > 0) UNROLL_GROUPS
    for (int g = 0; g < groups; g++) {
        memcpy(&a[g], first + c + g * HALF, bytes);
        memcpy(&b[g], second + c + g * HALF, bytes);
    }
    if (what != OF_X) UNROLL_GROUPS
    for (int g = 0; g < groups; g++) memcpy(&m[g], s->mean + c + g * HALF, bytes);
    if (what == OF_DY_RECOMPUTED) UNROLL_GROUPS
    for (int g = 0; g < groups; g++) {
        mean[g] = half_load(s->mask->map->mean + c + g * HALF, lanes);
        scale[g] = half_load(s->mask->map->scale + c + g * HALF, lanes);
        shift[g] = half_load(s->mask->map->shift + c + g * HALF, lanes);
    }
    for (int64_t row = begin; row < end; row++) {
        if (groups == 4) ask_for(s, what, (row + end - begin) * s->stride + c, 4 * HALF);
        UNROLL_GROUPS
        for (int g = 0; g < groups; g++) {
            const ptrdiff_t at = row * s->stride + c + g * HALF;
            const vh x = half_get(s->x, at, lanes);
            const vd v = wide(x);
            vh dy = what == OF_X ? x : half_get(s->dy, at, lanes);
            if (what == OF_DY_RECOMPUTED) dy = (vh)(~(half_fma(x - mean[g], scale[g], shift[g]) <= (vh){0}) & (vhi)dy);
            if (what == OF_DY_MASKED) {
                dy = (vh)(~(half_get(s->mask->y, at, lanes) <= (vh){0}) & (vhi)dy);
                half_put(s->mask->dz, at, dy, lanes);
            }
            const vd d = wide(dy);
            a[g] += d;
            b[g] += d * (what == OF_X ? v : v - m[g]);
        }
    }
    UNROLL_GROUPS
    for (int g = 0; g < groups; g++) {
        memcpy(first + c + g * HALF, &a[g], bytes);
        memcpy(second + c + g * HALF, &b[g], bytes);
    }
}

#define EACH_GROUPS(groups)                                                                                            \
    for (; c + (groups)*HALF <= channels; c += (groups)*HALF)                                                          \
    sum_groups(s, what, c, row, end, groups, HALF, first, second)

static inline __attribute__((always_inline)) void sum_columns(const struct sum_of *s, enum sums what, int64_t rows,
                                                              int channels, double *first, double *second) {
    const int64_t each = channels > 4 * HALF && channels < NUMBERS_AT_A_TIME ? NUMBERS_AT_A_TIME / channels : rows;
    for (int64_t row = 0, end; row < rows; row = end) {
        end = rows - row < each ? rows : row + each;
        int c = 0;
        EACH_GROUPS(4);
        EACH_GROUPS(2);
        EACH_GROUPS(1);
        if (c < channels) sum_groups(s, what, c, row, end, 1, channels - c, first, second);
    }
}

static void moments(const void *x, int64_t rows, ptrdiff_t stride, int channels, double *sum, double *squares) {
    sum_columns(&(struct sum_of){.x = x, .stride = stride}, OF_X, rows, channels, sum, squares);
}
static void products(const struct cvy_norm_factors *f, int64_t rows, ptrdiff_t stride, int channels, double *sum,
                     double *product) {
    const struct sum_of s = {f->x, f->dy, f->mean, f->mask, stride};
    if (f->mask == NULL)
        sum_columns(&s, OF_DY, rows, channels, sum, product);
    else if (f->mask->map)
        sum_columns(&s, OF_DY_RECOMPUTED, rows, channels, sum, product);
    else
        sum_columns(&s, OF_DY_MASKED, rows, channels, sum, product);
}

#define EACH_ROW_VECTOR(at, c, lanes, rows, channels)                                                                  \
    for (int64_t row = 0, at = 0; row < (rows); row++, at = row * (channels))                                          \
        for (int64_t c = 0, lanes = VEC; c < (channels) && (lanes = (channels)-c < VEC ? (channels)-c : VEC) > 0;      \
             c += VEC, at += VEC)

static void normalise(const void *x, const struct cvy_norm_map *map, const void *residual, int64_t rows, int channels,
                      bool relu, void *y) {
    EACH_ROW_VECTOR(at, c, lanes, rows, channels) {
        const int n = (int)lanes;
        vf v = v_get(x, at, n) - v_load_lanes(map->mean + c, n);
        v = v_fma(v, v_load_lanes(map->scale + c, n), v_load_lanes(map->shift + c, n));
        if (residual) v += v_get(residual, at, n);
        v_put(y, at, relu ? v_relu(v) : v, n);
    }
}

static void normalise_back(const void *x, const void *dy, const struct cvy_norm_map *map, int64_t rows, int channels,
                           bool accumulate, void *dx) {
    EACH_ROW_VECTOR(at, c, lanes, rows, channels) {
        const int n = (int)lanes;
        const vf from_mean = v_get(x, at, n) - v_load_lanes(map->mean + c, n);
        vf v = v_fma(from_mean, v_load_lanes(map->scale + c, n), v_load_lanes(map->shift + c, n));
        vf d = v_get(dy, at, n);
        if (map->gain) {
            const vf y = v_fma(from_mean, v_load_lanes(map->gain + c, n), v_load_lanes(map->offset + c, n));
            d = (vf)(~(y <= v_set(0)) & (vi)d);
        }
        v_give(dx, at, v_fma(d, v_load_lanes(map->slope + c, n), v), n, accumulate);
    }
}

/* ---- local response normalisation ---- */

/* A row of the workspace: the window's reach on both sides is zero, and what a whole vector may read too much. */
static inline ptrdiff_t lrn_row(const struct cvy_lrn *how) {
    return how->channels + how->size + 16;
}

/* s^−β; AlexNet's β = 3/4 is two square roots. */
static inline vf inverse_power(vf s, float beta) {
    if (beta == 0.75f) {
        vf root = v_sqrt(s);
        return v_set(1) / (root * v_sqrt(root));
    }
    for (int i = 0; i < VEC; i++) s[i] = (float)pow(s[i], -(double)beta);
    return s;
}

static inline vf window_sum(const float *from, int size) {
    vf sum = v_load(from);
    for (int j = 1; j < size; j++) sum += v_load(from + j);
    return sum;
}

/* x² with zeros before and after, so that channel c's window begins at squares[c]. */
static inline void lrn_squares(const void *x, const struct cvy_lrn *how, float *squares) {
    const int before = how->size / 2, channels = how->channels;
    memset(squares, 0, (size_t)before * sizeof *squares);
    memset(squares + before + channels, 0, (size_t)(lrn_row(how) - before - channels) * sizeof *squares);
    EACH_VECTOR(c, lanes, channels) {
        vf v = v_get(x, c, lanes);
        v_store_lanes(squares + before + c, v * v, (int)lanes);
    }
}

static void lrn(const void *x, const struct cvy_lrn *how, void *y, float *ws) {
    lrn_squares(x, how, ws);
    EACH_VECTOR(c, lanes, how->channels) {
        vf s = v_fma(v_set(how->a), window_sum(ws + c, how->size), v_set(how->k));
        v_put(y, c, v_get(x, c, lanes) * inverse_power(s, how->beta), lanes);
    }
}

/* dx_c = dy_c·s_c^−β − 2aβ·x_c·Σ t_j,  t = dy·x·s^(−β−1), over the j whose window holds c: the window mirrored. */
static void lrn_back(const void *x, const void *dy, const struct cvy_lrn *how, bool accumulate, void *dx, float *ws) {
    const ptrdiff_t row = lrn_row(how);
    const int before = (how->size - 1) / 2, channels = how->channels;
    float *t = ws + row, *power = ws + 2 * row;
    lrn_squares(x, how, ws);
    memset(t, 0, (size_t)row * sizeof *t);
    EACH_VECTOR(c, lanes, channels) {
        const int n = (int)lanes;
        vf s = v_fma(v_set(how->a), window_sum(ws + c, how->size), v_set(how->k)), p = inverse_power(s, how->beta);
        v_store_lanes(t + before + c, v_get(dy, c, n) * v_get(x, c, n) * (p / s), n);
        v_store_lanes(power + c, p, n);
    }
    const vf factor = v_set(-2 * how->a * how->beta);
    EACH_VECTOR(c, lanes, channels) {
        const int n = (int)lanes;
        vf v = factor * v_get(x, c, n) * window_sum(t + c, how->size);
        v_give(dx, c, v_fma(v_get(dy, c, n), v_load_lanes(power + c, n), v), n, accumulate);
    }
}
