#include "data/source.h"

#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/inside.h"
#include "core/memory.h"

void cvy_source_destroy(struct cvy_source **source) {
    if (*source) (*source)->kind->destroy(*source);
    *source = NULL;
}

/* What a caller may leave out of its info, kept beside it. */
struct owned {
    double *stats; /* mean [c], std [c] */
    char *names;   /* [classes][12] */
    const char **name_list;
};

static cvy_status number_names(struct owned *owned, struct cvy_dataset_info *info) {
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
              CVY_ERR_DATA, "a data source of targets of %d×%d×%d, %s in %d classes", t->shape.h, t->shape.w,
              t->shape.c,
              t->type == CVY_F32   ? "values"
              : t->type == CVY_I32 ? "classes"
                                   : "neither classes nor values",
              info->classes);
    return CVY_OK;
}

/* Checks and completes an info. */
static cvy_status complete(struct owned *owned, struct cvy_dataset_info *info) {
    CVY_TRY(complete_target(info));
    CVY_CHECK(info->count > 0 && info->classes > 0 && cvy_shape_count(info->shape) > 0, CVY_ERR_DATA,
              "a data source of %lld samples of %d×%d×%d in %d classes; all must be at least 1", (long long)info->count,
              info->shape.h, info->shape.w, info->shape.c, info->classes);
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
    info->mean = owned->stats;
    info->std = owned->stats + info->shape.c;
    return info->named ? CVY_OK : number_names(owned, info);
}

/* Of samples first … first+count−1, where targets are classes. */
static cvy_status check_classes(const struct cvy_dataset_info *info, const char *what, int64_t first, int64_t count,
                                const int32_t *y) {
    const int64_t size = cvy_shape_count(info->target.shape);
    for (int64_t i = 0; info->target.type == CVY_I32 && i < count * size; i++) {
        bool fits = (y[i] >= 0 && y[i] < info->classes) || (info->ignores && y[i] == info->ignored);
        CVY_CHECK(fits, CVY_ERR_DATA, "%s: sample %lld has label %d, but the classes are 0 to %d", what,
                  (long long)(first + i / size), y[i], info->classes - 1);
    }
    return CVY_OK;
}

/* Of one sample. */
static cvy_status check_finite(const struct cvy_dataset_info *info, const char *what, int64_t index, const void *x,
                               const void *y) {
    const struct cvy_samples inputs = {what, "its input", index, 1, cvy_shape_count(info->shape), false};
    const struct cvy_samples targets = {what, "its target", index, 1, cvy_shape_count(info->target.shape), false};
    if (info->x_type == CVY_F32) CVY_TRY(cvy_samples_finite(&inputs, x));
    return y && info->target.type == CVY_F32 ? cvy_samples_finite(&targets, y) : CVY_OK;
}

static void release(struct owned *owned) {
    cvy_free(owned->stats);
    cvy_free(owned->names);
    cvy_free(owned->name_list);
}

/* ---- Memory ---- */

struct memory_source {
    struct cvy_source base;
    struct owned owned;
    const unsigned char *x, *y;
};

static cvy_status memory_read(struct cvy_source *source, const int64_t *indices, int n, void *x, void *y) {
    const struct memory_source *s = (const struct memory_source *)source;
    size_t size = cvy_dataset_sample_bytes(&source->info), target = cvy_target_bytes(source->info.target);
    for (int i = 0; i < n; i++) {
        memcpy((unsigned char *)x + (size_t)i * size, s->x + (size_t)indices[i] * size, size);
        if (y) memcpy((unsigned char *)y + (size_t)i * target, s->y + (size_t)indices[i] * target, target);
        CVY_TRY(check_finite(&source->info, "data in memory", indices[i], (unsigned char *)x + (size_t)i * size,
                             y ? (unsigned char *)y + (size_t)i * target : NULL));
    }
    return CVY_OK;
}

static void memory_destroy(struct cvy_source *source) {
    release(&((struct memory_source *)source)->owned);
    cvy_free(source);
}

static const struct cvy_source_kind memory_kind = {"memory", memory_read, memory_destroy, NULL};

cvy_status cvy_source_memory(const struct cvy_dataset_info *info, const void *x, const void *y,
                             struct cvy_source **out) {
    struct memory_source *s;
    CVY_TRY(CVY_NEW(&s, 1, data));
    s->base = (struct cvy_source){&memory_kind, *info};
    s->x = x;
    s->y = y;
    *out = &s->base;
    cvy_status status = complete(&s->owned, &s->base.info);
    if (cvy_target_is_class(s->base.info.target)) s->base.info.labels = y;
    if (status == CVY_OK) status = check_classes(&s->base.info, "data in memory", 0, info->count, y);
    if (status == CVY_OK && info->digest == 0) {
        uint64_t targets = cvy_hash(y, (size_t)info->count * cvy_target_bytes(s->base.info.target), 0);
        s->base.info.digest = cvy_hash(x, (size_t)info->count * cvy_dataset_sample_bytes(info), targets);
    }
    if (status != CVY_OK) cvy_source_destroy(out);
    return status;
}

/* ---- Callback ---- */

struct callback_source {
    struct cvy_source base;
    struct owned owned;
    cvy_source_fn *fn;
    void *arg;
    struct cvy_outside outside; /* what the program was in as it called us; so is fn, whichever thread calls it */
};

static int call(const struct callback_source *s, int64_t index, void *x, void *y) {
    struct cvy_outside ours;
    cvy_go_outside(&s->outside, &ours);
    const int failed = s->fn(s->arg, index, x, y);
    cvy_leave(&ours);
    return failed;
}

static cvy_status callback_read(struct cvy_source *source, const int64_t *indices, int n, void *x, void *y) {
    const struct callback_source *s = (const struct callback_source *)source;
    size_t size = cvy_dataset_sample_bytes(&source->info), target = cvy_target_bytes(source->info.target);
    for (int i = 0; i < n; i++) {
        void *one = y ? (unsigned char *)y + (size_t)i * target : NULL;
        int failed = call(s, indices[i], (unsigned char *)x + (size_t)i * size, one);
        CVY_CHECK(failed == 0, CVY_ERR_DATA, "the program's data source failed with %d at sample %lld", failed,
                  (long long)indices[i]);
        if (one) CVY_TRY(check_classes(&source->info, "the program's data source", indices[i], 1, one));
        CVY_TRY(check_finite(&source->info, "the program's data source", indices[i],
                             (unsigned char *)x + (size_t)i * size, one));
    }
    return CVY_OK;
}

static void callback_destroy(struct cvy_source *source) {
    release(&((struct callback_source *)source)->owned);
    cvy_free(source);
}

static const struct cvy_source_kind callback_kind = {"callback", callback_read, callback_destroy, NULL};

cvy_status cvy_source_callback(const struct cvy_dataset_info *info, cvy_source_fn *fn, void *arg,
                               struct cvy_source **out) {
    struct callback_source *s;
    CVY_TRY(CVY_NEW(&s, 1, data));
    s->base = (struct cvy_source){&callback_kind, *info};
    s->fn = fn;
    s->arg = arg;
    s->outside = cvy_outside_now();
    *out = &s->base;
    cvy_status status = complete(&s->owned, &s->base.info);
    if (status != CVY_OK) cvy_source_destroy(out);
    return status;
}
