/* Every mapping of a virtual data set, into those that its sources are made of, too; and external files, which are
 * relative to HDF5_EXTFILE_PREFIX, or else to the working folder. */
#define _GNU_SOURCE
#include "io/hdf5/h5_sources.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "io/file.h"
#include "io/hdf5/h5_search.h"

enum { SPARE_FILES = 16, MOST_NESTED = 16, LOOK_AHEAD = 64, NAME_ROOM = 1024 };

/* ---- One source ---- */

struct mapping {
    const char *path, *array; /* the virtual data set */
    hid_t file;
    struct cvy_h5_sources *sources;
    int depth;
    char name[NAME_ROOM], inner[NAME_ROOM]; /* the source's file and array */
    hid_t to, from;                         /* selections: of the virtual data set, of the source */
    char rows[64];                          /* "samples 32 to 47: " */
};

static cvy_status check_array(const char *path, hid_t file, hid_t array, const char *name, int depth,
                              struct cvy_h5_sources *sources);

static cvy_status fail_to_find(const struct mapping *m, const struct cvy_h5_search *s) {
    const bool unlike = strstr(s->why, "match") != NULL; /* HDF5 has it open with other flags */
    CVY_CHECK(
        !s->found[0] || !unlike, CVY_ERR_DATA,
        "%s: %s is a virtual data set; %sits source %s is also read on its own here, and HDF5 cannot do both; name "
        "the virtual data set before that file, or pack it first (convoy data pack)",
        m->path, m->array, m->rows, s->found);
    CVY_CHECK(!s->found[0], CVY_ERR_DATA,
              "%s: %s is a virtual data set; %sits source %s cannot be opened (%s); copy that file again", m->path,
              m->array, m->rows, s->found, s->why);
    return CVY_FAIL(CVY_ERR_DATA,
                    "%s: %s is a virtual data set; %sits source %s is missing; put that file where it was (names are "
                    "relative to the set's folder), or name its folder in HDF5_VDS_PREFIX",
                    m->path, m->array, m->rows, m->name);
}

static cvy_status fail_as_short(const struct mapping *m, const char *path, hsize_t has, const char *of,
                                hsize_t wanted) {
    return CVY_FAIL(CVY_ERR_DATA,
                    "%s: %s is a virtual data set; %sits source %s is too short: its %s has %llu %s, where %llu are "
                    "taken; copy that file again",
                    m->path, m->array, m->rows, path, m->inner, (unsigned long long)has, of,
                    (unsigned long long)wanted);
}

/* The selection is of all that the source has, or of a part, which must lie in it; or it has no end. */
static cvy_status check_extent(const struct mapping *m, const char *path, hid_t array) {
    hsize_t start[H5S_MAX_RANK], end[H5S_MAX_RANK], dims[H5S_MAX_RANK] = {0};
    hid_t space = H5Dget_space(array);
    const int rank = H5Sget_simple_extent_ndims(space), wanted = H5Sget_simple_extent_ndims(m->from);
    const hssize_t has = H5Sget_simple_extent_npoints(space), taken = H5Sget_select_npoints(m->to);
    if (rank >= 0) H5Sget_simple_extent_dims(space, dims, NULL);
    cvy_h5_drop(&space);
    if (H5Sget_select_type(m->from) == H5S_SEL_ALL)
        return m->rows[0] == '\0' || has >= taken ? CVY_OK
                                                  : fail_as_short(m, path, (hsize_t)has, "values", (hsize_t)taken);
    CVY_CHECK(rank == wanted, CVY_ERR_DATA, "%s: %s is a virtual data set; %sits source %s has %d axes in %s, not %d",
              m->path, m->array, m->rows, path, rank, m->inner, wanted);
    if (H5Sget_select_bounds(m->from, start, end) < 0) return CVY_OK;
    for (int i = 0; i < rank; i++)
        if (end[i] != H5S_UNLIMITED && end[i] >= dims[i])
            return fail_as_short(m, path, dims[i], i ? "along an axis" : "samples", end[i] + 1);
    return CVY_OK;
}

static cvy_status check_inner(const struct mapping *m, const char *path, hid_t file) {
    char filter[160];
    bool needed;
    hid_t array = H5Dopen2(file, m->inner, H5P_DEFAULT);
    CVY_CHECK(array >= 0, CVY_ERR_DATA, "%s: %s is a virtual data set; %sits source %s has no data set %s", m->path,
              m->array, m->rows, path, m->inner);
    cvy_status status = check_extent(m, path, array);
    if (status == CVY_OK && cvy_h5_missing_filter(array, filter, &needed) && needed)
        status = cvy_h5_fail_by_filter(path, m->inner, filter);
    if (status == CVY_OK) status = check_array(path, file, array, m->inner, m->depth + 1, m->sources);
    cvy_h5_drop(&array);
    return status;
}

