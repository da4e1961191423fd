#include "train/datasets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/sized.h"
#include "core/text.h"
#include "train/suitable.h"

/* Inputs are values, though some might sum to 1. */
static cvy_status check_bare(const struct cvy_experiment *e, const struct cvy_loss *loss) {
    if (e->target != CVY_TARGET_INPUT || loss == NULL || loss->kind->wants != CVY_WANTS_CLASSES) return CVY_OK;
    return CVY_FAIL_AT(loss->node, CVY_ERR_USAGE,
                       "%s: with data.target: input the targets are values, and this loss takes classes; choose mse",
                       loss->name);
}

static enum cvy_want want_of(const struct cvy_loss *loss) {
    static const enum cvy_want wants[] = {[CVY_WANTS_CLASSES] = CVY_WANT_CLASSES,
                                          [CVY_WANTS_VALUES] = CVY_WANT_VALUES,
                                          [CVY_WANTS_EITHER] = CVY_WANT_LABELS};
    return loss ? wants[loss->kind->wants] : CVY_WANT_ANY;
}

void cvy_datasets_wish(const struct cvy_experiment *e, const struct cvy_graph *graph, struct cvy_dataset_spec *wish) {
    const struct cvy_loss *loss = cvy_graph_loss(graph);
    wish->bare = e->target == CVY_TARGET_INPUT;
    if (wish->want == CVY_WANT_ANY) wish->want = want_of(loss);
    wish->ignores = loss && loss->ignores;
    wish->ignored = loss ? loss->ignored : 0;
}

int64_t cvy_datasets_budget(const struct cvy_context *ctx) {
    return cvy_machine_free_bytes() / 4 / cvy_comm_local_size(ctx->comm);
}

cvy_status cvy_datasets_open(const struct cvy_experiment *e, const struct cvy_graph *graph,
                             const struct cvy_dataset_spec *spec, int64_t budget, struct cvy_source **out) {
    struct cvy_dataset *ds;
    struct cvy_source *source;
    struct cvy_dataset_spec wish = *spec;
    const struct cvy_loss *loss = cvy_graph_loss(graph);
    CVY_TRY(check_bare(e, loss));
    cvy_datasets_wish(e, graph, &wish);
    CVY_TRY(cvy_dataset_open(&wish, &ds));
    cvy_status status = wish.bare ? CVY_OK : cvy_suitable_set(loss, ds, spec->file);
    if (status != CVY_OK) cvy_dataset_close(&ds);
    CVY_TRY(status);
    CVY_TRY(cvy_source_hdf5(&ds, budget, &source));
    if (wish.bare) return cvy_source_inputs(&source, out);
    *out = source;
    return CVY_OK;
}

static struct cvy_dataset_info describe(const struct cvy_data_source *data, const struct cvy_loss *loss, bool bare) {
    const int *t = data->target;
    struct cvy_dataset_info info = {.count = data->samples,
                                    .shape = {data->height, data->width, data->channels},
                                    .x_type = data->bytes ? CVY_U8 : CVY_F32,
                                    .target = {data->values ? CVY_F32 : CVY_I32, {t[0], t[1], t[2]}},
                                    .classes = data->values ? 0 : data->classes,
                                    .mean = data->mean,
                                    .std = data->std,
                                    .digest = data->digest};
    if (t[0] == 0) info.target.shape = (struct cvy_shape){1, 1, 1};
    if (loss) {
        info.ignores = loss->ignores;
        info.ignored = loss->ignored;
    }
    if (bare) { /* never read */
        info.target = (struct cvy_target){CVY_F32, {1, 1, data->channels}};
        info.classes = data->channels;
    }
    return info;
}

