/* The end of a product: a block of M rows × N vectors of sums becomes C's, by the vectors of VEC_BITS. */
#define VECTORS_A_PANEL (16 / VEC)

INLINE ptrdiff_t vector_at(int v, ptrdiff_t panel) {
    return v / VECTORS_A_PANEL * panel + v % VECTORS_A_PANEL * VEC;
}

/* Where a block is: its line, first row and first vector in C, and the lanes of its last vector. */
struct block {
    int line, row, vector, lanes;
};

static inline ptrdiff_t first_of(const struct cvy_product *g, struct block at) {
    return at.line * g->c_line + at.row * g->c_row + vector_at(at.vector, g->c_panel);
}

/* Bias, scale and shift. */
INLINE void apply(const struct cvy_epilogue *e, struct block at, vf *acc, int M, int N) {
    UNROLL for (int v = 0; v < N; v++) {
        const int j = (at.vector + v) * VEC, lanes = v == N - 1 ? at.lanes : VEC;
        if (e->bias) {
            const vf bias = v_load_lanes(e->bias + j, lanes);
            UNROLL for (int m = 0; m < M; m++) acc[m * N + v] += bias;
        }
        if (e->scale && e->shift) { /* rounded once, as a normalisation of its own does it */
            const vf scale = v_load_lanes(e->scale + j, lanes), shift = v_load_lanes(e->shift + j, lanes);
            UNROLL for (int m = 0; m < M; m++) acc[m * N + v] = v_fma(acc[m * N + v], scale, shift);
        } else if (e->scale) {
            const vf scale = v_load_lanes(e->scale + j, lanes);
            UNROLL for (int m = 0; m < M; m++) acc[m * N + v] *= scale;
        } else if (e->shift) {
            const vf shift = v_load_lanes(e->shift + j, lanes);
            UNROLL for (int m = 0; m < M; m++) acc[m * N + v] += shift;
        }
    }
}

/* `rounded` is g's, or known to be false. */
INLINE void finish(const struct cvy_product *g, struct block at, vf *acc, int M, int N, bool rounded) {
    const ptrdiff_t row = g->c_row, panel = g->c_panel; /* copies: no store changes them */
    const ptrdiff_t first = first_of(g, at);
    const struct cvy_epilogue *e = g->epilogue;
    void *c = g->c;
#define EACH_LANES(v) ((v) == N - 1 ? at.lanes : VEC)
    if (g->accumulate) {
        UNROLL for (int m = 0; m < M; m++) {
            UNROLL for (int v = 0; v < N; v++) acc[m * N + v] +=
                result_load(c, first + m * row + vector_at(v, panel), rounded, EACH_LANES(v));
        }
    }
    if (e) {
        apply(e, at, acc, M, N);
        if (e->residual) {
            UNROLL for (int m = 0; m < M; m++) {
                UNROLL for (int v = 0; v < N; v++) acc[m * N + v] +=
                    residual_load(e->residual, first + m * row + vector_at(v, panel), EACH_LANES(v));
            }
        }
        if (e->activation == CVY_FUSED_RELU) {
            UNROLL for (int i = 0; i < M * N; i++) acc[i] = v_relu(acc[i]);
        }
    }
    if (!MAY_ROUND && g->place == CVY_PAST_CACHES) {
        UNROLL for (int m = 0; m < M; m++) {
            UNROLL for (int v = 0; v < N; v++)
                v_stream((float *)c + first + m * row + vector_at(v, panel), acc[m * N + v]);
        }
        return;
    }
    UNROLL for (int m = 0; m < M; m++) {
        UNROLL for (int v = 0; v < N; v++)
            result_store(c, first + m * row + vector_at(v, panel), rounded, acc[m * N + v], EACH_LANES(v));
    }
#undef EACH_LANES
}
