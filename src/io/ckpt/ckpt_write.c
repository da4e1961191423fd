#include "io/ckpt/ckpt.h"

#include <string.h>

#include "core/hash.h"
#include "core/memory.h"
#include "io/ckpt/ckpt_head.h"
#include "io/hdf5/h5.h"

static size_t tensor_bytes(const struct cvy_ckpt_tensor *t) {
    size_t bytes = sizeof(float);
    for (int i = 0; i < t->rank; i++) bytes *= (size_t)t->dims[i];
    return bytes;
}

/* Upper estimate of the file: an object's own description takes about 1 KiB. */
static size_t estimate(const struct cvy_ckpt_contents *c) {
    size_t bytes = 65536;
    for (int i = 0; i < c->tensor_count; i++) bytes += tensor_bytes(&c->tensors[i]) + 2048;
    for (int i = 0; i < c->blob_count; i++) bytes += c->blobs[i].size + 2048;
    for (int i = 0; i < c->attribute_count; i++) bytes += 1024 + 64 * (size_t)c->attributes[i].count;
    return bytes;
}

/* Makes the groups above the last part of `path` that are not there yet. No times, as everywhere. */
static void make_groups(hid_t file, const char *path) {
    char part[CVY_PATH_MAX];
    hid_t properties = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(properties, false);
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        if (H5Lexists(file, part, H5P_DEFAULT) > 0) continue;
        hid_t group = H5Gcreate2(file, part, H5P_DEFAULT, properties, H5P_DEFAULT);
        cvy_h5_drop(&group);
    }
    cvy_h5_drop(&properties);
}

static cvy_status make_array(hid_t file, const char *path, hid_t type, int rank, const hsize_t *dims, hid_t *array) {
    char why[256];
    make_groups(file, path);
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, dims, NULL);
    H5Pset_obj_track_times(properties, false);
    *array = H5Dcreate2(file, path, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    if (*array < 0) cvy_h5_why(why);
    cvy_h5_drop(&space);
    cvy_h5_drop(&properties);
    CVY_CHECK(*array >= 0, CVY_ERR_INTERNAL, "%s cannot be made: %s", path, why);
    return CVY_OK;
}

/* Slices [first, first + count) of the first dimension. */
static cvy_status put_slices(hid_t array, const char *path, hid_t type, int rank, const hsize_t *dims, hsize_t first,
                             hsize_t count, const void *data) {
    char why[256];
    hsize_t start[4] = {first}, size[4] = {count};
    if (count == 0) return CVY_OK;
    for (int d = 1; d < rank; d++) size[d] = dims[d];
    hid_t all = H5Screate_simple(rank, dims, NULL), part = H5Screate_simple(rank, size, NULL);
    bool good = H5Sselect_hyperslab(all, H5S_SELECT_SET, start, NULL, size, NULL) >= 0 &&
                H5Dwrite(array, type, part, all, H5P_DEFAULT, data) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&all);
    cvy_h5_drop(&part);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s cannot be written: %s", path, why);
    return CVY_OK;
}

/* Through a block of this size, or of one slice. */
enum { BLOCK = 1 << 20 };

static cvy_status fill_tensor(hid_t array, const struct cvy_ckpt_contents *c, int number, const hsize_t *dims) {
    const struct cvy_ckpt_tensor *t = &c->tensors[number];
    const int64_t slice = (int64_t)tensor_bytes(t) / t->dims[0];
    int64_t most = slice < BLOCK ? BLOCK / slice : 1;
    float *block;
    if (most > t->dims[0]) most = t->dims[0];
    CVY_TRY(cvy_alloc((size_t)(most * slice), CVY_TAG_checkpoint, (void **)&block));
    cvy_status status = CVY_OK;
    for (int64_t first = 0; first < t->dims[0] && status == CVY_OK; first += most) {
        const int64_t count = t->dims[0] - first < most ? t->dims[0] - first : most;
        c->fill(c->arg, number, first, count, block);
        status = put_slices(array, t->path, H5T_NATIVE_FLOAT, t->rank, dims, (hsize_t)first, (hsize_t)count, block);
    }
    cvy_free(block);
    return status;
}

