/* What a file says of its targets, /y: a class a sample (read at once and held), a map of classes, or values (both read
 * along with the samples). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "io/dataset_part.h"

#define MOST_CLASSES (1 << 24)

cvy_status cvy_dataset_check_classes(const struct cvy_dataset *ds, int64_t first, int64_t count, const int32_t *y) {
    const struct cvy_dataset_info *info = &ds->info;
    const int64_t size = cvy_shape_count(info->target.shape);
    for (int64_t i = 0; i < count * size; i++) {
        bool fits = (y[i] >= 0 && y[i] < info->classes) || (info->ignores && y[i] == info->ignored);
        CVY_CHECK(fits, CVY_ERR_DATA, "%s: sample %" PRId64 " has label %d, but the %d classes are 0 to %d", ds->path,
                  first + i / size, y[i], info->classes, info->classes - 1);
    }
    return CVY_OK;
}

/* ---- Classes ---- */

/* Their largest, whatever a user's file calls its classes; the one to ignore apart. */
static cvy_status largest_class(const struct cvy_dataset *ds, int64_t first, int64_t count, const int64_t *wide,
                                int64_t *largest) {
    const int64_t size = cvy_shape_count(ds->info.target.shape);
    for (int64_t i = 0; i < count * size; i++) {
        if (ds->info.ignores && wide[i] == ds->info.ignored) continue;
        CVY_CHECK(wide[i] >= 0 && wide[i] < MOST_CLASSES, CVY_ERR_DATA,
                  "%s: sample %" PRId64 " has label %" PRId64 "; classes are numbered from 0 (a loss may have an "
                  "ignore_label beside them)",
                  ds->path, first + i / size, wide[i]);
        if (wide[i] > *largest) *largest = wide[i];
    }
    return CVY_OK;
}

static cvy_status check_own(const struct cvy_dataset *ds, const int64_t *wide) {
    for (int64_t i = 0; i < ds->info.count; i++) {
        bool fits = (wide[i] >= 0 && wide[i] < ds->info.classes) || (ds->info.ignores && wide[i] == ds->info.ignored);
        CVY_CHECK(fits, CVY_ERR_DATA, "%s: sample %" PRId64 " has label %" PRId64 ", but the %d classes are 0 to %d",
                  ds->path, i, wide[i], ds->info.classes, ds->info.classes - 1);
    }
    return CVY_OK;
}

static cvy_status fail_to_read(const struct cvy_dataset *ds) {
    char why[256];
    return CVY_FAIL(CVY_ERR_DATA, "%s: %s cannot be read: %s; make or copy it again", ds->path, ds->y_name,
                    cvy_h5_why(why));
}

/* One a sample: all of them, into ds->labels. */
static cvy_status read_labels(struct cvy_dataset *ds, hid_t y) {
    int64_t *wide = NULL, largest = 0, count = ds->info.count;
    cvy_status status;
    CVY_GO(CVY_NEW(&ds->labels, count, data));
    CVY_GO(CVY_NEW(&wide, count, data));
    if (H5Dread(y, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, wide) < 0) CVY_GO(fail_to_read(ds));
    CVY_GO(ds->own ? check_own(ds, wide) : largest_class(ds, 0, count, wide, &largest));
    for (int64_t i = 0; i < count; i++) ds->labels[i] = (int32_t)wide[i];
    if (!ds->own) ds->info.classes = (int)largest + 1;
done:
    cvy_free(wide);
    return status;
}

/* A user's maps are read through once for their classes. */
static cvy_status scan_maps(struct cvy_dataset *ds, hid_t y) {
    const int64_t size = cvy_shape_count(ds->info.target.shape), block = size < 1 << 17 ? (1 << 17) / size : 1;
    int64_t *wide, largest = 0, count = ds->info.count;
    cvy_status status = CVY_NEW(&wide, block * size, data);
    for (int64_t first = 0; status == CVY_OK && first < count; first += block) {
        int64_t now = count - first < block ? count - first : block;
        bool good = cvy_dataset_rows(y, ds->y_rank, H5T_NATIVE_INT64, first, now, wide);
        status = good ? largest_class(ds, first, now, wide, &largest) : fail_to_read(ds);
    }
    cvy_free(wide);
    ds->info.classes = (int)largest + 1;
    return status;
}

/* ---- Which kind ---- */

struct found {
    bool whole, byte; /* whole numbers; of 8 bits without sign */
    int rank;
    hsize_t dims[8];
    char kind[48], text[160];
};

static struct cvy_target target_of(const struct cvy_dataset *ds, const struct found *f, struct cvy_shape shape) {
    bool one = f->rank == 1 || (f->rank == 2 && f->dims[1] == 1), map = f->rank >= 3 && shape.c == 1;
    bool classes = f->whole && (one || (map && !ds->spec.values));
    return (struct cvy_target){classes ? CVY_I32 : CVY_F32, shape};
}

static cvy_status check_kind(const struct cvy_dataset *ds, hid_t y, struct found *f) {
    hid_t type = H5Dget_type(y);
    H5T_class_t class = H5Tget_class(type);
    f->whole = class == H5T_INTEGER;
    f->byte = f->whole && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE;
    cvy_dataset_type_name(type, f->kind);
    cvy_h5_drop(&type);
    cvy_dataset_dims_text(f->rank, f->dims, f->text);
    CVY_CHECK(
        (f->whole || class == H5T_FLOAT) && f->rank <= 4, CVY_ERR_DATA,
        "%s: %s is %s of %s; expected whole-number labels [n] or [n][h][w], or values [n], [n][k] or [n][h][w][c]",
        ds->path, ds->y_name, f->text, f->kind);
    CVY_CHECK((int64_t)f->dims[0] == ds->info.count, CVY_ERR_DATA,
              "%s: %" PRId64 " samples in %s, but %llu labels in %s; they must be as many", ds->path, ds->info.count,
              ds->x_name, (unsigned long long)f->dims[0], ds->y_name);
    return CVY_OK;
}

static cvy_status settle(struct cvy_dataset *ds, hid_t y, const struct found *f) {
    struct cvy_shape shape;
    bool nchw = ds->layout == CVY_LAYOUT_NCHW;
    CVY_CHECK(cvy_dataset_extents(f->rank, f->dims, nchw, &shape), CVY_ERR_DATA,
              "%s: %s has shape %s: it is empty, or a target is too large", ds->path, ds->y_name, f->text);
    ds->info.target = target_of(ds, f, shape);
    ds->y_rank = f->rank;
    ds->y_scale = f->byte && f->rank >= 3 && ds->info.target.type == CVY_F32 ? 1.0F / 255 : 1;
    if (cvy_target_is_class(ds->info.target)) return read_labels(ds, y);
    if (ds->info.target.type == CVY_I32) return ds->own ? CVY_OK : scan_maps(ds, y);
    CVY_CHECK(!ds->own || ds->info.classes == shape.c, CVY_ERR_DATA,
              "%s: the attribute classes has %d names, a target of %s has %d channels; pack it again", ds->path,
              ds->info.classes, f->text, shape.c);
    ds->info.classes = shape.c;
    return CVY_OK;
}

cvy_status cvy_dataset_describe_target(struct cvy_dataset *ds, hid_t file, hid_t *y) {
    struct found f;
    CVY_TRY(cvy_dataset_array_open(ds->path, file, ds->y_name, y, &f.rank, f.dims));
    cvy_status status = check_kind(ds, *y, &f);
    if (status == CVY_OK) status = settle(ds, *y, &f);
    if (status != CVY_OK || !cvy_dataset_dense(&ds->info)) cvy_h5_drop(y);
    return status;
}
