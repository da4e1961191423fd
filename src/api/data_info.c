/* What is in a data set, and whether it is whole. */
#include <stdio.h>
#include <string.h>

#include "api/data_tools.h"
#include "core/inside.h"
#include "core/memory.h"
#include "core/sized.h"

/* One block: the pointers, then the texts. */
static cvy_status copy_names(const struct cvy_dataset_info *from, char ***out) {
    size_t bytes = (size_t)from->classes * sizeof **out;
    for (int c = 0; c < from->classes; c++) bytes += strlen(from->class_names[c]) + 1;
    CVY_TRY(cvy_alloc(bytes, CVY_TAG_text, (void **)out));
    char *text = (char *)(*out + from->classes);
    for (int c = 0; c < from->classes; c++) {
        (*out)[c] = strcpy(text, from->class_names[c]);
        text += strlen(text) + 1;
    }
    return CVY_OK;
}

static cvy_status count_classes(const struct cvy_dataset_info *from, const int32_t *labels, int64_t **out) {
    CVY_TRY(CVY_NEW(out, from->classes, general));
    for (int64_t i = 0; i < from->count; i++)
        if (labels[i] >= 0 && labels[i] < from->classes) (*out)[labels[i]]++; /* not the ignored one */
    return CVY_OK;
}

static void fill_target(const struct cvy_dataset_info *from, struct cvy_data_info *out) {
    const struct cvy_target *t = &from->target;
    out->target_type = t->type == CVY_I32 ? "classes" : "values";
    for (int a = 0; a < CVY_AXES; a++) out->target[a] = cvy_shape_axis(t->shape, a);
    out->target_note = from->target_note;
    out->has_ignored = from->ignores;
    out->ignored = from->ignored;
}

/* One block. */
static cvy_status copy_statistics(const struct cvy_dataset_info *from, struct cvy_data_info *out) {
    const size_t channels = (size_t)from->shape.c;
    CVY_TRY(CVY_NEW(&out->mean, 2 * channels + 2, general));
    out->std = out->mean + channels;
    memcpy(out->mean, from->mean, channels * sizeof *out->mean);
    memcpy(out->std, from->std, channels * sizeof *out->std);
    if (from->range.low > from->range.high) return CVY_OK;
    out->range = out->std + channels;
    out->range[0] = from->range.low;
    out->range[1] = from->range.high;
    return CVY_OK;
}

static cvy_status fill_info(const struct cvy_dataset *ds, struct cvy_data_info *out) {
    const struct cvy_dataset_info *from = cvy_dataset_info(ds);
    out->samples = from->count;
    out->height = from->shape.h;
    out->width = from->shape.w;
    out->channels = from->shape.c;
    snprintf(out->x_type, sizeof out->x_type, "%s", from->stored);
    out->classes = from->classes;
    fill_target(from, out);
    if (from->packed) CVY_TRY(copy_statistics(from, out));
    out->unwritten = from->unwritten;
    out->shards = from->shards;
    out->bytes = from->file_bytes;
    out->digest = from->digest;
    if (from->named) CVY_TRY(copy_names(from, &out->class_names));
    const int32_t *labels = from->labels;
    return labels ? count_classes(from, labels, &out->per_class) : CVY_OK;
}

static cvy_status copy_text(const char *text, char **out) {
    CVY_TRY(cvy_alloc(strlen(text) + 1, CVY_TAG_text, (void **)out));
    strcpy(*out, text);
    return CVY_OK;
}

cvy_status cvy_data_info_of(const char *path, const struct cvy_data_form *form, struct cvy_data_info *out) {
    struct cvy_dataset *ds = NULL;
    char by_number[CVY_BY_NUMBER];
    CVY_TRY(cvy_data_open(path, form, false, NULL, by_number, &ds));
    cvy_status status = fill_info(ds, out);
    if (status == CVY_OK && by_number[0]) status = copy_text(by_number, &out->like_note);
    cvy_dataset_close(&ds);
    if (status != CVY_OK) cvy_data_info_destroy(out);
    return status;
}

cvy_status cvy_data_info_read(const char *path, const struct cvy_data_form *form, struct cvy_data_info *out) {
    CVY_INSIDE();
    struct cvy_data_info own;
    CVY_TRY(CVY_BEGIN(cvy_data_info, out, &own));
    return cvy_sized_give(cvy_data_info_of(path, form, &own), &own, out);
}

void cvy_data_info_destroy(struct cvy_data_info *info) {
    struct cvy_data_info own;
    CVY_TAKE(info, &own);
    cvy_free(own.mean);
    cvy_free(own.class_names);
    cvy_free(own.per_class);
    cvy_free(own.like_note);
}

/* ---- Whether it is whole ---- */

static cvy_status verify(const char *path, const struct cvy_data_form *form, const struct cvy_work *work,
                         int64_t *samples) {
    struct cvy_dataset *ds = NULL;
    char by_number[CVY_BY_NUMBER];
    *samples = 0;
    CVY_TRY(cvy_data_open(path, form, true, work, by_number, &ds));
    cvy_status status = cvy_dataset_verify(ds);
    if (status == CVY_OK) *samples = cvy_dataset_info(ds)->count;
    cvy_dataset_close(&ds);
    return status;
}

cvy_status cvy_data_verify(const char *path, const struct cvy_data_form *form, int64_t *samples) {
    CVY_INSIDE();
    return verify(path, form, NULL, samples);
}

cvy_status cvy_data_verify_in(struct cvy_context *ctx, const char *path, const struct cvy_data_form *form,
                              int64_t *samples) {
    CVY_ENTER(ctx);
    struct cvy_data_worker worker;
    const struct cvy_work work = cvy_data_work(ctx, "verifying", &worker);
    return cvy_context_heeded(ctx, verify(path, form, &work, samples));
}
