/* −Σ_j w_j·q_j·log softmax(x)_j with q = (1 − a)·t + a/K; a: label smoothing, w: class weights. To it the values of a
 * row are a distribution over the classes, of which class weights weigh the terms but not the mean, as PyTorch has it.
 */
#include <math.h>
#include <stdio.h>

#include "ops/losses/loss.h"

static double term(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row, int j) {
    const double t = row->values ? row->values[j] : j == row->label;
    const double q = (1 - rule->a) * t + rule->a / row->outputs;
    return rule->weights ? q * rule->weights[j] : q;
}

static double row(const struct cvy_loss_rule *rule, const struct cvy_loss_row *r) {
    const float *x = r->x;
    float *dx = r->dx;
    const float shift = cvy_class_most(x, r->outputs);
    const double sum = cvy_class_exp_sum(r->compute, x, shift, r->outputs, dx), log_sum = log(sum) + shift;
    double loss = 0, all = 0;
    for (int j = 0; j < r->outputs; j++) {
        const double q = term(rule, r, j);
        if (q != 0) loss += q * (log_sum - x[j]);
        all += q;
    }
    for (int j = 0; dx && j < r->outputs; j++) dx[j] = (float)(dx[j] * (all / sum) - term(rule, r, j));
    return loss;
}

/* A class for each sample, without weights. */
static bool run(const struct cvy_op *op, const struct cvy_call *call, const struct cvy_loss_rows *rows,
                struct cvy_loss_result *sum, float *dx) {
    const struct cvy_loss *loss = op->state;
    if (rows->labels == NULL || op->partial_forward || rows->n != call->n) return false;
    const struct cvy_softmax_xent of = {call->n, rows->outputs, rows->x, rows->labels, (float)loss->a};
    cvy_softmax_xent(call->compute, &of, sum, dx, call->workspace);
    sum->counted = call->n;
    return true;
}

static size_t workspace(const struct cvy_loss *loss, int n) {
    return cvy_softmax_xent_workspace(n, loss->in.c);
}

static bool suits(const struct cvy_loss *loss, const float *values, char why[CVY_LOSS_WHY]) {
    double sum = 0;
    for (int j = 0; j < loss->in.c; j++) sum += values[j];
    if (!cvy_loss_suits_shares(loss, values, "distributions, from 0 to 1; choose mse for values", why)) return false;
    if (fabs(sum - 1) <= 0.01) return true;
    snprintf(why, CVY_LOSS_WHY,
             "a target that sums to %g, and %s takes distributions, which sum to 1; choose logistic for several labels "
             "at once, mse for values",
             sum, loss->kind->name);
    return false;
}

static const struct cvy_key keys[] = {CVY_LOSS_A("label_smoothing", "0", 0, 0.999, "the share spread over all classes"),
                                      CVY_LOSS_KEY("class_weights", weights, "a number a class"),
                                      CVY_LOSS_KEY("ignore_label", unlabeled, "what does not count"), CVY_KEY_END};

static const struct cvy_loss_trap traps[] = {{"softmax", false,
                                              "this loss applies a softmax itself, and twice it learns badly", "leave",
                                              " out, or take nll with log_softmax"},
                                             {"sigmoid", false, CVY_TRAP_SQUEEZED, "leave", " out"},
                                             {"hard_sigmoid", false, CVY_TRAP_SQUEEZED, "leave", " out"},
                                             {0}};

const struct cvy_loss_kind cvy_loss_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .purpose = "-log of the label's softmax probability, of a sample or of each pixel, or its mean by a distribution "
               "over all classes; give it scores",
    .keys = keys,
    .state_size = sizeof(struct cvy_loss),
    .form = {row, cvy_loss_weight_of_class, CVY_ALONE_SURE, .distributions = true},
    .wants = CVY_WANTS_CLASSES,
    .measure = CVY_MEASURE_CLASSES,
    .likelihood = true,
    .traps = traps,
    .infer = cvy_loss_check_classes,
    .suits = suits,
    .run = run,
    .workspace = workspace,
    .describe = cvy_loss_describe_classes,
};
