/* What a training starts from: initial values, another run's weights, or its own checkpoint. */
#ifndef CVY_TRAIN_SESSION_START_H
#define CVY_TRAIN_SESSION_START_H

#include "train/engine.h"
#include "train/inputs.h"
#include "train/record/run.h"

struct cvy_start {
    const struct cvy_task *task;
    struct cvy_inputs *inputs;
    struct cvy_run *run;
    struct cvy_engine *engine;
};

/* Where training begins: step, epoch and position of the checkpoint to resume from, once it is certain that the run can
 * go on from it; the engine's state on all ranks. Collective. */
cvy_status cvy_start_find_place(const struct cvy_start *s);
/* Instead of the values: says where they would come from, and reads what else a training reads. Rank 0. */
cvy_status cvy_start_rehearse(const struct cvy_start *s);
/* The engine's vectors. Collective: rank 0 reads, all get the same bytes. */
cvy_status cvy_start_values(const struct cvy_start *s);

#endif
