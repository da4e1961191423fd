/* What a file says of its data set: /x and the attributes (of /y: dataset_target.c). Every way in which they may be
 * wrong is found here. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/memory.h"
#include "io/dataset/dataset_part.h"

uint64_t cvy_dataset_digest(const struct cvy_dataset_info *info, uint64_t x, uint64_t y) {
    uint64_t all[] = {(uint64_t)info->count,
                      (uint64_t)info->shape.h,
                      (uint64_t)info->shape.w,
                      (uint64_t)info->shape.c,
                      (uint64_t)info->x_type,
                      x,
                      y};
    const uint64_t target[] = {y, (uint64_t)info->target.type, (uint64_t)info->target.shape.h,
                               (uint64_t)info->target.shape.w, (uint64_t)info->target.shape.c};
    if (cvy_dataset_dense(info)) all[6] = cvy_hash(target, sizeof target, 0);
    return cvy_hash(all, sizeof all, 0);
}

/* ---- Arrays ---- */

const char *cvy_dataset_type_name(hid_t type, char out[48]) {
    static const char *const kinds[] = {"integer", "float",           "time",     "text",
                                        "bits",    "opaque",          "compound", "reference",
                                        "enum",    "variable-length", "array"};
    H5T_class_t class = H5Tget_class(type);
    const char *sign = class == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_NONE ? "unsigned " : "";
    snprintf(out, 48, "%s%zu-bit %s", sign, 8 * H5Tget_size(type),
             class >= 0 && class <= H5T_ARRAY ? kinds[class] : "unknown");
    return out;
}

const char *cvy_dataset_dims_text(int rank, const hsize_t *dims, char out[160]) {
    int used = 0;
    out[0] = '\0';
    for (int i = 0; i < rank && used < 130; i++)
        used += snprintf(out + used, 160 - (size_t)used, "[%llu]", (unsigned long long)dims[i]);
    return out;
}

/* Of the arrays in a file, a few. */
struct list {
    char text[400];
    int count;
};

enum { LISTED = 8 };

static herr_t list_array(hid_t file, const char *name, const H5O_info_t *info, void *arg) {
    struct list *list = arg;
    const size_t length = strlen(list->text), room = sizeof list->text - length;
    (void)file;
    if (info->type != H5O_TYPE_DATASET) return 0;
    if (list->count++ == LISTED) snprintf(list->text + length, room, ", …");
    if (list->count > LISTED) return 1;
    snprintf(list->text + length, room, "%s/%.40s", length ? ", " : "", name);
    return 0;
}

/* Where a name leads that cannot be opened: into another file, or nowhere. */
static cvy_status fail_to_follow(const char *path, hid_t file, const char *name, const char *why) {
    H5L_info_t link;
    char value[1024] = "";
    const char *target = "", *object = "";
    if (H5Lget_info(file, name, &link, H5P_DEFAULT) >= 0 && link.type != H5L_TYPE_HARD &&
        H5Lget_val(file, name, value, sizeof value - 1, H5P_DEFAULT) >= 0) {
        if (link.type == H5L_TYPE_SOFT)
            return CVY_FAIL(CVY_ERR_DATA, "%s: %s is a link to %s, which is not there", path, name, value);
        if (H5Lunpack_elink_val(value, link.u.val_size, NULL, &target, &object) >= 0)
            return CVY_FAIL(CVY_ERR_DATA,
                            "%s: %s is a link to %s in the file %s, which cannot be opened (%s); put that file beside "
                            "this one, or name its folder in HDF5_EXT_PREFIX",
                            path, name, object, target, why);
    }
    struct list list = {.count = 0};
    H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, list_array, &list);
    CVY_CHECK(
        H5Lexists(file, name, H5P_DEFAULT) <= 0, CVY_ERR_DATA,
        "%s: %s is no data set, but a group or the like (%s; data sets are: %s); name one with --x and --y, in an "
        "experiment {file: …, x: /NAME, y: /NAME}",
        path, name, why, list.count ? list.text : "none");
    return CVY_FAIL(
        CVY_ERR_DATA,
        "%s: it has no data set %s (there are: %s); say which are the inputs and the targets with --x /NAME "
        "and --y /NAME, in an experiment {file: …, x: /NAME, y: /NAME}",
        path, name, list.count ? list.text : "none");
}

