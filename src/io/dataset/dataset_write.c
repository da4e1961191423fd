/* Writing a data set as a stream.
 *
 *   append ─► stage (whole chunks) ─► part: an HDF5 file in memory ─► full: on disk in `train.d.….tmp/`, next part
 *   finish ─► one part only: `train.h5`;   else the folder becomes `train.d` and the index `train.h5` is written last
 *
 * Each part is a complete data set of its own samples. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/memory.h"
#include "core/text.h"
#include "io/dataset/dataset_writer.h"
#include "io/file.h"
#include "io/runs/output.h"

#define DEFAULT_SHARD ((int64_t)256 << 20)
#define STAGE_BYTES   ((int64_t)1 << 20)

/* ---- Plan ---- */

static void complete_plan(struct cvy_dataset_writer *w) {
    struct cvy_dataset_plan *plan = &w->plan;
    if (plan->chunk <= 0) {
        plan->chunk = 1;
        while (2 * (size_t)plan->chunk * w->sample <= 32768) plan->chunk *= 2;
    }
    int64_t bytes = plan->shard_bytes > 0 ? plan->shard_bytes : DEFAULT_SHARD;
    int64_t sample = (int64_t)(w->sample + (cvy_dataset_plan_dense(plan) ? w->target : 0));
    int64_t chunks = bytes / sample / plan->chunk;
    w->part_samples = (chunks > 0 ? chunks : 1) * plan->chunk;
    chunks = STAGE_BYTES / sample / plan->chunk;
    w->stage_room = (chunks > 0 ? chunks : 1) * plan->chunk;
}

static cvy_status check_targets(const struct cvy_dataset_plan *plan, const char *path) {
    const struct cvy_target *target = &plan->target;
    if (plan->bare) return CVY_OK;
    CVY_CHECK(cvy_shape_count(target->shape) > 0 && (target->type == CVY_F32 || target->shape.c == 1), CVY_ERR_DATA,
              "%s: targets of %s; all must be at least 1, and classes have one channel", path,
              CVY_SHAPE_TEXT(target->shape));
    CVY_CHECK(target->type == CVY_I32 || plan->classes == target->shape.c, CVY_ERR_USAGE,
              "%s: %d %s, but a target has %d %s", path, plan->classes, cvy_plural(plan->classes, "name", "names"),
              target->shape.c, cvy_plural(target->shape.c, "channel", "channels"));
    CVY_CHECK(plan->classes > 0 && plan->classes < 1 << 24, CVY_ERR_DATA, "%s: %d classes; there must be at least 1",
              path, plan->classes);
    return CVY_OK;
}

