/* The micro-kernel, written once for every ISA level with vectors: blocks of M rows × N vectors of C stay in registers
 * over the whole sum; a step reads N vectors of B, and broadcasts M numbers of A.
 *
 * The including file defines VEC_BITS, PRODUCT (the function's name) and MAX_N, and rows_of[N] for N = 1 … MAX_N: the
 * most rows for which M·N accumulators, N vectors of B and one of A fit the registers. All M up to that exist, so that
 * rows are cut evenly (28 = 14 + 14, 7 = 4 + 3). A's rows are addressed as three to a pointer (p, p + s, p + 2s), which
 * x86 does in the instruction; where they are one float apart the compiler sees constants. */
#include "kernels/table.h"
#include "kernels/vec.h"

#define VECTORS_A_PANEL (16 / VEC)

enum { MAX_M = 28 };

INLINE ptrdiff_t vector_at(int v, ptrdiff_t panel) {
    return v / VECTORS_A_PANEL * panel + v % VECTORS_A_PANEL * VEC;
}

/* Where a block is: its first row and vector in C, and the lanes of its last vector. */
struct block {
    int row, vector, lanes;
    const float *soon; /* asked for in passing, a line a step */
    ptrdiff_t soon_step;
};

INLINE void finish(const struct cvy_product *g, struct block at, vf *acc, int M, int N) {
    const ptrdiff_t row = g->c_row, panel = g->c_panel; /* copies: no store changes them */
    float *c = g->c + at.row * row + vector_at(at.vector, panel);
    const struct cvy_epilogue *e = g->epilogue;
#define EACH_LANES(v) ((v) == N - 1 ? at.lanes : VEC)
    if (g->accumulate) {
        UNROLL for (int m = 0; m < M; m++) {
            UNROLL for (int v = 0; v < N; v++) acc[m * N + v] +=
                v_load_lanes(c + m * row + vector_at(v, panel), EACH_LANES(v));
        }
    }
    if (e) {
        UNROLL for (int v = 0; v < N; v++) {
            int j = (at.vector + v) * VEC, lanes = EACH_LANES(v);
            if (e->bias) {
                vf bias = v_load_lanes(e->bias + j, lanes);
                UNROLL for (int m = 0; m < M; m++) acc[m * N + v] += bias;
            }
            if (e->scale && e->shift) { /* rounded once, as a normalisation of its own does it */
                vf scale = v_load_lanes(e->scale + j, lanes), shift = v_load_lanes(e->shift + j, lanes);
                UNROLL for (int m = 0; m < M; m++) acc[m * N + v] = v_fma(acc[m * N + v], scale, shift);
            } else if (e->scale) {
                vf scale = v_load_lanes(e->scale + j, lanes);
                UNROLL for (int m = 0; m < M; m++) acc[m * N + v] *= scale;
            } else if (e->shift) {
                vf shift = v_load_lanes(e->shift + j, lanes);
                UNROLL for (int m = 0; m < M; m++) acc[m * N + v] += shift;
            }
        }
        if (e->residual) {
            const float *residual = e->residual + (c - g->c);
            UNROLL for (int m = 0; m < M; m++) {
                UNROLL for (int v = 0; v < N; v++) acc[m * N + v] +=
                    v_load_lanes(residual + m * row + vector_at(v, panel), EACH_LANES(v));
            }
        }
        if (e->activation == CVY_FUSED_RELU) {
            UNROLL for (int i = 0; i < M * N; i++) acc[i] = v_relu(acc[i]);
        }
    }
    UNROLL for (int m = 0; m < M; m++) {
        UNROLL for (int v = 0; v < N; v++)
            v_store_lanes(c + m * row + vector_at(v, panel), acc[m * N + v], EACH_LANES(v));
    }
#undef EACH_LANES
}

/* One step of the sum: `b` is at the step's first vector. A's rows are at a + m where they are adjacent, else three to
 * a pointer. */
INLINE void step(vf *acc, const float *b, ptrdiff_t panel, const float *a, const float *const *rows, ptrdiff_t row,
                 int M, int N, bool adjacent) {
    vf bv[MAX_N];
    UNROLL for (int v = 0; v < N; v++) bv[v] = v_load(b + vector_at(v, panel));
    UNROLL for (int m = 0; m < M; m++) {
        vf av = v_set(adjacent ? a[m] : rows[m / 3][m % 3 * row]);
        UNROLL for (int v = 0; v < N; v++) acc[m * N + v] = v_fma(av, bv[v], acc[m * N + v]);
    }
}

