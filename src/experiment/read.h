/* From the resolved tree of an experiment to its values. */
#ifndef CVY_EXPERIMENT_READ_H
#define CVY_EXPERIMENT_READ_H

#include "experiment/experiment.h"

/* Of e->root, every key checked. */
void cvy_experiment_read(struct cvy_experiment *e, struct cvy_findings *findings);
/* Whether a text is so many per cent ("10%"), or a number without the sign (then *percent is NAN), and no path. */
bool cvy_experiment_share(const char *text, double *percent);

#endif
