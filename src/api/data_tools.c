/* Data sets for people: what is in one, whether it is whole, making one. Thin over io/dataset and data/pack. */
#include <stdio.h>
#include <string.h>

#include "comm/comm.h"
#include "convoy/data.h"
#include "core/inside.h"
#include "core/memory.h"
#include "core/sized.h"
#include "data/pack.h"
#include "data/probe.h"
#include "data/split.h"
#include "io/dataset/dataset.h"
#include "train/checkpoints.h"
#include "train/context.h"
#include "train/contract.h"
#include "train/datasets.h"
#include "train/suitable.h"

/* ---- Work that takes its time ---- */

struct worker {
    struct cvy_context *ctx;
    struct cvy_log_samples told;
};

static bool stop_asked(void *worker) {
    return cvy_context_stop_asked(((struct worker *)worker)->ctx);
}

static void tell(void *worker, int64_t done, int64_t total) {
    cvy_log_samples(&((struct worker *)worker)->told, done, total);
}

/* `doing`: "packing". The worker outlives the work. */
static struct cvy_work work_in(struct cvy_context *ctx, const char *doing, struct worker *worker) {
    *worker = (struct worker){ctx, {ctx->log, doing, 0}};
    return (struct cvy_work){stop_asked, tell, worker};
}

/* ---- Opening one ---- */

/* What a set is to be read like: an experiment, and the checkpoint of a run that it was taken from. */
struct like {
    struct cvy_experiment *experiment;
    struct cvy_ckpt *ckpt; /* or NULL */
};

static void forget(struct like *like) {
    cvy_experiment_destroy(&like->experiment);
    cvy_ckpt_close(&like->ckpt);
}

static cvy_status read_like(const char *from, struct like *out) {
    char path[CVY_PATH_MAX];
    const char *dot = strrchr(from, '.');
    const bool text = dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    if (text) return cvy_experiment_load(from, NULL, 0, &out->experiment);
    CVY_TRY(cvy_checkpoint_find(from, NULL, path));
    CVY_TRY(cvy_ckpt_open(path, &out->ckpt));
    return cvy_checkpoint_experiment(out->ckpt, path, &out->experiment);
}

/* How `path` is to be read, as `form` (NULL: unsaid) says; also where there are no targets, unless they are asked for
 * by name. The texts of *out are the form's and *like's, which the caller forgets. */
static cvy_status place_set(const char *path, const struct cvy_data_form *form, struct like *like,
                            struct cvy_dataset_spec *out) {
    struct cvy_data_form how;
    *like = (struct like){NULL, NULL};
    *out = (struct cvy_dataset_spec){0};
    CVY_TRY(CVY_READ(cvy_data_form, form, &how));
    if (how.like) CVY_TRY(read_like(how.like, like));
    CVY_TRY(cvy_contract_place(like->experiment, path, &how, out));
    out->may_lack_y = how.y == NULL;
    return CVY_OK;
}

static bool has_targets(const struct like *like) {
    return like->experiment && like->experiment->target == CVY_TARGET_Y;
}

/* The scale of targets of values becomes what the run's was, as eval takes them; and with `inputs` theirs is held
 * against it, too, which are left as they are stored. */
static cvy_status hold_against(const struct like *like, struct cvy_dataset *ds, const struct cvy_dataset_spec *spec,
                               bool inputs, struct cvy_log *log) {
    struct cvy_contract contract;
    struct cvy_source *source;
    struct cvy_probe probe;
    double factor;
    if (like->ckpt == NULL) return CVY_OK;
    CVY_TRY(cvy_contract_load(like->ckpt, &like->experiment->train, &contract));
    CVY_TRY(cvy_source_borrow(ds, &source));
    cvy_status status = cvy_source_probe(source, &probe);
    if (status == CVY_OK && has_targets(like))
        status = cvy_contract_scale_targets(&contract, source, &probe, spec->y_scale, spec->file, "--y-scale K", log);
    if (status == CVY_OK && inputs)
        status =
            cvy_contract_factor(&contract, &probe.range, 0, spec->file, "--scale K of eval and predict", log, &factor);
    cvy_source_destroy(&source);
    return status;
}