/* A filter that chunks may do without, as those of LZF that did not become smaller, shows when the first is read. */
static cvy_status check_filters(const char *path, const char *name, hid_t array) {
    char filter[160];
    bool needed = false;
    if (!cvy_h5_missing_filter(array, filter, &needed) || !needed) return CVY_OK;
    return cvy_h5_fail_by_filter(path, name, filter);
}

cvy_status cvy_dataset_array_open(const char *path, hid_t file, const char *name, hid_t *array, int *rank,
                                  hsize_t dims[8]) {
    char why[256];
    *array = H5Dopen2(file, name, H5P_DEFAULT);
    if (*array < 0) cvy_h5_why(why);
    CVY_CHECK(*array >= 0 || strstr(why, "checksum") == NULL, CVY_ERR_DATA,
              "%s: damaged: %s cannot be opened (%s); make or copy it again", path, name, why);
    if (*array < 0) return fail_to_follow(path, file, name, why);
    hid_t space = H5Dget_space(*array);
    *rank = H5Sget_simple_extent_ndims(space);
    if (*rank >= 0 && *rank <= 8) H5Sget_simple_extent_dims(space, dims, NULL);
    cvy_h5_drop(&space);
    CVY_CHECK(*rank >= 1 && *rank <= 8, CVY_ERR_DATA,
              "%s: %s has %d axes; expected an array of samples, such as [n][h][w][c]", path, name, *rank);
    return check_filters(path, name, *array);
}

/* ---- /x ---- */

/* "uint8", "float32": as programs that write HDF5 call them. */
static void name_stored(H5T_class_t class, hid_t type, char out[24]) {
    const char *kind = class == H5T_FLOAT ? "float" : H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int";
    snprintf(out, 24, "%s%zu", kind, 8 * H5Tget_size(type));
}

static cvy_status x_type_of(struct cvy_dataset *ds, const char *path, hid_t x) {
    char text[48];
    hid_t type = H5Dget_type(x);
    H5T_class_t class = H5Tget_class(type);
    bool byte = class == H5T_INTEGER && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE;
    bool single = class == H5T_FLOAT && H5Tget_size(type) == 4;
    bool usable = ds->own ? byte || single : class == H5T_INTEGER || class == H5T_FLOAT || class == H5T_ENUM;
    cvy_dataset_type_name(type, text);
    name_stored(class, type, ds->info.stored);
    cvy_h5_drop(&type);
    CVY_CHECK(usable, CVY_ERR_DATA, "%s: %s holds %s values; expected %s", path, ds->x_name, text,
              ds->own ? "uint8 or float32" : "numbers");
    ds->info.x_type = byte ? CVY_U8 : CVY_F32;
    return CVY_OK;
}

bool cvy_dataset_extents(int rank, const hsize_t *dims, bool nchw, struct cvy_shape *out) {
    const int first = nchw && rank == 4 ? 2 : 1; /* where the height stands */
    hsize_t h = rank <= 2 ? 1 : dims[first], w = rank <= 2 ? 1 : dims[first + 1];
    hsize_t c = rank == 4 ? dims[first == 2 ? 1 : 3] : rank == 2 ? dims[1] : 1;
    *out = (struct cvy_shape){(int)h, (int)w, (int)c};
    return dims[0] > 0 && h > 0 && w > 0 && c > 0 && h < 1 << 20 && w < 1 << 20 && c < 1 << 20 &&
           h * w < (hsize_t)1 << 31 && h * w * c < (hsize_t)1 << 31;
}

static cvy_status x_shape_of(struct cvy_dataset *ds, const char *path, int rank, const hsize_t *dims) {
    char text[160];
    bool nchw = ds->nchw, fits = rank == 4 || (!ds->own && !nchw && (rank == 2 || rank == 3));
    CVY_CHECK(fits, CVY_ERR_DATA, "%s: %s has shape %s; expected %s", path, ds->x_name,
              cvy_dataset_dims_text(rank, dims, text),
              nchw      ? "[n][c][h][w], which layout: nchw means"
              : ds->own ? "[n][h][w][c]"
                        : "[n][h][w][c], [n][h][w] or [n][c]");
    CVY_CHECK(cvy_dataset_extents(rank, dims, nchw, &ds->info.shape), CVY_ERR_DATA,
              "%s: %s has shape %s: it is empty, or a sample is too large", path, ds->x_name,
              cvy_dataset_dims_text(rank, dims, text));
    return CVY_OK;
}

