/* Normalisation: cases of the suite ops, and each layer as its formula says it, in double. */
#include <math.h>

#include "unit/ops/ops_cases.h"

const struct op_case op_cases_norm[] = {
    {"batchnorm", "", {{5, 7, 6}}},
    {"batchnorm", "{eps: 0.1, momentum: 1}", {{3, 3, 1}}},
    {"batchnorm", "{affine: false}", {{4, 5, 33}}},
    {"batchnorm", "{eps: 1e-3, affine: true}", {{1, 19, 77}}},
    {"batchnorm", "", {{9, 31, 261}}}, /* several stretches and blocks of channels */
    {"groupnorm", "2", {{5, 7, 6}}},
    {"groupnorm", "{groups: 1, eps: 0.1}", {{1, 1, 17}}},
    {"groupnorm", "{groups: 33, affine: false}", {{4, 5, 33}}},
    {"groupnorm", "{groups: 3, eps: 1e-3}", {{9, 13, 261}}},
    {"layernorm", "", {{1, 1, 19}}},
    {"layernorm", "", {{5, 3, 7}}},
    {"layernorm", "{affine: false, eps: 0.1}", {{3, 3, 1}}},
    {"layernorm", "{over: channels, eps: 0.1}", {{5, 7, 33}}},
    {"layernorm", "{over: channels, eps: 0.1, affine: false}", {{2, 3, 6}}},
    {"lrn", "", {{3, 4, 17}}},
    {"lrn", "{size: 5, alpha: 0.5, beta: 0.75, k: 2, alpha_over_n: false}", {{3, 4, 33}}},
    {"lrn", "{size: 4, alpha: 2, beta: 0.5}", {{2, 3, 16}}},
    {"lrn", "{size: 7, alpha: 1, k: 0.5, beta: 1.3}", {{5, 3, 3}}},
    {"lrn", "{size: 1, alpha: 1}", {{1, 1, 1}}},
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

/* ---- group norm, layer norm ---- */

/* Runs fn over every value that has one mean: channels [c, c + width) of all rows. */
struct region {
    const double *x;
    int64_t rows;
    int stride, width; /* channels of a row, and of the region */
};

static void region_statistics(const struct region *r, double *mean, double *variance) {
    const double count = (double)r->rows * r->width;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < r->rows; i++)
        for (int c = 0; c < r->width; c++) sum += r->x[i * r->stride + c];
    *mean = sum / count;
    for (int64_t i = 0; i < r->rows; i++)
        for (int c = 0; c < r->width; c++) squares += pow(r->x[i * r->stride + c] - *mean, 2);
    *variance = squares / count;
}

static void groupnorm(const struct op_math *m, double *y) {
    const int groups = (int)op_setting(m, "groups", "groups", 0, 0), width = m->in.c / groups;
    const double eps = op_setting(m, "eps", "groups", 0, 1e-5);
    const int64_t places = (int64_t)m->in.h * m->in.w;
    for (int64_t n = 0; n < m->n; n++)
        for (int g = 0; g < groups; g++) {
            const struct region r = {m->x[0] + n * places * m->in.c + g * width, places, m->in.c, width};
            double mean, variance, *out = y + (r.x - m->x[0]);
            region_statistics(&r, &mean, &variance);
            for (int64_t i = 0; i < places; i++)
                for (int c = 0; c < width; c++) {
                    double gain = m->param[0] ? m->param[0][g * width + c] : 1;
                    double shift = m->param[1] ? m->param[1][g * width + c] : 0;
                    out[i * m->in.c + c] = (r.x[i * m->in.c + c] - mean) / sqrt(variance + eps) * gain + shift;
                }
        }
}

static void layernorm(const struct op_math *m, double *y) {
    const struct cvy_node *over = cvy_node_get(m->body, "over");
    const int64_t all = m->n * cvy_shape_count(m->in);
    const int width = over ? m->in.c : (int)(all / m->n);
    const double eps = op_setting(m, "eps", "", 0, 1e-5);
    for (int64_t at = 0; at < all; at += width) {
        const struct region r = {m->x[0] + at, 1, width, width};
        double mean, variance;
        region_statistics(&r, &mean, &variance);
        for (int i = 0; i < width; i++)
            y[at + i] = (r.x[i] - mean) / sqrt(variance + eps) * (m->param[0] ? m->param[0][i] : 1) +
                        (m->param[1] ? m->param[1][i] : 0);
    }
}

/* ---- local response normalisation ---- */

static void lrn(const struct op_math *m, double *y) {
    const int size = (int)op_setting(m, "size", "", 0, 5), channels = m->in.c;
    const bool over_n = op_setting(m, "alpha_over_n", "", 0, 1) != 0;
    const double a = op_setting(m, "alpha", "", 0, 1e-4) / (over_n ? size : 1);
    const double beta = op_setting(m, "beta", "", 0, 0.75), k = op_setting(m, "k", "", 0, 1);
    for (int64_t i = 0; i < m->n * cvy_shape_count(m->in); i++) {
        const int c = (int)(i % channels);
        double sum = 0;
        for (int j = c - size / 2; j <= c + (size - 1) / 2; j++)
            if (j >= 0 && j < channels) sum += pow(m->x[0][i - c + j], 2);
        y[i] = m->x[0][i] / pow(k + a * sum, beta);
    }
}

const struct op_reference op_references_norm[] = {
    {"batchnorm", 0, 1, NULL, batchnorm},
    {"groupnorm", 0, 1, NULL, groupnorm},
    {"layernorm", 0, 1, NULL, layernorm},
    {"lrn", 0, 1, NULL, lrn},
    {0},
};
