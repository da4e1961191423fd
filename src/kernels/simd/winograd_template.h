/* The transforms of Winograd's algorithm (winograd.h); part of tensor_template.h. A vector holds channels, so the
 * transforms of many tiles or filters go side by side. Pixels are of the table's type, all else is in floats. */
#include "core/ints.h"
#include "core/param.h"
#include "kernels/simd/tensor_vec.h"
#include "kernels/simd/winograd.h"

enum { IN = CVY_WINOGRAD_IN, PART = IN / 2 };

/* The compiler is not to compute all 36 addresses before and to keep them on the stack. */
#define KEEP_TOGETHER(pointer) __asm__("" : "+r"(pointer))

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

/* ---- along both: columns as they are read, then rows as they are stored. [from][from] values become [to][from], then
 * [to][to]. 36 vectors are more than registers: rows [first, end) of what the columns give are made at a time, from
 * columns read anew, so that nothing is stored but the result (Zen 4 stores a vector every second cycle) ---- */

/* Columns of values `step` floats apart. */
INLINE void columns(const float *from, ptrdiff_t step, int count, int first, int end, line_fn *line, vf *half) {
    const ptrdiff_t row = count * step;
    UNROLL for (int j = 0; j < count; j++, from += step) {
        vf in[IN], out[IN];
        KEEP_TOGETHER(from);
        UNROLL for (int i = 0; i < count; i++) in[i] = v_load(from + i * row);
        line(in, out);
        UNROLL for (int i = first; i < end; i++) half[(i - first) * count + j] = out[i];
    }
}

/* Of a tile over the edge, the lanes to read of a pixel's row and column, all or none: no branches, which would be
 * mispredicted there. */
struct there {
    int row[IN], column[IN];
};
INLINE struct there pixels_there(const struct cvy_winograd_tile *tile, int size) {
    struct there there;
    UNROLL for (int i = 0; i < size; i++) {
        there.row[i] = -((i >= tile->top) & (i < tile->bottom));
        there.column[i] = -((i >= tile->left) & (i < tile->right));
    }
    return there;
}

/* Columns of a tile of `size` pixels squared, and their sum. Of the tile ahead the `fresh` rows and columns that none
 * before it has are asked for, from the second level: the few misses that the first can wait for are those of the
 * stores. there: NULL for all. */
INLINE vf pixel_columns(const elem *x, ptrdiff_t row, ptrdiff_t pixel, ptrdiff_t ahead, int size, int fresh, int lanes,
                        const struct there *there, int first, int end, line_fn *line, vf *half) {
    const int edge = (size - fresh) / 2;
    vf sum = v_set(0);
    UNROLL for (int j = 0; j < size; j++, x += pixel) {
        vf in[IN], out[IN];
        KEEP_TOGETHER(x);
        UNROLL for (int i = 0; i < size; i++) {
            if (first == 0 && i >= 2 * edge && j >= edge && j < size - edge)
                __builtin_prefetch(x + i * row + ahead, 0, 2);
            in[i] = v_get(x, i * row, there ? lanes & there->row[i] & there->column[j] : lanes);
            sum += in[i];
        }
        line(in, out);
        UNROLL for (int i = first; i < end; i++) half[(i - first) * size + j] = out[i];
    }
    return sum;
}