/* ---- Attributes ---- */

static cvy_status read_classes(struct cvy_dataset *ds, hid_t file) {
    int64_t count;
    enum cvy_h5_kind kind = cvy_h5_attribute(file, "classes", &count);
    const bool bare = H5Lexists(file, ds->y_name, H5P_DEFAULT) <= 0; /* which is told where /y is opened */
    if (kind != CVY_H5_TEXTS && (!ds->own || bare)) return CVY_OK;
    CVY_CHECK(kind == CVY_H5_TEXTS && count > 0 && count < 1 << 24, CVY_ERR_DATA,
              "%s: the attribute classes is missing or no list of names; pack it again", ds->path);
    CVY_TRY(cvy_h5_get_texts(file, "classes", count, &ds->names));
    ds->info.classes = (int)count;
    for (int i = 0; i < ds->info.classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        if (strcmp(ds->names[i], number) != 0) ds->info.named = true;
    }
    return CVY_OK;
}

/* A user's file whose names do not fit the targets, or that has none: the numbers. */
static cvy_status number_classes(struct cvy_dataset *ds, int named) {
    const bool values = ds->info.target.type == CVY_F32;
    if (ds->names && (values ? ds->info.classes == named : ds->info.classes <= named)) {
        ds->info.classes = named;
        return CVY_OK;
    }
    cvy_free(ds->names);
    ds->info.named = false;
    size_t classes = (size_t)ds->info.classes, width = 12;
    CVY_TRY(cvy_alloc(classes * (sizeof *ds->names + width), CVY_TAG_text, (void **)&ds->names));
    for (size_t i = 0; i < classes; i++) {
        ds->names[i] = (char *)(ds->names + classes) + i * width;
        snprintf(ds->names[i], width, "%d", (int)i);
    }
    return CVY_OK;
}

/* Those of a file that is not ours may mean anything, and are not looked at. */
static cvy_status read_stat(struct cvy_dataset *ds, hid_t file, const char *name, double fallback, double *out) {
    int64_t count;
    int channels = ds->info.shape.c;
    for (int c = 0; c < channels; c++) out[c] = fallback;
    if (!ds->formatted) return CVY_OK;
    enum cvy_h5_kind kind = cvy_h5_attribute(file, name, &count);
    CVY_CHECK(kind != CVY_H5_NONE || !ds->own, CVY_ERR_DATA, "%s: the attribute %s is missing; pack it again", ds->path,
              name);
    if (kind == CVY_H5_NONE) return CVY_OK;
    CVY_CHECK((kind == CVY_H5_REALS || kind == CVY_H5_INTS) && count == channels, CVY_ERR_DATA,
              "%s: the attribute %s has %" PRId64 " values; expected %d numbers, one a channel", ds->path, name, count,
              channels);
    return cvy_h5_get_reals(file, name, out);
}

static cvy_status read_stats(struct cvy_dataset *ds, hid_t file) {
    int channels = ds->info.shape.c;
    CVY_TRY(CVY_NEW(&ds->stats, 2 * channels, data));
    CVY_TRY(read_stat(ds, file, "mean", 0, ds->stats));
    CVY_TRY(read_stat(ds, file, "std", ds->info.x_type == CVY_U8 ? 255 : 1, ds->stats + channels));
    for (int c = 0; c < channels; c++)
        CVY_CHECK(ds->stats[channels + c] > 0, CVY_ERR_DATA,
                  "%s: the attribute std is %g for channel %d; it must be positive", ds->path, ds->stats[channels + c],
                  c);
    ds->info.mean = ds->stats;
    ds->info.std = ds->stats + channels;
    return CVY_OK;
}

