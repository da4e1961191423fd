/* The run: its folder, and what it goes on from. On rank 0 alone there is more than nothing in it. */
#ifndef CVY_TRAIN_RECORD_RUN_H
#define CVY_TRAIN_RECORD_RUN_H

#include "train/task.h"

struct cvy_run {
    char folder[CVY_PATH_MAX];
    int lock;                       /* of the folder, −1 for none */
    char resume_from[CVY_PATH_MAX]; /* "" for a fresh start */
    struct cvy_ckpt *ckpt;          /* that one, and its experiment, until all is restored */
    struct cvy_experiment *before;
};

/* Looks at the folder before any work. Fills folder, lock and resume_from; changes nothing on disk but for a trial
 * file.
 */
cvy_status cvy_run_choose(struct cvy_run *run, struct cvy_task *task);
/* All is restored. */
void cvy_run_forget_past(struct cvy_run *run);
void cvy_run_close(struct cvy_run *run); /* fine where nothing was chosen, but lock is −1 then */

#endif
