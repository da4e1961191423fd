/* Learning-rate schedules: a rate as a function of the samples seen, so that it does not depend on ranks or batch. */
#ifndef CVY_OPTIM_SCHEDULE_H
#define CVY_OPTIM_SCHEDULE_H

#include "core/node.h"
#include "core/schema.h"

/* Where training is, in epochs (samples seen / samples of the data set). */
struct cvy_progress {
    double epoch, epochs; /* now, and in all */
};

struct cvy_schedule_kind {
    const char *name;
    const struct cvy_key *keys;
    size_t state_size;
    bool needs_end; /* the rate depends on the number of epochs in all */
    double (*at)(const void *state, struct cvy_progress progress);
};

struct cvy_schedule {
    const struct cvy_schedule_kind *kind;
    void *state;
};

/* Reads a number (constant), or {constant: …}, {step: …}, {cosine: …}. CVY_ERR_USAGE with findings. */
cvy_status cvy_schedule_create(const struct cvy_node *node, struct cvy_schedule *out);
void cvy_schedule_destroy(struct cvy_schedule *schedule);
void cvy_schedule_check(const struct cvy_node *node, struct cvy_findings *findings);
double cvy_schedule_at(const struct cvy_schedule *schedule, struct cvy_progress progress);

#endif
