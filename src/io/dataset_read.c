#include <inttypes.h>
#include <math.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/hash.h"
#include "core/memory.h"
#include "io/dataset_part.h"
#include "io/file.h"

/* ---- Ranges ---- */

bool cvy_dataset_rows(hid_t array, int rank, hid_t type, int64_t first, int64_t count, void *out) {
    hsize_t at[4] = {(hsize_t)first}, size[4], dims[4];
    hid_t file_space = H5Dget_space(array);
    H5Sget_simple_extent_dims(file_space, dims, NULL);
    memcpy(size, dims, sizeof size);
    size[0] = (hsize_t)count;
    hid_t memory_space = H5Screate_simple(rank, size, NULL);
    bool good = H5Sselect_hyperslab(file_space, H5S_SELECT_SET, at, NULL, size, NULL) >= 0 &&
                H5Dread(array, type, memory_space, file_space, H5P_DEFAULT, out) >= 0;
    cvy_h5_drop(&memory_space);
    cvy_h5_drop(&file_space);
    return good;
}

/* One of the two arrays of a part. */
struct array {
    hid_t id, type;
    int rank;
    const char *name;
    struct cvy_shape shape;
    size_t element; /* bytes in memory */
};

static struct array inputs_of(const struct cvy_dataset *ds, const struct cvy_dataset_part *part) {
    hid_t type = ds->info.x_type == CVY_U8 ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT;
    return (struct array){part->x, type, ds->rank, ds->x_name, ds->info.shape, cvy_dtype_bytes(ds->info.x_type)};
}

static struct array targets_of(const struct cvy_dataset *ds, const struct cvy_dataset_part *part) {
    hid_t type = ds->info.target.type == CVY_I32 ? H5T_NATIVE_INT32 : H5T_NATIVE_FLOAT;
    return (struct array){part->y, type, ds->y_rank, ds->y_name, ds->info.target.shape, 4};
}

static cvy_status read_rows(const struct cvy_dataset_part *part, const struct array *a, int64_t first, int64_t count,
                            void *out) {
    char why[256];
    if (cvy_dataset_rows(a->id, a->rank, a->type, first, count, out)) return CVY_OK;
    return CVY_FAIL(CVY_ERR_DATA,
                    "%s: %s: samples %" PRId64 " to %" PRId64 " cannot be read: %s; make or copy it again", part->path,
                    a->name, part->first + first, part->first + first + count - 1, cvy_h5_why(why));
}

/* [c][h][w] → [h][w][c] of elements of `size` bytes. */
static void to_nhwc(struct cvy_shape s, size_t size, const unsigned char *in, unsigned char *out) {
    size_t pixels = (size_t)s.h * (size_t)s.w, channels = (size_t)s.c;
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < pixels; p++) memcpy(out + (p * channels + c) * size, in + (c * pixels + p) * size, size);
}

static cvy_status read_array(struct cvy_dataset *ds, const struct cvy_dataset_part *part, const struct array *a,
                             int64_t first, int64_t count, unsigned char *out) {
    if (ds->layout == CVY_LAYOUT_NHWC || a->rank < 4) return read_rows(part, a, first, count, out);
    size_t size = (size_t)cvy_shape_count(a->shape) * a->element;
    for (int64_t i = 0; i < count; i++) {
        CVY_TRY(read_rows(part, a, first + i, 1, ds->scratch));
        to_nhwc(a->shape, a->element, ds->scratch, out + (size_t)i * size);
    }
    return CVY_OK;
}

/* The part that holds a sample: the last that begins at or before it. */
static struct cvy_dataset_part *part_of(struct cvy_dataset *ds, int64_t sample) {
    int low = 0, high = ds->part_count;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (ds->parts[middle].first <= sample)
            low = middle;
        else
            high = middle;
    }
    return &ds->parts[low];
}

/* Rows of a part: x and y, either may be NULL. */
static cvy_status read_part(struct cvy_dataset *ds, struct cvy_dataset_part *part, int64_t first, int64_t count,
                            unsigned char *x, unsigned char *y) {
    CVY_TRY(cvy_dataset_part_open(ds, part));
    const struct array inputs = inputs_of(ds, part), targets = targets_of(ds, part);
    if (x) CVY_TRY(read_array(ds, part, &inputs, first, count, x));
    return y ? read_array(ds, part, &targets, first, count, y) : CVY_OK;
}

static cvy_status read_parts(struct cvy_dataset *ds, int64_t first, int64_t count, unsigned char *x, unsigned char *y) {
    const size_t x_size = cvy_dataset_sample_bytes(&ds->info), y_size = cvy_target_bytes(ds->info.target);
    for (int64_t done = 0; done < count;) {
        struct cvy_dataset_part *part = part_of(ds, first + done);
        int64_t from = first + done - part->first, there = part->count - from;
        int64_t now = there < count - done ? there : count - done;
        CVY_TRY(
            read_part(ds, part, from, now, x ? x + (size_t)done * x_size : NULL, y ? y + (size_t)done * y_size : NULL));
        done += now;
    }
    return CVY_OK;
}

