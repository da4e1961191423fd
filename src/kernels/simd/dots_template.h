/* Sums along rows (dots.h), part of loops_template.h. A tile of R rows of w by C rows of y stays in registers over the
 * whole sum: a step reads R + C vectors for R·C products, and broadcasts none. */
#include "kernels/simd/dots.h"
#include "kernels/simd/vec.h"

/* With R·C accumulators and C vectors of y in the registers. */
enum { DOTS_ROWS = 3, DOTS_COLUMNS = VEC_BITS == 512 ? 8 : 4 };

INLINE float sum_of_lanes(vf v) {
    float lane[VEC];
    v_store(lane, v);
    UNROLL for (int half = VEC / 2; half > 0; half /= 2) UNROLL for (int i = 0; i < half; i++) lane[i] +=
        lane[i + half];
    return lane[0];
}

/* The rows that follow these are asked for, a line each, as they pass. */
INLINE void dots_tile(const struct cvy_dots *g, int i, int j, int R, int C) {
    vf acc[DOTS_ROWS * DOTS_COLUMNS];
    const float *w = g->w + (ptrdiff_t)i * 16, *y = g->y + j * g->y_row;
    UNROLL for (int k = 0; k < R * C; k++) acc[k] = v_set(0);
    for (int p = 0; p < g->panels; p++, w += g->w_panel, y += 16) {
        UNROLL for (int r = 0; r < R; r++) __builtin_prefetch(w + (R + r) * 16, 0, 2);
        UNROLL for (int v = 0; v < 16 / VEC; v++) {
            vf a[DOTS_ROWS];
            UNROLL for (int r = 0; r < R; r++) a[r] = v_load(w + r * 16 + v * VEC);
            UNROLL for (int c = 0; c < C; c++) {
                const vf b = v_load(y + c * g->y_row + v * VEC);
                UNROLL for (int r = 0; r < R; r++) acc[r * C + c] = v_fma(a[r], b, acc[r * C + c]);
            }
        }
    }
    UNROLL for (int c = 0; c < C; c++) UNROLL for (int r = 0; r < R; r++) {
        float *sum = g->sums + (j + c) * g->sums_row + i + r;
        *sum = (g->accumulate ? *sum : 0) + sum_of_lanes(acc[r * C + c]);
    }
}

#define DOTS_CASE(C)                                                                                                   \
    case C:                                                                                                            \
        for (; i + DOTS_ROWS <= g->rows; i += DOTS_ROWS) dots_tile(g, i, j, DOTS_ROWS, C);                             \
        for (; i < g->rows; i++) dots_tile(g, i, j, 1, C);                                                             \
        break;

static void dots(const struct cvy_dots *g) {
    for (int j = 0, i = 0; j < g->n; j += DOTS_COLUMNS, i = 0) {
        switch (g->n - j < DOTS_COLUMNS ? g->n - j : DOTS_COLUMNS) {
            DOTS_CASE(1)
            DOTS_CASE(2)
            DOTS_CASE(3)
            DOTS_CASE(4)
#if VEC_BITS == 512
            DOTS_CASE(5)
            DOTS_CASE(6)
            DOTS_CASE(7)
            DOTS_CASE(8)
#endif
        }
    }
}
