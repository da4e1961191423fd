/* Loops of normalisation over [rows][channels], and of local response normalisation, included by loops_template.h. Sums
 * are in double: half a vector of floats at a time becomes a vector of doubles. */
#include <math.h>

#define HALF (VEC / 2)
#ifdef __clang__
#define UNROLL_GROUPS _Pragma("clang loop unroll(full)")
#else
#define UNROLL_GROUPS _Pragma("GCC unroll 4")
#endif

typedef double vd __attribute__((vector_size(VEC_BITS / 8)));
typedef float vh __attribute__((vector_size(VEC_BITS / 16)));

/* lanes ≤ HALF; the others are zero. */
static inline vd wide(const float *p, int lanes) {
    vh half;
    if (lanes == HALF) {
        memcpy(&half, p, sizeof half);
    } else {
        vf whole = v_load_part(p, lanes);
        memcpy(&half, &whole, sizeof half);
    }
#if VEC_BITS == 512
    return (vd)_mm512_cvtps_pd((__m256)half); /* of the builtin gcc makes two */
#else
    return __builtin_convertvector(half, vd);
#endif
}

/* Of `groups` vectors of doubles side by side; all but a tail's single one are whole. dy NULL: Σ x, Σ x². */
static inline __attribute__((always_inline)) void sum_groups(const float *x, const float *dy, const double *mean,
                                                             int64_t rows, ptrdiff_t stride, int groups, int lanes,
                                                             double *first, double *second) {
    vd a[4] = {{0}, {0}, {0}, {0}}, b[4] = {{0}, {0}, {0}, {0}}, m[4] = {{0}, {0}, {0}, {0}};
    const size_t bytes = (size_t)lanes * sizeof(double);
    if (dy) UNROLL_GROUPS
    for (int g = 0; g < groups; g++) memcpy(&m[g], mean + g * HALF, bytes);
    for (int64_t row = 0; row < rows; row++) {
        UNROLL_GROUPS
        for (int g = 0; g < groups; g++) {
            vd v = wide(x + row * stride + g * HALF, lanes), d = dy ? wide(dy + row * stride + g * HALF, lanes) : v;
            a[g] += d;
            b[g] += d * (dy ? v - m[g] : v);
        }
    }
    UNROLL_GROUPS
    for (int g = 0; g < groups; g++) {
        memcpy(first + g * HALF, &a[g], bytes);
        memcpy(second + g * HALF, &b[g], bytes);
    }
}

#define EACH_GROUPS(groups)                                                                                            \
    for (; c + (groups)*HALF <= channels; c += (groups)*HALF)                                                          \
    sum_groups(x + c, dy ? dy + c : NULL, mean ? mean + c : NULL, rows, stride, groups, HALF, first + c, second + c)

static inline __attribute__((always_inline)) void sum_columns(const float *x, const float *dy, const double *mean,
                                                              int64_t rows, ptrdiff_t stride, int channels,
                                                              double *first, double *second) {
    int c = 0;
    EACH_GROUPS(4);
    EACH_GROUPS(2);
    EACH_GROUPS(1);
    if (c < channels)
        sum_groups(x + c, dy ? dy + c : NULL, mean ? mean + c : NULL, rows, stride, 1, channels - c, first + c,
                   second + c);
}

static void moments(const float *x, int64_t rows, ptrdiff_t stride, int channels, double *sum, double *squares) {
    sum_columns(x, NULL, NULL, rows, stride, channels, sum, squares);
}
static void products(const float *x, const float *dy, const double *mean, int64_t rows, ptrdiff_t stride, int channels,
                     double *sum, double *product) {
    sum_columns(x, dy, mean, rows, stride, channels, sum, product);
}

#define EACH_ROW_VECTOR(at, c, lanes, rows, channels)                                                                  \
    for (int64_t row = 0, at = 0; row < (rows); row++, at = row * (channels))                                          \
        for (int64_t c = 0, lanes = VEC; c < (channels) && (lanes = (channels)-c < VEC ? (channels)-c : VEC) > 0;      \
             c += VEC, at += VEC)

