/* cvy_plan: what a training would be like on hosts that need not be there. */
#include <stdio.h>
#include <string.h>

#include "api/plan_parts.h"
#include "comm/imagined.h"
#include "core/ints.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/sized.h"
#include "core/text.h"
#include "data/sampler.h"
#include "experiment/leaf.h"
#include "graph/run/layout.h"
#include "io/file.h"
#include "train/datasets.h"
#include "train/engine.h"
#include "train/engine_cuts.h"

#define GIB ((double)(1 << 30))

enum { BATCHES_READ = 4 }; /* of a rank's samples: what its loader holds */

/* ---- What is asked for ---- */

static cvy_status load(struct plan *p, struct cvy_plan_facts *out) {
    const struct cvy_plan_options *o = p->options;
    char advice[CVY_LEAF_TEXT];
    CVY_TRY(cvy_experiment_load_any(o->experiment, o->set, o->set_count, &p->experiment));
    const struct cvy_experiment *e = p->experiment;
    CVY_TRY(cvy_experiment_graph(e, e->loss, &p->graph));
    p->leaf = (int)e->leaf;
    CVY_CHECK(e->batch % e->leaf == 0, CVY_ERR_USAGE, "%s: train.batch %lld is not a multiple of train.leaf %lld; %s",
              o->experiment, (long long)e->batch, (long long)e->leaf, cvy_leaf_advice(e->batch, e->leaf, advice));
    p->leaves = (int)(e->batch / e->leaf);
    p->each = o->ranks_per_node > 0 ? o->ranks_per_node : 1;
    snprintf(out->name, sizeof out->name, "%.127s", e->name);
    out->batch = (int)e->batch;
    out->leaf = p->leaf;
    out->leaves = p->leaves;
    out->ranks_per_node = p->each;
    out->params = cvy_params_count(&p->graph->params);
    out->epochs = e->epochs;
    out->most_nodes = p->leaves / p->each;
    return CVY_OK;
}

/* Of the data where they are there, else as the caller says. */
static cvy_status count_samples(const struct plan *p, struct cvy_plan_facts *out) {
    const struct cvy_experiment *e = p->experiment;
    struct cvy_source *source;
    out->samples = p->options->samples;
    if (out->samples == 0 && e->train.file && cvy_file_exists(e->train.file)) {
        CVY_TRY(cvy_datasets_open(e, p->graph, &e->train, 0, &source));
        out->samples = source->info.count;
        cvy_source_destroy(&source);
    }
    const struct cvy_epoch_plan epoch = {out->samples, out->batch, p->leaf, e->last_batch == CVY_LAST_BATCH_DROP, 0};
    if (out->samples > 0) out->steps = cvy_epoch_steps(&epoch);
    return CVY_OK;
}

/* ---- Memory ---- */

static size_t bucket_floats(double mib) {
    return (size_t)(mib * (1 << 20) / sizeof(float));
}

static cvy_status engine_bytes(const struct plan *p, struct cvy_comm *comm, size_t *bytes) {
    const struct cvy_experiment *e = p->experiment;
    const struct cvy_engine_spec spec = {.comm = comm,
                                         .ranks = cvy_comm_size(comm),
                                         .compute = p->ctx->compute,
                                         .threads = p->ctx->compute->threads,
                                         .graph = p->graph,
                                         .target = cvy_graph_target(p->graph),
                                         .optimizer = e->optimizer,
                                         .decay_on = e->decay_on,
                                         .gradient = e->gradient,
                                         .ema_decay = e->ema_decay,
                                         .recompute = e->recompute,
                                         .leaf = p->leaf,
                                         .leaves = {p->leaves},
                                         .bucket_floats = bucket_floats(e->bucket_mib)};
    struct cvy_engine engine;
    CVY_TRY(cvy_engine_open(&spec, &engine));
    *bytes = cvy_engine_bytes(&engine) + cvy_state_bytes(p->graph, engine.optimizer.slots, e->ema_decay > 0);
    cvy_engine_close(&engine);
    return CVY_OK;
}

/* Of rank 0, who also writes checkpoints: the process as it is now, its engine, its samples. */
static cvy_status rank_bytes(const struct plan *p, int nodes, int own_leaves, int64_t *bytes) {
    struct cvy_comm *comm;
    size_t engine = 0;
    CVY_TRY(cvy_comm_imagine(nodes, p->each, &comm));
    cvy_status status = engine_bytes(p, comm, &engine);
    cvy_comm_destroy(&comm);
    const int64_t samples = (int64_t)own_leaves * p->leaf * BATCHES_READ;
    *bytes = cvy_machine_resident_bytes() + (int64_t)engine +
             samples * cvy_shape_count(p->graph->input) * (int64_t)sizeof(float);
    return status;
}

