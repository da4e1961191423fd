/* Training proper: steps, and evaluation, over a session. */
#ifndef CVY_TRAIN_SESSION_LOOP_H
#define CVY_TRAIN_SESSION_LOOP_H

#include "train/session/session.h"

/* One step with the loader's next batch, at the schedule's rate. Collective; a failure is this rank's alone, but for
 * CVY_ERR_DIVERGED. */
cvy_status cvy_loop_step(struct cvy_session *s, struct cvy_step_report *report);

/* All steps until the end, a request or a failure. */
cvy_status cvy_loop_run(struct cvy_session *s, struct cvy_train_summary *summary);

#endif
