/* Normalisation: cases of the suite ops, and each layer as its formula says it, in double. */
#include <math.h>

#include "ops_cases.h"

const struct op_case op_cases_norm[] = {
    {"batchnorm", "", {{5, 7, 6}}},
    {"batchnorm", "{eps: 0.1, momentum: 1}", {{3, 3, 1}}},
    {"batchnorm", "{affine: false}", {{4, 5, 33}}},
    {"batchnorm", "{eps: 1e-3, affine: true}", {{1, 19, 77}}},
    {"batchnorm", "", {{9, 31, 261}}}, /* several stretches and blocks of channels */
    {0},
};

/* ---- batch norm ---- */

static double mean_of_channel(const struct op_math *m, int c, int64_t rows) {
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) sum += m->x[0][i * m->in.c + c];
    return sum / (double)rows;
}
static double variance_of_channel(const struct op_math *m, int c, int64_t rows, double mean) {
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) sum += pow(m->x[0][i * m->in.c + c] - mean, 2);
    return sum / (double)rows;
}

static void batchnorm(const struct op_math *m, double *y) {
    const int64_t rows = (int64_t)m->n * m->in.h * m->in.w;
    const double eps = op_setting(m, "eps", "", 0, 1e-5);
    for (int c = 0; c < m->in.c; c++) {
        double mean = m->evaluate ? m->buffer[0][c] : mean_of_channel(m, c, rows);
        double variance = m->evaluate ? m->buffer[1][c] : variance_of_channel(m, c, rows, mean);
        double gain = m->param[0] ? m->param[0][c] : 1, shift = m->param[1] ? m->param[1][c] : 0;
        for (int64_t i = c; i < rows * m->in.c; i += m->in.c)
            y[i] = (m->x[0][i] - mean) / sqrt(variance + eps) * gain + shift;
    }
}

const struct op_reference op_references_norm[] = {
    {"batchnorm", 0, 1, NULL, batchnorm},
    {0},
};
