/* Writing a data set as a stream.
 *
 *   append ─► stage (whole chunks) ─► part: an HDF5 file in memory ─► full: on disk in `train.d.….tmp/`, next part
 *   finish ─► one part only: `train.h5`;   else the folder becomes `train.d` and the index `train.h5` is written last
 *
 * Each part is a complete data set of its own samples. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/memory.h"
#include "core/node.h"
#include "io/dataset_part.h"
#include "io/dataset_tally.h"
#include "io/file.h"

#define DEFAULT_SHARD ((int64_t)256 << 20)
#define STAGE_BYTES   ((int64_t)1 << 20)

struct cvy_dataset_writer {
    struct cvy_dataset_plan plan; /* texts owned by `texts` */
    struct cvy_tree *texts;
    const char **names;
    char path[CVY_PATH_MAX], folder[CVY_PATH_MAX], temporary[CVY_PATH_MAX];
    size_t sample;        /* bytes */
    int64_t part_samples; /* a multiple of the chunk */

    unsigned char *stage;
    int64_t stage_room, staged; /* samples */
    struct cvy_h5_image image;  /* the part being written */
    hid_t x;
    bool part_open;
    int64_t part_written; /* samples of it that are in /x */

    struct cvy_tally *part, *whole;
    int32_t *labels; /* of all samples */
    int64_t label_room;
    struct cvy_dataset_shard *shards;
    int shard_count, shard_room;
};

/* ---- Plan ---- */

static void complete_plan(struct cvy_dataset_writer *w) {
    struct cvy_dataset_plan *plan = &w->plan;
    if (plan->chunk <= 0) {
        plan->chunk = 1;
        while (2 * (size_t)plan->chunk * w->sample <= 32768) plan->chunk *= 2;
    }
    int64_t bytes = plan->shard_bytes > 0 ? plan->shard_bytes : DEFAULT_SHARD;
    int64_t chunks = bytes / (int64_t)w->sample / plan->chunk;
    w->part_samples = (chunks > 0 ? chunks : 1) * plan->chunk;
    chunks = STAGE_BYTES / (int64_t)w->sample / plan->chunk;
    w->stage_room = (chunks > 0 ? chunks : 1) * plan->chunk;
}

static cvy_status check_plan(const struct cvy_dataset_plan *plan, const char *path) {
    CVY_CHECK(cvy_shape_count(plan->shape) > 0 && plan->classes > 0 && plan->classes < 1 << 24, CVY_ERR_DATA,
              "%s: samples of %d×%d×%d in %d classes; all must be at least 1", path, plan->shape.h, plan->shape.w,
              plan->shape.c, plan->classes);
    CVY_CHECK(plan->x_type == CVY_U8 || plan->x_type == CVY_F32, CVY_ERR_INTERNAL, "%s: x is uint8 or float32", path);
    CVY_CHECK(plan->deflate >= 0 && plan->deflate <= 9, CVY_ERR_USAGE, "%s: deflate is %d; from 0 to 9", path,
              plan->deflate);
    return CVY_OK;
}

static cvy_status copy_texts(struct cvy_dataset_writer *w) {
    CVY_TRY(cvy_tree_create(&w->texts));
    CVY_TRY(CVY_NEW(&w->names, w->plan.classes, text));
    for (int i = 0; i < w->plan.classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        const char *name = w->plan.class_names ? w->plan.class_names[i] : number;
        CVY_TRY(cvy_tree_text(w->texts, name, strlen(name), &w->names[i]));
    }
    const char *source = w->plan.source ? w->plan.source : "";
    return cvy_tree_text(w->texts, source, strlen(source), &w->plan.source);
}

/* "train.h5" → "train.d" and "train.d.HOST.PID.tmp". */
static cvy_status name_files(struct cvy_dataset_writer *w, const char *path) {
    size_t length = strlen(path), stem = length > 3 && strcmp(path + length - 3, ".h5") == 0 ? length - 3 : length;
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    CVY_CHECK(length + sizeof host + 32 < CVY_PATH_MAX, CVY_ERR_USAGE, "%.200s…: the path is too long", path);
    snprintf(w->path, sizeof w->path, "%s", path);
    snprintf(w->folder, sizeof w->folder, "%.*s.d", (int)stem, path);
    snprintf(w->temporary, sizeof w->temporary, "%.*s.d.%s.%ld.tmp", (int)stem, path, host, (long)getpid());
    CVY_CHECK(strlen(cvy_path_name(w->folder)) < 48, CVY_ERR_USAGE, "%s: the name is longer than 45 letters", path);
    bool there = cvy_file_exists(w->path) || cvy_folder_exists(w->folder);
    CVY_CHECK(!there || w->plan.overwrite, CVY_ERR_USAGE,
              "%s: there is such a data set already; remove it, or ask to overwrite", path);
    return CVY_OK;
}

