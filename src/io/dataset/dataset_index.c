/* What the parts and the index of a data set have in common, the index itself, and putting the files in place. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/memory.h"
#include "io/dataset/dataset_writer.h"

/* ---- Arrays and attributes ---- */

hid_t cvy_dataset_array_make(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, hsize_t chunk,
                             bool growing, int deflate) {
    hsize_t most[4], chunks[4];
    memcpy(most, dims, (size_t)rank * sizeof *dims);
    memcpy(chunks, dims, (size_t)rank * sizeof *dims);
    if (growing) most[0] = H5S_UNLIMITED;
    chunks[0] = chunk;
    hid_t space = H5Screate_simple(rank, dims, most), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, false);
    H5Pset_chunk(properties, rank, chunks);
    H5Pset_fill_time(properties, H5D_FILL_TIME_ALLOC); /* the last chunk's tail is zeros, not chance */
    if (deflate) {
        H5Pset_shuffle(properties);
        H5Pset_deflate(properties, (unsigned)deflate);
    }
    H5Pset_fletcher32(properties);
    hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    cvy_h5_drop(&properties);
    cvy_h5_drop(&space);
    return array;
}

struct cvy_dataset_column cvy_dataset_column_x(const struct cvy_dataset_plan *plan) {
    const struct cvy_shape s = plan->shape;
    const bool bytes = plan->x_type == CVY_U8;
    return (struct cvy_dataset_column){.name = "/x",
                                       .file_type = bytes ? H5T_STD_U8LE : H5T_IEEE_F32LE,
                                       .memory_type = bytes ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT,
                                       .rank = 4,
                                       .dims = {0, (hsize_t)s.h, (hsize_t)s.w, (hsize_t)s.c},
                                       .size = (size_t)cvy_shape_count(s) * cvy_dtype_bytes(plan->x_type)};
}

/* Maps of classes [n][h][w], in bytes where these hold them; values [n][k] or [n][h][w][c]. */
struct cvy_dataset_column cvy_dataset_column_y(const struct cvy_dataset_plan *plan) {
    const struct cvy_shape s = plan->target.shape;
    const bool classes = plan->target.type == CVY_I32, map = cvy_shape_pixels(s) > 1;
    const bool bytes = plan->classes <= 256 && (!plan->ignores || (plan->ignored >= 0 && plan->ignored < 256));
    struct cvy_dataset_column column = {.name = "/y", .size = cvy_target_bytes(plan->target)};
    column.file_type = !classes ? H5T_IEEE_F32LE : bytes ? H5T_STD_U8LE : H5T_STD_I32LE;
    column.memory_type = classes ? H5T_NATIVE_INT32 : H5T_NATIVE_FLOAT;
    column.rank = classes ? 3 : map ? 4 : 2;
    column.dims[1] = map ? (hsize_t)s.h : (hsize_t)s.c;
    column.dims[2] = (hsize_t)s.w;
    column.dims[3] = (hsize_t)s.c;
    return column;
}

cvy_status cvy_dataset_put_labels(hid_t file, const int32_t *labels, int64_t count) {
    char why[256];
    hsize_t dims = (hsize_t)count;
    hid_t y = cvy_dataset_array_make(file, "/y", H5T_STD_I32LE, 1, &dims, dims < 16384 ? dims : 16384, false, 0);
    bool good = y >= 0 && H5Dwrite(y, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&y);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "/y cannot be written: %s", why);
    return CVY_OK;
}

/* Samples that hold what is no number are refused by who reads them. */
static cvy_status put_range(hid_t file, const struct cvy_range *range) {
    const double ends[2] = {range->low, range->high};
    const int64_t whole = range->whole;
    if (range->low > range->high || isinf(range->low) || isinf(range->high)) return CVY_OK;
    CVY_TRY(cvy_h5_put_reals(file, "range", 2, ends));
    return cvy_h5_put_ints(file, "whole", CVY_H5_SCALAR, &whole);
}

cvy_status cvy_dataset_put_attributes(const struct cvy_dataset_writer *w, hid_t file, const struct cvy_tally *tally) {
    const int64_t version = CVY_DATASET_VERSION;
    char digest[32];
    int channels = w->plan.shape.c;
    double *stats;
    snprintf(digest, sizeof digest, "xxh64:%016" PRIx64, cvy_tally_digest(tally));
    CVY_TRY(cvy_h5_put_text(file, "format", CVY_DATASET_FORMAT));
    CVY_TRY(cvy_h5_put_ints(file, "version", CVY_H5_SCALAR, &version));
    if (!w->plan.bare) CVY_TRY(cvy_h5_put_texts(file, "classes", w->plan.classes, w->names));
    const int64_t ignored = w->plan.ignored;
    if (w->plan.ignores) CVY_TRY(cvy_h5_put_ints(file, "ignore_label", CVY_H5_SCALAR, &ignored));
    CVY_TRY(cvy_h5_put_text(file, "digest", digest));
    CVY_TRY(cvy_h5_put_text(file, "source", w->plan.source));
    CVY_TRY(cvy_h5_put_text(file, "created_by", "convoy " CVY_VERSION));
    CVY_TRY(CVY_NEW(&stats, 2 * channels, data));
    cvy_tally_stats(tally, stats, stats + channels);
    cvy_status status = cvy_h5_put_reals(file, "mean", channels, stats);
    if (status == CVY_OK) status = cvy_h5_put_reals(file, "std", channels, stats + channels);
    cvy_free(stats);
    const struct cvy_range range = cvy_tally_range(tally);
    return status == CVY_OK ? put_range(file, &range) : status;
}

/* ---- The index ---- */

