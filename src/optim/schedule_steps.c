/* Schedules that start at a value and go down by factors: constant, step, multi_step, exponential. */
#include <math.h>
#include <stddef.h>

#include "optim/schedule.h"

enum { MILESTONES = 64 };

struct steps {
    double value, warmup_epochs, every_epochs, factor;
    const struct cvy_node *milestones;
    double at[MILESTONES]; /* the milestones read */
    int count;
};

#define REAL(name, fallback, low, help) CVY_SCHEDULE_REAL(struct steps, name, fallback, low, help)
#define WARMUP                          CVY_SCHEDULE_WARMUP(struct steps)

static double warm(const struct steps *s, struct cvy_progress p) {
    return s->value * cvy_schedule_warm(p.epoch, s->warmup_epochs);
}

/* ---- constant ---- */

static const struct cvy_key constant_keys[] = {REAL(value, NULL, 0, "the learning rate"), WARMUP, CVY_KEY_END};
static double constant_at(const void *state, struct cvy_progress p) {
    return warm(state, p);
}
const struct cvy_schedule_kind cvy_schedule_constant = {
    .name = "constant",
    .purpose = "the same rate throughout; `learning_rate: 0.1` is short for it",
    .keys = constant_keys,
    .state_size = sizeof(struct steps),
    .at = constant_at};

/* ---- step: × factor every so many epochs ---- */

static const struct cvy_key step_keys[] = {
    REAL(value, NULL, 0, "the first learning rate"), REAL(every_epochs, NULL, 1e-6, "epochs from one to the next"),
    REAL(factor, "0.1", 0, "what the rate is multiplied by"), WARMUP, CVY_KEY_END};
static double step_at(const void *state, struct cvy_progress p) {
    const struct steps *s = state;
    return warm(s, p) * pow(s->factor, floor(p.epoch / s->every_epochs));
}
static void step_doubt(const void *state, double epochs, const struct cvy_node *place, struct cvy_findings *findings) {
    const struct steps *s = state;
    if (s->every_epochs >= epochs)
        cvy_find(findings, place,
                 "learning_rate: step: every_epochs %g is not over before the run of %g %s is: the rate stays "
                 "as it is; lower it or raise train.epochs",
                 s->every_epochs, epochs, cvy_plural(epochs, "epoch", "epochs"));
}
const struct cvy_schedule_kind cvy_schedule_step = {.name = "step",
                                                    .purpose = "times factor every so many epochs",
                                                    .keys = step_keys,
                                                    .state_size = sizeof(struct steps),
                                                    .at = step_at,
                                                    .doubt = step_doubt};

/* ---- multi_step: × factor at each milestone ---- */

static const struct cvy_key multi_step_keys[] = {REAL(value, NULL, 0, "the first learning rate"),
                                                 {"milestones", CVY_KEY_NODE, offsetof(struct steps, milestones), NULL,
                                                  CVY_KEY_ANY, NULL, "a list of epochs at which the rate goes down"},
                                                 REAL(factor, "0.1", 0, "what the rate is multiplied by"),
                                                 WARMUP,
                                                 CVY_KEY_END};

static void multi_step_check(void *state, const struct cvy_node *name, struct cvy_findings *findings) {
    struct steps *s = state;
    const struct cvy_node *list = s->milestones ? s->milestones : name;
    bool good = list->kind == CVY_NODE_LIST && list->count >= 1 && list->count <= MILESTONES;
    for (size_t i = 0; good && i < list->count; i++) {
        double *at = &s->at[s->count++];
        good = cvy_node_real(list->items[i], at) && isfinite(*at) && *at > (i ? at[-1] : 0);
    }
    if (!good)
        cvy_find(findings, list, "milestones: expected a list of 1 to %d epochs above 0, each above the one before",
                 MILESTONES);
}

static double multi_step_at(const void *state, struct cvy_progress p) {
    const struct steps *s = state;
    int passed = 0;
    while (passed < s->count && p.epoch >= s->at[passed]) passed++;
    return warm(s, p) * pow(s->factor, passed);
}
static void multi_step_doubt(const void *state, double epochs, const struct cvy_node *place,
                             struct cvy_findings *findings) {
    const struct steps *s = state;
    for (int i = 0; i < s->count; i++)
        if (s->at[i] > epochs)
            cvy_find(findings, place,
                     "learning_rate: multi_step: milestone %g lies behind the %g %s of the run and is never reached; "
                     "drop it or raise train.epochs",
                     s->at[i], epochs, cvy_plural(epochs, "epoch", "epochs"));
}
const struct cvy_schedule_kind cvy_schedule_multi_step = {.name = "multi_step",
                                                          .purpose = "times factor at each milestone",
                                                          .keys = multi_step_keys,
                                                          .state_size = sizeof(struct steps),
                                                          .at = multi_step_at,
                                                          .check = multi_step_check,
                                                          .doubt = multi_step_doubt};

/* ---- exponential: × factor an epoch, a little at each step ---- */

static const struct cvy_key exponential_keys[] = {REAL(value, NULL, 0, "the first learning rate"),
                                                  REAL(factor, NULL, 0, "of each epoch"), WARMUP, CVY_KEY_END};
static double exponential_at(const void *state, struct cvy_progress p) {
    const struct steps *s = state;
    return warm(s, p) * pow(s->factor, p.epoch);
}
const struct cvy_schedule_kind cvy_schedule_exponential = {.name = "exponential",
                                                           .purpose = "times factor an epoch, a little at each step",
                                                           .keys = exponential_keys,
                                                           .state_size = sizeof(struct steps),
                                                           .at = exponential_at};
