/* A task is some rows, as many as the number of outputs says; values in double, exponentials of gradients in single
 * precision by the level's own loops (so that they have the same bits on every processor of the level). */
#include "kernels/losses.h"

#include <math.h>
#include <string.h>

#include "core/ints.h"
#include "core/floats.h"
#include "kernels/simd/table.h"

enum { TASK_FLOATS = 1 << 13, BLOCK = 256 /* exponentials at a time, on the stack */ };

struct run {
    const struct cvy_loss *loss;
    const struct cvy_kernel_table *table;
    int64_t n;
    int outputs, rows; /* rows a task */
    const struct cvy_loss_rows *in;
    float *dx;                    /* may be NULL */
    struct cvy_loss_result *sums; /* of each task */
};

struct row {
    const float *x, *values;     /* values NULL: label */
    int32_t label;               /* of a distribution its likeliest */
    float *dx;                   /* may be NULL */
    struct cvy_loss_result *sum; /* regression adds its distances */
};

/* One row: its loss, and its gradient in dx unless that is NULL. */
typedef double row_fn(const struct run *r, const struct row *row);

static double weight_of(const struct cvy_loss *loss, int32_t label) {
    if (loss->ignores && label == loss->ignored) return 0;
    return loss->weights ? (double)loss->weights[label] : 1;
}

static bool counts(const struct cvy_loss *loss, float value) {
    return !loss->ignores || value != (float)loss->ignored;
}

