/* The transforms of toom.h, written once for every ISA level: a vector holds channels. The including file defines
 * VEC_BITS and TOOM, the name of what is made here. */
#include "core/param.h"
#include "kernels/simd/epilogue_vec.h"
#include "kernels/simd/toom.h"

enum { TAPS = CVY_TOOM_TAPS, POINTS = CVY_TOOM_POINTS, PAIRS = POINTS / 2, AT_INFINITY = POINTS - 1 };

/* ---- the points: of p, q, r, s squared, and that of p alone ---- */

#define P_1 0.0625f
#define P_2 0.5625f
#define P_3 1.5625f
#define P_4 4.0f
#define CUBIC(q, r, s)                                                                                                 \
    { -(q) * (r) * (s), (q) * (r) + (q) * (s) + (r) * (s), -(q) - (r) - (s), 1 }
#define NORM(p, square, q, r, s) 1 / (2 * (p) * ((square) - (q)) * ((square) - (r)) * ((square) - (s)))

static const struct toom_pair {
    float p, square, norm;
    float others[PAIRS]; /* Π (x − q²) over the other q: the coefficients of 1, x, x², x³ */
} toom_pairs[PAIRS] = {
    {0.25f, P_1, NORM(0.25f, P_1, P_2, P_3, P_4), CUBIC(P_2, P_3, P_4)},
    {0.75f, P_2, NORM(0.75f, P_2, P_1, P_3, P_4), CUBIC(P_1, P_3, P_4)},
    {1.25f, P_3, NORM(1.25f, P_3, P_1, P_2, P_4), CUBIC(P_1, P_2, P_4)},
    {2, P_4, NORM(2.0f, P_4, P_1, P_2, P_3), CUBIC(P_1, P_2, P_3)},
};
/* Π (x − q²) over all, but for x⁴. */
static const float toom_all[PAIRS] = {
    P_1 * P_2 * P_3 * P_4,
    -P_1 *P_2 *P_3 - P_1 *P_2 *P_4 - P_1 *P_3 *P_4 - P_2 *P_3 *P_4,
    P_1 *P_2 + P_1 *P_3 + P_1 *P_4 + P_2 *P_3 + P_2 *P_4 + P_3 *P_4,
    -P_1 - P_2 - P_3 - P_4,
};

/* ---- along a row; values are those of p, −p, of each pair, then that of ∞ ---- */

/* A g. */
INLINE void toom_values(const vf *g, vf *v) {
    UNROLL for (int i = 0; i < PAIRS; i++) {
        const vf p = v_set(toom_pairs[i].p), square = v_set(toom_pairs[i].square);
        const vf even = v_fma(square, v_fma(square, g[4], g[2]), g[0]), odd = v_fma(square, g[3], g[1]);
        v[2 * i] = v_fma(p, odd, even);
        v[2 * i + 1] = v_fma(-p, odd, even);
    }
    v[AT_INFINITY] = g[4];
}

/* Aᵀ v. */
INLINE void toom_outputs(const vf *v, vf *y) {
    vf odd[2] = {v_set(0), v_set(0)};
    y[0] = y[2] = v_set(0);
    y[4] = v[AT_INFINITY];
    UNROLL for (int i = 0; i < PAIRS; i++) {
        const float p = toom_pairs[i].p, square = toom_pairs[i].square;
        const vf sum = v[2 * i] + v[2 * i + 1], difference = v[2 * i] - v[2 * i + 1];
        y[0] += sum;
        y[2] = v_fma(v_set(square), sum, y[2]);
        y[4] = v_fma(v_set(square * square), sum, y[4]);
        odd[0] = v_fma(v_set(p), difference, odd[0]);
        odd[1] = v_fma(v_set(p * square), difference, odd[1]);
    }
    y[1] = odd[0];
    y[3] = odd[1];
}

/* B d. */
INLINE void toom_image(const vf *d, vf *v) {
    UNROLL for (int i = 0; i < PAIRS; i++) {
        const float *others = toom_pairs[i].others;
        vf even = d[6], odd = d[7];
        UNROLL for (int k = 2; k >= 0; k--) {
            even = v_fma(v_set(others[k]), d[2 * k], even);
            odd = v_fma(v_set(others[k]), d[2 * k + 1], odd);
        }
        v[2 * i] = v_fma(v_set(toom_pairs[i].p), even, odd);
        v[2 * i + 1] = v_fma(v_set(toom_pairs[i].p), even, -odd);
    }
    v[AT_INFINITY] = d[8];
    UNROLL for (int k = PAIRS - 1; k >= 0; k--) v[AT_INFINITY] = v_fma(v_set(toom_all[k]), d[2 * k], v[AT_INFINITY]);
}

