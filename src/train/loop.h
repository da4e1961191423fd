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
};

/* One step on all ranks: batch, gradients, exchange, update. Collective; a failure is this rank's alone. */
cvy_status cvy_trainer_step(struct cvy_session *s, struct cvy_step_report *report);

/* Called for each leaf of an evaluation with its outputs [n][h][w][c] and targets [n]. */
typedef void cvy_score_fn(void *arg, const float *outputs, const void *targets, int n);

struct cvy_evaluation {
    struct cvy_context *ctx;
    struct cvy_net *net; /* in evaluation mode */
    struct cvy_source *source;
    const struct cvy_augment *normalize;
    struct cvy_epoch_plan plan;
    struct cvy_net *like; /* whose parameters and buffers to use, NULL: the net's own */
    const float *values;  /* the parameters to use instead, or NULL */
    cvy_score_fn *each;   /* or NULL */
    void *arg;
    bool (*stop)(void *arg); /* whether this rank wants to stop; only asked when `stopped` is given */
    void *stop_arg;
};
/* Every sample once, the ranks sharing each batch's leaves; the same sums on every number of ranks. *stopped, where not
 * NULL, says that some rank wanted to stop and the evaluation was given up. Collective; a failure is this rank's alone.
 */
cvy_status cvy_evaluate(const struct cvy_evaluation *e, struct cvy_score *score, bool *stopped);

/* All steps until the end, a request or a failure. */
cvy_status cvy_trainer_run(struct cvy_session *s, struct cvy_train_summary *summary);

/* Whether this rank wants to stop: a request, or (rank 0) the time limit. */
bool cvy_stop_wanted(const struct cvy_session *s);

/* The failure of a step whose loss is not finite on some rank. All ranks get it. */
cvy_status cvy_trainer_diverged(struct cvy_session *s, const struct cvy_batch *batch, double lr);

#endif
