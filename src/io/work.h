/* A long work: whoever has it done may end it, and hears how far it is. */
#ifndef CVY_IO_WORK_H
#define CVY_IO_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

struct cvy_work {
    bool (*stop)(void *arg); /* NULL, or asked between pieces of the work: true ends it with CVY_STOPPED */
    void (*progress)(void *arg, int64_t done, int64_t total); /* NULL, or told between pieces, often */
    void *arg;
};

/* CVY_STOPPED where somebody wants the work to end; `what` it is about: a file. */
cvy_status cvy_work_go_on(const struct cvy_work *work, const char *what);
void cvy_work_tell(const struct cvy_work *work, int64_t done, int64_t total);

#endif
