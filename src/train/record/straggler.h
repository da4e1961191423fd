/* A rank that is persistently slow, and for which all others wait: the slowest of several windows in a row, and far
 * slower than the median rank in each of them. A window is so many steps, and so many seconds of a leaf in them: what
 * takes microseconds is noise. */
#ifndef CVY_TRAIN_RECORD_STRAGGLER_H
#define CVY_TRAIN_RECORD_STRAGGLER_H

#include <stdbool.h>

#include "core/status.h"

enum { CVY_STRAGGLER_STEPS = 20, CVY_STRAGGLER_SECONDS = 3, CVY_STRAGGLER_WINDOWS = 3 };

struct cvy_straggler {
    int ranks;
    double *seconds, *sorted; /* [ranks] of this window, of a leaf; seconds of the last one, in order */
    int steps, windows;       /* of this window; in which `rank` was slow, one after the other */
    int rank, named;          /* the slow one of the last window, the last one named; −1: nobody */
    double slow, usual;       /* s a leaf, in the last window: that rank's, and the median rank's */
};

/* _destroy: fine where nothing was made. */
cvy_status cvy_straggler_create(int ranks, struct cvy_straggler *out);
void cvy_straggler_destroy(struct cvy_straggler *s);
/* compute: [ranks] s a leaf in a step. True when there is somebody to name (rank, slow, usual), who was not the last.
 */
bool cvy_straggler_step(struct cvy_straggler *s, const double *compute);

#endif
