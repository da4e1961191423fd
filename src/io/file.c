#define _GNU_SOURCE
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/memory.h"
#include "core/status.h"
#include "core/text.h"
#include "io/path.h"

#define BLOCK ((size_t)1 << 20)

/* ---- Reading ---- */

static cvy_status read_all(int fd, const char *path, size_t limit, struct cvy_buf *out) {
    char block[16384];
    size_t total = 0;
    for (;;) {
        ssize_t got = read(fd, block, sizeof block);
        if (got < 0 && errno == EINTR) continue;
        CVY_CHECK(got >= 0, CVY_ERR_USAGE, "%s: cannot be read: %s", path, strerror(errno));
        if (got == 0) break;
        total += (size_t)got;
        CVY_CHECK(total <= limit, CVY_ERR_USAGE, "%s: longer than %zu bytes; is it the right file?", path, limit);
        cvy_buf_write(out, block, (size_t)got);
    }
    CVY_CHECK(!out->failed, CVY_ERR_INTERNAL, "no memory to read %s", path);
    return CVY_OK;
}

cvy_status cvy_file_read(const char *path, size_t limit, struct cvy_buf *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CVY_CHECK(fd >= 0, CVY_ERR_USAGE, "%s: cannot be opened: %s", path, strerror(errno));
    cvy_status status = read_all(fd, path, limit, out);
    close(fd);
    return status;
}

static cvy_status hash_from(int fd, const char *path, int64_t size, unsigned char *block, XXH64_state_t *state) {
    for (int64_t left = size; left > 0;) {
        ssize_t got = read(fd, block, left < (int64_t)BLOCK ? (size_t)left : BLOCK);
        if (got < 0 && errno == EINTR) continue;
        CVY_CHECK(got >= 0, CVY_ERR_DATA, "%s: cannot be read: %s", path, strerror(errno));
        CVY_CHECK(got > 0, CVY_ERR_DATA, "%s: ends %lld %s too early", path, (long long)left,
                  cvy_plural((double)left, "byte", "bytes"));
        XXH64_update(state, block, (size_t)got);
        left -= got;
    }
    return CVY_OK;
}

cvy_status cvy_file_hash(const char *path, int64_t offset, int64_t size, uint64_t *digest) {
    unsigned char *block = NULL;
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    cvy_status status = CVY_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CVY_CHECK(fd >= 0, CVY_ERR_DATA, "%s: cannot be opened: %s", path, strerror(errno));
    CVY_GO(CVY_NEW(&block, BLOCK, general));
    if (lseek(fd, (off_t)offset, SEEK_SET) < 0) {
        status =
            CVY_FAIL(CVY_ERR_DATA, "%s: cannot be read from byte %lld: %s", path, (long long)offset, strerror(errno));
        goto done;
    }
    CVY_GO(hash_from(fd, path, size, block, &state));
    *digest = XXH64_digest(&state);
done:
    cvy_free(block);
    close(fd);
    return status;
}

/* ---- A folder in the place of a file ---- */

static bool ends_in(const char *name, const char *ending) {
    const size_t length = strlen(name), n = strlen(ending);
    return n > 0 && length > n && strcmp(name + length - n, ending) == 0;
}

/* "train.d" → "train.h5", the index of these shards; else the first file of the folder with this ending. */
static bool find_meant(const char *folder, const char *ending, char out[CVY_PATH_MAX]) {
    char first[256] = "";
    const size_t length = strlen(folder);
    if (ends_in(folder, ".d")) {
        snprintf(out, CVY_PATH_MAX, "%.*s%s", (int)length - 2, folder, ending);
        if (cvy_file_exists(out)) return true;
    }
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir && (e = readdir(dir));)
        if (ends_in(e->d_name, ending) && (!first[0] || strcmp(e->d_name, first) < 0))
            snprintf(first, sizeof first, "%s", e->d_name);
    if (dir) closedir(dir);
    return first[0] && cvy_path_join(folder, first, out) == CVY_OK;
}

cvy_status cvy_file_no_folder(const char *path, const char *ending, cvy_status code) {
    char meant[CVY_PATH_MAX];
    if (!cvy_folder_exists(path)) return CVY_OK;
    CVY_CHECK(find_meant(path, ending, meant), code, "%s: is a folder; name a file", path);
    return CVY_FAIL(code, "%s: is a folder; name a file, such as %s", path, meant);
}

bool cvy_file_is(int fd, const char *path) {
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_dev == named.st_dev &&
           mine.st_ino == named.st_ino;
}

bool cvy_file_exists(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

bool cvy_file_special(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode);
}

int64_t cvy_file_size(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 ? (int64_t)s.st_size : -1;
}

/* ---- Replacing ---- */

static cvy_status write_all(int fd, const char *path, struct cvy_bytes part) {
    const char *at = part.data;
    for (size_t left = part.size; left > 0;) {
        ssize_t put = write(fd, at, left < 64 * BLOCK ? left : 64 * BLOCK);
        if (put < 0 && errno == EINTR) continue;
        CVY_CHECK(put > 0, CVY_ERR_INTERNAL,
                  "%s: cannot be written: %s; free some space there or choose another folder", path, strerror(errno));
        at += put;
        left -= (size_t)put;
    }
    return CVY_OK;
}