static cvy_status put_tensor(hid_t file, const struct cvy_ckpt_contents *c, int number) {
    const struct cvy_ckpt_tensor *t = &c->tensors[number];
    hid_t array = -1;
    hsize_t dims[4];
    CVY_CHECK(t->rank >= 1 && t->rank <= 4 && t->path[0] == '/', CVY_ERR_INTERNAL, "%s: a tensor of rank %d", t->path,
              t->rank);
    for (int i = 0; i < t->rank; i++) dims[i] = (hsize_t)t->dims[i];
    CVY_TRY(make_array(file, t->path, H5T_IEEE_F32LE, t->rank, dims, &array));
    cvy_status status = c->fill ? fill_tensor(array, c, number, dims)
                                : put_slices(array, t->path, H5T_NATIVE_FLOAT, t->rank, dims, 0, dims[0], t->data);
    if (status == CVY_OK && t->layout) status = cvy_h5_put_text(array, "layout", t->layout);
    cvy_h5_drop(&array);
    return status;
}

static cvy_status put_blob(hid_t file, const struct cvy_ckpt_blob *blob) {
    char path[CVY_PATH_MAX];
    hid_t array = -1;
    hsize_t size = blob->size;
    CVY_TRY(cvy_path_join("/run", blob->name, path));
    CVY_TRY(make_array(file, path, H5T_STD_U8LE, 1, &size, &array));
    cvy_status status = put_slices(array, path, H5T_NATIVE_UINT8, 1, &size, 0, size, blob->bytes);
    cvy_h5_drop(&array);
    return status;
}

static cvy_status put_attribute(hid_t run, const struct cvy_ckpt_attribute *v) {
    int64_t count = v->count == 1 ? CVY_H5_SCALAR : v->count;
    if (v->ints) return cvy_h5_put_ints(run, v->name, count, v->ints);
    if (v->reals) return cvy_h5_put_reals(run, v->name, count, v->reals);
    return cvy_h5_put_texts(run, v->name, count, v->texts);
}

static cvy_status put_attributes(hid_t file, const struct cvy_ckpt_contents *c) {
    make_groups(file, "/run/");
    cvy_status status = CVY_OK;
    hid_t run = H5Gopen2(file, "/run", H5P_DEFAULT);
    for (int i = 0; i < c->attribute_count && status == CVY_OK; i++) status = put_attribute(run, &c->attributes[i]);
    cvy_h5_drop(&run);
    return status;
}

/* The lock is given back after every object: a loader may be waiting for it. */
#define LOCKED(call) (cvy_h5_lock(), status = (call), cvy_h5_unlock(), status)

static cvy_status build(struct cvy_h5_image *image, const struct cvy_ckpt_contents *c) {
    cvy_status status;
    CVY_TRY(LOCKED(cvy_h5_image_create(image, estimate(c), CVY_CKPT_HEAD)));
    CVY_TRY(LOCKED(put_attributes(image->file, c)));
    for (int i = 0; i < c->blob_count; i++) CVY_TRY(LOCKED(put_blob(image->file, &c->blobs[i])));
    for (int i = 0; i < c->tensor_count; i++) CVY_TRY(LOCKED(put_tensor(image->file, c, i)));
    return LOCKED(cvy_h5_image_close(image));
}

struct cvy_ckpt_image {
    struct cvy_h5_image h5;
};

cvy_status cvy_ckpt_image_create(const struct cvy_ckpt_contents *contents, struct cvy_ckpt_image **out) {
    CVY_TRY(CVY_NEW(out, 1, checkpoint));
    (*out)->h5.file = -1;
    cvy_status status = build(&(*out)->h5, contents);
    if (status == CVY_OK) return CVY_OK;
    cvy_ckpt_image_destroy(out);
    return cvy_fail_prefix(status, "checkpoint not written");
}

void cvy_ckpt_image_destroy(struct cvy_ckpt_image **image) {
    if (*image == NULL) return;
    cvy_h5_lock();
    cvy_h5_image_destroy(&(*image)->h5);
    cvy_h5_unlock();
    CVY_DELETE(image);
}

cvy_status cvy_ckpt_image_write(struct cvy_ckpt_image *image, const char *path, int64_t *bytes) {
    const struct cvy_h5_image *h5 = &image->h5;
    const size_t length = h5->size - CVY_CKPT_HEAD;
    cvy_ckpt_head((int64_t)length, cvy_hash(h5->data + CVY_CKPT_HEAD, length, 0), (char *)h5->data);
    cvy_status status = cvy_file_replace(path, &(struct cvy_bytes){h5->data, h5->size}, 1);
    if (status != CVY_OK) return cvy_fail_prefix(status, "checkpoint not written");
    if (bytes) *bytes = (int64_t)h5->size;
    return CVY_OK;
}