/* A column of the index: all shards one behind the other, for programs other than ours. */
static cvy_status put_virtual(struct cvy_dataset_writer *w, hid_t file, struct cvy_dataset_column column) {
    char why[256];
    hsize_t at[4] = {0}, size[4];
    memcpy(size, column.dims, sizeof size);
    column.dims[0] = (hsize_t)cvy_tally_count(w->whole);
    hid_t space = H5Screate_simple(column.rank, column.dims, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, false);
    bool good = true;
    for (int i = 0; i < w->shard_count && good; i++) {
        size[0] = (hsize_t)w->shards[i].count;
        hid_t from = H5Screate_simple(column.rank, size, NULL);
        at[0] = (hsize_t)w->shards[i].first;
        good = H5Sselect_hyperslab(space, H5S_SELECT_SET, at, NULL, size, NULL) >= 0 &&
               H5Pset_virtual(properties, space, w->shards[i].path, column.name, from) >= 0;
        cvy_h5_drop(&from);
    }
    H5Sselect_all(space);
    hid_t array =
        good ? H5Dcreate2(file, column.name, column.file_type, space, H5P_DEFAULT, properties, H5P_DEFAULT) : -1;
    if (array < 0) cvy_h5_why(why);
    good = array >= 0;
    cvy_h5_drop(&array);
    cvy_h5_drop(&properties);
    cvy_h5_drop(&space);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s: %s cannot be made: %s", w->path, column.name, why);
    return CVY_OK;
}

static cvy_status put_shards(struct cvy_dataset_writer *w, hid_t file) {
    char why[256];
    hsize_t count = (hsize_t)w->shard_count;
    hid_t type = cvy_dataset_shard_type();
    hid_t array = cvy_dataset_array_make(file, "/shards", type, 1, &count, count, false, 0);
    bool good = array >= 0 && H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, w->shards) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&array);
    cvy_h5_drop(&type);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s: /shards cannot be written: %s", w->path, why);
    return CVY_OK;
}

cvy_status cvy_dataset_index_build(struct cvy_dataset_writer *w) {
    int64_t count = cvy_tally_count(w->whole);
    size_t expect = (size_t)count * sizeof(int32_t) + (size_t)w->shard_count * 512 + ((size_t)1 << 20);
    CVY_TRY(cvy_h5_image_create(&w->image, expect, 0));
    w->part_open = true;
    CVY_TRY(put_virtual(w, w->image.file, cvy_dataset_column_x(&w->plan)));
    CVY_TRY(put_shards(w, w->image.file));
    if (cvy_dataset_plan_dense(&w->plan)) CVY_TRY(put_virtual(w, w->image.file, cvy_dataset_column_y(&w->plan)));
    if (w->labels) CVY_TRY(cvy_dataset_put_labels(w->image.file, w->labels, count));
    CVY_TRY(cvy_dataset_put_attributes(w, w->image.file, w->whole));
    return cvy_h5_image_close(&w->image);
}

/* ---- Putting the files in place ---- */

static bool is_link(const char *path) {
    struct stat s;
    return lstat(path, &s) == 0 && S_ISLNK(s.st_mode);
}

/* 00012.h5 */
static bool is_shard_name(const char *name) {
    const size_t length = strlen(name);
    return length > 3 && strspn(name, "0123456789") == length - 3 && strcmp(name + length - 3, ".h5") == 0;
}

/* A data set of ours. */
static bool is_shard(const char *folder, const char *name) {
    char path[CVY_PATH_MAX];
    int64_t count;
    hid_t file = -1;
    if (!is_shard_name(name) || cvy_path_join(folder, name, path) != CVY_OK) return false;
    cvy_h5_lock();
    bool ours =
        cvy_h5_open(path, CVY_ERR_DATA, &file) == CVY_OK && cvy_h5_attribute(file, "digest", &count) == CVY_H5_TEXTS;
    cvy_h5_drop(&file);
    cvy_h5_unlock();
    return ours;
}

cvy_status cvy_dataset_shards_check(const char *folder) {
    char other[256] = "";
    DIR *dir = is_link(folder) ? NULL : opendir(folder);
    if (dir == NULL) return CVY_OK;
    for (const struct dirent *e; other[0] == '\0' && (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !is_shard(folder, e->d_name))
            snprintf(other, sizeof other, "%s", e->d_name);
    closedir(dir);
    CVY_CHECK(other[0] == '\0', CVY_ERR_USAGE,
              "%s: %s in it is no shard of a data set, and would be lost; move it away, or name another output", folder,
              other);
    return CVY_OK;
}

bool cvy_dataset_shards_remove(const char *folder) {
    char path[CVY_PATH_MAX];
    if (is_link(folder)) return unlink(folder) == 0;
    DIR *dir = opendir(folder);
    if (dir == NULL) return errno == ENOENT;
    for (const struct dirent *e; (e = readdir(dir));)
        if (is_shard_name(e->d_name) && cvy_path_join(folder, e->d_name, path) == CVY_OK) unlink(path);
    closedir(dir);
    return rmdir(folder) == 0;
}

cvy_status cvy_dataset_shards_place(struct cvy_dataset_writer *w) {
    CVY_CHECK(unlink(w->path) == 0 || errno == ENOENT, CVY_ERR_USAGE, "%s: cannot be removed: %s", w->path,
              strerror(errno));
    CVY_CHECK(cvy_dataset_shards_remove(w->folder), CVY_ERR_USAGE, "%s: the old folder of shards cannot be removed: %s",
              w->folder, strerror(errno));
    CVY_CHECK(rename(w->temporary, w->folder) == 0, CVY_ERR_INTERNAL, "%s: cannot be put in place: %s", w->folder,
              strerror(errno));
    return CVY_OK;
}
