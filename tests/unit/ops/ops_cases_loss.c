/* Cases and formulas of the losses. Labels of the three samples are 3, 8, 13 modulo the classes. */
#include <math.h>
#include <stdlib.h>

#include "unit/ops/ops_cases.h"

const struct op_case op_cases_loss[] = {
    {"softmax_cross_entropy", "", {{1, 1, 10}}},
    {"softmax_cross_entropy", "{label_smoothing: 0.1}", {{1, 1, 17}}},
    {"softmax_cross_entropy", "", {{1, 1, 1}}},
    {"softmax_cross_entropy", "{class_weights: [0.5, 2, 1, 4, 0.25]}", {{1, 1, 5}}},
    {"softmax_cross_entropy", "{class_weights: [0, 1, 2, 3], label_smoothing: 0.2, ignore_label: 1}", {{1, 1, 4}}},
    {"softmax_cross_entropy", "{ignore_label: 8}", {{1, 1, 300}}},
    {"softmax_cross_entropy", "{ignore_label: 3}", {{1, 1, 5}}}, /* all of them */
    {"nll", "", {{1, 1, 7}}},
    {"nll", "{class_weights: [1, 0.5, 3, 2, 0, 1, 7, 8, 9], ignore_label: 4}", {{1, 1, 9}}},
    {"logistic", "", {{1, 1, 1}}},
    {"logistic", "", {{1, 1, 19}}},
    {"logistic", "{pos_weight: 2.5}", {{1, 1, 1}}},
    {"logistic", "{pos_weight: [0, 1, 2, 0.5, 9], ignore_label: 3}", {{1, 1, 5}}},
    {"hinge", "", {{1, 1, 1}}},
    {"hinge", "", {{1, 1, 7}}}, /* an odd number, so that no two values are 1 apart: a kink */
    {"hinge", "{margin: 0.2}", {{1, 1, 33}}},
    {"squared_hinge", "", {{1, 1, 1}}},
    {"squared_hinge", "{margin: 0.5}", {{1, 1, 18}}},
    {"mse", "", {{1, 1, 1}}},
    {"mse", "", {{2, 3, 3}}},
    {"l1", "", {{1, 1, 10}}},
    {"l1", "", {{1, 1, 1}}},
    {"huber", "", {{1, 1, 1}}},
    {"huber", "{delta: 0.37}", {{1, 1, 17}}},
    {"smooth_l1", "", {{1, 1, 9}}},
    {"smooth_l1", "{beta: 0.21}", {{1, 4, 4}}},
    {0},
};

static int outputs(const struct op_math *m) {
    return (int)cvy_shape_count(m->in);
}

/* y[0] = Σ over the samples. */
typedef double sample_fn(const struct op_math *m, const double *x, int label);

static void sum(const struct op_math *m, sample_fn *fn, double *y) {
    y[0] = 0;
    for (int n = 0; n < m->n; n++) y[0] += fn(m, m->x[0] + n * outputs(m), m->labels[n]);
}

/* ---- classes with weights: a mean over the weights, times the samples ---- */

static double weight(const struct op_math *m, int class) {
    const struct cvy_node *list = cvy_node_get(m->body, "class_weights");
    return list ? strtod(list->items[class]->text, NULL) : 1;
}
static bool ignored(const struct op_math *m, int label) {
    const struct cvy_node *node = cvy_node_get(m->body, "ignore_label");
    return node && atoi(node->text) == label;
}

static void weighted(const struct op_math *m, sample_fn *fn, double *y) {
    double all = 0, loss = 0;
    for (int n = 0; n < m->n; n++) {
        if (ignored(m, m->labels[n])) continue;
        loss += fn(m, m->x[0] + n * outputs(m), m->labels[n]);
        all += weight(m, m->labels[n]);
    }
    y[0] = all > 0 ? loss / all * m->n : 0;
}

static double softmax_sample(const struct op_math *m, const double *x, int label) {
    double smoothing = op_setting(m, "label_smoothing", "", 0, 0), all = 0, most = -INFINITY, loss = 0;
    for (int j = 0; j < m->in.c; j++) most = fmax(most, x[j]);
    for (int j = 0; j < m->in.c; j++) all += exp(x[j] - most);
    for (int j = 0; j < m->in.c; j++) {
        double target = smoothing / m->in.c + (j == label ? 1 - smoothing : 0);
        loss -= weight(m, j) * target * (x[j] - most - log(all));
    }
    return loss;
}
static void softmax_cross_entropy(const struct op_math *m, double *y) {
    weighted(m, softmax_sample, y);
}