/* Sets of before there was one have none. */
static cvy_status read_range(struct cvy_dataset *ds, hid_t file) {
    int64_t count, more, whole;
    double ends[2];
    ds->info.range = cvy_range_of(ds->info.x_type);
    const enum cvy_h5_kind kind = cvy_h5_attribute(file, "range", &count);
    if (kind == CVY_H5_NONE || !ds->own) return CVY_OK;
    const bool sane = (kind == CVY_H5_REALS || kind == CVY_H5_INTS) && count == 2 &&
                      cvy_h5_attribute(file, "whole", &more) == CVY_H5_INTS && more == 1;
    CVY_CHECK(sane, CVY_ERR_DATA, "%s: the attributes range and whole are no two numbers and a 0 or 1; pack it again",
              ds->path);
    CVY_TRY(cvy_h5_get_reals(file, "range", ends));
    CVY_TRY(cvy_h5_get_ints(file, "whole", &whole));
    CVY_CHECK(isfinite(ends[0]) && isfinite(ends[1]) && ends[0] <= ends[1], CVY_ERR_DATA,
              "%s: the attribute range is %g to %g; pack it again", ds->path, ends[0], ends[1]);
    ds->info.range.low = ends[0];
    ds->info.range.high = ends[1];
    ds->info.range.whole = whole != 0;
    return CVY_OK;
}

static cvy_status read_format(struct cvy_dataset *ds, hid_t file) {
    int64_t count, version = 0;
    char **text = NULL;
    if (cvy_h5_attribute(file, "format", &count) != CVY_H5_TEXTS || count != 1) return CVY_OK;
    CVY_TRY(cvy_h5_get_texts(file, "format", 1, &text));
    bool other = strcmp(text[0], CVY_DATASET_FORMAT) != 0;
    cvy_status status = CVY_OK;
    if (other && strncmp(text[0], "convoy", 6) == 0)
        status = CVY_FAIL(CVY_ERR_DATA, "%s: its format is \"%s\", not \"" CVY_DATASET_FORMAT "\"; is it a data set?",
                          ds->path, text[0]);
    cvy_free(text);
    if (other || status != CVY_OK) return status;
    if (cvy_h5_attribute(file, "version", &count) == CVY_H5_INTS && count == 1)
        CVY_TRY(cvy_h5_get_ints(file, "version", &version));
    CVY_CHECK(version == CVY_DATASET_VERSION, CVY_ERR_DATA,
              "%s: data set of version %" PRId64 ", this program reads %d; pack it again", ds->path, version,
              CVY_DATASET_VERSION);
    if (ds->spec.of_others) {
        strcpy(ds->x_name, "/x");
        strcpy(ds->y_name, "/y");
    }
    ds->formatted = true;
    ds->own = ds->info.packed = strcmp(ds->x_name, "/x") == 0 && strcmp(ds->y_name, "/y") == 0;
    if (ds->own) ds->nchw = ds->y_nchw = false; /* as it was written, whatever the layout of the file it was made of */
    return CVY_OK;
}

static cvy_status read_digest(struct cvy_dataset *ds, hid_t file) {
    int64_t count;
    char **text = NULL;
    CVY_CHECK(cvy_h5_attribute(file, "digest", &count) == CVY_H5_TEXTS && count == 1, CVY_ERR_DATA,
              "%s: the attribute digest is missing; pack it again", ds->path);
    CVY_TRY(cvy_h5_get_texts(file, "digest", 1, &text));
    bool good = sscanf(text[0], "xxh64:%" SCNx64, &ds->info.digest) == 1;
    cvy_free(text);
    CVY_CHECK(good, CVY_ERR_DATA, "%s: the attribute digest is none; pack it again", ds->path);
    return CVY_OK;
}

/* A class beside the others, which stands for what does not count. */
static cvy_status read_ignored(struct cvy_dataset *ds, hid_t file) {
    int64_t count, label;
    ds->info.ignores = ds->spec.ignores;
    ds->info.ignored = ds->spec.ignored;
    if (cvy_h5_attribute(file, "ignore_label", &count) != CVY_H5_INTS || count != 1) return CVY_OK;
    CVY_TRY(cvy_h5_get_ints(file, "ignore_label", &label));
    CVY_CHECK(!ds->spec.ignores || label == ds->spec.ignored, CVY_ERR_DATA,
              "%s: its class to ignore is %" PRId64 ", the loss ignores %d; set ignore_label to %" PRId64, ds->path,
              label, ds->spec.ignored, label);
    ds->info.ignores = true;
    ds->info.ignored = (int32_t)label;
    return CVY_OK;
}

