/* The memory of a session: what its parts are made of, how much that takes, and making them. */
#include "core/memory.h"
#include "core/share.h"
#include "train/machine.h"
#include "train/session_parts.h"

struct cvy_epoch_plan cvy_session_first_epoch(const struct cvy_session *s) {
    struct cvy_epoch_plan plan = s->plan;
    plan.start = s->state.position;
    return plan;
}

/* Unless there are batches of so many leaves already. */
static void add_size(struct cvy_exchange_plan *plan, int leaves) {
    int i = 0;
    while (plan->leaves[i] != 0 && plan->leaves[i] != leaves) i++;
    plan->leaves[i] = leaves;
}

struct cvy_exchange_plan cvy_session_exchange_plan(const struct cvy_session *s) {
    struct cvy_exchange_plan plan = {.floats = s->releases ? s->graph->buffers.stored : cvy_layout_leaf(s->graph),
                                     .bucket_floats = (size_t)(s->experiment->bucket_mib * (1 << 20) / sizeof(float)),
                                     .values = CVY_VALUES,
                                     .reduction = s->experiment->reduction == CVY_SUM_FAST ? CVY_REDUCTION_FAST
                                                                                           : CVY_REDUCTION_EXACT};
    const struct cvy_epoch_plan first = cvy_session_first_epoch(s);
    plan.leaves[0] = cvy_batch_plan_at(&s->plan, 0).leaves;
    add_size(&plan, cvy_batch_plan_at(&s->plan, cvy_epoch_steps(&s->plan) - 1).leaves);
    add_size(&plan, cvy_batch_plan_at(&first, cvy_epoch_steps(&first) - 1).leaves);
    return plan;
}

bool cvy_session_can_release(const struct cvy_session *s) {
    const struct cvy_exchange_plan plan = cvy_session_exchange_plan(s);
    return s->ranks == 1 && plan.leaves[0] == 1 && plan.leaves[1] == 0 && !cvy_graph_has_partials(s->graph) &&
           !cvy_gradient_needs_all(&s->experiment->gradient);
}

/* Leaves that this rank holds at most. */
static int own_leaves(const struct cvy_session *s) {
    struct cvy_exchange_plan plan = cvy_session_exchange_plan(s);
    int most = 0;
    for (int i = 0; i < CVY_EXCHANGE_SIZES; i++) {
        int first, end;
        cvy_share(plan.leaves[i], s->rank, s->ranks, &first, &end);
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
                                 .seed = (uint64_t)s->experiment->seed,
                                 .recompute = s->experiment->recompute};
}

struct cvy_loader_spec cvy_session_loader_spec(const struct cvy_session *s) {
    return (struct cvy_loader_spec){.source = s->train,
                                    .augment = s->augment,
                                    .plan = cvy_session_first_epoch(s),
                                    .seed = (uint64_t)s->experiment->seed,
                                    .training = true,
                                    .rank = s->rank,
                                    .ranks = s->ranks,
                                    .epoch = (uint32_t)s->state.epoch};
}

static bool averages(const struct cvy_session *s) {
    return s->experiment->ema_decay > 0;
}

struct cvy_vectors cvy_session_vectors(struct cvy_session *s) {
    return (struct cvy_vectors){
        .net = s->net, .optimizer = &s->optimizer, .ema = s->ema, .ema_buffers = s->ema_buffers};
}

static size_t net_bytes(const struct cvy_session *s, enum cvy_mode mode) {
    struct cvy_plan plan;
    struct cvy_net_spec spec = net_spec(s, mode);
    if (cvy_plan_with(s->graph, mode, spec.leaf, spec.leaves, s->ctx->compute->threads, spec.recompute, &plan) !=
        CVY_OK)
        return 0;
    size_t bytes = cvy_plan_bytes(&plan) + (mode == CVY_TRAIN ? s->graph->params.stored * sizeof(float) : 0);
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
                                   .values = s->ema,
                                   .statistics = s->ema_buffers};
}

size_t cvy_session_bytes(const struct cvy_session *s) {
    struct cvy_exchange_plan plan = cvy_session_exchange_plan(s);
    struct cvy_loader_spec loader = cvy_session_loader_spec(s);
    struct cvy_evaluation evaluation = evaluation_of(s);
    size_t bytes = net_bytes(s, CVY_TRAIN) + (s->test ? net_bytes(s, CVY_EVALUATE) : 0);
    bytes += cvy_exchange_bytes(&plan, s->rank, s->ranks);
    if (s->releases) bytes += cvy_release_bytes(s->graph);
    bytes += (size_t)s->optimizer.slots * s->graph->params.stored * sizeof(float);
    if (averages(s)) bytes += (s->graph->params.stored + s->graph->buffers.stored) * sizeof(float);
    bytes += cvy_loader_bytes(&loader) + cvy_session_held_bytes(s, s->train);
    if (s->test) bytes += cvy_evaluation_bytes(&evaluation) + cvy_session_held_bytes(s, s->test);
    if (s->rank == 0) bytes += cvy_state_bytes(s->graph, s->optimizer.slots, averages(s));
    return bytes;
}

cvy_status cvy_session_check_memory(const struct cvy_session *s) {
    const size_t need = cvy_session_bytes(s), here = (size_t)cvy_machine_resident_bytes();
    int64_t available = cvy_machine_free_bytes() / cvy_comm_local_size(s->ctx->comm);
    cvy_info(s->ctx->log, "%s: %lld parameters, %.0f MiB a rank (%d ranks × %d threads, %s)", s->experiment->name,
             (long long)cvy_params_count(&s->graph->params), (double)(need + here) / (1 << 20), s->ranks,
             s->ctx->compute->threads, cvy_session_isa(s));
    CVY_CHECK(
        available <= 0 || need < (size_t)available, CVY_ERR_USAGE,
        "a rank needs %.1f GiB, %.1f GiB are free for each of the %d ranks of this host; lower train.leaf or start "
        "fewer ranks a host",
        (double)need / (1 << 30), (double)available / (1 << 30), cvy_comm_local_size(s->ctx->comm));
    return CVY_OK;
}

cvy_status cvy_session_allocate(struct cvy_session *s) {
    struct cvy_net_spec train = net_spec(s, CVY_TRAIN), test = net_spec(s, CVY_EVALUATE);
    int leaves = own_leaves(s);
    CVY_TRY(cvy_net_create(&train, &s->net));
    if (s->test) CVY_TRY(cvy_net_create_follower(&test, &s->test_net));
    if (s->releases) CVY_TRY(cvy_release_create(s->graph, &s->release));
    if (averages(s)) CVY_TRY(CVY_NEW(&s->ema, s->graph->params.stored, optimizer));
    if (averages(s)) CVY_TRY(CVY_NEW(&s->ema_buffers, s->graph->buffers.stored, optimizer));
    s->evaluation = evaluation_of(s);
    if (s->test) CVY_TRY(cvy_evaluation_create(&s->evaluation));
    CVY_TRY(CVY_NEW(&s->losses, leaves, general));
    CVY_TRY(CVY_NEW(&s->sizes, leaves, general));
    CVY_TRY(CVY_NEW(&s->values, leaves * CVY_VALUES, general));
    return CVY_OK;
}
