#include "train/inputs.h"

#include <stdio.h>

#include "core/memory.h"
#include "experiment/leaf.h"
#include "train/datasets.h"
#include "core/machine.h"

enum { SMALL_CHUNK = 256 << 10 }; /* bytes; what it costs to inflate that many is not worth a word */

/* A data set no larger than this is held in memory. */
int64_t cvy_inputs_budget(const struct cvy_task *t) {
    return cvy_machine_free_bytes() / 4 / cvy_comm_local_size(t->ctx->comm);
}

size_t cvy_inputs_held(const struct cvy_task *t, const struct cvy_source *source) {
    return source->info.bytes <= cvy_inputs_budget(t) ? (size_t)source->info.bytes : 0;
}

const char *cvy_inputs_train_name(const struct cvy_task *t) {
    return t->options->train ? "the program's training data" : t->experiment->train.file;
}

const char *cvy_inputs_test_name(const struct cvy_task *t) {
    return t->options->test ? "the program's test data" : t->experiment->test.file;
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
    CVY_TRY(cvy_datasets_open(t->experiment, t->graph, &how, cvy_inputs_budget(t), out));
    if ((*out)->info.unwritten)
        cvy_warn(t->ctx->log, "%s: %lld %s of its data %s never written; it reads as zeros there; is it complete?",
                 spec->file, (long long)(*out)->info.unwritten,
                 cvy_plural((double)(*out)->info.unwritten, "chunk", "chunks"),
                 cvy_plural((double)(*out)->info.unwritten, "was", "were"));
    if (first == NULL && (*out)->info.inflated > SMALL_CHUNK && cvy_inputs_held(t, *out) == 0)
        cvy_warn(
            t->ctx->log,
            "%s: is too large to be held in memory, and each sample that is read of it at random inflates a chunk of "
            "%.1f MiB; convoy data pack makes a set that is read sample by sample",
            spec->file, (double)(*out)->info.inflated / (1 << 20));
    return CVY_OK;
}

cvy_status cvy_inputs_open(struct cvy_inputs *in, const struct cvy_task *t) {
    const struct cvy_experiment *e = t->experiment;
    const struct cvy_train_options *o = t->options;
    const char *train = cvy_inputs_train_name(t), *test = cvy_inputs_test_name(t);
    CVY_CHECK(cvy_inputs_train_name(t) != NULL, CVY_ERR_USAGE,
              "%s: data.train is missing; name a data set (convoy data pack makes one)", t->options->experiment);
    CVY_TRY(open_source(t, o->train, &e->train, NULL, &in->train));
    in->plan = (struct cvy_epoch_plan){in->train->info.count, (int)e->batch, (int)e->leaf,
                                       e->last_batch == CVY_LAST_BATCH_DROP, 0};
    CVY_TRY(cvy_datasets_check(t->graph, in->train, train));
    if (test) {
        CVY_TRY(open_source(t, o->test, &e->test, in->train, &in->test));
        CVY_TRY(cvy_datasets_compare(t->graph, in->train, train, in->test, test));
        cvy_datasets_tell_numbers(t->ctx->log, in->train->info.class_names, in->train->info.classes, &in->test->info,
                                  test);
    }
    if (test) CVY_TRY(cvy_datasets_check(t->graph, in->test, test));
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

/* The training data's augmentations and normalisation, and the test data's normalisation, which is the same on the test
 * data's own scale. */
cvy_status cvy_inputs_augment(struct cvy_inputs *in, const struct cvy_task *t, const double *mean, const double *std) {
    cvy_augment_destroy(&in->augment);
    cvy_augment_destroy(&in->normalize);
    const struct cvy_normalisation norm = {.mean = mean, .std = std, .factor = 1};
    CVY_TRY(cvy_datasets_augment(t->experiment, &in->train->info, t->experiment->augment, &norm, &in->augment));
    if (in->test == NULL) return CVY_OK;
    const struct cvy_normalisation test = {.mean = mean, .std = std, .factor = in->test_factor};
    return cvy_datasets_augment(t->experiment, &in->test->info, NULL, &test, &in->normalize);
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
              "%s has %lld %s, fewer than a batch of %d, and train.last_batch is drop; lower train.batch to at most "
              "%lld, or take --set train.last_batch=partial",
              cvy_inputs_train_name(t), (long long)in->plan.count,
              cvy_plural((double)in->plan.count, "sample", "samples"), in->plan.batch, (long long)in->plan.count);
    if (in->test)
        in->test_plan = (struct cvy_epoch_plan){in->test->info.count, in->plan.batch, in->plan.leaf, false, 0};
    in->test_factor = 1;
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
    in->suiting = (struct cvy_suiting){cvy_graph_loss(t->graph), in->train->info.target, cvy_inputs_train_name(t)};
    spec.check = cvy_suitable_batch;
    spec.check_arg = &in->suiting;
    spec.saves = true;
    return cvy_loader_create(&spec, &in->loader);
}

size_t cvy_inputs_bytes(const struct cvy_inputs *in, const struct cvy_task *t) {
    const struct cvy_loader_spec spec = loader_spec(in, t, 0, 0);
    const size_t test = in->test ? cvy_inputs_held(t, in->test) : 0;
    return cvy_loader_bytes(&spec) + cvy_inputs_held(t, in->train) + test;
}

void cvy_inputs_release(struct cvy_inputs *in) {
    cvy_loader_destroy(&in->loader);
    cvy_source_destroy(&in->train);
    cvy_source_destroy(&in->test);
}

void cvy_inputs_close(struct cvy_inputs *in) {
    cvy_inputs_release(in);
    cvy_augment_destroy(&in->augment);
    cvy_augment_destroy(&in->normalize);
    cvy_free(in->mean);
    cvy_free(in->std);
}