/* Sums of a block with few accumulators would wait for one another: with adjacent rows, whose only sums that short are
 * those of weight gradients, the steps are dealt to 2 or 4 accumulators in turn. */
INLINE int turns(int size, bool adjacent) {
    return !adjacent || size > 6 ? 1 : size > 3 ? 2 : 4;
}

/* C's lines are asked for before the sum that is stored there: otherwise, with a C beyond the caches, the stores wait
 * for memory one after the other (1×1, 64 → 256 channels: 64 → 85 GFLOP/s). */
INLINE void fetch(const struct cvy_product *g, struct block at, int M, int N) {
    const float *c = g->c + at.row * g->c_row + vector_at(at.vector, g->c_panel);
    UNROLL for (int m = 0; m < M; m++) {
        UNROLL for (int v = 0; v < N; v += VECTORS_A_PANEL)
            __builtin_prefetch(c + m * g->c_row + vector_at(v, g->c_panel), 1);
    }
}

/* adjacent: A's rows are one float apart. */
INLINE void block(const struct cvy_product *g, struct block at, int M, int N, bool adjacent) {
    const int size = M * N, U = turns(size, adjacent);
    fetch(g, at, M, N);
    vf acc[MAX_M + 4];
    UNROLL for (int i = 0; i < U * size; i++) acc[i] = v_set(0);
    const ptrdiff_t row = adjacent ? 1 : g->a_row, a_step = adjacent ? g->a_step : 1, b_step = g->b_step;
    const ptrdiff_t panel = g->b_panel;
    for (int o = 0; o < g->outer; o++) {
        for (int p = 0; p < g->inner; p++) {
            const float *a = g->a + at.row * row + o * g->a_outer + p * g->a_inner;
            const float *b = g->b + vector_at(at.vector, panel) + o * g->b_outer + p * g->b_inner;
            const float *rows[(MAX_M + 2) / 3];
            UNROLL for (int m = 0; m < M; m += 3) rows[m / 3] = a + m * row;
            int l = 0;
            if (U > 1)
                for (; l + U <= g->depth; l += U, a += U * a_step, b += U * b_step) {
                    UNROLL for (int u = 0; u < U; u++)
                        step(acc + u * size, b + u * b_step, panel, a + u * a_step, rows, row, M, N, adjacent);
                }
            for (; l < g->depth; l++, a += a_step, b += b_step) {
                if (adjacent) __builtin_prefetch(at.soon, 0, 2), at.soon += at.soon_step;
                step(acc, b, panel, a, rows, row, M, N, adjacent);
                UNROLL for (int m = 0; m < M; m += 3) rows[m / 3] += a_step;
            }
        }
    }
    UNROLL for (int u = 1; u < U; u++) {
        UNROLL for (int i = 0; i < size; i++) acc[i] += acc[u * size + i];
    }
    finish(g, at, acc, M, N);
}

typedef void block_fn(const struct cvy_product *g, struct block at);

#define DEFINE(M, N)                                                                                                   \
    static void spread_##M##x##N(const struct cvy_product *g, struct block at) {                                       \
        block(g, at, M, N, false);                                                                                     \
    }                                                                                                                  \
    static void adjacent_##M##x##N(const struct cvy_product *g, struct block at) {                                     \
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

/* What the block is to ask for; nothing is the same line again and again. */
static void look_ahead(const struct cvy_product *g, struct block *at) {
    at->soon = g->a;
    at->soon_step = 0;
    for (int i = 0; g->ahead && i < 2; i++) {
        struct cvy_ahead *ahead = &g->ahead[i];
        if (ahead->lines == 0) continue;
        at->soon = ahead->at;
        at->soon_step = ahead->stride;
        ahead->at += 16;
        ahead->lines--;
        return;
    }
}

void PRODUCT(const struct cvy_product *g) {
    const int vectors = ceil_div(g->columns, VEC), adjacent = g->a_row == 1;
    for (int v = 0, n; v < vectors; v += n) {
        n = next_vectors(vectors - v);
        struct block at = {.vector = v, .lanes = v + n == vectors ? g->columns - (vectors - 1) * VEC : VEC};
        for (int left = g->rows <= rows_of[n] ? 1 : ceil_div(g->rows, rows_of[n]); left > 0; left--) {
            int m = left == 1 ? g->rows - at.row : ceil_div(g->rows - at.row, left);
            look_ahead(g, &at);
            blocks[adjacent][n][m](g, at);
            at.row += m;
        }
    }
}