static void normalise(const float *x, const struct cvy_norm_map *map, int64_t rows, int channels, bool relu, float *y) {
    EACH_ROW_VECTOR(at, c, lanes, rows, channels) {
        const int n = (int)lanes;
        vf v = v_load_lanes(x + at, n) - v_load_lanes(map->mean + c, n);
        v = v_fma(v, v_load_lanes(map->scale + c, n), v_load_lanes(map->shift + c, n));
        v_store_lanes(y + at, relu ? v_relu(v) : v, n);
    }
}

static void normalise_back(const float *x, const float *dy, const struct cvy_norm_map *map, int64_t rows, int channels,
                           bool accumulate, float *dx) {
    EACH_ROW_VECTOR(at, c, lanes, rows, channels) {
        const int n = (int)lanes;
        vf v = v_load_lanes(x + at, n) - v_load_lanes(map->mean + c, n);
        v = v_fma(v, v_load_lanes(map->scale + c, n), v_load_lanes(map->shift + c, n));
        v = v_fma(v_load_lanes(dy + at, n), v_load_lanes(map->slope + c, n), v);
        v_store_lanes(dx + at, accumulate ? v_load_lanes(dx + at, n) + v : v, n);
    }
}

/* ---- local response normalisation ---- */

/* A row of the workspace: the window's reach on both sides is zero, and what a whole vector may read too much. */
static inline ptrdiff_t lrn_row(const struct cvy_lrn *how, int channels) {
    return channels + how->size + 16;
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
static inline void lrn_squares(const float *x, const struct cvy_lrn *how, int channels, float *squares) {
    const int before = how->size / 2;
    memset(squares, 0, (size_t)before * sizeof *squares);
    memset(squares + before + channels, 0, (size_t)(lrn_row(how, channels) - before - channels) * sizeof *squares);
    EACH_VECTOR(c, lanes, channels) {
        vf v = v_load_lanes(x + c, (int)lanes);
        v_store_lanes(squares + before + c, v * v, (int)lanes);
    }
}

static void lrn(const float *x, const struct cvy_lrn *how, int channels, float *y, float *ws) {
    lrn_squares(x, how, channels, ws);
    EACH_VECTOR(c, lanes, channels) {
        vf s = v_fma(v_set(how->a), window_sum(ws + c, how->size), v_set(how->k));
        v_store_lanes(y + c, v_load_lanes(x + c, (int)lanes) * inverse_power(s, how->beta), (int)lanes);
    }
}

/* dx_c = dy_c·s_c^−β − 2aβ·x_c·Σ t_j,  t = dy·x·s^(−β−1), over the j whose window holds c: the window mirrored. */
static void lrn_back(const float *x, const float *dy, const struct cvy_lrn *how, int channels, bool accumulate,
                     float *dx, float *ws) {
    const ptrdiff_t row = lrn_row(how, channels);
    const int before = (how->size - 1) / 2;
    float *t = ws + row, *power = ws + 2 * row;
    lrn_squares(x, how, channels, ws);
    memset(t, 0, (size_t)row * sizeof *t);
    EACH_VECTOR(c, lanes, channels) {
        const int n = (int)lanes;
        vf s = v_fma(v_set(how->a), window_sum(ws + c, how->size), v_set(how->k)), p = inverse_power(s, how->beta);
        v_store_lanes(t + before + c, v_load_lanes(dy + c, n) * v_load_lanes(x + c, n) * (p / s), n);
        v_store_lanes(power + c, p, n);
    }
    const vf factor = v_set(-2 * how->a * how->beta);
    EACH_VECTOR(c, lanes, channels) {
        const int n = (int)lanes;
        vf v = factor * v_load_lanes(x + c, n) * window_sum(t + c, how->size);
        v = v_fma(v_load_lanes(dy + c, n), v_load_lanes(power + c, n), v);
        v_store_lanes(dx + c, accumulate ? v_load_lanes(dx + c, n) + v : v, n);
    }
}
