/* What a file says of its targets, /y: a class a sample (read at once and held), a map of classes, or values (both read
 * along with the samples); and which of these it is, where it may be several (the table in dataset.h). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "io/dataset/dataset_part.h"

struct found {
    bool whole, byte, texts; /* whole numbers; of 8 bits without sign; names */
    int rank;
    hsize_t dims[8];
    struct cvy_shape shape;
    char kind[48], text[160];
};

static cvy_status check_kind(const struct cvy_dataset *ds, hid_t y, struct found *f) {
    hid_t type = H5Dget_type(y);
    H5T_class_t class = H5Tget_class(type);
    f->whole = class == H5T_INTEGER || class == H5T_ENUM;
    f->byte = class == H5T_INTEGER && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE;
    f->texts = class == H5T_STRING;
    cvy_dataset_type_name(type, f->kind);
    cvy_h5_drop(&type);
    cvy_dataset_dims_text(f->rank, f->dims, f->text);
    CVY_CHECK(
        (f->whole || f->texts || class == H5T_FLOAT) && f->rank <= 4, CVY_ERR_DATA,
        "%s: %s is %s of %s; expected class numbers or names [n], maps of classes [n][h][w], or values [n], [n][k] "
        "or [n][h][w][c]",
        ds->path, ds->y_name, f->text, f->kind);
    CVY_CHECK((int64_t)f->dims[0] == ds->info.count, CVY_ERR_DATA,
              "%s: %" PRId64 " samples in %s, but %llu labels in %s; they must be as many", ds->path, ds->info.count,
              ds->x_name, (unsigned long long)f->dims[0], ds->y_name);
    CVY_CHECK(cvy_dataset_extents(f->rank, f->dims, ds->y_nchw, &f->shape), CVY_ERR_DATA,
              "%s: %s has shape %s: it is empty, or a target is too large", ds->path, ds->y_name, f->text);
    return CVY_OK;
}

/* ---- Each kind ---- */

static void set_target(struct cvy_dataset *ds, enum cvy_dtype type, struct cvy_shape shape) {
    if (type == CVY_I32) shape.c = 1;
    ds->info.target = (struct cvy_target){type, shape};
}

const char *cvy_dataset_note_of_scale(double scale) {
    return scale == 1                           ? "uint8 maps, kept as they are"
           : (float)scale == (float)(1.0 / 255) ? "uint8 maps, multiplied by 1/255"
                                                : "uint8 maps, multiplied as said";
}

/* Of numbers, said where nobody says what is wanted. */
static const char *note_of_values(const struct cvy_dataset *ds, const struct found *f) {
    if (ds->info.y_scale != 0 && ds->spec.y_scale > 0) return cvy_dataset_note_of_scale(ds->info.y_scale);
    if (ds->info.y_scale == 1) return "uint8 maps of 0 and 1, kept as they are";
    if (ds->info.y_scale != 0) return "uint8 maps, scaled to 0 … 1";
    if (ds->own || ds->spec.want != CVY_WANT_ANY) return NULL;
    if (f->shape.c > 1) return "numbers, kept as values; a loss of classes takes one-hot rows as classes";
    if (ds->misfit < 0 && ds->misfit == floor(ds->misfit))
        return "floats, kept as values: some are negative; --ignore-label makes the others classes";
    return "floats, kept as values: not all are class numbers";
}

static cvy_status take_values(struct cvy_dataset *ds, hid_t y, const struct found *f) {
    set_target(ds, CVY_F32, f->shape);
    ds->y_form = CVY_Y_AS_IT_IS;
    const bool byte_maps = f->byte && f->rank >= 3;
    if (byte_maps && ds->spec.y_scale == 0) CVY_TRY(cvy_dataset_byte_scale(ds, y, &ds->y_scale));
    if (ds->spec.y_scale > 0) ds->y_scale = (float)ds->spec.y_scale;
    if (byte_maps) ds->info.y_scale = ds->y_scale;
    CVY_CHECK(!ds->own || ds->info.classes == f->shape.c, CVY_ERR_DATA,
              "%s: the attribute classes has %d names, a target of %s has %d channels; pack it again", ds->path,
              ds->info.classes, f->text, f->shape.c);
    ds->info.classes = f->shape.c;
    ds->info.target_note = note_of_values(ds, f);
    return CVY_OK;
}

