#include "io/dataset/dataset_sums.h"

#include <stdio.h>
#include <string.h>

#include "core/ints.h"
#include "core/hash.h"
#include "core/memory.h"

void cvy_sums_destroy(struct cvy_sums *sums) {
    cvy_free(sums->items);
    *sums = (struct cvy_sums){.items = NULL};
}

static cvy_status make_room(struct cvy_sums *sums, int64_t more, int64_t room) {
    uint64_t *larger;
    if (sums->count + more <= sums->room) return CVY_OK;
    CVY_TRY(CVY_NEW(&larger, room, data));
    if (sums->count) memcpy(larger, sums->items, (size_t)sums->count * sizeof *larger);
    cvy_free(sums->items);
    sums->items = larger;
    sums->room = room;
    return CVY_OK;
}

cvy_status cvy_sums_reserve(struct cvy_sums *sums, int64_t count, int64_t rows) {
    const int64_t blocks = cvy_ceil_div(count, rows);
    return make_room(sums, blocks, blocks);
}

cvy_status cvy_sums_add(struct cvy_sums *sums, int64_t count, size_t size, const void *rows) {
    const char *at = rows;
    const int64_t more = cvy_ceil_div(count, sums->rows);
    CVY_TRY(make_room(sums, more, 2 * (sums->count + more)));
    for (int64_t done = 0; done < count; done += sums->rows) {
        const int64_t left = count - done, now = left < sums->rows ? left : sums->rows;
        sums->items[sums->count++] = cvy_hash(at + (size_t)done * size, (size_t)now * size, 0);
    }
    return CVY_OK;
}

uint64_t cvy_sums_digest(const struct cvy_sums *x, const struct cvy_sums *y) {
    const uint64_t seed = cvy_hash(x->items, (size_t)x->count * sizeof *x->items, 0);
    return cvy_hash(y->items, (size_t)y->count * sizeof *y->items, seed);
}

/* ---- In a file ---- */

cvy_status cvy_sums_put(hid_t file, const char *name, const struct cvy_sums *sums) {
    char why[256];
    const hsize_t count = (hsize_t)sums->count;
    hid_t space = H5Screate_simple(1, &count, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, false);
    hid_t array = H5Dcreate2(file, name, H5T_STD_U64LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    const bool good = array >= 0 && cvy_h5_put_ints(array, "rows", CVY_H5_SCALAR, &sums->rows) == CVY_OK &&
                      H5Dwrite(array, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, sums->items) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&array);
    cvy_h5_drop(&properties);
    cvy_h5_drop(&space);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s cannot be written: %s", name, why);
    return CVY_OK;
}

static int64_t length_of(hid_t array) {
    hid_t space = H5Dget_space(array);
    const int64_t length = H5Sget_simple_extent_ndims(space) == 1 ? H5Sget_simple_extent_npoints(space) : -1;
    cvy_h5_drop(&space);
    return length;
}

static cvy_status read_sums(hid_t array, int64_t count, struct cvy_sums *out) {
    int64_t length;
    const bool told = cvy_h5_attribute(array, "rows", &length) == CVY_H5_INTS && length == 1 &&
                      cvy_h5_get_ints(array, "rows", &out->rows) == CVY_OK;
    CVY_CHECK(told && out->rows > 0 && length_of(array) == cvy_ceil_div(count, out->rows), CVY_ERR_DATA,
              "they are not of so many rows");
    CVY_TRY(cvy_sums_reserve(out, count, out->rows));
    CVY_CHECK(H5Dread(array, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, out->items) >= 0, CVY_ERR_DATA,
              "they cannot be read");
    out->count = cvy_ceil_div(count, out->rows);
    return CVY_OK;
}

cvy_status cvy_sums_get(const char *path, hid_t file, const char *name, int64_t count, struct cvy_sums *out) {
    out->count = 0;
    if (H5Lexists(file, name, H5P_DEFAULT) <= 0) return CVY_OK;
    hid_t array = H5Dopen2(file, name, H5P_DEFAULT);
    cvy_status status = array >= 0 ? read_sums(array, count, out) : CVY_FAIL(CVY_ERR_DATA, "they cannot be opened");
    cvy_h5_drop(&array);
    if (status == CVY_OK) return CVY_OK;
    return cvy_fail_prefix(CVY_ERR_DATA, "%s: damaged: %s, the checksums of %lld rows; make or copy it again", path,
                           name, (long long)count);
}

/* ---- Comparing ---- */

int64_t cvy_sums_compare(const struct cvy_sums *sums, int64_t first, int64_t count, int64_t total, size_t size,
                         const void *rows) {
    if (sums->count == 0) return -1;
    const int64_t end = first + count;
    for (int64_t block = cvy_ceil_div(first, sums->rows); block < sums->count; block++) {
        const int64_t from = block * sums->rows, to = from + sums->rows < total ? from + sums->rows : total;
        if (to > end) return -1;
        const char *at = (const char *)rows + (size_t)(from - first) * size;
        if (cvy_hash(at, (size_t)(to - from) * size, 0) != sums->items[block]) return from;
    }
    return -1;
}