cvy_status cvy_datasets_wrap(const struct cvy_experiment *e, const struct cvy_graph *graph,
                             const struct cvy_data_source *theirs, struct cvy_source **out) {
    const bool bare = e->target == CVY_TARGET_INPUT;
    struct cvy_source *source;
    struct cvy_data_source own;
    const struct cvy_data_source *data = &own;
    CVY_TRY(CVY_READ(cvy_data_source, theirs, &own));
    struct cvy_dataset_info info = describe(data, cvy_graph_loss(graph), bare);
    CVY_TRY(check_bare(e, cvy_graph_loss(graph)));
    CVY_CHECK(data->give || (data->x && (data->y || bare)), CVY_ERR_DATA,
              "the program's data source has neither samples in memory nor a function that gives them");
    if (bare && data->x && info.digest == 0)
        info.digest = cvy_hash(data->x, (size_t)info.count * cvy_dataset_sample_bytes(&info), 0);
    if (data->y && !bare)
        CVY_TRY(cvy_suitable(cvy_graph_loss(graph), &info.target, "the program's data", 0, info.count, data->y));
    if (data->x)
        CVY_TRY(cvy_source_memory(&info, data->x, data->y, &source));
    else
        CVY_TRY(cvy_source_callback(&info, data->give, data->arg, &source));
    if (bare) return cvy_source_inputs(&source, out);
    *out = source;
    return CVY_OK;
}

/* ---- Shapes ---- */

static const char other_size[] = "resize its samples before (convoy does not), or take another network";

/* What to do about samples of another shape: axes in another order are the likeliest cause. `trained`: the network is
 * as it is. */
static const char *shape_advice(struct cvy_shape found, struct cvy_shape input, bool packed, bool trained) {
    const struct cvy_shape first = {found.w, found.c, found.h}; /* were channels first in the file */
    const struct cvy_shape last = {found.c, found.h, found.w};  /* were they last, and read as first */
    const struct cvy_shape swapped = {input.w, input.c, input.h};
    if (found.h == 1 && found.w == 1 && found.c == cvy_shape_count(input))
        return "its samples are flattened: store them with their axes, as [n][height][width][channels]";
    if (found.h == 1 && found.w == 1 && !trained)
        return "samples [n][c] are pixels of c channels: write the model's input as [1, 1, c], or store them as "
               "[n][h][w][c]";
    static const char in_order[] = "the model's input is [height, width, channels]: write it in that order";
    const bool channels_least = found.c < found.h && found.c < found.w; /* as in pictures */
    if (cvy_shape_equal(swapped, found) && channels_least && !trained) return in_order;
    if (cvy_shape_equal(first, input))
        return packed ? "channels stood before rows in what was packed: pack it again with --layout nchw"
                      : "channels stand before rows in it: read it with layout: nchw (--layout nchw)";
    if (cvy_shape_equal(last, input))
        return packed ? "channels stood last in what was packed: pack it again with --layout nhwc"
                      : "channels stand last in it: read it with layout: nhwc (--layout nhwc)";
    if (cvy_shape_equal(swapped, found) && !trained) return in_order;
    if (found.c != input.c && trained)
        return "give samples of as many channels as the network takes, or take another network";
    if (cvy_shape_same_space(found, input)) return "only the channels differ: write as many in the model's input";
    return trained ? other_size : "change the model's input, or resize the samples before (data pack does not)";
}

static cvy_status check_shape(const struct cvy_graph *graph, const struct cvy_dataset_info *info, bool trained,
                              const char *file) {
    const struct cvy_shape found = info->shape, in = graph->input;
    CVY_CHECK(cvy_shape_equal(found, in), CVY_ERR_DATA, "%s: has samples of %s, the model's input is %s; %s", file,
              CVY_SHAPE_TEXT(found), CVY_SHAPE_TEXT(in), shape_advice(found, in, info->packed, trained));
    return CVY_OK;
}

cvy_status cvy_datasets_check_channels(const struct cvy_graph *graph, const struct cvy_dataset_info *info,
                                       const char *file) {
    return info->shape.c == graph->input.c ? CVY_OK : check_shape(graph, info, true, file);
}

cvy_status cvy_datasets_fit(struct cvy_context *ctx, struct cvy_trained *trained, const struct cvy_dataset_info *info,
                            const char *file) {
    CVY_TRY(cvy_datasets_check_channels(trained->graph, info, file));
    return cvy_trained_fit(ctx, trained, info->shape, file, other_size);
}

