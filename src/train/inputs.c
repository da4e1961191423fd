#include "train/inputs.h"

#include <stdio.h>

#include "core/memory.h"
#include "experiment/leaf.h"
#include "train/datasets.h"

enum { SMALL_CHUNK = 256 << 10 }; /* bytes; what it costs to inflate that many is not worth a word */

/* Bytes of one that is held in memory: all or none. */
static size_t held(const struct cvy_task *t, const struct cvy_source *source) {
    return source->info.bytes <= cvy_datasets_budget(t->ctx) ? (size_t)source->info.bytes : 0;
}

const char *cvy_inputs_train_name(const struct cvy_task *t) {
    return t->options->train ? "the program's training data" : t->experiment->train.file;
}

const char *cvy_inputs_set_name(const struct cvy_task *t, enum cvy_split split) {
    const struct cvy_experiment *e = t->experiment;
    if (split == CVY_TEST) return t->options->test ? "the program's test data" : e->test.file;
    return e->validation_share > 0 ? cvy_inputs_train_name(t) : e->validation.file;
}

const char *cvy_split_name(enum cvy_split split) {
    return split == CVY_VALIDATION ? "validation" : "test";
}

enum cvy_split cvy_inputs_deciding(const struct cvy_inputs *in) {
    enum cvy_split split = 0;
    while (split < CVY_SPLITS && in->sets[split].source == NULL) split++;
    return split;
}

void cvy_inputs_figure(const struct cvy_inputs *in, const char *figure, char out[64]) {
    out[0] = '\0';
    if (figure && figure[0]) snprintf(out, 64, "%s %.40s", cvy_split_name(cvy_inputs_deciding(in)), figure);
}

/* ---- Opening ---- */

/* `first`: the training set when the test set is opened, whose classes are the network's; else NULL. */
static cvy_status open_source(const struct cvy_task *t, const struct cvy_data_source *own,
                              const struct cvy_dataset_spec *spec, const struct cvy_source *first,
                              struct cvy_source **out) {
    struct cvy_dataset_spec how = *spec;
    if (own) return cvy_datasets_wrap(t->experiment, t->graph, own, out);
    how.work = (struct cvy_work){.stop = cvy_task_stop_wanted, .arg = (void *)t};
    if (first) { /* texts that are no number of a class that has no name are none of them */
        how.names = first->info.class_names;
        how.name_count = first->info.classes;
    }
    if (first) how.most_classes = cvy_graph_classes(t->graph);
    const bool soft =
        first && first->info.target.type == CVY_F32 && cvy_graph_loss(t->graph)->kind->wants == CVY_WANTS_CLASSES;
    if (soft) how.want = CVY_WANT_LABELS; /* rows stay rows, though all of these may be one-hot */
    CVY_TRY(cvy_datasets_open(t->experiment, t->graph, &how, cvy_datasets_budget(t->ctx), out));
    cvy_datasets_tell_idle(t->ctx->log, &(*out)->info, spec->file);
    if ((*out)->info.unwritten)
        cvy_warn(t->ctx->log, "%s: %lld %s of its data %s never written; it reads as zeros there; is it complete?",
                 spec->file, (long long)(*out)->info.unwritten,
                 cvy_plural((double)(*out)->info.unwritten, "chunk", "chunks"),
                 cvy_plural((double)(*out)->info.unwritten, "was", "were"));
    if (first == NULL && (*out)->info.inflated > SMALL_CHUNK && held(t, *out) == 0)
        cvy_warn(
            t->ctx->log,
            "%s: is too large to be held in memory, and each sample that is read of it at random inflates a chunk of "
            "%.1f MiB; convoy data pack makes a set that is read sample by sample",
            spec->file, (double)(*out)->info.inflated / (1 << 20));
    return CVY_OK;
}

/* A share of the training data, which they then have no more. */
static cvy_status hold_out(struct cvy_inputs *in, const struct cvy_task *t) {
    const struct cvy_experiment *e = t->experiment;
    if (e->validation_share == 0) return CVY_OK;
    return cvy_source_hold_out(&in->train, e->validation_share, (uint64_t)e->seed, cvy_inputs_train_name(t), &in->train,
                               &in->sets[CVY_VALIDATION].source);
}

