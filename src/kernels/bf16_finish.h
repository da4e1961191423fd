/* The end of a product of pairs: a block of M rows × N vectors of sums becomes C's, by the vectors of VEC_BITS. */
#include "kernels/bf16_table.h"
#include "kernels/bf16_vec.h"

#define VECTORS_A_PANEL (16 / VEC)

INLINE ptrdiff_t vector_at(int v, ptrdiff_t panel) {
    return v / VECTORS_A_PANEL * panel + v % VECTORS_A_PANEL * VEC;
}

static int ceil_div(int a, int b) {
    return (a + b - 1) / b;
}

INLINE vf load_c(const void *c, ptrdiff_t at, bool rounded, int lanes) {
    return rounded ? v_widen((const cvy_bf16 *)c + at, lanes) : v_load_lanes((const float *)c + at, lanes);
}
INLINE void store_c(void *c, ptrdiff_t at, bool rounded, vf v, int lanes) {
    if (rounded)
        v_narrow((cvy_bf16 *)c + at, v, lanes);
    else
        v_store_lanes((float *)c + at, v, lanes);
}

/* Where a block is: its line, first row and first vector in C, and the lanes of its last vector. */
struct block {
    int line, row, vector, lanes;
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
    const ptrdiff_t first = at.line * g->c_line + at.row * row + vector_at(at.vector, panel);
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
