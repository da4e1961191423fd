/* Opening a data set: its description, then what is known of the parts that hold its samples. */
#include <limits.h>
#include <string.h>

#include "core/ints.h"
#include "core/hash.h"
#include "core/memory.h"
#include "core/text.h"
#include "io/dataset/dataset_part.h"
#include "io/file.h"

/* info.chunk: rows of x that are inflated together, and as many of them as take the rows of y that are; or about 32
 * KiB. And info.inflated. */
static void set_chunk(struct cvy_dataset *ds, const struct cvy_dataset_part *part) {
    const struct cvy_rows *x = &part->x, *y = &part->y;
    const size_t sample = cvy_dataset_sample_bytes(&ds->info);
    int64_t chunk = x->inflated ? x->block : (int64_t)x->chunk[0];
    if (x->inflated == 0 && (chunk == 1 || chunk > 4096)) chunk = (int64_t)(32768 / sample);
    if (chunk < 1) chunk = 1;
    if (y->path && y->inflated && y->block > chunk) chunk = cvy_round_up(y->block, chunk);
    ds->info.chunk = chunk > INT_MAX / 2 ? INT_MAX / 2 : (int)chunk;
    ds->info.inflated = x->block > 1 || x->split ? (int64_t)x->inflated : 0;
}

static cvy_status open_description(struct cvy_dataset *ds) {
    hid_t file = -1, x = -1, y = -1;
    cvy_h5_lock();
    cvy_status status = cvy_h5_open(ds->path, CVY_ERR_DATA, &file);
    if (status == CVY_OK) status = cvy_dataset_describe(ds, file, &x, &y);
    if (status == CVY_OK && ds->info.shards == 0) status = cvy_dataset_single_part(ds, &file, &x, &y);
    if (status == CVY_OK && ds->info.shards == 0) set_chunk(ds, &ds->parts[0]);
    cvy_h5_drop(&y);
    cvy_h5_drop(&x);
    cvy_h5_drop(&file);
    cvy_h5_unlock();
    return status;
}

/* Room for a part's checksums, so that opening it later takes none. */
static cvy_status reserve_sums(struct cvy_dataset_part *part, const struct cvy_dataset_part *like) {
    if (like->x.sums) CVY_TRY(cvy_sums_reserve(&part->x_sums, part->count, like->x_sums.rows));
    return like->y.sums ? cvy_sums_reserve(&part->y_sums, part->count, like->y_sums.rows) : CVY_OK;
}

/* The chunk size of a sharded set is that of its shards. */
static cvy_status chunk_of_shards(struct cvy_dataset *ds) {
    cvy_h5_lock();
    cvy_status status = cvy_dataset_part_open(ds, &ds->parts[0]);
    if (status == CVY_OK) set_chunk(ds, &ds->parts[0]);
    for (int i = 1; i < ds->part_count && status == CVY_OK; i++) status = reserve_sums(&ds->parts[i], &ds->parts[0]);
    cvy_h5_unlock();
    return status;
}

/* Too large to be read for its digest: single classes, and what stands at both ends. */
static cvy_status digest_of_user_file(struct cvy_dataset *ds) {
    const struct cvy_dataset_info *info = &ds->info;
    const size_t x = cvy_dataset_sample_bytes(info), y = cvy_dataset_dense(info) ? cvy_target_bytes(info->target) : 0;
    unsigned char *ends; /* first the targets, whose elements are of four bytes each: of x any number may stand there */
    CVY_TRY(CVY_NEW(&ends, 2 * (x + y), data));
    unsigned char *inputs = ends + 2 * y;
    cvy_status status = cvy_dataset_read_raw(ds, 0, 1, inputs, y ? ends : NULL);
    if (status == CVY_OK) status = cvy_dataset_read_raw(ds, info->count - 1, 1, inputs + x, y ? ends + y : NULL);
    uint64_t targets = cvy_hash(ends, 2 * y, 0);
    if (ds->labels) targets = cvy_hash(ds->labels, (size_t)info->count * sizeof *ds->labels, 0);
    ds->info.digest = cvy_dataset_digest(info, cvy_hash(inputs, 2 * x, 0), targets);
    cvy_free(ends);
    return status;
}

