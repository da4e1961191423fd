/* A session: everything that one call of cvy_train works with, made before the first step and the same on every rank
 * but for what only rank 0 has. It puts the parts together, and each of them knows of those above it alone. */
#ifndef CVY_TRAIN_SESSION_SESSION_H
#define CVY_TRAIN_SESSION_SESSION_H

#include "train/record/coordinator.h"

struct cvy_session {
    struct cvy_task task;      /* what is asked for */
    struct cvy_inputs inputs;  /* what it is trained and tested on */
    struct cvy_engine engine;  /* what a step needs, and the state that it changes */
    struct cvy_net *evaluator; /* evaluates by the engine's weights; NULL where there is nothing to evaluate */
    struct cvy_evaluation evaluations[CVY_SPLITS];
    struct cvy_run run;                  /* rank 0: the folder, and what is gone on from */
    struct cvy_coordinator *coordinator; /* rank 0 */
    int64_t resident, available; /* of memory, in bytes, before there were any data: what is held of these is planned */
};

/* Collective: experiment (rank 0 reads, all get it), graph, data, run folder, memory check; then memory, restored
 * state. All ranks get the same status. On failure *out is NULL. */
cvy_status cvy_session_create(struct cvy_context *ctx, const struct cvy_train_options *options,
                              struct cvy_session **out);
void cvy_session_destroy(struct cvy_session **session);

/* A session of `ranks` ranks without anything in it, this one being `rank`; and, once task.experiment is there, all
 * that is known before memory is taken: graph, data, optimiser. Not collective. */
cvy_status cvy_session_begin(struct cvy_context *ctx, const struct cvy_train_options *options, int rank, int ranks,
                             struct cvy_session **out);
cvy_status cvy_session_plan(struct cvy_session *s);
/* Bytes that the process of a rank comes to have, once its session is planned: those before, and what it takes. */
int64_t cvy_session_bytes(const struct cvy_session *s);

#endif
