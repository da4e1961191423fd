/* Files that a command writes under a name that the user gave: nothing that is there is lost. */
#ifndef CVY_IO_RUNS_OUTPUT_H
#define CVY_IO_RUNS_OUTPUT_H

#include <stdbool.h>

#include "core/status.h"

struct cvy_output {
    const char *path;
    const char *what;          /* "data set" */
    const char *folder;        /* that is replaced along with it, or NULL */
    const char *const *inputs; /* [input_count]: files and folders that the command reads */
    int input_count;
    bool overwrite; /* the user agrees that what is there is replaced */
};

/* Before any work: CVY_ERR_USAGE where the output
 *   is, under whatever name, one of the inputs or a file that one is made of (a shard, a virtual data set's source);
 *   lies among a run's checkpoints, or is one of the other files that a run keeps;
 *   is there already, unless `overwrite`; is a folder or no regular file;
 *   cannot be written in its folder, which is made where it is missing. */
cvy_status cvy_output_check(const struct cvy_output *output);

#endif
