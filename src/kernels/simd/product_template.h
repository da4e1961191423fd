/* The micro-kernel, written once for every ISA level with vectors, and for floats as for pairs of bf16: blocks of M
 * rows × N vectors of C stay in registers over the whole sum; a step reads N vectors of B, and broadcasts M elements of
 * A.
 *
 * The including file includes elements_float.h or elements_pairs.h, defines VEC_BITS, PRODUCT (the function's name) and
 * MAX_N, and rows_of[N] for N = 1 … MAX_N: the most rows for which M·N accumulators, N vectors of B and one of A fit
 * the registers. All M up to that exist, so that rows are cut evenly (28 = 14 + 14, 7 = 4 + 3). A's rows are addressed
 * as three to a pointer (p, p + s, p + 2s), which x86 does in the instruction; where they are one element apart the
 * compiler sees constants. */
#include "kernels/simd/product_finish.h"
#include "core/ints.h"

enum { MAX_M = 28 };

/* Memory that is asked for in passing, a line a step; nothing is the same line again and again. */
struct soon {
    const char *at;
    ptrdiff_t bytes; /* from line to line */
};

/* One step of the sum: `b` is at the step's first vector. A's rows are at a + m where they are adjacent, else three to
 * a pointer. */
INLINE void step(vf *acc, const element *b, ptrdiff_t panel, const element *a, const element *const *rows,
                 ptrdiff_t row, int M, int N, bool adjacent) {
    factor bv[MAX_N];
    UNROLL for (int v = 0; v < N; v++) bv[v] = factor_load(b + vector_at(v, panel));
    UNROLL for (int m = 0; m < M; m++) {
        const factor av = factor_set(adjacent ? a + m : rows[m / 3] + m % 3 * row);
        UNROLL for (int v = 0; v < N; v++) acc[m * N + v] = factor_add(av, bv[v], acc[m * N + v]);
    }
}

/* Sums of a block with few accumulators would wait for one another: with adjacent rows, whose only sums that short are
 * those of weight gradients, the steps are dealt to 2 or 4 accumulators in turn. */
INLINE int turns(int size, bool adjacent) {
    return !adjacent || size > 6 ? 1 : size > 3 ? 2 : 4;
}

/* Of C's lines in row m from `at` on. */
INLINE void fetch_row(const struct cvy_product *g, struct block at, int m, int N) {
    const ptrdiff_t size = MAY_ROUND && g->rounded ? 2 : 4;
    const char *c = (const char *)g->c + (first_of(g, at) + m * g->c_row) * size;
    UNROLL for (int v = 0; v < N; v += VECTORS_A_PANEL) __builtin_prefetch(c + vector_at(v, g->c_panel) * size, 1);
}

INLINE void ask(struct soon *soon, bool adjacent) {
    if (adjacent)
        __builtin_prefetch(soon->at, 0, 2);
    else
        __builtin_prefetch(soon->at, 0, 3);
    soon->at += soon->bytes;
}

/* C's lines are asked for before the sum that is stored there: otherwise, with a C beyond the caches, the stores wait
 * for memory one after the other (1×1, 64 → 256 channels: 64 → 85 GFLOP/s). With adjacent rows, a row a step of the
 * sum's first: A and B come from beyond the first level too, and are not to wait for all of C. */
INLINE void fetch(const struct cvy_product *g, struct block at, int M, int N) {
    UNROLL for (int m = 0; m < M; m++) fetch_row(g, at, m, N);
}

/* The block below is asked for earlier still, during the sum of this one: its C, a row a step, and where A's rows are
 * one stretch of memory its A, a line a step (1×1, 64 → 64 channels at 56×56: 87 → 106 GFLOP/s). These are the steps
 * that ask. */
INLINE bool is_stretch(const struct cvy_product *g) {
    return g->a_row == g->depth && g->outer * g->inner == 1;
}
INLINE int steps_asking(const struct cvy_product *g, struct block at, int M) {
    if (at.row + M == g->rows) return 0;
    return is_stretch(g) || g->depth < M ? g->depth : M;
}
INLINE struct soon rows_below(const struct cvy_product *g, const element *a, int M) {
    return (struct soon){(const char *)(a + M * g->a_row), is_stretch(g) ? 64 : 0};
}

