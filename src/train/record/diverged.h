/* When a training has diverged: where it arose, and how to go on. All of it is computed after the fault. */
#ifndef CVY_TRAIN_RECORD_DIVERGED_H
#define CVY_TRAIN_RECORD_DIVERGED_H

#include "train/record/coordinator.h"

/* Each gives CVY_ERR_DIVERGED, the same on all ranks, with a message that names the layer, the checkpoint that is worth
 * to go on from, and the command that does so. `c`: on rank 0. Collective. */

/* The loss of a step was not finite on some rank; nothing was updated by it. */
cvy_status cvy_diverged_in_step(struct cvy_engine *e, struct cvy_coordinator *c, const struct cvy_batch *batch);
/* That of an evaluation. */
cvy_status cvy_diverged_in_evaluation(struct cvy_engine *e, struct cvy_coordinator *c, enum cvy_split split,
                                      const struct cvy_evaluation *evaluation);
/* Weights, or what goes with them, are not finite where a checkpoint was due. */
cvy_status cvy_diverged_weights(struct cvy_engine *e, struct cvy_coordinator *c);

#endif