static cvy_status open_set(struct cvy_inputs *in, const struct cvy_task *t, enum cvy_split split) {
    const struct cvy_dataset_spec *spec = split == CVY_TEST ? &t->experiment->test : &t->experiment->validation;
    const struct cvy_data_source *own = split == CVY_TEST ? t->options->test : NULL;
    const char *train = cvy_inputs_train_name(t), *name = cvy_inputs_set_name(t, split);
    struct cvy_source **source = &in->sets[split].source;
    if (*source || name == NULL) return CVY_OK;
    CVY_TRY(open_source(t, own, spec, in->train, source));
    CVY_TRY(cvy_datasets_compare(t->graph, in->train, train, *source, name));
    cvy_datasets_tell_numbers(t->ctx->log, in->train->info.class_names, in->train->info.classes, &(*source)->info,
                              name);
    return cvy_datasets_check(t->graph, *source, name);
}

cvy_status cvy_inputs_open(struct cvy_inputs *in, const struct cvy_task *t) {
    const char *train = cvy_inputs_train_name(t);
    CVY_CHECK(train != NULL, CVY_ERR_USAGE, "%s: data.train is missing; name a data set (convoy data pack makes one)",
              t->options->experiment);
    CVY_TRY(open_source(t, t->options->train, &t->experiment->train, NULL, &in->train));
    CVY_TRY(cvy_datasets_check(t->graph, in->train, train));
    CVY_TRY(hold_out(in, t));
    in->plan = (struct cvy_epoch_plan){in->train->info.count, (int)t->experiment->batch, (int)t->experiment->leaf,
                                       t->experiment->last_batch == CVY_LAST_BATCH_DROP, 0};
    for (enum cvy_split split = 0; split < CVY_SPLITS; split++) CVY_TRY(open_set(in, t, split));
    return CVY_OK;
}

/* What the file says of means is checked before anything is done, by --dry-run too. */
static cvy_status check_norm(const struct cvy_inputs *in, const struct cvy_task *t) {
    const int channels = in->train->info.shape.c;
    double *values;
    if (t->experiment->mean == NULL || t->experiment->std == NULL) return CVY_OK;
    CVY_TRY(CVY_NEW(&values, 2 * channels, data));
    cvy_status status = cvy_experiment_norm(t->experiment, channels, values, values + channels);
    cvy_free(values);
    return status;
}

/* ---- Batches ---- */

/* The training data's augmentations and normalisation, and the other sets' normalisation, which is the same on their
 * own scale. */
cvy_status cvy_inputs_augment(struct cvy_inputs *in, const struct cvy_task *t, const double *mean, const double *std) {
    cvy_augment_destroy(&in->augment);
    const struct cvy_normalisation norm = {.mean = mean, .std = std, .factor = 1};
    CVY_TRY(cvy_datasets_augment(t->experiment, &in->train->info, t->experiment->augment, &norm, &in->augment));
    for (struct cvy_input_set *set = in->sets; set < in->sets + CVY_SPLITS; set++) {
        const struct cvy_normalisation own = {.mean = mean, .std = std, .factor = set->factor};
        cvy_augment_destroy(&set->normalize);
        if (set->source) CVY_TRY(cvy_datasets_augment(t->experiment, &set->source->info, NULL, &own, &set->normalize));
    }
    return CVY_OK;
}

static cvy_status check_leaves(const struct cvy_inputs *in, const struct cvy_task *t) {
    const int batch = in->plan.batch, leaves = batch / in->plan.leaf, ranks = t->ranks;
    char lower[64] = "take a larger train.batch";
    if (batch >= ranks)
        snprintf(lower, sizeof lower, "lower train.leaf to %d", (int)cvy_leaf_divisor(batch, batch / ranks));
    CVY_CHECK(ranks <= leaves, CVY_ERR_USAGE,
              "%d ranks, but a batch of %d has only %d %s of %d %s; start at most %d %s, or %s", ranks, batch, leaves,
              cvy_plural(leaves, "leaf", "leaves"), in->plan.leaf, cvy_plural(in->plan.leaf, "sample", "samples"),
              leaves, cvy_plural(leaves, "rank", "ranks"), lower);
    return CVY_OK;
}

/* The last batch of an epoch may be short; its leaves differ by one sample at most. */
static cvy_status check_samples(const struct cvy_inputs *in, const struct cvy_task *t) {
    struct cvy_batch_plan last = cvy_batch_plan_at(&in->plan, cvy_epoch_steps(&in->plan) - 1);
    return cvy_graph_check(t->graph, last.count / last.leaves, last.count);
}

