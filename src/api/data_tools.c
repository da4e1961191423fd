/* Data sets for people: what is in one, whether it is whole, making one. Thin over io/dataset and data/pack. */
#include <stdio.h>
#include <string.h>

#include "comm/comm.h"
#include "convoy/data.h"
#include "core/inside.h"
#include "core/memory.h"
#include "core/sized.h"
#include "data/pack.h"
#include "data/split.h"
#include "io/dataset.h"
#include "train/checkpoints.h"
#include "train/context.h"
#include "train/contract.h"

/* ---- Opening one ---- */

/* The experiment of a run, or of a file. */
static cvy_status read_like(const char *like, struct cvy_experiment **out) {
    char path[CVY_PATH_MAX];
    struct cvy_ckpt *ckpt = NULL;
    const char *dot = strrchr(like, '.');
    if (dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0)) return cvy_experiment_load(like, NULL, 0, out);
    CVY_TRY(cvy_checkpoint_find(like, NULL, path));
    CVY_TRY(cvy_ckpt_open(path, &ckpt));
    cvy_status status = cvy_checkpoint_experiment(ckpt, path, out);
    cvy_ckpt_close(&ckpt);
    return status;
}

/* How `path` is to be read, as `form` (NULL: unsaid) says; `bare`: also where there are no targets, unless they are
 * asked for by name. The texts of *out are the form's and *like's, which the caller destroys. */
static cvy_status place_set(const char *path, const struct cvy_data_form *form, bool bare, struct cvy_experiment **like,
                            struct cvy_dataset_spec *out) {
    struct cvy_data_form how;
    *like = NULL;
    *out = (struct cvy_dataset_spec){0};
    CVY_TRY(CVY_READ(cvy_data_form, form, &how));
    if (how.like) CVY_TRY(read_like(how.like, like));
    CVY_TRY(cvy_contract_place(*like, path, &how, out));
    out->may_lack_y = bare && how.y == NULL;
    return CVY_OK;
}

static cvy_status open_set(const char *path, const struct cvy_data_form *form, struct cvy_dataset **out) {
    struct cvy_experiment *like;
    struct cvy_dataset_spec spec;
    cvy_status status = place_set(path, form, true, &like, &spec);
    if (status == CVY_OK) status = cvy_dataset_open(&spec, out);
    cvy_experiment_destroy(&like);
    return status;
}

/* ---- What is in one ---- */

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
    out->target[0] = t->shape.h;
    out->target[1] = t->shape.w;
    out->target[2] = t->shape.c;
    out->target_note = from->target_note;
    out->has_ignored = from->ignores;
    out->ignored = from->ignored;
}

/* One block. */
static cvy_status copy_statistics(const struct cvy_dataset_info *from, struct cvy_data_info *out) {
    const size_t channels = (size_t)from->shape.c;
    CVY_TRY(CVY_NEW(&out->mean, 2 * channels, general));
    out->std = out->mean + channels;
    memcpy(out->mean, from->mean, channels * sizeof *out->mean);
    memcpy(out->std, from->std, channels * sizeof *out->std);
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
    const int32_t *labels = cvy_dataset_labels(ds);
    return labels ? count_classes(from, labels, &out->per_class) : CVY_OK;
}

/* *out is zero, and stays so on failure. */
static cvy_status read_info(const char *path, const struct cvy_data_form *form, struct cvy_data_info *out) {
    struct cvy_dataset *ds = NULL;
    CVY_TRY(open_set(path, form, &ds));
    cvy_status status = fill_info(ds, out);
    cvy_dataset_close(&ds);
    if (status != CVY_OK) cvy_data_info_destroy(out);
    return status;
}

cvy_status cvy_data_info_read(const char *path, const struct cvy_data_form *form, struct cvy_data_info *out) {
    CVY_INSIDE();
    struct cvy_data_info own;
    CVY_TRY(CVY_BEGIN(cvy_data_info, out, &own));
    return cvy_sized_give(read_info(path, form, &own), &own, out);
}

void cvy_data_info_destroy(struct cvy_data_info *info) {
    struct cvy_data_info own;
    CVY_TAKE(info, &own);
    cvy_free(own.mean);
    cvy_free(own.class_names);
    cvy_free(own.per_class);
}

