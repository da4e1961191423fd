/* The kernels of bf16, written once for every ISA level with vectors: the product as in product_template.h, a step
 * taking a pair where that takes a number, and the loops that move numbers.
 *
 * The including file defines VEC_BITS, TABLE (the name of the table that is made here), MAX_N, rows_of and BLOCKS as
 * for product_template.h. */
#include "kernels/bf16_finish.h"

enum { MAX_M = 28 };

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
            const cvy_pair *a = g->a + at.line * g->a_line + at.row * row + o * g->a_outer + p * g->a_inner;
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

/* Vectors that the next block takes of `rest`: panels are not cut unless a panel is all that a block holds. */
static int next_vectors(int rest) {
    if (rest <= MAX_N) return rest;
    return VECTORS_A_PANEL > 1 ? MAX_N : ceil_div(rest, ceil_div(rest, MAX_N));
}

static void dot_line(const struct cvy_dot *g, int line) {
    const int vectors = ceil_div(g->columns, VEC), adjacent = g->a_row == 1;
    for (int v = 0, n; v < vectors; v += n) {
        n = next_vectors(vectors - v);
        struct block at = {line, 0, v, v + n == vectors ? g->columns - (vectors - 1) * VEC : VEC};
        for (int left = g->rows <= rows_of[n] ? 1 : ceil_div(g->rows, rows_of[n]); left > 0; left--) {
            int m = left == 1 ? g->rows - at.row : ceil_div(g->rows - at.row, left);
            blocks[adjacent][n][m](g, at);
            at.row += m;
        }
    }
}

static void dot(const struct cvy_dot *g) {
    for (int line = 0; line < g->lines; line++) dot_line(g, line);
}

#include "kernels/bf16_moves.h"
