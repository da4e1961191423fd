/* Data sets made of other files: packed, or cut in two. */
#include <string.h>

#include "api/data_tools.h"
#include "comm/comm.h"
#include "core/memory.h"
#include "core/sized.h"
#include "data/pack.h"
#include "data/split.h"

/* Opened for its targets, the input says what it has instead. */
static void say_bare(const struct cvy_context *ctx, const struct cvy_data_info *made, const char *input,
                     const struct cvy_data_form *form, const char *output) {
    struct cvy_data_like like;
    struct cvy_dataset_spec spec;
    struct cvy_dataset *ds = NULL;
    if (made->target[2] != 0) return;
    cvy_status status = cvy_data_place(input, form, &like, &spec);
    spec.may_lack_y = false;
    if (status == CVY_OK) status = cvy_dataset_open(&spec, &ds);
    cvy_warn(ctx->log, "%s: has no targets, nor has %s: it is to predict on%s%s", input, output,
             status == CVY_OK ? "" : "; where it should have some: ", status == CVY_OK ? "" : cvy_error_message());
    cvy_dataset_close(&ds);
    cvy_data_forget(&like);
}

/* What was being made is not there. */
static cvy_status say_stopped(const struct cvy_context *ctx, cvy_status status, const char *output) {
    if (status == CVY_STOPPED) cvy_warn(ctx->log, "%s: stopped on request; it was not written", output);
    return status;
}

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
        for (int i = 0; i < *count; i++)
            CVY_CHECK(strcmp((*out)[i], text) != 0, CVY_ERR_USAGE, "class names: \"%s\" is there twice, %d and %d",
                      text, i, *count);
        text += length + 1;
    }
    return CVY_OK;
}

/* What says how a data set is read says nothing of other files. */
static cvy_status no_data_set(const struct cvy_data_pack_options *options) {
    struct cvy_data_form form;
    CVY_TRY(CVY_READ(cvy_data_form, options->form, &form));
    CVY_CHECK(
        !form.x && !form.y && !form.layout && !form.y_layout && !form.like && !options->values, CVY_ERR_USAGE,
        "packing %s: --x, --y, --layout, --y-layout, --like and --values say how an HDF5 file is read; leave them "
        "out, or name such a file with --format hdf5",
        options->format);
    return CVY_OK;
}

/* The inputs of a format that takes so many; a data set as the options say that it is read. */
static cvy_status place_inputs(const struct cvy_data_pack_options *options, const struct cvy_pack_format *format,
                               struct cvy_log *log, struct cvy_data_like *like, struct cvy_pack_inputs *out) {
    *out = (struct cvy_pack_inputs){.paths = options->inputs};
    *like = (struct cvy_data_like){NULL, NULL};
    CVY_CHECK(options->input_count == format->inputs, CVY_ERR_USAGE, "packing %s takes %s; %d %s there%s",
              options->format, format->takes, options->input_count, cvy_plural(options->input_count, "is", "are"),
              format->hint);
    if (!format->data_sets) return no_data_set(options);
    CVY_TRY(cvy_data_place(options->inputs[0], options->form, like, &out->first));
    if (options->values) out->first.want = CVY_WANT_VALUES;
    out->first.may_lack_y &= !options->values && !options->has_ignored && !options->class_names;
    CVY_TRY(cvy_data_settle(like, log, &out->first));
    if (!options->has_ignored) return CVY_OK;
    out->first.ignores = true;
    out->first.ignored = options->ignored;
    return CVY_OK;
}

static cvy_status pack(const struct cvy_data_pack_options *options, const struct cvy_pack_options *how,
                       struct cvy_log *log) {
    const struct cvy_pack_format *format;
    struct cvy_pack_inputs from;
    struct cvy_data_like like;
    CVY_TRY(cvy_pack_find(options->format, &format));
    cvy_status status = place_inputs(options, format, log, &like, &from);
    if (status == CVY_OK) status = format->pack(&from, options->output, how);
    cvy_data_forget(&like);
    return status;
}