/* The share of a row's values that count. */
static double known_share(const struct cvy_loss *loss, const float *values, int outputs) {
    int known = 0;
    if (!loss->ignores) return 1;
    for (int j = 0; j < outputs; j++) known += counts(loss, values[j]);
    return (double)known / outputs;
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

static double target_weight(const struct run *r, const struct row *row, int j) {
    const double t = row->values ? row->values[j] : j == row->label;
    const double q = (1 - r->loss->a) * t + r->loss->a / r->outputs;
    return r->loss->weights ? q * r->loss->weights[j] : q;
}

static double softmax_xent(const struct run *r, const struct row *row) {
    const float *x = row->x;
    float *dx = row->dx;
    const float shift = maximum(x, r->outputs);
    const double sum = exponentials(r, x, shift, dx), log_sum = log(sum) + shift;
    double loss = 0, all = 0;
    for (int j = 0; j < r->outputs; j++) {
        const double q = target_weight(r, row, j);
        if (q != 0) loss += q * (log_sum - x[j]);
        all += q;
    }
    for (int j = 0; dx && j < r->outputs; j++) dx[j] = (float)(dx[j] * (all / sum) - target_weight(r, row, j));
    return loss;
}

static double nll(const struct run *r, const struct row *row) {
    const double weight = weight_of(r->loss, row->label);
    if (row->dx) {
        memset(row->dx, 0, (size_t)r->outputs * sizeof *row->dx);
        row->dx[row->label] = (float)-weight;
    }
    return -weight * row->x[row->label];
}

static double hinge(const struct run *r, const struct row *row, bool squared) {
    const double a = r->loss->a;
    const float *x = row->x;
    const int32_t label = row->label;
    double loss = 0, pull = 0;
    for (int j = 0; j < r->outputs; j++) {
        const double m = a - x[label] + x[j];
        const bool within = j != label && !(m <= 0);
        const double slope = !within ? 0 : squared ? 2 * m / r->outputs : 1.0 / r->outputs;
        if (within) loss += (squared ? m * m : m) / r->outputs;
        if (row->dx) row->dx[j] = (float)slope;
        pull += slope;
    }
    if (row->dx) row->dx[label] = (float)-pull;
    return loss;
}

/* One output: label 1 wants it above the margin, label 0 below its negative. */
static double binary_hinge(const struct run *r, const struct row *row, bool squared) {
    const double side = row->label ? 1 : -1, m = r->loss->a - side * row->x[0];
    const bool within = !(m <= 0);
    if (row->dx) row->dx[0] = within ? (float)(squared ? -2 * side * m : -side) : 0;
    return within ? (squared ? m * m : m) : 0;
}

static double plain_hinge(const struct run *r, const struct row *row) {
    return r->outputs == 1 ? binary_hinge(r, row, false) : hinge(r, row, false);
}
static double squared_hinge(const struct run *r, const struct row *row) {
    return r->outputs == 1 ? binary_hinge(r, row, true) : hinge(r, row, true);
}

/* ---- of each output by itself ---- */

static double target(const struct run *r, const struct row *row, int j) {
    if (row->values) return row->values[j];
    return r->outputs == 1 ? row->label : j == row->label;
}

/* What the weight of its positives adds to an output that is t of one. */
static double surplus(const struct run *r, int j, double t) {
    return r->loss->positives ? (r->loss->positives[j] - 1.0) * t : 0;
}

/* log(1 + e^x) − t·x, which overflows nowhere, and the surplus of log(1 + e^−x). */
static double logistic_at(const struct run *r, int j, double x, double t) {
    const double near = log1p(exp(-fabs(x))), more = surplus(r, j, t);
    const double loss = (x > 0 ? x : 0) + near - t * x;
    return more != 0 ? loss + more * ((x < 0 ? -x : 0) + near) : loss;
}

static double logistic(const struct run *r, const struct row *row) {
    const struct cvy_act sigmoid = {.kind = CVY_ACT_SIGMOID};
    float *dx = row->dx;
    double loss = 0;
    if (dx) r->table->values.act_forward[CVY_ACT_SIGMOID](&sigmoid, row->x, dx, r->outputs);
    for (int j = 0; j < r->outputs; j++) {
        const double t = target(r, row, j), more = surplus(r, j, t);
        if (row->values && !counts(r->loss, row->values[j])) {
            if (dx) dx[j] = 0;
            continue;
        }
        loss += logistic_at(r, j, row->x[j], t);
        if (dx) dx[j] = (float)((dx[j] * (1 + more) - (t + more)) / r->outputs);
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

static double regress(const struct run *r, const struct row *row, distance_fn *fn) {
    double loss = 0, slope;
    for (int j = 0; j < r->outputs; j++) {
        const double d = row->x[j] - target(r, row, j);
        loss += fn(d, r->loss->a, &slope);
        if (row->dx) row->dx[j] = (float)(slope / r->outputs);
        row->sum->absolute += fabs(d);
        row->sum->squared += d * d;
    }
    return loss / r->outputs;
}
static double mse(const struct run *r, const struct row *row) {
    return regress(r, row, square);
}
static double l1(const struct run *r, const struct row *row) {
    return regress(r, row, absolute);
}
static double huber(const struct run *r, const struct row *row) {
    return regress(r, row, huber_of);
}
static double smooth_l1(const struct run *r, const struct row *row) {
    return regress(r, row, smooth_of);
}

/* ---- the whole ---- */

/* What two classes of one output are told apart by: nothing for regression. */
static const struct {
    row_fn *fn;
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

enum { NO_HIT = 5 };

/* Outputs before the right one. */
static int rank_of(const struct run *r, const struct row *row) {
    const bool binary = kinds[r->loss->kind].binary, classes = r->outputs > 1 || r->loss->kind <= CVY_LOSS_NLL;
    bool right = binary;
    if (classes && (row->values == NULL || r->loss->kind == CVY_LOSS_SOFTMAX_XENT))
        return cvy_class_rank(row->x, r->outputs, row->label);
    for (int j = 0; j < r->outputs; j++)
        if (row->values == NULL || counts(r->loss, row->values[j]))
            right &= (row->x[j] > 0) == (target(r, row, j) > 0.5);
    return right ? 0 : NO_HIT;
}

static struct row row_at(const struct run *r, int64_t n, struct cvy_loss_result *sum) {
    const int64_t at = n * r->outputs;
    const float *values = r->in->labels ? NULL : r->in->values + at;
    const bool distribution = values && r->loss->kind == CVY_LOSS_SOFTMAX_XENT;
    return (struct row){.x = r->in->x + at,
                        .values = values,
                        .label = r->in->labels  ? r->in->labels[n]
                                 : distribution ? cvy_largest(values, r->outputs)
                                                : 0,
                        .dx = r->dx ? r->dx + at : NULL,
                        .sum = sum};
}

/* What a row counts in the mean; of classes with a weight of 0 that is nothing, though they are decisions. */
static double weight_at(const struct cvy_loss *loss, const struct cvy_loss_rows *rows, int64_t n) {
    return rows->labels ? weight_of(loss, rows->labels[n])
                        : known_share(loss, rows->values + n * rows->outputs, rows->outputs);
}

static void run_row(const struct run *r, int64_t n, struct cvy_loss_result *sum) {
    const struct row row = row_at(r, n, sum);
    const double weight = weight_at(r->loss, r->in, n);
    if (r->loss->ignores && (row.values ? weight == 0 : row.label == r->loss->ignored)) {
        if (row.dx) memset(row.dx, 0, (size_t)r->outputs * sizeof *row.dx);
        return;
    }
    const int rank = rank_of(r, &row);
    sum->top1 += rank < 1;
    sum->top5 += rank < NO_HIT;
    sum->loss += r->loss->scale * kinds[r->loss->kind].fn(r, &row);
    sum->weight += weight;
    sum->counted++;
    for (int j = 0; row.dx && r->loss->scale != 1 && j < r->outputs; j++)
        row.dx[j] = (float)(r->loss->scale * row.dx[j]);
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct run *r = arg;
    struct cvy_loss_result sum = {0};
    const int64_t first = (int64_t)t * r->rows, end = first + r->rows < r->n ? first + r->rows : r->n;
    for (int64_t n = first; n < end; n++) run_row(r, n, &sum);
    r->sums[t] = sum;
}

static int rows_of_task(int outputs) {
    return TASK_FLOATS / outputs + 1;
}
static int tasks_of(int64_t n, int outputs) {
    return (int)cvy_ceil_div(n, rows_of_task(outputs));
}

size_t cvy_loss_workspace(int64_t n, int outputs) {
    return (size_t)tasks_of(n, outputs) * sizeof(struct cvy_loss_result);
}

void cvy_loss_run(const struct cvy_compute *compute, const struct cvy_loss *loss, const struct cvy_loss_rows *rows,
                  struct cvy_loss_result *sum, float *dx, void *ws) {
    struct run r = {.loss = loss,
                    .table = compute->table,
                    .n = rows->n,
                    .outputs = rows->outputs,
                    .rows = rows_of_task(rows->outputs),
                    .in = rows,
                    .dx = dx,
                    .sums = ws};
    const int tasks = tasks_of(rows->n, rows->outputs);
    cvy_parallel(compute->pool, tasks, task, &r);
    *sum = (struct cvy_loss_result){0};
    for (int t = 0; t < tasks; t++) {
        sum->loss += r.sums[t].loss;
        sum->weight += r.sums[t].weight;
        sum->counted += r.sums[t].counted;
        sum->top1 += r.sums[t].top1;
        sum->top5 += r.sums[t].top5;
        sum->absolute += r.sums[t].absolute;
        sum->squared += r.sums[t].squared;
    }
}

double cvy_loss_weight(const struct cvy_loss *loss, const struct cvy_loss_rows *rows) {
    double sum = 0;
    for (int64_t i = 0; i < rows->n; i++) sum += weight_at(loss, rows, i);
    return sum;
}
