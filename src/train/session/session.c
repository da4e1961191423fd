#include "train/session/session.h"

#include <math.h>

#include "comm/network.h"
#include "core/clock.h"
#include "core/ints.h"
#include "core/memory.h"
#include "core/machine.h"
#include "train/session/start.h"

#define MEASURE_S 0.1

/* ---- What is known before memory is taken ---- */

static bool time_to_save(void *session) {
    return cvy_coordinator_is_time(((struct cvy_session *)session)->coordinator);
}

static struct cvy_engine_spec engine_spec(struct cvy_session *s) {
    const struct cvy_task *t = &s->task;
    const struct cvy_experiment *e = t->experiment;
    struct cvy_engine_spec spec = {.comm = t->ctx->comm,
                                   .rank = t->rank,
                                   .ranks = t->ranks,
                                   .compute = t->ctx->compute,
                                   .graph = t->graph,
                                   .target = s->inputs.train->info.target,
                                   .optimizer = e->optimizer,
                                   .decay_on = e->decay_on,
                                   .gradient = e->gradient,
                                   .ema_decay = e->ema_decay,
                                   .seed = (uint64_t)e->seed,
                                   .recompute = e->recompute,
                                   .leaf = s->inputs.plan.leaf,
                                   .bucket_floats = (size_t)(e->bucket_mib * (1 << 20) / sizeof(float)),
                                   .threads = t->threads,
                                   .reduction = e->reduction == CVY_REDUCTION_FAST ? &cvy_reduction_library
                                                                                   : cvy_reduction_at(e->algorithm - 1),
                                   .progress = e->progress,
                                   .stop = cvy_task_stop_wanted,
                                   .stop_arg = &s->task,
                                   .save = time_to_save,
                                   .save_arg = s};
    cvy_inputs_leaves(&s->inputs, 0, spec.leaves);
    return spec;
}

/* The process differs by some pages from call to call, and what is said of it should not: in whole pieces. */
static void look_at_memory(struct cvy_session *s) {
    const int64_t piece = (int64_t)4 << 20;
    s->resident = cvy_round_up(cvy_machine_resident_bytes(), piece);
    s->available = cvy_machine_free_bytes();
}

cvy_status cvy_session_plan(struct cvy_session *s) {
    look_at_memory(s);
    CVY_TRY(cvy_task_build(&s->task));
    CVY_TRY(cvy_inputs_open(&s->inputs, &s->task));
    cvy_inputs_say_doubts(&s->inputs, &s->task);
    CVY_TRY(cvy_task_bind_target(&s->task));
    CVY_TRY(cvy_inputs_cut(&s->inputs, &s->task));
    const struct cvy_engine_spec spec = engine_spec(s);
    return cvy_engine_open(&spec, &s->engine);
}

/* ---- Memory ---- */

static struct cvy_evaluation evaluation_of(struct cvy_session *s, enum cvy_split split) {
    const struct cvy_input_set *set = &s->inputs.sets[split];
    return (struct cvy_evaluation){.ctx = s->task.ctx,
                                   .net = s->evaluator,
                                   .source = set->source,
                                   .name = cvy_inputs_set_name(&s->task, split),
                                   .normalize = set->normalize,
                                   .plan = set->plan,
                                   .like = s->engine.net,
                                   .parameters = s->engine.ema,
                                   .statistics = s->engine.ema_buffers,
                                   .stop = cvy_task_stop_wanted,
                                   .stop_arg = &s->task};
}

static size_t taken(const struct cvy_session *s) {
    const struct cvy_net_spec net = cvy_engine_net(&s->engine, CVY_EVALUATE);
    size_t bytes = cvy_engine_bytes(&s->engine) + cvy_inputs_bytes(&s->inputs, &s->task);
    if (cvy_inputs_deciding(&s->inputs) < CVY_SPLITS) bytes += cvy_net_bytes(&net);
    for (const struct cvy_input_set *set = s->inputs.sets; set < s->inputs.sets + CVY_SPLITS; set++) {
        const struct cvy_evaluation evaluation = {.ctx = s->task.ctx, .source = set->source, .plan = set->plan};
        if (set->source) bytes += cvy_evaluation_bytes(&evaluation);
    }
    if (s->task.rank == 0)
        bytes += cvy_state_bytes(s->task.graph, s->engine.optimizer.slots, s->engine.spec.ema_decay > 0);
    return bytes;
}

int64_t cvy_session_bytes(const struct cvy_session *s) {
    return s->resident + (int64_t)taken(s);
}

