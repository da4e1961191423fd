/* Bytes as values: a user's uint8 maps are pictures, 0 … 255, and become 0 … 1; but masks of 0 and 1 are what they are.
 */
#include "core/memory.h"
#include "io/dataset_part.h"

enum { BLOCK_BYTES = 1 << 20 };

/* Rows first … of an array of bytes; false when HDF5 fails, which the reading of the samples will say. */
static bool read_rows(hid_t array, int rank, const hsize_t *dims, hsize_t first, hsize_t count, unsigned char *out) {
    hsize_t at[4] = {first}, size[4] = {count};
    for (int d = 1; d < rank; d++) size[d] = dims[d];
    hid_t there = H5Dget_space(array), here = H5Screate_simple(rank, size, NULL);
    bool good = H5Sselect_hyperslab(there, H5S_SELECT_SET, at, NULL, size, NULL) >= 0 &&
                H5Dread(array, H5T_NATIVE_UCHAR, here, there, H5P_DEFAULT, out) >= 0;
    cvy_h5_drop(&here);
    cvy_h5_drop(&there);
    return good;
}

static bool above_one(const struct cvy_dataset_info *info, const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] > 1 && !(info->ignores && bytes[i] == info->ignored)) return true;
    return false;
}

/* Of a picture the first block tells. */
cvy_status cvy_dataset_byte_scale(const struct cvy_dataset *ds, hid_t y, int rank, const hsize_t *dims, float *out) {
    size_t row = 1;
    for (int d = 1; d < rank; d++) row *= (size_t)dims[d];
    const hsize_t most = row < BLOCK_BYTES ? BLOCK_BYTES / row : 1;
    unsigned char *block;
    bool picture = false, good = true;
    CVY_TRY(CVY_NEW(&block, (size_t)most * row, data));
    for (hsize_t first = 0; first < dims[0] && !picture && good; first += most) {
        const hsize_t count = dims[0] - first < most ? dims[0] - first : most;
        good = read_rows(y, rank, dims, first, count, block);
        picture = good && above_one(&ds->info, block, (size_t)count * row);
    }
    cvy_free(block);
    *out = picture ? 1.0F / 255 : 1;
    return CVY_OK;
}
