#include "unit/core/param_help.h"
#include "unit/graph/graph_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/tree.h"
#include "core/memory.h"
#include "core/rng.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "unit/ops/ops_reference.h"
#include "test.h"

/* ---- a sum of two inputs ---- */

static void infer_same(struct cvy_op *op, struct cvy_findings *findings) {
    (void)findings;
    op->out = op->in[0];
}

static void sum_forward(const struct cvy_op *op, struct cvy_call *call) {
    const float *a = call->x[0].data, *b = call->x[1].data;
    float *y = call->y.data;
    for (int64_t i = 0; i < cvy_op_count(op->out, call->n); i++) y[i] = a[i] + b[i];
}

/* In order: a value that is both inputs is set, then added to. */
static void sum_backward(const struct cvy_op *op, struct cvy_call *call) {
    const float *dy = call->dy.data;
    for (int k = 0; k < 2; k++) {
        float *dx = call->dx[k].data;
        for (int64_t i = 0; dx && i < cvy_op_count(op->out, call->n); i++)
            dx[i] = call->accumulate[k] ? dx[i] + dy[i] : dy[i];
    }
}

static const struct cvy_op_kind kind_sum = {.name = "sum",
                                            .min_inputs = 2,
                                            .max_inputs = 2,
                                            .infer = infer_same,
                                            .forward = sum_forward,
                                            .backward = sum_backward};

/* ---- centring over the whole batch: dx = dy − mean of dy ---- */

static void centre_partial(const struct cvy_op *op, struct cvy_call *call, bool backward) {
    const float *from = backward ? call->dy.data : call->x[0].data;
    int channels = op->out.c;
    int64_t count = cvy_op_count(op->out, call->n);
    for (int c = 0; c < channels; c++) call->partial[c] = 0;
    for (int64_t i = 0; i < count; i++) call->partial[i % channels] += from[i];
    call->partial[channels] = (double)(count / channels);
}

static void subtract_means(const struct cvy_op *op, const struct cvy_call *call, const float *from, float *to,
                           bool add) {
    int channels = op->out.c;
    for (int64_t i = 0; i < cvy_op_count(op->out, call->n); i++) {
        double value = from[i] - call->partial[i % channels] / call->partial[channels];
        to[i] = (float)(add ? to[i] + value : value);
    }
}
static void centre_forward(const struct cvy_op *op, struct cvy_call *call) {
    subtract_means(op, call, call->x[0].data, call->y.data, false);
}
static void centre_backward(const struct cvy_op *op, struct cvy_call *call) {
    if (call->dx[0].data) subtract_means(op, call, call->dy.data, call->dx[0].data, call->accumulate[0]);
}

static const struct cvy_op_kind kind_centre = {.name = "centre",
                                               .min_inputs = 1,
                                               .max_inputs = 1,
                                               .infer = infer_same,
                                               .partial = centre_partial,
                                               .forward = centre_forward,
                                               .backward = centre_backward};

/* ---- putting them into a graph ---- */

static void wanted_again(struct cvy_graph *graph) {
    for (int i = 0; i < graph->node_count; i++) {
        struct cvy_graph_node *node = &graph->nodes[i];
        bool wanted = node->op.params > 0;
        for (int k = 0; k < node->op.inputs; k++) wanted |= graph->values[node->inputs[k]].wants_grad;
        if (node->output >= 0) graph->values[node->output].wants_grad = wanted;
    }
}

void graph_make_sum(struct cvy_graph *graph, int i, int other) {
    struct cvy_graph_node *node = &graph->nodes[i];
    int *inputs;
    struct cvy_shape *in;
    TEST_OK(CVY_NEW(&inputs, 2, general));
    TEST_OK(CVY_NEW(&in, 2, general));
    inputs[0] = node->inputs[0];
    inputs[1] = other;
    in[0] = in[1] = node->in[0];
    cvy_free(node->inputs);
    cvy_free(node->in);
    node->inputs = inputs;
    node->in = in;
    node->op.kind = &kind_sum;
    node->op.in = in;
    node->op.inputs = 2;
    node->op.reads = CVY_READS_NOTHING;
    node->op.inplace = true;
    node->op.passes = true;
    node->op.bf16 = false;
    graph->values[other].consumers++;
    graph->max_inputs = 2;
    wanted_again(graph);
}

