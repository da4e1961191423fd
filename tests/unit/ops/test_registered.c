/* Layers of a program's own (convoy/op.h): which are refused, what a model file says to one, and that its gradients are
 * what its functions add. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convoy.h"
#include "io/yaml.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

/* ---- y = scale·Σ x_i² + bias, of one to three inputs; bias a channel ---- */

static void infer(const struct cvy_layer_view *layer, struct cvy_layer_plan *plan) {
    for (int i = 1; i < layer->inputs; i++)
        if (layer->in[i].channels != layer->in[0].channels)
            snprintf(plan->why, sizeof plan->why, "input %d has %d channels, the first has %d; make them alike", i,
                     layer->in[i].channels, layer->in[0].channels);
    plan->weights[plan->weight_count++] =
        (struct cvy_layer_weight){.name = "bias", .count = plan->out.channels, .start = layer->settings[1]};
    plan->macs = 7;
}

static int64_t count_of(const struct cvy_layer_view *layer, int samples) {
    return (int64_t)samples * layer->out.height * layer->out.width * layer->out.channels;
}

static void forward(const struct cvy_layer_view *layer, const struct cvy_layer_call *call) {
    for (int64_t i = 0; i < count_of(layer, call->samples); i++) {
        float sum = 0;
        for (int k = 0; k < layer->inputs; k++) sum += call->x[k][i] * call->x[k][i];
        call->y[i] = (float)layer->settings[0] * sum + call->weights[0][i % layer->out.channels];
    }
    if (call->saved) *(int *)call->saved = call->samples;
}

static void backward(const struct cvy_layer_view *layer, const struct cvy_layer_call *call) {
    CU_ASSERT_EQUAL(*(int *)call->saved, call->samples);
    CU_ASSERT_PTR_NULL(call->y);
    for (int64_t i = 0; i < count_of(layer, call->samples); i++) {
        for (int k = 0; k < layer->inputs; k++)
            if (call->dx[k]) call->dx[k][i] += 2 * (float)layer->settings[0] * call->x[k][i] * call->dy[i];
        call->dweights[0][i % layer->out.channels] += call->dy[i];
    }
}

static size_t saved(const struct cvy_layer_view *layer, int samples) {
    (void)layer, (void)samples;
    return sizeof(int);
}

static const struct cvy_layer_key keys[] = {
    {.name = "scale", .help = "times the squares", .needed = true, .low = -4, .high = 4},
    {.name = "start", .help = "of the bias", .whole = true, .fallback = 2},
};
static const struct cvy_layer_kind squares = {.size = sizeof squares,
                                              .name = "squares",
                                              .purpose = "sums of squares",
                                              .keys = keys,
                                              .key_count = 2,
                                              .min_inputs = 1,
                                              .max_inputs = 3,
                                              .reads = CVY_LAYER_READS_X,
                                              .infer = infer,
                                              .saved = saved,
                                              .forward = forward,
                                              .backward = backward};

static bool says(const char *words) {
    if (strstr(cvy_error_message(), words)) return true;
    fprintf(stderr, "\n    expected \"%s\" in: %s", words, cvy_error_message());
    return false;
}

/* ---- Registering ---- */

static void expect_refused(struct cvy_layer_kind kind, const char *words) {
    CU_ASSERT_EQUAL(cvy_register_layer(&kind), CVY_ERR_USAGE);
    CU_ASSERT(says(words));
}

#define WITH(member, value, words)                                                                                     \
    do {                                                                                                               \
        struct cvy_layer_kind kind_ = squares;                                                                         \
        kind_.member = (value);                                                                                        \
        expect_refused(kind_, (words));                                                                                \
    } while (0)

static void which_are_refused(void) {
    WITH(name, NULL, "its member name is not set");
    WITH(purpose, NULL, "its member purpose is not set");
    WITH(backward, NULL, "its member backward is not set");
    WITH(size, 3, "struct cvy_layer_kind: its size is 3");
    WITH(name, "Squares", "a layer's name \"Squares\" is none");
    WITH(name, "", "is none");
    WITH(name, "relu", "the name \"relu\" is taken, by a layer; choose another");
    WITH(name, "mse", "the name \"mse\" is taken, by a loss");
    WITH(name, "residual", "the name \"residual\" is taken, by a group of layers");
    WITH(key_count, CVY_LAYER_KEYS + 1, "there may be 16");
    WITH(keys, NULL, "has 2 keys");
    WITH(max_inputs, CVY_LAYER_INPUTS + 1, "takes 1 to 9 inputs; there may be 1 to 8");
    TEST_OK(cvy_register_layer(&squares));
    expect_refused(squares, "the name \"squares\" is taken, by a layer");
}

/* ---- In a model file ---- */

static cvy_status build(const char *layers, struct cvy_tree **tree, struct cvy_graph **graph) {
    char text[512];
    snprintf(text, sizeof text, "{input: [2, 3, 4], layers: [%s]}", layers);
    return graph_from_text(text, NULL, tree, graph);
}

