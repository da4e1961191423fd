#define _GNU_SOURCE
#include "io/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"

enum { PLACES = 32, PLACE_BYTES = 4096 };

/* Evenly spread, both ends included. */
static cvy_status sample(int fd, int64_t size, const char *path, uint64_t *out) {
    char bytes[PLACE_BYTES];
    const int64_t last = size > PLACE_BYTES ? size - PLACE_BYTES : 0;
    *out = 0;
    for (int i = 0; i < PLACES; i++) {
        const ssize_t got = pread(fd, bytes, sizeof bytes, (off_t)(last / (PLACES - 1) * i));
        CVY_CHECK(got >= 0, CVY_ERR_DATA, "%s: cannot be read: %s", path, strerror(errno));
        *out = cvy_hash(bytes, (size_t)got, *out);
    }
    return CVY_OK;
}

static cvy_status look(int fd, const char *path, struct cvy_watch *out) {
    struct stat s;
    CVY_CHECK(fstat(fd, &s) == 0, CVY_ERR_DATA, "%s: cannot be read: %s", path, strerror(errno));
    *out = (struct cvy_watch){.begun = true,
                              .size = (int64_t)s.st_size,
                              .seconds = (int64_t)s.st_mtim.tv_sec,
                              .nanoseconds = (int64_t)s.st_mtim.tv_nsec};
    return CVY_OK;
}

cvy_status cvy_watch_begin(struct cvy_watch *watch, int fd, const char *path) {
    CVY_TRY(look(fd, path, watch));
    return sample(fd, watch->size, path, &watch->sample);
}

cvy_status cvy_watch_check(struct cvy_watch *watch, int fd, const char *path) {
    struct cvy_watch now;
    CVY_TRY(look(fd, path, &now));
    CVY_CHECK(now.size == watch->size, CVY_ERR_DATA,
              "%s: it had %lld bytes when it was opened and has %lld now: something else writes to it; restore it, and "
              "resume",
              path, (long long)watch->size, (long long)now.size);
    if (now.seconds == watch->seconds && now.nanoseconds == watch->nanoseconds) return CVY_OK;
    CVY_TRY(sample(fd, now.size, path, &now.sample));
    CVY_CHECK(now.sample == watch->sample, CVY_ERR_DATA,
              "%s: its contents are not those that it was opened with: something else writes to it; restore it, and "
              "resume",
              path);
    *watch = now;
    return CVY_OK;
}

/* ---- By name ---- */

static cvy_status open_to(cvy_status (*look_at)(struct cvy_watch *, int, const char *), struct cvy_watch *watch,
                          const char *path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    CVY_CHECK(fd >= 0, CVY_ERR_DATA, "%s: cannot be opened any more: %s; restore it, and resume", path,
              strerror(errno));
    cvy_status status = look_at(watch, fd, path);
    close(fd);
    return status;
}

cvy_status cvy_watch_begin_path(struct cvy_watch *watch, const char *path) {
    return open_to(cvy_watch_begin, watch, path);
}

cvy_status cvy_watch_check_path(struct cvy_watch *watch, const char *path) {
    return open_to(cvy_watch_check, watch, path);
}
