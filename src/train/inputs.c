/* The data of a session: its two sets opened, checked against the network and each other, cut into batches. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "train/alike.h"
#include "train/checkpoints.h"
#include "train/datasets.h"
#include "experiment/leaf.h"
#include "train/machine.h"
#include "train/session_parts.h"

enum { SMALL_CHUNK = 256 << 10 }; /* bytes; what it costs to inflate that many is not worth a word */

/* A data set no larger than this is held in memory. */
static int64_t data_budget(const struct cvy_session *s) {
    return cvy_machine_free_bytes() / 4 / cvy_comm_local_size(s->ctx->comm);
}

size_t cvy_session_held_bytes(const struct cvy_session *s, const struct cvy_source *source) {
    return source->info.bytes <= data_budget(s) ? (size_t)source->info.bytes : 0;
}

const char *cvy_session_train_name(const struct cvy_session *s) {
    return s->options->train ? "the program's training data" : s->experiment->train.file;
}

static const char *test_name(const struct cvy_session *s) {
    return s->options->test ? "the program's test data" : s->experiment->test.file;
}

/* `first`: the training set when the test set is opened, whose classes are the network's; else NULL. */
static cvy_status open_source(const struct cvy_session *s, const struct cvy_data_source *own,
                              const struct cvy_dataset_spec *spec, const struct cvy_source *first,
                              struct cvy_source **out) {
    struct cvy_dataset_spec how = *spec;
    if (own) return cvy_datasets_wrap(s->experiment, s->graph, own, out);
    how.stop = cvy_context_stop_asked;
    how.stop_arg = s->ctx;
    if (first) { /* texts that are no number of a class that has no name are none of them */
        how.names = first->info.class_names;
        how.name_count = first->info.classes;
    }
    if (first) how.most_classes = cvy_graph_classes(s->graph);
    const bool soft =
        first && first->info.target.type == CVY_F32 && cvy_graph_loss(s->graph)->wants == CVY_WANTS_CLASSES;
    if (soft) how.want = CVY_WANT_LABELS; /* rows stay rows, though all of these may be one-hot */
    CVY_TRY(cvy_datasets_open(s->experiment, s->graph, &how, data_budget(s), out));
    if ((*out)->info.unwritten)
        cvy_warn(s->ctx->log, "%s: %lld chunks of its data were never written, and read as zeros; is it complete?",
                 spec->file, (long long)(*out)->info.unwritten);
    if (first == NULL && (*out)->info.inflated > SMALL_CHUNK && cvy_session_held_bytes(s, *out) == 0)
        cvy_warn(
            s->ctx->log,
            "%s: is too large to be held in memory, and each sample that is read of it at random inflates a chunk of "
            "%.1f MiB; convoy data pack makes a set that is read sample by sample",
            spec->file, (double)(*out)->info.inflated / (1 << 20));
    return CVY_OK;
}

/* No error: class numbers may have gaps, or more classes are to come. */
static void warn_of_idle_outputs(const struct cvy_session *s) {
    const struct cvy_dataset_info *info = &s->train->info;
    const struct cvy_op *loss = cvy_graph_loss(s->graph);
    if (loss->measure != CVY_MEASURE_CLASSES || info->target.type != CVY_I32 || info->classes >= loss->classes) return;
    cvy_warn(s->ctx->log,
             "%s: has %d classes, the model's last layer tells %d apart: the others will never be right; make them the "
             "same, unless that is meant",
             cvy_session_train_name(s), info->classes, loss->classes);
}

/* A user's own maps of whole numbers are values to such a loss. */
static void warn_of_packed_maps(const struct cvy_session *s) {
    const struct cvy_dataset_info *info = &s->train->info;
    if (!info->packed || !cvy_dataset_dense(info) || info->target.type != CVY_I32) return;
    if (cvy_graph_loss(s->graph)->wants != CVY_WANTS_VALUES) return;
    cvy_warn(s->ctx->log,
             "%s: its maps were packed as classes, 0 to %d, and this loss takes values: it aims at their numbers or "
             "one-hot vectors as they are; if they are pictures or measurements, pack them with --values",
             cvy_session_train_name(s), info->classes - 1);
}