static cvy_status keep_spec(struct cvy_dataset *ds, const struct cvy_dataset_spec *spec) {
    const char *x = spec->x ? spec->x : "/x", *y = spec->y ? spec->y : "/y";
    bool fits = strlen(spec->file) < sizeof ds->path && strlen(x) < sizeof ds->x_name && strlen(y) < sizeof ds->y_name;
    CVY_CHECK(fits, CVY_ERR_DATA, "%.200s: the path is too long", spec->file);
    strcpy(ds->path, spec->file);
    strcpy(ds->x_name, x);
    strcpy(ds->y_name, y);
    ds->spec = *spec;
    ds->spec.file = ds->spec.x = ds->spec.y = NULL;
    ds->nchw = spec->layout == CVY_LAYOUT_NCHW;
    ds->y_nchw = spec->y_layout == CVY_Y_LAYOUT_AS_X ? ds->nchw : spec->y_layout == CVY_Y_LAYOUT_NCHW;
    ds->info.file_bytes = cvy_file_size(ds->path);
    return CVY_OK;
}

static cvy_status open_whole(struct cvy_dataset *ds, const struct cvy_dataset_spec *spec) {
    CVY_TRY(keep_spec(ds, spec));
    CVY_TRY(open_description(ds));
    ds->spec.names = NULL;
    ds->info.labels = ds->labels;
    if (ds->info.shards) CVY_TRY(chunk_of_shards(ds));
    const bool one_hot_maps = ds->y_form == CVY_Y_ONE_HOT && ds->labels == NULL;
    const int64_t floats = cvy_shape_count(ds->info.target.shape) * ds->y_channels;
    if (one_hot_maps) CVY_TRY(CVY_NEW(&ds->scratch, floats, data));
    if (!ds->own) CVY_TRY(digest_of_user_file(ds));
    CVY_TRY(cvy_dataset_match_names(ds, spec->names, spec->name_count));
    ds->info.class_names = (const char *const *)ds->names;
    return CVY_OK;
}

cvy_status cvy_dataset_open(const struct cvy_dataset_spec *spec, struct cvy_dataset **out) {
    CVY_TRY(CVY_NEW(out, 1, data));
    cvy_status status = open_whole(*out, spec);
    if (status != CVY_OK) cvy_dataset_close(out);
    return status;
}

void cvy_dataset_close(struct cvy_dataset **out) {
    struct cvy_dataset *ds = *out;
    if (ds == NULL) return;
    cvy_h5_lock();
    for (int i = 0; i < ds->part_count && ds->parts; i++) {
        cvy_dataset_part_close(ds, &ds->parts[i]);
        cvy_sums_destroy(&ds->parts[i].x_sums);
        cvy_sums_destroy(&ds->parts[i].y_sums);
    }
    cvy_h5_close_sources(&ds->sources);
    cvy_h5_unlock();
    cvy_free(ds->parts);
    cvy_free(ds->labels);
    cvy_free(ds->stats);
    cvy_free(ds->names);
    cvy_free(ds->number);
    cvy_free(ds->own_names);
    cvy_free(ds->scratch);
    cvy_free(ds->x_held.data);
    cvy_free(ds->y_held.data);
    CVY_DELETE(out);
}

cvy_status cvy_dataset_reserve(struct cvy_dataset *ds) {
    cvy_h5_lock();
    cvy_status status = cvy_dataset_part_open(ds, &ds->parts[0]);
    if (status == CVY_OK) status = cvy_rows_reserve(&ds->parts[0].x);
    if (status == CVY_OK && cvy_dataset_dense(&ds->info)) status = cvy_rows_reserve(&ds->parts[0].y);
    cvy_h5_unlock();
    return status;
}

void cvy_dataset_scale_targets(struct cvy_dataset *ds, double scale) {
    ds->y_scale = (float)scale;
    if (ds->info.y_scale != 0) ds->info.target_note = cvy_dataset_note_of_scale(scale);
    ds->info.y_scale = scale;
}

const struct cvy_dataset_info *cvy_dataset_info(const struct cvy_dataset *ds) {
    return &ds->info;
}