void graph_make_centre(struct cvy_graph *graph, int i) {
    struct cvy_op *op = &graph->nodes[i].op;
    op->kind = &kind_centre;
    op->reads = CVY_READS_NOTHING;
    op->bf16 = false;
    op->partial_forward = op->partial_backward = op->out.c + 1;
}

void graph_rewire(struct cvy_graph *graph, int i, int value) {
    struct cvy_graph_node *node = &graph->nodes[i];
    graph->values[node->inputs[0]].consumers--;
    graph->values[value].consumers++;
    node->inputs[0] = value;
    wanted_again(graph);
}

int graph_node(const struct cvy_graph *graph, const char *name) {
    for (int i = 0; i < graph->node_count; i++)
        if (strcmp(graph->nodes[i].name, name) == 0) return i;
    CU_FAIL("no such node");
    return 0;
}

/* ---- random graphs ---- */

static void random_layer(struct cvy_rng *rng, struct cvy_buf *text, bool *flat) {
    static const char *const layers[] = {"{conv: {filters: 4, kernel: 3, padding: same}}",
                                         "{conv: {filters: 4, kernel: [1, 3], padding: same}}",
                                         "{maxpool: {kernel: 3, stride: 1, padding: same}}",
                                         "{avgpool: {kernel: 2, padding: same}}",
                                         "{maxpool: {kernel: 2, padding: same}}",
                                         "flatten",
                                         "{dense: 12}",
                                         "relu",
                                         "relu",
                                         "tanh",
                                         "{dropout: 0.4}",
                                         "silu",
                                         "prelu",
                                         "sigmoid",
                                         "sigmoid",
                                         "sigmoid",
                                         "{batchnorm: {eps: 0.1}}",
                                         "{batchnorm: {eps: 0.1}}",
                                         "{groupnorm: {groups: 2, eps: 0.1}}"};
    enum { ALL = sizeof layers / sizeof *layers, FIRST_FLAT = 6 };
    uint32_t pick = *flat ? FIRST_FLAT + cvy_rng_below(rng, ALL - FIRST_FLAT) : cvy_rng_below(rng, ALL);
    *flat |= pick == 5 || pick == 6;
    cvy_buf_printf(text, "  - %s\n", layers[pick]);
}

/* A fork that sum i joins: the layer before it, b, reads another value than the one above, a, and the sum reads both.
 */
static bool random_fork(struct cvy_rng *rng, struct cvy_graph *graph, int i) {
    if (i < 2) return false;
    const struct cvy_graph_node *b = &graph->nodes[i - 1];
    int a = b->inputs[0], fitting[64], count = 0;
    if (b->op.inputs != 1 || a == 0 || graph->nodes[i].inputs[0] != b->output) return false;
    if (!cvy_shape_equal(graph->values[a].shape, graph->nodes[i].in[0])) return false;
    for (int v = 0; v < a; v++)
        if (cvy_shape_equal(graph->values[v].shape, b->in[0])) fitting[count++] = v;
    if (count == 0) return false;
    graph_rewire(graph, i - 1, fitting[cvy_rng_below(rng, (uint32_t)count)]);
    graph_make_sum(graph, i, a);
    return true;
}

/* Every sigmoid becomes the sum of its input and an earlier value of its shape (perhaps the same one), where there is
 * one. */
