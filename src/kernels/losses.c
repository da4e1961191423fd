/* A task is some samples; values in double, exponentials of gradients in single precision by the level's own loops (so
 * that they have the same bits on every processor of the level). */
#include "kernels/losses.h"

#include <math.h>
#include <string.h>

#include "kernels/table.h"

enum { TASK_FLOATS = 1 << 13, BLOCK = 256 /* exponentials at a time, on the stack */ };

struct outcome {
    double loss, weight;
    int rank; /* outputs before the right one */
};

struct run {
    const struct cvy_loss *loss;
    const struct cvy_kernel_table *table;
    int n, outputs, samples; /* samples a task */
    const float *x;
    const int32_t *labels;
    float *dx; /* may be NULL */
    struct outcome *outcomes;
};

/* One sample: its loss, and its gradient in dx unless that is NULL. */
typedef double sample_fn(const struct run *r, const float *x, int32_t label, float *dx);

static double weight_of(const struct cvy_loss *loss, int32_t label) {
    if (loss->ignores && label == loss->ignored) return 0;
    return loss->weights ? (double)loss->weights[label] : 1;
}

/* ---- of classes ---- */

static float maximum(const float *x, int count) {
    float most = x[0];
    for (int i = 1; i < count; i++)
        if (!(x[i] <= most)) most = x[i];
    return most;
}

/* Σ exp(x − shift); the exponentials go to `out` unless it is NULL. */
static double exponentials(const struct run *r, const float *x, float shift, float *out) {
    float block[BLOCK];
    double sum = 0;
    for (int i = 0; i < r->outputs; i += BLOCK) {
        const int size = r->outputs - i < BLOCK ? r->outputs - i : BLOCK;
        float *y = out ? out + i : block;
        r->table->exp_minus(x + i, shift, y, size);
        for (int j = 0; j < size; j++) sum += y[j];
    }
    return sum;
}

static double target_weight(const struct run *r, int32_t label, int j) {
    const double smooth = r->loss->a / r->outputs, q = j == label ? 1 - r->loss->a + smooth : smooth;
    return r->loss->weights ? q * r->loss->weights[j] : q;
}

static double softmax_xent(const struct run *r, const float *x, int32_t label, float *dx) {
    const float shift = maximum(x, r->outputs);
    const double sum = exponentials(r, x, shift, dx), log_sum = log(sum) + shift;
    double loss = 0, all = 0;
    for (int j = 0; j < r->outputs; j++) {
        const double q = target_weight(r, label, j);
        if (q != 0) loss += q * (log_sum - x[j]);
        all += q;
    }
    for (int j = 0; dx && j < r->outputs; j++) dx[j] = (float)(dx[j] * (all / sum) - target_weight(r, label, j));
    return loss;
}

static double nll(const struct run *r, const float *x, int32_t label, float *dx) {
    const double weight = weight_of(r->loss, label);
    if (dx) {
        memset(dx, 0, (size_t)r->outputs * sizeof *dx);
        dx[label] = (float)-weight;
    }
    return -weight * x[label];
}

static double hinge(const struct run *r, const float *x, int32_t label, float *dx, bool squared) {
    const double a = r->loss->a;
    double loss = 0, pull = 0;
    for (int j = 0; j < r->outputs; j++) {
        const double m = a - x[label] + x[j];
        const bool within = j != label && !(m <= 0);
        const double slope = !within ? 0 : squared ? 2 * m / r->outputs : 1.0 / r->outputs;
        if (within) loss += (squared ? m * m : m) / r->outputs;
        if (dx) dx[j] = (float)slope;
        pull += slope;
    }
    if (dx) dx[label] = (float)-pull;
    return loss;
}

/* One output: label 1 wants it above the margin, label 0 below its negative. */
static double binary_hinge(const struct run *r, const float *x, int32_t label, float *dx, bool squared) {
    const double side = label ? 1 : -1, m = r->loss->a - side * x[0];
    const bool within = !(m <= 0);
    if (dx) dx[0] = within ? (float)(squared ? -2 * side * m : -side) : 0;
    return within ? (squared ? m * m : m) : 0;
}

static double plain_hinge(const struct run *r, const float *x, int32_t label, float *dx) {
    return r->outputs == 1 ? binary_hinge(r, x, label, dx, false) : hinge(r, x, label, dx, false);
}
static double squared_hinge(const struct run *r, const float *x, int32_t label, float *dx) {
    return r->outputs == 1 ? binary_hinge(r, x, label, dx, true) : hinge(r, x, label, dx, true);
}

/* ---- of each output by itself ---- */

static double target(const struct run *r, int32_t label, int j) {
    return r->outputs == 1 ? label : j == label;
}

/* log(1 + e^x) − t·x, which overflows nowhere. */
static double logistic(const struct run *r, const float *x, int32_t label, float *dx) {
    const struct cvy_act sigmoid = {.kind = CVY_ACT_SIGMOID};
    double loss = 0;
    for (int j = 0; j < r->outputs; j++)
        loss += (x[j] > 0 ? x[j] : 0) + log1p(exp(-fabs((double)x[j]))) - target(r, label, j) * x[j];
    if (dx) {
        r->table->act_forward[CVY_ACT_SIGMOID](&sigmoid, x, dx, r->outputs);
        for (int j = 0; j < r->outputs; j++) dx[j] = (float)((dx[j] - target(r, label, j)) / r->outputs);
    }
    return loss / r->outputs;
}