/* adjacent: A's rows are one element apart. */
INLINE void block(const struct cvy_product *g, struct block at, struct soon soon, int M, int N, bool adjacent) {
    const int size = M * N, U = turns(size, adjacent);
    const bool own = adjacent && U == 1; /* C is asked for in passing */
    if (!own && g->place == CVY_PERHAPS_CACHED) fetch(g, at, M, N);
    vf acc[MAX_M + 4];
    UNROLL for (int i = 0; i < U * size; i++) acc[i] = v_set(0);
    const ptrdiff_t row = adjacent ? 1 : g->a_row, a_step = adjacent ? g->a_step : 1, b_step = g->b_step;
    const ptrdiff_t panel = g->b_panel;
    int asking = own                                          ? (g->depth < M ? g->depth : M)
                 : adjacent || g->place != CVY_PERHAPS_CACHED ? 0
                                                              : steps_asking(g, at, M);
    if (asking && !adjacent) soon = rows_below(g, (const element *)g->a + at.line * g->a_line + at.row * row, M);
    for (int o = 0; o < g->outer; o++) {
        for (int p = 0; p < g->inner; p++) {
            const element *a =
                (const element *)g->a + at.line * g->a_line + at.row * row + o * g->a_outer + p * g->a_inner;
            const element *b = (const element *)g->b + at.line * g->b_line + vector_at(at.vector, panel) +
                               o * g->b_outer + p * g->b_inner;
            const element *rows[(MAX_M + 2) / 3];
            UNROLL for (int m = 0; m < M; m += 3) rows[m / 3] = a + m * row;
            int l = 0;
            if (U > 1)
                for (; l + U <= g->depth; l += U, a += U * a_step, b += U * b_step) {
                    UNROLL for (int u = 0; u < U; u++)
                        step(acc + u * size, b + u * b_step, panel, a + u * a_step, rows, row, M, N, adjacent);
                }
            for (; l < asking; l++, a += a_step, b += b_step) {
                ask(&soon, adjacent);
                if (l < M) fetch_row(g, at, own ? l : M + l, N);
                step(acc, b, panel, a, rows, row, M, N, adjacent);
                UNROLL for (int m = 0; m < M; m += 3) rows[m / 3] += a_step;
            }
            for (; l < g->depth; l++, a += a_step, b += b_step) {
                if (adjacent) ask(&soon, true);
                step(acc, b, panel, a, rows, row, M, N, adjacent);
                UNROLL for (int m = 0; m < M; m += 3) rows[m / 3] += a_step;
            }
            asking = 0;
        }
    }
    UNROLL for (int u = 1; u < U; u++) {
        UNROLL for (int i = 0; i < size; i++) acc[i] += acc[u * size + i];
    }
    if (MAY_ROUND && g->rounded)
        finish(g, at, acc, M, N, true);
    else
        finish(g, at, acc, M, N, false);
}

typedef void block_fn(const struct cvy_product *g, struct block at, struct soon soon);

#define DEFINE(M, N)                                                                                                   \
    static void spread_##M##x##N(const struct cvy_product *g, struct block at, struct soon soon) {                     \
        block(g, at, soon, M, N, false);                                                                               \
    }                                                                                                                  \
    static void adjacent_##M##x##N(const struct cvy_product *g, struct block at, struct soon soon) {                   \
        block(g, at, soon, M, N, true);                                                                                \
    }
#define LIST(M, N) [0][N][M] = spread_##M##x##N, [1][N][M] = adjacent_##M##x##N,

BLOCKS(DEFINE)

static block_fn *const blocks[2][MAX_N + 1][MAX_M + 1] = {BLOCKS(LIST)};

/* Vectors that the next block takes of `rest`: panels are not cut unless a panel is all that a block holds. */
static int next_vectors(int rest) {
    if (rest <= MAX_N) return rest;
    return VECTORS_A_PANEL > 1 ? MAX_N : cvy_ceil_div(rest, cvy_ceil_div(rest, MAX_N));
}

/* What the next block is to ask for. */
static struct soon look_ahead(const struct cvy_product *g) {
    for (int i = 0; i < g->aheads; i++) {
        struct cvy_ahead *ahead = &g->ahead[i];
        if (ahead->lines == 0) continue;
        const struct soon soon = {(const char *)ahead->at, ahead->stride * (ptrdiff_t)sizeof(float)};
        ahead->at += 16;
        ahead->lines--;
        return soon;
    }
    return (struct soon){(const char *)g->a, 0};
}

static void product_line(const struct cvy_product *g, int line) {
    const int vectors = cvy_ceil_div(g->columns, VEC), adjacent = g->a_row == 1;
    for (int v = 0, n; v < vectors; v += n) {
        n = next_vectors(vectors - v);
        struct block at = {line, 0, v, v + n == vectors ? g->columns - (vectors - 1) * VEC : VEC};
        for (int left = g->rows <= rows_of[n] ? 1 : cvy_ceil_div(g->rows, rows_of[n]); left > 0; left--) {
            int m = left == 1 ? g->rows - at.row : cvy_ceil_div(g->rows - at.row, left);
            blocks[adjacent][n][m](g, at, look_ahead(g));
            at.row += m;
        }
    }
}

void PRODUCT(const struct cvy_product *g) {
    for (int line = 0; line < cvy_product_lines(g); line++) product_line(g, line);
    if (g->place == CVY_PAST_CACHES) v_streamed();
}
