/* Whether the classes of a training are those of the run whose weights it starts from: its last layers have a row of
 * weights for each. */
#ifndef CVY_TRAIN_SESSION_START_CLASSES_H
#define CVY_TRAIN_SESSION_START_CLASSES_H

#include "io/ckpt/ckpt.h"
#include "train/inputs.h"

/* CVY_ERR_DATA where the run numbers a class of the same name otherwise; a warning where the numbers stand for other
 * names, or where only one of the two has names. Nothing where these layers start anew (init.except). Rank 0. */
cvy_status cvy_start_check_classes(const struct cvy_task *task, const struct cvy_inputs *inputs,
                                   const struct cvy_ckpt *ckpt);

#endif
