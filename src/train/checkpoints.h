/* Which checkpoint a path means, and the experiment in it. */
#ifndef CVY_TRAIN_CHECKPOINTS_H
#define CVY_TRAIN_CHECKPOINTS_H

#include "core/log.h"
#include "io/ckpt/ckpt.h"
#include "experiment/experiment.h"

/* A checkpoint file stays as it is (opening it verifies it); a run folder means its newest good checkpoint, damaged
 * ones being named in the log. CVY_ERR_CHECKPOINT when there is none. Not collective. */
cvy_status cvy_checkpoint_find(const char *from, struct cvy_log *log, char out[CVY_PATH_MAX]);
/* The same, opened. */
cvy_status cvy_checkpoint_open(const char *from, struct cvy_log *log, struct cvy_ckpt **out);
/* That of a run folder which checkpoint.best keeps. */
cvy_status cvy_checkpoint_find_best(const char *from, char out[CVY_PATH_MAX]);
/* The resolved experiment that a checkpoint carries; `name` stands for its file in messages. */
cvy_status cvy_checkpoint_experiment(struct cvy_ckpt *ckpt, const char *name, struct cvy_experiment **out);

#endif
