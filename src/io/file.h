/* Files and folders. A file is replaced whole or not at all: a temporary file beside it, fsync, rename, fsync of the
 * folder; a reader (or the next job) sees the old bytes or the new ones. */
#ifndef CVY_IO_FILE_H
#define CVY_IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "io/path.h"

struct cvy_bytes {
    const void *data;
    size_t size;
};

/* Makes `path`, atomically, one more name of the file `from`; false where the file system has no such links, or no
 * room.
 */
bool cvy_file_link(const char *from, const char *path);
/* Appends the whole file to `out`. CVY_ERR_USAGE when it is missing, unreadable or longer than `limit` bytes. */
cvy_status cvy_file_read(const char *path, size_t limit, struct cvy_buf *out);
/* Replaces `path` atomically by the parts in order. Nothing is left behind on failure (CVY_ERR_INTERNAL: path and the
 * system's reason, which errno still has). */
cvy_status cvy_file_replace(const char *path, const struct cvy_bytes *parts, int count);
/* bool cvy_file_is_hdf5(H64 (seed 0) of `size` bytes from `offset`. */
cvy_status cvy_file_hash(const char *path, int64_t offset, int64_t size, uint64_t *digest);

/* Fails with `code` where `path` is a folder, which nobody can read as a file: "… is a folder; name a file, such as …",
 * where one in it, or beside it, has this ending. */
cvy_status cvy_file_no_folder(const char *path, const char *ending, cvy_status code);

bool cvy_file_exists(const char *path);
/* Whether it is there, and neither a file nor a folder: a pipe, a device. */
bool cvy_file_special(const char *path); /* a regular file */
/* Whether an open file is still the one of this name: neither deleted, nor moved away, nor replaced. */
bool cvy_file_is(int fd, const char *path);
int64_t cvy_file_size(const char *path); /* bytes, -1 when there is none */
/* Whether it is HDF5: by its signature, which may stand behind a user block. */
bool cvy_file_is_hdf5(const char *path);

/* Whether `name` in `folder` is a temporary file of cvy_file_replace whose writer is no more. */
bool cvy_file_is_dead_temporary(const char *folder, const char *name);
/* Removes those of a folder. */
void cvy_folder_sweep(const char *folder);

#endif
