/* Schedules that run along a curve from a peak to a floor after the warm-up: polynomial, cosine, cosine_restarts. */
#include <math.h>
#include <stddef.h>

#include "optim/schedule.h"

struct curve {
    double peak, floor, warmup_epochs, power, first_epochs, decay;
    int64_t multiply;
};

#define REAL(name, fallback, low, help) CVY_SCHEDULE_REAL(struct curve, name, fallback, low, help)
#define COMMON                                                                                                         \
    REAL(peak, NULL, 0, "the highest learning rate"), REAL(floor, "0", 0, "the lowest one"),                           \
        CVY_SCHEDULE_WARMUP(struct curve)

/* The share of what is left after the warm-up that is done. */
static double done(const struct curve *c, struct cvy_progress p) {
    double rest = p.epochs - c->warmup_epochs, share = rest > 0 ? (p.epoch - c->warmup_epochs) / rest : 1;
    return share < 1 ? share : 1;
}

static bool warming(const struct curve *c, struct cvy_progress p, double *rate) {
    *rate = c->peak * cvy_schedule_warm(p.epoch, c->warmup_epochs);
    return p.epoch < c->warmup_epochs;
}

/* From 1 to 0 (Loshchilov & Hutter 2017). */
static double half_cosine(double share) {
    return 0.5 * (1 + cos(3.14159265358979323846 * share));
}

/* ---- polynomial ---- */

static const struct cvy_key polynomial_keys[] = {COMMON, REAL(power, "1", 0, "1: a straight line"), CVY_KEY_END};
static double polynomial_at(const void *state, struct cvy_progress p) {
    const struct curve *c = state;
    double rate;
    if (warming(c, p, &rate)) return rate;
    return c->floor + (c->peak - c->floor) * pow(1 - done(c, p), c->power);
}
const struct cvy_schedule_kind cvy_schedule_polynomial = {.name = "polynomial",
                                                          .purpose =
                                                              "from the peak to the floor, as a power of what is left",
                                                          .keys = polynomial_keys,
                                                          .state_size = sizeof(struct curve),
                                                          .needs_end = true,
                                                          .at = polynomial_at};

/* ---- cosine: one cycle over the whole training ---- */

static const struct cvy_key cosine_keys[] = {COMMON, CVY_KEY_END};
static double cosine_at(const void *state, struct cvy_progress p) {
    const struct curve *c = state;
    double rate;
    if (warming(c, p, &rate)) return rate;
    return c->floor + (c->peak - c->floor) * half_cosine(done(c, p));
}
const struct cvy_schedule_kind cvy_schedule_cosine = {.name = "cosine",
                                                      .purpose = "from the peak to the floor along half a cosine",
                                                      .keys = cosine_keys,
                                                      .state_size = sizeof(struct curve),
                                                      .needs_end = true,
                                                      .at = cosine_at};

/* ---- cosine_restarts: cycles, each `multiply` times as long as the one before and `decay` times as high ---- */

static const struct cvy_key restarts_keys[] = {
    COMMON,
    REAL(first_epochs, NULL, 1e-3, "the length of the first cycle"),
    {"multiply", CVY_KEY_INT, offsetof(struct curve, multiply), "1", 1, 1000, NULL,
     "how much longer each cycle is than the last"},
    {"decay", CVY_KEY_REAL, offsetof(struct curve, decay), "1", 0, 1, NULL, "how high each cycle is beside the last"},
    CVY_KEY_END};

static double restarts_at(const void *state, struct cvy_progress p) {
    const struct curve *c = state;
    double rate, length = c->first_epochs, at = p.epoch - c->warmup_epochs, cycle = 0;
    if (warming(c, p, &rate)) return rate;
    if (c->multiply == 1) {
        cycle = floor(at / length);
        at -= cycle * length;
    }
    for (; c->multiply > 1 && at >= length; cycle++) {
        at -= length;
        length *= (double)c->multiply;
    }
    double height = c->peak * pow(c->decay, cycle) - c->floor;
    return c->floor + (height > 0 ? height : 0) * half_cosine(at / length);
}
static void restarts_doubt(const void *state, double epochs, const struct cvy_node *place,
                           struct cvy_findings *findings) {
    const struct curve *c = state;
    const double left = epochs - c->warmup_epochs;
    if (left > 0 && c->first_epochs > left)
        cvy_find(findings, place,
                 "learning_rate: cosine_restarts: first_epochs %g is more than the %g %s of the run%s: the first "
                 "cycle does not end; lower it or raise train.epochs",
                 c->first_epochs, left, cvy_plural(left, "epoch", "epochs"),
                 c->warmup_epochs > 0 ? " behind the warm-up" : "");
}
const struct cvy_schedule_kind cvy_schedule_cosine_restarts = {
    .name = "cosine_restarts",
    .purpose = "cosines one after the other, each as long as the last or longer (SGDR)",
    .keys = restarts_keys,
    .state_size = sizeof(struct curve),
    .at = restarts_at,
    .doubt = restarts_doubt};
