#include "train/engine.h"

#include "core/floats.h"
#include "core/memory.h"
#include "core/share.h"
#include "train/engine_cuts.h"

#define BUCKET ((size_t)1 << 20) /* floats that leaves are added by on one rank */

/* ---- What it is made of ---- */

static struct cvy_exchange_plan exchange_plan(const struct cvy_engine *e) {
    const struct cvy_engine_spec *s = &e->spec;
    struct cvy_exchange_plan plan = {.floats =
                                         e->releases ? cvy_layout_statistics(s->graph) : cvy_layout_leaf(s->graph),
                                     .bucket_floats = s->bucket_floats ? s->bucket_floats : BUCKET,
                                     .cuts = e->cuts,
                                     .cut_count = e->cut_count,
                                     .values = CVY_VALUES,
                                     .reduction = s->reduction,
                                     .progress = s->progress};
    for (int i = 0; i < CVY_EXCHANGE_SIZES; i++) plan.leaves[i] = s->leaves[i];
    return plan;
}

/* Nothing to sum, one pass over the one leaf, and no rule that sees the whole gradient. */
static bool can_release(const struct cvy_engine_spec *s) {
    return s->ranks == 1 && s->leaves[0] == 1 && s->leaves[1] == 0 && !cvy_graph_has_partials(s->graph) &&
           !cvy_gradient_needs_all(&s->gradient);
}

/* Leaves that this rank holds at most. */
static int own_leaves(const struct cvy_engine_spec *s) {
    int most = 0;
    for (int i = 0; i < CVY_EXCHANGE_SIZES; i++) {
        int first, end;
        cvy_share(s->leaves[i], s->rank, s->ranks, &first, &end);
        if (end - first > most) most = end - first;
    }
    return most;
}

struct cvy_net_spec cvy_engine_net(const struct cvy_engine *e, enum cvy_mode mode) {
    return (struct cvy_net_spec){.graph = e->spec.graph,
                                 .compute = e->spec.compute,
                                 .mode = mode,
                                 .leaf = e->spec.leaf,
                                 .leaves = mode == CVY_TRAIN ? own_leaves(&e->spec) : 1,
                                 .seed = e->spec.seed,
                                 .recompute = e->spec.recompute};
}

static bool averages(const struct cvy_engine *e) {
    return e->spec.ema_decay > 0;
}

size_t cvy_engine_bytes(const struct cvy_engine *e) {
    const struct cvy_graph *graph = e->spec.graph;
    const struct cvy_exchange_plan plan = exchange_plan(e);
    const struct cvy_net_spec net = cvy_engine_net(e, CVY_TRAIN);
    size_t floats = (size_t)(1 + e->optimizer.slots) * cvy_layout_params(graph);
    if (averages(e)) floats += cvy_layout_params(graph) + cvy_layout_statistics(graph);
    size_t bytes = cvy_net_bytes(&net) + floats * sizeof(float);
    bytes += cvy_exchange_bytes(&plan, e->spec.ranks > 1 ? e->spec.comm : NULL);
    return bytes + (e->releases ? cvy_release_bytes(graph) : 0);
}

/* ---- Its life ---- */

cvy_status cvy_engine_open(const struct cvy_engine_spec *spec, struct cvy_engine *out) {
    *out = (struct cvy_engine){.spec = *spec, .releases = can_release(spec)};
    if (spec->ranks > 1 && spec->bucket_floats == 0)
        CVY_TRY(cvy_engine_cut(spec->comm, spec->graph, spec->leaf, spec->threads, &out->cuts, &out->cut_count));
    return cvy_optimizer_create(spec->optimizer, &spec->graph->params, spec->decay_on, &out->optimizer);
}

static cvy_status make_averages(struct cvy_engine *e) {
    CVY_TRY(CVY_NEW(&e->ema, cvy_layout_params(e->spec.graph), optimizer));
    return CVY_NEW(&e->ema_buffers, cvy_layout_statistics(e->spec.graph), optimizer);
}

cvy_status cvy_engine_allocate(struct cvy_engine *e) {
    const struct cvy_net_spec net = cvy_engine_net(e, CVY_TRAIN);
    const int leaves = own_leaves(&e->spec);
    CVY_TRY(cvy_net_create(&net, &e->net));
    if (e->releases) CVY_TRY(cvy_release_create(e->spec.graph, &e->release));
    if (averages(e)) CVY_TRY(make_averages(e));
    CVY_TRY(CVY_NEW(&e->losses, leaves, general));
    CVY_TRY(CVY_NEW(&e->sizes, leaves, general));
    return CVY_NEW(&e->values, leaves * CVY_VALUES, general);
}

cvy_status cvy_engine_connect(struct cvy_engine *e) {
    struct cvy_exchange_plan plan = exchange_plan(e);
    plan.passes = cvy_net_plan(e->net)->segment_count > 1;
    return cvy_exchange_create(e->spec.comm, e->spec.compute, &plan, &e->exchange);
}

void cvy_engine_close(struct cvy_engine *e) {
    cvy_exchange_destroy(&e->exchange);
    cvy_release_destroy(&e->release);
    cvy_optimizer_destroy(&e->optimizer);
    cvy_net_destroy(&e->net);
    cvy_free(e->ema);
    cvy_free(e->ema_buffers);
    cvy_free(e->losses);
    cvy_free(e->sizes);
    cvy_free(e->values);
    cvy_free(e->cuts);
    *e = (struct cvy_engine){.spec = e->spec};
}

cvy_status cvy_engine_reduce(void *engine, const double *per_leaf, size_t len, double *sum) {
    const struct cvy_engine *e = engine;
    return cvy_comm_reduce_partial(e->spec.comm, cvy_exchange_leaves(e->exchange), per_leaf, len, sum);
}

/* ---- Its state ---- */

struct cvy_vectors cvy_engine_vectors(struct cvy_engine *e) {
    return (struct cvy_vectors){
        .net = e->net, .optimizer = &e->optimizer, .ema = e->ema, .ema_buffers = e->ema_buffers};
}

bool cvy_engine_finite(struct cvy_engine *e) {
    const int64_t stored = (int64_t)cvy_layout_params(e->spec.graph);
    const int64_t statistics = (int64_t)cvy_layout_statistics(e->spec.graph);
    bool finite =
        cvy_all_finite(cvy_net_parameters(e->net), stored) && cvy_all_finite(cvy_net_buffers(e->net), statistics);
    for (int i = 0; i < e->optimizer.slots && finite; i++) finite = cvy_all_finite(e->optimizer.slot[i], stored);
    return finite && (e->ema == NULL || cvy_all_finite(e->ema, stored));
}

void cvy_engine_watch(struct cvy_engine *e, cvy_step_watch *watch, void *arg) {
    e->watch = watch;
    e->watch_arg = arg;
}
