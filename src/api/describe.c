/* cvy_describe: what a model amounts to, layer by layer. */
#include <stdio.h>
#include <string.h>

#include "convoy/model.h"
#include "core/ints.h"
#include "core/memory.h"
#include "core/sized.h"
#include "graph/run/plan.h"
#include "core/machine.h"
#include "train/session/session.h"

static void fill_layer(const struct cvy_graph *graph, int i, struct cvy_layer_facts *out) {
    const struct cvy_graph_node *node = &graph->nodes[i];
    CVY_COPY_TEXT(out->name, node->name);
    CVY_COPY_TEXT(out->op, node->op.kind->name);
    for (int a = 0; a < CVY_AXES; a++) out->output[a] = cvy_shape_axis(node->op.out, a);
    for (int p = 0; p < node->op.params; p++) {
        const struct cvy_param *param = &graph->params.items[node->param[p]];
        out->params += cvy_param_count(param);
        if (param->lr_factor == 0) out->frozen += cvy_param_count(param);
    }
    out->macs = node->op.macs;
    out->activation_bytes = cvy_shape_count(node->op.out) *
                            (int64_t)cvy_dtype_bytes(node->output < 0 ? CVY_F32 : graph->values[node->output].type);
    for (int a = 0; a < CVY_SPATIAL_AXES; a++) out->receptive_field[a] = node->field[a];
}

/* Layers stand in the graph in their order, losses behind them: its nodes are their numbers. */
static void fill_inputs(const struct cvy_graph *graph, int i, int *edges, struct cvy_layer_facts *out) {
    const struct cvy_graph_node *node = &graph->nodes[i];
    for (int k = 0; k < node->op.inputs; k++) edges[k] = graph->values[node->inputs[k]].producer;
    out->inputs = edges;
    out->input_count = node->op.inputs;
}

static int count_edges(const struct cvy_graph *graph) {
    int count = 0;
    for (int i = 0; i < graph->node_count; i++) count += graph->nodes[i].op.inputs;
    return count;
}

/* What the process has now, in whole pieces: it differs by some pages from call to call, and what is said should not.
 */
static int64_t process_bytes(void) {
    const int64_t piece = (int64_t)4 << 20;
    return cvy_round_up(cvy_machine_resident_bytes(), piece);
}

/* What a rank with one leaf a step will have in memory: what the process has now; values, one layer's gradient,
 * optimiser slots, average; the plan of the leaf, and its samples. A model alone is taken to be trained with momentum,
 * as bench does it. */
static cvy_status count_step(struct cvy_context *ctx, const struct cvy_graph *graph, const struct cvy_experiment *e,
                             struct cvy_model_facts *out) {
    struct cvy_plan plan;
    struct cvy_optimizer optimizer;
    const struct cvy_params none = {0};
    CVY_TRY(cvy_optimizer_create(e->optimizer, &none, CVY_DECAY_ON_ALL, &optimizer));
    const bool alone = cvy_node_get(e->root, "train") == NULL;
    const bool average = e->ema_decay > 0;
    size_t vectors = (size_t)(1 + (alone ? 1 : optimizer.slots) + average);
    cvy_optimizer_destroy(&optimizer);
    CVY_TRY(cvy_plan_create(graph, CVY_TRAIN, out->leaf, 1, ctx->compute, e->recompute, &plan));
    size_t bytes =
        vectors * cvy_layout_params(graph) * sizeof(float) + cvy_release_bytes(graph) + cvy_plan_bytes(&plan);
    if (average) bytes += cvy_layout_statistics(graph) * sizeof(float);
    bytes += (size_t)cvy_shape_count(graph->input) * (size_t)out->leaf * sizeof(float);
    out->memory_bytes = process_bytes() + (int64_t)bytes;
    cvy_plan_destroy(&plan);
    return CVY_OK;
}

/* The experiment's training on one rank. */
static void count_training(const struct cvy_session *s, struct cvy_model_facts *out) {
    out->memory_bytes = cvy_session_bytes(s);
    out->whole = true;
}

static cvy_status fill(const struct cvy_experiment *e, const struct cvy_graph *graph, struct cvy_model_facts *out) {
    const struct cvy_node *name = cvy_node_get(e->model, "name");
    CVY_COPY_TEXT(out->name, name ? name->text : e->name);
    for (int a = 0; a < CVY_AXES; a++) out->input[a] = cvy_shape_axis(graph->input, a);
    out->params = cvy_params_count(&graph->params);
    CVY_TRY(CVY_ARRAY(&out->layers, graph->node_count));
    CVY_TRY(CVY_NEW(&out->edges, count_edges(graph), general));
    int *edges = out->edges;
    for (int i = 0; i < graph->node_count; i++) {
        if (cvy_loss_of(&graph->nodes[i].op)) continue;
        struct cvy_layer_facts *layer = out->layers[out->layer_count++];
        fill_layer(graph, i, layer);
        fill_inputs(graph, i, edges, layer);
        edges += layer->input_count;
        out->frozen += layer->frozen;
        out->macs += layer->macs;
        out->activation_bytes += layer->activation_bytes;
    }
    return CVY_OK;
}

static bool is_there(const struct cvy_dataset_spec *spec) {
    return spec->file && cvy_file_exists(spec->file);
}

/* The experiment is the session's. */
static cvy_status describe(struct cvy_session *s, int leaf, struct cvy_model_facts *out) {
    struct cvy_task *t = &s->task;
    const struct cvy_experiment *e = t->experiment;
    const bool whole = leaf == 0 && is_there(&e->train) && (e->test.file == NULL || is_there(&e->test));
    out->leaf = leaf > 0 ? leaf : (int)e->leaf;
    if (whole) {
        CVY_TRY(cvy_session_plan(s));
        count_training(s, out);
    } else {
        CVY_TRY(cvy_experiment_graph(e, cvy_node_get(e->root, "train") ? e->loss : NULL, &t->graph));
        CVY_TRY(count_step(t->ctx, t->graph, e, out));
    }
    return fill(e, t->graph, out);
}

static cvy_status describe_file(struct cvy_context *ctx, const struct cvy_describe_options *options,
                                struct cvy_model_facts *out) {
    const struct cvy_train_options train = {.experiment = options->path};
    struct cvy_session *s;
    CVY_TRY(cvy_session_begin(ctx, &train, 0, 1, &s));
    cvy_status status = cvy_experiment_load_any(options->path, options->set, options->set_count, &s->task.experiment);
    if (status == CVY_OK) status = describe(s, options->leaf, out);
    cvy_session_destroy(&s);
    if (status != CVY_OK) cvy_model_facts_destroy(out);
    return status;
}

cvy_status cvy_describe(struct cvy_context *ctx, const struct cvy_describe_options *options,
                        struct cvy_model_facts *out) {
    CVY_ENTER(ctx);
    static const struct cvy_member needs[] = {CVY_MEMBER(cvy_describe_options, path), {0}};
    struct cvy_describe_options how;
    struct cvy_model_facts own;
    CVY_TRY(CVY_BEGIN(cvy_model_facts, out, &own));
    CVY_TRY(CVY_READ_NEEDING(cvy_describe_options, options, &how, needs));
    return cvy_sized_give(describe_file(ctx, &how, &own), &own, out);
}

void cvy_model_facts_destroy(struct cvy_model_facts *facts) {
    struct cvy_model_facts own;
    CVY_TAKE(facts, &own);
    cvy_free(own.layers);
    cvy_free(own.edges);
}
