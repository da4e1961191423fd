/* The loops of kernels/conv/single.c, written once for every ISA level. A vector of x at a tap is a load of the pixels
 * from there on, and a lookup of each lane's; it serves as many rows of y as the kernel has rows. Part of
 * loops_template.h; gives SINGLE_LOOPS. */
#include "kernels/simd/epilogue_vec.h"
#include "core/ints.h"
#include "kernels/simd/single.h"

/* Of one vector of a column, which begins `at` lanes into it. */
struct single {
    const float *x;
    vi pixel; /* of each lane, counted from x */
    int at, lanes;
};
static struct single single_vector(const struct cvy_single_column *g, int at) {
    const int flat = g->first + at, first = flat / g->filters;
    return (struct single){g->x + first, v_quotient(v_lane_numbers + (flat - first * g->filters), g->filters), at,
                           g->lanes - at < VEC ? g->lanes - at : VEC};
}
INLINE vf single_tap(struct single v, const float *x) {
    return v_lookup(v_load(x), v.pixel);
}

/* `blocks` times M rows from `row` on, K×K taps: a column of them at a time, with its weights in registers. The order
 * of each sum is that of the columns, and of the taps in them. */
INLINE void single_blocks(const struct cvy_single_column *g, struct single v, int row, int blocks, int M, int K) {
    const ptrdiff_t x_row = g->x_row, y_row = g->y_row;
    const float *x = v.x + row * x_row, *w = g->w + v.at;
    for (ptrdiff_t at = row * y_row + v.at; blocks > 0; blocks--, at += M * y_row, x += M * x_row) {
        vf acc[8];
        UNROLL for (int m = 0; m < M; m++) acc[m] = v_set(0);
        for (int s = 0; s < K; s++) {
            vf weights[5];
            UNROLL for (int r = 0; r < K; r++) weights[r] = v_load(w + (r * K + s) * 16);
            UNROLL for (int i = 0; i < M + K - 1; i++) {
                const vf tap = single_tap(v, x + i * x_row + s);
                UNROLL for (int r = 0; r < K; r++) {
                    if (i - r >= 0 && i - r < M) acc[i - r] = v_fma(tap, weights[r], acc[i - r]);
                }
            }
        }
        if (g->epilogue) v_epilogue(g->epilogue, acc, M, v.at, at, y_row, v.lanes);
        UNROLL for (int m = 0; m < M; m++) v_store_lanes(g->y + at + m * y_row, acc[m], v.lanes);
    }
}

typedef void single_fn(const struct cvy_single_column *g, struct single v, int row, int blocks);
#define SINGLE(M, K)                                                                                                   \
    static void single_##M##x##K(const struct cvy_single_column *g, struct single v, int row, int blocks) {            \
        single_blocks(g, v, row, blocks, M, K);                                                                        \
    }
#define EACH_SINGLE(K)                                                                                                 \
    SINGLE(1, K) SINGLE(2, K) SINGLE(3, K) SINGLE(4, K) SINGLE(5, K) SINGLE(6, K) SINGLE(7, K) SINGLE(8, K)
EACH_SINGLE(3)
EACH_SINGLE(5)

enum { SINGLE_ROWS = 8 };
static single_fn *const single_of[2][SINGLE_ROWS + 1] = {
    {NULL, single_1x3, single_2x3, single_3x3, single_4x3, single_5x3, single_6x3, single_7x3, single_8x3},
    {NULL, single_1x5, single_2x5, single_3x5, single_4x5, single_5x5, single_6x5, single_7x5, single_8x5},
};

/* Rows cut evenly: blocks of M + 1 before those of M. */
static void single_forward(const struct cvy_single_column *g) {
    const int blocks = cvy_ceil_div(g->rows, SINGLE_ROWS), M = g->rows / blocks, more = g->rows - blocks * M;
    single_fn *const *of = single_of[g->size == 5];
    for (int at = 0; at < g->lanes; at += VEC) {
        const struct single v = single_vector(g, at);
        if (more > 0) of[M + 1](g, v, 0, more);
        of[M](g, v, more * (M + 1), blocks - more);
    }
}

/* Row i of x: S of the K columns of taps, with the rows of y that it meets. inside: all K exist. */
INLINE void single_row(const struct cvy_single_column *g, struct single v, const float *x, int i, int S, int K,
                       bool inside, vf *acc) {
    const float *y = g->y + i * g->y_row + v.at;
    vf tap[5];
    UNROLL for (int j = 0; j < S; j++) tap[j] = single_tap(v, x + j);
    UNROLL for (int r = 0; r < K; r++, y -= g->y_row) {
        if (!inside && (i < r || i - r >= g->rows)) continue;
        const vf d = v_load_lanes(y, v.lanes);
        UNROLL for (int j = 0; j < S; j++) acc[r * S + j] = v_fma(tap[j], d, acc[r * S + j]);
    }
}

/* The gradient of those columns, from column s on. */
INLINE void single_sums(const struct cvy_single_column *g, struct single v, int s, int S, int K, float *dw) {
    const float *x = v.x + s;
    vf acc[25];
    UNROLL for (int i = 0; i < K * S; i++) acc[i] = v_set(0);
    for (int i = 0; i < g->rows + K - 1; i++, x += g->x_row) {
        if (i >= K - 1 && i < g->rows)
            single_row(g, v, x, i, S, K, true, acc);
        else
            single_row(g, v, x, i, S, K, false, acc);
    }
    UNROLL for (int r = 0; r < K; r++) {
        UNROLL for (int j = 0; j < S; j++) {
            float *sum = dw + (r * K + s + j) * 16 + v.at;
            v_store(sum, v_load(sum) + acc[r * S + j]);
        }
    }
}

/* Σ y, four sums side by side. */
INLINE vf single_total(const struct cvy_single_column *g, struct single v) {
    const float *y = g->y + v.at;
    vf sum[4] = {v_set(0), v_set(0), v_set(0), v_set(0)};
    int i = 0;
    for (; i + 4 <= g->rows; i += 4) {
        UNROLL for (int j = 0; j < 4; j++) sum[j] += v_load_lanes(y + (i + j) * g->y_row, v.lanes);
    }
    for (; i < g->rows; i++) sum[0] += v_load_lanes(y + i * g->y_row, v.lanes);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* As many sums at a time as there are registers for. */
INLINE void single_gradient(const struct cvy_single_column *g, struct single v, float *dw, float *dbias) {
    if (g->size == 3) {
        single_sums(g, v, 0, 3, 3, dw);
    } else if (VEC_BITS == 512) {
        single_sums(g, v, 0, 5, 5, dw);
    } else {
        single_sums(g, v, 0, 2, 5, dw);
        single_sums(g, v, 2, 2, 5, dw);
        single_sums(g, v, 4, 1, 5, dw);
    }
    v_store(dbias + v.at, v_load(dbias + v.at) + single_total(g, v));
}

static void single_weights(const struct cvy_single_column *g, float *dw, float *dbias) {
    for (int at = 0; at < g->lanes; at += VEC) {
        struct single v = single_vector(g, at);
        if (v.lanes == VEC) {
            v.lanes = VEC; /* which the compiler sees */
            single_gradient(g, v, dw, dbias);
        } else {
            single_gradient(g, v, dw, dbias);
        }
    }
}

#define SINGLE_LOOPS                                                                                                   \
    { .forward = single_forward, .weights = single_weights }
