/* Commands that messages print: they do what they say when they are typed as they are printed. */
#ifndef CVY_TRAIN_RECORD_ADVICE_H
#define CVY_TRAIN_RECORD_ADVICE_H

#include "train/task.h"

/* "; at a lower rate: convoy train …", which goes on with this run at a tenth of the learning rate or less, with all
 * else as it was given; nothing where the data are the calling program's. `lr`: what it was. */
void cvy_advice_resume_slower(const struct cvy_task *t, double lr, struct cvy_buf *out);

/* "a lower learning rate (0.1 now), warmup_epochs in its schedule, or …": what keeps a loss from exploding, by what is
 * set already. `anew`: for a run that begins again, not one that goes on. */
void cvy_advice_calmer(const struct cvy_task *t, double lr, bool anew, struct cvy_buf *out);

#endif
