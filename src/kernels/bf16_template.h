/* The kernels of bf16, written once for every ISA level with vectors: the product as in product_template.h, a step
 * taking a pair where that takes a number, and the loops that move numbers.
 *
 * The including file defines VEC_BITS, TABLE (the name of the table that is made here), MAX_N, rows_of and BLOCKS as
 * for product_template.h. */
#include "kernels/bf16_table.h"
#include "kernels/bf16_vec.h"

#define VECTORS_A_PANEL (16 / VEC)

enum { MAX_M = 28 };

INLINE ptrdiff_t vector_at(int v, ptrdiff_t panel) {
    return v / VECTORS_A_PANEL * panel + v % VECTORS_A_PANEL * VEC;
}

/* ---- C ---- */

INLINE vf load_c(const void *c, ptrdiff_t at, bool rounded, int lanes) {
    return rounded ? v_widen((const cvy_bf16 *)c + at, lanes) : v_load_lanes((const float *)c + at, lanes);
}
INLINE void store_c(void *c, ptrdiff_t at, bool rounded, vf v, int lanes) {
    if (rounded)
        v_narrow((cvy_bf16 *)c + at, v, lanes);
    else
        v_store_lanes((float *)c + at, v, lanes);
}

/* Where a block is: its first row and vector in C, and the lanes of its last vector. */
struct block {
    int row, vector, lanes;
};

/* Bias, scale and shift. */
INLINE void apply(const struct cvy_epilogue *e, struct block at, vf *acc, int M, int N) {
    UNROLL for (int v = 0; v < N; v++) {
        const int j = (at.vector + v) * VEC, lanes = v == N - 1 ? at.lanes : VEC;
        if (e->bias) {
            const vf bias = v_load_lanes(e->bias + j, lanes);
            UNROLL for (int m = 0; m < M; m++) acc[m * N + v] += bias;
        }
        if (e->scale) {
            const vf scale = v_load_lanes(e->scale + j, lanes);
            UNROLL for (int m = 0; m < M; m++) acc[m * N + v] *= scale;
        }
        if (e->shift) {
            const vf shift = v_load_lanes(e->shift + j, lanes);
            UNROLL for (int m = 0; m < M; m++) acc[m * N + v] += shift;
        }
    }
}

INLINE void finish(const struct cvy_dot *g, struct block at, vf *acc, int M, int N, bool rounded) {
    const ptrdiff_t row = g->c_row, panel = g->c_panel; /* copies: no store changes them */
    const ptrdiff_t first = at.row * row + vector_at(at.vector, panel);
    void *c = g->c;
    if (g->accumulate) {
        UNROLL for (int m = 0; m < M; m++) {
            UNROLL for (int v = 0; v < N; v++) acc[m * N + v] +=
                load_c(c, first + m * row + vector_at(v, panel), rounded, v == N - 1 ? at.lanes : VEC);
        }
    }
    if (g->epilogue) apply(g->epilogue, at, acc, M, N);
    if (g->epilogue && g->epilogue->residual) {
        const cvy_bf16 *residual = (const cvy_bf16 *)(const void *)g->epilogue->residual + first;
        UNROLL for (int m = 0; m < M; m++) {
            UNROLL for (int v = 0; v < N; v++) acc[m * N + v] +=
                v_widen(residual + m * row + vector_at(v, panel), v == N - 1 ? at.lanes : VEC);
        }
    }
    if (g->epilogue && g->epilogue->activation == CVY_FUSED_RELU) {
        UNROLL for (int i = 0; i < M * N; i++) acc[i] = v_relu(acc[i]);
    }
    UNROLL for (int m = 0; m < M; m++) {
        UNROLL for (int v = 0; v < N; v++)
            store_c(c, first + m * row + vector_at(v, panel), rounded, acc[m * N + v], v == N - 1 ? at.lanes : VEC);
    }
}

/* ---- the product ---- */

INLINE void step(vf *acc, const cvy_pair *b, ptrdiff_t panel, const cvy_pair *a, const cvy_pair *const *rows,
                 ptrdiff_t row, int M, int N, bool adjacent) {
    vp bv[MAX_N];
    UNROLL for (int v = 0; v < N; v++) bv[v] = v_pairs(v_load_pairs(b + vector_at(v, panel)));
    UNROLL for (int m = 0; m < M; m++) {
        const vp av = v_set_pair(adjacent ? a + m : rows[m / 3] + m % 3 * row);
        UNROLL for (int v = 0; v < N; v++) acc[m * N + v] = v_dot(av, bv[v], acc[m * N + v]);
    }
}

/* Sums of a block with few accumulators would wait for one another: the steps are dealt to 2 or 4 of them in turn. */
INLINE int turns(int size, bool adjacent) {
    return !adjacent || size > 6 ? 1 : size > 3 ? 2 : 4;
}