/* Logs what a rank will need; CVY_ERR_USAGE when it is more than there is. Not collective. */
static cvy_status check_memory(const struct cvy_session *s) {
    const struct cvy_task *t = &s->task;
    const int64_t need = (int64_t)taken(s);
    const int64_t params = cvy_params_count(&t->graph->params);
    const int threads = t->ctx->compute->threads, local = cvy_comm_local_size(t->ctx->comm);
    const int64_t available = s->available / local;
    cvy_info(t->ctx->log, "%s: %lld %s, %.0f MiB a rank (%d %s × %d %s, %s)", t->experiment->name, (long long)params,
             cvy_plural((double)params, "parameter", "parameters"), (double)cvy_session_bytes(s) / (1 << 20), t->ranks,
             cvy_plural(t->ranks, "rank", "ranks"), threads, cvy_plural(threads, "thread", "threads"), cvy_task_isa(t));
    CVY_CHECK(available <= 0 || need < available, CVY_ERR_USAGE,
              "a rank needs %.1f GiB, %.1f GiB are free for each rank of this host (%d); lower train.leaf or start "
              "fewer ranks a host",
              (double)need / (1 << 30), (double)available / (1 << 30), local);
    return CVY_OK;
}

static cvy_status allocate(struct cvy_session *s) {
    const struct cvy_net_spec net = cvy_engine_net(&s->engine, CVY_EVALUATE);
    cvy_inputs_leaves(&s->inputs, s->engine.state.position, s->engine.spec.leaves);
    CVY_TRY(cvy_engine_allocate(&s->engine));
    if (cvy_inputs_deciding(&s->inputs) == CVY_SPLITS) return CVY_OK;
    CVY_TRY(cvy_net_create_follower(&net, &s->evaluator));
    for (enum cvy_split split = 0; split < CVY_SPLITS; split++) {
        if (s->inputs.sets[split].source == NULL) continue;
        s->evaluations[split] = evaluation_of(s, split);
        CVY_TRY(cvy_evaluation_create(&s->evaluations[split]));
    }
    return CVY_OK;
}

/* ---- In order ---- */

/* What messages between hosts cost, for a moment: by that reductions are chosen and buckets cut. */
static cvy_status measure_network(const struct cvy_session *s) {
    struct cvy_comm *comm = s->task.ctx->comm;
    struct cvy_network_points points;
    if (cvy_comm_hosts(comm) == 1) return CVY_OK;
    CVY_TRY(cvy_network_measure(comm, MEASURE_S, &points));
    if (points.outside.pairs == 0) return CVY_OK;
    const struct cvy_network network = {
        .inside = cvy_network_usual.inside, .outside = points.outside.fit, .copied = cvy_network_usual.copied};
    cvy_comm_set_network(comm, &network);
    cvy_info(s->task.ctx->log, "a message between hosts takes %.3g µs, and %.3g GB/s", 1e6 * network.outside.message,
             1e-9 / fmax(network.outside.byte, 1e-15));
    return CVY_OK;
}

/* All that can be known and refused before anything is trained. */
static cvy_status check_parts(struct cvy_session *s) {
    struct cvy_comm *comm = s->task.ctx->comm;
    CVY_TRY(cvy_task_share(&s->task));
    CVY_TRY(cvy_comm_min_int(comm, &s->task.threads));
    CVY_TRY(measure_network(s));
    CVY_TRY(cvy_comm_agree(comm, cvy_session_plan(s)));
    CVY_TRY(cvy_comm_same_u64(comm, s->task.graph->hash, "graph"));
    CVY_TRY(cvy_inputs_compare(&s->inputs, &s->task));
    cvy_task_say_doubts(&s->task);
    cvy_engine_warn_of_noise(&s->engine, s->task.ctx->log);
    CVY_TRY(cvy_comm_agree(comm, check_memory(s)));
    return cvy_comm_follow(comm, s->task.rank == 0 ? cvy_run_choose(&s->run, &s->task) : CVY_OK);
}

static cvy_status start_recording(struct cvy_session *s) {
    const struct cvy_coordinator_parts parts = {&s->task, &s->run, &s->inputs, &s->engine, s->evaluations};
    return cvy_coordinator_create(&parts, &s->coordinator);
}

