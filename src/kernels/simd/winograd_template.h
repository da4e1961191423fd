/* The transforms of Winograd's algorithm (winograd.h); part of tensor_template.h. A vector holds channels, so the
 * transforms of many tiles or filters go side by side. Pixels are of the table's type, all else is in floats. */
#include "core/ints.h"
#include "core/param.h"
#include "kernels/simd/tensor_vec.h"
#include "kernels/simd/winograd.h"

enum { IN = CVY_WINOGRAD_IN };

#define A 0.70710678f /* the points ±A, ±B */
#define B 1.41421356f

/* ---- along one axis ---- */

typedef void line_fn(const vf *in, vf *out);

/* Bᵀ d. */
INLINE void line_image(const vf *d, vf *v) {
    const vf even_a = v_fma(v_set(-2), d[2], d[4]), odd_a = v_fma(v_set(-2), d[1], d[3]);
    const vf even_b = v_fma(v_set(-0.5f), d[2], d[4]), odd_b = v_fma(v_set(-0.5f), d[1], d[3]);
    v[0] = v_fma(v_set(-2.5f), d[2], d[0] + d[4]);
    v[1] = v_fma(v_set(A), odd_a, even_a);
    v[2] = v_fma(v_set(-A), odd_a, even_a);
    v[3] = v_fma(v_set(B), odd_b, even_b);
    v[4] = v_fma(v_set(-B), odd_b, even_b);
    v[5] = v_fma(v_set(-2.5f), d[3], d[1] + d[5]);
}

