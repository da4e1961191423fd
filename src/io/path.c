#define _GNU_SOURCE
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/status.h"

static cvy_status fits(int length, const char *path) {
    CVY_CHECK(length >= 0 && length < CVY_PATH_MAX, CVY_ERR_USAGE, "%.200s…: the path is too long", path);
    return CVY_OK;
}

const char *cvy_path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

cvy_status cvy_path_folder(const char *path, char out[CVY_PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return fits(snprintf(out, CVY_PATH_MAX, "."), path);
    int length = slash == path ? 1 : (int)(slash - path);
    return fits(snprintf(out, CVY_PATH_MAX, "%.*s", length, path), path);
}

cvy_status cvy_path_join(const char *folder, const char *name, char out[CVY_PATH_MAX]) {
    size_t length = strlen(folder);
    const char *slash = length && folder[length - 1] == '/' ? "" : "/";
    return fits(snprintf(out, CVY_PATH_MAX, "%s%s%s", folder, slash, name), folder);
}

cvy_status cvy_path_beside(const char *base, const char *path, char out[CVY_PATH_MAX]) {
    int folder = path[0] == '/' ? 0 : (int)(cvy_path_name(base) - base); /* with its slash */
    return fits(snprintf(out, CVY_PATH_MAX, "%.*s%s", folder, base, path), path);
}

/* Takes the last part off, as the kernel does: what a link leads to has another folder than the link. */
static size_t step_up(char out[CVY_PATH_MAX], size_t used) {
    char real[CVY_PATH_MAX];
    out[used] = '\0';
    if (used > 0 && realpath(out, real)) used = (size_t)snprintf(out, CVY_PATH_MAX, "%s", real);
    while (used > 0 && out[--used] != '/') {}
    return used;
}

/* Appends "/part" to out, which holds *used characters; "." does nothing, ".." takes one part off. */
static cvy_status step_into(char out[CVY_PATH_MAX], size_t *used, const char *part, size_t length) {
    if (length == 0 || (length == 1 && part[0] == '.')) return CVY_OK;
    if (length == 2 && part[0] == '.' && part[1] == '.') {
        *used = step_up(out, *used);
        return CVY_OK;
    }
    CVY_TRY(fits((int)(*used + 1 + length), part));
    out[*used] = '/';
    memcpy(out + *used + 1, part, length);
    *used += 1 + length;
    return CVY_OK;
}

cvy_status cvy_path_absolute(const char *path, char out[CVY_PATH_MAX]) {
    char here[CVY_PATH_MAX] = "", whole[CVY_PATH_MAX];
    CVY_CHECK(path[0] == '/' || getcwd(here, sizeof here), CVY_ERR_USAGE, "the working folder has no name: %s",
              strerror(errno));
    CVY_TRY(fits(snprintf(whole, sizeof whole, "%s/%s", here, path), path));
    size_t used = 0;
    for (const char *p = whole; *p;) {
        size_t length = strcspn(p, "/");
        CVY_TRY(step_into(out, &used, p, length));
        p += length + (p[length] == '/');
    }
    if (used == 0) out[used++] = '/';
    out[used] = '\0';
    return CVY_OK;
}

/* What `at` is a link to, as seen from here; false where it is none. */
static bool follow_link(char at[CVY_PATH_MAX]) {
    char target[CVY_PATH_MAX], whole[CVY_PATH_MAX];
    ssize_t length = readlink(at, target, sizeof target - 1);
    if (length <= 0) return false;
    target[length] = '\0';
    if (cvy_path_beside(at, target, whole) != CVY_OK) return false;
    strcpy(at, whole);
    return true;
}

enum { MOST_LINKS = 40 }; /* the kernel's own limit */

cvy_status cvy_path_meant(const char *base, const char *path, char out[CVY_PATH_MAX]) {
    char from[CVY_PATH_MAX], other[CVY_PATH_MAX];
    struct stat s;
    CVY_TRY(cvy_path_beside(base, path, out));
    CVY_TRY(fits(snprintf(from, sizeof from, "%s", base), base));
    for (int i = 0; i < MOST_LINKS && stat(out, &s) != 0 && follow_link(from); i++)
        if (cvy_path_beside(from, path, other) == CVY_OK && stat(other, &s) == 0) strcpy(out, other);
    return CVY_OK;
}

bool cvy_path_same(const char *a, const char *b) {
    struct stat x, y;
    char folder[CVY_PATH_MAX], real[2][CVY_PATH_MAX];
    const bool there = stat(a, &x) == 0;
    if (there != (stat(b, &y) == 0)) return false;
    if (there) return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
    for (int i = 0; i < 2; i++)
        if (cvy_path_folder(i ? b : a, folder) != CVY_OK || cvy_path_absolute(folder, real[i]) != CVY_OK) return false;
    const bool folders =
        strcmp(real[0], real[1]) == 0 || (cvy_folder_exists(real[0]) && cvy_path_same(real[0], real[1]));
    return folders && strcmp(cvy_path_name(a), cvy_path_name(b)) == 0;
}

bool cvy_folder_exists(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

cvy_status cvy_folder_make(const char *path) {
    char part[CVY_PATH_MAX];
    CVY_TRY(fits(snprintf(part, sizeof part, "%s", path), path));
    for (char *p = part + 1; part[0];) {
        p += strcspn(p, "/");
        char end = *p;
        *p = '\0';
        int why = mkdir(part, 0777) == 0 ? 0 : errno;
        CVY_CHECK(why != EEXIST || cvy_folder_exists(part), CVY_ERR_USAGE,
                  "%s: is a file, where a folder is wanted; choose another name", part);
        CVY_CHECK(why == 0 || cvy_folder_exists(part), CVY_ERR_USAGE,
                  "%s: the folder cannot be made: %s; choose another with write permission", part, strerror(why));
        *p = end;
        if (end == '\0') break;
        p++;
    }
    return CVY_OK;
}

int64_t cvy_folder_room(const char *path) {
    struct statvfs s;
    return statvfs(path, &s) == 0 ? (int64_t)s.f_bavail * (int64_t)s.f_frsize : -1;
}

cvy_status cvy_file_probe_folder(const char *path) {
    char trial[CVY_PATH_MAX] = ""; /* all of it is written, so that a full disk shows */
    CVY_TRY(cvy_folder_make(path));
    CVY_TRY(fits(snprintf(trial, sizeof trial, "%s/.trial-XXXXXX", path), path));
    int fd = mkostemp(trial, O_CLOEXEC);
    CVY_CHECK(fd >= 0, CVY_ERR_USAGE, "%s: no file can be created in this folder: %s; choose another one", path,
              strerror(errno));
    bool written = write(fd, trial, sizeof trial) == (ssize_t)sizeof trial && fsync(fd) == 0;
    int reason = errno;
    close(fd);
    unlink(trial);
    CVY_CHECK(written, CVY_ERR_USAGE, "%s: nothing can be written in this folder: %s; choose another one", path,
              strerror(reason));
    return CVY_OK;
}

cvy_status cvy_folder_lock(const char *path, int *fd) {
    char file[CVY_PATH_MAX];
    CVY_TRY(cvy_path_join(path, CVY_FOLDER_LOCK, file));
    *fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0 || flock(*fd, LOCK_EX | LOCK_NB) == 0) return CVY_OK;
    bool taken = errno == EWOULDBLOCK;
    close(*fd);
    *fd = -1;
    CVY_CHECK(!taken, CVY_ERR_USAGE,
              "%s: another job is writing to this run; wait for it, stop it, or choose another --run", path);
    return CVY_OK;
}
