/* Classes by their names: texts of fixed or variable length, one a sample, become numbers in sorted order, or by a
 * list. They are read through at opening, in blocks. */
#include <inttypes.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "io/dataset/dataset_part.h"

#define MOST_NAMES (1 << 16)

struct names {
    char **name; /* sorted, or as the spec has them */
    int *number; /* of each, by its first sample */
    int count, room;
};

static void free_names(struct names *n) {
    for (int i = 0; i < n->count; i++) cvy_free(n->name[i]);
    cvy_free(n->name);
    cvy_free(n->number);
}

/* Its place; *found: whether it is there. */
static int place_of(const struct names *n, const char *name, bool *found) {
    int low = 0, high = n->count;
    while (low < high) {
        const int middle = (low + high) / 2, order = strcmp(n->name[middle], name);
        *found = order == 0;
        if (*found) return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

static cvy_status grow(struct names *n) {
    int room = n->room; /* the same of both */
    CVY_TRY(CVY_GROW(&n->name, n->count, &room, text));
    return CVY_GROW(&n->number, n->count, &n->room, text);
}

/* Adds a name; its number is `count` so far, by which the labels are kept until all are known. */
static cvy_status number_of(struct names *n, const char *name, int32_t *out) {
    bool found;
    const int at = place_of(n, name, &found);
    if (!found) {
        char *copy;
        CVY_TRY(grow(n));
        CVY_TRY(cvy_alloc(strlen(name) + 1, CVY_TAG_text, (void **)&copy));
        strcpy(copy, name);
        memmove(n->name + at + 1, n->name + at, (size_t)(n->count - at) * sizeof *n->name);
        memmove(n->number + at + 1, n->number + at, (size_t)(n->count - at) * sizeof *n->number);
        n->name[at] = copy;
        n->number[at] = n->count++;
    }
    *out = n->number[at];
    return CVY_OK;
}

const char *cvy_dataset_unnamed_advice(const struct cvy_dataset_spec *spec) {
    return spec->listed ? "name it in --classes, too: these are the words that the file has, not new ones for them"
                        : "leave such samples out, or train with that class";
}

static cvy_status take_text(struct cvy_dataset *ds, struct names *n, int64_t sample, const char *text) {
    const struct cvy_dataset_spec *spec = &ds->spec;
    if (spec->names == NULL) {
        CVY_TRY(number_of(n, text, &ds->labels[sample]));
        CVY_CHECK(n->count <= MOST_NAMES, CVY_ERR_DATA, "%s: %s holds more than %d different names; are they classes?",
                  ds->path, ds->y_name, MOST_NAMES);
        return CVY_OK;
    }
    for (int i = 0; i < spec->name_count; i++)
        if (strcmp(spec->names[i], text) == 0) {
            ds->labels[sample] = i;
            return CVY_OK;
        }
    CVY_CHECK(spec->want != CVY_WANT_VALUES, CVY_ERR_DATA,
              "%s: %s holds texts (sample %" PRId64
              " is \"%s\"), and the network is trained on values; name these with "
              "--y, in an experiment {file: …, y: /NAME}",
              ds->path, ds->y_name, sample, text);
    const bool numbers = !spec->listed && !cvy_dataset_are_names(spec->names, spec->name_count);
    return CVY_FAIL(
        CVY_ERR_DATA, "%s: sample %" PRId64 " is named \"%s\" in %s, which is none of the %d %s (%s, …); %s", ds->path,
        sample, text, ds->y_name, spec->name_count, cvy_plural(spec->name_count, "class", "classes"), spec->names[0],
        numbers ? "the network was trained on numbers: give the same numbers here, or train on these names"
                : cvy_dataset_unnamed_advice(spec));
}

/* `count` texts of `type`, which lie every `width` bytes, or at pointers (width 0). */
static cvy_status read_texts(const struct cvy_dataset *ds, hid_t y, hid_t type, int64_t first, int64_t count,
                             void *block) {
    char why[256];
    const hsize_t at[2] = {(hsize_t)first, 0}, size[2] = {(hsize_t)count, 1};
    hid_t file_space = H5Dget_space(y), memory_space = H5Screate_simple(1, size, NULL);
    bool good = H5Sselect_hyperslab(file_space, H5S_SELECT_SET, at, NULL, size, NULL) >= 0 &&
                H5Dread(y, type, memory_space, file_space, H5P_DEFAULT, block) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&memory_space);
    cvy_h5_drop(&file_space);
    CVY_CHECK(good, CVY_ERR_DATA, "%s: %s cannot be read: %s; make or copy it again", ds->path, ds->y_name, why);
    return CVY_OK;
}

static cvy_status take_texts(struct cvy_dataset *ds, struct names *n, int64_t first, int64_t count, const char *block,
                             size_t width) {
    for (int64_t i = 0; i < count; i++) {
        const char *text = width ? block + (size_t)i * width : ((const char *const *)(const void *)block)[i];
        CVY_TRY(take_text(ds, n, first + i, text ? text : ""));
    }
    return CVY_OK;
}

enum { TEXTS = 4096 }; /* at a time */

static cvy_status each_text(struct cvy_dataset *ds, hid_t y, hid_t type, size_t width, struct names *n) {
    char *block;
    cvy_status status = cvy_alloc(TEXTS * (width ? width : sizeof(char *)), CVY_TAG_text, (void **)&block);
    for (int64_t first = 0, now; status == CVY_OK && first < ds->info.count; first += now) {
        now = ds->info.count - first < TEXTS ? ds->info.count - first : TEXTS;
        status = cvy_work_go_on(&ds->spec.work, ds->path);
        if (status == CVY_OK) status = read_texts(ds, y, type, first, now, block);
        if (status != CVY_OK) break;
        status = take_texts(ds, n, first, now, block, width);
        const hsize_t size = (hsize_t)now;
        hid_t space = H5Screate_simple(1, &size, NULL);
        if (width == 0) H5Dvlen_reclaim(type, space, H5P_DEFAULT, block);
        cvy_h5_drop(&space);
    }
    cvy_free(block);
    return status;
}

/* From numbers by first appearance to those by sorted names. */
static cvy_status sort_labels(struct cvy_dataset *ds, const struct names *n) {
    int *sorted;
    CVY_TRY(CVY_NEW(&sorted, n->count, text));
    for (int i = 0; i < n->count; i++) sorted[n->number[i]] = i;
    for (int64_t i = 0; i < ds->info.count; i++) ds->labels[i] = sorted[ds->labels[i]];
    cvy_free(sorted);
    return CVY_OK;
}

/* One block: the pointers, then the texts. */
cvy_status cvy_dataset_keep_names(struct cvy_dataset *ds, const char *const *names, int count) {
    size_t bytes = (size_t)count * sizeof *names;
    for (int i = 0; i < count; i++) bytes += strlen(names[i]) + 1;
    CVY_DELETE(&ds->names);
    CVY_TRY(cvy_alloc(bytes, CVY_TAG_text, (void **)&ds->names));
    char *text = (char *)(ds->names + count);
    for (int i = 0; i < count; i++) {
        ds->names[i] = strcpy(text, names[i]);
        text += strlen(text) + 1;
    }
    ds->info.classes = count;
    ds->info.named = true;
    return CVY_OK;
}

cvy_status cvy_dataset_read_texts(struct cvy_dataset *ds, hid_t y) {
    struct names n = {0};
    hid_t stored = H5Dget_type(y), type = H5Tcopy(stored);
    const size_t width = H5Tis_variable_str(stored) > 0 ? 0 : H5Tget_size(stored) + 1; /* room for a NUL */
    if (width) {
        H5Tset_size(type, width);
        H5Tset_strpad(type, H5T_STR_NULLTERM);
    }
    cvy_status status = cvy_dataset_make_labels(ds);
    if (status == CVY_OK) status = each_text(ds, y, type, width, &n);
    if (status == CVY_OK && ds->spec.names == NULL) status = sort_labels(ds, &n);
    if (status == CVY_OK)
        status = ds->spec.names ? cvy_dataset_keep_names(ds, ds->spec.names, ds->spec.name_count)
                                : cvy_dataset_keep_names(ds, (const char *const *)n.name, n.count);
    free_names(&n);
    cvy_h5_drop(&type);
    cvy_h5_drop(&stored);
    return status;
}
