/* A set whose classes have names, for a reader who numbers these names otherwise: what it holds becomes what the reader
 * means. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "io/dataset/dataset_part.h"

static int place_of(const char *name, const char *const *names, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

bool cvy_dataset_are_names(const char *const *names, int count) {
    char number[16];
    for (int i = 0; i < count; i++) {
        snprintf(number, sizeof number, "%d", i);
        if (strcmp(names[i], number) != 0) return true;
    }
    return false;
}

/* Of a set in shards the labels that were taken from values are compared with them later. */
static bool can_be(const struct cvy_dataset *ds) {
    return ds->info.named && !ds->texts && ds->info.target.type == CVY_I32 &&
           cvy_shape_count(ds->info.target.shape) > 0 && (ds->info.shards == 0 || ds->y_form == CVY_Y_AS_IT_IS);
}

cvy_status cvy_dataset_match_names(struct cvy_dataset *ds, const char *const *names, int count) {
    const int own = ds->info.classes;
    bool same = true, any = false;
    int32_t *number;
    if (names == NULL || !can_be(ds) || !cvy_dataset_are_names(names, count)) return CVY_OK;
    CVY_TRY(CVY_NEW(&number, own, data));
    for (int i = 0; i < own; i++) {
        number[i] = place_of(ds->names[i], names, count);
        same &= number[i] == i;
        any |= number[i] >= 0;
    }
    if (same || !any) { /* nothing in common: other names for the same, or other classes; who reads must judge */
        cvy_free(number);
        return CVY_OK;
    }
    ds->number = number;
    ds->numbered = own;
    ds->own_names = ds->names;
    ds->names = NULL;
    CVY_TRY(cvy_dataset_keep_names(ds, names, count));
    if (ds->labels == NULL) return CVY_OK;
    return cvy_dataset_renumber(ds, 0, ds->info.count, ds->labels);
}

cvy_status cvy_dataset_renumber(const struct cvy_dataset *ds, int64_t first, int64_t count, int32_t *y) {
    const int64_t size = cvy_shape_count(ds->info.target.shape);
    for (int64_t i = 0; ds->number && i < count * size; i++) {
        const bool within = y[i] >= 0 && y[i] < ds->numbered;
        if (!within && ds->info.ignores && y[i] == ds->info.ignored) continue;
        CVY_CHECK(within, CVY_ERR_DATA, "%s: sample %" PRId64 " has label %d, but its classes are 0 to %d", ds->path,
                  first + i / size, y[i], ds->numbered - 1);
        const int32_t number = ds->number[y[i]];
        CVY_CHECK(number >= 0, CVY_ERR_DATA,
                  "%s: sample %" PRId64 " is of class \"%s\", which is none of the %d %s (%s, …); %s", ds->path,
                  first + i / size, ds->own_names[y[i]], ds->info.classes,
                  cvy_plural(ds->info.classes, "class", "classes"), ds->names[0],
                  cvy_dataset_unnamed_advice(&ds->spec));
        y[i] = number;
    }
    return CVY_OK;
}