/* As place_set, for who writes another set of it: with targets as the run takes them. */
static cvy_status settle_set(const struct like *like, struct cvy_log *log, struct cvy_dataset_spec *spec) {
    struct cvy_graph *graph;
    struct cvy_dataset *ds;
    if (!has_targets(like)) return CVY_OK;
    CVY_TRY(cvy_experiment_graph(like->experiment, like->experiment->loss, &graph));
    cvy_datasets_wish(like->experiment, graph, spec);
    cvy_graph_destroy(&graph);
    CVY_TRY(cvy_dataset_open(spec, &ds));
    const double alone = cvy_dataset_info(ds)->y_scale;
    cvy_status status = hold_against(like, ds, spec, false, log);
    if (status == CVY_OK && cvy_dataset_info(ds)->y_scale != alone) spec->y_scale = cvy_dataset_info(ds)->y_scale;
    cvy_dataset_close(&ds);
    return status;
}

/* The names of the run's classes; NULL: it has none. */
static const struct cvy_ckpt_attribute *names_of(const struct like *like) {
    const struct cvy_ckpt_attribute *names = like->ckpt ? cvy_ckpt_attribute(like->ckpt, "classes") : NULL;
    return names && names->texts ? names : NULL;
}

/* What the network would make of it, as eval would say; *by_number: where classes have names on one side alone. Maps
 * are as large as the samples: of those of another size than the network's nothing is said. */
static cvy_status compare_set(const struct like *like, struct cvy_graph *graph, const struct cvy_dataset_info *info,
                              const char *file, char by_number[CVY_BY_NUMBER]) {
    const struct cvy_ckpt_attribute *names = names_of(like);
    CVY_TRY(cvy_datasets_check_channels(graph, info, file));
    if (cvy_shape_count(info->target.shape) == 0) return CVY_OK;
    if (cvy_shape_equal(info->shape, graph->input)) CVY_TRY(cvy_datasets_check_target(graph, info, file));
    if (names == NULL) return CVY_OK;
    CVY_TRY(cvy_datasets_names(names->texts, names->count, cvy_ckpt_path(like->ckpt), info, file));
    cvy_datasets_by_number(names->texts, names->count, info, by_number);
    return CVY_OK;
}

/* As the network reads it, with classes that are called as those of the run, and numbered so. `whole`: its targets are
 * read, too, for what the loss cannot take. */
static cvy_status open_like(const struct like *like, struct cvy_dataset_spec *spec, bool whole,
                            char by_number[CVY_BY_NUMBER], struct cvy_dataset **out) {
    const struct cvy_ckpt_attribute *names = names_of(like);
    struct cvy_graph *graph;
    CVY_TRY(cvy_experiment_graph(like->experiment, like->experiment->loss, &graph));
    if (has_targets(like)) cvy_datasets_wish(like->experiment, graph, spec);
    spec->most_classes = cvy_graph_classes(graph);
    spec->names = names ? names->texts : NULL;
    spec->name_count = names ? names->count : 0;
    cvy_status status = cvy_dataset_open(spec, out);
    if (status == CVY_OK) status = compare_set(like, graph, cvy_dataset_info(*out), spec->file, by_number);
    if (status == CVY_OK) status = hold_against(like, *out, spec, whole, NULL);
    if (status == CVY_OK && whole && has_targets(like))
        status = cvy_suitable_set(cvy_graph_loss(graph), *out, spec->file);
    if (status != CVY_OK) cvy_dataset_close(out);
    cvy_graph_destroy(&graph);
    return status;
}

/* `stored`: its classes as they are numbered in the file, though they were compared. `work`: NULL, or who looks after
 * it. */
