/* Cases and formulas of the activations, as PyTorch's documentation has them. */
#include <math.h>

#include "unit/ops/ops_cases.h"

const struct op_case op_cases_activations[] = {
    {"relu6", "", {{3, 5, 17}}},
    {"leaky_relu", "", {{3, 5, 17}}},
    {"leaky_relu", "0.3", {{1, 1, 1}}},
    {"leaky_relu", "{slope: 0}", {{2, 3, 5}}},
    {"prelu", "", {{1, 1, 1}}},
    {"prelu", "", {{5, 7, 17}}},
    {"prelu", "{init: 0.1}", {{30, 40, 33}}},
    {"elu", "", {{3, 5, 17}}},
    {"elu", "0.4", {{1, 1, 3}}},
    {"gelu", "", {{3, 5, 17}}},
    {"gelu", "tanh", {{3, 5, 17}}},
    {"gelu", "{approximate: none}", {{1, 1, 1}}},
    {"silu", "", {{3, 5, 17}}},
    {"softplus", "", {{3, 5, 17}}},
    {"softplus", "{beta: 3}", {{2, 3, 1}}},
    {"hard_sigmoid", "", {{3, 5, 17}}},
    {"hard_swish", "", {{3, 5, 17}}},
    {"hard_tanh", "", {{3, 5, 17}}},
    {"hard_tanh", "{min: -4.5, max: 0.3}", {{3, 5, 7}}},
    {"sign", "", {{3, 5, 17}}},
    {"step", "", {{3, 5, 17}}},
    {"step", "{at_zero: 0.5}", {{1, 1, 2}}},
    {"softmax", "", {{1, 1, 1}}},
    {"softmax", "", {{1, 1, 10}}},
    {"softmax", "", {{3, 5, 17}}},
    {"log_softmax", "", {{1, 1, 1}}},
    {"log_softmax", "", {{1, 1, 10}}},
    {"log_softmax", "", {{3, 5, 17}}},
    {"log_softmax", "", {{1, 2, 300}}},
    {0},
};

typedef double act_fn(double x, double a, double b);

static void map(const struct op_math *m, act_fn *fn, double a, double b, double *y) {
    for (int64_t i = 0; i < m->n * cvy_shape_count(m->in); i++) y[i] = fn(m->x[0][i], a, b);
}

static double clip1(double x, double a, double b) {
    return fmin(fmax(x, a), b);
}
static double leaky1(double x, double a, double b) {
    (void)b;
    return x > 0 ? x : a * x;
}
static double elu1(double x, double a, double b) {
    (void)b;
    return x > 0 ? x : a * expm1(x);
}
static double gelu1(double x, double a, double b) {
    (void)b;
    return a == 0 ? x * erfc(-x / sqrt(2)) / 2
                  : x / 2 * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}
static double silu1(double x, double a, double b) {
    (void)a, (void)b;
    return x / (1 + exp(-x));
}
static double softplus1(double x, double a, double b) {
    (void)b;
    return log1p(exp(a * x)) / a;
}
static double sign1(double x, double a, double b) {
    (void)a, (void)b;
    return (x > 0) - (x < 0);
}
static double step1(double x, double a, double b) {
    (void)b;
    return x == 0 ? a : x > 0;
}

static void relu6(const struct op_math *m, double *y) {
    map(m, clip1, 0, 6, y);
}
static void hard_tanh(const struct op_math *m, double *y) {
    map(m, clip1, op_setting(m, "min", "", 0, -1), op_setting(m, "max", "", 0, 1), y);
}
static void hard_sigmoid(const struct op_math *m, double *y) {
    for (int64_t i = 0; i < m->n * cvy_shape_count(m->in); i++) y[i] = clip1(m->x[0][i] / 6 + 0.5, 0, 1);
}
static void hard_swish(const struct op_math *m, double *y) {
    for (int64_t i = 0; i < m->n * cvy_shape_count(m->in); i++) y[i] = m->x[0][i] * clip1(m->x[0][i] + 3, 0, 6) / 6;
}
static void leaky_relu(const struct op_math *m, double *y) {
    map(m, leaky1, op_setting(m, "slope", "slope", 0, 0.01), 0, y);
}
static void prelu(const struct op_math *m, double *y) {
    for (int64_t i = 0; i < m->n * cvy_shape_count(m->in); i++) y[i] = leaky1(m->x[0][i], m->param[0][i % m->in.c], 0);
}
static void elu(const struct op_math *m, double *y) {
    map(m, elu1, op_setting(m, "alpha", "alpha", 0, 1), 0, y);
}
static void gelu(const struct op_math *m, double *y) {
    const struct cvy_node *node = m->body && m->body->kind == CVY_NODE_MAP ? m->body->items[0] : m->body;
    map(m, gelu1, node && node->text[0] == 't', 0, y);
}
static void silu(const struct op_math *m, double *y) {
    map(m, silu1, 0, 0, y);
}
static void softplus(const struct op_math *m, double *y) {
    map(m, softplus1, op_setting(m, "beta", "beta", 0, 1), 0, y);
}
static void sign(const struct op_math *m, double *y) {
    map(m, sign1, 0, 0, y);
}
static void step(const struct op_math *m, double *y) {
    map(m, step1, op_setting(m, "at_zero", "at_zero", 0, 0), 0, y);
}

static void softmax(const struct op_math *m, double *y) {
    for (int64_t pixel = 0; pixel < m->n * (int64_t)m->in.h * m->in.w; pixel++, y += m->in.c) {
        const double *x = m->x[0] + pixel * m->in.c;
        double sum = 0;
        for (int c = 0; c < m->in.c; c++) sum += exp(x[c]);
        for (int c = 0; c < m->in.c; c++) y[c] = exp(x[c]) / sum;
    }
}

static void log_softmax(const struct op_math *m, double *y) {
    softmax(m, y);
    for (int64_t i = 0; i < m->n * cvy_shape_count(m->in); i++) y[i] = log(y[i]);
}

const struct op_reference op_references_activations[] = {
    {"relu6", OP_WIDE, 0, NULL, relu6},
    {"leaky_relu", OP_WIDE, 0, NULL, leaky_relu},
    {"prelu", OP_WIDE, 0, NULL, prelu},
    {"elu", OP_WIDE, 0, NULL, elu},
    {"gelu", OP_WIDE, 0, NULL, gelu},
    {"silu", OP_WIDE, 0, NULL, silu},
    {"softplus", OP_WIDE, 0, NULL, softplus},
    {"hard_sigmoid", OP_WIDE, 0, NULL, hard_sigmoid},
    {"hard_swish", OP_WIDE, 0, NULL, hard_swish},
    {"hard_tanh", OP_WIDE, 0, NULL, hard_tanh},
    {"sign", OP_WIDE, 0, NULL, sign},
    {"step", OP_WIDE, 0, NULL, step},
    {"softmax", OP_WIDE, 0, NULL, softmax},
    {"log_softmax", OP_WIDE, 0, NULL, log_softmax},
    {0},
};