bool cvy_datasets_axes_doubtful(const struct cvy_source *source) {
    const struct cvy_shape s = source->info.shape;
    const bool few_rows = s.h > 1 && s.h <= 4 && s.w == s.c && s.w > 4; /* [3][32][32], taken for rows first */
    const bool few_columns = s.w <= 4 && s.c == s.h && s.h > 4;         /* [32][32][3], taken for channels first */
    return !source->info.packed && source->info.stored[0] && (few_rows || few_columns);
}

/* The first sample of a class; as many as there are where none is of it. */
static int64_t first_of(const struct cvy_dataset_info *info, int32_t class) {
    int64_t i = 0;
    while (i < info->count && info->labels[i] != class) i++;
    return i;
}

bool cvy_datasets_from_one(const struct cvy_dataset_info *info) {
    if (info->labels == NULL || info->classes < 2 || info->named) return false; /* a name may have no sample */
    return first_of(info, 0) == info->count;
}

/* ---- Which sample does not fit ---- */

/* Of names any may be the one too many: a slip is rare. */
static cvy_status find_rarest(const struct cvy_dataset_info *info, int *class, int64_t *samples) {
    int64_t *counts;
    CVY_TRY(CVY_NEW(&counts, info->classes, general));
    for (int64_t i = 0; i < info->count; i++)
        if (info->labels[i] >= 0 && info->labels[i] < info->classes) counts[info->labels[i]]++;
    *class = 0;
    for (int c = 1; c < info->classes; c++)
        if (counts[c] > 0 && counts[c] < counts[*class]) *class = c;
    *samples = counts[*class];
    cvy_free(counts);
    return CVY_OK;
}

/* Of rows that might have been classes; "" where they are no such. */
static const char *say_odd_row(const struct cvy_dataset_info *info, char out[128]) {
    out[0] = '\0';
    if (info->target.type == CVY_F32 && info->odd)
        snprintf(out, 128,
                 "; its rows are one-hot but for a few: mend these, or leave them out, first of all sample %lld",
                 (long long)info->odd_row);
    return out;
}

/* ", and 2 of 600 samples have one above 3": a slip, or another set of classes; "" where that is not known. */
static const char *say_beyond(const struct cvy_dataset_info *info, int classes, char out[96]) {
    int64_t beyond = 0;
    out[0] = '\0';
    for (int64_t i = 0; info->labels && i < info->count; i++)
        beyond += info->labels[i] >= classes && !(info->ignores && info->labels[i] == info->ignored);
    if (beyond)
        snprintf(out, 96, ", and %lld of %lld samples %s one above %d", (long long)beyond, (long long)info->count,
                 cvy_plural((double)beyond, "has", "have"), classes - 1);
    return out;
}

/* "; sample 17 …": where one sample may be what is wrong with all targets; else "". */
static cvy_status say_culprit(const struct cvy_loss *loss, const struct cvy_dataset_info *info, char out[256]) {
    int rarest;
    int64_t samples;
    char beyond[96];
    say_odd_row(info, out);
    if (info->target.type != CVY_I32 || info->classes <= loss->classes) return CVY_OK;
    if (info->labels == NULL || !info->named) {
        if (info->largest_at > 0)
            snprintf(out, 256, "; sample %lld is the first of class %d%s", (long long)info->largest_at,
                     info->classes - 1, say_beyond(info, loss->classes, beyond));
        return CVY_OK;
    }
    CVY_TRY(find_rarest(info, &rarest, &samples));
    snprintf(out, 256, "; the rarest is \"%.80s\", of %lld %s, the first of them sample %lld",
             info->class_names[rarest], (long long)samples, cvy_plural((double)samples, "sample", "samples"),
             (long long)first_of(info, rarest));
    return CVY_OK;
}

static cvy_status bind_target(struct cvy_graph *graph, const struct cvy_dataset_info *info, const char *file) {
    char culprit[256];
    const cvy_status status = cvy_graph_bind_target(graph, &info->target, info->classes, file);
    if (status == CVY_OK || cvy_graph_loss(graph) == NULL) return status;
    struct cvy_failure failure;
    cvy_failure_take(&failure, status);
    CVY_TRY(say_culprit(cvy_graph_loss(graph), info, culprit));
    return culprit[0] ? CVY_FAIL(status, "%s%s", failure.message, culprit) : cvy_failure_raise(&failure);
}