static bool is_sharded(const struct cvy_dataset *ds, hid_t file) {
    return ds->own && H5Lexists(file, "shards", H5P_DEFAULT) > 0;
}

/* The shards of a set of ours are looked for by their list instead. */
static cvy_status open_sources(struct cvy_dataset *ds, hid_t file, hid_t array, const char *name) {
    return is_sharded(ds, file) ? CVY_OK : cvy_h5_open_sources(ds->path, file, array, name, &ds->sources);
}

/* Inputs alone: what is to be done is another thing than where both names are wrong. */
static cvy_status fail_without_targets(const struct cvy_dataset *ds, hid_t file) {
    struct list list = {.count = 0};
    H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, list_array, &list);
    if (ds->own)
        return CVY_FAIL(
            CVY_ERR_DATA,
            "%s: it has no data set %s: it was packed without targets, to predict on (convoy predict); pack "
            "it again from a file that has them",
            ds->path, ds->y_name);
    return CVY_FAIL(
        CVY_ERR_DATA,
        "%s: it has no data set %s (there are: %s), so it has no targets; where they have another name, say it with "
        "--y "
        "/NAME, in an experiment {file: …, y: /NAME}; without targets it is one to predict on (convoy predict), or to "
        "train on with data: {target: input}",
        ds->path, ds->y_name, list.text);
}

static cvy_status describe_target(struct cvy_dataset *ds, hid_t file, hid_t *y) {
    hsize_t dims[8];
    int rank, named = ds->names ? ds->info.classes : 0;
    if (ds->spec.bare) return number_classes(ds, named);
    if (H5Lexists(file, ds->y_name, H5P_DEFAULT) <= 0) return fail_without_targets(ds, file);
    CVY_TRY(cvy_dataset_array_open(ds->path, file, ds->y_name, y, &rank, dims));
    CVY_TRY(open_sources(ds, file, *y, ds->y_name));
    CVY_TRY(cvy_dataset_describe_target(ds, rank, dims, y));
    return number_classes(ds, ds->texts ? ds->info.classes : named);
}

cvy_status cvy_dataset_describe(struct cvy_dataset *ds, hid_t file, hid_t *x, hid_t *y) {
    hsize_t dims[8];
    int rank;
    cvy_status status;
    CVY_TRY(read_format(ds, file));
    CVY_GO(cvy_dataset_array_open(ds->path, file, ds->x_name, x, &rank, dims));
    CVY_GO(open_sources(ds, file, *x, ds->x_name));
    CVY_GO(x_type_of(ds, ds->path, *x));
    CVY_GO(x_shape_of(ds, ds->path, rank, dims));
    ds->info.count = (int64_t)dims[0];
    if (is_sharded(ds, file)) CVY_GO(cvy_dataset_read_shards(ds, file));
    ds->info.classes = ds->info.shape.c;
    ds->spec.bare |= ds->spec.may_lack_y && H5Lexists(file, ds->y_name, H5P_DEFAULT) <= 0;
    if (!ds->spec.bare) CVY_GO(read_classes(ds, file));
    CVY_GO(read_ignored(ds, file));
    CVY_GO(describe_target(ds, file, y));
    ds->info.bytes = ds->info.count * (int64_t)cvy_dataset_sample_bytes(&ds->info);
    if (cvy_dataset_dense(&ds->info)) ds->info.bytes += ds->info.count * (int64_t)cvy_target_bytes(ds->info.target);
    CVY_GO(read_stats(ds, file));
    CVY_GO(read_range(ds, file));
    if (ds->own) CVY_GO(read_digest(ds, file));
done:
    if (status != CVY_OK) {
        cvy_h5_drop(x);
        cvy_h5_drop(y);
    }
    return status;
}