static void warn_of_first_class(const struct cvy_session *s) {
    if (!cvy_datasets_from_one(&s->train->info)) return;
    cvy_warn(s->ctx->log,
             "%s: no sample has class 0; if its labels start at 1, subtract 1: classes are numbered from 0",
             cvy_session_train_name(s));
}

static void warn_of_axes(const struct cvy_session *s) {
    const struct cvy_shape x = s->train->info.shape;
    const bool nchw = s->experiment->train.layout == CVY_LAYOUT_NCHW;
    if (!cvy_datasets_axes_doubtful(s->train)) return;
    cvy_warn(
        s->ctx->log,
        "%s: its samples are read as %d high and %d wide with %d channels; if that is not what they are, set layout: "
        "%s for it and write the model's input to match",
        cvy_session_train_name(s), x.h, x.w, x.c, nchw ? "nhwc" : "nchw");
}

static cvy_status check_schedule(const struct cvy_session *s) {
    const struct cvy_schedule *schedule = &s->schedule;
    const bool by_top1 = schedule->kind->by_top1 && schedule->kind->by_top1(schedule->state);
    CVY_CHECK(!by_top1 || s->scale.measure == CVY_MEASURE_CLASSES, CVY_ERR_USAGE,
              "%s: learning_rate: %s goes by top1, which is measured of classes alone; take metric: loss",
              s->options->experiment, schedule->kind->name);
    return CVY_OK;
}

static cvy_status open_sources(struct cvy_session *s) {
    const struct cvy_experiment *e = s->experiment;
    const struct cvy_train_options *o = s->options;
    const char *train = cvy_session_train_name(s), *test = test_name(s);
    CVY_TRY(open_source(s, o->train, &e->train, NULL, &s->train));
    CVY_TRY(cvy_datasets_check(s->graph, s->train, train));
    if (test) {
        CVY_TRY(open_source(s, o->test, &e->test, s->train, &s->test));
        CVY_TRY(cvy_datasets_compare(s->graph, s->train, train, s->test, test));
        cvy_datasets_tell_numbers(s->ctx->log, s->train->info.class_names, s->train->info.classes, &s->test->info,
                                  test);
    }
    if (test) CVY_TRY(cvy_datasets_check(s->graph, s->test, test));
    s->scale = cvy_scale_of(s->graph, e->peak);
    warn_of_idle_outputs(s);
    warn_of_first_class(s);
    warn_of_axes(s);
    warn_of_packed_maps(s);
    return check_schedule(s);
}

/* The training data's augmentations and normalisation, and the test data's normalisation, which is the same on the test
 * data's own scale. */
static cvy_status create_augments(struct cvy_session *s, const double *mean, const double *std) {
    cvy_augment_destroy(&s->augment);
    cvy_augment_destroy(&s->normalize);
    const struct cvy_normalisation norm = {.mean = mean, .std = std, .factor = 1};
    CVY_TRY(cvy_datasets_augment(s->experiment, &s->train->info, s->experiment->augment, &norm, &s->augment));
    if (s->test == NULL) return CVY_OK;
    const struct cvy_normalisation test = {.mean = mean, .std = std, .factor = s->test_factor};
    return cvy_datasets_augment(s->experiment, &s->test->info, NULL, &test, &s->normalize);
}

static cvy_status check_leaves(const struct cvy_session *s) {
    const int batch = s->plan.batch, leaves = batch / s->plan.leaf, ranks = s->ranks;
    char lower[64] = "take a larger train.batch";
    if (batch >= ranks)
        snprintf(lower, sizeof lower, "lower train.leaf to %d", (int)cvy_leaf_divisor(batch, batch / ranks));
    CVY_CHECK(ranks <= leaves, CVY_ERR_USAGE,
              "%d ranks, but a batch of %d has only %d leaves of %d samples; start at most %d ranks, or %s", ranks,
              batch, leaves, s->plan.leaf, leaves, lower);
    return CVY_OK;
}