static cvy_status pack_on_first_rank(struct cvy_context *ctx, const struct cvy_data_pack_options *options,
                                     struct cvy_data_info *out) {
    char **names = NULL;
    const char *note = NULL;
    int64_t unwritten = 0;
    struct cvy_data_worker worker;
    struct cvy_pack_options how = {.shard_bytes = options->shard_mib << 20,
                                   .deflate = options->deflate,
                                   .ignores = options->has_ignored,
                                   .ignored = options->ignored,
                                   .overwrite = options->overwrite,
                                   .work = cvy_data_work(ctx, "packing", &worker),
                                   .unwritten = &unwritten,
                                   .note = &note};
    cvy_status status = options->class_names ? split_names(options->class_names, &names, &how.classes) : CVY_OK;
    how.class_names = (const char *const *)names;
    if (status == CVY_OK) status = pack(options, &how, ctx->log);
    if (status == CVY_OK) status = cvy_data_info_of(options->output, NULL, out);
    if (status == CVY_OK) out->target_note = note;
    if (status == CVY_OK) out->unwritten = unwritten;
    if (status == CVY_OK) say_bare(ctx, out, options->inputs[0], options->form, options->output);
    cvy_free(names);
    return say_stopped(ctx, status, options->output);
}

cvy_status cvy_data_pack(struct cvy_context *ctx, const struct cvy_data_pack_options *options,
                         struct cvy_data_info *out) {
    CVY_ENTER(ctx);
    static const struct cvy_member needs[] = {CVY_MEMBER(cvy_data_pack_options, format),
                                              CVY_MEMBER(cvy_data_pack_options, inputs),
                                              CVY_MEMBER(cvy_data_pack_options, output),
                                              {0}};
    struct cvy_data_pack_options how = {.size = 0};
    struct cvy_data_info own;
    cvy_status status = CVY_BEGIN(cvy_data_info, out, &own);
    if (status == CVY_OK) status = CVY_READ_NEEDING(cvy_data_pack_options, options, &how, needs);
    CVY_TRY(cvy_comm_agree(ctx->comm, status));
    status = cvy_context_rank(ctx) == 0 ? pack_on_first_rank(ctx, &how, &own) : CVY_OK;
    return cvy_sized_give(cvy_context_heeded(ctx, cvy_comm_follow(ctx->comm, status)), &own, out);
}

/* ---- Cutting one in two ---- */

static cvy_status split_on_first_rank(struct cvy_context *ctx, const struct cvy_data_split_options *options,
                                      struct cvy_data_info *first, struct cvy_data_info *rest) {
    struct cvy_data_like like;
    struct cvy_data_worker worker;
    struct cvy_split how = {.first = options->first,
                            .rest = options->rest,
                            .samples = options->samples,
                            .random = options->random,
                            .seed = options->seed,
                            .overwrite = options->overwrite};
    cvy_status status = cvy_data_place(options->input, options->form, &like, &how.input);
    how.input.work = cvy_data_work(ctx, "splitting", &worker);
    if (status == CVY_OK) status = cvy_data_settle(&like, ctx->log, &how.input);
    if (status == CVY_OK) status = cvy_split_dataset(&how);
    cvy_data_forget(&like);
    CVY_TRY(say_stopped(ctx, status, options->first));
    CVY_TRY(cvy_data_info_of(options->first, NULL, first));
    say_bare(ctx, first, options->input, options->form, options->first);
    return cvy_data_info_of(options->rest, NULL, rest);
}

cvy_status cvy_data_split(struct cvy_context *ctx, const struct cvy_data_split_options *options,
                          struct cvy_data_info *first, struct cvy_data_info *rest) {
    CVY_ENTER(ctx);
    static const struct cvy_member needs[] = {CVY_MEMBER(cvy_data_split_options, input),
                                              CVY_MEMBER(cvy_data_split_options, first),
                                              CVY_MEMBER(cvy_data_split_options, rest),
                                              {0}};
    struct cvy_data_split_options how = {.size = 0};
    struct cvy_data_info own[2];
    cvy_status status = CVY_BEGIN(cvy_data_info, first, &own[0]);
    if (status == CVY_OK) status = CVY_BEGIN(cvy_data_info, rest, &own[1]);
    if (status == CVY_OK) status = CVY_READ_NEEDING(cvy_data_split_options, options, &how, needs);
    CVY_TRY(cvy_comm_agree(ctx->comm, status));
    status = cvy_context_rank(ctx) == 0 ? split_on_first_rank(ctx, &how, &own[0], &own[1]) : CVY_OK;
    status = cvy_context_heeded(ctx, cvy_comm_follow(ctx->comm, status));
    cvy_sized_give(status, &own[0], first);
    return cvy_sized_give(status, &own[1], rest);
}
