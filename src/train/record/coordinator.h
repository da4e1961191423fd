/* The coordinator: what rank 0 does for all: run folder, metrics, progress, checkpoints written aside. Elsewhere the
 * coordinator is NULL, and every function here returns at once. */
#ifndef CVY_TRAIN_RECORD_COORDINATOR_H
#define CVY_TRAIN_RECORD_COORDINATOR_H

#include "train/evaluate.h"
#include "train/inputs.h"
#include "train/record/run.h"
#include "train/trainer.h"

struct cvy_coordinator;

/* What it writes of, and where. */
struct cvy_coordinator_parts {
    const struct cvy_task *task;
    struct cvy_run *run;
    struct cvy_inputs *inputs;
    struct cvy_engine *engine;
    struct cvy_evaluation *evaluations; /* [CVY_SPLITS] */
};

/* Makes the run folder and opens its files. Rank 0, after the state is restored; the parts stay the caller's. */
cvy_status cvy_coordinator_create(const struct cvy_coordinator_parts *parts, struct cvy_coordinator **out);
/* Waits for a checkpoint being written. */
void cvy_coordinator_destroy(struct cvy_coordinator **coordinator);

/* After each step: progress, and a metrics line when it is due. */
void cvy_coordinator_step(struct cvy_coordinator *c, const struct cvy_step_report *report);
/* After the last step of the session. */
void cvy_coordinator_ended(struct cvy_coordinator *c);
/* rate: samples a second of the evaluation. */
void cvy_coordinator_evaluated(struct cvy_coordinator *c, enum cvy_split split, const struct cvy_figures *figures,
                               double rate);
void cvy_coordinator_event(struct cvy_coordinator *c, const char *what, const char *text);

/* Starts writing the state: as this step's, unless that is written or being written already, or as the best so far, or
 * both. A failure is warned about, once, and tried again later. */
void cvy_coordinator_checkpoint(struct cvy_coordinator *c, enum cvy_ckpt_as as);
/* The same of the last step; waits until it is on disk, with patience where it cannot be written at once. A failure in
 * the end is returned, and says where the state was saved instead. */
cvy_status cvy_coordinator_finish(struct cvy_coordinator *c);
/* Whether checkpoint.every is a time that has passed since the last one. */
bool cvy_coordinator_is_time(const struct cvy_coordinator *c);
/* Between steps: tries again what could not be written, when it is time to. */
void cvy_coordinator_retry(struct cvy_coordinator *c);

/* After a divergence: checkpoints of weights that were at its brink are set aside (named step-N.h5.diverged), and
 * `advice` gets which one is worth to go on from, and the command. */
void cvy_coordinator_diverged(struct cvy_coordinator *c, struct cvy_buf *advice);

/* Samples a second of this session's training. */
double cvy_coordinator_rate(const struct cvy_coordinator *c);

#endif
