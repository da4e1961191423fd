/* A task is some rows, as many as the number of outputs says; values in double. */
#include "kernels/losses.h"

#include <string.h>

#include "core/floats.h"
#include "core/ints.h"
#include "kernels/simd/table.h"

enum { TASK_FLOATS = 1 << 13 };

struct run {
    const struct cvy_compute *compute;
    const struct cvy_loss_rule *rule;
    const struct cvy_loss_rows *in;
    int rows;                     /* a task */
    float *dx;                    /* may be NULL */
    struct cvy_loss_result *sums; /* of each task */
};

/* ---- for forms ---- */

double cvy_loss_weight_of_class(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row) {
    if (row->values) return 1;
    if (rule->ignores && row->label == rule->ignored) return 0;
    return rule->weights ? (double)rule->weights[row->label] : 1;
}

double cvy_loss_known_share(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row) {
    int known = 0;
    if (!rule->ignores) return 1;
    if (row->values == NULL) return row->label != rule->ignored;
    for (int j = 0; j < row->outputs; j++) known += cvy_loss_knows(rule, row->values[j]);
    return (double)known / row->outputs;
}

void cvy_loss_sigmoids(const struct cvy_loss_row *row, float *out) {
    const struct cvy_act sigmoid = {.kind = CVY_ACT_SIGMOID};
    row->compute->table->tensor.act_forward[CVY_ACT_SIGMOID](&sigmoid, row->x, out, row->outputs);
}

/* ---- one row ---- */

enum { NO_HIT = 5 };

static bool right_sides(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row) {
    bool right = true;
    for (int j = 0; j < row->outputs; j++)
        if (row->values == NULL || cvy_loss_knows(rule, row->values[j]))
            right &= (row->x[j] > 0) == (cvy_loss_target(row, j) > 0.5);
    return right;
}

/* Outputs before the right one. */
static int rank_of(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row) {
    const struct cvy_loss_form *form = rule->form;
    const bool classes = row->outputs > 1 || form->alone == CVY_ALONE_SURE;
    if (classes && (row->values == NULL || form->distributions))
        return cvy_class_rank(row->x, row->outputs, row->label);
    return form->alone == CVY_ALONE_BY_SIGN && right_sides(rule, row) ? 0 : NO_HIT;
}

static struct cvy_loss_row row_at(const struct run *r, int64_t n) {
    const int outputs = r->in->outputs;
    const int64_t at = n * outputs;
    const float *values = r->in->labels ? NULL : r->in->values + at;
    const bool distribution = values && r->rule->form->distributions;
    return (struct cvy_loss_row){.compute = r->compute,
                                 .outputs = outputs,
                                 .x = r->in->x + at,
                                 .values = values,
                                 .label = r->in->labels  ? r->in->labels[n]
                                          : distribution ? cvy_largest(values, outputs)
                                                         : 0,
                                 .dx = r->dx ? r->dx + at : NULL};
}

/* Of classes with a weight of 0 that is nothing, though they are decisions. */
static double weight_of(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row) {
    return rule->form->weight ? rule->form->weight(rule, row) : 1;
}

static void run_row(const struct run *r, int64_t n, struct cvy_loss_result *sum) {
    const struct cvy_loss_rule *rule = r->rule;
    struct cvy_loss_row row = row_at(r, n);
    const double weight = weight_of(rule, &row);
    row.sum = sum;
    if (rule->ignores && (row.values ? weight == 0 : row.label == rule->ignored)) {
        if (row.dx) memset(row.dx, 0, (size_t)row.outputs * sizeof *row.dx);
        return;
    }
    const int rank = rank_of(rule, &row);
    sum->top1 += rank < 1;
    sum->top5 += rank < NO_HIT;
    sum->loss += rule->scale * rule->form->row(rule, &row);
    sum->weight += weight;
    sum->counted++;
    for (int j = 0; row.dx && rule->scale != 1 && j < row.outputs; j++) row.dx[j] = (float)(rule->scale * row.dx[j]);
}

/* ---- all of them ---- */

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct run *r = arg;
    struct cvy_loss_result sum = {0};
    const int64_t first = (int64_t)t * r->rows, end = first + r->rows < r->in->n ? first + r->rows : r->in->n;
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

void cvy_loss_run(const struct cvy_compute *compute, const struct cvy_loss_rule *rule, const struct cvy_loss_rows *rows,
                  struct cvy_loss_result *sum, float *dx, void *ws) {
    struct run r = {compute, rule, rows, rows_of_task(rows->outputs), dx, ws};
    const int tasks = tasks_of(rows->n, rows->outputs);
    cvy_parallel(compute->pool, tasks, task, &r);
    *sum = (struct cvy_loss_result){0};
    for (int t = 0; t < tasks; t++) cvy_loss_add(sum, &r.sums[t]);
}

double cvy_loss_weight(const struct cvy_loss_rule *rule, const struct cvy_loss_rows *rows) {
    const struct run r = {.rule = rule, .in = rows};
    double sum = 0;
    for (int64_t n = 0; n < rows->n; n++) {
        const struct cvy_loss_row row = row_at(&r, n);
        sum += weight_of(rule, &row);
    }
    return sum;
}
