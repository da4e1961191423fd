/* What the parts and the index of a data set have in common, the index itself, and putting the files in place. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "io/dataset_writer.h"

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

cvy_status cvy_dataset_put_attributes(const struct cvy_dataset_writer *w, hid_t file, const struct cvy_tally *tally) {
    const int64_t version = CVY_DATASET_VERSION;
    char digest[32];
    int channels = w->plan.shape.c;
    double *stats;
    snprintf(digest, sizeof digest, "xxh64:%016" PRIx64, cvy_tally_digest(tally));
    CVY_TRY(cvy_h5_put_text(file, "format", CVY_DATASET_FORMAT));
    CVY_TRY(cvy_h5_put_ints(file, "version", CVY_H5_SCALAR, &version));
    CVY_TRY(cvy_h5_put_texts(file, "classes", w->plan.classes, w->names));
    CVY_TRY(cvy_h5_put_text(file, "digest", digest));
    CVY_TRY(cvy_h5_put_text(file, "source", w->plan.source));
    CVY_TRY(cvy_h5_put_text(file, "created_by", "convoy " CVY_VERSION));
    CVY_TRY(CVY_NEW(&stats, 2 * channels, data));
    cvy_tally_stats(tally, stats, stats + channels);
    cvy_status status = cvy_h5_put_reals(file, "mean", channels, stats);
    if (status == CVY_OK) status = cvy_h5_put_reals(file, "std", channels, stats + channels);
    cvy_free(stats);
    return status;
}

/* ---- The index ---- */

/* /x of the index: all shards one behind the other, for programs other than ours. */
static cvy_status put_virtual(struct cvy_dataset_writer *w, hid_t file) {
    char why[256];
    struct cvy_shape s = w->plan.shape;
    hsize_t dims[4] = {(hsize_t)cvy_tally_count(w->whole), (hsize_t)s.h, (hsize_t)s.w, (hsize_t)s.c}, at[4] = {0};
    hid_t space = H5Screate_simple(4, dims, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, false);
    bool good = true;
    for (int i = 0; i < w->shard_count && good; i++) {
        hsize_t size[4] = {(hsize_t)w->shards[i].count, dims[1], dims[2], dims[3]};
        hid_t from = H5Screate_simple(4, size, NULL);
        at[0] = (hsize_t)w->shards[i].first;
        good = H5Sselect_hyperslab(space, H5S_SELECT_SET, at, NULL, size, NULL) >= 0 &&
               H5Pset_virtual(properties, space, w->shards[i].path, "/x", from) >= 0;
        cvy_h5_drop(&from);
    }
    H5Sselect_all(space);
    hid_t type = w->plan.x_type == CVY_U8 ? H5T_STD_U8LE : H5T_IEEE_F32LE;
    hid_t x = good ? H5Dcreate2(file, "/x", type, space, H5P_DEFAULT, properties, H5P_DEFAULT) : -1;
    if (x < 0) cvy_h5_why(why);
    good = x >= 0;
    cvy_h5_drop(&x);
    cvy_h5_drop(&properties);
    cvy_h5_drop(&space);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s: /x cannot be made: %s", w->path, why);
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
    CVY_TRY(put_virtual(w, w->image.file));
    CVY_TRY(put_shards(w, w->image.file));
    CVY_TRY(cvy_dataset_put_labels(w->image.file, w->labels, count));
    CVY_TRY(cvy_dataset_put_attributes(w, w->image.file, w->whole));
    return cvy_h5_image_close(&w->image);
}

/* ---- Putting the files in place ---- */

bool cvy_dataset_shards_remove(const char *folder) {
    char path[CVY_PATH_MAX];
    DIR *dir = opendir(folder);
    if (dir == NULL) return errno == ENOENT;
    for (const struct dirent *e; (e = readdir(dir));) {
        size_t length = strlen(e->d_name);
        bool shard = length > 3 && strspn(e->d_name, "0123456789") == length - 3 &&
                     strcmp(e->d_name + length - 3, ".h5") == 0; /* 00012.h5; what else is there is not ours */
        if (shard && cvy_path_join(folder, e->d_name, path) == CVY_OK) unlink(path);
    }
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
