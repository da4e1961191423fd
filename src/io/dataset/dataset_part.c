/* The parts of a data set: the one file or the shards that hold its samples, opened and held to what the set says. */
#include "core/text.h"
#include "io/dataset/dataset_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/floats.h"
#include "core/memory.h"
#include "io/file.h"

/* ---- Parts ---- */

hid_t cvy_dataset_shard_type(void) {
    hid_t text = H5Tcopy(H5T_C_S1), row = H5Tcreate(H5T_COMPOUND, sizeof(struct cvy_dataset_shard));
    H5Tset_size(text, sizeof((struct cvy_dataset_shard *)0)->path);
    H5Tset_strpad(text, H5T_STR_NULLPAD);
    H5Tinsert(row, "path", HOFFSET(struct cvy_dataset_shard, path), text);
    H5Tinsert(row, "count", HOFFSET(struct cvy_dataset_shard, count), H5T_NATIVE_INT64);
    H5Tinsert(row, "first", HOFFSET(struct cvy_dataset_shard, first), H5T_NATIVE_INT64);
    H5Tinsert(row, "checksum", HOFFSET(struct cvy_dataset_shard, checksum), H5T_NATIVE_UINT64);
    H5Tinsert(row, "sums", HOFFSET(struct cvy_dataset_shard, sums), H5T_NATIVE_UINT64);
    cvy_h5_drop(&text);
    return row;
}

static cvy_status check_shards(struct cvy_dataset *ds, const struct cvy_dataset_shard *rows) {
    int64_t first = 0;
    for (int i = 0; i < ds->part_count; i++) {
        struct cvy_dataset_part *part = &ds->parts[i];
        *part = (struct cvy_dataset_part){.first = rows[i].first,
                                          .count = rows[i].count,
                                          .checksum = rows[i].checksum,
                                          .sums = rows[i].sums,
                                          .file = -1};
        CVY_CHECK(memchr(rows[i].path, '\0', sizeof rows[i].path), CVY_ERR_DATA, "%s: /shards: row %d has no path",
                  ds->path, i);
        CVY_TRY(cvy_path_meant(ds->path, rows[i].path, part->path));
        CVY_CHECK(part->count > 0 && part->first == first && part->count <= ds->info.count - first, CVY_ERR_DATA,
                  "%s: /shards: row %d says %" PRId64 " samples from %" PRId64 "; pack it again", ds->path, i,
                  part->count, part->first);
        CVY_CHECK(cvy_file_exists(part->path), CVY_ERR_DATA,
                  "%s: shard %s is missing (%d of %d); copy the folder along with the index", ds->path, rows[i].path, i,
                  ds->part_count);
        ds->info.file_bytes += cvy_file_size(part->path);
        first += part->count;
    }
    CVY_CHECK(first == ds->info.count, CVY_ERR_DATA, "%s: /x has %" PRId64 " samples, the shards %" PRId64, ds->path,
              ds->info.count, first);
    return CVY_OK;
}

cvy_status cvy_dataset_read_shards(struct cvy_dataset *ds, hid_t file) {
    char why[256];
    hid_t array = -1, type = -1;
    hsize_t dims[8];
    int rank;
    struct cvy_dataset_shard *rows = NULL;
    cvy_status status;
    CVY_TRY(cvy_dataset_array_open(ds->path, file, "/shards", &array, &rank, dims));
    type = cvy_dataset_shard_type();
    bool sane = rank == 1 && dims[0] > 0 && dims[0] < 1 << 20;
    ds->part_count = ds->info.shards = sane ? (int)dims[0] : 0;
    CVY_GO(CVY_NEW(&rows, ds->part_count, data));
    CVY_GO(CVY_NEW(&ds->parts, ds->part_count, data));
    if (!sane || H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) < 0) {
        status = CVY_FAIL(CVY_ERR_DATA, "%s: /shards cannot be read: %s", ds->path, cvy_h5_why(why));
        goto done;
    }
    CVY_GO(check_shards(ds, rows));
done:
    cvy_free(rows);
    cvy_h5_drop(&type);
    cvy_h5_drop(&array);
    return status;
}

/* ---- Rows of a part ---- */

/* A set of ours has all its chunks. */
static cvy_status check_written(struct cvy_dataset *ds, const struct cvy_dataset_part *part) {
    const int64_t missing = cvy_rows_unwritten(&part->x) + (part->y.path ? cvy_rows_unwritten(&part->y) : 0);
    CVY_CHECK(missing == 0 || !ds->own, CVY_ERR_DATA, "%s: damaged: %lld %s not there; make or copy it again",
              part->path, (long long)missing, cvy_plural((double)missing, "chunk is", "chunks are"));
    ds->info.unwritten += missing;
    return CVY_OK;
}