cvy_status cvy_inputs_cut(struct cvy_inputs *in, const struct cvy_task *t) {
    CVY_TRY(check_norm(in, t));
    CVY_CHECK(cvy_epoch_steps(&in->plan) > 0, CVY_ERR_USAGE,
              "%s has %lld %s%s, fewer than a batch of %d, and train.last_batch is drop; lower train.batch to at most "
              "%lld, or take --set train.last_batch=partial",
              cvy_inputs_train_name(t), (long long)in->plan.count,
              cvy_plural((double)in->plan.count, "sample", "samples"),
              t->experiment->validation_share > 0 ? " without data.validation" : "", in->plan.batch,
              (long long)in->plan.count);
    for (struct cvy_input_set *set = in->sets; set < in->sets + CVY_SPLITS; set++) {
        set->factor = 1;
        if (set->source)
            set->plan = (struct cvy_epoch_plan){set->source->info.count, in->plan.batch, in->plan.leaf, false, 0};
    }
    CVY_TRY(
        cvy_inputs_augment(in, t, in->train->info.mean, in->train->info.std)); /* shows what targets cannot follow */
    CVY_TRY(check_samples(in, t));
    return check_leaves(in, t);
}

/* ---- What is made of them ---- */

struct cvy_epoch_plan cvy_inputs_first_epoch(const struct cvy_inputs *in, int64_t position) {
    struct cvy_epoch_plan plan = in->plan;
    plan.start = position;
    return plan;
}

bool cvy_inputs_evaluated(const struct cvy_inputs *in, const struct cvy_experiment *e, int64_t step, int64_t epoch,
                          int64_t position) {
    return cvy_inputs_deciding(in) < CVY_SPLITS &&
           (cvy_every_due(&e->eval_every, step, epoch, position) || epoch >= e->epochs);
}

/* Unless there are batches of so many leaves already. */
static void add_size(int leaves[CVY_EXCHANGE_SIZES], int count) {
    int i = 0;
    while (leaves[i] != 0 && leaves[i] != count) i++;
    leaves[i] = count;
}

void cvy_inputs_leaves(const struct cvy_inputs *in, int64_t position, int leaves[CVY_EXCHANGE_SIZES]) {
    const struct cvy_epoch_plan first = cvy_inputs_first_epoch(in, position);
    for (int i = 0; i < CVY_EXCHANGE_SIZES; i++) leaves[i] = 0;
    add_size(leaves, cvy_batch_plan_at(&in->plan, 0).leaves);
    add_size(leaves, cvy_batch_plan_at(&in->plan, cvy_epoch_steps(&in->plan) - 1).leaves);
    add_size(leaves, cvy_batch_plan_at(&first, cvy_epoch_steps(&first) - 1).leaves);
}

static struct cvy_loader_spec loader_spec(const struct cvy_inputs *in, const struct cvy_task *t, int64_t epoch,
                                          int64_t position) {
    return (struct cvy_loader_spec){.source = in->train,
                                    .augment = in->augment,
                                    .plan = cvy_inputs_first_epoch(in, position),
                                    .seed = (uint64_t)t->experiment->seed,
                                    .training = true,
                                    .rank = t->rank,
                                    .ranks = t->ranks,
                                    .ranged = in->partly_known,
                                    .epoch = (uint32_t)epoch};
}

cvy_status cvy_inputs_load(struct cvy_inputs *in, const struct cvy_task *t, int64_t epoch, int64_t position) {
    struct cvy_loader_spec spec = loader_spec(in, t, epoch, position);
    spec.stop = cvy_task_stop_wanted;
    spec.stop_arg = (void *)t;
    in->suiting = (struct cvy_suiting){cvy_graph_loss(t->graph), in->train->info.target, cvy_inputs_train_name(t),
                                       in->train->members};
    spec.check = cvy_suitable_batch;
    spec.check_arg = &in->suiting;
    spec.saves = true;
    return cvy_loader_create(&spec, &in->loader);
}

size_t cvy_inputs_bytes(const struct cvy_inputs *in, const struct cvy_task *t) {
    const struct cvy_loader_spec spec = loader_spec(in, t, 0, 0);
    size_t bytes = cvy_loader_bytes(&spec) + held(t, in->train);
    for (const struct cvy_input_set *set = in->sets; set < in->sets + CVY_SPLITS; set++)
        if (set->source) bytes += held(t, set->source);
    return bytes;
}

void cvy_inputs_release(struct cvy_inputs *in) {
    cvy_loader_destroy(&in->loader);
    cvy_source_destroy(&in->train);
    for (int i = 0; i < CVY_SPLITS; i++) cvy_source_destroy(&in->sets[i].source);
}

void cvy_inputs_close(struct cvy_inputs *in) {
    cvy_inputs_release(in);
    cvy_augment_destroy(&in->augment);
    for (int i = 0; i < CVY_SPLITS; i++) cvy_augment_destroy(&in->sets[i].normalize);
    cvy_free(in->mean);
    cvy_free(in->std);
}
