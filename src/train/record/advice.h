/* Commands that messages print: they do what they say when they are typed as they are printed. */
#ifndef CVY_TRAIN_RECORD_ADVICE_H
#define CVY_TRAIN_RECORD_ADVICE_H

#include "train/task.h"

/* `convoy train …` that goes on with this run at a tenth of the learning rate or less, with all else as it was given;
 * nothing where the data are the calling program's. `lr`: what it was. */
void cvy_advice_resume_slower(const struct cvy_task *t, double lr, struct cvy_buf *out);

/* " WORD", as a shell takes it. */
void cvy_advice_word(struct cvy_buf *out, const char *word);

#endif
