#include "train/session.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/share.h"
#include "train/checkpoints.h"
#include "train/coordinator.h"
#include "train/datasets.h"
#include "train/machine.h"

/* ---- The experiment: rank 0 reads, checks and hands it to all ---- */

static cvy_status share_experiment(struct cvy_session *s) {
    struct cvy_comm *comm = s->ctx->comm;
    const struct cvy_train_options *o = s->options;
    struct cvy_buf text = {0};
    void *bytes = NULL;
    size_t size = 0;
    cvy_status status = CVY_OK;
    if (cvy_comm_rank(comm) == 0) {
        status = cvy_experiment_load(o->experiment, o->set, o->set_count, &s->experiment);
        if (status == CVY_OK) status = cvy_experiment_emit(s->experiment, &text);
        bytes = text.data;
        size = text.size;
    }
    status = cvy_comm_follow(comm, status);
    if (status == CVY_OK) status = cvy_comm_bcast_blob(comm, &bytes, &size);
    if (cvy_comm_rank(comm) > 0 && status == CVY_OK) {
        status = cvy_experiment_parse("experiment", bytes, size, &s->experiment);
        cvy_free(bytes);
    }
    cvy_buf_destroy(&text);
    if (status == CVY_OK) s->ctx->compute->winograd = s->experiment->winograd;
    return cvy_comm_agree(comm, status);
}

/* ---- The graph, and what the experiment needs of it ---- */

static cvy_status check_learning(const struct cvy_session *s) {
    const struct cvy_params *params = &s->graph->params;
    bool any = params->count == 0;
    for (int i = 0; i < params->count; i++) any |= params->items[i].lr_factor != 0;
    CVY_CHECK(any, CVY_ERR_USAGE, "%s: every layer is frozen, nothing would learn; drop frozen from one",
              s->options->experiment);
    return CVY_OK;
}

static cvy_status build_graph(struct cvy_session *s) {
    const struct cvy_experiment *e = s->experiment;
    CVY_TRY(cvy_graph_create(e->model, e->loss, &s->graph));
    cvy_graph_set_precision(s->graph, cvy_experiment_precision(e));
    CVY_TRY(check_learning(s));
    CVY_TRY(cvy_schedule_create(e->learning_rate, &s->schedule));
    CVY_CHECK(
        s->schedule.kind->observe == NULL || s->options->test || e->test.file, CVY_ERR_USAGE,
        "%s: learning_rate: %s goes by evaluations, and there is no data.test; name one, or choose another schedule",
        s->options->experiment, s->schedule.kind->name);
    double ratio = (double)e->batch / (double)e->reference_batch;
    s->lr_factor = e->lr_scaling == 0 ? 1 : e->lr_scaling == 1 ? ratio : sqrt(ratio);
    return CVY_OK;
}