/* ---- A part ---- */

/* A chunked data set with checksums; rows may be added when `growing`. */
static hid_t make_array(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, hsize_t chunk,
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

static size_t expected_bytes(const struct cvy_dataset_writer *w) {
    int64_t samples = w->part_samples, left = w->plan.count - cvy_tally_count(w->whole);
    if (w->plan.count > 0 && left > 0 && left < samples) samples = left;
    size_t bytes = (size_t)samples * (w->sample + sizeof(int32_t));
    if (w->plan.count <= 0 && bytes > (size_t)32 << 20) bytes = (size_t)32 << 20;
    return bytes + bytes / 16 + ((size_t)1 << 20);
}

static cvy_status open_part(struct cvy_dataset_writer *w) {
    char why[256];
    struct cvy_shape s = w->plan.shape;
    hsize_t dims[4] = {0, (hsize_t)s.h, (hsize_t)s.w, (hsize_t)s.c};
    CVY_TRY(cvy_h5_image_create(&w->image, expected_bytes(w), 0));
    w->part_open = true;
    w->part_written = 0;
    hid_t type = w->plan.x_type == CVY_U8 ? H5T_STD_U8LE : H5T_IEEE_F32LE;
    w->x = make_array(w->image.file, "/x", type, 4, dims, (hsize_t)w->plan.chunk, true, w->plan.deflate);
    CVY_CHECK(w->x >= 0, CVY_ERR_INTERNAL, "%s: /x cannot be made: %s", w->path, cvy_h5_why(why));
    return CVY_OK;
}

/* The staged samples go to the end of /x. */
static cvy_status write_stage(struct cvy_dataset_writer *w) {
    char why[256];
    struct cvy_shape s = w->plan.shape;
    hsize_t at[4] = {(hsize_t)w->part_written},
            size[4] = {(hsize_t)w->staged, (hsize_t)s.h, (hsize_t)s.w, (hsize_t)s.c};
    hsize_t extent[4] = {(hsize_t)(w->part_written + w->staged), size[1], size[2], size[3]};
    hid_t type = w->plan.x_type == CVY_U8 ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT;
    bool good = H5Dset_extent(w->x, extent) >= 0;
    hid_t file_space = H5Dget_space(w->x), memory_space = H5Screate_simple(4, size, NULL);
    good = good && H5Sselect_hyperslab(file_space, H5S_SELECT_SET, at, NULL, size, NULL) >= 0 &&
           H5Dwrite(w->x, type, memory_space, file_space, H5P_DEFAULT, w->stage) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&memory_space);
    cvy_h5_drop(&file_space);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s: /x cannot be written: %s", w->path, why);
    w->part_written += w->staged;
    w->staged = 0;
    return CVY_OK;
}

static cvy_status put_labels(hid_t file, const int32_t *labels, int64_t count) {
    char why[256];
    hsize_t dims = (hsize_t)count;
    hid_t y = make_array(file, "/y", H5T_STD_I32LE, 1, &dims, dims < 16384 ? dims : 16384, false, 0);
    bool good = y >= 0 && H5Dwrite(y, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&y);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "/y cannot be written: %s", why);
    return CVY_OK;
}