/* Makes a part ready to be read, from its open arrays, which it takes over; y −1 where it is not dense. */
static cvy_status open_rows(struct cvy_dataset *ds, struct cvy_dataset_part *part, hid_t x, hid_t y) {
    const bool bytes = ds->info.x_type == CVY_U8, integers = ds->info.target.type == CVY_I32;
    cvy_status status = cvy_rows_open(part->path, ds->x_name, part->file, x, ds->nchw, &ds->x_held, &part->x);
    if (status != CVY_OK) cvy_h5_drop(&y);
    CVY_TRY(status);
    part->x.before = part->first;
    part->x.work = &ds->spec.work;
    cvy_rows_as(&part->x, bytes ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT, cvy_dtype_bytes(ds->info.x_type));
    if (y < 0) return check_written(ds, part);
    CVY_TRY(cvy_rows_open(part->path, ds->y_name, part->file, y, ds->y_nchw, &ds->y_held, &part->y));
    part->y.before = part->first;
    part->y.work = &ds->spec.work;
    cvy_rows_as(&part->y, integers && ds->y_form == CVY_Y_AS_IT_IS ? H5T_NATIVE_INT32 : H5T_NATIVE_FLOAT, 4);
    return check_written(ds, part);
}

static cvy_status promise_rows(const struct cvy_dataset_part *part, const char *name, struct cvy_sums *sums,
                               struct cvy_rows *rows) {
    CVY_TRY(cvy_sums_get(part->path, part->file, name, part->count, sums));
    rows->sums = sums->count > 0 ? sums : NULL;
    return CVY_OK;
}

/* What a part's rows are held to: the checksums in it, which are those that the index knows of; where it has none, the
 * file must stay what it is. */
static cvy_status promise(const struct cvy_dataset *ds, struct cvy_dataset_part *part) {
    if (ds->own) CVY_TRY(promise_rows(part, "/x_sums", &part->x_sums, &part->x));
    if (ds->own) CVY_TRY(promise_rows(part, "/y_sums", &part->y_sums, &part->y)); /* part of the digest, y or no y */
    CVY_CHECK(part->sums == 0 || part->sums == cvy_sums_digest(&part->x_sums, &part->y_sums), CVY_ERR_DATA,
              "%s: its checksums are not those that %s has for it; copy the shards again", part->path, ds->path);
    return cvy_dataset_part_watch(part);
}

cvy_status cvy_dataset_part_watch(struct cvy_dataset_part *part) {
    int *fd;
    if (part->x.sums || H5Fget_vfd_handle(part->file, H5P_DEFAULT, (void **)&fd) < 0) return CVY_OK;
    return part->watch.begun ? cvy_watch_check(&part->watch, *fd, part->path)
                             : cvy_watch_begin(&part->watch, *fd, part->path);
}

cvy_status cvy_dataset_single_part(struct cvy_dataset *ds, hid_t *file, hid_t *x, hid_t *y) {
    CVY_TRY(CVY_NEW(&ds->parts, 1, data));
    ds->parts[0] = (struct cvy_dataset_part){.count = ds->info.count, .file = *file};
    snprintf(ds->parts[0].path, CVY_PATH_MAX, "%s", ds->path);
    ds->part_count = ds->open_parts = 1;
    const hid_t arrays[2] = {*x, *y};
    *file = *x = *y = -1;
    CVY_TRY(open_rows(ds, &ds->parts[0], arrays[0], arrays[1]));
    return promise(ds, &ds->parts[0]);
}

enum { MOST_OPEN = 64 };

void cvy_dataset_part_close(struct cvy_dataset *ds, struct cvy_dataset_part *part) {
    if (part->file < 0) return;
    cvy_rows_close(&part->x);
    cvy_rows_close(&part->y);
    cvy_h5_drop(&part->file);
    ds->open_parts--;
}

/* A shard under another's name would give images other labels: its own must be those of the index. */
static cvy_status compare_labels(struct cvy_dataset *ds, struct cvy_dataset_part *part) {
    hid_t y = -1;
    hsize_t dims[8];
    int rank;
    int32_t *labels = NULL;
    cvy_status status;
    CVY_TRY(cvy_dataset_array_open(part->path, part->file, "/y", &y, &rank, dims));
    CVY_GO(CVY_NEW(&labels, part->count, data));
    bool same = rank == 1 && (int64_t)dims[0] == part->count &&
                H5Dread(y, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels) >= 0;
    if (same) CVY_GO(cvy_dataset_renumber(ds, part->first, part->count, labels));
    same = same && memcmp(labels, ds->labels + part->first, (size_t)part->count * sizeof *labels) == 0;
    part->checked = same;
    if (!same)
        status = CVY_FAIL(CVY_ERR_DATA, "%s: its labels are not those that %s has for it; copy the shards again",
                          part->path, ds->path);
done:
    cvy_free(labels);
    cvy_h5_drop(&y);
    return status;
}