/* The last batch of an epoch may be short; its leaves differ by one sample at most. */
static cvy_status check_samples(const struct cvy_session *s) {
    struct cvy_batch_plan last = cvy_batch_plan_at(&s->plan, cvy_epoch_steps(&s->plan) - 1);
    return cvy_graph_check(s->graph, last.count / last.leaves, last.count);
}

cvy_status cvy_session_open_data(struct cvy_session *s) {
    const struct cvy_experiment *e = s->experiment;
    CVY_CHECK(cvy_session_train_name(s) != NULL, CVY_ERR_USAGE,
              "%s: data.train is missing; name a data set (convoy data pack makes one)", s->options->experiment);
    CVY_TRY(open_sources(s));
    s->plan = (struct cvy_epoch_plan){s->train->info.count, (int)e->batch, (int)e->leaf,
                                      e->last_batch == CVY_LAST_BATCH_DROP, 0};
    CVY_CHECK(cvy_epoch_steps(&s->plan) > 0, CVY_ERR_USAGE,
              "%s has %lld samples, fewer than a batch of %d, and train.last_batch is drop; lower train.batch",
              cvy_session_train_name(s), (long long)s->plan.count, s->plan.batch);
    if (s->test) s->test_plan = (struct cvy_epoch_plan){s->test->info.count, s->plan.batch, s->plan.leaf, false, 0};
    s->test_factor = 1;
    CVY_TRY(create_augments(s, s->train->info.mean, s->train->info.std)); /* shows what targets cannot follow */
    CVY_TRY(check_samples(s));
    return check_leaves(s);
}

/* ---- What the ranks read, and its scale ---- */

static struct cvy_contract contract_of(const struct cvy_session *s, const struct cvy_probe *probe) {
    const struct cvy_dataset_info *info = &s->train->info;
    const char *type = info->x_type == CVY_U8 ? "uint8" : "float32";
    return (struct cvy_contract){.stored = info->stored[0] ? info->stored : type,
                                 .range = probe->range,
                                 .known = true,
                                 .place = s->options->train ? (struct cvy_dataset_spec){0} : s->experiment->train};
}

static cvy_status compare_set(struct cvy_session *s, struct cvy_source *source, const char *name,
                              struct cvy_probe *probe) {
    struct cvy_comm *comm = s->ctx->comm;
    cvy_status status = cvy_source_probe(source, probe);
    if (status == CVY_OK && s->ranks > 1) status = cvy_source_probe_targets(source, probe);
    CVY_TRY(cvy_comm_agree(comm, status));
    return cvy_alike_source(comm, source, probe, name);
}

cvy_status cvy_session_compare_data(struct cvy_session *s) {
    struct cvy_probe train, test;
    CVY_TRY(compare_set(s, s->train, cvy_session_train_name(s), &train));
    s->contract = contract_of(s, &train);
    if (s->test == NULL) return CVY_OK;
    CVY_TRY(compare_set(s, s->test, test_name(s), &test));
    const double scale = s->options->test ? 0 : s->experiment->test.scale;
    CVY_TRY(cvy_contract_factor(&s->contract, &test.range, scale, test_name(s), "data.test: {scale: K}", s->ctx->log,
                                &s->test_factor));
    cvy_source_inputs_rescale(s->test, s->test_factor, cvy_contract_full(&s->contract));
    return CVY_OK;
}

/* ---- Normalisation ---- */

/* As a checkpoint has it, whose weights were trained with that: on the scale of these inputs, which `factor` takes to
 * its own. False where it has none for so many channels. */