cvy_status cvy_datasets_check_target(struct cvy_graph *graph, const struct cvy_dataset_info *info, const char *file) {
    const struct cvy_loss *loss = cvy_graph_loss(graph);
    CVY_CHECK(
        loss == NULL || info->classes != loss->classes + 1 || !cvy_datasets_from_one(info), CVY_ERR_DATA,
        "%s: its labels are 1 to %d; classes are numbered from 0, and the model's last layer tells %d apart: subtract "
        "1 from them",
        file, loss->classes, loss->classes);
    CVY_CHECK(loss == NULL || !loss->ignores || !info->named || info->classes != loss->classes + 1 ||
                  loss->ignored != loss->classes,
              CVY_ERR_DATA,
              "%s: its class %d, which the loss ignores, has a name, and each class with a name has an output: end the "
              "network in %d",
              file, loss->ignored, info->classes);
    CVY_CHECK(loss == NULL || !info->ignores || loss->ignores, CVY_ERR_DATA,
              "%s: its class %d stands for what does not count; set ignore_label: %d in the loss", file, info->ignored,
              info->ignored);
    return bind_target(graph, info, file);
}

cvy_status cvy_datasets_check(struct cvy_graph *graph, const struct cvy_source *source, const char *file) {
    CVY_TRY(check_shape(graph, &source->info, false, file));
    return cvy_datasets_check_target(graph, &source->info, file);
}

static bool same_target(const struct cvy_target *a, const struct cvy_target *b) {
    return a->type == b->type && cvy_shape_equal(a->shape, b->shape);
}

cvy_status cvy_datasets_check_trained(struct cvy_trained *t, const struct cvy_source *source, const char *file) {
    const struct cvy_target *target = &source->info.target;
    const bool turned = cvy_target_axes_advice(target, cvy_graph_output_shape(t->graph)) != NULL;
    char trained[96], found[96];
    cvy_status status = cvy_datasets_check(t->graph, source, file);
    if (status != CVY_ERR_DATA || turned || same_target(target, &t->target)) return status;
    return CVY_FAIL(CVY_ERR_DATA,
                    "%s has %s, and the network was trained on %s; name such targets with --y (convoy data info FILE "
                    "lists what a file has)",
                    file, cvy_target_text(target, found), cvy_target_text(&t->target, trained));
}

/* Of names that are numbers themselves, "1" being class 0, a set of plain numbers is certain to be taken wrong. */
static cvy_status numbers_as_names(const char *const *names, int count, const char *whose,
                                   const struct cvy_dataset_info *info, const char *file) {
    const bool numbers = info->target.type == CVY_I32 && cvy_shape_count(info->target.shape) > 0 && !info->named;
    int moved = -1;
    for (int i = 0; numbers && i < count; i++) {
        char *end;
        const long value = strtol(names[i], &end, 10);
        if (end == names[i] || *end) return CVY_OK;
        if (value != i && moved < 0) moved = i;
    }
    CVY_CHECK(
        moved < 0, CVY_ERR_DATA,
        "%s: its classes are numbers, and in %s numbers are the names of classes, sorted as texts: \"%s\" is class "
        "%d there; store them as texts here too, or as numbers there",
        file, whose, names[moved], moved);
    return CVY_OK;
}

cvy_status cvy_datasets_names(const char *const *names, int count, const char *whose,
                              const struct cvy_dataset_info *info, const char *file) {
    const int both = count < info->classes ? count : info->classes; /* the last ones need not occur in both */
    char number[16];
    CVY_TRY(numbers_as_names(names, count, whose, info, file));
    for (int i = 0; info->named && i < both; i++) {
        snprintf(number, sizeof number, "%d", i);
        const bool unnamed = strcmp(names[i], number) == 0;
        CVY_CHECK(
            unnamed || strcmp(names[i], info->class_names[i]) == 0, CVY_ERR_DATA,
            "class %d is \"%s\" in %s, and \"%s\" in %s, and no name is in both: they are other classes; where they "
            "are "
            "other words for the same, pack it from labels that are numbers or those words, with the names that the "
            "other has as --classes",
            i, names[i], whose, info->class_names[i], file);
    }
    return CVY_OK;
}

