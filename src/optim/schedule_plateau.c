/* plateau: × factor when `patience` evaluations in a row brought no progress, as PyTorch's ReduceLROnPlateau has it.
 * What it remembers is a sum over the whole test set, the same on every rank, and is saved with the run. */
#include <math.h>
#include <stddef.h>

#include "optim/schedule.h"

struct plateau {
    double value, warmup_epochs, factor, threshold, floor;
    int64_t patience, cooldown;
    int metric; /* 0 loss, 1 top1 */
};

#define REAL(name, fallback, low, help) CVY_SCHEDULE_REAL(struct plateau, name, fallback, low, help)
#define PLATEAU(member)                 offsetof(struct plateau, member)
static const struct cvy_key keys[] = {
    REAL(value, NULL, 0, "the first learning rate"),
    CVY_SCHEDULE_WARMUP(struct plateau),
    {"factor", CVY_KEY_REAL, PLATEAU(factor), "0.1", 0, 1, NULL, "what the rate is multiplied by"},
    REAL(threshold, "0.0001", 0, "progress is a share of the best above this"),
    REAL(floor, "0", 0, "the lowest one"),
    {"patience", CVY_KEY_INT, PLATEAU(patience), "10", 0, 1e9, NULL, "evaluations"},
    {"cooldown", CVY_KEY_INT, PLATEAU(cooldown), "0", 0, 1e9, NULL, "evaluations"},
    {"metric", CVY_KEY_CHOICE, PLATEAU(metric), "loss", CVY_KEY_ANY, "loss|top1", "what has to make progress"},
    CVY_KEY_END};

static double at(const void *state, struct cvy_progress p) {
    const struct plateau *s = state;
    double rate = s->value * pow(s->factor, p.memory ? p.memory->reductions : 0);
    return (rate > s->floor ? rate : s->floor) * cvy_schedule_warm(p.epoch, s->warmup_epochs);
}

static bool better(const struct plateau *s, double now, const struct cvy_schedule_memory *m) {
    if (m->seen == 0) return true;
    return s->metric ? now > m->best * (1 + s->threshold) : now < m->best * (1 - s->threshold);
}

static bool by_top1(const void *state) {
    return ((const struct plateau *)state)->metric == 1;
}

static void observe(const void *state, double loss, double top1, struct cvy_schedule_memory *m) {
    const struct plateau *s = state;
    double now = s->metric ? top1 : loss;
    if (better(s, now, m)) {
        m->best = now;
        m->bad = 0;
    } else {
        m->bad++;
    }
    m->seen++;
    if (m->quiet > 0) {
        m->quiet--;
        m->bad = 0;
    }
    if (m->bad <= (double)s->patience) return;
    m->reductions++;
    m->quiet = (double)s->cooldown;
    m->bad = 0;
}

const struct cvy_schedule_kind cvy_schedule_plateau = {
    .name = "plateau",
    .purpose = "times factor when evaluations have brought no progress for a while",
    .keys = keys,
    .state_size = sizeof(struct plateau),
    .at = at,
    .observe = observe,
    .by_top1 = by_top1};
