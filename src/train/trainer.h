/* One step of training, whoever asks for it: the loop over a data set, or a benchmark. */
#ifndef CVY_TRAIN_TRAINER_H
#define CVY_TRAIN_TRAINER_H

#include "data/loader.h"
#include "train/engine.h"

/* What one step did, the same on every rank but for the times, which are this rank's. */
struct cvy_step_report {
    struct cvy_metric_totals totals;
    double lr;
    double compute_s, comm_s, wait_s, update_s; /* computing, waiting for the exchange, for data, updating */
    bool stop, save;                            /* some rank wants to stop, to have a checkpoint */
    bool unread;                                /* some rank gave up reading its batch to stop: no step was made */
    bool nonfinite; /* the loss is not finite on some rank: nothing was updated, no step was made */
};

/* One step on all ranks: gradients, exchange, update. Waiting for data, and whether an evaluation is due behind an
 * epoch's last batch, are the caller's. Collective; a failure is this rank's alone. */
cvy_status cvy_trainer_step(struct cvy_engine *e, const struct cvy_batch *batch, double lr,
                            struct cvy_step_report *report);

/* This rank's leaves of a batch, as the net takes them. */
struct cvy_net_batch cvy_trainer_batch(const struct cvy_engine *e, const struct cvy_batch *batch);

#endif