/* Value and slope of a function of the distance. */
typedef double distance_fn(double d, double a, double *slope);

static double square(double d, double a, double *slope) {
    (void)a;
    *slope = 2 * d;
    return d * d;
}
static double absolute(double d, double a, double *slope) {
    (void)a;
    *slope = (d > 0) - (d < 0);
    return fabs(d);
}
static double huber_of(double d, double a, double *slope) {
    const bool near = fabs(d) <= a;
    *slope = near ? d : d > 0 ? a : -a;
    return near ? d * d / 2 : a * (fabs(d) - a / 2);
}
static double smooth_of(double d, double a, double *slope) {
    const double value = huber_of(d, a, slope);
    *slope /= a;
    return value / a;
}

static double regress(const struct run *r, const float *x, int32_t label, float *dx, distance_fn *fn) {
    double loss = 0, slope;
    for (int j = 0; j < r->outputs; j++) {
        loss += fn(x[j] - target(r, label, j), r->loss->a, &slope);
        if (dx) dx[j] = (float)(slope / r->outputs);
    }
    return loss / r->outputs;
}
static double mse(const struct run *r, const float *x, int32_t label, float *dx) {
    return regress(r, x, label, dx, square);
}
static double l1(const struct run *r, const float *x, int32_t label, float *dx) {
    return regress(r, x, label, dx, absolute);
}
static double huber(const struct run *r, const float *x, int32_t label, float *dx) {
    return regress(r, x, label, dx, huber_of);
}
static double smooth_l1(const struct run *r, const float *x, int32_t label, float *dx) {
    return regress(r, x, label, dx, smooth_of);
}

/* ---- the whole ---- */

/* What two labels of one output are told apart by: nothing for regression. */
static const struct {
    sample_fn *fn;
    bool binary;
} kinds[] = {
    [CVY_LOSS_SOFTMAX_XENT] = {softmax_xent, false},
    [CVY_LOSS_NLL] = {nll, false},
    [CVY_LOSS_LOGISTIC] = {logistic, true},
    [CVY_LOSS_HINGE] = {plain_hinge, true},
    [CVY_LOSS_SQUARED_HINGE] = {squared_hinge, true},
    [CVY_LOSS_MSE] = {mse, false},
    [CVY_LOSS_L1] = {l1, false},
    [CVY_LOSS_HUBER] = {huber, false},
    [CVY_LOSS_SMOOTH_L1] = {smooth_l1, false},
};

static int rank_of(const struct run *r, const float *x, int32_t label) {
    const bool classes = r->outputs > 1 || r->loss->kind <= CVY_LOSS_NLL;
    if (classes) return cvy_class_rank(x, r->outputs, label);
    return kinds[r->loss->kind].binary && (x[0] > 0) == (label == 1) ? 0 : 5;
}

static void run_sample(const struct run *r, int n) {
    const int32_t label = r->labels[n];
    const float *x = r->x + (int64_t)n * r->outputs;
    float *dx = r->dx ? r->dx + (int64_t)n * r->outputs : NULL;
    r->outcomes[n] = (struct outcome){.rank = 5};
    if (r->loss->ignores && label == r->loss->ignored) {
        if (dx) memset(dx, 0, (size_t)r->outputs * sizeof *dx);
        return;
    }
    r->outcomes[n].loss = r->loss->scale * kinds[r->loss->kind].fn(r, x, label, dx);
    r->outcomes[n].weight = weight_of(r->loss, label);
    r->outcomes[n].rank = rank_of(r, x, label);
    for (int j = 0; dx && r->loss->scale != 1 && j < r->outputs; j++) dx[j] = (float)(r->loss->scale * dx[j]);
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct run *r = arg;
    for (int n = t * r->samples; n < r->n && n < (t + 1) * r->samples; n++) run_sample(r, n);
}

size_t cvy_loss_workspace(int n, int outputs) {
    (void)outputs;
    return (size_t)n * sizeof(struct outcome);
}

void cvy_loss_run(const struct cvy_compute *compute, const struct cvy_loss *loss, int n, int outputs, const float *x,
                  const int32_t *labels, struct cvy_xent_result *sum, float *dx, void *ws) {
    struct run r = {.loss = loss,
                    .table = compute->table,
                    .n = n,
                    .outputs = outputs,
                    .samples = TASK_FLOATS / outputs + 1,
                    .x = x,
                    .labels = labels,
                    .dx = dx,
                    .outcomes = ws};
    cvy_parallel(compute->pool, (n + r.samples - 1) / r.samples, task, &r);
    *sum = (struct cvy_xent_result){0};
    for (int i = 0; i < n; i++) {
        sum->loss += r.outcomes[i].loss;
        sum->weight += r.outcomes[i].weight;
        sum->top1 += r.outcomes[i].rank < 1;
        sum->top5 += r.outcomes[i].rank < 5;
    }
}

double cvy_loss_weight(const struct cvy_loss *loss, int n, const int32_t *labels) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += weight_of(loss, labels[i]);
    return sum;
}
