#include "io/work.h"

cvy_status cvy_work_go_on(const struct cvy_work *work, const char *what) {
    CVY_CHECK(work->stop == NULL || !work->stop(work->arg), CVY_STOPPED, "%s: stopped on request", what);
    return CVY_OK;
}

void cvy_work_tell(const struct cvy_work *work, int64_t done, int64_t total) {
    if (work->progress) work->progress(work->arg, done, total);
}