static void random_sums(struct cvy_rng *rng, struct cvy_graph *graph) {
    for (int i = 0; i < graph->node_count; i++) {
        if (strcmp(graph->nodes[i].op.kind->name, "sigmoid") != 0) continue;
        int fitting[64], count = 0;
        if (cvy_rng_below(rng, 2) && random_fork(rng, graph, i)) continue;
        for (int v = 0; v <= graph->nodes[i].inputs[0]; v++)
            if (cvy_shape_equal(graph->values[v].shape, graph->nodes[i].in[0])) fitting[count++] = v;
        if (count) graph_make_sum(graph, i, fitting[cvy_rng_below(rng, (uint32_t)count)]);
    }
}

void graph_random(uint32_t seed, struct cvy_tree **tree, struct cvy_graph **graph) {
    struct cvy_rng rng = cvy_rng_at((struct cvy_stream){{seed, 77}}, 0, 0);
    struct cvy_buf text = {0};
    bool flat = false;
    cvy_buf_printf(&text, "input: [%u, %u, 4]\nlayers:\n", 1 + cvy_rng_below(&rng, 5), 1 + cvy_rng_below(&rng, 5));
    for (uint32_t layers = 2 + cvy_rng_below(&rng, 14); layers > 0; layers--) random_layer(&rng, &text, &flat);
    cvy_buf_printf(&text, "  - dense: 5\n");
    TEST_OK(graph_from_text(cvy_buf_text(&text), "softmax_cross_entropy", tree, graph));
    cvy_buf_destroy(&text);
    random_sums(&rng, *graph);
}

/* ---- inputs and values ---- */

void graph_batch_create(const struct cvy_graph *graph, int samples, struct graph_batch *out) {
    size_t count = (size_t)cvy_shape_count(graph->input) * (size_t)samples;
    out->samples = samples;
    out->x = floats_new(count);
    out->labels = calloc((size_t)samples, sizeof *out->labels);
    out->ids = calloc((size_t)samples, sizeof *out->ids);
    floats_random(out->x, count, 5);
    for (int i = 0; i < samples; i++) {
        out->labels[i] = (i * 3 + 1) % cvy_graph_output_shape(graph).c;
        out->ids[i] = 1000 - 7 * i;
    }
}

void graph_batch_destroy(struct graph_batch *batch) {
    floats_free(batch->x);
    free(batch->labels);
    free(batch->ids);
}

void graph_draw_values(const struct cvy_graph *graph, float *values) {
    for (int p = 0; p < graph->params.count; p++) {
        const struct cvy_param *param = &graph->params.items[p];
        size_t count = (size_t)cvy_param_count(param);
        double fan_in = (double)count / (double)param->dims[param->rank - 1];
        float *logical = floats_new(count);
        floats_random(logical, count, 50 + (uint32_t)p);
        for (size_t i = 0; i < count; i++) logical[i] *= (float)(1.5 / sqrt(fan_in));
        cvy_param_from_logical(param, logical, values + param->offset);
        floats_free(logical);
    }
}

struct cvy_net_batch graph_leaves(const struct cvy_graph *graph, const struct graph_batch *batch, const int *sizes,
                                  int first, int count) {
    int64_t skipped = 0;
    for (int i = 0; i < first; i++) skipped += sizes[i];
    return (struct cvy_net_batch){.x = batch->x + skipped * cvy_shape_count(graph->input),
                                  .y = batch->labels + skipped,
                                  .target = {CVY_I32, {1, 1, 1}},
                                  .ids = batch->ids + skipped,
                                  .first_leaf = first,
                                  .leaves = count,
                                  .sizes = sizes + first,
                                  .samples = batch->samples,
                                  .epoch = 1,
                                  .step = 9};
}

/* ---- op by op ---- */

struct apart {
    const struct cvy_graph *graph;
    struct op_run *runs; /* of each node */
    struct cvy_op *ops;  /* copies */
    float **grads;       /* of each value */
    bool *written;
};

