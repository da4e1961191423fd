/* The data of a session: its two sets opened, checked against the network and each other, cut into batches. */
#include "train/datasets.h"
#include "train/machine.h"
#include "train/session_parts.h"

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

static cvy_status open_source(const struct cvy_session *s, const struct cvy_data_source *own,
                              const struct cvy_dataset_spec *spec, struct cvy_source **out) {
    if (own) return cvy_datasets_wrap(s->experiment, s->graph, own, out);
    return cvy_datasets_open(s->experiment, s->graph, spec, data_budget(s), out);
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
    const char *train = cvy_session_train_name(s), *test = o->test ? "the program's test data" : e->test.file;
    CVY_TRY(open_source(s, o->train, &e->train, &s->train));
    if (test) {
        CVY_TRY(open_source(s, o->test, &e->test, &s->test));
        CVY_TRY(cvy_datasets_compare(s->train, train, s->test, test));
    }
    CVY_TRY(cvy_datasets_check(s->graph, s->train, train));
    if (test) CVY_TRY(cvy_datasets_check(s->graph, s->test, test));
    s->scale = cvy_scale_of(s->graph, e->peak);
    warn_of_idle_outputs(s);
    return check_schedule(s);
}

static cvy_status create_augment(struct cvy_session *s, const struct cvy_node *list, struct cvy_augment **out) {
    const struct cvy_dataset_info *info = &s->train->info;
    return cvy_datasets_augment(s->experiment, info, list, info->mean, info->std, out);
}

static cvy_status check_leaves(const struct cvy_session *s) {
    int leaves = s->plan.batch / s->plan.leaf, ranks = s->ranks;
    CVY_CHECK(
        ranks <= leaves, CVY_ERR_USAGE,
        "%d ranks, but a batch of %d has only %d leaves of %d samples; start at most %d ranks, or lower train.leaf",
        ranks, s->plan.batch, leaves, s->plan.leaf, leaves);
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
    s->plan = (struct cvy_epoch_plan){s->train->info.count, (int)e->batch, (int)e->leaf, e->last_batch == 1};
    CVY_CHECK(cvy_epoch_steps(&s->plan) > 0, CVY_ERR_USAGE,
              "%s has %lld samples, fewer than a batch of %d, and train.last_batch is drop; lower train.batch",
              cvy_session_train_name(s), (long long)s->plan.count, s->plan.batch);
    CVY_TRY(create_augment(s, e->augment, &s->augment));
    if (s->test) {
        s->test_plan = (struct cvy_epoch_plan){s->test->info.count, s->plan.batch, s->plan.leaf, false};
        CVY_TRY(create_augment(s, NULL, &s->normalize));
    }
    CVY_TRY(check_samples(s));
    return check_leaves(s);
}
