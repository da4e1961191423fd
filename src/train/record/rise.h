/* A loss that rose and stayed high, though it never ceased to be a number: the other way to diverge. Seen where the
 * mean of an epoch lies far above the loss of the first step; single steps, or a start that swings, are no fault. */
#ifndef CVY_TRAIN_RECORD_RISE_H
#define CVY_TRAIN_RECORD_RISE_H

#include "train/metric.h"

struct cvy_rise {
    double first, high; /* the loss of the first step, and what is far above it; 0: none yet */
    double sum;         /* of this epoch's losses, over its samples so far */
    int64_t samples;
    int64_t step; /* the first one above `high` since an epoch was well and ended below it; 0: none */
    bool above;   /* the last step is */
    double mean;  /* of the last epoch that ended, where it is far above the first step's loss; else 0 */
    int64_t told; /* the step at which it was last said, and no epoch has been well since; 0: none */
};

/* After each step. */
void cvy_rise_step(struct cvy_rise *rise, const struct cvy_metric *metric, const struct cvy_metric_totals *totals,
                   int64_t step);
/* The epoch has ended, or the run within it: sets `mean`. */
void cvy_rise_end_epoch(struct cvy_rise *rise);

#endif
