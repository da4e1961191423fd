/* The product for any processor: OpenBLAS sgemm, a call for each pair and panel, and a plain epilogue. BLAS wants rows
 * that do not overlap; where A's do (windows that share pixels), blocks of it are copied out first.
 *
 * A call must not be split over threads, or its bits depend on how. openblas_set_num_threads(1) (cvy_compute_enter) is
 * not enough for an OpenBLAS built with OpenMP: it asks OpenMP again at each call, whose number is each thread's own.
 */
#include <cblas.h>

#include "kernels/simd/table.h"

#include "core/ints.h"

/* OpenMP's, when it is in the process. */
extern void omp_set_num_threads(int threads) __attribute__((weak));
extern int omp_get_max_threads(void) __attribute__((weak));

enum { COPY_DEPTH = 256, COPY_ROWS = 32 };

struct operand {
    CBLAS_TRANSPOSE transposed;
    const float *data;
    int leading;
};

static void multiply(struct operand a, int rows, int depth, const float *b, int b_step, int lanes, float beta, float *c,
                     int c_row) {
    int c_leading = rows > 1 ? c_row : lanes;
    cblas_sgemm(CblasRowMajor, a.transposed, CblasNoTrans, rows, lanes, depth, 1.0f, a.data, a.leading, b, b_step, beta,
                c, c_leading);
}

/* False when BLAS cannot read A where it is. */
static bool readable(const struct cvy_product *g, const float *a, struct operand *out) {
    if (g->a_step == 1 && (g->a_row >= g->depth || g->rows == 1)) {
        *out = (struct operand){CblasNoTrans, a, g->rows == 1 ? g->depth : (int)g->a_row};
        return true;
    }
    *out = (struct operand){CblasTrans, a, (int)g->a_step};
    return g->a_row == 1 && g->a_step >= g->rows;
}

static void multiply_copied(const struct cvy_product *g, const float *a, const float *b, int lanes, float beta,
                            float *c) {
    float copy[COPY_ROWS * COPY_DEPTH];
    for (int i = 0; i < g->rows; i += COPY_ROWS) {
        int rows = cvy_min(COPY_ROWS, g->rows - i);
        for (int l = 0; l < g->depth; l += COPY_DEPTH) {
            int depth = cvy_min(COPY_DEPTH, g->depth - l);
            const float *from = a + i * g->a_row + l * g->a_step;
            for (int m = 0; m < rows; m++)
                for (int k = 0; k < depth; k++) copy[m * depth + k] = from[m * g->a_row + k * g->a_step];
            multiply((struct operand){CblasNoTrans, copy, depth}, rows, depth, b + l * g->b_step, (int)g->b_step, lanes,
                     l ? 1.0f : beta, c + i * g->c_row, (int)g->c_row);
        }
    }
}

static void fill_zero(const struct cvy_product *g, float *c, int lanes) {
    for (int i = 0; i < g->rows; i++)
        for (int j = 0; j < lanes; j++) c[i * g->c_row + j] = 0;
}

static float finished(const struct cvy_epilogue *e, float sum, int j, const float *residual) {
    if (e->bias) sum += e->bias[j];
    if (e->scale) sum *= e->scale[j];
    if (e->shift) sum += e->shift[j];
    if (residual) sum += *residual;
    return e->activation == CVY_FUSED_RELU && sum < 0 ? 0 : sum;
}

static void finish(const struct cvy_product *g, float *c, int column, int lanes) {
    const float *residual = g->epilogue->residual;
    for (int i = 0; i < g->rows; i++)
        for (int j = 0; j < lanes; j++) {
            float *at = c + i * g->c_row + j;
            *at = finished(g->epilogue, *at, column + j, residual ? residual + (at - (float *)g->c) : NULL);
        }
}

/* One panel of a line of C. */
static void product_panel(const struct cvy_product *g, int line, int panel) {
    int lanes = cvy_min(16, g->columns - 16 * panel);
    float *c = (float *)g->c + line * g->c_line + panel * g->c_panel;
    float beta = g->accumulate ? 1.0f : 0.0f;
    if (!g->accumulate && (g->outer == 0 || g->inner == 0 || g->depth == 0)) fill_zero(g, c, lanes);
    for (int o = 0; o < g->outer; o++)
        for (int p = 0; p < g->inner; p++) {
            const float *a = (const float *)g->a + line * g->a_line + o * g->a_outer + p * g->a_inner;
            const float *b =
                (const float *)g->b + line * g->b_line + panel * g->b_panel + o * g->b_outer + p * g->b_inner;
            struct operand direct;
            if (readable(g, a, &direct))
                multiply(direct, g->rows, g->depth, b, (int)g->b_step, lanes, beta, c, (int)g->c_row);
            else
                multiply_copied(g, a, b, lanes, beta, c);
            beta = 1.0f;
        }
    if (g->epilogue) finish(g, c, 16 * panel, lanes);
}

void cvy_product_portable(const struct cvy_product *g) {
    const int before = omp_get_max_threads ? omp_get_max_threads() : 1;
    if (before != 1) omp_set_num_threads(1);
    for (int line = 0; line < cvy_product_lines(g); line++)
        for (int panel = 0; 16 * panel < g->columns; panel++) product_panel(g, line, panel);
    if (before != 1) omp_set_num_threads(before);
}