bool cvy_datasets_by_number(const char *const *names, int count, const struct cvy_dataset_info *info,
                            char out[CVY_BY_NUMBER]) {
    const bool theirs = cvy_dataset_are_names(names, count);
    const bool own = info->named && cvy_dataset_are_names(info->class_names, info->classes);
    if (info->target.type != CVY_I32 || cvy_shape_count(info->target.shape) == 0 || count == 0 || theirs == own)
        return false;
    snprintf(
        out, CVY_BY_NUMBER,
        "its classes %s, those of the network %s: they are taken by number, class 0 as \"%.80s\"; where that is not "
        "what they are, every figure is wrong: %s",
        own ? "have names" : "have no names", own ? "have none" : "do", own ? info->class_names[0] : names[0],
        own ? "train on the names, or give the numbers that the network was trained on"
            : "store their names as texts, or pack it with --classes");
    return true;
}

void cvy_datasets_tell_numbers(struct cvy_log *log, const char *const *names, int count,
                               const struct cvy_dataset_info *info, const char *file) {
    char text[CVY_BY_NUMBER];
    if (cvy_datasets_by_number(names, count, info, text)) cvy_warn(log, "%s: %s", file, text);
}

void cvy_datasets_tell_idle(struct cvy_log *log, const struct cvy_dataset_info *info, const char *file) {
    if (info->idle) cvy_warn(log, "%s: %s", file, info->idle);
}

/* To softmax_cross_entropy a class is one more distribution: training on soft labels is tested on hard ones. */
static bool alike(const struct cvy_graph *graph, const struct cvy_dataset_info *a, const struct cvy_dataset_info *b) {
    const struct cvy_loss *loss = cvy_graph_loss(graph);
    return a->target.type == b->target.type || (loss && loss->kind->form.distributions);
}

cvy_status cvy_datasets_compare(const struct cvy_graph *graph, const struct cvy_source *train, const char *train_file,
                                const struct cvy_source *test, const char *test_file) {
    const struct cvy_dataset_info *a = &train->info, *b = &test->info;
    char odd[2][128];
    CVY_CHECK(alike(graph, a, b), CVY_ERR_DATA,
              "%s has %s as targets, %s has %s; pack both alike (data pack --values makes values of numbers)%s%s",
              train_file, a->target.type == CVY_I32 ? "classes" : "values", test_file,
              b->target.type == CVY_I32 ? "classes" : "values", say_odd_row(a, odd[0]), say_odd_row(b, odd[1]));
    return a->named ? cvy_datasets_names(a->class_names, a->classes, train_file, b, test_file) : CVY_OK;
}

/* What a target has for a pixel from outside: NULL where nothing fits. `room`: [its channels] */
static const double *outside(const struct cvy_experiment *e, const struct cvy_dataset_info *info, const double *mean,
                             double *room) {
    const double largest = info->x_type == CVY_U8 ? 255 : 1;
    if (e->target != CVY_TARGET_INPUT && !info->ignores) return NULL;
    for (int c = 0; c < info->target.shape.c; c++)
        room[c] = e->target == CVY_TARGET_INPUT ? mean[c] / largest : info->ignored;
    return room;
}

cvy_status cvy_datasets_augment(const struct cvy_experiment *e, const struct cvy_dataset_info *info,
                                const struct cvy_node *list, const struct cvy_normalisation *norm,
                                struct cvy_augment **out) {
    const int channels = info->shape.c;
    double *mean, *std, *room; /* on the scale of these inputs; outside */
    CVY_TRY(CVY_NEW(&mean, 2 * channels + info->target.shape.c, data));
    std = mean + channels;
    room = std + channels;
    for (int c = 0; c < channels; c++) {
        mean[c] = norm->mean[c] / norm->factor;
        std[c] = norm->std[c] / norm->factor;
    }
    cvy_status status = cvy_augment_create(&(struct cvy_augment_spec){.list = list,
                                                                      .seed = (uint64_t)e->seed,
                                                                      .shape = info->shape,
                                                                      .x_type = info->x_type,
                                                                      .mean = mean,
                                                                      .std = std,
                                                                      .target = info->target,
                                                                      .outside = outside(e, info, mean, room)},
                                           out);
    cvy_free(mean);
    return status;
}