static cvy_status check_plan(const struct cvy_dataset_plan *plan, const char *path) {
    CVY_TRY(check_targets(plan, path));
    CVY_CHECK(cvy_shape_count(plan->shape) > 0, CVY_ERR_DATA, "%s: samples of %s; all must be at least 1", path,
              CVY_SHAPE_TEXT(plan->shape));
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

cvy_status cvy_dataset_folder(const char *path, char out[CVY_PATH_MAX]) {
    const size_t length = strlen(path),
                 stem = length > 3 && strcmp(path + length - 3, ".h5") == 0 ? length - 3 : length;
    CVY_CHECK(stem + 3 < CVY_PATH_MAX, CVY_ERR_USAGE, "%.200s…: the path is too long", path);
    snprintf(out, CVY_PATH_MAX, "%.*s.d", (int)stem, path);
    return CVY_OK;
}

/* "train.h5" → "train.d" and "train.d.HOST.PID.tmp". */
static cvy_status name_files(struct cvy_dataset_writer *w, const char *path) {
    const size_t length = strlen(path);
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    CVY_CHECK(length + sizeof host + 32 < CVY_PATH_MAX, CVY_ERR_USAGE, "%.200s…: the path is too long", path);
    snprintf(w->path, sizeof w->path, "%s", path);
    CVY_TRY(cvy_dataset_folder(path, w->folder));
    snprintf(w->temporary, sizeof w->temporary, "%.*s.%s.%ld.tmp", (int)sizeof w->temporary - 96, w->folder, host,
             (long)getpid());
    CVY_CHECK(strlen(cvy_path_name(w->folder)) < 48, CVY_ERR_USAGE, "%s: the name is longer than 45 letters", path);
    return CVY_OK;
}

/* Found before the work rather than after it. */
static cvy_status check_output(const struct cvy_dataset_writer *w) {
    CVY_TRY(cvy_output_check(&(struct cvy_output){.path = w->path,
                                                  .what = "data set",
                                                  .folder = w->folder,
                                                  .inputs = w->plan.inputs,
                                                  .input_count = w->plan.input_count,
                                                  .overwrite = w->plan.overwrite}));
    return cvy_dataset_shards_check(w->folder);
}

/* ---- A part ---- */

static size_t expected_bytes(const struct cvy_dataset_writer *w) {
    int64_t samples = w->part_samples, left = w->plan.count - cvy_tally_count(w->whole);
    if (w->plan.count > 0 && left > 0 && left < samples) samples = left;
    size_t bytes = (size_t)samples * (w->sample + w->target);
    if (w->plan.count <= 0 && bytes > (size_t)32 << 20) bytes = (size_t)32 << 20;
    return bytes + bytes / 16 + ((size_t)1 << 20);
}

static cvy_status make_column(struct cvy_dataset_writer *w, const struct cvy_dataset_column *c, hid_t *out) {
    char why[256];
    *out = cvy_dataset_array_make(w->image.file, c, (hsize_t)w->plan.chunk, true, w->plan.deflate);
    CVY_CHECK(*out >= 0, CVY_ERR_INTERNAL, "%s: %s cannot be made: %s", w->path, c->name, cvy_h5_why(why));
    return CVY_OK;
}

static cvy_status open_part(struct cvy_dataset_writer *w) {
    const struct cvy_dataset_column x = cvy_dataset_column_x(&w->plan), y = cvy_dataset_column_y(&w->plan);
    CVY_TRY(cvy_h5_image_create(&w->image, expected_bytes(w), 0));
    w->part_open = true;
    w->part_written = 0;
    w->x_sums.count = w->y_sums.count = 0;
    w->x_sums.rows = w->y_sums.rows = w->plan.chunk;
    CVY_TRY(make_column(w, &x, &w->x));
    return cvy_dataset_plan_dense(&w->plan) ? make_column(w, &y, &w->y) : CVY_OK;
}

/* The staged rows go to the end of a column. */
static cvy_status write_column(struct cvy_dataset_writer *w, const struct cvy_dataset_column *c, hid_t array,
                               const void *rows) {
    char why[256];
    hsize_t at[4] = {(hsize_t)w->part_written}, size[4], extent[4];
    memcpy(size, c->dims, sizeof size);
    memcpy(extent, c->dims, sizeof extent);
    size[0] = (hsize_t)w->staged;
    extent[0] = (hsize_t)(w->part_written + w->staged);
    bool good = H5Dset_extent(array, extent) >= 0;
    hid_t file_space = H5Dget_space(array), memory_space = H5Screate_simple(c->rank, size, NULL);
    good = good && H5Sselect_hyperslab(file_space, H5S_SELECT_SET, at, NULL, size, NULL) >= 0 &&
           H5Dwrite(array, c->memory_type, memory_space, file_space, H5P_DEFAULT, rows) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&memory_space);
    cvy_h5_drop(&file_space);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s: %s cannot be written: %s", w->path, c->name, why);
    return CVY_OK;
}

static cvy_status write_stage(struct cvy_dataset_writer *w) {
    const struct cvy_dataset_column x = cvy_dataset_column_x(&w->plan), y = cvy_dataset_column_y(&w->plan);
    CVY_TRY(write_column(w, &x, w->x, w->stage));
    if (w->y_stage) CVY_TRY(write_column(w, &y, w->y, w->y_stage));
    CVY_TRY(cvy_sums_add(&w->x_sums, w->staged, w->sample, w->stage));
    if (w->y_stage) CVY_TRY(cvy_sums_add(&w->y_sums, w->staged, w->target, w->y_stage));
    w->part_written += w->staged;
    w->staged = 0;
    return CVY_OK;
}