static cvy_status watch(struct cvy_h5_sources *sources, const char *path) {
    struct cvy_h5_watched *w;
    for (int i = 0; i < sources->watched_count; i++)
        if (strcmp(sources->watched[i].path, path) == 0) return CVY_OK;
    CVY_TRY(CVY_GROW(&sources->watched, sources->watched_count, &sources->watched_room, data));
    w = &sources->watched[sources->watched_count];
    CVY_TRY(CVY_NEW(&w->path, strlen(path) + 1, text));
    sources->watched_count++;
    return cvy_watch_begin_path(&w->watch, strcpy(w->path, path));
}

cvy_status cvy_h5_watch_sources(struct cvy_h5_sources *sources) {
    for (int i = 0; i < sources->watched_count; i++)
        CVY_TRY(cvy_watch_check_path(&sources->watched[i].watch, sources->watched[i].path));
    return CVY_OK;
}

/* Takes the file over. */
static cvy_status keep_open(struct cvy_h5_sources *sources, hid_t file) {
    cvy_status status = CVY_GROW(&sources->files, sources->count, &sources->room, data);
    if (status != CVY_OK) cvy_h5_drop(&file);
    CVY_TRY(status);
    sources->files[sources->count++] = file;
    return CVY_OK;
}

static cvy_status check_source(const struct mapping *m) {
    struct cvy_h5_search s;
    if (strcmp(m->name, ".") == 0) return check_inner(m, m->path, m->file);
    if (!cvy_h5_find_source(m->path, m->name, &s)) return fail_to_find(m, &s);
    cvy_status status = check_inner(m, s.found, s.file);
    if (status == CVY_OK) status = watch(m->sources, s.found);
    if (status == CVY_OK) return keep_open(m->sources, s.file);
    cvy_h5_drop(&s.file);
    return status;
}

/* ---- Numbered sources: "part-%b.h5" ---- */

static bool is_numbered(const char *name) {
    for (const char *at = name; (at = strchr(at, '%')); at += 1 + (at[1] != '\0'))
        if (at[1] == 'b') return true;
    return false;
}

static void number(const char *name, hsize_t block, char out[NAME_ROOM]) {
    size_t used = 0;
    for (const char *at = name; *at && used + 32 < NAME_ROOM; at++) {
        if (at[0] == '%' && at[1] == 'b')
            used += (size_t)snprintf(out + used, 32, "%llu", (unsigned long long)block);
        else
            out[used++] = *at;
        if (at[0] == '%' && (at[1] == 'b' || at[1] == '%')) at++;
    }
    out[used] = '\0';
}

/* How many there are, as HDF5 counted them: it ends at the first that is missing. */
static hsize_t blocks_of(hid_t to, const hsize_t *dims) {
    hsize_t start[H5S_MAX_RANK], stride[H5S_MAX_RANK], count[H5S_MAX_RANK], block[H5S_MAX_RANK];
    const int rank = H5Sget_simple_extent_ndims(to);
    if (H5Sget_regular_hyperslab(to, start, stride, count, block) < 0) return 0;
    for (int i = 0; i < rank; i++)
        if (count[i] == H5S_UNLIMITED) return dims[i] <= start[i] ? 0 : (dims[i] - start[i] - 1) / stride[i] + 1;
    return 0;
}

static bool block_exists(const struct mapping *m) {
    struct cvy_h5_search s;
    bool there = strcmp(m->name, ".") == 0 ? H5Lexists(m->file, m->inner, H5P_DEFAULT) > 0
                                           : cvy_h5_find_source(m->path, m->name, &s) || s.found[0];
    if (strcmp(m->name, ".") != 0) cvy_h5_drop(&s.file);
    return there;
}

static cvy_status check_block(const struct mapping *m, hsize_t block, bool quietly, bool *there) {
    struct mapping one = *m;
    number(m->name, block, one.name);
    number(m->inner, block, one.inner);
    snprintf(one.rows, sizeof one.rows, "block %llu: ", (unsigned long long)block);
    *there = !quietly || block_exists(&one);
    return quietly ? CVY_OK : check_source(&one);
}

