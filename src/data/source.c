#include "data/source_part.h"

#include <stdio.h>

#include "core/memory.h"

void cvy_source_destroy(struct cvy_source **source) {
    if (*source) (*source)->kind->destroy(*source);
    *source = NULL;
}

static cvy_status number_names(struct cvy_source_owned *owned, struct cvy_dataset_info *info) {
    CVY_TRY(CVY_NEW(&owned->names, info->classes * 12, data));
    CVY_TRY(CVY_NEW(&owned->name_list, info->classes, data));
    for (int i = 0; i < info->classes; i++) {
        owned->name_list[i] = owned->names + i * 12;
        snprintf(owned->names + i * 12, 12, "%d", i);
    }
    info->class_names = owned->name_list;
    return CVY_OK;
}

static cvy_status complete_target(struct cvy_dataset_info *info) {
    struct cvy_target *t = &info->target;
    if (cvy_shape_count(t->shape) == 0) *t = (struct cvy_target){CVY_I32, {1, 1, 1}};
    if (t->type == CVY_F32 && info->classes == 0) info->classes = t->shape.c;
    CVY_CHECK((t->type == CVY_F32 && info->classes == t->shape.c) || (t->type == CVY_I32 && t->shape.c == 1),
              CVY_ERR_DATA, "a data source of targets of %s, %s in %d classes", CVY_SHAPE_TEXT(t->shape),
              t->type == CVY_F32   ? "values"
              : t->type == CVY_I32 ? "classes"
                                   : "neither classes nor values",
              info->classes);
    return CVY_OK;
}

cvy_status cvy_source_complete(struct cvy_source_owned *owned, struct cvy_dataset_info *info) {
    CVY_TRY(complete_target(info));
    CVY_CHECK(info->count > 0 && info->classes > 0 && cvy_shape_count(info->shape) > 0, CVY_ERR_DATA,
              "a data source of %lld samples of %s in %d classes; all must be at least 1", (long long)info->count,
              CVY_SHAPE_TEXT(info->shape), info->classes);
    CVY_CHECK(info->x_type == CVY_U8 || info->x_type == CVY_F32, CVY_ERR_DATA, "a data source gives uint8 or float32");
    info->chunk = info->chunk > 0 ? info->chunk : 1;
    info->named = info->class_names != NULL;
    info->bytes = info->count * (int64_t)cvy_dataset_sample_bytes(info);
    if (cvy_dataset_dense(info)) info->bytes += info->count * (int64_t)cvy_target_bytes(info->target);
    CVY_TRY(CVY_NEW(&owned->stats, 2 * info->shape.c, data));
    for (int c = 0; c < info->shape.c; c++) {
        owned->stats[c] = info->mean ? info->mean[c] : 0;
        owned->stats[info->shape.c + c] = info->std && info->std[c] > 0 ? info->std[c] : 1;
    }
    info->range = cvy_range_of(info->x_type);
    info->mean = owned->stats;
    info->std = owned->stats + info->shape.c;
    return info->named ? CVY_OK : number_names(owned, info);
}

cvy_status cvy_source_check_classes(const struct cvy_dataset_info *info, const char *what, int64_t first, int64_t count,
                                    const int32_t *y) {
    const int64_t size = cvy_shape_count(info->target.shape);
    for (int64_t i = 0; info->target.type == CVY_I32 && i < count * size; i++) {
        bool fits = (y[i] >= 0 && y[i] < info->classes) || (info->ignores && y[i] == info->ignored);
        CVY_CHECK(fits, CVY_ERR_DATA, "%s: sample %lld has label %d, but the classes are 0 to %d", what,
                  (long long)(first + i / size), y[i], info->classes - 1);
    }
    return CVY_OK;
}

cvy_status cvy_source_check_finite(const struct cvy_dataset_info *info, const char *what, int64_t index, const void *x,
                                   const void *y) {
    const struct cvy_samples inputs = {what, "its input", index, 1, cvy_shape_count(info->shape), false};
    const struct cvy_samples targets = {what, "its target", index, 1, cvy_shape_count(info->target.shape), false};
    if (info->x_type == CVY_F32) CVY_TRY(cvy_samples_finite(&inputs, x));
    return y && info->target.type == CVY_F32 ? cvy_samples_finite(&targets, y) : CVY_OK;
}

void cvy_source_release(struct cvy_source_owned *owned) {
    cvy_free(owned->stats);
    cvy_free(owned->names);
    cvy_free(owned->name_list);
}