/* What was tried is undone. */
static cvy_status fall_back(struct cvy_dataset *ds, hid_t y, const struct found *f, int classes) {
    ds->info.classes = classes;
    ds->info.unwritten = 0; /* counted again when it is opened for reading */
    CVY_DELETE(&ds->labels);
    return take_values(ds, y, f);
}

/* A loss of values takes classes too, where they are some. */
static cvy_status take_integers(struct cvy_dataset *ds, hid_t y, const struct found *f) {
    bool fit = true;
    const int classes = ds->info.classes;
    set_target(ds, CVY_I32, f->shape);
    const bool maps = !cvy_target_is_class(ds->info.target);
    if (ds->own && maps) return CVY_OK;
    CVY_TRY(cvy_dataset_read_numbers(ds, y, !ds->own && ds->spec.want == CVY_WANT_VALUES, &fit));
    return fit ? CVY_OK : fall_back(ds, y, f, classes);
}

static cvy_status take_texts(struct cvy_dataset *ds, hid_t y, const struct found *f) {
    CVY_CHECK(f->rank <= 2 && f->shape.c == 1, CVY_ERR_DATA, "%s: %s is %s of texts; class names are one a sample, [n]",
              ds->path, ds->y_name, f->text);
    set_target(ds, CVY_I32, f->shape);
    ds->texts = true;
    ds->info.target_note = ds->spec.names ? "names of classes" : "names of classes, numbered in sorted order";
    return cvy_dataset_read_texts(ds, y);
}

/* Floats of a kind that classes have: these, where they are whole numbers, or must be. */
static cvy_status try_floats(struct cvy_dataset *ds, hid_t y, const struct found *f) {
    const enum cvy_want want = ds->spec.want;
    const bool map = f->rank > 2;
    bool fit = want != CVY_WANT_VALUES && !(want == CVY_WANT_ANY && ds->own) && !(want == CVY_WANT_LABELS && map);
    const int classes = ds->info.classes;
    set_target(ds, CVY_I32, f->shape);
    ds->y_form = CVY_Y_WHOLE_FLOATS;
    if (fit) CVY_TRY(cvy_dataset_read_numbers(ds, y, want != CVY_WANT_CLASSES, &fit));
    if (fit && want == CVY_WANT_LABELS && ds->info.classes <= 2) fit = false; /* yes or no, maybe with a chance */
    ds->info.target_note = "whole numbers stored as floats, taken as classes";
    return fit ? CVY_OK : fall_back(ds, y, f, classes);
}

static cvy_status try_one_hot(struct cvy_dataset *ds, hid_t y, const struct found *f) {
    bool fit = ds->spec.want == CVY_WANT_CLASSES;
    const int classes = ds->info.classes;
    set_target(ds, CVY_I32, f->shape);
    ds->y_form = CVY_Y_ONE_HOT;
    if (fit) CVY_TRY(cvy_dataset_read_one_hot(ds, y, &fit));
    ds->info.target_note = "one-hot rows, taken as classes";
    return fit ? CVY_OK : fall_back(ds, y, f, classes);
}

/* ---- Which kind ---- */

static cvy_status settle(struct cvy_dataset *ds, hid_t y, const struct found *f) {
    const bool maps_are_values = ds->spec.want == CVY_WANT_VALUES && f->rank > 2 && !ds->own;
    ds->y_rank = f->rank;
    ds->y_channels = f->shape.c;
    ds->y_form = CVY_Y_AS_IT_IS;
    ds->y_scale = 1;
    if (f->texts) return take_texts(ds, y, f);
    if (f->shape.c > 1) return try_one_hot(ds, y, f);
    if (!f->whole) return try_floats(ds, y, f);
    return maps_are_values ? take_values(ds, y, f) : take_integers(ds, y, f);
}

cvy_status cvy_dataset_describe_target(struct cvy_dataset *ds, int rank, const hsize_t *dims, hid_t *y) {
    struct found f = {.rank = rank};
    memcpy(f.dims, dims, (size_t)rank * sizeof *dims);
    cvy_status status = check_kind(ds, *y, &f);
    if (status == CVY_OK) status = settle(ds, *y, &f);
    if (status != CVY_OK || !cvy_dataset_dense(&ds->info)) cvy_h5_drop(y);
    return status;
}