/* Leaves the part's bytes in w->image. */
static cvy_status close_part(struct cvy_dataset_writer *w) {
    int64_t count = cvy_tally_count(w->part), before = cvy_tally_count(w->whole) - count;
    if (w->staged) CVY_TRY(write_stage(w));
    if (w->labels) CVY_TRY(cvy_dataset_put_labels(w->image.file, w->labels + before, count));
    CVY_TRY(cvy_sums_put(w->image.file, "/x_sums", &w->x_sums));
    if (w->y_stage) CVY_TRY(cvy_sums_put(w->image.file, "/y_sums", &w->y_sums));
    CVY_TRY(cvy_dataset_put_attributes(w, w->image.file, w->part));
    cvy_h5_drop(&w->x);
    cvy_h5_drop(&w->y);
    return cvy_h5_image_close(&w->image);
}

static void drop_image(struct cvy_dataset_writer *w) {
    cvy_h5_lock();
    cvy_h5_drop(&w->x);
    cvy_h5_drop(&w->y);
    cvy_h5_image_destroy(&w->image);
    cvy_h5_unlock();
    w->part_open = false;
}

#define LOCKED(call) (cvy_h5_lock(), status = (call), cvy_h5_unlock(), status)

static cvy_status add_shard(struct cvy_dataset_writer *w, const struct cvy_dataset_shard *shard) {
    CVY_TRY(CVY_GROW(&w->shards, w->shard_count, &w->shard_room, data));
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
    shard.sums = cvy_sums_digest(&w->x_sums, &w->y_sums);
    CVY_TRY(cvy_file_replace(path, &(struct cvy_bytes){w->image.data, w->image.size}, 1));
    drop_image(w);
    cvy_tally_reset(w->part);
    return add_shard(w, &shard);
}

/* ---- The writer ---- */

static cvy_status finish(struct cvy_dataset_writer *w) {
    cvy_status status;
    CVY_CHECK(cvy_tally_count(w->whole) > 0, CVY_ERR_DATA, "%s: there are no samples to write", w->path);
    if (w->shard_count == 0) {
        CVY_TRY(LOCKED(close_part(w)));
        CVY_TRY(cvy_file_replace(w->path, &(struct cvy_bytes){w->image.data, w->image.size}, 1));
        cvy_dataset_shards_remove(w->folder); /* of a larger set that was here before */
        return CVY_OK;
    }
    if (w->part_open) CVY_TRY(write_shard(w));
    CVY_TRY(LOCKED(cvy_dataset_index_build(w)));
    CVY_TRY(cvy_dataset_shards_place(w));
    return cvy_file_replace(w->path, &(struct cvy_bytes){w->image.data, w->image.size}, 1);
}

static cvy_status prepare(struct cvy_dataset_writer *w, const char *path) {
    CVY_TRY(check_plan(&w->plan, path));
    CVY_TRY(name_files(w, path));
    CVY_TRY(check_output(w));
    CVY_TRY(copy_texts(w));
    CVY_TRY(cvy_tally_create(&w->plan, &w->part));
    CVY_TRY(cvy_tally_create(&w->plan, &w->whole));
    if (cvy_dataset_plan_dense(&w->plan)) CVY_TRY(CVY_NEW(&w->y_stage, (size_t)w->stage_room * w->target, data));
    return CVY_NEW(&w->stage, (size_t)w->stage_room * w->sample, data);
}

