/* metrics.jsonl: one JSON object a line. A resumed run's file reads as one run: what came after the checkpoint is
 * dropped before anything is appended. A line that cannot be written waits in memory until it can be. */
#ifndef CVY_TRAIN_RECORD_METRICS_H
#define CVY_TRAIN_RECORD_METRICS_H

#include <stdint.h>

#include "core/buf.h"
#include "core/status.h"

enum {
    CVY_METRICS_TAIL = 1 << 15,   /* bytes of the last lines that a checkpoint takes along, however long the run is */
    CVY_METRICS_WAITING = 1 << 22 /* bytes that may wait; what comes beyond is counted, and lost */
};

struct cvy_metrics;

/* Opens `path` for appending. before: what to start from where the file is missing (a checkpoint's copy), or NULL.
 * Lines of a step beyond `last_step` are dropped (−1: all lines are), and so is a torn last line; where there is no
 * room for a second copy, in place. */
cvy_status cvy_metrics_open(const char *path, const char *before, int64_t last_step, struct cvy_metrics **out);
void cvy_metrics_close(struct cvy_metrics **metrics);
/* A line to fill with cvy_json_…, its "kind" and, when not negative, "step" already in it; then _end. */
struct cvy_buf *cvy_metrics_begin(struct cvy_metrics *metrics, const char *kind, int64_t step);
/* Writes it, and what waited before it. On failure it waits. */
cvy_status cvy_metrics_end(struct cvy_metrics *metrics);
/* Tries to write what waits. */
cvy_status cvy_metrics_flush(struct cvy_metrics *metrics);
/* Gives its file handle back until the next _flush or _end: for somebody who gets none. */
void cvy_metrics_rest(struct cvy_metrics *metrics);
int64_t cvy_metrics_lost(const struct cvy_metrics *metrics); /* lines */
/* The last whole lines, at most CVY_METRICS_TAIL bytes; the metrics' until the next _end. */
const char *cvy_metrics_tail(const struct cvy_metrics *metrics);

#endif