/* G g of 2 … 5 taps: even and odd powers apart; N_x is 1 at 0, −3/2 at ±A, 6 at ±B. */
INLINE void line_spread(const vf *g, vf *u, int taps) {
    vf even_a = g[0], even_b = g[0], odd_a = g[1], odd_b = g[1];
    if (taps > 4) {
        even_a = v_fma(v_set(0.5f), v_fma(v_set(0.5f), g[4], g[2]), even_a);
        even_b = v_fma(v_set(2), v_fma(v_set(2), g[4], g[2]), even_b);
    } else if (taps > 2) {
        even_a = v_fma(v_set(0.5f), g[2], even_a);
        even_b = v_fma(v_set(2), g[2], even_b);
    }
    if (taps > 3) {
        odd_a = v_fma(v_set(0.5f), g[3], odd_a);
        odd_b = v_fma(v_set(2), g[3], odd_b);
    }
    even_a *= v_set(-2.0f / 3), odd_a *= v_set(-2.0f / 3 * A);
    even_b *= v_set(1.0f / 6), odd_b *= v_set(B / 6);
    u[0] = g[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[taps - 1];
}

/* Aᵀ m, of 2 … 5 outputs, the last of which has the point ∞ too. */
INLINE void line_result(const vf *m, vf *y, int outputs) {
    const vf sum_a = m[1] + m[2], sum_b = m[3] + m[4], difference_a = m[1] - m[2], difference_b = m[3] - m[4];
    y[0] = m[0] + (sum_a + sum_b);
    y[1] = v_fma(v_set(B), difference_b, v_set(A) * difference_a);
    if (outputs > 2) y[2] = v_fma(v_set(2), sum_b, v_set(0.5f) * sum_a);
    if (outputs > 3) y[3] = v_fma(v_set(2 * B), difference_b, v_set(A / 2) * difference_a);
    if (outputs > 4) y[4] = v_fma(v_set(4), sum_b, v_set(0.25f) * sum_a);
    y[outputs - 1] += m[5];
}

#define LINE(name, line, count)                                                                                        \
    INLINE void name(const vf *in, vf *out) {                                                                          \
        line(in, out, count);                                                                                          \
    }
LINE(spread_2, line_spread, 2)
LINE(spread_3, line_spread, 3)
LINE(spread_4, line_spread, 4)
LINE(spread_5, line_spread, 5)
LINE(result_2, line_result, 2)
LINE(result_3, line_result, 3)
LINE(result_4, line_result, 4)
LINE(result_5, line_result, 5)

/* ---- along both: columns as they are read, then rows as they are stored, since 36 vectors are more than registers.
 * [from][from] values become [to][from], then [to][to] ---- */

/* Columns of values `step` floats apart. */
INLINE void columns(const float *from, ptrdiff_t step, int count, int to, line_fn *line, vf *half) {
    UNROLL for (int j = 0; j < count; j++) {
        vf in[IN], out[IN];
        UNROLL for (int i = 0; i < count; i++) in[i] = v_load(from + (i * count + j) * step);
        line(in, out);
        UNROLL for (int i = 0; i < to; i++) half[i * count + j] = out[i];
    }
}

/* Columns of a tile of `size` pixels squared, and their sum. The next tile, `next` pixels on, is asked for in passing,
 * from the second level: the few misses that the first can wait for are those of the stores. all: the whole tile is
 * there. */
INLINE vf pixel_columns(const elem *x, const struct cvy_winograd_tile *tile, int size, int next, int lanes, bool all,
                        int to, line_fn *line, vf *half) {
    vf sum = v_set(0);
    UNROLL for (int j = 0; j < size; j++) {
        vf in[IN], out[IN];
        UNROLL for (int i = 0; i < size; i++) {
            const bool there = all || (i >= tile->top && i < tile->bottom && j >= tile->left && j < tile->right);
            if (there && j >= size - next) __builtin_prefetch(x + i * tile->row + (j + next) * tile->pixel, 0, 2);
            in[i] = there ? v_get(x, i * tile->row + j * tile->pixel, lanes) : v_set(0);
            sum += in[i];
        }
        line(in, out);
        UNROLL for (int i = 0; i < to; i++) half[i * size + j] = out[i];
    }
    return sum;
}

/* Value (i, j) to out[(i · to + j) · step]. What is `next` floats on is asked for: no processor foresees 36 streams. */
INLINE void rows_to(const vf *half, int count, int to, line_fn *line, float *out, ptrdiff_t step, ptrdiff_t next) {
    UNROLL for (int i = 0; i < to; i++) {
        vf row[IN];
        line(half + i * count, row);
        UNROLL for (int j = 0; j < to; j++) {
            v_store(out + (i * to + j) * step, row[j]);
            __builtin_prefetch(out + (i * to + j) * step + next, 0, 2);
        }
    }
}

static inline bool whole(const struct cvy_winograd_tile *tile, int size) {
    return tile->top == 0 && tile->left == 0 && tile->bottom == size && tile->right == size;
}

/* Whole panels are written: the vectors beyond the last channel. */
static inline void clear_tail(int channels, float *v, ptrdiff_t step) {
    for (int c = cvy_round_up(channels, VEC); c % CVY_PANEL; c += VEC)
        for (int p = 0; p < CVY_WINOGRAD_POINTS; p++) v_store(v + p * step + c % CVY_PANEL, v_set(0));
}

INLINE void image_tile(const elem *x, const struct cvy_winograd_tile *tile, int channels, float *v, ptrdiff_t step,
                       int out, bool all) {
    EACH_VECTOR(c, lanes, channels) {
        vf half[IN * IN];
        pixel_columns(x + c, tile, IN, out, lanes, all, IN, line_image, half);
        rows_to(half, IN, IN, line_image, v + c, step, cvy_winograd_row(channels));
    }
}

INLINE void image(const elem *x, const struct cvy_winograd_tile *tile, int channels, float *v, ptrdiff_t step,
                  int out) {
    if (whole(tile, IN))
        image_tile(x, tile, channels, v, step, out, true);
    else
        image_tile(x, tile, channels, v, step, out, false);
    clear_tail(channels, v + channels / CVY_PANEL * CVY_PANEL, step);
}

INLINE void gradient_tile(const elem *dy, const struct cvy_winograd_tile *tile, int channels, float *z, ptrdiff_t step,
                          ptrdiff_t panel, float *sum, int out, line_fn *line, bool all) {
    EACH_VECTOR(c, lanes, channels) {
        vf half[IN * IN];
        const vf total = pixel_columns(dy + c, tile, out, out, lanes, all, IN, line, half);
        if (sum) v_store_lanes(sum + c, v_load_lanes(sum + c, lanes) + total, lanes);
        rows_to(half, out, IN, line, z + c / CVY_PANEL * panel + c % CVY_PANEL, step, CVY_PANEL);
    }
}

INLINE void gradient(const elem *dy, const struct cvy_winograd_tile *tile, int channels, float *z, ptrdiff_t step,
                     ptrdiff_t panel, float *sum, int out, line_fn *line) {
    if (whole(tile, out))
        gradient_tile(dy, tile, channels, z, step, panel, sum, out, line, true);
    else
        gradient_tile(dy, tile, channels, z, step, panel, sum, out, line, false);
    clear_tail(channels, z + channels / CVY_PANEL * panel, step);
}

/* One pixel's sum, of channels c … c + lanes − 1. */
INLINE void finish(vf value, int c, int lanes, ptrdiff_t at, const struct cvy_epilogue *e, bool accumulate, void *y) {
    if (accumulate) value += v_get(y, at, lanes);
    if (e) {
        if (e->bias) value += v_load_lanes(e->bias + c, lanes);
        if (e->scale) value *= v_load_lanes(e->scale + c, lanes);
        if (e->shift) value += v_load_lanes(e->shift + c, lanes);
        if (e->residual) value += v_get(e->residual, at, lanes);
        if (e->activation == CVY_FUSED_RELU) value = v_relu(value);
    }
    v_put(y, at, value, lanes);
}

INLINE void output(const float *m, ptrdiff_t step, int channels, const struct cvy_winograd_tile *tile,
                   const struct cvy_epilogue *epilogue, bool accumulate, void *y, int out, line_fn *line) {
    EACH_VECTOR(c, lanes, channels) {
        vf half[IN * IN];
        columns(m + c, step, IN, out, line, half);
        UNROLL for (int i = 0; i < out; i++) {
            vf row[IN];
            if (i >= tile->bottom) break;
            line(half + i * IN, row);
            UNROLL for (int j = 0; j < out; j++) {
                if (j >= tile->right) break;
                finish(row[j], c, lanes, i * tile->row + j * tile->pixel + c, epilogue, accumulate, y);
            }
        }
    }
}

INLINE void filter(const float *w, ptrdiff_t tap, int64_t count, bool past, float *u, ptrdiff_t step, int taps,
                   line_fn *line) {
    for (int64_t i = 0; i < count; i += VEC) {
        vf half[IN * IN];
        columns(w + i, tap, taps, IN, line, half);
        UNROLL for (int j = 0; j < IN; j++) {
            vf row[IN];
            line(half + j * taps, row);
            UNROLL for (int k = 0; k < IN; k++)(past ? v_stream : v_store)(u + (j * IN + k) * step + i, row[k]);
        }
    }
    if (past) v_streamed();
}

INLINE void filter_gradient(const float *s, ptrdiff_t step, int64_t count, float *dw, ptrdiff_t tap, int taps,
                            line_fn *line) {
    for (int64_t i = 0; i < count; i += VEC) {
        vf half[IN * IN];
        columns(s + i, step, IN, taps, line, half);
        rows_to(half, IN, taps, line, dw + i, tap, CVY_PANEL);
    }
}

/* ---- for kernels of 3 and 5 taps ---- */

#define FOR_TAPS(TAPS, OUT)                                                                                            \
    static void image_##TAPS(const void *x, const struct cvy_winograd_tile *tile, int channels, float *v,              \
                             ptrdiff_t step) {                                                                         \
        image(x, tile, channels, v, step, OUT);                                                                        \
    }                                                                                                                  \
    static void gradient_##TAPS(const void *dy, const struct cvy_winograd_tile *tile, int channels, float *z,          \
                                ptrdiff_t step, ptrdiff_t panel, float *sum) {                                         \
        gradient(dy, tile, channels, z, step, panel, sum, OUT, spread_##OUT);                                          \
    }                                                                                                                  \
    static void output_##TAPS(const float *m, ptrdiff_t step, int channels, const struct cvy_winograd_tile *tile,      \
                              const struct cvy_epilogue *epilogue, bool accumulate, void *y) {                         \
        output(m, step, channels, tile, epilogue, accumulate, y, OUT, result_##OUT);                                   \
    }                                                                                                                  \
    static void filter_##TAPS(const float *w, ptrdiff_t tap, int64_t count, bool past, float *u, ptrdiff_t step) {     \
        if (past)                                                                                                      \
            filter(w, tap, count, true, u, step, TAPS, spread_##TAPS);                                                 \
        else                                                                                                           \
            filter(w, tap, count, false, u, step, TAPS, spread_##TAPS);                                                \
    }                                                                                                                  \
    static void filter_gradient_##TAPS(const float *s, ptrdiff_t step, int64_t count, float *dw, ptrdiff_t tap) {      \
        filter_gradient(s, step, count, dw, tap, TAPS, result_##TAPS);                                                 \
    }
#define WINOGRAD(TAPS)                                                                                                 \
    { image_##TAPS, gradient_##TAPS, output_##TAPS, filter_##TAPS, filter_gradient_##TAPS }

FOR_TAPS(3, 4)
FOR_TAPS(5, 2)

#undef A
#undef B
