/* A digest can be right and the contents wrong: files that other programs made or changed. So everything is looked at
 * before it is used, and each fault is one message. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/tree/node.h"
#include "io/ckpt/ckpt.h"
#include "io/hdf5/h5.h"

/* ---- Opening ---- */

struct cvy_ckpt {
    hid_t file;
    struct cvy_tree *texts; /* owns paths, layouts and names */
    const char *path;
    struct cvy_ckpt_tensor *tensors;
    struct cvy_ckpt_attribute *attributes;
    int tensor_count, tensor_room, attribute_count, attribute_room;
};

static cvy_status keep_text(struct cvy_ckpt *ckpt, const char *text, const char **out) {
    return cvy_tree_text(ckpt->texts, text, strlen(text), out);
}

static cvy_status read_layout(struct cvy_ckpt *ckpt, hid_t array, const char **out) {
    int64_t count;
    char **texts = NULL;
    *out = "";
    if (cvy_h5_attribute(array, "layout", &count) != CVY_H5_TEXTS || count != 1) return CVY_OK;
    CVY_TRY(cvy_h5_get_texts(array, "layout", 1, &texts));
    cvy_status status = keep_text(ckpt, texts[0], out);
    cvy_free(texts);
    return status;
}

/* What our files never have more of; beyond it memory would go to what cannot be meant. */
enum { MOST_PATH = 512, MOST_ATTRIBUTE = 1 << 24 };

/* Bytes of `count` elements of `size`; −1 where they are more than the whole file. */
static int64_t bytes_in_file(const struct cvy_ckpt *ckpt, const hsize_t *dims, int rank, size_t size) {
    uint64_t bytes = size;
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(bytes, (uint64_t)dims[i], &bytes)) return -1;
    return bytes <= (uint64_t)cvy_file_size(ckpt->path) ? (int64_t)bytes : -1;
}

/* Its values are in this very file: no other is opened because a checkpoint says so. */
static bool holds_itself(hid_t array) {
    hid_t properties = H5Dget_create_plist(array);
    bool itself = properties >= 0 && H5Pget_layout(properties) != H5D_VIRTUAL && H5Pget_external_count(properties) == 0;
    cvy_h5_drop(&properties);
    return itself;
}

/* An array of elements of this class, with its rank and dims, no larger than the file. */
static cvy_status check_array(const struct cvy_ckpt *ckpt, hid_t array, const char *path, H5T_class_t wanted, int *rank,
                              hsize_t dims[H5S_MAX_RANK]) {
    char why[256];
    hid_t type = H5Dget_type(array), space = H5Dget_space(array);
    if (type < 0 || space < 0) cvy_h5_why(why);
    const bool read = type >= 0 && space >= 0, right = read && H5Tget_class(type) == wanted;
    const size_t size = right ? H5Tget_size(type) : 1;
    *rank = read ? H5Sget_simple_extent_dims(space, dims, NULL) : -1;
    const bool simple = read && H5Sget_simple_extent_type(space) != H5S_NULL;
    cvy_h5_drop(&type);
    cvy_h5_drop(&space);
    CVY_CHECK(read, CVY_ERR_CHECKPOINT, "%s: %s cannot be read: %s", ckpt->path, path, why);
    CVY_CHECK(right && simple, CVY_ERR_CHECKPOINT, "%s: %s does not hold %s", ckpt->path, path,
              wanted == H5T_FLOAT ? "floating-point numbers" : "bytes");
    CVY_CHECK(holds_itself(array), CVY_ERR_CHECKPOINT, "%s: %s keeps its values in another file", ckpt->path, path);
    CVY_CHECK(bytes_in_file(ckpt, dims, *rank, size) >= 0, CVY_ERR_CHECKPOINT,
              "%s: %s claims to be larger than the whole file", ckpt->path, path);
    return CVY_OK;
}

static cvy_status add_tensor(struct cvy_ckpt *ckpt, hid_t array, const char *path) {
    CVY_TRY(CVY_GROW(&ckpt->tensors, ckpt->tensor_count, &ckpt->tensor_room, checkpoint));
    struct cvy_ckpt_tensor *t = &ckpt->tensors[ckpt->tensor_count];
    hsize_t dims[H5S_MAX_RANK];
    CVY_TRY(check_array(ckpt, array, path, H5T_FLOAT, &t->rank, dims));
    CVY_CHECK(t->rank >= 1 && t->rank <= 4, CVY_ERR_CHECKPOINT, "%s: %s has rank %d, not 1 to 4", ckpt->path, path,
              t->rank);
    for (int i = 0; i < 4; i++) t->dims[i] = i < t->rank ? (int64_t)dims[i] : 1;
    CVY_TRY(keep_text(ckpt, path, &t->path));
    CVY_TRY(read_layout(ckpt, array, &t->layout));
    ckpt->tensor_count++;
    return CVY_OK;
}