static void apart_forward(struct apart *a, const struct graph_batch *batch, const float *values, int i) {
    const struct cvy_graph_node *node = &a->graph->nodes[i];
    struct op_run *run = &a->runs[i];
    for (int k = 0; k < node->op.inputs; k++) {
        int producer = a->graph->values[node->inputs[k]].producer;
        memcpy(run->x[k].data, producer < 0 ? batch->x : a->runs[producer].call.y.data,
               run->x_count[k] * sizeof(float));
    }
    for (int p = 0; p < node->op.params; p++) {
        const struct cvy_param *param = &a->graph->params.items[node->param[p]];
        memcpy(op_run_param(run, p), values + param->offset, param->stored * sizeof(float));
    }
    op_run_forward(run);
}

static void apart_backward(struct apart *a, float *gradient, int i) {
    const struct cvy_graph_node *node = &a->graph->nodes[i];
    struct op_run *run = &a->runs[i];
    if (node->output >= 0 && !a->graph->values[node->output].wants_grad) return;
    if (node->output >= 0) memcpy(run->call.dy.data, a->grads[node->output], run->y_count * sizeof(float));
    float *own_dx[OP_INPUTS];
    for (int k = 0; k < node->op.inputs; k++) {
        own_dx[k] = run->dx[k].data;
        int x = node->inputs[k];
        run->accumulate[k] = a->written[x];
        run->dx[k].data = a->graph->values[x].wants_grad ? a->grads[x] : NULL;
        a->written[x] = true;
    }
    run->loss = (struct cvy_loss_result){0};
    op_run_backward(run);
    for (int k = 0; k < node->op.inputs; k++) run->dx[k].data = own_dx[k];
    for (int p = 0; p < node->op.params; p++) {
        const struct cvy_param *param = &a->graph->params.items[node->param[p]];
        memcpy(gradient + param->offset, run->call.grad[p], param->stored * sizeof(float));
    }
}

static void *list(int count, size_t size) {
    void *out = calloc((size_t)count + 1, size);
    if (out == NULL) abort();
    return out;
}

static void apart_create(struct apart *a, const struct cvy_graph *graph, const struct cvy_compute *compute,
                         enum cvy_mode mode, const struct graph_batch *batch) {
    *a = (struct apart){graph, list(graph->node_count, sizeof *a->runs), list(graph->node_count, sizeof *a->ops),
                        list(graph->value_count, sizeof *a->grads), list(graph->value_count, sizeof *a->written)};
    for (int v = 0; v < graph->value_count; v++)
        a->grads[v] = floats_new((size_t)cvy_op_count(graph->values[v].shape, batch->samples));
    for (int i = 0; i < graph->node_count; i++) {
        a->ops[i] = graph->nodes[i].op;
        op_run_create(&a->runs[i], &a->ops[i], compute, batch->samples);
        struct cvy_call *call = &a->runs[i].call;
        call->mode = mode;
        call->seed = 3;
        call->epoch = 1;
        call->ids = batch->ids;
        call->target = op_classes(batch->labels, batch->samples);
        for (int b = 0; b < a->ops[i].buffers; b++) {
            const struct cvy_param *buffer = &graph->buffers.items[graph->nodes[i].buffer[b]];
            TEST_OK(cvy_param_init(buffer, 3, NULL, op_run_buffer(&a->runs[i], b)));
        }
    }
}

static void apart_destroy(struct apart *a) {
    for (int i = 0; i < a->graph->node_count; i++) op_run_destroy(&a->runs[i]);
    for (int v = 0; v < a->graph->value_count; v++) floats_free(a->grads[v]);
    free(a->runs);
    free(a->ops);
    free(a->grads);
    free(a->written);
}

void graph_run_apart(const struct cvy_graph *graph, const struct cvy_compute *compute, enum cvy_mode mode,
                     const struct graph_batch *batch, const float *values, float *gradient, float *scores,
                     struct cvy_loss_result *loss) {
    struct apart a;
    apart_create(&a, graph, compute, mode, batch);
    for (int i = 0; i < graph->node_count; i++) apart_forward(&a, batch, values, i);
    const struct op_run *last = &a.runs[graph->values[graph->output].producer];
    memcpy(scores, last->call.y.data, last->y_count * sizeof *scores);
    *loss = a.runs[graph->node_count - 1].loss;
    for (int i = graph->node_count - 1; i >= 0 && mode == CVY_TRAIN; i--) apart_backward(&a, gradient, i);
    apart_destroy(&a);
}

