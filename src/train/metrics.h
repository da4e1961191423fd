/* metrics.jsonl: one JSON object a line. A resumed run's file reads as one run: what came after the checkpoint is
 * dropped before anything is appended. */
#ifndef CVY_TRAIN_METRICS_H
#define CVY_TRAIN_METRICS_H

#include <stdint.h>

#include "convoy/buf.h"
#include "core/status.h"

struct cvy_metrics;

/* Opens `path` for appending. before: what to start from where the file is missing (a checkpoint's copy), or NULL.
 * Lines of a step beyond `last_step` are dropped (−1: all lines are), and so is a torn last line. */
cvy_status cvy_metrics_open(const char *path, const char *before, int64_t last_step, struct cvy_metrics **out);
void cvy_metrics_close(struct cvy_metrics **metrics);
/* A line to fill with cvy_json_…, its "kind" and, when not negative, "step" already in it; then _end. */
struct cvy_buf *cvy_metrics_begin(struct cvy_metrics *metrics, const char *kind, int64_t step);
cvy_status cvy_metrics_end(struct cvy_metrics *metrics);
/* All lines so far, appended to `out`. */
cvy_status cvy_metrics_copy(struct cvy_metrics *metrics, struct cvy_buf *out);

#endif