static cvy_status open_set(const char *path, const struct cvy_data_form *form, bool stored, const struct cvy_work *work,
                           char by_number[CVY_BY_NUMBER], struct cvy_dataset **out) {
    struct like like;
    struct cvy_dataset_spec spec;
    by_number[0] = '\0';
    cvy_status status = place_set(path, form, &like, &spec);
    if (work) spec.work = *work;
    if (status == CVY_OK)
        status = like.experiment ? open_like(&like, &spec, stored, by_number, out) : cvy_dataset_open(&spec, out);
    if (status == CVY_OK && stored && spec.names) {
        cvy_dataset_close(out);
        spec.names = NULL;
        spec.name_count = 0;
        status = cvy_dataset_open(&spec, out);
    }
    forget(&like);
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

/* *out is zero, and stays so on failure. */
static cvy_status read_info(const char *path, const struct cvy_data_form *form, struct cvy_data_info *out) {
    struct cvy_dataset *ds = NULL;
    char by_number[CVY_BY_NUMBER];
    CVY_TRY(open_set(path, form, false, NULL, by_number, &ds));
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
    return cvy_sized_give(read_info(path, form, &own), &own, out);
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
    CVY_TRY(open_set(path, form, true, work, by_number, &ds));
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
    struct worker worker;
    const struct cvy_work work = work_in(ctx, "verifying", &worker);
    return cvy_context_heeded(ctx, verify(path, form, &work, samples));
}

/* ---- Making one ---- */

/* Opened for its targets, the input says what it has instead. */
static void say_bare(const struct cvy_context *ctx, const struct cvy_data_info *made, const char *input,
                     const struct cvy_data_form *form, const char *output) {
    struct like like;
    struct cvy_dataset_spec spec;
    struct cvy_dataset *ds = NULL;
    if (made->target[2] != 0) return;
    cvy_status status = place_set(input, form, &like, &spec);
    spec.may_lack_y = false;
    if (status == CVY_OK) status = cvy_dataset_open(&spec, &ds);
    cvy_warn(ctx->log, "%s: has no targets, nor has %s: it is to predict on%s%s", input, output,
             status == CVY_OK ? "" : "; where it should have some: ", status == CVY_OK ? "" : cvy_error_message());
    cvy_dataset_close(&ds);
    forget(&like);
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
                               struct cvy_log *log, struct like *like, struct cvy_pack_inputs *out) {
    *out = (struct cvy_pack_inputs){.paths = options->inputs};
    *like = (struct like){NULL, NULL};
    CVY_CHECK(options->input_count == format->inputs, CVY_ERR_USAGE, "packing %s takes %s; %d %s there%s",
              options->format, format->takes, options->input_count, cvy_plural(options->input_count, "is", "are"),
              format->hint);
    if (!format->data_sets) return no_data_set(options);
    CVY_TRY(place_set(options->inputs[0], options->form, like, &out->first));
    if (options->values) out->first.want = CVY_WANT_VALUES;
    out->first.may_lack_y &= !options->values && !options->has_ignored && !options->class_names;
    CVY_TRY(settle_set(like, log, &out->first));
    if (!options->has_ignored) return CVY_OK;
    out->first.ignores = true;
    out->first.ignored = options->ignored;
    return CVY_OK;
}

static cvy_status pack(const struct cvy_data_pack_options *options, const struct cvy_pack_options *how,
                       struct cvy_log *log) {
    const struct cvy_pack_format *format;
    struct cvy_pack_inputs from;
    struct like like;
    CVY_TRY(cvy_pack_find(options->format, &format));
    cvy_status status = place_inputs(options, format, log, &like, &from);
    if (status == CVY_OK) status = format->pack(&from, options->output, how);
    forget(&like);
    return status;
}

static cvy_status pack_on_first_rank(struct cvy_context *ctx, const struct cvy_data_pack_options *options,
                                     struct cvy_data_info *out) {
    char **names = NULL;
    const char *note = NULL;
    int64_t unwritten = 0;
    struct worker worker;
    struct cvy_pack_options how = {.shard_bytes = options->shard_mib << 20,
                                   .deflate = options->deflate,
                                   .ignores = options->has_ignored,
                                   .ignored = options->ignored,
                                   .overwrite = options->overwrite,
                                   .work = work_in(ctx, "packing", &worker),
                                   .unwritten = &unwritten,
                                   .note = &note};
    cvy_status status = options->class_names ? split_names(options->class_names, &names, &how.classes) : CVY_OK;
    how.class_names = (const char *const *)names;
    if (status == CVY_OK) status = pack(options, &how, ctx->log);
    if (status == CVY_OK) status = read_info(options->output, NULL, out);
    if (status == CVY_OK) out->target_note = note;
    if (status == CVY_OK) out->unwritten = unwritten;
    if (status == CVY_OK) say_bare(ctx, out, options->inputs[0], options->form, options->output);
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
    struct like like;
    struct worker worker;
    struct cvy_split how = {.first = options->first,
                            .rest = options->rest,
                            .samples = options->samples,
                            .random = options->random,
                            .seed = options->seed,
                            .overwrite = options->overwrite};
    cvy_status status = place_set(options->input, options->form, &like, &how.input);
    how.input.work = work_in(ctx, "splitting", &worker);
    if (status == CVY_OK) status = settle_set(&like, ctx->log, &how.input);
    if (status == CVY_OK) status = cvy_split_dataset(&how);
    forget(&like);
    CVY_TRY(say_stopped(ctx, status, options->first));
    CVY_TRY(read_info(options->first, NULL, first));
    say_bare(ctx, first, options->input, options->form, options->first);
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