cvy_status cvy_dataset_writer_create(const char *path, const struct cvy_dataset_plan *plan,
                                     struct cvy_dataset_writer **out) {
    CVY_TRY(CVY_NEW(out, 1, data));
    struct cvy_dataset_writer *w = *out;
    w->plan = *plan;
    if (plan->bare) {
        w->plan.target = (struct cvy_target){CVY_F32, {0, 0, 0}};
        w->plan.classes = 0;
    } else if (cvy_shape_count(plan->target.shape) == 0) {
        w->plan.target = (struct cvy_target){CVY_I32, {1, 1, 1}};
    }
    if (w->plan.target.type == CVY_F32 && plan->classes == 0) w->plan.classes = plan->target.shape.c;
    w->image.file = w->x = w->y = -1;
    w->sample = (size_t)cvy_shape_count(plan->shape) * cvy_dtype_bytes(plan->x_type);
    w->target = cvy_target_bytes(w->plan.target);
    if (w->sample) complete_plan(w);
    cvy_status status = prepare(w, path);
    if (status != CVY_OK) cvy_dataset_writer_destroy(out);
    return status;
}

static cvy_status check_classes(const struct cvy_dataset_writer *w, int64_t count, const int32_t *y) {
    const struct cvy_dataset_plan *plan = &w->plan;
    const int64_t size = cvy_shape_count(plan->target.shape);
    for (int64_t i = 0; i < count * size; i++) {
        bool fits = (y[i] >= 0 && y[i] < plan->classes) || (plan->ignores && y[i] == plan->ignored);
        CVY_CHECK(fits, CVY_ERR_DATA, "%s: sample %" PRId64 " has label %d, but the classes are 0 to %d%s",
                  plan->input_count ? plan->inputs[plan->input_count - 1] : w->path,
                  cvy_tally_count(w->whole) + i / size, y[i], plan->classes - 1,
                  plan->input_count && plan->class_names ? ": --classes has too few names" : "");
    }
    return CVY_OK;
}

static cvy_status keep_labels(struct cvy_dataset_writer *w, int64_t count, const int32_t *y) {
    int64_t have = cvy_tally_count(w->whole);
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

static cvy_status keep_targets(struct cvy_dataset_writer *w, int64_t count, const void *y) {
    if (w->plan.bare) return CVY_OK;
    if (w->plan.target.type == CVY_I32) CVY_TRY(check_classes(w, count, y));
    if (!w->y_stage) return keep_labels(w, count, y);
    memcpy(w->y_stage + (size_t)w->staged * w->target, y, (size_t)count * w->target);
    return CVY_OK;
}

/* Takes as many samples as the stage and the part have room for. */
static cvy_status append_some(struct cvy_dataset_writer *w, int64_t count, const unsigned char *x,
                              const unsigned char *y, int64_t *taken) {
    cvy_status status;
    if (w->part_open && cvy_tally_count(w->part) == w->part_samples) CVY_TRY(write_shard(w));
    if (!w->part_open) CVY_TRY(LOCKED(open_part(w)));
    int64_t room = w->part_samples - cvy_tally_count(w->part), stage = w->stage_room - w->staged;
    if (stage < room) room = stage;
    *taken = count < room ? count : room;
    CVY_TRY(keep_targets(w, *taken, y));
    memcpy(w->stage + (size_t)w->staged * w->sample, x, (size_t)*taken * w->sample);
    w->staged += *taken;
    cvy_tally_add(w->part, *taken, x, y);
    cvy_tally_add(w->whole, *taken, x, y);
    return w->staged == w->stage_room ? LOCKED(write_stage(w)) : CVY_OK;
}

cvy_status cvy_dataset_writer_append(struct cvy_dataset_writer *writer, int64_t count, const void *x, const void *y) {
    for (int64_t done = 0, taken; done < count; done += taken)
        CVY_TRY(append_some(writer, count - done, (const unsigned char *)x + (size_t)done * writer->sample,
                            (const unsigned char *)y + (size_t)done * writer->target, &taken));
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
    if (w->temporary[0]) cvy_dataset_shards_remove(w->temporary);
    cvy_tally_destroy(&w->part);
    cvy_tally_destroy(&w->whole);
    cvy_tree_destroy(&w->texts);
    cvy_free(w->names);
    cvy_free(w->stage);
    cvy_free(w->y_stage);
    cvy_sums_destroy(&w->x_sums);
    cvy_sums_destroy(&w->y_sums);
    cvy_free(w->labels);
    cvy_free(w->shards);
    CVY_DELETE(writer);
}
