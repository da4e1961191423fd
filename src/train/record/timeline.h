/* What each rank does with its time: in the log where one is slow, and, where it is asked for, as a file of trace
 * events (Chrome's JSON, which Perfetto and chrome://tracing open). Rank 0 writes it of all ranks: each tells the
 * durations of a step with the record of the next one. */
#ifndef CVY_TRAIN_RECORD_TIMELINE_H
#define CVY_TRAIN_RECORD_TIMELINE_H

#include "comm/exchange.h"
#include "core/log.h"
#include "train/record/straggler.h"

struct cvy_timeline {
    struct cvy_log *log;
    const struct cvy_comm *comm;
    int file;         /* −1: none is written */
    const char *path; /* of it; the caller's */
    double start;
    int64_t last; /* the step whose durations come next, −1: none */
    double ended; /* clock: when it did */
    bool written; /* an event, so that a comma is due */
    struct cvy_straggler straggler;
    double *compute;             /* [ranks] s a leaf, of a step */
    double (*window)[CVY_SPENT]; /* [ranks] s since the last metrics line */
};

/* path: of the trace, NULL for none; a file that is there is replaced. CVY_ERR_USAGE where it cannot be written. */
cvy_status cvy_timeline_open(struct cvy_timeline *t, struct cvy_log *log, const struct cvy_comm *comm,
                             const char *path);
void cvy_timeline_close(struct cvy_timeline *t); /* fine where nothing was opened */
/* After a step: `step` is its number, x has what was told of the one before. */
void cvy_timeline_step(struct cvy_timeline *t, const struct cvy_exchange *x, int64_t step);
/* After a metrics line. */
void cvy_timeline_begin_window(struct cvy_timeline *t);

#endif
