/* A file that is read for long, and must stay what it was. */
#ifndef CVY_IO_WATCH_H
#define CVY_IO_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

struct cvy_watch {
    bool begun;
    int64_t size, seconds, nanoseconds; /* of its last change */
    uint64_t sample;                    /* XXH64 of some of its bytes */
};

/* Notes what the open file is like. CVY_ERR_DATA with `path` when it cannot be read. */
cvy_status cvy_watch_begin(struct cvy_watch *watch, int fd, const char *path);
/* One fstat where nothing happened. A file that was only touched is read in a few places and is fine; CVY_ERR_DATA with
 * `path` when it has another length, or other bytes there. */
cvy_status cvy_watch_check(struct cvy_watch *watch, int fd, const char *path);
/* The same of what has that name, which somebody else opens now and then. */
cvy_status cvy_watch_begin_path(struct cvy_watch *watch, const char *path);
cvy_status cvy_watch_check_path(struct cvy_watch *watch, const char *path);

#endif