/* A walk's callback has failed with a message of ours, or HDF5 has for a reason of its own. */
struct walk {
    struct cvy_ckpt *ckpt;
    cvy_status status;
};

static cvy_status end_walk(const struct walk *walk, herr_t walked, const char *what) {
    char why[256];
    if (walk->status != CVY_OK) return walk->status;
    CVY_CHECK(walked >= 0, CVY_ERR_CHECKPOINT, "%s: %s cannot be read: %s", walk->ckpt->path, what, cvy_h5_why(why));
    return CVY_OK;
}

static cvy_status take_object(struct cvy_ckpt *ckpt, hid_t file, const char *path) {
    char why[256];
    hid_t object = H5Oopen(file, path, H5P_DEFAULT);
    CVY_CHECK(object >= 0, CVY_ERR_CHECKPOINT, "%s: %s cannot be opened: %s", ckpt->path, path, cvy_h5_why(why));
    cvy_status status = H5Iget_type(object) == H5I_DATASET ? add_tensor(ckpt, object, path) : CVY_OK;
    cvy_h5_drop(&object);
    return status;
}

static cvy_status take_link(struct cvy_ckpt *ckpt, hid_t file, const char *name, H5L_type_t type) {
    char path[MOST_PATH + 2];
    CVY_CHECK(strlen(name) <= MOST_PATH, CVY_ERR_CHECKPOINT, "%s: /%.40s… has a name of %zu bytes", ckpt->path, name,
              strlen(name));
    if (strncmp(name, "run/", 4) == 0) return CVY_OK;
    snprintf(path, sizeof path, "/%s", name);
    CVY_CHECK(type == H5L_TYPE_HARD, CVY_ERR_CHECKPOINT, "%s: %s is a link to something else", ckpt->path, path);
    return take_object(ckpt, file, path);
}

/* HDF5 calls these back in the order of names. */
static herr_t visit_link(hid_t file, const char *name, const H5L_info_t *info, void *context) {
    struct walk *walk = context;
    walk->status = take_link(walk->ckpt, file, name, info->type);
    return walk->status == CVY_OK ? 0 : -1;
}

static cvy_status read_attribute(hid_t run, enum cvy_h5_kind kind, struct cvy_ckpt_attribute *v) {
    if (kind == CVY_H5_INTS) {
        CVY_TRY(CVY_NEW((int64_t **)&v->ints, v->count, checkpoint));
        return cvy_h5_get_ints(run, v->name, (int64_t *)v->ints);
    }
    if (kind == CVY_H5_REALS) {
        CVY_TRY(CVY_NEW((double **)&v->reals, v->count, checkpoint));
        return cvy_h5_get_reals(run, v->name, (double *)v->reals);
    }
    return cvy_h5_get_texts(run, v->name, v->count, (char ***)&v->texts);
}

static cvy_status take_attribute(struct cvy_ckpt *ckpt, hid_t run, const char *name) {
    int64_t count;
    enum cvy_h5_kind kind = cvy_h5_attribute(run, name, &count);
    if (kind == CVY_H5_OTHER || count < 1) return CVY_OK; /* not ours */
    CVY_CHECK(count <= MOST_ATTRIBUTE, CVY_ERR_CHECKPOINT, "%s: attribute %s of /run has %" PRId64 " elements",
              ckpt->path, name, count);
    CVY_TRY(CVY_GROW(&ckpt->attributes, ckpt->attribute_count, &ckpt->attribute_room, checkpoint));
    struct cvy_ckpt_attribute *v = &ckpt->attributes[ckpt->attribute_count];
    *v = (struct cvy_ckpt_attribute){.count = (int)count};
    CVY_TRY(keep_text(ckpt, name, &v->name));
    ckpt->attribute_count++;
    cvy_status status = read_attribute(run, kind, v);
    return status == CVY_OK ? CVY_OK : cvy_fail_prefix(CVY_ERR_CHECKPOINT, "%s: /run", ckpt->path);
}