/* One that is missing in their middle shows by those behind it. */
static cvy_status check_blocks(const struct mapping *m, const hsize_t *dims) {
    bool there;
    const hsize_t count = blocks_of(m->to, dims);
    for (hsize_t b = 0; b < count || b == 0; b++) CVY_TRY(check_block(m, b, false, &there));
    for (hsize_t b = count + 1; b < count + LOOK_AHEAD; b++) {
        CVY_TRY(check_block(m, b, true, &there));
        if (there) return check_block(m, count, false, &there);
    }
    return CVY_OK;
}

/* ---- A virtual data set ---- */

static bool read_mapping(hid_t properties, size_t index, struct mapping *m) {
    hsize_t start[H5S_MAX_RANK], end[H5S_MAX_RANK];
    bool good = H5Pget_virtual_filename(properties, index, m->name, sizeof m->name) >= 0 &&
                H5Pget_virtual_dsetname(properties, index, m->inner, sizeof m->inner) >= 0;
    m->to = H5Pget_virtual_vspace(properties, index);
    m->from = H5Pget_virtual_srcspace(properties, index);
    good = good && m->to >= 0 && m->from >= 0;
    m->rows[0] = '\0';
    if (good && H5Sget_select_bounds(m->to, start, end) >= 0 && end[0] != H5S_UNLIMITED)
        snprintf(m->rows, sizeof m->rows, "samples %llu to %llu: ", (unsigned long long)start[0],
                 (unsigned long long)end[0]);
    return good;
}

/* `mapped`: how many elements have a source, −1 where that has no end. */
static cvy_status check_mapping(struct mapping *m, const hsize_t *dims, hssize_t *mapped) {
    hssize_t points = H5Sget_select_npoints(m->to);
    if (points < 0 || *mapped < 0 || (hsize_t)points == H5S_UNLIMITED || m->rows[0] == '\0')
        *mapped = -1;
    else
        *mapped += points;
    if (m->rows[0] == '\0' && (is_numbered(m->name) || is_numbered(m->inner))) return check_blocks(m, dims);
    struct mapping one = *m;
    number(m->name, 0, one.name); /* "%%" is a "%" */
    number(m->inner, 0, one.inner);
    return check_source(&one);
}

static cvy_status check_virtual(hid_t properties, hid_t space, struct mapping *m) {
    size_t count = 0;
    hssize_t mapped = 0;
    hsize_t dims[H5S_MAX_RANK] = {0};
    H5Sget_simple_extent_dims(space, dims, NULL);
    H5Pget_virtual_count(properties, &count);
    for (size_t i = 0; i < count; i++) {
        bool good = read_mapping(properties, i, m);
        cvy_status status = good ? check_mapping(m, dims, &mapped)
                                 : CVY_FAIL(CVY_ERR_DATA, "%s: %s is a virtual data set; its source %zu cannot be told",
                                            m->path, m->array, i);
        cvy_h5_drop(&m->to);
        cvy_h5_drop(&m->from);
        CVY_TRY(status);
    }
    const hssize_t all = H5Sget_simple_extent_npoints(space);
    CVY_CHECK(mapped < 0 || mapped >= all, CVY_ERR_DATA,
              "%s: %s is a virtual data set of %lld values, and %lld of them have no source; make it again from all of "
              "its files",
              m->path, m->array, (long long)all, (long long)(all - mapped));
    return CVY_OK;
}

/* ---- External files ---- */

static cvy_status check_file(const char *path, const char *array, const char *name, int64_t wanted,
                             struct cvy_h5_sources *sources) {
    char place[CVY_PATH_MAX], room[CVY_PATH_MAX];
    const char *prefix = getenv("HDF5_EXTFILE_PREFIX");
    const bool prefixed = name[0] != '/' && prefix && *prefix && strcmp(prefix, ".") != 0;
    snprintf(place, sizeof place, "%s%s%s", prefixed ? cvy_h5_expand_prefix(prefix, path, room) : "",
             prefixed ? "/" : "", name);
    CVY_CHECK(
        access(place, R_OK) == 0, CVY_ERR_DATA,
        "%s: %s lies in the external file %s, which is missing; HDF5 looks for it in the working folder: go there, "
        "or set HDF5_EXTFILE_PREFIX='${ORIGIN}', which is the set's own folder",
        path, array, place);
    const int64_t size = cvy_file_size(place);
    CVY_CHECK(size >= wanted, CVY_ERR_DATA,
              "%s: %s lies in the external file %s, which is cut off: it has %" PRId64 " bytes, %" PRId64
              " are wanted; copy that file again",
              path, array, place, size, wanted);
    return watch(sources, place);
}

