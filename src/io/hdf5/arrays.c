#include "io/hdf5/arrays.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "io/file.h"
#include "io/hdf5/h5.h"

struct cvy_arrays {
    char path[CVY_PATH_MAX], text_name[64];
    struct cvy_h5_image image;
    struct cvy_array array[CVY_ARRAYS];
    hid_t id[CVY_ARRAYS];
    int count;
    hsize_t rows;
    struct cvy_buf texts; /* each closed by a NUL */
    size_t widest;
};

static size_t row_bytes(const struct cvy_array *a) {
    size_t bytes = cvy_dtype_bytes(a->type);
    for (int d = 0; d + 1 < a->rank; d++) bytes *= (size_t)a->dims[d];
    return bytes;
}

static hid_t make_array(hid_t file, const struct cvy_array *a) {
    hsize_t dims[4] = {0}, most[4] = {H5S_UNLIMITED}, chunk[4] = {1};
    while (chunk[0] * row_bytes(a) < 16384) chunk[0] *= 2;
    for (int d = 1; d < a->rank; d++) dims[d] = most[d] = chunk[d] = (hsize_t)a->dims[d - 1];
    hid_t space = H5Screate_simple(a->rank, dims, most), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, false);
    H5Pset_chunk(properties, a->rank, chunk);
    hid_t type = a->type == CVY_I32 ? H5T_STD_I32LE : H5T_IEEE_F32LE;
    hid_t array = H5Dcreate2(file, a->name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    cvy_h5_drop(&properties);
    cvy_h5_drop(&space);
    return array;
}

static cvy_status make_all(struct cvy_arrays *s, const struct cvy_array *arrays, int count) {
    char why[256];
    CVY_TRY(cvy_h5_image_create(&s->image, (size_t)1 << 20, 0));
    for (s->count = 0; s->count < count; s->count++) {
        s->array[s->count] = arrays[s->count];
        s->id[s->count] = make_array(s->image.file, &arrays[s->count]);
        CVY_CHECK(s->id[s->count] >= 0, CVY_ERR_INTERNAL, "%s: %s cannot be made: %s", s->path, arrays[s->count].name,
                  cvy_h5_why(why));
    }
    return CVY_OK;
}

cvy_status cvy_arrays_create(const char *path, const struct cvy_array *arrays, int count, const char *texts,
                             struct cvy_arrays **out) {
    *out = NULL;
    CVY_CHECK(strlen(path) < CVY_PATH_MAX, CVY_ERR_USAGE, "%.200s…: the path is too long", path);
    CVY_TRY(CVY_NEW(out, 1, general));
    snprintf((*out)->path, CVY_PATH_MAX, "%s", path);
    snprintf((*out)->text_name, sizeof(*out)->text_name, "%s", texts);
    (*out)->image.file = -1;
    cvy_h5_lock();
    cvy_status status = make_all(*out, arrays, count);
    cvy_h5_unlock();
    if (status != CVY_OK) cvy_arrays_destroy(out);
    return status;
}

static cvy_status append_row(struct cvy_arrays *s, int i, const void *row) {
    char why[256];
    const struct cvy_array *a = &s->array[i];
    hsize_t at[4] = {s->rows}, size[4] = {1}, extent[4] = {s->rows + 1};
    for (int d = 1; d < a->rank; d++) size[d] = extent[d] = (hsize_t)a->dims[d - 1];
    hid_t memory_space = H5Screate_simple(a->rank, size, NULL), file_space = -1;
    hid_t type = a->type == CVY_I32 ? H5T_NATIVE_INT32 : H5T_NATIVE_FLOAT;
    bool good = memory_space >= 0 && H5Dset_extent(s->id[i], extent) >= 0;
    if (good) file_space = H5Dget_space(s->id[i]);
    good = good && file_space >= 0 && H5Sselect_hyperslab(file_space, H5S_SELECT_SET, at, NULL, size, NULL) >= 0 &&
           H5Dwrite(s->id[i], type, memory_space, file_space, H5P_DEFAULT, row) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&memory_space);
    cvy_h5_drop(&file_space);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s: %s cannot be written: %s", s->path, a->name, why);
    return CVY_OK;
}

cvy_status cvy_arrays_append(struct cvy_arrays *s, const void *const *rows, const char *text) {
    cvy_status status = CVY_OK;
    cvy_h5_lock();
    for (int i = 0; i < s->count && status == CVY_OK; i++) status = append_row(s, i, rows[i]);
    cvy_h5_unlock();
    cvy_buf_write(&s->texts, text, strlen(text) + 1);
    if (strlen(text) > s->widest) s->widest = strlen(text);
    s->rows++;
    return status;
}

/* Texts of one width, closed by NULs. */
static cvy_status put_texts(struct cvy_arrays *s) {
    char why[256], *block;
    const size_t width = s->widest + 1;
    if (s->rows == 0) return CVY_OK;
    CVY_CHECK(!s->texts.failed, CVY_ERR_INTERNAL, "%s: no memory for the names of the inputs", s->path);
    CVY_TRY(CVY_NEW(&block, s->rows * width, text));
    const char *text = cvy_buf_text(&s->texts);
    for (hsize_t i = 0; i < s->rows; i++, text += strlen(text) + 1) memcpy(block + i * width, text, strlen(text));
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &s->rows, NULL);
    H5Tset_size(type, width);
    H5Tset_cset(type, H5T_CSET_UTF8);
    hid_t array = H5Dcreate2(s->image.file, s->text_name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool good = array >= 0 && H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, block) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&array);
    cvy_h5_drop(&space);
    cvy_h5_drop(&type);
    cvy_free(block);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s: %s cannot be written: %s", s->path, s->text_name, why);
    return CVY_OK;
}

static void close_arrays(struct cvy_arrays *s) {
    for (int i = 0; i < s->count; i++) cvy_h5_drop(&s->id[i]);
    s->count = 0;
}

cvy_status cvy_arrays_finish(struct cvy_arrays **arrays) {
    struct cvy_arrays *s = *arrays;
    cvy_h5_lock();
    cvy_status status = put_texts(s);
    close_arrays(s);
    if (status == CVY_OK) status = cvy_h5_image_close(&s->image);
    cvy_h5_unlock();
    if (status == CVY_OK) status = cvy_file_replace(s->path, &(struct cvy_bytes){s->image.data, s->image.size}, 1);
    cvy_arrays_destroy(arrays);
    return status;
}

void cvy_arrays_destroy(struct cvy_arrays **arrays) {
    if (*arrays == NULL) return;
    cvy_h5_lock();
    close_arrays(*arrays);
    cvy_h5_image_destroy(&(*arrays)->image);
    cvy_h5_unlock();
    cvy_buf_destroy(&(*arrays)->texts);
    CVY_DELETE(arrays);
}