/* Bᵀ v. */
INLINE void toom_inputs(const vf *v, vf *d) {
    UNROLL for (int k = 0; k < PAIRS; k++) {
        d[2 * k] = v_set(toom_all[k]) * v[AT_INFINITY];
        d[2 * k + 1] = v_set(0);
    }
    d[2 * PAIRS] = v[AT_INFINITY];
    UNROLL for (int i = 0; i < PAIRS; i++) {
        const vf even = v_set(toom_pairs[i].p) * (v[2 * i] + v[2 * i + 1]), odd = v[2 * i] - v[2 * i + 1];
        UNROLL for (int k = 0; k < PAIRS; k++) {
            d[2 * k] = v_fma(v_set(toom_pairs[i].others[k]), even, d[2 * k]);
            d[2 * k + 1] = v_fma(v_set(toom_pairs[i].others[k]), odd, d[2 * k + 1]);
        }
    }
}

/* v / N. */
INLINE void toom_normed(vf *v) {
    UNROLL for (int i = 0; i < PAIRS; i++) {
        v[2 * i] *= v_set(toom_pairs[i].norm);
        v[2 * i + 1] *= v_set(toom_pairs[i].norm);
    }
}

/* ---- maps ---- */

/* Pixels [0, count) of which [begin, end) exist, `c` floats apart; the others are zero. */
INLINE void toom_read(const float *x, int c, int count, int begin, int end, int lanes, vf *d) {
    UNROLL for (int j = 0; j < count; j++) d[j] =
        j >= begin && j < end ? v_load_lanes(x + (ptrdiff_t)j * c, lanes) : v_set(0);
}

/* Of a window from pixel `at` on: the first that exists, and one past the last. */
INLINE int toom_begin(int at) {
    return at < 0 ? -at : 0;
}
INLINE int toom_end(int at, int count, int width) {
    return width - at < count ? width - at : count;
}

INLINE void toom_window(const float *x, int c, int begin, int end, int64_t lanes, float *v, ptrdiff_t step, bool all) {
    vf d[POINTS], out[POINTS];
    toom_read(x, c, POINTS, all ? 0 : begin, all ? POINTS : end, (int)lanes, d);
    toom_image(d, out);
    UNROLL for (int i = 0; i < POINTS; i++) v_store_lanes(v + i * step, out[i], (int)lanes);
}

static void toom_image_rows(const float *x, const struct cvy_toom_map *map, int top, int left, int rows, int parts,
                            float *v) {
    const int w = map->w, c = map->c;
    for (int part = 0; part < parts; part++) {
        const int at = part * TAPS - left, begin = toom_begin(at), end = toom_end(at, POINTS, w);
        for (int row = 0; row < rows; row++) {
            float *to = v + part * map->part + row * map->row;
            const int y = row - top;
            const bool there = y >= 0 && y < map->h;
            const float *from = x + ((ptrdiff_t)y * w + at) * c;
            EACH_VECTOR(i, lanes, c) {
                if (there && begin == 0 && end == POINTS)
                    toom_window(from + i, c, begin, end, lanes, to + i, map->step, true);
                else
                    toom_window(from + i, c, begin, there ? end : 0, lanes, to + i, map->step, false);
            }
        }
    }
}

/* Vectors of whole panels: the last may lie beyond the map's c channels. */
#define EACH_PANEL_VECTOR(i, c) for (int i = 0; i < ((c) + CVY_PANEL - 1) / CVY_PANEL * CVY_PANEL; i += VEC)
INLINE int lanes_from(int i, int c) {
    return c - i < VEC ? c - i : VEC;
}

static void toom_gradient_of_map(const float *y, const struct cvy_toom_map *map, float *v, float *sum) {
    const int w = map->w, c = map->c, parts = cvy_toom_parts(w);
    EACH_PANEL_VECTOR(i, c) {
        const int lanes = lanes_from(i, c);
        vf total = v_set(0);
        for (int part = 0; part < parts; part++) {
            const int end = toom_end(part * TAPS, TAPS, w);
            float *to = v + i / CVY_PANEL * map->panel + part * map->part + i % CVY_PANEL;
            for (int row = 0; row < map->h; row++, to += map->row) {
                vf g[TAPS], out[POINTS];
                toom_read(y + ((ptrdiff_t)row * w + part * TAPS) * c + i, c, TAPS, 0, lanes > 0 ? end : 0, lanes, g);
                UNROLL for (int j = 0; j < TAPS; j++) total += g[j];
                toom_values(g, out);
                UNROLL for (int p = 0; p < POINTS; p++) v_store(to + p * map->step, out[p]);
            }
        }
        if (sum && lanes > 0) v_store_lanes(sum + i, v_load_lanes(sum + i, lanes) + total, lanes);
    }
}