/* adjacent: A's rows are one pair apart. */
INLINE void block(const struct cvy_dot *g, struct block at, int M, int N, bool adjacent) {
    const int size = M * N, U = turns(size, adjacent);
    vf acc[MAX_M + 4];
    UNROLL for (int i = 0; i < U * size; i++) acc[i] = v_set(0);
    const ptrdiff_t row = adjacent ? 1 : g->a_row, a_step = adjacent ? g->a_step : 1, b_step = g->b_step;
    const ptrdiff_t panel = g->b_panel;
    for (int o = 0; o < g->outer; o++) {
        for (int p = 0; p < g->inner; p++) {
            const cvy_pair *a = g->a + at.row * row + o * g->a_outer + p * g->a_inner;
            const cvy_pair *b = g->b + vector_at(at.vector, panel) + o * g->b_outer + p * g->b_inner;
            const cvy_pair *rows[(MAX_M + 2) / 3];
            UNROLL for (int m = 0; m < M; m += 3) rows[m / 3] = a + m * row;
            int l = 0;
            if (U > 1)
                for (; l + U <= g->depth; l += U, a += U * a_step, b += U * b_step) {
                    UNROLL for (int u = 0; u < U; u++)
                        step(acc + u * size, b + u * b_step, panel, a + u * a_step, rows, row, M, N, adjacent);
                }
            for (; l < g->depth; l++, a += a_step, b += b_step) {
                step(acc, b, panel, a, rows, row, M, N, adjacent);
                UNROLL for (int m = 0; m < M; m += 3) rows[m / 3] += a_step;
            }
        }
    }
    UNROLL for (int u = 1; u < U; u++) {
        UNROLL for (int i = 0; i < size; i++) acc[i] += acc[u * size + i];
    }
    if (g->rounded)
        finish(g, at, acc, M, N, true);
    else
        finish(g, at, acc, M, N, false);
}

typedef void block_fn(const struct cvy_dot *g, struct block at);

#define DEFINE(M, N)                                                                                                   \
    static void spread_##M##x##N(const struct cvy_dot *g, struct block at) {                                           \
        block(g, at, M, N, false);                                                                                     \
    }                                                                                                                  \
    static void adjacent_##M##x##N(const struct cvy_dot *g, struct block at) {                                         \
        block(g, at, M, N, true);                                                                                      \
    }
#define LIST(M, N) [0][N][M] = spread_##M##x##N, [1][N][M] = adjacent_##M##x##N,

BLOCKS(DEFINE)

static block_fn *const blocks[2][MAX_N + 1][MAX_M + 1] = {BLOCKS(LIST)};

static int ceil_div(int a, int b) {
    return (a + b - 1) / b;
}

/* Vectors that the next block takes of `rest`: panels are not cut unless a panel is all that a block holds. */
static int next_vectors(int rest) {
    if (rest <= MAX_N) return rest;
    return VECTORS_A_PANEL > 1 ? MAX_N : ceil_div(rest, ceil_div(rest, MAX_N));
}

static void dot(const struct cvy_dot *g) {
    const int vectors = ceil_div(g->columns, VEC), adjacent = g->a_row == 1;
    for (int v = 0, n; v < vectors; v += n) {
        n = next_vectors(vectors - v);
        struct block at = {0, v, v + n == vectors ? g->columns - (vectors - 1) * VEC : VEC};
        for (int left = g->rows <= rows_of[n] ? 1 : ceil_div(g->rows, rows_of[n]); left > 0; left--) {
            int m = left == 1 ? g->rows - at.row : ceil_div(g->rows - at.row, left);
            blocks[adjacent][n][m](g, at);
            at.row += m;
        }
    }
}

/* ---- moving ---- */

#define EACH_VECTOR(i, lanes, count)                                                                                   \
    for (int64_t i = 0, lanes = VEC; i < (count) && (lanes = (count)-i < VEC ? (count)-i : VEC) > 0; i += VEC)

static void narrow(const float *from, cvy_bf16 *to, int64_t count) {
    EACH_VECTOR(i, lanes, count) v_narrow(to + i, v_load_lanes(from + i, (int)lanes), (int)lanes);
}

static void widen(const cvy_bf16 *from, float *to, int64_t count) {
    EACH_VECTOR(i, lanes, count) v_store_lanes(to + i, v_widen(from + i, (int)lanes), (int)lanes);
}

static void add(cvy_bf16 *dst, const cvy_bf16 *a, int64_t count) {
    EACH_VECTOR(i, lanes, count)
    v_narrow(dst + i, v_widen(dst + i, (int)lanes) + v_widen(a + i, (int)lanes), (int)lanes);
}

static void interleave(const cvy_bf16 *first, const cvy_bf16 *second, cvy_pair *out, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        const int n = (int)lanes;
        const vu low = first ? v_load_half(first + i, n) : (vu){0};
        const vu high = second ? v_load_half(second + i, n) << 16 : (vu){0};
        const vf both = (vf)(low | high);
        float part[VEC];
        if (n == VEC) {
            memcpy(out + i, &both, sizeof both);
        } else {
            v_store(part, both);
            memcpy(out + i, part, (size_t)n * sizeof *out);
        }
    }
}

const struct cvy_bf16_table TABLE = {
    .dot = dot, .narrow = narrow, .widen = widen, .add = add, .interleave = interleave};