/* ---- A row ---- */

static int own_leaves(const struct plan *p, int ranks) {
    return cvy_ceil_div(p->leaves, ranks);
}

/* What is wrong with it, and what would do; "" if nothing is. */
static void check_leaves(const struct plan *p, struct cvy_plan_row *row) {
    if (row->ranks <= p->leaves) return;
    const int batch = p->leaves * p->leaf;
    const int whole = p->leaves / p->each;
    char leaf[64] = "", nodes[64];
    if (batch >= row->ranks)
        snprintf(leaf, sizeof leaf, "lower train.leaf to %d, or ", (int)cvy_leaf_divisor(batch, batch / row->ranks));
    snprintf(nodes, sizeof nodes, "%d %s of %d %s", whole, cvy_plural(whole, "node", "nodes"), p->each,
             cvy_plural(p->each, "rank", "ranks"));
    snprintf(row->problem, sizeof row->problem,
             "%d %s, but a batch of %d has only %d %s of %d %s: take at most %s, or %sa train.batch of %d", row->ranks,
             cvy_plural(row->ranks, "rank", "ranks"), batch, p->leaves, cvy_plural(p->leaves, "leaf", "leaves"),
             p->leaf, cvy_plural(p->leaf, "sample", "samples"), p->leaves >= p->each ? nodes : "fewer ranks a node",
             leaf, row->ranks * p->leaf);
}

static cvy_status check_memory(const struct plan *p, struct cvy_plan_row *row) {
    const double given = p->options->memory_gib, here = (double)cvy_machine_free_bytes();
    const double room = given > 0 ? given * GIB : here;
    CVY_TRY(rank_bytes(p, row->nodes, own_leaves(p, row->ranks), &row->memory_bytes));
    const double need = (double)row->memory_bytes * p->each;
    if (room <= 0 || need <= room || row->problem[0]) return CVY_OK;
    snprintf(row->problem, sizeof row->problem,
             "a node needs %.2f GiB (%d %s), %.2f GiB more than the %.2f GiB that %s: lower train.leaf (%d now)%s",
             need / GIB, p->each, cvy_plural(p->each, "rank", "ranks"), (need - room) / GIB, room / GIB,
             given > 0 ? "it has" : "are free here (--memory says what a node has)", p->leaf,
             p->each > 1 ? " or take fewer ranks a node" : "");
    return CVY_OK;
}

static cvy_status check_row(const struct plan *p, int nodes, struct cvy_plan_row *row) {
    row->nodes = nodes;
    row->ranks = nodes * p->each;
    check_leaves(p, row);
    if (row->problem[0] == '\0') CVY_TRY(check_memory(p, row));
    row->possible = row->problem[0] == '\0';
    return CVY_OK;
}

cvy_status plan_forecast(const struct plan *p, int nodes, double mib, struct cvy_forecast *out) {
    const struct cvy_experiment *e = p->experiment;
    const int before = own_leaves(p, nodes * p->each) - 1;
    struct cvy_exchange_plan exchange = {
        .floats = cvy_layout_leaf(p->graph),
        .bucket_floats = bucket_floats(mib),
        .leaves = {p->leaves},
        .reduction = e->reduction == CVY_REDUCTION_FAST ? &cvy_reduction_library : cvy_reduction_at(e->algorithm - 1)};
    size_t *cuts = NULL;
    struct cvy_comm *comm;
    CVY_TRY(cvy_comm_imagine(nodes, p->each, &comm));
    cvy_comm_set_network(comm, &p->network);
    cvy_status status = CVY_OK;
    if (mib == 0 && nodes * p->each > 1) /* as training cuts them */
        status = cvy_engine_cut(comm, p->graph, p->leaf, p->ctx->compute->threads, &cuts, &exchange.cut_count);
    exchange.cuts = cuts;
    const struct cvy_forecast_spec spec = {.comm = comm,
                                           .exchange = &exchange,
                                           .network = &p->network,
                                           .before =
                                               p->compute.forward + before * (p->compute.forward + p->compute.backward),
                                           .stretches = p->compute.stretches,
                                           .stretch_count = p->compute.count,
                                           .update = p->compute.update,
                                           .whole = cvy_gradient_needs_all(&e->gradient)};
    if (status == CVY_OK) status = cvy_forecast(&spec, out);
    cvy_free(cuts);
    cvy_comm_destroy(&comm);
    return status;
}