static void toom_outputs_to_map(const float *v, const struct cvy_toom_map *map, const struct cvy_epilogue *epilogue,
                                float *y) {
    const int w = map->w, c = map->c, parts = cvy_toom_parts(w);
    EACH_VECTOR(i, lanes, c) {
        for (int part = 0; part < parts; part++) {
            const int end = toom_end(part * TAPS, TAPS, w);
            const float *from = v + i / CVY_PANEL * map->panel + part * map->part + i % CVY_PANEL;
            for (int row = 0; row < map->h; row++, from += map->row) {
                const ptrdiff_t at = ((ptrdiff_t)row * w + part * TAPS) * c + i;
                vf in[POINTS], out[TAPS];
                UNROLL for (int p = 0; p < POINTS; p++) in[p] = v_load(from + p * map->step);
                toom_outputs(in, out);
                UNROLL for (int j = 0; j < TAPS; j++) {
                    if (j >= end) break;
                    if (epilogue) v_epilogue(epilogue, out + j, 1, (int)i, at + (ptrdiff_t)j * c, 0, (int)lanes);
                    v_store_lanes(y + at + (ptrdiff_t)j * c, out[j], (int)lanes);
                }
            }
        }
    }
}

/* Row `row` of the windows, lanes i …: what each part adds to the 9 pixels of its window; the next part's begins 5
 * further. */
INLINE void toom_inputs_row(const float *v, const struct cvy_toom_map *map, int row, int left, int rows, int parts,
                            bool accumulate, int64_t lanes, float *x) {
    const int w = map->w, c = map->c, h = rows - (TAPS - 1);
    const int first = row < h ? 0 : row - h + 1, last = row < TAPS - 1 ? row : TAPS - 1;
    vf over[TAPS - 1];
    UNROLL for (int j = 0; j < TAPS - 1; j++) over[j] = v_set(0);
    for (int part = 0; part < parts; part++) {
        const float *from = v + part * map->part + row * map->row;
        vf in[POINTS], d[POINTS];
        UNROLL for (int p = 0; p < POINTS; p++) in[p] = v_set(0);
        for (int r = first; r <= last; r++) {
            UNROLL for (int p = 0; p < POINTS; p++) in[p] +=
                v_load_lanes(from + p * map->step + r * (c - map->row), (int)lanes);
        }
        toom_inputs(in, d);
        UNROLL for (int j = 0; j < TAPS - 1; j++) d[j] += over[j];
        UNROLL for (int j = 0; j < TAPS - 1; j++) over[j] = d[TAPS + j];
        const int at = part * TAPS - left, count = part == parts - 1 ? POINTS : TAPS;
        const int begin = toom_begin(at), end = toom_end(at, count, w);
        UNROLL for (int j = 0; j < POINTS; j++) {
            if (j < begin || j >= end) continue;
            float *to = x + (ptrdiff_t)(at + j) * c;
            v_store_lanes(to, accumulate ? d[j] + v_load_lanes(to, (int)lanes) : d[j], (int)lanes);
        }
    }
}

static void toom_inputs_to_map(const float *v, const struct cvy_toom_map *map, int top, int left, int rows, int parts,
                               bool accumulate, float *x) {
    for (int y = 0; y < map->h; y++) {
        float *to = x + (ptrdiff_t)y * map->w * map->c;
        EACH_VECTOR(i, lanes, map->c)
        toom_inputs_row(v + i, map, y + top, left, rows, parts, accumulate, lanes, to + i);
    }
}

/* ---- filters ---- */

static void toom_filter(const float *w, ptrdiff_t tap, int count, float *u, ptrdiff_t step) {
    for (int i = 0; i < count; i += VEC) {
        vf g[TAPS], v[POINTS];
        UNROLL for (int j = 0; j < TAPS; j++) g[j] = v_load(w + j * tap + i);
        toom_values(g, v);
        toom_normed(v);
        UNROLL for (int p = 0; p < POINTS; p++) v_store(u + p * step + i, v[p]);
    }
}

static void toom_filter_gradient(const float *s, ptrdiff_t step, int count, float *dw, ptrdiff_t tap) {
    for (int i = 0; i < count; i += VEC) {
        vf v[POINTS], g[TAPS];
        UNROLL for (int p = 0; p < POINTS; p++) v[p] = v_load(s + p * step + i);
        toom_normed(v);
        toom_outputs(v, g);
        UNROLL for (int j = 0; j < TAPS; j++) v_store(dw + j * tap + i, g[j]);
    }
}

const struct cvy_toom_loops TOOM = {
    .image = toom_image_rows,
    .gradient = toom_gradient_of_map,
    .outputs = toom_outputs_to_map,
    .inputs = toom_inputs_to_map,
    .filter = toom_filter,
    .filter_gradient = toom_filter_gradient,
};