/* ---- the loss in double ---- */

static const struct cvy_node *settings_of(const struct cvy_node *layer) {
    for (size_t i = 0; layer->kind == CVY_NODE_MAP && i < layer->count; i++)
        if (strcmp(layer->keys[i]->text, "name") != 0 && strcmp(layer->keys[i]->text, "inputs") != 0)
            return cvy_node_is_null(layer->items[i]) ? NULL : layer->items[i];
    return NULL;
}

double graph_loss(const struct cvy_graph *graph, const struct graph_batch *batch, const struct parameters *params) {
    const struct cvy_node *layers = cvy_node_get(graph->description, "layers");
    double **value = list(graph->value_count, sizeof *value), loss = 0;
    for (int v = 0; v < graph->value_count; v++)
        value[v] = list((int)cvy_op_count(graph->values[v].shape, batch->samples), sizeof **value);
    for (int64_t i = 0; i < cvy_op_count(graph->input, batch->samples); i++) value[0][i] = batch->x[i];
    for (int i = 0; i < graph->node_count; i++) {
        const struct cvy_graph_node *node = &graph->nodes[i];
        struct op_math m = {.n = batch->samples,
                            .inputs = node->op.inputs,
                            .in = node->in[0],
                            .ins = node->in,
                            .out = node->op.out,
                            .labels = batch->labels};
        if (!cvy_loss_of(&node->op)) m.body = settings_of(layers->items[i]);
        for (int k = 0; k < node->op.inputs; k++) m.x[k] = value[node->inputs[k]];
        for (int p = 0; p < node->op.params; p++) m.param[p] = params->values[node->param[p]];
        op_reference_find(cvy_graph_kind_name(node))->forward(&m, node->output >= 0 ? value[node->output] : &loss);
    }
    for (int v = 0; v < graph->value_count; v++) free(value[v]);
    free(value);
    return loss;
}

void parameters_create(const struct cvy_graph *graph, const float *stored, struct parameters *out) {
    *out = (struct parameters){graph->params.count, list(graph->params.count, sizeof *out->values)};
    for (int p = 0; p < out->count; p++) {
        const struct cvy_param *param = &graph->params.items[p];
        size_t count = (size_t)cvy_param_count(param);
        float *logical = floats_new(count);
        param_logical(param, stored + param->offset, logical);
        out->values[p] = list((int)count, sizeof **out->values);
        for (size_t i = 0; i < count; i++) out->values[p][i] = logical[i];
        floats_free(logical);
    }
}

void parameters_destroy(struct parameters *parameters) {
    for (int p = 0; p < parameters->count; p++) free(parameters->values[p]);
    free(parameters->values);
}

/* params += step · u, u drawn anew each time; adds ⟨gradient, u⟩ and Σ(gradient·u)². */
static void move(const struct cvy_graph *graph, struct parameters *params, int only, double step, const float *gradient,
                 double *along, double *size) {
    *along = *size = 0;
    for (int p = only < 0 ? 0 : only; p < (only < 0 ? params->count : only + 1); p++) {
        const struct cvy_param *param = &graph->params.items[p];
        size_t count = (size_t)cvy_param_count(param);
        float *u = floats_new(count), *g = floats_new(count);
        floats_random(u, count, 900 + (uint32_t)p);
        param_logical(param, gradient + param->offset, g);
        for (size_t i = 0; i < count; i++) {
            params->values[p][i] += step * u[i];
            *along += (double)g[i] * u[i];
            *size += (double)g[i] * u[i] * g[i] * u[i];
        }
        floats_free(u);
        floats_free(g);
    }
}