static cvy_status fill_row(const struct plan *p, struct cvy_plan_row *row, const struct cvy_plan_facts *facts) {
    struct cvy_forecast f;
    CVY_TRY(plan_forecast(p, row->nodes, p->experiment->bucket_mib, &f));
    row->leaves = own_leaves(p, row->ranks);
    row->step_ms = 1e3 * f.step;
    row->exposed_ms = 1e3 * f.exposed;
    row->update_ms = 1e3 * p->compute.update;
    row->compute_ms = row->step_ms - row->exposed_ms - row->update_ms;
    row->efficiency = p->alone / row->nodes / f.step;
    row->samples_per_s = facts->batch / f.step;
    row->hours = f.step * (double)facts->steps * (double)facts->epochs / 3600;
    row->buckets = f.buckets;
    row->messages = f.messages;
    row->sent_bytes = (int64_t)f.sent;
    if (f.reduction) snprintf(row->reduction, sizeof row->reduction, "%s", cvy_reduction_name(f.reduction));
    return CVY_OK;
}

/* ---- All of it ---- */

/* 1, 2, 4, … and the most; at least one. */
static int doublings(int most, int *nodes) {
    int count = 0;
    for (int n = 1; n < most; n *= 2) nodes[count++] = n;
    nodes[count++] = most > 1 ? most : 1;
    return count;
}

static cvy_status check_rows(const struct plan *p, struct cvy_plan_facts *out) {
    const struct cvy_plan_options *o = p->options;
    int own[33];
    const int *nodes = o->node_count ? o->nodes : own;
    const int count = o->node_count ? o->node_count : doublings(out->most_nodes, own);
    int possible = 0;
    CVY_TRY(CVY_ARRAY(&out->rows, count));
    out->row_count = count;
    for (int i = 0; i < count; i++) {
        CVY_CHECK(nodes[i] > 0 && nodes[i] <= (1 << 20) / p->each, CVY_ERR_USAGE,
                  "%d nodes of %d ranks cannot be planned; take 1 to %d nodes", nodes[i], p->each, (1 << 20) / p->each);
        CVY_TRY(check_row(p, nodes[i], out->rows[i]));
        possible += out->rows[i]->possible;
    }
    CVY_CHECK(possible > 0, CVY_ERR_USAGE, "%s: %s", o->experiment, out->rows[0]->problem);
    return CVY_OK;
}

static cvy_status plan(struct plan *p, struct cvy_plan_facts *out) {
    struct cvy_forecast alone;
    CVY_TRY(load(p, out));
    CVY_TRY(count_samples(p, out));
    CVY_TRY(check_rows(p, out));
    CVY_TRY(plan_find_compute(p, out));
    CVY_TRY(plan_forecast(p, 1, p->experiment->bucket_mib, &alone));
    p->alone = alone.step;
    for (int i = 0; i < out->row_count; i++)
        if (out->rows[i]->possible) CVY_TRY(fill_row(p, out->rows[i], out));
    return plan_advise(p, out);
}

static void forget(struct plan *p) {
    cvy_free(p->compute.stretches);
    cvy_graph_destroy(&p->graph);
    cvy_experiment_destroy(&p->experiment);
}

cvy_status cvy_plan(struct cvy_context *ctx, const struct cvy_plan_options *options, struct cvy_plan_facts *out) {
    CVY_ENTER(ctx);
    struct cvy_plan_options how = {.size = 0};
    struct cvy_plan_facts own;
    struct plan p = {.ctx = ctx, .options = &how};
    cvy_status status = CVY_BEGIN(cvy_plan_facts, out, &own);
    if (status == CVY_OK) status = CVY_READ(cvy_plan_options, options, &how);
    if (status == CVY_OK && how.experiment == NULL)
        status = CVY_FAIL(CVY_ERR_USAGE, "struct cvy_plan_options: its member experiment is not set");
    status = cvy_comm_agree(ctx->comm, status);
    if (status == CVY_OK) status = cvy_comm_agree(ctx->comm, plan_find_network(&p, &own));
    if (status == CVY_OK) status = cvy_comm_agree(ctx->comm, plan(&p, &own));
    forget(&p);
    if (status != CVY_OK) cvy_plan_facts_destroy(&own);
    return cvy_sized_give(status, &own, out);
}

void cvy_plan_facts_destroy(struct cvy_plan_facts *facts) {
    struct cvy_plan_facts own;
    CVY_TAKE(facts, &own);
    cvy_free(own.rows);
}
