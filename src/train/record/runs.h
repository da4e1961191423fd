/* Folders of runs and of checkpoints. */
#ifndef CVY_TRAIN_RECORD_RUNS_H
#define CVY_TRAIN_RECORD_RUNS_H

#include "convoy/run.h"
#include "io/path.h"

/* The folder of checkpoints that is meant by a run folder, or by that folder itself; false where it is neither. */
bool cvy_run_checkpoints(const char *path, char folder[CVY_PATH_MAX]);

/* Fails with what such a folder is instead of a run. */
cvy_status cvy_run_refuse(const char *folder);
/* Fails where a run or a checkpoint is wanted and an experiment file is given. */
cvy_status cvy_run_no_experiment(const char *path);
/* The folder of the run that a path is of: the run's itself, that of its checkpoints, or a file in one of these. False
 * where there is none that has its experiment. */
bool cvy_run_of(const char *path, char run[CVY_PATH_MAX]);

#endif
