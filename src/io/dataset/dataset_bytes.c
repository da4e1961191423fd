/* Bytes as values: a user's uint8 maps are pictures, 0 … 255, and become 0 … 1; but masks of 0 and 1 are what they are.
 */
#include "core/memory.h"
#include "io/dataset/dataset_part.h"

enum { BLOCK_BYTES = 1 << 20 };

static bool above_one(const struct cvy_dataset_info *info, const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] > 1 && !(info->ignores && bytes[i] == info->ignored)) return true;
    return false;
}

/* Of a picture the first block tells. */
static cvy_status find_picture(const struct cvy_dataset *ds, struct cvy_rows *rows, bool *picture) {
    const int64_t count = ds->info.count, most = rows->row < BLOCK_BYTES ? (int64_t)(BLOCK_BYTES / rows->row) : 1;
    unsigned char *block;
    CVY_TRY(CVY_NEW(&block, (size_t)most * rows->row, data));
    cvy_status status = CVY_OK;
    for (int64_t first = 0; first < count && !*picture && status == CVY_OK; first += most) {
        const int64_t now = count - first < most ? count - first : most;
        status = cvy_work_go_on(&ds->spec.work, ds->path);
        if (status == CVY_OK) status = cvy_rows_read(rows, first, now, block);
        *picture = status == CVY_OK && above_one(&ds->info, block, (size_t)now * rows->row);
    }
    cvy_free(block);
    return status;
}

cvy_status cvy_dataset_byte_scale(const struct cvy_dataset *ds, hid_t y, float *out) {
    struct cvy_held held = {.data = NULL};
    struct cvy_rows rows;
    bool picture = false;
    hid_t file = H5Iget_file_id(y);
    H5Iinc_ref(y); /* the rows take one over */
    cvy_status status = cvy_rows_open(ds->path, ds->y_name, file, y, ds->y_nchw, &held, &rows);
    if (status == CVY_OK) {
        cvy_rows_as(&rows, H5T_NATIVE_UCHAR, 1);
        status = find_picture(ds, &rows, &picture);
    }
    cvy_rows_close(&rows);
    cvy_free(held.data);
    cvy_h5_drop(&file);
    *out = picture ? 1.0F / 255 : 1;
    return status;
}
