/* Files and folders. A file is replaced whole or not at all: a temporary file beside it, fsync, rename, fsync of the
 * folder; a reader (or the next job) sees the old bytes or the new ones. */
#ifndef CVY_IO_FILE_H
#define CVY_IO_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/buf.h"

#ifdef PATH_MAX
#define CVY_PATH_MAX PATH_MAX
#else
#define CVY_PATH_MAX 4096
#endif

struct cvy_bytes {
    const void *data;
    size_t size;
};

/* Appends the whole file to `out`. CVY_ERR_USAGE when it is missing, unreadable or longer than `limit` bytes. */
cvy_status cvy_file_read(const char *path, size_t limit, struct cvy_buf *out);
/* Replaces `path` atomically by the parts in order. Nothing is left behind on failure (CVY_ERR_INTERNAL: path and the
 * system's reason). */
cvy_status cvy_file_replace(const char *path, const struct cvy_bytes *parts, int count);
/* XXH64 (seed 0) of `size` bytes from `offset`. */
cvy_status cvy_file_hash(const char *path, int64_t offset, int64_t size, uint64_t *digest);

bool cvy_file_exists(const char *path); /* a regular file */
bool cvy_folder_exists(const char *path);
int64_t cvy_file_size(const char *path); /* bytes, −1 when there is none */

/* mkdir -p. CVY_ERR_USAGE naming the folder that could not be made. */
cvy_status cvy_folder_make(const char *path);
/* Makes the folder where it is missing, then creates, writes and removes a trial file in it; CVY_ERR_USAGE naming the
 * folder and the reason when that fails. */
cvy_status cvy_file_probe_folder(const char *path);
/* Bytes that this user may still write there; −1 when unknown. */
int64_t cvy_folder_free(const char *path);

/* `path` as seen from the folder of the file `base`: "../data/x.h5" in "configs/a.yaml" is "configs/../data/x.h5"; an
 * absolute path stays. CVY_ERR_USAGE when it does not fit. */
cvy_status cvy_path_beside(const char *base, const char *path, char out[CVY_PATH_MAX]);
/* folder/name. */
cvy_status cvy_path_join(const char *folder, const char *name, char out[CVY_PATH_MAX]);
/* Absolute, with "." and ".." resolved by text, whether or not it exists. */
cvy_status cvy_path_absolute(const char *path, char out[CVY_PATH_MAX]);
const char *cvy_path_name(const char *path); /* what follows the last slash */

#endif