/* How ranks sum their gradients. */
static void say_exchange(const struct cvy_session *s) {
    const struct cvy_exchange *x = s->engine.exchange;
    struct cvy_log *log = s->task.ctx->log;
    const int buckets = cvy_exchange_buckets(x);
    int largest = 0;
    size_t most = 0;
    if (s->task.ranks == 1 || buckets == 0) return;
    for (int b = 0; b < buckets; b++) {
        size_t first, end;
        cvy_exchange_bucket(x, b, &first, &end);
        if (end - first > most) most = end - first, largest = b;
    }
    cvy_info(log, "gradients are summed in %d %s of up to %.3g MiB by %s%s", buckets,
             cvy_plural(buckets, "bucket", "buckets"), (double)most * sizeof(float) / (1 << 20),
             cvy_reduction_name(cvy_exchange_reduction(x, largest)),
             cvy_exchange_has_thread(x) ? ", which a thread of its own moves" : "");
    if (cvy_exchange_doubt(x)[0])
        cvy_warn(log,
                 "%s: ranks of a host send each other messages, which takes longer; give it room (docker run "
                 "--shm-size)",
                 cvy_exchange_doubt(x));
}

static cvy_status create_parts(struct cvy_session *s) {
    struct cvy_comm *comm = s->task.ctx->comm;
    const struct cvy_start start = {&s->task, &s->inputs, &s->run, &s->engine};
    const struct cvy_state *state = &s->engine.state;
    CVY_TRY(check_parts(s));
    CVY_TRY(cvy_start_find_place(&start));
    CVY_TRY(cvy_inputs_normalize(&s->inputs, &s->task, s->run.ckpt));
    if (s->task.options->dry_run) return cvy_comm_follow(comm, s->task.rank == 0 ? cvy_start_rehearse(&start) : CVY_OK);
    CVY_TRY(cvy_comm_agree(comm, allocate(s)));
    CVY_TRY(cvy_engine_connect(&s->engine));
    say_exchange(s);
    CVY_TRY(cvy_start_values(&start));
    CVY_TRY(cvy_comm_follow(comm, s->task.rank == 0 ? start_recording(s) : CVY_OK));
    return cvy_comm_agree(comm, cvy_inputs_load(&s->inputs, &s->task, state->epoch, state->position));
}

/* Nothing is kept of a start that does not come to its first step, so it must not look like one that goes on: a queue
 * would start it again and again. Rank 0. */
static cvy_status stopped_early(const struct cvy_task *t) {
    char limit[CVY_TIME_TEXT];
    CVY_CHECK(
        !cvy_task_is_late(t), CVY_ERR_USAGE,
        "the time limit of %s came before the first step, and the next start would come no further; give a longer "
        "one",
        cvy_time_text(t->options->time_limit, limit));
    cvy_warn(t->ctx->log, "stopped on request before the first step; nothing is kept of this start");
    return CVY_STOPPED;
}

cvy_status cvy_session_begin(struct cvy_context *ctx, const struct cvy_train_options *options, int rank, int ranks,
                             struct cvy_session **out) {
    CVY_TRY(CVY_NEW(out, 1, general));
    (*out)->task = (struct cvy_task){.ctx = ctx,
                                     .options = options,
                                     .rank = rank,
                                     .ranks = ranks,
                                     .threads = ctx->compute->threads,
                                     .started = cvy_clock()};
    (*out)->run.lock = -1;
    return CVY_OK;
}

cvy_status cvy_session_create(struct cvy_context *ctx, const struct cvy_train_options *options,
                              struct cvy_session **out) {
    cvy_status status = cvy_session_begin(ctx, options, cvy_comm_rank(ctx->comm), cvy_comm_size(ctx->comm), out);
    if (status != CVY_OK) return cvy_context_alone(ctx, status);
    status = create_parts(*out);
    if (status == CVY_STOPPED)
        status = cvy_comm_follow(ctx->comm, (*out)->task.rank == 0 ? stopped_early(&(*out)->task) : CVY_OK);
    if (status != CVY_OK) cvy_session_destroy(out);
    return status;
}

/* From the last part to the first. */
void cvy_session_destroy(struct cvy_session **out) {
    struct cvy_session *s = *out;
    if (s == NULL) return;
    cvy_coordinator_destroy(&s->coordinator);
    cvy_run_close(&s->run);
    for (int i = 0; i < CVY_SPLITS; i++) cvy_evaluation_destroy(&s->evaluations[i]);
    cvy_net_destroy(&s->evaluator);
    cvy_engine_close(&s->engine);
    cvy_inputs_close(&s->inputs);
    cvy_task_destroy(&s->task);
    CVY_DELETE(out);
}
