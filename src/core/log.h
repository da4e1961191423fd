/* The log: one voice a job. Rank 0 speaks to the program (or stderr) and to the run's log.txt; other ranks are silent
 * there, and write a file of their own when asked to. A NULL log is silent. Safe from any thread. */
#ifndef CVY_CORE_LOG_H
#define CVY_CORE_LOG_H

#include <stdbool.h>

#include "convoy/context.h"
#include "core/status.h"

struct cvy_log;

/* Who listens: functions of the program's, NULL for none. */
struct cvy_log_ears {
    cvy_log_fn *line; /* NULL: stderr */
    cvy_progress_fn *progress;
    void *user;
};
/* speaks: whether lines are heard (rank 0 only), those up to `level`. Files get CVY_LOG_INFO at least. */
cvy_status cvy_log_create(cvy_log_level level, bool speaks, struct cvy_log_ears ears, struct cvy_log **out);
void cvy_log_destroy(struct cvy_log **log);
/* Lines go, time-stamped, to the end of this file as well; it takes the place of the one of its kind. */
enum cvy_log_file { CVY_LOG_OF_RANK, CVY_LOG_OF_RUN, CVY_LOG_FILES };
cvy_status cvy_log_open_file(struct cvy_log *log, enum cvy_log_file which, const char *path);
void cvy_log_write(struct cvy_log *log, cvy_log_level level, const char *fmt, ...) CVY_PRINTF(3, 4);
#define cvy_info(log, ...)  cvy_log_write((log), CVY_LOG_INFO, __VA_ARGS__)
#define cvy_warn(log, ...)  cvy_log_write((log), CVY_LOG_WARN, __VA_ARGS__)
#define cvy_debug(log, ...) cvy_log_write((log), CVY_LOG_DEBUG, __VA_ARGS__)

/* A line for the files alone (what was shown as progress). */
void cvy_log_note(struct cvy_log *log, const char *fmt, ...) CVY_PRINTF(2, 3);

/* How far a long work is; false where nobody has shown it. */
bool cvy_log_progress(struct cvy_log *log, const char *what, int64_t done, int64_t total);
/* The same of samples, ten times a second at most: "evaluating: 3200 of 10000 samples". */
struct cvy_log_samples {
    struct cvy_log *log;
    const char *doing; /* "evaluating" */
    double told;       /* clock: when last; 0: never */
};
void cvy_log_samples(struct cvy_log_samples *s, int64_t done, int64_t total);

#endif
