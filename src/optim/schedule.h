/* Learning-rate schedules: a rate as a function of the samples seen, so that it does not depend on ranks or batch. Each
 * but one_cycle, which has its own, may begin with a warm-up: linear from 0 over warmup_epochs (Goyal et al. 2017). */
#ifndef CVY_OPTIM_SCHEDULE_H
#define CVY_OPTIM_SCHEDULE_H

#include "core/tree/node.h"
#include "core/tree/schema.h"

/* What plateau remembers of the evaluations; zeros at first, part of a run's state. */
struct cvy_schedule_memory {
    double best;                         /* valid once something was seen */
    double seen, reductions, bad, quiet; /* counts: evaluations, cuts so far, without progress, left to wait */
};

/* Where training is, in epochs (samples seen / samples of the data set). */
struct cvy_progress {
    double epoch, epochs;                     /* now, and in all */
    const struct cvy_schedule_memory *memory; /* NULL: nothing was evaluated */
};

struct cvy_schedule_kind {
    const char *name, *purpose; /* purpose: one line, for users */
    const struct cvy_key *keys;
    size_t state_size;
    bool needs_end; /* the rate depends on the number of epochs in all */
    double (*at)(const void *state, struct cvy_progress progress);
    /* What the table of keys cannot say; NULL: nothing. That a floor is below the peak or value is seen to. */
    void (*check)(void *state, const struct cvy_node *name, struct cvy_findings *findings);
    /* What of it cannot be meant in a training of so many epochs; NULL: nothing. Warm-ups are seen to. */
    void (*doubt)(const void *state, double epochs, const struct cvy_node *place, struct cvy_findings *findings);
    /* After each evaluation; NULL: it does not matter. */
    void (*observe)(const void *state, double loss, double top1, struct cvy_schedule_memory *memory);
    /* Whether it goes by top1, which is measured of classes alone; NULL: it does not. */
    bool (*by_top1)(const void *state);
};

struct cvy_schedule {
    const struct cvy_schedule_kind *kind;
    void *state;
};

/* Reads a number (constant), or one of the kinds: {constant: …}, {step: …}, {cosine: …}. CVY_ERR_USAGE with findings.
 */
cvy_status cvy_schedule_create(const struct cvy_node *node, struct cvy_schedule *out);
void cvy_schedule_destroy(struct cvy_schedule *schedule);
void cvy_schedule_check(const struct cvy_node *node, struct cvy_findings *findings);
bool cvy_schedules_list(int index, struct cvy_listing *out);
/* Settings that have no effect before the end of so many epochs, each with both numbers; `place`: of the schedule. */
void cvy_schedule_doubt(const struct cvy_schedule *schedule, double epochs, const struct cvy_node *place,
                        struct cvy_findings *findings);
/* A number that several kinds have, by its key; NULL where this one has none. */
const double *cvy_schedule_number(const struct cvy_schedule *schedule, const char *key);
double cvy_schedule_at(const struct cvy_schedule *schedule, struct cvy_progress progress);
/* Mean loss and share of hits of an evaluation. */
void cvy_schedule_observe(const struct cvy_schedule *schedule, double loss, double top1,
                          struct cvy_schedule_memory *memory);

/* For kinds: 0 to 1 over the first `warmup` epochs; and the keys that many share. */
static inline double cvy_schedule_warm(double epoch, double warmup) {
    return epoch < warmup ? epoch / warmup : 1;
}
#define CVY_SCHEDULE_REAL(type, name, fallback, low, help)                                                             \
    { #name, CVY_KEY_REAL, offsetof(type, name), fallback, low, 1e9, NULL, help }
#define CVY_SCHEDULE_WARMUP(type) CVY_SCHEDULE_REAL(type, warmup_epochs, "0", 0, "up from 0 in a straight line")

#endif
