/* 1/K Σ_{j≠y} max(0, a − x_y + x_j), a being the margin; K = 1: max(0, a ∓ x) for labels 1, 0 (Weston & Watkins 1999).
 * And the same of squares. */
#include "ops/losses/loss.h"

static double several(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row, bool squared) {
    const float *x = row->x;
    const int32_t label = row->label;
    double loss = 0, pull = 0;
    for (int j = 0; j < row->outputs; j++) {
        const double m = rule->a - x[label] + x[j];
        const bool within = j != label && !(m <= 0);
        const double slope = !within ? 0 : squared ? 2 * m / row->outputs : 1.0 / row->outputs;
        if (within) loss += (squared ? m * m : m) / row->outputs;
        if (row->dx) row->dx[j] = (float)slope;
        pull += slope;
    }
    if (row->dx) row->dx[label] = (float)-pull;
    return loss;
}

/* One output: label 1 wants it above the margin, label 0 below its negative. */
static double binary(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row, bool squared) {
    const double side = row->label ? 1 : -1, m = rule->a - side * row->x[0];
    const bool within = !(m <= 0);
    if (row->dx) row->dx[0] = within ? (float)(squared ? -2 * side * m : -side) : 0;
    return within ? (squared ? m * m : m) : 0;
}

static double plain_row(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row) {
    return row->outputs == 1 ? binary(rule, row, false) : several(rule, row, false);
}
static double squared_row(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row) {
    return row->outputs == 1 ? binary(rule, row, true) : several(rule, row, true);
}

static const struct cvy_key keys[] = {CVY_LOSS_A("margin", "1", 0, 1e6, "how far ahead the label must be"),
                                      CVY_KEY_END};

#define HINGE(label, text, row_fn)                                                                                     \
    const struct cvy_loss_kind cvy_loss_##label = {                                                                    \
        .name = #label,                                                                                                \
        .purpose = text,                                                                                               \
        .keys = keys,                                                                                                  \
        .state_size = sizeof(struct cvy_loss),                                                                         \
        .form = {row_fn, .alone = CVY_ALONE_BY_SIGN},                                                                  \
        .wants = CVY_WANTS_CLASSES,                                                                                    \
        .measure = CVY_MEASURE_CLASSES,                                                                                \
    };
HINGE(hinge, "the margins that other classes come too near by (Weston & Watkins 1999)", plain_row)
HINGE(squared_hinge, "the squares of these margins", squared_row)