/* ---- Whether it is whole ---- */

cvy_status cvy_data_verify(const char *path, const struct cvy_data_form *form, int64_t *samples) {
    CVY_INSIDE();
    struct cvy_dataset *ds = NULL;
    *samples = 0;
    CVY_TRY(open_set(path, form, &ds));
    cvy_status status = cvy_dataset_verify(ds);
    if (status == CVY_OK) *samples = cvy_dataset_info(ds)->count;
    cvy_dataset_close(&ds);
    return status;
}

/* ---- Making one ---- */

/* What was being made is not there. */
static cvy_status say_stopped(const struct cvy_context *ctx, cvy_status status, const char *output) {
    if (status == CVY_STOPPED) cvy_warn(ctx->log, "%s: stopped on request; it was not written", output);
    return status;
}

static cvy_status pack_idx(const struct cvy_data_pack_options *options, const struct cvy_pack_options *how) {
    CVY_CHECK(
        options->input_count == 2, CVY_ERR_USAGE,
        "packing idx takes two inputs, images and labels, and OUT.h5 behind them; %d are there (an HDF5 file is packed "
        "with --format hdf5)",
        options->input_count);
    return cvy_pack_idx(options->inputs[0], options->inputs[1], options->output, how);
}

static cvy_status pack_hdf5(const struct cvy_data_pack_options *options, const struct cvy_pack_options *how) {
    CVY_CHECK(options->input_count == 1, CVY_ERR_USAGE,
              "packing hdf5 takes one input, and OUT.h5 behind it; %d are there", options->input_count);
    struct cvy_experiment *like;
    struct cvy_dataset_spec from;
    cvy_status status = place_set(options->inputs[0], options->form, false, &like, &from);
    if (options->values) from.want = CVY_WANT_VALUES;
    from.ignores = options->has_ignored;
    from.ignored = options->ignored;
    if (status == CVY_OK) status = cvy_pack_hdf5(&from, options->output, how);
    cvy_experiment_destroy(&like);
    return status;
}

static const struct {
    const char *name;
    cvy_status (*pack)(const struct cvy_data_pack_options *options, const struct cvy_pack_options *how);
} formats[] = {
    {"idx", pack_idx},
    {"hdf5", pack_hdf5},
};

#define MAX_CLASSES 65536

/* "a,b,c" → one block: the pointers, then the texts. */
static cvy_status split_names(const char *list, char ***out, int *count) {
    int n = 1;
    for (const char *p = list; *p; p++) n += *p == ',';
    CVY_CHECK(n <= MAX_CLASSES, CVY_ERR_USAGE, "class names: %d of them; at most %d", n, MAX_CLASSES);
    CVY_TRY(cvy_alloc((size_t)n * sizeof **out + strlen(list) + 1, CVY_TAG_text, (void **)out));
    char *text = strcpy((char *)(*out + n), list);
    for (*count = 0; *count < n; (*count)++) {
        size_t length = strcspn(text, ",");
        (*out)[*count] = text;
        CVY_CHECK(length > 0, CVY_ERR_USAGE, "class names \"%s\": name %d is empty", list, *count);
        text[length] = '\0';
        text += length + 1;
    }
    return CVY_OK;
}

static cvy_status pack(const struct cvy_data_pack_options *options, const struct cvy_pack_options *how) {
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
        if (strcmp(formats[f].name, options->format) == 0) return formats[f].pack(options, how);
    return CVY_FAIL(CVY_ERR_USAGE, "unknown format \"%s\" of the inputs; there are idx and hdf5", options->format);
}