static cvy_status write_parts(int fd, const char *path, const struct cvy_bytes *parts, int count) {
    for (int i = 0; i < count; i++) CVY_TRY(write_all(fd, path, parts[i]));
    CVY_CHECK(fsync(fd) == 0, CVY_ERR_INTERNAL, "%s: cannot be flushed to disk: %s", path, strerror(errno));
    return CVY_OK;
}

/* The new name is only durable once its folder is. File systems that cannot flush a folder do not need it. */
static void flush_folder_of(const char *path) {
    char folder[CVY_PATH_MAX];
    if (cvy_path_folder(path, folder) != CVY_OK) return;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

static cvy_status temporary_name(const char *path, char out[CVY_PATH_MAX]) {
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    int n = snprintf(out, CVY_PATH_MAX, "%s.%s.%ld.tmp", path, host, (long)getpid());
    CVY_CHECK(n > 0 && n < CVY_PATH_MAX, CVY_ERR_USAGE, "%s: the path is too long", path);
    return CVY_OK;
}

/* What helps against it. */
static const char *advice_for(int reason) {
    switch (reason) {
    case ENOENT:
    case EACCES:
    case EROFS:
    case ENOTDIR:
        return "; choose a folder that is there and that you may write to";
    case ENOSPC:
    case EDQUOT:
        return "; free some space there or choose another folder";
    case EMFILE:
    case ENFILE:
        return "; allow the process more open files (ulimit -n)";
    default:
        return "";
    }
}

cvy_status cvy_file_replace(const char *path, const struct cvy_bytes *parts, int count) {
    char temporary[CVY_PATH_MAX];
    CVY_CHECK(!cvy_folder_exists(path), CVY_ERR_USAGE, "%s: is a folder; name a file to write", path);
    CVY_TRY(temporary_name(path, temporary));
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    CVY_CHECK(fd >= 0,
              errno == ENOENT || errno == EACCES || errno == EROFS || errno == ENOTDIR ? CVY_ERR_USAGE
                                                                                       : CVY_ERR_INTERNAL,
              "%s: cannot be created: %s%s", path, strerror(errno), advice_for(errno));
    cvy_status status = write_parts(fd, path, parts, count);
    if (close(fd) != 0 && status == CVY_OK)
        status = CVY_FAIL(CVY_ERR_INTERNAL, "%s: cannot be written: %s", path, strerror(errno));
    if (status == CVY_OK && rename(temporary, path) != 0)
        status = CVY_FAIL(CVY_ERR_INTERNAL, "%s: cannot be put in place: %s", path, strerror(errno));
    const int why = errno;
    if (status != CVY_OK)
        unlink(temporary);
    else
        flush_folder_of(path);
    errno = why;
    return status;
}

bool cvy_file_link(const char *from, const char *path) {
    char temporary[CVY_PATH_MAX];
    if (temporary_name(path, temporary) != CVY_OK) return false;
    unlink(temporary); /* of an earlier process of our number */
    if (link(from, temporary) != 0) return false;
    const bool linked = rename(temporary, path) == 0;
    unlink(temporary); /* two names of one file are not renamed to each other */
    if (linked) flush_folder_of(path);
    return linked;
}

bool cvy_file_is_dead_temporary(const char *folder, const char *name) {
    char host[66] = ".", path[CVY_PATH_MAX];
    struct stat s;
    size_t length = strlen(name);
    if (length < 5 || strcmp(name + length - 4, ".tmp") != 0) return false;
    gethostname(host + 1, sizeof host - 3);
    strcat(host, ".");
    const char *ours = strstr(name, host);
    long pid = 0;
    char end;
    if (ours && sscanf(ours + strlen(host), "%ld.tm%c", &pid, &end) == 2 && pid > 0)
        return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    /* Another host's: dead when it has not been written to for ten minutes. */
    if (cvy_path_join(folder, name, path) != CVY_OK || stat(path, &s) != 0) return false;
    return time(NULL) - s.st_mtime > 600;
}

void cvy_folder_sweep(const char *folder) {
    char path[CVY_PATH_MAX];
    DIR *dir = opendir(folder);
    if (dir == NULL) return;
    for (const struct dirent *e; (e = readdir(dir));)
        if (cvy_file_is_dead_temporary(folder, e->d_name) && cvy_path_join(folder, e->d_name, path) == CVY_OK)
            unlink(path);
    closedir(dir);
}

/* ---- HDF5 ---- */

/* By its signature, which stands at the start or at a power of two from 512 on (File Format Specification, II.A).
 * Without the library and its lock: whoever reads a text asks this, too. */
bool cvy_file_is_hdf5(const char *path) {
    static const char signature[] = "\211HDF\r\n\032\n";
    enum { BYTES = sizeof signature - 1 };
    char start[BYTES];
    bool is = false;
    struct stat facts;
    if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) return false; /* what a pipe gives is there once */
    FILE *file = fopen(path, "rb");
    if (file == NULL) return false;
    for (long at = 0; !is && fseek(file, at, SEEK_SET) == 0 && fread(start, 1, BYTES, file) == BYTES;
         at = at ? 2 * at : 512)
        is = memcmp(start, signature, BYTES) == 0;
    fclose(file);
    return is;
}
