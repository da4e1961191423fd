/* Sources are looked for where HDF5 1.10 looks (its H5Pset_virtual): a relative one in the folders of HDF5_VDS_PREFIX,
 * beside the file, in the working folder, and beside the file that a link leads to; an absolute one also by its last
 * part in all of these. */
#define _GNU_SOURCE
#include "io/hdf5/h5_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* True when it is found, open. */
static bool try_path(struct cvy_h5_search *s, const char *folder, size_t length, const char *name) {
    char path[CVY_PATH_MAX];
    const bool slash = length > 0 && folder[length - 1] != '/';
    int wrote = snprintf(path, sizeof path, "%.*s%s%s", (int)length, folder, slash ? "/" : "", name);
    if (wrote < 0 || (size_t)wrote >= sizeof path || access(path, F_OK) != 0) return false;
    char why[256];
    s->file = cvy_h5_open_source(path, why);
    if (s->file < 0 && s->found[0]) return false; /* the first one's reason is told */
    if (s->file < 0) strcpy(s->why, why);
    strcpy(s->found, path);
    return s->file >= 0;
}

static size_t folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

const char *cvy_h5_expand_prefix(const char *prefix, const char *path, char out[CVY_PATH_MAX]) {
    static const char origin[] = "${ORIGIN}";
    const size_t length = sizeof origin - 1;
    if (strncmp(prefix, origin, length) != 0) return prefix;
    const size_t folder = folder_of(path);
    snprintf(out, CVY_PATH_MAX, "%.*s%s", (int)(folder ? folder : 1), folder ? path : ".", prefix + length);
    return out;
}

static bool try_environment(struct cvy_h5_search *s, const char *path, const char *name) {
    char room[CVY_PATH_MAX];
    const char *list = getenv("HDF5_VDS_PREFIX");
    if (list == NULL) return false;
    for (const char *at = list; *at;) {
        const size_t length = strcspn(at, ":");
        if (length > 0 && try_path(s, at, length, name)) return true;
        at += length + (at[length] == ':');
    }
    const char *whole = cvy_h5_expand_prefix(list, path, room);
    return *whole && try_path(s, whole, strlen(whole), name);
}

bool cvy_h5_find_source(const char *path, const char *name, struct cvy_h5_search *s) {
    char real[CVY_PATH_MAX];
    *s = (struct cvy_h5_search){.name = name, .file = -1};
    if (name[0] == '/') {
        if (try_path(s, "", 0, name)) return true;
        name = strrchr(name, '/') + 1;
    }
    if (try_environment(s, path, name)) return true;
    if (try_path(s, path, folder_of(path), name) || try_path(s, "", 0, name)) return true;
    return realpath(path, real) && strlen(real) < sizeof real && try_path(s, real, folder_of(real), name);
}
