#include <errno.h>
#include <string.h>

#include "core/memory.h"
#include "core/node.h"
#include "io/ckpt.h"
#include "io/ckpt_head.h"
#include "io/h5.h"

/* ---- Verifying ---- */

static cvy_status read_head(const char *path, char head[CVY_CKPT_HEAD]) {
    CVY_TRY(cvy_file_no_folder(path, ".h5", CVY_ERR_CHECKPOINT));
    FILE *file = fopen(path, "rb");
    CVY_CHECK(file, CVY_ERR_CHECKPOINT, "%s: cannot be opened: %s", path, strerror(errno));
    size_t got = fread(head, 1, CVY_CKPT_HEAD, file);
    fclose(file);
    CVY_CHECK(got == CVY_CKPT_HEAD, CVY_ERR_CHECKPOINT, "%s: damaged: cut off after %zu bytes", path, got);
    CVY_CHECK(memcmp(head, CVY_CKPT_MAGIC, strlen(CVY_CKPT_MAGIC)) == 0, CVY_ERR_CHECKPOINT,
              "%s: not a checkpoint, or its head is damaged: expected it to begin with \"%s\"", path, CVY_CKPT_MAGIC);
    return CVY_OK;
}

cvy_status cvy_ckpt_verify(const char *path) {
    char head[CVY_CKPT_HEAD], expected[CVY_CKPT_HEAD];
    int version = 0;
    int64_t length = 0;
    uint64_t digest = 0, found = 0;
    CVY_TRY(read_head(path, head));
    head[CVY_CKPT_HEAD - 1] = '\0'; /* as it must be; compared below */
    int fields = sscanf(head, CVY_CKPT_MAGIC "%d length %" SCNd64 " xxh64 %" SCNx64, &version, &length, &digest);
    CVY_CHECK(fields == 0 || version <= CVY_CKPT_VERSION, CVY_ERR_CHECKPOINT,
              "%s: of format version %d, this program reads up to %d; use a newer program", path, version,
              CVY_CKPT_VERSION);
    CVY_TRY(read_head(path, head));
    cvy_ckpt_head(length, digest, expected);
    CVY_CHECK(memcmp(head, expected, CVY_CKPT_HEAD) == 0, CVY_ERR_CHECKPOINT, "%s: damaged: its head is not whole",
              path);
    int64_t there = cvy_file_size(path) - CVY_CKPT_HEAD;
    CVY_CHECK(there == length, CVY_ERR_CHECKPOINT,
              "%s: damaged: %" PRId64 " bytes follow its head, there should be %" PRId64, path, there, length);
    if (cvy_file_hash(path, CVY_CKPT_HEAD, length, &found) != CVY_OK) return CVY_ERR_CHECKPOINT;
    CVY_CHECK(found == digest, CVY_ERR_CHECKPOINT,
              "%s: damaged: its contents have XXH64 %016" PRIx64 ", its head says %016" PRIx64, path, found, digest);
    return CVY_OK;
}

/* ---- Opening ---- */

struct cvy_ckpt {
    hid_t file;
    struct cvy_tree *texts; /* owns paths, layouts and names */
    const char *path;
    struct cvy_ckpt_tensor *tensors;
    struct cvy_ckpt_value *values;
    int tensor_count, tensor_room, value_count, value_room;
};

/* Room for one more of the items of `size` bytes. */
static cvy_status one_more(void **items, int count, int *room, size_t size) {
    if (count < *room) return CVY_OK;
    void *larger;
    int new_room = *room ? 2 * *room : 16;
    CVY_TRY(cvy_alloc((size_t)new_room * size, CVY_TAG_checkpoint, &larger));
    if (count) memcpy(larger, *items, (size_t)count * size);
    cvy_free(*items);
    *items = larger;
    *room = new_room;
    return CVY_OK;
}

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

static cvy_status add_tensor(struct cvy_ckpt *ckpt, hid_t array, const char *path) {
    CVY_TRY(one_more((void **)&ckpt->tensors, ckpt->tensor_count, &ckpt->tensor_room, sizeof *ckpt->tensors));
    struct cvy_ckpt_tensor *t = &ckpt->tensors[ckpt->tensor_count];
    hsize_t dims[H5S_MAX_RANK];
    hid_t space = H5Dget_space(array);
    t->rank = H5Sget_simple_extent_dims(space, dims, NULL);
    cvy_h5_drop(&space);
    CVY_CHECK(t->rank >= 1 && t->rank <= 4, CVY_ERR_CHECKPOINT, "%s: %s has rank %d, not 1 to 4", ckpt->path, path,
              t->rank);
    for (int i = 0; i < 4; i++) t->dims[i] = i < t->rank ? (int64_t)dims[i] : 1;
    CVY_TRY(keep_text(ckpt, path, &t->path));
    CVY_TRY(read_layout(ckpt, array, &t->layout));
    ckpt->tensor_count++;
    return CVY_OK;
}

/* HDF5 calls these back in the order of names; a failure stops the walk and stays this thread's message. */
static herr_t visit_link(hid_t file, const char *name, const H5L_info_t *info, void *context) {
    struct cvy_ckpt *ckpt = context;
    char path[CVY_PATH_MAX];
    (void)info;
    if (strncmp(name, "run/", 4) == 0 || cvy_path_join("/", name, path) != CVY_OK) return 0;
    hid_t object = H5Oopen(file, name, H5P_DEFAULT);
    cvy_status status = H5Iget_type(object) == H5I_DATASET ? add_tensor(ckpt, object, path) : CVY_OK;
    cvy_h5_drop(&object);
    return status == CVY_OK ? 0 : -1;
}

