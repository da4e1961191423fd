/* Paths and folders. Not about bytes; see file.h for those. The program uses it as well (tests/layers.sh knows). */
#ifndef CVY_IO_PATH_H
#define CVY_IO_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#ifdef PATH_MAX
#define CVY_PATH_MAX PATH_MAX
#else
#define CVY_PATH_MAX 4096
#endif

/* All that build a path: CVY_ERR_USAGE when it does not fit. */

/* `path` as seen from the folder of the file `base`: "../data/x.h5" in "configs/a.yaml" is "configs/../data/x.h5"; an
 * absolute path stays. */
cvy_status cvy_path_beside(const char *base, const char *path, char out[CVY_PATH_MAX]);
/* The same, for a file that may be a link: where nothing is of that name beside it, `path` is looked for beside what it
 * links to, link by link; as beside the first where it is nowhere. */
cvy_status cvy_path_meant(const char *base, const char *path, char out[CVY_PATH_MAX]);
/* What a shell makes of a path: ~ or ~NAME at its start is a home folder, $NAME and ${NAME} are variables of the
 * environment, \$ is the sign itself. CVY_ERR_USAGE for a variable that is not set or empty, an unknown user, and
 * whatever else shells do. */
cvy_status cvy_path_expand(const char *path, char out[CVY_PATH_MAX]);
/* A word of the command line that is a path: ~ or ~NAME at its start is a home folder, as where a shell sees it.
 * CVY_ERR_USAGE for an unknown user, and for $NAME where the environment has NAME: the shell was kept from it by
 * quotes, and a file of that name is hardly meant. */
cvy_status cvy_path_typed(const char *word, char out[CVY_PATH_MAX]);
/* folder/name. */
cvy_status cvy_path_join(const char *folder, const char *name, char out[CVY_PATH_MAX]);
/* What is before the last slash: "." when there is none. */
cvy_status cvy_path_folder(const char *path, char out[CVY_PATH_MAX]);
/* Absolute, without "." and ".."; a ".." behind a link leads where the kernel goes. Links stay otherwise, and what does
 * not exist is taken by its text. */
cvy_status cvy_path_absolute(const char *path, char out[CVY_PATH_MAX]);
const char *cvy_path_name(const char *path); /* what follows the last slash */

/* Whether two names stand for one file: it is there under both, or would be made under both. */
bool cvy_path_same(const char *a, const char *b);

bool cvy_folder_exists(const char *path);
/* mkdir -p. CVY_ERR_USAGE naming the folder that could not be made. */
cvy_status cvy_folder_make(const char *path);
/* Makes the folder where it is missing, then creates, writes and removes a trial file in it; CVY_ERR_USAGE naming the
 * folder and the reason when that fails. */
/* Bytes that are free for us where this folder is; −1: nobody knows. */
int64_t cvy_folder_room(const char *path);
cvy_status cvy_file_probe_folder(const char *path);
#define CVY_FOLDER_LOCK ".lock"
/* Takes the lock of a folder (a file CVY_FOLDER_LOCK in it) until the descriptor *fd is closed or the process ends,
 * however it ends. CVY_ERR_USAGE when another process has it. A file system without locks gives *fd = −1 and CVY_OK. */
cvy_status cvy_folder_lock(const char *path, int *fd);

#endif
