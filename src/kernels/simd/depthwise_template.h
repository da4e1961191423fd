/* The inner loops of depthwise convolution, written once for every ISA level. The including file defines VEC_BITS and
 * DEPTHWISE, the name of the table that is made here. */
#include "core/param.h"
#include "kernels/simd/depthwise.h"
#include "kernels/simd/epilogue_vec.h"

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL_LOOP _Pragma("clang loop unroll(full)")
#else
#define UNROLL_LOOP _Pragma("GCC unroll 8")
#endif

/* `at` is the first channel within the panel; `y` where the block begins. */
INLINE void finish(const struct cvy_depthwise_line *g, float *y, int at, int lanes, vf *acc, int M) {
    const ptrdiff_t step = g->y_pixel;
    if (g->accumulate) {
        UNROLL_LOOP for (int m = 0; m < M; m++) acc[m] += v_load_lanes(y + m * step, lanes);
    }
    if (g->epilogue) v_epilogue(g->epilogue, acc, M, at, y - g->y, step, lanes);
    UNROLL_LOOP for (int m = 0; m < M; m++) v_store_lanes(y + m * step, acc[m], lanes);
}

/* M pixels, a vector of channels. */
INLINE void block(const struct cvy_depthwise_line *g, int pixel, int at, int lanes, int M) {
    const float *x = g->x + pixel * g->x_pixel + at, *w = g->w + at;
    vf acc[8];
    UNROLL_LOOP for (int m = 0; m < M; m++) acc[m] = v_set(0);
    for (int r = 0; r < g->rows; r++)
        for (int s = 0; s < g->columns; s++) {
            const float *tap = x + r * g->x_row + s * g->x_column;
            const vf weight = v_load(w + r * g->w_row + s * g->w_column);
            UNROLL_LOOP for (int m = 0; m < M; m++) acc[m] =
                v_fma(v_load_lanes(tap + m * g->x_pixel, lanes), weight, acc[m]);
        }
    finish(g, g->y + pixel * g->y_pixel + at, at, lanes, acc, M);
}

static void line(const struct cvy_depthwise_line *g) {
    for (int at = 0; at < g->lanes; at += VEC) {
        const int lanes = g->lanes - at < VEC ? g->lanes - at : VEC;
        int pixel = 0;
        for (; pixel + 8 <= g->pixels; pixel += 8) block(g, pixel, at, lanes, 8);
        for (; pixel + 4 <= g->pixels; pixel += 4) block(g, pixel, at, lanes, 4);
        for (; pixel < g->pixels; pixel++) block(g, pixel, at, lanes, 1);
    }
}

/* Four running sums, joined at the end: a multiply-add need not wait for the one before. */
static void dot(const float *a, ptrdiff_t a_pixel, const float *b, ptrdiff_t b_pixel, int pixels, int lanes,
                float *sum) {
    for (int at = 0; at < lanes; at += VEC) {
        const int count = lanes - at < VEC ? lanes - at : VEC;
        vf acc[4] = {v_set(0), v_set(0), v_set(0), v_set(0)};
        for (int first = 0; first < pixels; first += 4) {
            UNROLL_LOOP for (int i = 0; i < 4; i++) {
                if (first + i >= pixels) break;
                const vf y = v_load_lanes(b + (first + i) * b_pixel + at, count);
                acc[i] = a ? v_fma(v_load_lanes(a + (first + i) * a_pixel + at, count), y, acc[i]) : acc[i] + y;
            }
        }
        v_store(sum + at, v_load(sum + at) + ((acc[0] + acc[1]) + (acc[2] + acc[3])));
    }
}

const struct cvy_depthwise_table DEPTHWISE = {line, dot};