static cvy_status read_value(hid_t run, enum cvy_h5_kind kind, struct cvy_ckpt_value *v) {
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

static herr_t visit_attribute(hid_t run, const char *name, const H5A_info_t *info, void *context) {
    struct cvy_ckpt *ckpt = context;
    int64_t count;
    (void)info;
    enum cvy_h5_kind kind = cvy_h5_attribute(run, name, &count);
    if (kind == CVY_H5_OTHER || count < 1) return 0; /* not ours */
    if (one_more((void **)&ckpt->values, ckpt->value_count, &ckpt->value_room, sizeof *ckpt->values) != CVY_OK)
        return -1;
    struct cvy_ckpt_value *v = &ckpt->values[ckpt->value_count++];
    *v = (struct cvy_ckpt_value){.count = (int)count};
    return keep_text(ckpt, name, &v->name) == CVY_OK && read_value(run, kind, v) == CVY_OK ? 0 : -1;
}

static cvy_status list_contents(struct cvy_ckpt *ckpt) {
    CVY_TRY(cvy_h5_open(ckpt->path, CVY_ERR_CHECKPOINT, &ckpt->file));
    CVY_CHECK(H5Lexists(ckpt->file, "run", H5P_DEFAULT) > 0, CVY_ERR_CHECKPOINT, "%s: it has no /run", ckpt->path);
    if (H5Lvisit(ckpt->file, H5_INDEX_NAME, H5_ITER_INC, visit_link, ckpt) < 0)
        return cvy_fail_prefix(CVY_ERR_CHECKPOINT, "%s", ckpt->path);
    hid_t run = H5Gopen2(ckpt->file, "run", H5P_DEFAULT);
    herr_t walked = H5Aiterate2(run, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, ckpt);
    cvy_h5_drop(&run);
    return walked < 0 ? cvy_fail_prefix(CVY_ERR_CHECKPOINT, "%s", ckpt->path) : CVY_OK;
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
    for (int i = 0; i < c->value_count; i++) {
        cvy_free((void *)c->values[i].ints);
        cvy_free((void *)c->values[i].reals);
        cvy_free((void *)c->values[i].texts);
    }
    cvy_free(c->values);
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
    int64_t there = t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3];
    CVY_CHECK(there == count, CVY_ERR_CHECKPOINT,
              "%s: %s has %" PRId64 " elements, expected %" PRId64 "; is it of another network?", ckpt->path, path,
              there, count);
    return read_array(ckpt, path, H5T_NATIVE_FLOAT, out);
}

int cvy_ckpt_value_count(const struct cvy_ckpt *ckpt) {
    return ckpt->value_count;
}

const struct cvy_ckpt_value *cvy_ckpt_value_at(const struct cvy_ckpt *ckpt, int index) {
    return &ckpt->values[index];
}

const struct cvy_ckpt_value *cvy_ckpt_value(const struct cvy_ckpt *ckpt, const char *name) {
    for (int i = 0; i < ckpt->value_count; i++)
        if (strcmp(ckpt->values[i].name, name) == 0) return &ckpt->values[i];
    return NULL;
}

cvy_status cvy_ckpt_int(const struct cvy_ckpt *ckpt, const char *name, int64_t *out) {
    const struct cvy_ckpt_value *v = cvy_ckpt_value(ckpt, name);
    CVY_CHECK(v && v->ints, CVY_ERR_CHECKPOINT, "%s: /run has no integer \"%s\"", ckpt->path, name);
    *out = v->ints[0];
    return CVY_OK;
}

cvy_status cvy_ckpt_real(const struct cvy_ckpt *ckpt, const char *name, double *out) {
    const struct cvy_ckpt_value *v = cvy_ckpt_value(ckpt, name);
    CVY_CHECK(v && v->reals, CVY_ERR_CHECKPOINT, "%s: /run has no number \"%s\"", ckpt->path, name);
    *out = v->reals[0];
    return CVY_OK;
}

cvy_status cvy_ckpt_text(const struct cvy_ckpt *ckpt, const char *name, const char **out) {
    const struct cvy_ckpt_value *v = cvy_ckpt_value(ckpt, name);
    CVY_CHECK(v && v->texts, CVY_ERR_CHECKPOINT, "%s: /run has no text \"%s\"", ckpt->path, name);
    *out = v->texts[0];
    return CVY_OK;
}

static int64_t array_count(struct cvy_ckpt *ckpt, const char *path) {
    int64_t count = -1;
    cvy_h5_lock();
    if (H5Lexists(ckpt->file, path, H5P_DEFAULT) > 0) {
        hid_t array = H5Dopen2(ckpt->file, path, H5P_DEFAULT), space = H5Dget_space(array);
        count = (int64_t)H5Sget_simple_extent_npoints(space);
        cvy_h5_drop(&space);
        cvy_h5_drop(&array);
    }
    cvy_h5_unlock();
    return count;
}

cvy_status cvy_ckpt_blob(struct cvy_ckpt *ckpt, const char *name, struct cvy_buf *out) {
    char path[CVY_PATH_MAX], *bytes;
    CVY_TRY(cvy_path_join("/run", name, path));
    int64_t count = array_count(ckpt, path);
    CVY_CHECK(count >= 0, CVY_ERR_CHECKPOINT, "%s: it has no %s", ckpt->path, path);
    if (count == 0) return CVY_OK;
    CVY_TRY(CVY_NEW(&bytes, count, checkpoint));
    cvy_status status = read_array(ckpt, path, H5T_NATIVE_UINT8, bytes);
    if (status == CVY_OK) cvy_buf_write(out, bytes, (size_t)count);
    cvy_free(bytes);
    if (out->failed) return CVY_FAIL(CVY_ERR_INTERNAL, "no memory for %s of %s", path, ckpt->path);
    return status;
}