/* Dense targets are in the shard itself. */
static cvy_status open_targets(const struct cvy_dataset *ds, const struct cvy_dataset_part *part, hid_t *y) {
    hsize_t dims[8];
    char text[160];
    int rank;
    struct cvy_shape shape, wanted = ds->info.target.shape;
    CVY_TRY(cvy_dataset_array_open(part->path, part->file, ds->y_name, y, &rank, dims));
    wanted.c = ds->y_channels;
    bool as_told = rank == ds->y_rank && (int64_t)dims[0] == part->count &&
                   cvy_dataset_extents(rank, dims, false, &shape) && cvy_shape_equal(shape, wanted);
    CVY_CHECK(as_told, CVY_ERR_DATA, "%s: /y has shape %s, unlike the targets of %s; pack it again", part->path,
              cvy_dataset_dims_text(rank, dims, text), ds->path);
    return CVY_OK;
}

/* Labels that were taken from values at the opening of the set, through its index, are those of this part. */
static cvy_status compare_block(const struct cvy_dataset *ds, const struct cvy_dataset_part *part, int64_t first,
                                int64_t count, const float *y) {
    for (int64_t i = 0; i < count; i++) {
        const float *row = y + i * ds->y_channels;
        const int32_t label = ds->y_form == CVY_Y_ONE_HOT ? cvy_largest(row, ds->y_channels) : (int32_t)*row;
        CVY_CHECK(label == ds->labels[part->first + first + i], CVY_ERR_DATA,
                  "%s: its labels are not those that %s has for it; copy the shards again", part->path, ds->path);
    }
    return CVY_OK;
}

static cvy_status compare_rows(const struct cvy_dataset *ds, const struct cvy_dataset_part *part,
                               struct cvy_rows *rows) {
    const int64_t most = (1 << 18) / ds->y_channels + 1;
    float *block;
    CVY_TRY(CVY_NEW(&block, most * ds->y_channels, data));
    cvy_status status = CVY_OK;
    for (int64_t first = 0; first < part->count && status == CVY_OK; first += most) {
        const int64_t now = part->count - first < most ? part->count - first : most;
        status = cvy_rows_read(rows, first, now, block);
        if (status == CVY_OK) status = compare_block(ds, part, first, now, block);
    }
    cvy_free(block);
    return status;
}

static cvy_status compare_values(const struct cvy_dataset *ds, struct cvy_dataset_part *part) {
    struct cvy_held held = {.data = NULL};
    struct cvy_rows rows;
    hid_t y = -1;
    cvy_status status = open_targets(ds, part, &y);
    if (status != CVY_OK) cvy_h5_drop(&y);
    CVY_TRY(status);
    status = cvy_rows_open(part->path, ds->y_name, part->file, y, false, &held, &rows);
    if (status == CVY_OK) {
        cvy_rows_as(&rows, H5T_NATIVE_FLOAT, sizeof(float));
        rows.before = part->first;
        rows.sums = part->y_sums.count > 0 ? &part->y_sums : NULL;
        status = compare_rows(ds, part, &rows);
    }
    cvy_rows_close(&rows);
    cvy_free(held.data);
    part->checked = status == CVY_OK;
    return status;
}

static cvy_status open_arrays(const struct cvy_dataset *ds, const struct cvy_dataset_part *part, hid_t *x, hid_t *y) {
    hsize_t dims[8];
    char text[160];
    int rank;
    struct cvy_shape s = ds->info.shape;
    CVY_TRY(cvy_dataset_array_open(part->path, part->file, ds->x_name, x, &rank, dims));
    bool as_told = rank == 4 && (int64_t)dims[0] == part->count && dims[1] == (hsize_t)s.h && dims[2] == (hsize_t)s.w &&
                   dims[3] == (hsize_t)s.c;
    CVY_CHECK(as_told, CVY_ERR_DATA, "%s: /x has shape %s; %s says [%" PRId64 "][%d][%d][%d]; pack it again",
              part->path, cvy_dataset_dims_text(rank, dims, text), ds->path, part->count, s.h, s.w, s.c);
    return cvy_dataset_dense(&ds->info) ? open_targets(ds, part, y) : CVY_OK;
}

static cvy_status open_part(struct cvy_dataset *ds, struct cvy_dataset_part *part) {
    hid_t x = -1, y = -1;
    CVY_TRY(cvy_h5_open(part->path, CVY_ERR_DATA, &part->file));
    ds->open_parts++;
    cvy_status status = open_arrays(ds, part, &x, &y);
    if (status != CVY_OK) {
        cvy_h5_drop(&x);
        cvy_h5_drop(&y);
        return status;
    }
    CVY_TRY(open_rows(ds, part, x, y));
    CVY_TRY(promise(ds, part));
    if (ds->info.shards == 0 || part->checked || ds->labels == NULL) return CVY_OK;
    return ds->y_form == CVY_Y_AS_IT_IS ? compare_labels(ds, part) : compare_values(ds, part);
}

cvy_status cvy_dataset_part_open(struct cvy_dataset *ds, struct cvy_dataset_part *part) {
    if (part->file >= 0) return CVY_OK;
    while (ds->open_parts >= MOST_OPEN) {
        cvy_dataset_part_close(ds, &ds->parts[ds->next_to_close]);
        ds->next_to_close = (ds->next_to_close + 1) % ds->part_count;
    }
    cvy_status status = open_part(ds, part);
    if (status != CVY_OK) cvy_dataset_part_close(ds, part);
    return status;
}
