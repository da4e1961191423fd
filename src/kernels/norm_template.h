/* Loops of normalisation over [rows][channels], included by loops_template.h. Sums are in double: half a vector of
 * floats at a time becomes a vector of doubles. */
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