/* Value (i, j) to out[(i · to + j) · step]. What is `next` floats on is asked for: no processor foresees 36 streams. */
INLINE void rows_to(const vf *half, int count, int rows, int to, line_fn *line, float *out, ptrdiff_t step,
                    ptrdiff_t next) {
    UNROLL for (int i = 0; i < rows; i++, out += to * step) {
        vf row[IN];
        KEEP_TOGETHER(out);
        line(half + i * count, row);
        UNROLL for (int j = 0; j < to; j++) {
            v_store(out + j * step, row[j]);
            __builtin_prefetch(out + j * step + next, 1, 3);
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
                       int out, const struct there *there) {
    const ptrdiff_t row = tile->row, pixel = tile->pixel;
    EACH_VECTOR(c, lanes, channels) {
        UNROLL for (int i = 0; i < IN; i += PART) {
            vf half[PART * IN];
            pixel_columns(x + c, row, pixel, tile->ahead, IN, out, (int)lanes, there, i, i + PART, line_image, half);
            rows_to(half, IN, PART, IN, line_image, v + c + i * IN * step, step, cvy_winograd_row(channels));
        }
    }
}

INLINE void image(const elem *x, const struct cvy_winograd_tile *tile, int channels, float *v, ptrdiff_t step,
                  int out) {
    if (whole(tile, IN)) {
        image_tile(x, tile, channels, v, step, out, NULL);
    } else {
        const struct there there = pixels_there(tile, IN);
        image_tile(x, tile, channels, v, step, out, &there);
    }
    clear_tail(channels, v + channels / CVY_PANEL * CVY_PANEL, step);
}

INLINE void gradient_tile(const elem *dy, const struct cvy_winograd_tile *tile, int channels, float *z, ptrdiff_t step,
                          ptrdiff_t panel, float *sum, int out, line_fn *line, const struct there *there) {
    const ptrdiff_t row = tile->row, pixel = tile->pixel;
    EACH_VECTOR(c, lanes, channels) {
        float *at = z + c / CVY_PANEL * panel + c % CVY_PANEL;
        UNROLL for (int i = 0; i < IN; i += PART) {
            vf half[PART * IN];
            const vf total =
                pixel_columns(dy + c, row, pixel, tile->ahead, out, out, (int)lanes, there, i, i + PART, line, half);
            if (sum && i == 0) v_store_lanes(sum + c, v_load_lanes(sum + c, lanes) + total, lanes);
            rows_to(half, out, PART, IN, line, at + i * IN * step, step, CVY_PANEL);
        }
    }
}

INLINE void gradient(const elem *dy, const struct cvy_winograd_tile *tile, int channels, float *z, ptrdiff_t step,
                     ptrdiff_t panel, float *sum, int out, line_fn *line) {
    if (whole(tile, out)) {
        gradient_tile(dy, tile, channels, z, step, panel, sum, out, line, NULL);
    } else {
        const struct there there = pixels_there(tile, out);
        gradient_tile(dy, tile, channels, z, step, panel, sum, out, line, &there);
    }
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

/* all: the whole tile is there. The one ahead is asked for. */
INLINE void output_tile(const float *m, ptrdiff_t step, int channels, const struct cvy_winograd_tile *tile,
                        const struct cvy_epilogue *epilogue, bool accumulate, void *y, int out, line_fn *line,
                        bool all) {
    EACH_VECTOR(c, lanes, channels) {
        vf half[2 * IN]; /* of two rows, which share what they are made of */
        UNROLL for (int i = 0; i < out; i++) {
            vf row[IN];
            if (!all && i >= tile->bottom) break;
            if (i % 2 == 0) columns(m + c, step, IN, i, i + 2, line, half);
            line(half + i % 2 * IN, row);
            UNROLL for (int j = 0; j < out; j++) {
                const ptrdiff_t at = i * tile->row + j * tile->pixel + c;
                if (!all && j >= tile->right) break;
                __builtin_prefetch((elem *)y + at + tile->ahead, 1, 3);
                finish(row[j], c, lanes, at, epilogue, accumulate, y);
            }
        }
    }
}

INLINE void output(const float *m, ptrdiff_t step, int channels, const struct cvy_winograd_tile *tile,
                   const struct cvy_epilogue *epilogue, bool accumulate, void *y, int out, line_fn *line) {
    const bool all = tile->bottom >= out && tile->right >= out;
    if (all && epilogue == NULL && !accumulate)
        output_tile(m, step, channels, tile, NULL, false, y, out, line, true);
    else if (all)
        output_tile(m, step, channels, tile, epilogue, accumulate, y, out, line, true);
    else
        output_tile(m, step, channels, tile, epilogue, accumulate, y, out, line, false);
}

INLINE void filter(const float *w, ptrdiff_t tap, int64_t count, bool past, float *u, ptrdiff_t step, int taps,
                   line_fn *line) {
    for (int64_t i = 0; i < count; i += VEC) {
        vf half[IN * IN];
        columns(w + i, tap, taps, 0, IN, line, half);
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
        columns(s + i, step, IN, 0, taps, line, half);
        rows_to(half, IN, taps, taps, line, dw + i, tap, CVY_PANEL);
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
#undef KEEP_TOGETHER
