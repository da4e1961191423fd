/* Training proper: steps, and evaluation, over a session. */
#ifndef CVY_TRAIN_LOOP_H
#define CVY_TRAIN_LOOP_H

#include "train/session.h"

/* What one step did, the same on every rank but for the times, which are this rank's. */
struct cvy_step_report {
    struct cvy_score score;
    double lr;
    double compute_s, comm_s, wait_s; /* computing, waiting for the exchange, waiting for data */
    bool stop;                        /* some rank wants to stop */
    bool unread;                      /* … and its part of the batch was not read for that: the step did not happen */
};

/* One step on all ranks: batch, gradients, exchange, update. Collective; a failure is this rank's alone. */
cvy_status cvy_trainer_step(struct cvy_session *s, struct cvy_step_report *report);

/* All steps until the end, a request or a failure. */
cvy_status cvy_trainer_run(struct cvy_session *s, struct cvy_train_summary *summary);

/* This rank's leaves of a batch, as the net takes them. */
struct cvy_net_batch cvy_trainer_batch(const struct cvy_session *s, const struct cvy_batch *batch);

#endif