static herr_t visit_attribute(hid_t run, const char *name, const H5A_info_t *info, void *context) {
    struct walk *walk = context;
    (void)info;
    walk->status = take_attribute(walk->ckpt, run, name);
    return walk->status == CVY_OK ? 0 : -1;
}

static cvy_status list_contents(struct cvy_ckpt *ckpt) {
    struct walk walk = {.ckpt = ckpt};
    char why[256];
    CVY_TRY(cvy_h5_open(ckpt->path, CVY_ERR_CHECKPOINT, &ckpt->file));
    CVY_CHECK(H5Lexists(ckpt->file, "run", H5P_DEFAULT) > 0, CVY_ERR_CHECKPOINT, "%s: it has no /run", ckpt->path);
    herr_t walked = H5Lvisit(ckpt->file, H5_INDEX_NAME, H5_ITER_INC, visit_link, &walk);
    CVY_TRY(end_walk(&walk, walked, "its list of contents"));
    hid_t run = H5Gopen2(ckpt->file, "run", H5P_DEFAULT);
    CVY_CHECK(run >= 0, CVY_ERR_CHECKPOINT, "%s: /run cannot be opened: %s", ckpt->path, cvy_h5_why(why));
    walked = H5Aiterate2(run, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &walk);
    cvy_h5_drop(&run);
    return end_walk(&walk, walked, "the attributes of /run");
}

cvy_status cvy_ckpt_open(const char *path, struct cvy_ckpt **out) {
    struct cvy_ckpt *ckpt;
    *out = NULL;
    CVY_TRY(cvy_ckpt_verify(path));
    CVY_TRY(CVY_NEW(&ckpt, 1, checkpoint));
    ckpt->file = -1;
    cvy_status status = cvy_tree_create(&ckpt->texts);
    if (status == CVY_OK) status = keep_text(ckpt, path, &ckpt->path);
    if (status == CVY_OK) {
        cvy_h5_lock();
        status = list_contents(ckpt);
        cvy_h5_unlock();
    }
    if (status == CVY_OK)
        *out = ckpt;
    else
        cvy_ckpt_close(&ckpt);
    return status;
}

void cvy_ckpt_close(struct cvy_ckpt **ckpt) {
    struct cvy_ckpt *c = *ckpt;
    if (c == NULL) return;
    cvy_h5_lock();
    cvy_h5_drop(&c->file);
    cvy_h5_unlock();
    for (int i = 0; i < c->attribute_count; i++) {
        cvy_free((void *)c->attributes[i].ints);
        cvy_free((void *)c->attributes[i].reals);
        cvy_free((void *)c->attributes[i].texts);
    }
    cvy_free(c->attributes);
    cvy_free(c->tensors);
    cvy_tree_destroy(&c->texts);
    CVY_DELETE(ckpt);
}

/* ---- Contents ---- */

const char *cvy_ckpt_path(const struct cvy_ckpt *ckpt) {
    return ckpt->path;
}

int cvy_ckpt_tensor_count(const struct cvy_ckpt *ckpt) {
    return ckpt->tensor_count;
}

const struct cvy_ckpt_tensor *cvy_ckpt_tensor(const struct cvy_ckpt *ckpt, int index) {
    return &ckpt->tensors[index];
}

const struct cvy_ckpt_tensor *cvy_ckpt_find(const struct cvy_ckpt *ckpt, const char *path) {
    for (int i = 0; i < ckpt->tensor_count; i++)
        if (strcmp(ckpt->tensors[i].path, path) == 0) return &ckpt->tensors[i];
    return NULL;
}

int64_t cvy_ckpt_elements(const struct cvy_ckpt_tensor *tensor) {
    int64_t count = 1;
    for (int d = 0; d < tensor->rank; d++) count *= tensor->dims[d];
    return count;
}

bool cvy_ckpt_under(const struct cvy_ckpt_tensor *tensor, const char *group) {
    return strncmp(tensor->path, group, strlen(group)) == 0;
}

static cvy_status read_array(struct cvy_ckpt *ckpt, const char *path, hid_t type, void *out) {
    char why[256];
    cvy_h5_lock();
    hid_t array = H5Dopen2(ckpt->file, path, H5P_DEFAULT);
    bool good = array >= 0 && H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&array);
    cvy_h5_unlock();
    CVY_CHECK(good, CVY_ERR_CHECKPOINT, "%s: %s cannot be read: %s", ckpt->path, path, why);
    return CVY_OK;
}