static cvy_status check_external(const struct mapping *m, hid_t properties, hid_t space, size_t element) {
    hsize_t left = (hsize_t)H5Sget_simple_extent_npoints(space) * element;
    const int count = H5Pget_external_count(properties);
    for (int i = 0; i < count && left > 0; i++) {
        char name[NAME_ROOM] = "";
        off_t offset = 0;
        hsize_t size = 0;
        if (H5Pget_external(properties, (unsigned)i, sizeof name - 1, name, &offset, &size) < 0) continue;
        const hsize_t here = size < left ? size : left;
        CVY_TRY(check_file(m->path, m->array, name, (int64_t)offset + (int64_t)here, m->sources));
        left -= here;
    }
    return CVY_OK;
}

/* ---- Any array ---- */

static size_t element_of(hid_t array) {
    hid_t type = H5Dget_type(array);
    size_t size = H5Tget_size(type);
    cvy_h5_drop(&type);
    return size;
}

static cvy_status check_array(const char *path, hid_t file, hid_t array, const char *name, int depth,
                              struct cvy_h5_sources *sources) {
    cvy_status status = CVY_OK;
    struct mapping m = {
        .path = path, .array = name, .file = file, .sources = sources, .depth = depth, .to = -1, .from = -1};
    CVY_CHECK(depth < MOST_NESTED, CVY_ERR_DATA, "%s: %s is a virtual data set made of itself", path, name);
    hid_t properties = H5Dget_create_plist(array), space = H5Dget_space(array);
    if (H5Pget_layout(properties) == H5D_VIRTUAL)
        status = check_virtual(properties, space, &m);
    else if (H5Pget_external_count(properties) > 0)
        status = check_external(&m, properties, space, element_of(array));
    cvy_h5_drop(&space);
    cvy_h5_drop(&properties);
    return status;
}

/* HDF5 opens each once more while it reads, and takes a failure for a missing source. */
static bool files_to_spare(void) {
    int file[SPARE_FILES], open_now = 0;
    while (open_now < SPARE_FILES && (file[open_now] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) open_now++;
    for (int i = 0; i < open_now; i++) close(file[i]);
    return open_now == SPARE_FILES;
}

cvy_status cvy_h5_open_sources(const char *path, hid_t file, hid_t array, const char *name,
                               struct cvy_h5_sources *sources) {
    CVY_TRY(check_array(path, file, array, name, 0, sources));
    CVY_CHECK(
        sources->count == 0 || files_to_spare(), CVY_ERR_DATA,
        "%s: %s is a virtual data set of %d sources, more files than this process may have open; raise that limit "
        "(ulimit -n), or pack it where it is higher (convoy data pack)",
        path, name, sources->count);
    return CVY_OK;
}

void cvy_h5_close_sources(struct cvy_h5_sources *sources) {
    for (int i = 0; i < sources->count; i++) cvy_h5_drop(&sources->files[i]);
    for (int i = 0; i < sources->watched_count; i++) cvy_free(sources->watched[i].path);
    cvy_free(sources->files);
    cvy_free(sources->watched);
    *sources = (struct cvy_h5_sources){.files = NULL};
}

/* The first source of a virtual data set, and its first source, and so on. */
static hid_t first_properties(const char *path, hid_t file, hid_t array, int depth) {
    struct mapping m = {.to = -1, .from = -1};
    struct cvy_h5_search s = {.file = -1};
    char name[NAME_ROOM], inner_name[NAME_ROOM];
    hid_t properties = H5Dget_create_plist(array), inner = -1, found = -1;
    if (properties < 0 || H5Pget_layout(properties) != H5D_VIRTUAL || depth == MOST_NESTED) return properties;
    const bool good = read_mapping(properties, 0, &m);
    number(m.name, 0, name);
    number(m.inner, 0, inner_name);
    const bool same = good && strcmp(name, ".") == 0;
    if (good && (same || cvy_h5_find_source(path, name, &s)))
        inner = H5Dopen2(same ? file : s.file, inner_name, H5P_DEFAULT);
    if (inner >= 0) found = first_properties(same ? path : s.found, same ? file : s.file, inner, depth + 1);
    cvy_h5_drop(&inner);
    cvy_h5_drop(&s.file);
    cvy_h5_drop(&m.to);
    cvy_h5_drop(&m.from);
    cvy_h5_drop(&properties);
    return found;
}

hid_t cvy_h5_source_properties(const char *path, hid_t file, hid_t array) {
    return first_properties(path, file, array, 0);
}
