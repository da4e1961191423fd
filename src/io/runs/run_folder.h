/* The folder of a run: what it keeps there, and under which names. */
#ifndef CVY_IO_RUNS_RUN_FOLDER_H
#define CVY_IO_RUNS_RUN_FOLDER_H

#include "io/path.h"

enum cvy_run_file {
    CVY_RUN_EXPERIMENT,  /* experiment.yaml, resolved */
    CVY_RUN_METRICS,     /* metrics.jsonl */
    CVY_RUN_LOG,         /* log.txt */
    CVY_RUN_LOCK,        /* of the process that trains */
    CVY_RUN_CHECKPOINTS, /* a folder */
};

const char *cvy_run_file_name(enum cvy_run_file file);
/* FOLDER/NAME; CVY_ERR_USAGE where that is too long. */
cvy_status cvy_run_file_path(const char *folder, enum cvy_run_file file, char out[CVY_PATH_MAX]);
/* Whether it is there. */
bool cvy_run_file_exists(const char *folder, enum cvy_run_file file);
/* Whether a file of this name in a run's folder is the run's own. */
bool cvy_run_keeps(const char *name);

#endif