/* What was read of dense targets: classes in their range, values in their scale. */
static cvy_status finish_targets(const struct cvy_dataset *ds, int64_t first, int64_t count, void *y) {
    if (ds->info.target.type == CVY_I32) return cvy_dataset_check_classes(ds, first, count, y);
    float *values = y;
    for (int64_t i = 0; ds->y_scale != 1 && i < count * cvy_shape_count(ds->info.target.shape); i++)
        values[i] *= ds->y_scale;
    return CVY_OK;
}

cvy_status cvy_dataset_read(struct cvy_dataset *ds, int64_t first, int64_t count, void *x, void *y) {
    CVY_CHECK(first >= 0 && count >= 0 && first <= ds->info.count - count, CVY_ERR_DATA,
              "%s: samples %" PRId64 " to %" PRId64 " wanted, it has %" PRId64, ds->path, first, first + count - 1,
              ds->info.count);
    if (y && ds->labels) memcpy(y, ds->labels + first, (size_t)count * sizeof *ds->labels);
    if (!cvy_dataset_dense(&ds->info)) y = NULL;
    if (x == NULL && y == NULL) return CVY_OK;
    cvy_h5_lock();
    cvy_status status = read_parts(ds, first, count, x, y);
    cvy_h5_unlock();
    return status == CVY_OK && y ? finish_targets(ds, first, count, y) : status;
}

/* ---- Verifying ---- */

static cvy_status check_finite(const struct cvy_dataset *ds, int64_t first, int64_t count, int64_t size,
                               const float *values, const char *what) {
    for (int64_t i = 0; i < count * size; i++)
        CVY_CHECK(isfinite(values[i]), CVY_ERR_DATA, "%s: sample %" PRId64 " holds %s that is not finite", ds->path,
                  first + i / size, what);
    return CVY_OK;
}

struct contents {
    void *x, *y; /* a block of samples; y NULL unless dense */
    XXH64_state_t x_state, y_state;
};

static cvy_status read_block(struct cvy_dataset *ds, int64_t first, int64_t count, struct contents *c) {
    const struct cvy_dataset_info *info = &ds->info;
    CVY_TRY(cvy_dataset_read(ds, first, count, c->x, c->y));
    if (info->x_type == CVY_F32) CVY_TRY(check_finite(ds, first, count, cvy_shape_count(info->shape), c->x, "a value"));
    if (c->y && info->target.type == CVY_F32)
        CVY_TRY(check_finite(ds, first, count, cvy_shape_count(info->target.shape), c->y, "a target"));
    XXH64_update(&c->x_state, c->x, (size_t)count * cvy_dataset_sample_bytes(info));
    if (c->y) XXH64_update(&c->y_state, c->y, (size_t)count * cvy_target_bytes(info->target));
    return CVY_OK;
}

static cvy_status read_all(struct cvy_dataset *ds, struct contents *c) {
    const struct cvy_dataset_info *info = &ds->info;
    const size_t x = cvy_dataset_sample_bytes(info), y = cvy_dataset_dense(info) ? cvy_target_bytes(info->target) : 0;
    int64_t block = (int64_t)((1 << 20) / (x + y)) / info->chunk * info->chunk;
    if (block < info->chunk) block = info->chunk;
    CVY_TRY(cvy_alloc((size_t)block * x, CVY_TAG_data, &c->x));
    if (y) CVY_TRY(cvy_alloc((size_t)block * y, CVY_TAG_data, &c->y));
    for (int64_t first = 0; first < info->count; first += block)
        CVY_TRY(read_block(ds, first, info->count - first < block ? info->count - first : block, c));
    return CVY_OK;
}

static cvy_status check_digest(struct cvy_dataset *ds) {
    struct contents c = {NULL};
    XXH64_reset(&c.x_state, 0);
    XXH64_reset(&c.y_state, 0);
    cvy_status status = read_all(ds, &c);
    cvy_free(c.x);
    cvy_free(c.y);
    if (status != CVY_OK || !ds->own) return status;
    if (ds->labels) XXH64_update(&c.y_state, ds->labels, (size_t)ds->info.count * sizeof *ds->labels);
    uint64_t found = cvy_dataset_digest(&ds->info, XXH64_digest(&c.x_state), XXH64_digest(&c.y_state));
    CVY_CHECK(found == ds->info.digest, CVY_ERR_DATA,
              "%s: damaged: its contents have digest %016" PRIx64 ", it says %016" PRIx64 "; make or copy it again",
              ds->path, found, ds->info.digest);
    return CVY_OK;
}

cvy_status cvy_dataset_verify(struct cvy_dataset *ds) {
    for (int i = 0; i < ds->info.shards; i++) {
        const struct cvy_dataset_part *part = &ds->parts[i];
        uint64_t found;
        CVY_TRY(cvy_file_hash(part->path, 0, cvy_file_size(part->path), &found));
        CVY_CHECK(found == part->checksum, CVY_ERR_DATA,
                  "%s: damaged: the file has XXH64 %016" PRIx64 ", %s says %016" PRIx64 "; make or copy it again",
                  part->path, found, ds->path, part->checksum);
    }
    return check_digest(ds);
}