static bool norm_of_weights(struct cvy_session *s, const struct cvy_ckpt *ckpt, double factor) {
    const int channels = s->train->info.shape.c;
    const struct cvy_ckpt_value *mean = cvy_ckpt_value(ckpt, "mean"), *std = cvy_ckpt_value(ckpt, "std");
    if (!mean || !std || !mean->reals || !std->reals || mean->count != channels || std->count != channels) return false;
    for (int c = 0; c < channels; c++) {
        s->mean[c] = mean->reals[c] / factor;
        s->std[c] = std->reals[c] / factor;
    }
    return true;
}

/* Of init.from: its first layers know inputs as they were. */
static cvy_status norm_of_init(struct cvy_session *s, bool *taken) {
    char path[CVY_PATH_MAX];
    struct cvy_ckpt *ckpt;
    struct cvy_contract before;
    double factor;
    CVY_TRY(cvy_checkpoint_find(s->experiment->init_from, NULL, path));
    CVY_TRY(cvy_ckpt_open(path, &ckpt));
    cvy_status status = cvy_contract_load(ckpt, &s->experiment->train, &before);
    if (status == CVY_OK && before.known)
        *taken = cvy_scale_between(&before.range, &s->contract.range, &factor) && norm_of_weights(s, ckpt, factor);
    cvy_ckpt_close(&ckpt);
    if (status == CVY_OK && before.known)
        cvy_info(s->ctx->log,
                 *taken ? "inputs are normalised as those of %s were; data.mean and data.std say otherwise"
                        : "inputs are normalised by their own statistics: those of %s had another scale "
                          "or other channels",
                 path);
    return status;
}

static cvy_status norm_of_samples(struct cvy_session *s) {
    int64_t part;
    const int64_t count = s->train->info.count;
    CVY_TRY(cvy_source_measure(s->train, s->mean, s->std, &s->contract.range, &part));
    if (part < count)
        cvy_info(s->ctx->log, "%s: mean and std are of %lld samples out of %lld; convoy data pack takes all",
                 cvy_session_train_name(s), (long long)part, (long long)count);
    return CVY_OK;
}

/* Rank 0. Weights that are there stay with what they were trained on. Else a set of ours brings its statistics, a
 * program says what it wants, and anybody else's samples are measured, as packing them would. */
static cvy_status choose_norm(struct cvy_session *s) {
    const struct cvy_dataset_info *info = &s->train->info;
    const size_t bytes = (size_t)info->shape.c * sizeof *s->mean;
    if (s->experiment->mean && s->experiment->std)
        return cvy_experiment_norm(s->experiment, info->shape.c, s->mean, s->std);
    if (s->resume_from[0]) {
        CVY_CHECK(norm_of_weights(s, s->ckpt, 1), CVY_ERR_CHECKPOINT,
                  "%s: /run has no mean and std of %d channels; it is of other data", s->resume_from, info->shape.c);
        return CVY_OK;
    }
    bool taken = false;
    if (s->experiment->init_from[0]) CVY_TRY(norm_of_init(s, &taken));
    if (taken) return CVY_OK;
    if (info->stored[0] && !info->packed) return norm_of_samples(s);
    memcpy(s->mean, info->mean, bytes);
    memcpy(s->std, info->std, bytes);
    return CVY_OK;
}

cvy_status cvy_session_normalize(struct cvy_session *s) {
    struct cvy_comm *comm = s->ctx->comm;
    const int channels = s->train->info.shape.c;
    cvy_status status = CVY_NEW(&s->mean, channels, data);
    if (status == CVY_OK) status = CVY_NEW(&s->std, channels, data);
    CVY_TRY(cvy_comm_agree(comm, status));
    CVY_TRY(cvy_comm_follow(comm, s->rank == 0 ? choose_norm(s) : CVY_OK));
    CVY_TRY(cvy_comm_bcast(comm, s->mean, (size_t)channels * sizeof *s->mean));
    CVY_TRY(cvy_comm_bcast(comm, s->std, (size_t)channels * sizeof *s->std));
    return cvy_comm_agree(comm, create_augments(s, s->mean, s->std));
}