static void expect_message(const char *layers, const char *words) {
    struct cvy_tree *tree = NULL;
    struct cvy_graph *graph = NULL;
    CU_ASSERT_EQUAL(build(layers, &tree, &graph), CVY_ERR_USAGE);
    CU_ASSERT(says(words));
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static void what_a_file_says(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph, *other;
    TEST_OK(build("{squares: 0.5}", &tree, &graph)); /* the first key's shorthand */
    CU_ASSERT_EQUAL(graph->nodes[0].op.params, 1);
    CU_ASSERT_EQUAL(graph->nodes[0].op.macs, 7);
    CU_ASSERT_STRING_EQUAL(graph->params.items[0].name, "squares1/bias");
    CU_ASSERT_EQUAL(graph->params.items[0].init_how.value, 2);
    const uint64_t hash = graph->hash;
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    TEST_OK(build("{squares: {scale: 0.25}}", &tree, &other));
    CU_ASSERT_NOT_EQUAL(other->hash, hash); /* settings are in it, for ranks to compare */
    cvy_graph_destroy(&other);
    cvy_tree_destroy(&tree);
    expect_message("squares", "scale");
    expect_message("{squares: 5}", "-4 to 4");
    expect_message("{squares: {scale: 1, strat: 1}}", "did you mean \"start\"?");
    expect_message("{squares: {scale: 1, start: 0.5}}", "start");
    expect_message("{squarse: 1}", "did you mean \"squares\"?");
    expect_message("{conv: {filters: 3, kernel: 1}, name: a}, {squares: 1, inputs: [a, input]}",
                   "input 1 has 4 channels, the first has 3; make them alike");
}

/* convoy help has it, too. */
static void the_reference_knows_it(void) {
    struct cvy_kind_facts kind = cvy_kind_facts_default();
    bool found = false;
    for (int k = 0; cvy_reference_kind(0, k, &kind); k++)
        found |= strcmp(kind.name, "squares") == 0 && strcmp(kind.shorthand, "scale") == 0;
    CU_ASSERT(found);
}

/* ---- Gradients ---- */

enum { N = 3, FLOATS = 2 * 3 * 4 };

static double value_of(struct op_run *run, const float *dy) {
    double sum = 0;
    op_run_forward(run);
    for (int i = 0; i < N * FLOATS; i++) sum += (double)dy[i] * ((const float *)run->call.y.data)[i];
    return sum;
}

static void expect_slope(struct op_run *run, float *at, const float *dy, float gradient) {
    const float step = 1.0f / 64, before = *at;
    *at = before + step;
    const double above = value_of(run, dy);
    *at = before - step;
    const double below = value_of(run, dy);
    *at = before;
    CU_ASSERT_DOUBLE_EQUAL(gradient, (above - below) / (2 * (double)step), 1e-3);
}

/* Of all inputs and weights, set and added to, against finite differences. */
static void gradients(void) {
    static float dy[N * FLOATS], x[2][N * FLOATS], dx[2][N * FLOATS];
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_compute *compute;
    struct op_run run;
    TEST_OK(cvy_compute_create(2, CVY_ISA_PORTABLE, &compute));
    TEST_OK(build("{relu: {}, name: a}, {squares: 0.75, inputs: [a, input]}", &tree, &graph));
    op_run_create(&run, &graph->nodes[1].op, compute, N);
    CU_ASSERT_EQUAL_FATAL(run.op->inputs, 2);
    for (int i = 0; i < N * FLOATS; i++) {
        dy[i] = (float)(i * 5 % 7 - 3) / 4;
        x[0][i] = (float)(i * 3 % 11 - 5) / 4;
        x[1][i] = (float)(i * 7 % 13 - 6) / 4;
    }
    for (int k = 0; k < 2; k++) memcpy(run.x[k].data, x[k], sizeof x[k]);
    for (int c = 0; c < 4; c++) op_run_param(&run, 0)[c] = (float)c;
    memcpy(run.call.dy.data, dy, sizeof dy);
    run.accumulate[1] = true;
    for (int i = 0; i < N * FLOATS; i++) ((float *)run.dx[1].data)[i] = 10;
    op_run_forward(&run);
    op_run_backward(&run);
    for (int k = 0; k < 2; k++) memcpy(dx[k], run.dx[k].data, sizeof dx[k]);
    for (int i = 0; i < N * FLOATS; i += 5) {
        expect_slope(&run, (float *)run.x[0].data + i, dy, dx[0][i]);
        expect_slope(&run, (float *)run.x[1].data + i, dy, dx[1][i] - 10);
    }
    for (int c = 0; c < 4; c++) expect_slope(&run, op_run_param(&run, 0) + c, dy, run.call.grad[0][c]);
    for (int c = 4; c < 16; c++) CU_ASSERT_EQUAL(run.call.grad[0][c], 0); /* padding stays zero */
    op_run_destroy(&run);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    cvy_compute_destroy(&compute);
}

static const struct test_case cases[] = {
    {"which are refused", which_are_refused},
    {"what a model file says to one", what_a_file_says},
    {"the reference knows it", the_reference_knows_it},
    {"gradients are what is added", gradients},
    {0},
};
const struct test_suite suite_registered = {"registered", cases, NULL};