static cvy_status put_attributes(const struct cvy_dataset_writer *w, hid_t file, const struct cvy_tally *tally) {
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

/* Leaves the part's bytes in w->image. */
static cvy_status close_part(struct cvy_dataset_writer *w) {
    int64_t count = cvy_tally_count(w->part), before = cvy_tally_count(w->whole) - count;
    if (w->staged) CVY_TRY(write_stage(w));
    CVY_TRY(put_labels(w->image.file, w->labels + before, count));
    CVY_TRY(put_attributes(w, w->image.file, w->part));
    cvy_h5_drop(&w->x);
    return cvy_h5_image_close(&w->image);
}

static void drop_image(struct cvy_dataset_writer *w) {
    cvy_h5_lock();
    cvy_h5_drop(&w->x);
    cvy_h5_image_destroy(&w->image);
    cvy_h5_unlock();
    w->part_open = false;
}

#define LOCKED(call) (cvy_h5_lock(), status = (call), cvy_h5_unlock(), status)

static cvy_status add_shard(struct cvy_dataset_writer *w, const struct cvy_dataset_shard *shard) {
    if (w->shard_count == w->shard_room) {
        struct cvy_dataset_shard *larger;
        int room = w->shard_room ? 2 * w->shard_room : 16;
        CVY_TRY(CVY_NEW(&larger, room, data));
        if (w->shard_count) memcpy(larger, w->shards, (size_t)w->shard_count * sizeof *larger);
        cvy_free(w->shards);
        w->shards = larger;
        w->shard_room = room;
    }
    w->shards[w->shard_count++] = *shard;
    return CVY_OK;
}

/* The part goes to disk as the next shard. */
static cvy_status write_shard(struct cvy_dataset_writer *w) {
    char name[16], path[CVY_PATH_MAX];
    cvy_status status;
    struct cvy_dataset_shard shard = {.count = cvy_tally_count(w->part)};
    shard.first = cvy_tally_count(w->whole) - shard.count;
    CVY_TRY(LOCKED(close_part(w)));
    if (w->shard_count == 0) CVY_TRY(cvy_folder_make(w->temporary));
    snprintf(name, sizeof name, "%05d.h5", w->shard_count);
    snprintf(shard.path, sizeof shard.path, "%s/%s", cvy_path_name(w->folder), name);
    CVY_TRY(cvy_path_join(w->temporary, name, path));
    shard.checksum = cvy_hash(w->image.data, w->image.size, 0);
    CVY_TRY(cvy_file_replace(path, &(struct cvy_bytes){w->image.data, w->image.size}, 1));
    drop_image(w);
    cvy_tally_reset(w->part);
    return add_shard(w, &shard);
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
    hid_t array = make_array(file, "/shards", type, 1, &count, count, false, 0);
    bool good = array >= 0 && H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, w->shards) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&array);
    cvy_h5_drop(&type);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s: /shards cannot be written: %s", w->path, why);
    return CVY_OK;
}

static cvy_status build_index(struct cvy_dataset_writer *w) {
    int64_t count = cvy_tally_count(w->whole);
    size_t expect = (size_t)count * sizeof(int32_t) + (size_t)w->shard_count * 512 + ((size_t)1 << 20);
    CVY_TRY(cvy_h5_image_create(&w->image, expect, 0));
    w->part_open = true;
    CVY_TRY(put_virtual(w, w->image.file));
    CVY_TRY(put_shards(w, w->image.file));
    CVY_TRY(put_labels(w->image.file, w->labels, count));
    CVY_TRY(put_attributes(w, w->image.file, w->whole));
    return cvy_h5_image_close(&w->image);
}

/* ---- Putting the files in place ---- */

/* Removes a folder of shards; false when something of another kind is in it. */
static bool remove_shards(const char *folder) {
    char path[CVY_PATH_MAX];
    DIR *dir = opendir(folder);
    if (dir == NULL) return errno == ENOENT;
    for (const struct dirent *e; (e = readdir(dir));) {
        size_t length = strlen(e->d_name);
        bool shard = length > 3 && strcmp(e->d_name + length - 3, ".h5") == 0;
        if (shard && cvy_path_join(folder, e->d_name, path) == CVY_OK) unlink(path);
    }
    closedir(dir);
    return rmdir(folder) == 0;
}

/* An index never stands beside another set's shards: the old index goes first, the new one comes last. */
static cvy_status place_shards(struct cvy_dataset_writer *w) {
    CVY_CHECK(unlink(w->path) == 0 || errno == ENOENT, CVY_ERR_USAGE, "%s: cannot be removed: %s", w->path,
              strerror(errno));
    CVY_CHECK(remove_shards(w->folder), CVY_ERR_USAGE, "%s: the old folder of shards cannot be removed: %s", w->folder,
              strerror(errno));
    CVY_CHECK(rename(w->temporary, w->folder) == 0, CVY_ERR_INTERNAL, "%s: cannot be put in place: %s", w->folder,
              strerror(errno));
    return CVY_OK;
}

static cvy_status finish(struct cvy_dataset_writer *w) {
    cvy_status status;
    CVY_CHECK(cvy_tally_count(w->whole) > 0, CVY_ERR_DATA, "%s: there are no samples to write", w->path);
    if (w->shard_count == 0) {
        CVY_TRY(LOCKED(close_part(w)));
        CVY_TRY(cvy_file_replace(w->path, &(struct cvy_bytes){w->image.data, w->image.size}, 1));
        remove_shards(w->folder); /* of a larger set that was here before */
        return CVY_OK;
    }
    if (w->part_open) CVY_TRY(write_shard(w));
    CVY_TRY(LOCKED(build_index(w)));
    CVY_TRY(place_shards(w));
    return cvy_file_replace(w->path, &(struct cvy_bytes){w->image.data, w->image.size}, 1);
}