static cvy_status pack_on_first_rank(struct cvy_context *ctx, const struct cvy_data_pack_options *options,
                                     struct cvy_data_info *out) {
    char **names = NULL;
    const char *note = NULL;
    int64_t unwritten = 0;
    struct cvy_pack_options how = {.shard_bytes = options->shard_mib << 20,
                                   .deflate = options->deflate,
                                   .ignores = options->has_ignored,
                                   .ignored = options->ignored,
                                   .overwrite = options->overwrite,
                                   .stop = cvy_context_stop_asked,
                                   .stop_arg = ctx,
                                   .unwritten = &unwritten,
                                   .note = &note};
    cvy_status status = options->class_names ? split_names(options->class_names, &names, &how.classes) : CVY_OK;
    how.class_names = (const char *const *)names;
    if (status == CVY_OK) status = pack(options, &how);
    if (status == CVY_OK) status = read_info(options->output, NULL, out);
    if (status == CVY_OK) out->target_note = note;
    if (status == CVY_OK) out->unwritten = unwritten;
    cvy_free(names);
    return say_stopped(ctx, status, options->output);
}

static cvy_status read_pack_options(const struct cvy_data_pack_options *theirs, struct cvy_data_pack_options *out) {
    CVY_TRY(CVY_READ(cvy_data_pack_options, theirs, out));
    CVY_NEEDS(cvy_data_pack_options, out, format);
    CVY_NEEDS(cvy_data_pack_options, out, inputs);
    CVY_NEEDS(cvy_data_pack_options, out, output);
    return CVY_OK;
}

cvy_status cvy_data_pack(struct cvy_context *ctx, const struct cvy_data_pack_options *options,
                         struct cvy_data_info *out) {
    CVY_ENTER(ctx);
    struct cvy_data_pack_options how = {.size = 0};
    struct cvy_data_info own;
    cvy_status status = CVY_BEGIN(cvy_data_info, out, &own);
    CVY_TRY(cvy_comm_agree(ctx->comm, status == CVY_OK ? read_pack_options(options, &how) : status));
    status = cvy_context_rank(ctx) == 0 ? pack_on_first_rank(ctx, &how, &own) : CVY_OK;
    return cvy_sized_give(cvy_context_heeded(ctx, cvy_comm_follow(ctx->comm, status)), &own, out);
}

/* ---- Cutting one in two ---- */

static cvy_status split_on_first_rank(struct cvy_context *ctx, const struct cvy_data_split_options *options,
                                      struct cvy_data_info *first, struct cvy_data_info *rest) {
    struct cvy_experiment *like;
    struct cvy_split how = {.first = options->first,
                            .rest = options->rest,
                            .samples = options->samples,
                            .random = options->random,
                            .seed = options->seed,
                            .overwrite = options->overwrite};
    cvy_status status = place_set(options->input, options->form, false, &like, &how.input);
    how.input.stop = cvy_context_stop_asked;
    how.input.stop_arg = ctx;
    if (status == CVY_OK) status = cvy_split_dataset(&how);
    cvy_experiment_destroy(&like);
    CVY_TRY(say_stopped(ctx, status, options->first));
    CVY_TRY(read_info(options->first, NULL, first));
    return read_info(options->rest, NULL, rest);
}

static cvy_status read_split_options(const struct cvy_data_split_options *theirs, struct cvy_data_split_options *out) {
    CVY_TRY(CVY_READ(cvy_data_split_options, theirs, out));
    CVY_NEEDS(cvy_data_split_options, out, input);
    CVY_NEEDS(cvy_data_split_options, out, first);
    CVY_NEEDS(cvy_data_split_options, out, rest);
    return CVY_OK;
}

cvy_status cvy_data_split(struct cvy_context *ctx, const struct cvy_data_split_options *options,
                          struct cvy_data_info *first, struct cvy_data_info *rest) {
    CVY_ENTER(ctx);
    struct cvy_data_split_options how = {.size = 0};
    struct cvy_data_info own[2];
    cvy_status status = CVY_BEGIN(cvy_data_info, first, &own[0]);
    if (status == CVY_OK) status = CVY_BEGIN(cvy_data_info, rest, &own[1]);
    CVY_TRY(cvy_comm_agree(ctx->comm, status == CVY_OK ? read_split_options(options, &how) : status));
    status = cvy_context_rank(ctx) == 0 ? split_on_first_rank(ctx, &how, &own[0], &own[1]) : CVY_OK;
    status = cvy_context_heeded(ctx, cvy_comm_follow(ctx->comm, status));
    cvy_sized_give(status, &own[0], first);
    return cvy_sized_give(status, &own[1], rest);
}
