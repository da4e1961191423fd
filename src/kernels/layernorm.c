/* Layer normalisation, row by row: a task is some rows. Four sums side by side, joined at the end. */
#include <math.h>

#include "kernels/norm.h"

#include "core/ints.h"

enum { TASK_FLOATS = 1 << 14, LANES = 4 };

struct layernorm {
    int64_t units;
    int width, step; /* rows of a task */
    const float *x, *dy, *weight, *bias;
    double eps;
    double *rows;       /* to be written */
    const double *read; /* or to be read */
    float *out;
    bool accumulate;
};

static double join(const double *lanes) {
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

/* Mean and 1/σ of a row. */
static void row_statistics(const float *x, int width, double eps, double *mean, double *inverse) {
    double sum[LANES] = {0}, squares[LANES] = {0};
    for (int i = 0; i < width; i++) sum[i % LANES] += x[i];
    *mean = join(sum) / width;
    for (int i = 0; i < width; i++) squares[i % LANES] += (x[i] - *mean) * (x[i] - *mean);
    *inverse = 1 / sqrt(join(squares) / width + eps);
}

static void forward_row(const struct layernorm *l, int64_t row) {
    const float *x = l->x + row * l->width;
    float *y = l->out + row * l->width;
    double mean, inverse;
    row_statistics(x, l->width, l->eps, &mean, &inverse);
    if (l->rows) {
        l->rows[2 * row] = mean;
        l->rows[2 * row + 1] = inverse;
    }
    for (int i = 0; i < l->width; i++) {
        double v = (x[i] - mean) * inverse;
        y[i] = (float)(l->weight ? v * l->weight[i] + l->bias[i] : v);
    }
}

/* dx = 1/σ·(γ·dy − (Σ γ·dy + x̂·Σ γ·dy·x̂)/width) */
static void backward_row(const struct layernorm *l, int64_t row) {
    const float *x = l->x + row * l->width, *dy = l->dy + row * l->width;
    const double mean = l->read[2 * row], inverse = l->read[2 * row + 1];
    float *dx = l->out + row * l->width;
    double first[LANES] = {0}, second[LANES] = {0};
    for (int i = 0; i < l->width; i++) {
        double g = l->weight ? (double)dy[i] * l->weight[i] : dy[i];
        first[i % LANES] += g;
        second[i % LANES] += g * (x[i] - mean);
    }
    const double a = join(first) / l->width, b = join(second) * inverse * inverse / l->width;
    for (int i = 0; i < l->width; i++) {
        double g = l->weight ? (double)dy[i] * l->weight[i] : dy[i];
        float v = (float)(inverse * (g - a - (x[i] - mean) * b));
        dx[i] = l->accumulate ? dx[i] + v : v;
    }
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct layernorm *l = arg;
    for (int64_t row = (int64_t)t * l->step; row < l->units && row < ((int64_t)t + 1) * l->step; row++)
        if (l->dy)
            backward_row(l, row);
        else
            forward_row(l, row);
}

static void run(const struct cvy_compute *compute, struct layernorm *l) {
    l->step = TASK_FLOATS / l->width + 1;
    cvy_parallel(compute->pool, (int)cvy_ceil_div(l->units, l->step), task, l);
}

void cvy_layernorm_forward(const struct cvy_compute *compute, int64_t units, int width, const float *x,
                           const float *weight, const float *bias, double eps, float *y, double *rows) {
    run(compute, &(struct layernorm){.units = units,
                                     .width = width,
                                     .x = x,
                                     .weight = weight,
                                     .bias = bias,
                                     .eps = eps,
                                     .rows = rows,
                                     .out = y});
}

void cvy_layernorm_backward(const struct cvy_compute *compute, int64_t units, int width, const float *x,
                            const float *dy, const float *weight, const double *rows, float *dx, bool accumulate) {
    run(compute, &(struct layernorm){.units = units,
                                     .width = width,
                                     .x = x,
                                     .dy = dy,
                                     .weight = weight,
                                     .read = rows,
                                     .out = dx,
                                     .accumulate = accumulate});
}
