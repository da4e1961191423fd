#include "io/ckpt.h"

#include <string.h>

#include "core/hash.h"
#include "core/memory.h"
#include "io/ckpt_head.h"
#include "io/h5.h"

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
    for (int i = 0; i < c->value_count; i++) bytes += 1024 + 64 * (size_t)c->values[i].count;
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

static cvy_status put_array(hid_t file, const char *path, hid_t stored, hid_t given, int rank, const hsize_t *dims,
                            const void *data, const char *layout) {
    char why[256];
    make_groups(file, path);
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, dims, NULL);
    H5Pset_obj_track_times(properties, false);
    hid_t array = H5Dcreate2(file, path, stored, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    bool good = array >= 0 && (dims[0] == 0 || H5Dwrite(array, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    if (!good) cvy_h5_why(why);
    cvy_status status = good && layout ? cvy_h5_put_text(array, "layout", layout) : CVY_OK;
    cvy_h5_drop(&array);
    cvy_h5_drop(&space);
    cvy_h5_drop(&properties);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s cannot be written: %s", path, why);
    return status;
}

static cvy_status put_tensor(hid_t file, const struct cvy_ckpt_tensor *t) {
    CVY_CHECK(t->rank >= 1 && t->rank <= 4 && t->path[0] == '/', CVY_ERR_INTERNAL, "%s: a tensor of rank %d", t->path,
              t->rank);
    hsize_t dims[4];
    for (int i = 0; i < t->rank; i++) dims[i] = (hsize_t)t->dims[i];
    return put_array(file, t->path, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, t->rank, dims, t->data, t->layout);
}

static cvy_status put_blob(hid_t file, const struct cvy_ckpt_blob *blob) {
    char path[CVY_PATH_MAX];
    hsize_t size = blob->size;
    CVY_TRY(cvy_path_join("/run", blob->name, path));
    return put_array(file, path, H5T_STD_U8LE, H5T_NATIVE_UINT8, 1, &size, blob->bytes, NULL);
}

static cvy_status put_value(hid_t run, const struct cvy_ckpt_value *v) {
    int64_t count = v->count == 1 ? CVY_H5_SCALAR : v->count;
    if (v->ints) return cvy_h5_put_ints(run, v->name, count, v->ints);
    if (v->reals) return cvy_h5_put_reals(run, v->name, count, v->reals);
    return cvy_h5_put_texts(run, v->name, count, v->texts);
}

static cvy_status put_values(hid_t file, const struct cvy_ckpt_contents *c) {
    make_groups(file, "/run/");
    cvy_status status = CVY_OK;
    hid_t run = H5Gopen2(file, "/run", H5P_DEFAULT);
    for (int i = 0; i < c->value_count && status == CVY_OK; i++) status = put_value(run, &c->values[i]);
    cvy_h5_drop(&run);
    return status;
}

/* The lock is given back after every object: a loader may be waiting for it. */
#define LOCKED(call) (cvy_h5_lock(), status = (call), cvy_h5_unlock(), status)

static cvy_status build(struct cvy_h5_image *image, const struct cvy_ckpt_contents *c) {
    cvy_status status;
    CVY_TRY(LOCKED(cvy_h5_image_create(image, estimate(c), CVY_CKPT_HEAD)));
    CVY_TRY(LOCKED(put_values(image->file, c)));
    for (int i = 0; i < c->blob_count; i++) CVY_TRY(LOCKED(put_blob(image->file, &c->blobs[i])));
    for (int i = 0; i < c->tensor_count; i++) CVY_TRY(LOCKED(put_tensor(image->file, &c->tensors[i])));
    return LOCKED(cvy_h5_image_close(image));
}

cvy_status cvy_ckpt_write(const char *path, const struct cvy_ckpt_contents *contents, int64_t *bytes) {
    struct cvy_h5_image image = {.file = -1};
    cvy_status status = build(&image, contents);
    if (status == CVY_OK) {
        size_t length = image.size - CVY_CKPT_HEAD;
        cvy_ckpt_head((int64_t)length, cvy_hash(image.data + CVY_CKPT_HEAD, length, 0), (char *)image.data);
        status = cvy_file_replace(path, &(struct cvy_bytes){image.data, image.size}, 1);
    }
    if (status == CVY_OK && bytes) *bytes = (int64_t)image.size;
    cvy_h5_lock();
    cvy_h5_image_destroy(&image);
    cvy_h5_unlock();
    return status == CVY_OK ? CVY_OK : cvy_fail_prefix(status, "checkpoint not written");
}