static double nll_sample(const struct op_math *m, const double *x, int label) {
    return -weight(m, label) * x[label];
}
static void nll(const struct op_math *m, double *y) {
    weighted(m, nll_sample, y);
}

/* ---- the others ---- */

static double hinge_power(const struct op_math *m, const double *x, int label, double power) {
    double margin = op_setting(m, "margin", "", 0, 1), loss = 0;
    if (outputs(m) == 1) return pow(fmax(0, margin - (label ? x[0] : -x[0])), power);
    for (int j = 0; j < outputs(m); j++)
        if (j != label) loss += pow(fmax(0, margin - x[label] + x[j]), power);
    return loss / outputs(m);
}
static double hinge_sample(const struct op_math *m, const double *x, int label) {
    return hinge_power(m, x, label, 1);
}
static double squared_sample(const struct op_math *m, const double *x, int label) {
    return hinge_power(m, x, label, 2);
}

static double target(const struct op_math *m, int label, int j) {
    return outputs(m) == 1 ? label : j == label;
}

static double pos_weight(const struct op_math *m, int j) {
    const struct cvy_node *node = cvy_node_get(m->body, "pos_weight");
    if (node == NULL) return 1;
    return strtod(node->kind == CVY_NODE_LIST ? node->items[j]->text : node->text, NULL);
}
static double logistic_sample(const struct op_math *m, const double *x, int label) {
    double loss = 0;
    for (int j = 0; j < outputs(m); j++) {
        double p = 1 / (1 + exp(-x[j])), t = target(m, label, j);
        loss -= pos_weight(m, j) * t * log(p) + (1 - t) * log(1 - p);
    }
    return loss / outputs(m);
}
static void logistic(const struct op_math *m, double *y) {
    weighted(m, logistic_sample, y); /* no class has a weight of its own */
}
static double mse_sample(const struct op_math *m, const double *x, int label) {
    double loss = 0;
    for (int j = 0; j < outputs(m); j++) loss += pow(x[j] - target(m, label, j), 2);
    return loss / outputs(m);
}
static double l1_sample(const struct op_math *m, const double *x, int label) {
    double loss = 0;
    for (int j = 0; j < outputs(m); j++) loss += fabs(x[j] - target(m, label, j));
    return loss / outputs(m);
}
static double huber_width(const struct op_math *m, const double *x, int label, double width) {
    double loss = 0;
    for (int j = 0; j < outputs(m); j++) {
        double d = fabs(x[j] - target(m, label, j));
        loss += d <= width ? d * d / 2 : width * (d - width / 2);
    }
    return loss / outputs(m);
}
static double huber_sample(const struct op_math *m, const double *x, int label) {
    return huber_width(m, x, label, op_setting(m, "delta", "", 0, 1));
}
static double smooth_sample(const struct op_math *m, const double *x, int label) {
    double beta = op_setting(m, "beta", "", 0, 1);
    return huber_width(m, x, label, beta) / beta;
}

#define SUM(name, fn)                                                                                                  \
    static void name(const struct op_math *m, double *y) {                                                             \
        sum(m, fn, y);                                                                                                 \
    }
SUM(hinge, hinge_sample)
SUM(squared_hinge, squared_sample)
SUM(mse, mse_sample)
SUM(l1, l1_sample)
SUM(huber, huber_sample)
SUM(smooth_l1, smooth_sample)

const struct op_reference op_references_loss[] = {
    {"softmax_cross_entropy", 0, 2, NULL, softmax_cross_entropy},
    {"nll", 0, 2, NULL, nll},
    {"logistic", 0, 2, NULL, logistic},
    {"hinge", 0, 2, NULL, hinge},
    {"squared_hinge", 0, 2, NULL, squared_hinge},
    {"mse", 0, 2, NULL, mse},
    {"l1", 0, 2, NULL, l1},
    {"huber", 0, 2, NULL, huber},
    {"smooth_l1", 0, 2, NULL, smooth_l1},
    {0},
};