static cvy_status check_leaves(const struct cvy_session *s) {
    int leaves = s->plan.batch / s->plan.leaf, ranks = cvy_comm_size(s->ctx->comm);
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

/* ---- Data ---- */

/* A data set no larger than this is held in memory. */
static int64_t data_budget(const struct cvy_session *s) {
    return cvy_machine_free_bytes() / 4 / cvy_comm_local_size(s->ctx->comm);
}

static const char *train_name(const struct cvy_session *s) {
    return s->options->train ? "the program's training data" : s->experiment->train.file;
}

static size_t held_bytes(const struct cvy_session *s, const struct cvy_source *source) {
    return source->info.bytes <= data_budget(s) ? (size_t)source->info.bytes : 0;
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
             train_name(s), info->classes, loss->classes);
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
    const char *train = train_name(s), *test = o->test ? "the program's test data" : e->test.file;
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

static cvy_status open_data(struct cvy_session *s) {
    const struct cvy_experiment *e = s->experiment;
    CVY_CHECK(train_name(s) != NULL, CVY_ERR_USAGE,
              "%s: data.train is missing; name a data set (convoy data pack makes one)", s->options->experiment);
    CVY_TRY(open_sources(s));
    s->plan = (struct cvy_epoch_plan){s->train->info.count, (int)e->batch, (int)e->leaf, e->last_batch == 1};
    CVY_CHECK(cvy_epoch_steps(&s->plan) > 0, CVY_ERR_USAGE,
              "%s has %lld samples, fewer than a batch of %d, and train.last_batch is drop; lower train.batch",
              train_name(s), (long long)s->plan.count, s->plan.batch);
    CVY_TRY(create_augment(s, e->augment, &s->augment));
    if (s->test) {
        s->test_plan = (struct cvy_epoch_plan){s->test->info.count, s->plan.batch, s->plan.leaf, false};
        CVY_TRY(create_augment(s, NULL, &s->normalize));
    }
    CVY_TRY(check_samples(s));
    return check_leaves(s);
}

/* ---- Memory ---- */

const char *cvy_session_isa(const struct cvy_session *s) {
    const struct cvy_compute *compute = s->ctx->compute;
    return cvy_isa_name(s->graph->precision == CVY_F32 ? compute->isa : compute->level);
}

static struct cvy_exchange_plan exchange_plan(const struct cvy_session *s) {
    struct cvy_exchange_plan plan = {.floats =
                                         s->releases ? s->graph->buffers.stored : cvy_graph_gradient_floats(s->graph),
                                     .bucket_floats = (size_t)(s->experiment->bucket_mib * (1 << 20) / sizeof(float)),
                                     .values = CVY_VALUES,
                                     .reduction = s->experiment->reduction ? CVY_REDUCTION_FAST : CVY_REDUCTION_EXACT};
    int64_t steps = cvy_epoch_steps(&s->plan);
    plan.leaves[0] = cvy_batch_plan_at(&s->plan, 0).leaves;
    int last = cvy_batch_plan_at(&s->plan, steps - 1).leaves;
    plan.leaves[1] = last == plan.leaves[0] ? 0 : last;
    return plan;
}

/* Nothing to sum, one pass over the one leaf, and no rule that sees the whole gradient. */
static bool can_release(const struct cvy_session *s) {
    const struct cvy_exchange_plan plan = exchange_plan(s);
    return cvy_comm_size(s->ctx->comm) == 1 && plan.leaves[0] == 1 && plan.leaves[1] <= 1 &&
           !cvy_graph_has_partials(s->graph) && !cvy_gradient_needs_all(&s->experiment->gradient);
}

/* Leaves that this rank holds at most. */
static int own_leaves(const struct cvy_session *s) {
    struct cvy_exchange_plan plan = exchange_plan(s);
    int most = 0;
    for (int i = 0; i < 2; i++) {
        int first, end;
        cvy_share(plan.leaves[i], cvy_comm_rank(s->ctx->comm), cvy_comm_size(s->ctx->comm), &first, &end);
        if (end - first > most) most = end - first;
    }
    return most;
}

static struct cvy_net_spec net_spec(const struct cvy_session *s, enum cvy_mode mode) {
    return (struct cvy_net_spec){.graph = s->graph,
                                 .compute = s->ctx->compute,
                                 .mode = mode,
                                 .leaf = s->plan.leaf,
                                 .leaves = mode == CVY_TRAIN ? own_leaves(s) : 1,
                                 .seed = (uint64_t)s->experiment->seed};
}

static struct cvy_loader_spec loader_spec(const struct cvy_session *s) {
    return (struct cvy_loader_spec){.source = s->train,
                                    .augment = s->augment,
                                    .plan = s->plan,
                                    .seed = (uint64_t)s->experiment->seed,
                                    .training = true,
                                    .rank = cvy_comm_rank(s->ctx->comm),
                                    .ranks = cvy_comm_size(s->ctx->comm),
                                    .epoch = (uint32_t)s->state.epoch,
                                    .step = s->state.position / s->plan.batch};
}

/* Vectors of the size of the parameters beside them: the optimiser's slots and the average. */
static int more_vectors(const struct cvy_session *s) {
    return s->optimizer.slots + (s->experiment->ema_decay > 0);
}

struct cvy_vectors cvy_session_vectors(struct cvy_session *s) {
    return (struct cvy_vectors){s->net, &s->optimizer, s->ema};
}

static size_t net_bytes(const struct cvy_session *s, enum cvy_mode mode) {
    struct cvy_plan plan;
    struct cvy_net_spec spec = net_spec(s, mode);
    if (cvy_plan_create(s->graph, mode, spec.leaf, spec.leaves, s->ctx->compute->threads, &plan) != CVY_OK) return 0;
    size_t bytes = cvy_plan_bytes(&plan) + s->graph->params.stored * sizeof(float);
    cvy_plan_destroy(&plan);
    return bytes;
}

static struct cvy_evaluation evaluation_of(const struct cvy_session *s) {
    return (struct cvy_evaluation){.ctx = s->ctx,
                                   .net = s->test_net,
                                   .source = s->test,
                                   .normalize = s->normalize,
                                   .plan = s->test_plan,
                                   .like = s->net,
                                   .values = s->ema};
}

size_t cvy_session_bytes(const struct cvy_session *s) {
    struct cvy_exchange_plan plan = exchange_plan(s);
    struct cvy_loader_spec loader = loader_spec(s);
    struct cvy_evaluation evaluation = evaluation_of(s);
    size_t bytes = net_bytes(s, CVY_TRAIN) + (s->test ? net_bytes(s, CVY_EVALUATE) : 0);
    bytes += cvy_exchange_bytes(&plan, cvy_comm_rank(s->ctx->comm), cvy_comm_size(s->ctx->comm));
    if (s->releases) bytes += cvy_release_bytes(s->graph);
    bytes += (size_t)more_vectors(s) * s->graph->params.stored * sizeof(float);
    bytes += cvy_loader_bytes(&loader) + held_bytes(s, s->train);
    if (s->test) bytes += cvy_evaluation_bytes(&evaluation) + held_bytes(s, s->test);
    if (cvy_comm_rank(s->ctx->comm) == 0) bytes += cvy_snapshot_bytes(s->graph, more_vectors(s));
    return bytes;
}

static cvy_status check_memory(const struct cvy_session *s) {
    const size_t need = cvy_session_bytes(s), here = (size_t)cvy_machine_resident_bytes();
    int64_t available = cvy_machine_free_bytes() / cvy_comm_local_size(s->ctx->comm);
    cvy_info(s->ctx->log, "%s: %lld parameters, %.0f MiB a rank (%d ranks × %d threads, %s)", s->experiment->name,
             (long long)cvy_params_count(&s->graph->params), (double)(need + here) / (1 << 20),
             cvy_comm_size(s->ctx->comm), s->ctx->compute->threads, cvy_session_isa(s));
    CVY_CHECK(
        available <= 0 || need < (size_t)available, CVY_ERR_USAGE,
        "a rank needs %.1f GiB, %.1f GiB are free for each of the %d ranks of this host; lower train.leaf or start "
        "fewer ranks a host",
        (double)need / (1 << 30), (double)available / (1 << 30), cvy_comm_local_size(s->ctx->comm));
    return CVY_OK;
}

static cvy_status allocate(struct cvy_session *s) {
    struct cvy_net_spec train = net_spec(s, CVY_TRAIN), test = net_spec(s, CVY_EVALUATE);
    int leaves = own_leaves(s);
    CVY_TRY(cvy_net_create(&train, &s->net));
    if (s->test) CVY_TRY(cvy_net_create(&test, &s->test_net));
    if (s->releases) CVY_TRY(cvy_release_create(s->graph, &s->release));
    if (s->experiment->ema_decay > 0) CVY_TRY(CVY_NEW(&s->ema, s->graph->params.stored, optimizer));
    s->evaluation = evaluation_of(s);
    if (s->test) CVY_TRY(cvy_evaluation_create(&s->evaluation));
    CVY_TRY(CVY_NEW(&s->losses, leaves, general));
    CVY_TRY(CVY_NEW(&s->sizes, leaves, general));
    CVY_TRY(CVY_NEW(&s->values, leaves * CVY_VALUES, general));
    return CVY_OK;
}

/* ---- Starting values ---- */

static cvy_status check_resume(struct cvy_session *s, struct cvy_ckpt *ckpt) {
    struct cvy_buf text = {0};
    struct cvy_experiment *before = NULL;
    int64_t digest;
    const char *isa;
    CVY_TRY(cvy_ckpt_int(ckpt, "train_digest", &digest));
    CVY_CHECK(
        (uint64_t)digest == s->train->info.digest, CVY_ERR_DATA,
        "%s: not the data that the run was trained on (its digest differs); give the same data, or start a new run",
        train_name(s));
    CVY_TRY(cvy_ckpt_text(ckpt, "isa", &isa));
    if (strcmp(isa, cvy_session_isa(s)) != 0)
        cvy_warn(s->ctx->log, "the run was at ISA level %s and goes on at %s: bits may differ", isa,
                 cvy_session_isa(s));
    cvy_status status = cvy_ckpt_blob(ckpt, "experiment", &text);
    if (status == CVY_OK) status = cvy_experiment_parse("the run", cvy_buf_text(&text), text.size, &before);
    if (status == CVY_OK)
        status =
            cvy_experiment_compare(before, s->experiment, s->options->allow_change, s->options->allow_change_count);
    cvy_experiment_destroy(&before);
    cvy_buf_destroy(&text);
    return status;
}

static cvy_status resume(struct cvy_session *s) {
    struct cvy_ckpt *ckpt;
    const struct cvy_vectors vectors = cvy_session_vectors(s);
    CVY_TRY(cvy_ckpt_open(s->resume_from, &ckpt));
    cvy_status status = check_resume(s, ckpt);
    if (status == CVY_OK) status = cvy_state_restore(ckpt, NULL, &vectors, &s->state);
    cvy_ckpt_close(&ckpt);
    if (status == CVY_OK)
        cvy_info(s->ctx->log, "resuming from %s: step %lld, epoch %lld, sample %lld", s->resume_from,
                 (long long)s->state.step, (long long)s->state.epoch + 1, (long long)s->state.position);
    return status;
}

static cvy_status initialize_from(struct cvy_session *s) {
    struct cvy_ckpt *ckpt;
    char path[CVY_PATH_MAX];
    CVY_TRY(cvy_checkpoint_find(s->experiment->init_from, s->ctx->log, path));
    CVY_TRY(cvy_ckpt_open(path, &ckpt));
    cvy_status status = cvy_state_restore(ckpt, s->experiment->init_except, &(struct cvy_vectors){.net = s->net}, NULL);
    cvy_ckpt_close(&ckpt);
    if (status == CVY_OK) cvy_info(s->ctx->log, "starting from the weights of %s", path);
    return status;
}

/* Rank 0 reads; all get the same bytes. */
static cvy_status start_values(struct cvy_session *s) {
    struct cvy_comm *comm = s->ctx->comm;
    size_t bytes = s->graph->params.stored * sizeof(float);
    cvy_status status = CVY_OK;
    if (s->resume_from[0])
        status = resume(s);
    else if (cvy_comm_rank(comm) == 0 && s->experiment->init_from[0])
        status = initialize_from(s);
    CVY_TRY(cvy_comm_follow(comm, status));
    CVY_TRY(cvy_comm_bcast(comm, &s->state, sizeof s->state));
    CVY_TRY(cvy_comm_bcast(comm, cvy_net_values(s->net), bytes));
    CVY_TRY(cvy_comm_bcast(comm, cvy_net_buffers(s->net), s->graph->buffers.stored * sizeof(float)));
    for (int i = 0; i < s->optimizer.slots; i++) CVY_TRY(cvy_comm_bcast(comm, s->optimizer.slot[i], bytes));
    if (s->ema && !s->resume_from[0]) memcpy(s->ema, cvy_net_values(s->net), bytes); /* on rank 0 alone it matters */
    if (s->ema) CVY_TRY(cvy_comm_bcast(comm, s->ema, bytes));
    return CVY_OK;
}

/* ---- In order ---- */

static cvy_status create_parts(struct cvy_session *s) {
    struct cvy_comm *comm = s->ctx->comm;
    bool first = cvy_comm_rank(comm) == 0;
    CVY_TRY(share_experiment(s));
    CVY_TRY(cvy_comm_follow(comm, build_graph(s)));
    CVY_TRY(cvy_comm_agree(comm, open_data(s)));
    CVY_TRY(cvy_comm_same_u64(comm, s->graph->hash, "graph"));
    CVY_TRY(cvy_comm_agree(comm, cvy_optimizer_create(s->experiment->optimizer, &s->graph->params,
                                                      (enum cvy_decay_on)s->experiment->decay_on, &s->optimizer)));
    s->releases = can_release(s);
    CVY_TRY(cvy_comm_agree(comm, check_memory(s)));
    CVY_TRY(cvy_comm_follow(comm, first ? cvy_coordinator_choose(s) : CVY_OK));
    if (s->options->dry_run) return CVY_OK;
    CVY_TRY(cvy_comm_agree(comm, allocate(s)));
    struct cvy_exchange_plan plan = exchange_plan(s);
    plan.passes = cvy_net_plan(s->net)->segment_count > 1;
    CVY_TRY(cvy_exchange_create(comm, s->ctx->compute, &plan, &s->exchange));
    CVY_TRY(start_values(s));
    CVY_TRY(cvy_comm_follow(comm, first ? cvy_coordinator_create(s, &s->coordinator) : CVY_OK));
    struct cvy_loader_spec loader = loader_spec(s);
    return cvy_comm_agree(comm, cvy_loader_create(&loader, &s->loader));
}

cvy_status cvy_session_create(struct cvy_context *ctx, const struct cvy_train_options *options,
                              struct cvy_session **out) {
    cvy_status status = CVY_NEW(out, 1, general);
    if (status != CVY_OK) return cvy_context_alone(ctx, status);
    (*out)->ctx = ctx;
    (*out)->options = options;
    (*out)->lock = -1;
    (*out)->started = cvy_clock();
    status = create_parts(*out);
    if (status != CVY_OK) cvy_session_destroy(out);
    return status;
}

void cvy_session_destroy(struct cvy_session **out) {
    struct cvy_session *s = *out;
    if (s == NULL) return;
    cvy_coordinator_destroy(&s->coordinator);
    if (s->lock >= 0) close(s->lock);
    cvy_loader_destroy(&s->loader);
    cvy_evaluation_destroy(&s->evaluation);
    cvy_exchange_destroy(&s->exchange);
    cvy_release_destroy(&s->release);
    cvy_optimizer_destroy(&s->optimizer);
    cvy_schedule_destroy(&s->schedule);
    cvy_net_destroy(&s->net);
    cvy_net_destroy(&s->test_net);
    cvy_free(s->ema);
    cvy_free(s->losses);
    cvy_free(s->sizes);
    cvy_free(s->values);
    cvy_augment_destroy(&s->augment);
    cvy_augment_destroy(&s->normalize);
    cvy_source_destroy(&s->train);
    cvy_source_destroy(&s->test);
    cvy_graph_destroy(&s->graph);
    cvy_experiment_destroy(&s->experiment);
    CVY_DELETE(out);
}
