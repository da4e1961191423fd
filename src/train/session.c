#include "train/session.h"

#include <math.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/memory.h"
#include "train/coordinator.h"
#include "train/session_parts.h"

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
    return cvy_comm_agree(comm, status);
}

/* ---- The graph, and what the experiment needs of it ---- */

/* Weights are there, and every layer of them was frozen. */
static bool all_frozen(const struct cvy_graph *graph) {
    bool frozen = false;
    for (int i = 0; i < graph->node_count; i++) frozen |= graph->nodes[i].op.params > 0 && graph->nodes[i].op.frozen;
    return frozen && !cvy_params_learn(&graph->params);
}

static cvy_status check_learning(const struct cvy_session *s) {
    CVY_CHECK(!all_frozen(s->graph), CVY_ERR_USAGE,
              "%s: every layer is frozen, nothing would learn; drop frozen from one", s->options->experiment);
    return CVY_OK;
}

static cvy_status build_graph(struct cvy_session *s) {
    const struct cvy_experiment *e = s->experiment;
    CVY_TRY(cvy_experiment_graph(e, e->loss, &s->graph));
    CVY_TRY(check_learning(s));
    CVY_TRY(cvy_schedule_create(e->learning_rate, &s->schedule));
    CVY_CHECK(
        s->schedule.kind->observe == NULL || s->options->test || e->test.file, CVY_ERR_USAGE,
        "%s: learning_rate: %s goes by evaluations, and there is no data.test; name one, or choose another schedule",
        s->options->experiment, s->schedule.kind->name);
    const double ratio = (double)e->batch / (double)e->reference_batch;
    const double factors[] = {
        [CVY_LR_SCALING_NONE] = 1, [CVY_LR_SCALING_LINEAR] = ratio, [CVY_LR_SCALING_SQRT] = sqrt(ratio)};
    s->lr_factor = factors[e->lr_scaling];
    return CVY_OK;
}

const char *cvy_session_isa(const struct cvy_session *s) {
    const struct cvy_compute *compute = s->ctx->compute;
    return cvy_isa_name(s->graph->precision == CVY_F32 ? compute->isa : compute->level);
}

/* ---- In order ---- */

cvy_status cvy_session_plan(struct cvy_session *s) {
    const struct cvy_experiment *e = s->experiment;
    CVY_TRY(build_graph(s));
    CVY_TRY(cvy_session_open_data(s));
    CVY_TRY(cvy_optimizer_create(e->optimizer, &s->graph->params, e->decay_on, &s->optimizer));
    s->releases = cvy_session_can_release(s);
    return CVY_OK;
}

static cvy_status create_parts(struct cvy_session *s) {
    struct cvy_comm *comm = s->ctx->comm;
    bool first = s->rank == 0;
    CVY_TRY(share_experiment(s));
    CVY_TRY(cvy_comm_agree(comm, cvy_session_plan(s)));
    CVY_TRY(cvy_comm_same_u64(comm, s->graph->hash, "graph"));
    CVY_TRY(cvy_session_compare_data(s));
    cvy_session_say_doubts(s);
    cvy_session_warn_of_noise(s);
    CVY_TRY(cvy_comm_agree(comm, cvy_session_check_memory(s)));
    CVY_TRY(cvy_comm_follow(comm, first ? cvy_coordinator_choose(s) : CVY_OK));
    if (s->options->dry_run) return CVY_OK;
    CVY_TRY(cvy_session_find_place(s));
    CVY_TRY(cvy_session_normalize(s));
    CVY_TRY(cvy_comm_agree(comm, cvy_session_allocate(s)));
    struct cvy_exchange_plan plan = cvy_session_exchange_plan(s);
    plan.passes = cvy_net_plan(s->net)->segment_count > 1;
    CVY_TRY(cvy_exchange_create(comm, s->ctx->compute, &plan, &s->exchange));
    CVY_TRY(cvy_session_start_values(s));
    CVY_TRY(cvy_comm_follow(comm, first ? cvy_coordinator_create(s, &s->coordinator) : CVY_OK));
    struct cvy_loader_spec loader = cvy_session_loader_spec(s);
    return cvy_comm_agree(comm, cvy_loader_create(&loader, &s->loader));
}

cvy_status cvy_session_create(struct cvy_context *ctx, const struct cvy_train_options *options,
                              struct cvy_session **out) {
    cvy_status status = CVY_NEW(out, 1, general);
    if (status != CVY_OK) return cvy_context_alone(ctx, status);
    (*out)->ctx = ctx;
    (*out)->rank = cvy_comm_rank(ctx->comm);
    (*out)->ranks = cvy_comm_size(ctx->comm);
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
    cvy_free(s->mean);
    cvy_free(s->std);
    cvy_ckpt_close(&s->ckpt);
    cvy_experiment_destroy(&s->before);
    cvy_free(s->ema);
    cvy_free(s->ema_buffers);
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