double direction_error(const struct cvy_graph *graph, const struct graph_batch *batch, struct parameters *params, int p,
                       const float *gradient) {
    const double step = 1e-6;
    double along, size, whole;
    move(graph, params, -1, 0, gradient, &along, &whole);
    move(graph, params, p, step, gradient, &along, &size);
    double above = graph_loss(graph, batch, params);
    move(graph, params, p, -2 * step, gradient, &along, &size);
    double below = graph_loss(graph, batch, params);
    move(graph, params, p, step, gradient, &along, &size);
    return fabs((above - below) / (2 * step) - along) / (sqrt(size) + 0.1 * sqrt(whole));
}

double graph_gradient_error(const struct cvy_graph *graph, int samples, const float *gradient, double *loss) {
    struct graph_batch batch;
    struct parameters params;
    float *values = floats_new(graph->params.stored);
    double worst = 0;
    graph_batch_create(graph, samples, &batch);
    graph_draw_values(graph, values);
    parameters_create(graph, values, &params);
    for (int p = -1; p < params.count; p++) worst = fmax(worst, direction_error(graph, &batch, &params, p, gradient));
    *loss = graph_loss(graph, &batch, &params);
    parameters_destroy(&params);
    floats_free(values);
    graph_batch_destroy(&batch);
    return worst;
}

const struct graph_split graph_splits[GRAPH_SPLITS] = {
    {1, {12}}, {4, {3, 3, 3, 3}}, {4, {4, 4, 3, 1}}, {12, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}};

/* ---- hooks ---- */

static float *store_place(void *arg, size_t first, size_t count) {
    struct leaf_store *s = arg;
    (void)count;
    return s->gradients + (size_t)s->next * s->stored + first;
}
static cvy_status store_ready(void *arg, size_t first, size_t count) {
    struct leaf_store *s = arg;
    for (size_t i = first; i < first + count; i++) s->ready[(size_t)s->next * s->stored + i]++;
    return CVY_OK;
}
static cvy_status store_done(void *arg) {
    ((struct leaf_store *)arg)->next++;
    return CVY_OK;
}
static cvy_status store_rewind(void *arg) {
    struct leaf_store *s = arg;
    s->next = 0;
    s->passes++;
    return CVY_OK;
}
static cvy_status store_reduce(void *arg, const double *per_leaf, size_t len, double *sum) {
    struct leaf_store *s = arg;
    double *rows = list(s->leaves * (int)len, sizeof *rows);
    memcpy(rows, per_leaf, (size_t)s->leaves * len * sizeof *rows);
    cvy_tree_sum_rows(rows, s->leaves, len);
    memcpy(sum, rows, len * sizeof *sum);
    free(rows);
    return CVY_OK;
}

void leaf_store_create(const struct cvy_graph *graph, int leaves, struct leaf_store *out) {
    size_t stored = cvy_layout_leaf(graph), count = stored * (size_t)leaves;
    *out = (struct leaf_store){.leaves = leaves, .passes = 1, .statistics = graph->buffers.stored, .stored = stored};
    out->gradients = floats_new(count);
    out->ready = list((int)count, sizeof *out->ready);
    out->hooks = (struct cvy_net_hooks){out, store_place, store_ready, store_done, store_rewind, store_reduce, NULL};
}

void leaf_store_destroy(struct leaf_store *store) {
    floats_free(store->gradients);
    free(store->ready);
}

static void sum_leaves(struct leaf_store *s, int first, int end) {
    int half = 1;
    if (end - first == 1) return;
    while (half * 2 < end - first) half *= 2;
    sum_leaves(s, first, first + half);
    sum_leaves(s, first + half, end);
    float *left = s->gradients + (size_t)first * s->stored, *right = s->gradients + (size_t)(first + half) * s->stored;
    for (size_t i = 0; i < s->stored; i++) left[i] += right[i];
}

const float *leaf_store_sum(struct leaf_store *store) {
    sum_leaves(store, 0, store->leaves);
    return store->gradients;
}

uint64_t graph_hash_of(const char *text) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(graph_from_text(text, "softmax_cross_entropy", &tree, &graph));
    const uint64_t hash = graph ? graph->hash : 0;
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    return hash;
}