/* ---- The writer ---- */

static cvy_status prepare(struct cvy_dataset_writer *w, const char *path) {
    CVY_TRY(check_plan(&w->plan, path));
    CVY_TRY(name_files(w, path));
    CVY_TRY(copy_texts(w));
    CVY_TRY(cvy_tally_create(w->plan.shape, w->plan.x_type, &w->part));
    CVY_TRY(cvy_tally_create(w->plan.shape, w->plan.x_type, &w->whole));
    return CVY_NEW(&w->stage, (size_t)w->stage_room * w->sample, data);
}

cvy_status cvy_dataset_writer_create(const char *path, const struct cvy_dataset_plan *plan,
                                     struct cvy_dataset_writer **out) {
    CVY_TRY(CVY_NEW(out, 1, data));
    struct cvy_dataset_writer *w = *out;
    w->plan = *plan;
    w->image.file = w->x = -1;
    w->sample = (size_t)cvy_shape_count(plan->shape) * cvy_dtype_bytes(plan->x_type);
    if (w->sample) complete_plan(w);
    cvy_status status = prepare(w, path);
    if (status != CVY_OK) cvy_dataset_writer_destroy(out);
    return status;
}

static cvy_status keep_labels(struct cvy_dataset_writer *w, int64_t count, const int32_t *y) {
    int64_t have = cvy_tally_count(w->whole);
    for (int64_t i = 0; i < count; i++)
        CVY_CHECK(y[i] >= 0 && y[i] < w->plan.classes, CVY_ERR_DATA,
                  "%s: sample %" PRId64 " has label %d, but the %d classes are 0 to %d", w->path, have + i, y[i],
                  w->plan.classes, w->plan.classes - 1);
    if (have + count > w->label_room) {
        int32_t *larger;
        int64_t room = 2 * (have + count);
        CVY_TRY(CVY_NEW(&larger, room, data));
        if (have) memcpy(larger, w->labels, (size_t)have * sizeof *larger);
        cvy_free(w->labels);
        w->labels = larger;
        w->label_room = room;
    }
    memcpy(w->labels + have, y, (size_t)count * sizeof *y);
    return CVY_OK;
}

/* Takes as many samples as the stage and the part have room for. */
static cvy_status append_some(struct cvy_dataset_writer *w, int64_t count, const unsigned char *x, const int32_t *y,
                              int64_t *taken) {
    cvy_status status;
    if (w->part_open && cvy_tally_count(w->part) == w->part_samples) CVY_TRY(write_shard(w));
    if (!w->part_open) CVY_TRY(LOCKED(open_part(w)));
    int64_t room = w->part_samples - cvy_tally_count(w->part), stage = w->stage_room - w->staged;
    if (stage < room) room = stage;
    *taken = count < room ? count : room;
    CVY_TRY(keep_labels(w, *taken, y));
    memcpy(w->stage + (size_t)w->staged * w->sample, x, (size_t)*taken * w->sample);
    w->staged += *taken;
    cvy_tally_add(w->part, *taken, x, y);
    cvy_tally_add(w->whole, *taken, x, y);
    return w->staged == w->stage_room ? LOCKED(write_stage(w)) : CVY_OK;
}

cvy_status cvy_dataset_writer_append(struct cvy_dataset_writer *writer, int64_t count, const void *x,
                                     const int32_t *y) {
    for (int64_t done = 0, taken; done < count; done += taken)
        CVY_TRY(append_some(writer, count - done, (const unsigned char *)x + (size_t)done * writer->sample, y + done,
                            &taken));
    return CVY_OK;
}

cvy_status cvy_dataset_writer_finish(struct cvy_dataset_writer **writer) {
    cvy_status status = finish(*writer);
    cvy_dataset_writer_destroy(writer);
    return status;
}

void cvy_dataset_writer_destroy(struct cvy_dataset_writer **writer) {
    struct cvy_dataset_writer *w = *writer;
    if (w == NULL) return;
    drop_image(w);
    if (w->temporary[0]) remove_shards(w->temporary);
    cvy_tally_destroy(&w->part);
    cvy_tally_destroy(&w->whole);
    cvy_tree_destroy(&w->texts);
    cvy_free(w->names);
    cvy_free(w->stage);
    cvy_free(w->labels);
    cvy_free(w->shards);
    CVY_DELETE(writer);
}