cvy_status cvy_ckpt_read(struct cvy_ckpt *ckpt, const char *path, int64_t count, float *out) {
    const struct cvy_ckpt_tensor *t = cvy_ckpt_find(ckpt, path);
    CVY_CHECK(t, CVY_ERR_CHECKPOINT, "%s: it has no %s; is it of another network?", ckpt->path, path);
    const int64_t there = cvy_ckpt_elements(t);
    CVY_CHECK(there == count, CVY_ERR_CHECKPOINT,
              "%s: %s has %" PRId64 " elements, expected %" PRId64 "; is it of another network?", ckpt->path, path,
              there, count);
    return read_array(ckpt, path, H5T_NATIVE_FLOAT, out);
}

int cvy_ckpt_attribute_count(const struct cvy_ckpt *ckpt) {
    return ckpt->attribute_count;
}

const struct cvy_ckpt_attribute *cvy_ckpt_attribute_at(const struct cvy_ckpt *ckpt, int index) {
    return &ckpt->attributes[index];
}

const struct cvy_ckpt_attribute *cvy_ckpt_attribute(const struct cvy_ckpt *ckpt, const char *name) {
    for (int i = 0; i < ckpt->attribute_count; i++)
        if (strcmp(ckpt->attributes[i].name, name) == 0) return &ckpt->attributes[i];
    return NULL;
}

cvy_status cvy_ckpt_int(const struct cvy_ckpt *ckpt, const char *name, int64_t *out) {
    const struct cvy_ckpt_attribute *v = cvy_ckpt_attribute(ckpt, name);
    CVY_CHECK(v && v->ints, CVY_ERR_CHECKPOINT, "%s: /run has no integer \"%s\"", ckpt->path, name);
    *out = v->ints[0];
    return CVY_OK;
}

cvy_status cvy_ckpt_real(const struct cvy_ckpt *ckpt, const char *name, double *out) {
    const struct cvy_ckpt_attribute *v = cvy_ckpt_attribute(ckpt, name);
    CVY_CHECK(v && v->reals, CVY_ERR_CHECKPOINT, "%s: /run has no number \"%s\"", ckpt->path, name);
    *out = v->reals[0];
    return CVY_OK;
}

cvy_status cvy_ckpt_text(const struct cvy_ckpt *ckpt, const char *name, const char **out) {
    const struct cvy_ckpt_attribute *v = cvy_ckpt_attribute(ckpt, name);
    CVY_CHECK(v && v->texts, CVY_ERR_CHECKPOINT, "%s: /run has no text \"%s\"", ckpt->path, name);
    *out = v->texts[0];
    return CVY_OK;
}

/* Elements of an array of bytes; −1 where there is none. */
static cvy_status blob_size(struct cvy_ckpt *ckpt, const char *path, int64_t *count) {
    hsize_t dims[H5S_MAX_RANK];
    int rank;
    *count = -1;
    if (H5Lexists(ckpt->file, path, H5P_DEFAULT) <= 0) return CVY_OK;
    char why[256];
    hid_t array = H5Dopen2(ckpt->file, path, H5P_DEFAULT);
    CVY_CHECK(array >= 0, CVY_ERR_CHECKPOINT, "%s: %s cannot be read: %s", ckpt->path, path, cvy_h5_why(why));
    cvy_status status = check_array(ckpt, array, path, H5T_INTEGER, &rank, dims);
    cvy_h5_drop(&array);
    CVY_TRY(status);
    *count = bytes_in_file(ckpt, dims, rank, 1);
    return CVY_OK;
}

cvy_status cvy_ckpt_blob(struct cvy_ckpt *ckpt, const char *name, struct cvy_buf *out) {
    char path[CVY_PATH_MAX], *bytes;
    int64_t count;
    CVY_TRY(cvy_path_join("/run", name, path));
    cvy_h5_lock();
    cvy_status status = blob_size(ckpt, path, &count);
    cvy_h5_unlock();
    CVY_TRY(status);
    CVY_CHECK(count >= 0, CVY_ERR_CHECKPOINT, "%s: it has no %s", ckpt->path, path);
    if (count == 0) return CVY_OK;
    CVY_TRY(CVY_NEW(&bytes, count, checkpoint));
    status = read_array(ckpt, path, H5T_NATIVE_UINT8, bytes);
    if (status == CVY_OK) cvy_buf_write(out, bytes, (size_t)count);
    cvy_free(bytes);
    if (out->failed) return CVY_FAIL(CVY_ERR_INTERNAL, "no memory for %s of %s", path, ckpt->path);
    return status;
}
