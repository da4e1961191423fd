/* Layers that learn at a rate of their own, or not at all: what computes gradients, that frozen values and statistics
 * keep their bits, and that the others learn as they would without. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/graph/graph_help.h"
#include "io/yaml.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "optim/optimizer.h"
#include "test.h"

static const struct cvy_graph_node *node(const struct cvy_graph *graph, const char *name) {
    return &graph->nodes[graph_node(graph, name)];
}
static double factor(const struct cvy_graph *graph, const char *name) {
    return graph->params.items[node(graph, name)->param[0]].lr_factor;
}
static bool wants_grad(const struct cvy_graph *graph, const char *name) {
    return graph->values[node(graph, name)->output].wants_grad;
}

/* Beside a layer, or a group for all in it. */
static void factors(void) {
    static const char text[] =
        "input: [8, 8, 3]\n"
        "blocks:\n"
        "  pair:\n"
        "    layers:\n"
        "      - {conv: {filters: 4, kernel: 1}, name: first}\n"
        "      - {conv: {filters: 4, kernel: 1}, name: second, lr_factor: 0.5}\n"
        "layers:\n"
        "  - {conv: {filters: 4, kernel: 3}, name: a, frozen: true}\n"
        "  - {batchnorm: , name: b, frozen: true}\n"
        "  - {pair: , name: p, lr_factor: 0}\n"
        "  - {relu: , name: r}\n"
        "  - {pair: , name: q, lr_factor: 0.1}\n"
        "  - {residual: {layers: [{conv: {filters: 4, kernel: 1}, name: c}]}, name: res, lr_factor: 2}\n"
        "  - {dense: 5, name: d, frozen: false, lr_factor: 10}\n";
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(graph_from_text(text, "softmax_cross_entropy", &tree, &graph));
    CU_ASSERT_EQUAL(factor(graph, "a"), 0);
    CU_ASSERT_EQUAL(factor(graph, "b"), 0);
    CU_ASSERT_EQUAL(factor(graph, "p/second"), 0);
    CU_ASSERT_EQUAL(factor(graph, "q/first"), 0.1);
    CU_ASSERT_EQUAL(factor(graph, "q/second"), 0.05);
    CU_ASSERT_EQUAL(factor(graph, "res/c"), 2);
    CU_ASSERT_EQUAL(factor(graph, "d"), 10);
    CU_ASSERT(graph->buffers.items[0].momentum == 0);
    CU_ASSERT(!wants_grad(graph, "a") && !wants_grad(graph, "b") && !wants_grad(graph, "r"));
    CU_ASSERT(wants_grad(graph, "q/first") && wants_grad(graph, "d"));
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* ---- training ---- */

enum { SAMPLES = 6, STEPS = 4 };

struct trained {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    float *values, *buffers, *start, *buffers_start, *gradient; /* gradient: of the first step */
};

static void destroy(struct trained *t) {
    floats_free(t->values);
    floats_free(t->buffers);
    floats_free(t->start);
    floats_free(t->buffers_start);
    floats_free(t->gradient);
    cvy_graph_destroy(&t->graph);
    cvy_tree_destroy(&t->tree);
}

static float *copy(const float *from, size_t count) {
    float *to = floats_new(count);
    if (count) memcpy(to, from, count * sizeof *to);
    return to;
}

static void train(const char *text, struct trained *t) {
    struct cvy_net *net;
    struct cvy_compute *compute;
    struct cvy_optimizer optimizer;
    struct cvy_node *adam;
    struct graph_batch batch;
    struct leaf_store store;
    const int sizes[2] = {SAMPLES / 2, SAMPLES / 2};
    struct cvy_loss_result losses[2];
    *t = (struct trained){0};
    TEST_OK(graph_from_text(text, "softmax_cross_entropy", &t->tree, &t->graph));
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    TEST_OK(cvy_net_create(&(struct cvy_net_spec){t->graph, compute, CVY_TRAIN, SAMPLES / 2, 2, 0, CVY_RECOMPUTE_AUTO},
                           &net));
    TEST_OK(cvy_yaml_parse(t->tree, "adam", "adam", 4, &adam));
    TEST_OK(cvy_optimizer_create(adam, &t->graph->params, CVY_DECAY_ON_ALL, &optimizer));
    graph_batch_create(t->graph, SAMPLES, &batch);
    leaf_store_create(t->graph, 2, &store);
    size_t params = t->graph->params.stored, buffers = t->graph->buffers.stored;
    graph_draw_values(t->graph, cvy_net_parameters(net));
    for (size_t i = 0; i < buffers; i++) cvy_net_buffers(net)[i] = 0.5f + (float)(i % 7) * 0.1f;
    t->start = copy(cvy_net_parameters(net), params);
    t->buffers_start = copy(cvy_net_buffers(net), buffers);
    for (int step = 0; step < STEPS; step++) {
        struct cvy_net_batch leaves = graph_leaves(t->graph, &batch, sizes, 0, 2);
        store.next = 0;
        TEST_OK(cvy_net_run(net, &leaves, &store.hooks, losses));
        const float *sum = leaf_store_sum(&store);
        if (step == 0) t->gradient = copy(sum + buffers, params);
        cvy_optimizer_update(&optimizer, compute, cvy_net_parameters(net), sum + buffers, 0, params, 0.01,
                             1.0 / SAMPLES, step + 1);
        cvy_net_update_buffers(net, sum, SAMPLES);
    }
    t->values = copy(cvy_net_parameters(net), params);
    t->buffers = copy(cvy_net_buffers(net), buffers);
    leaf_store_destroy(&store);
    graph_batch_destroy(&batch);
    cvy_optimizer_destroy(&optimizer);
    cvy_net_destroy(&net);
    cvy_compute_destroy(&compute);
}

static bool same(const struct trained *t, const float *a, const float *b, const char *layer, int p) {
    const struct cvy_param *param = &t->graph->params.items[node(t->graph, layer)->param[p]];
    return floats_same(a + param->offset, b + param->offset, param->stored);
}

/* Convolutions: `one` and `two` stand for "" or ", frozen: true". */
static void train_plain(const char *one, const char *two, struct trained *t) {
    char text[512];
    snprintf(text, sizeof text,
             "input: [6, 6, 2]\nlayers:\n  - {conv: {filters: 5, kernel: 3}, name: one%s}\n  - tanh\n"
             "  - {conv: {filters: 4, kernel: 3}, name: two%s}\n  - tanh\n  - {dense: 3, name: three}\n",
             one, two);
    train(text, t);
}

static void frozen_layers_stay(void) {
    struct trained free, first, second;
    train_plain("", "", &free);
    train_plain(", frozen: true", "", &first);
    train_plain("", ", frozen: true", &second);
    for (int p = 0; p < 2; p++) {
        CU_ASSERT(same(&first, first.values, first.start, "one", p));
        CU_ASSERT(same(&second, second.values, second.start, "two", p));
        CU_ASSERT_FALSE(same(&free, free.values, free.start, "one", p));
        /* gradients of those that learn are what they were */
        CU_ASSERT(same(&free, free.gradient, first.gradient, "two", p));
        CU_ASSERT(same(&free, free.gradient, first.gradient, "three", p));
        CU_ASSERT(same(&free, free.gradient, second.gradient, "one", p));
        CU_ASSERT(same(&free, free.gradient, second.gradient, "three", p));
        CU_ASSERT_FALSE(same(&second, second.values, second.start, "one", p));
    }
    destroy(&free);
    destroy(&first);
    destroy(&second);
}

/* A frozen batch norm goes by its running statistics in training too: the gradient of what is before it is what a
 * convolution with that scale, frozen as well, would hand on. */
static void frozen_statistics_stay(void) {
    static const char text[] = "input: [6, 6, 2]\nlayers:\n"
                               "  - {conv: {filters: 5, kernel: 3}, name: one}\n"
                               "  - {batchnorm: {sync: true}, name: norm, frozen: true}\n"
                               "  - relu\n"
                               "  - {batchnorm: , name: free}\n"
                               "  - {dense: 3, name: two}\n";
    struct trained t;
    train(text, &t);
    const struct cvy_graph_node *norm = node(t.graph, "norm"), *other = node(t.graph, "free");
    for (int b = 0; b < 2; b++) {
        const struct cvy_param *frozen = &t.graph->buffers.items[norm->buffer[b]];
        const struct cvy_param *moves = &t.graph->buffers.items[other->buffer[b]];
        CU_ASSERT(floats_same(t.buffers + frozen->offset, t.buffers_start + frozen->offset, frozen->stored));
        CU_ASSERT_FALSE(floats_same(t.buffers + moves->offset, t.buffers_start + moves->offset, moves->stored));
        CU_ASSERT(same(&t, t.values, t.start, "norm", b));
        CU_ASSERT_FALSE(same(&t, t.values, t.start, "free", b));
    }
    CU_ASSERT_FALSE(same(&t, t.values, t.start, "one", 0));
    destroy(&t);
}

/* y = γ(x − mean)/√(var + ε) + β with given numbers, dx = dy·γ/√(var + ε); nothing else has a gradient. */
static void check_frozen_norm(const struct cvy_compute *compute, void *arg) {
    enum { N = 3, PIXELS = 10, CHANNELS = 19, COUNT = N * PIXELS * CHANNELS };
    struct op_run run;
    float mean[32], variance[32], stat[2][32];
    double *want = calloc(2 * COUNT, sizeof *want);
    op_run_create(&run, &((const struct cvy_graph *)arg)->nodes[1].op, compute, N);
    float *x = run.x[0].data, *dy = run.call.dy.data;
    floats_random(mean, 32, 1);
    floats_random(variance, 32, 2);
    floats_random(op_run_param(&run, 0), 32, 3);
    floats_random(op_run_param(&run, 1), 32, 4);
    floats_random(x, COUNT, 5);
    floats_random(dy, COUNT, 6);
    for (int c = 0; c < 32; c++) variance[c] = fabsf(variance[c]) + 0.1f;
    for (int i = 0; i < COUNT; i++) {
        int c = i % CHANNELS;
        double gain = (double)run.call.param[0][c] / sqrt((double)variance[c] + 1e-5);
        want[i] = ((double)x[i] - (double)mean[c]) * gain + (double)run.call.param[1][c];
        want[COUNT + i] = (double)dy[i] * gain;
    }
    run.call.buffer[0] = mean;
    run.call.buffer[1] = variance;
    run.call.stat[0] = stat[0];
    run.call.stat[1] = stat[1];
    op_run_forward(&run);
    CU_ASSERT(floats_error(run.call.y.data, want, COUNT) < 1e-6);
    op_run_backward(&run);
    CU_ASSERT(floats_error(run.dx[0].data, want + COUNT, COUNT) < 1e-6);
    for (int c = 0; c < CHANNELS; c++)
        CU_ASSERT(stat[0][c] == 0 && stat[1][c] == 0 && run.call.grad[0][c] == 0 && run.call.grad[1][c] == 0);
    op_run_destroy(&run);
    free(want);
}

static void frozen_norm(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(
        graph_from_text("input: [2, 5, 19]\nlayers: [{conv: {filters: 19, kernel: 1}}, {batchnorm: , frozen: true}]",
                        NULL, &tree, &graph));
    each_level(2, check_frozen_norm, graph);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* ---- bad ones ---- */

static void findings(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    CU_ASSERT_EQUAL(
        graph_from_text("input: [2, 2, 2]\nlayers:\n  - {dense: 3, frozen: 2}\n  - {dense: 3, lr_factor: -1}\n"
                        "  - {dense: 3, lr_factor: [1]}\n",
                        NULL, &tree, &graph),
        CVY_ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(cvy_error_message(), "t.yaml:3:24: frozen: expected true or false\n"
                                                "t.yaml:4:27: lr_factor: expected a number from 0 (frozen) to 1e6\n"
                                                "t.yaml:5:27: lr_factor: expected a number from 0 (frozen) to 1e6");
    cvy_tree_destroy(&tree);
}

static const struct test_case cases[] = {
    {"factors of layers and of groups; who wants a gradient", factors},
    {"frozen layers stay, the others learn as before", frozen_layers_stay},
    {"frozen statistics stay", frozen_statistics_stay},
    {"a frozen batch norm is a scale and a shift", frozen_norm},
    {"bad settings", findings},
    {0},
};
const struct test_suite suite_frozen = {"frozen", cases, NULL};
