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

/* Rows first … first+count−1 of a part's /x as they are stored, converted to the set's type. */
static cvy_status read_rows(struct cvy_dataset *ds, struct cvy_dataset_part *part, int64_t first, int64_t count,
                            void *out) {
    char why[256];
    CVY_TRY(cvy_dataset_part_open(ds, part));
    hsize_t at[4] = {(hsize_t)first}, size[4] = {(hsize_t)count};
    hid_t file_space = H5Dget_space(part->x);
    hsize_t dims[4];
    H5Sget_simple_extent_dims(file_space, dims, NULL);
    for (int i = 1; i < ds->rank; i++) size[i] = dims[i];
    hid_t memory_space = H5Screate_simple(ds->rank, size, NULL);
    hid_t type = ds->info.x_type == CVY_U8 ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT;
    bool good = H5Sselect_hyperslab(file_space, H5S_SELECT_SET, at, NULL, size, NULL) >= 0 &&
                H5Dread(part->x, type, memory_space, file_space, H5P_DEFAULT, out) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&memory_space);
    cvy_h5_drop(&file_space);
    CVY_CHECK(good, CVY_ERR_DATA,
              "%s: %s: samples %" PRId64 " to %" PRId64 " cannot be read: %s; make or copy it again", part->path,
              ds->x_name, part->first + first, part->first + first + count - 1, why);
    return CVY_OK;
}

/* [c][h][w] → [h][w][c] of elements of `size` bytes. */
static void to_nhwc(struct cvy_shape s, size_t size, const unsigned char *in, unsigned char *out) {
    size_t pixels = (size_t)s.h * (size_t)s.w, channels = (size_t)s.c;
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < pixels; p++) memcpy(out + (p * channels + c) * size, in + (c * pixels + p) * size, size);
}

static cvy_status read_part(struct cvy_dataset *ds, struct cvy_dataset_part *part, int64_t first, int64_t count,
                            unsigned char *x) {
    if (ds->layout == CVY_LAYOUT_NHWC) return read_rows(ds, part, first, count, x);
    for (int64_t i = 0; i < count; i++) {
        CVY_TRY(read_rows(ds, part, first + i, 1, ds->scratch));
        to_nhwc(ds->info.shape, cvy_dtype_bytes(ds->info.x_type), ds->scratch,
                x + (size_t)i * cvy_dataset_sample_bytes(&ds->info));
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

static cvy_status read_inputs(struct cvy_dataset *ds, int64_t first, int64_t count, unsigned char *x) {
    for (int64_t done = 0; done < count;) {
        struct cvy_dataset_part *part = part_of(ds, first + done);
        int64_t from = first + done - part->first, there = part->count - from;
        int64_t now = there < count - done ? there : count - done;
        CVY_TRY(read_part(ds, part, from, now, x + (size_t)done * cvy_dataset_sample_bytes(&ds->info)));
        done += now;
    }
    return CVY_OK;
}

cvy_status cvy_dataset_read(struct cvy_dataset *ds, int64_t first, int64_t count, void *x, int32_t *y) {
    CVY_CHECK(first >= 0 && count >= 0 && first <= ds->info.count - count, CVY_ERR_DATA,
              "%s: samples %" PRId64 " to %" PRId64 " wanted, it has %" PRId64, ds->path, first, first + count - 1,
              ds->info.count);
    if (y) memcpy(y, ds->labels + first, (size_t)count * sizeof *y);
    if (x == NULL) return CVY_OK;
    cvy_h5_lock();
    cvy_status status = read_inputs(ds, first, count, x);
    cvy_h5_unlock();
    return status;
}

/* ---- Verifying ---- */

static cvy_status check_finite(const struct cvy_dataset *ds, int64_t first, int64_t count, const float *x) {
    int64_t size = cvy_shape_count(ds->info.shape);
    for (int64_t i = 0; i < count * size; i++)
        CVY_CHECK(isfinite(x[i]), CVY_ERR_DATA, "%s: sample %" PRId64 " holds a value that is not finite", ds->path,
                  first + i / size);
    return CVY_OK;
}

static cvy_status read_all(struct cvy_dataset *ds, int64_t block, void *x, XXH64_state_t *state) {
    size_t size = cvy_dataset_sample_bytes(&ds->info);
    for (int64_t first = 0; first < ds->info.count; first += block) {
        int64_t left = ds->info.count - first, count = left < block ? left : block;
        CVY_TRY(cvy_dataset_read(ds, first, count, x, NULL));
        if (ds->info.x_type == CVY_F32) CVY_TRY(check_finite(ds, first, count, x));
        XXH64_update(state, x, (size_t)count * size);
    }
    return CVY_OK;
}

static cvy_status check_digest(struct cvy_dataset *ds) {
    XXH64_state_t state;
    void *x;
    size_t size = cvy_dataset_sample_bytes(&ds->info);
    int64_t block = (int64_t)((1 << 20) / size) / ds->info.chunk * ds->info.chunk;
    if (block < ds->info.chunk) block = ds->info.chunk;
    XXH64_reset(&state, 0);
    CVY_TRY(cvy_alloc((size_t)block * size, CVY_TAG_data, &x));
    cvy_status status = read_all(ds, block, x, &state);
    cvy_free(x);
    if (status != CVY_OK || !ds->own) return status;
    uint64_t labels = cvy_hash(ds->labels, (size_t)ds->info.count * sizeof *ds->labels, 0);
    uint64_t found = cvy_dataset_digest(&ds->info, XXH64_digest(&state), labels);
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
