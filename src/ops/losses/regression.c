/* Means over the outputs of a function of the distance d = x − t:
 *
 *   mse, l1      d² , |d|
 *   huber        d²/2 where |d| ≤ a, else a·(|d| − a/2)    Huber 1964
 *   smooth_l1    huber over a                              Girshick 2015 */
#include <math.h>

#include "ops/losses/loss.h"

/* Value and slope. */
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

static double regress(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row, distance_fn *fn) {
    double loss = 0, slope;
    for (int j = 0; j < row->outputs; j++) {
        const double d = row->x[j] - cvy_loss_target(row, j);
        loss += fn(d, rule->a, &slope);
        if (row->dx) row->dx[j] = (float)(slope / row->outputs);
        row->sum->absolute += fabs(d);
        row->sum->squared += d * d;
    }
    return loss / row->outputs;
}

static const struct cvy_key no_keys[] = {CVY_KEY_END};
static const struct cvy_key huber_keys[] = {CVY_LOSS_A("delta", "1", 1e-6, 1e6, "where squares end"), CVY_KEY_END};
static const struct cvy_key smooth_keys[] = {CVY_LOSS_A("beta", "1", 1e-6, 1e6, "where squares end"), CVY_KEY_END};

#define REGRESSION(label, text, key_table, distance)                                                                   \
    static double label##_row(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row) {                      \
        return regress(rule, row, distance);                                                                           \
    }                                                                                                                  \
    const struct cvy_loss_kind cvy_loss_##label = {                                                                    \
        .name = #label,                                                                                                \
        .purpose = text,                                                                                               \
        .keys = key_table,                                                                                             \
        .state_size = sizeof(struct cvy_loss),                                                                         \
        .form = {label##_row, .alone = CVY_ALONE_NUMBER},                                                              \
        .wants = CVY_WANTS_VALUES,                                                                                     \
        .measure = CVY_MEASURE_VALUES,                                                                                 \
    };
REGRESSION(mse, "the mean square of the differences from the target (L2)", no_keys, square)
REGRESSION(l1, "the mean absolute difference from the target", no_keys, absolute)
REGRESSION(huber, "squares up to delta, then straight on (Huber 1964)", huber_keys, huber_of)
REGRESSION(smooth_l1, "squares up to beta, then straight on; huber / beta", smooth_keys, smooth_of)
