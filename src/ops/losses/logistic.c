/* 1/K Σ_j p_j·t_j·log(1 + e^−x_j) + (1 − t_j)·log(1 + e^x_j); p: weights of positives. */
#include <math.h>

#include "ops/losses/loss.h"

/* What the weight of its positives adds to an output that is t of one. */
static double surplus(const struct cvy_loss_rule *rule, int j, double t) {
    return rule->weights ? (rule->weights[j] - 1.0) * t : 0;
}

/* log(1 + e^x) − t·x, which overflows nowhere, and the surplus of log(1 + e^−x). */
static double at(double x, double t, double more) {
    const double near = log1p(exp(-fabs(x)));
    const double loss = (x > 0 ? x : 0) + near - t * x;
    return more != 0 ? loss + more * ((x < 0 ? -x : 0) + near) : loss;
}

static double row(const struct cvy_loss_rule *rule, const struct cvy_loss_row *r) {
    float *dx = r->dx;
    double loss = 0;
    if (dx) cvy_loss_sigmoids(r, dx);
    for (int j = 0; j < r->outputs; j++) {
        const double t = cvy_loss_target(r, j), more = surplus(rule, j, t);
        if (r->values && !cvy_loss_knows(rule, r->values[j])) {
            if (dx) dx[j] = 0;
            continue;
        }
        loss += at(r->x[j], t, more);
        if (dx) dx[j] = (float)((dx[j] * (1 + more) - (t + more)) / r->outputs);
    }
    return loss / r->outputs;
}

static void infer(struct cvy_loss *loss, struct cvy_op *op, struct cvy_findings *findings) {
    const int outputs = op->in[0].c;
    if (loss->weights) {
        if (!cvy_loss_is_weight(loss->weights) && !cvy_loss_are_weights(loss->weights, outputs))
            cvy_find(findings, loss->weights,
                     "%s: pos_weight: expected a number from 0 to 1e6, or a list of %d of them, one an output",
                     op->name, outputs);
        cvy_loss_want_weights(op);
    }
    cvy_loss_check_ignored(loss, op, findings);
}

static bool suits(const struct cvy_loss *loss, const float *values, char why[CVY_LOSS_WHY]) {
    return cvy_loss_suits_shares(
        loss, values,
        "labels from 0 to 1; name what stands for an unknown one as ignore_label, or choose mse for values", why);
}

static void describe(const struct cvy_loss *loss, struct cvy_buf *out) {
    const struct cvy_node *positives = loss->weights;
    if (loss->ignores) cvy_buf_printf(out, "ignore%d ", loss->ignored);
    if (positives && positives->kind == CVY_NODE_SCALAR) cvy_buf_printf(out, "p%s ", positives->text);
    for (size_t i = 0; positives && i < positives->count; i++) cvy_buf_printf(out, "p%s ", positives->items[i]->text);
}

static const struct cvy_key keys[] = {
    CVY_LOSS_KEY("pos_weight", weights, "what a yes counts beside a no: a number, or one an output"),
    CVY_LOSS_KEY("ignore_label", unlabeled, "the value of a label that is not known and does not count"), CVY_KEY_END};

static const struct cvy_loss_trap traps[] = {
    {"sigmoid", false, "this loss applies a sigmoid itself, and twice it learns badly", "leave", " out, or take mse"},
    {"hard_sigmoid", false, CVY_TRAP_SQUEEZED, "leave", " out, or take mse"},
    {"softmax", false, CVY_TRAP_SQUEEZED, "leave", " out, or take mse"},
    {"log_softmax", false, "this loss takes scores of any size, and below 0 it never says yes", "leave", " out"},
    {0}};

const struct cvy_loss_kind cvy_loss_logistic = {
    .name = "logistic",
    .purpose = "cross-entropy of a sigmoid for each output: two classes with one output, one class against the rest, "
               "or several at once",
    .keys = keys,
    .state_size = sizeof(struct cvy_loss),
    .form = {row, cvy_loss_known_share, CVY_ALONE_BY_SIGN},
    .wants = CVY_WANTS_EITHER,
    .measure = CVY_MEASURE_LABELS,
    .likelihood = true,
    .traps = traps,
    .infer = infer,
    .suits = suits,
    .describe = describe,
};
