/* LeNet-5 equals another framework's: class scores, loss, every gradient, and 20 losses of SGD with Nesterov momentum
 * and weight decay, at every ISA level, against tests/golden/ (PyTorch in float64; README.md there). The error allowed
 * of each tensor, max|a − b| / max|b|, is 1e-5 or twice that of PyTorch in float32, whichever is larger. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "golden_help.h"
#include "unit/graph/graph_help.h"
#include "io/yaml.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "optim/optimizer.h"
#include "test.h"

enum { BATCH = 16, STEPS = 20, CLASSES = 10, PIXELS = 28 * 28, LARGEST = 48000, PARAMS = 10 };

/* ---- the formula of make_lenet5.py ---- */

struct golden {
    const char *name;
    bool relu;
    hid_t file;
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    double sgd[3], instance;
    double *want; /* [LARGEST] */
};

static void draw_weights(const struct cvy_graph *graph, bool relu, float *values) {
    for (int p = 0; p < graph->params.count; p++) {
        const struct cvy_param *param = &graph->params.items[p];
        size_t count = (size_t)cvy_param_count(param);
        double fan_in = (double)count / (double)param->dims[param->rank - 1];
        double scale = p % 2 ? 0.1 : sqrt((p == PARAMS - 2 ? 1.0 : relu ? 6.0 : 3.0) / fan_in);
        float *logical = floats_new(count);
        for (size_t i = 0; i < count; i++) logical[i] = golden_draw(100 + (uint32_t)p, i, scale);
        cvy_param_from_logical(param, logical, values + param->offset);
        floats_free(logical);
    }
}

static void draw_batch(const struct golden *g, int step, struct graph_batch *batch) {
    uint32_t stream = 10000 * (uint32_t)g->instance + (uint32_t)step;
    for (int n = 0; n < BATCH; n++) {
        batch->labels[n] = (int32_t)(golden_bits(2000 + stream, (size_t)n) % CLASSES);
        for (size_t i = 0; i < PIXELS; i++)
            batch->x[(size_t)n * PIXELS + i] = golden_draw(1000 + stream, (size_t)n * PIXELS + i, 0.25) +
                                               golden_draw(3000 + (uint32_t)batch->labels[n], i, 1.0);
    }
}

static void compare(const struct golden *g, const struct cvy_compute *compute, const char *name, const float *got,
                    size_t count) {
    double fp32_error;
    if (!golden_read(g->file, name, count, g->want, "fp32_error", &fp32_error)) return;
    double error = floats_error(got, g->want, count);
    bool good = error <= fmax(1e-5, 2 * fp32_error);
    if (!good)
        fprintf(stderr, "\n    %s %s at %s: error %.2g, PyTorch's in float32 %.2g", g->name, name,
                cvy_isa_name(compute->isa), error, fp32_error);
    CU_ASSERT(good);
}

/* ---- one step ---- */

static double run_net(struct cvy_net *net, const struct graph_batch *batch, struct leaf_store *store) {
    const int sizes[1] = {BATCH};
    struct cvy_loss_result loss;
    struct cvy_net_batch part = graph_leaves(cvy_net_graph(net), batch, sizes, 0, 1);
    store->next = 0;
    TEST_OK(cvy_net_run(net, &part, &store->hooks, &loss));
    return loss.loss / BATCH;
}

static void check_scores(const struct golden *g, const struct cvy_compute *compute, const struct graph_batch *batch) {
    struct cvy_net *net;
    struct leaf_store store;
    TEST_OK(
        cvy_net_create(&(struct cvy_net_spec){g->graph, compute, CVY_EVALUATE, BATCH, 1, 0, CVY_RECOMPUTE_AUTO}, &net));
    draw_weights(g->graph, g->relu, cvy_net_parameters(net));
    leaf_store_create(g->graph, 1, &store);
    float loss = (float)run_net(net, batch, &store);
    compare(g, compute, "loss", &loss, 1);
    compare(g, compute, "scores", cvy_net_output(net), BATCH * CLASSES);
    leaf_store_destroy(&store);
    cvy_net_destroy(&net);
}

static void check_gradients(const struct golden *g, const struct cvy_compute *compute, const float *gradient) {
    for (int p = 0; p < g->graph->params.count; p++) {
        const struct cvy_param *param = &g->graph->params.items[p];
        size_t count = (size_t)cvy_param_count(param);
        char name[160];
        float *logical = floats_new(count);
        cvy_param_to_logical(param, gradient + param->offset, logical);
        for (size_t i = 0; i < count; i++) logical[i] /= BATCH; /* exact: a power of two */
        snprintf(name, sizeof name, "grad/%s", param->name);
        compare(g, compute, name, logical, count);
        floats_free(logical);
    }
}

static void check_losses(const struct golden *g, const struct cvy_compute *compute, const double *losses) {
    double fp32_error[STEPS];
    if (!golden_read(g->file, "losses", STEPS, g->want, "fp32_error", fp32_error)) return;
    for (int s = 0; s < STEPS; s++) {
        double error = fabs(losses[s] - g->want[s]) / g->want[s];
        bool good = error <= fmax(1e-5, 2 * fp32_error[s]);
        if (!good)
            fprintf(stderr,
                    "\n    %s at %s: the loss of step %d is %.9g, and %.9g in PyTorch: error %.2g, %.2g in float32",
                    g->name, cvy_isa_name(compute->isa), s, losses[s], g->want[s], error, fp32_error[s]);
        CU_ASSERT(good);
    }
}

static void create_sgd(const struct golden *g, struct cvy_optimizer *out) {
    struct cvy_node *node;
    char text[128];
    snprintf(text, sizeof text, "{sgd: {momentum: %.17g, weight_decay: %.17g, nesterov: true}}", g->sgd[1], g->sgd[2]);
    TEST_OK(cvy_yaml_parse(g->tree, "sgd", text, strlen(text), &node));
    TEST_OK(cvy_optimizer_create(node, &g->graph->params, CVY_DECAY_ON_ALL, out));
}

static void train(const struct golden *g, const struct cvy_compute *compute, struct graph_batch *batch) {
    struct cvy_net *net;
    struct leaf_store store;
    struct cvy_optimizer sgd;
    double losses[STEPS];
    TEST_OK(
        cvy_net_create(&(struct cvy_net_spec){g->graph, compute, CVY_TRAIN, BATCH, 1, 0, CVY_RECOMPUTE_AUTO}, &net));
    draw_weights(g->graph, g->relu, cvy_net_parameters(net));
    leaf_store_create(g->graph, 1, &store);
    create_sgd(g, &sgd);
    for (int step = 0; step < STEPS; step++) {
        draw_batch(g, step, batch);
        losses[step] = run_net(net, batch, &store);
        if (step == 0) check_gradients(g, compute, store.gradients);
        cvy_optimizer_update(&sgd, compute, cvy_net_parameters(net), store.gradients, 0, store.stored, g->sgd[0],
                             1.0 / BATCH, step + 1);
    }
    check_losses(g, compute, losses);
    cvy_optimizer_destroy(&sgd);
    leaf_store_destroy(&store);
    cvy_net_destroy(&net);
}

static void at_level(const struct cvy_compute *compute, void *arg) {
    struct golden *g = arg;
    struct graph_batch batch;
    graph_batch_create(g->graph, BATCH, &batch);
    draw_batch(g, 0, &batch);
    check_scores(g, compute, &batch);
    train(g, compute, &batch);
    graph_batch_destroy(&batch);
}

static void check_golden(const char *name, bool relu) {
    struct golden g = {.name = name, .relu = relu, .want = calloc(LARGEST, sizeof(double))};
    char file[64], model[64];
    snprintf(file, sizeof file, "%s.h5", name);
    snprintf(model, sizeof model, "%s.yaml", name);
    TEST_OK(graph_from_model(model, "softmax_cross_entropy", &g.tree, &g.graph));
    g.file = golden_open(file);
    if (g.file >= 0) {
        TEST_OK(cvy_h5_get_reals(g.file, "sgd", g.sgd));
        TEST_OK(cvy_h5_get_reals(g.file, "instance", &g.instance));
        each_level(2, at_level, &g);
    }
    golden_close(&g.file);
    free(g.want);
    cvy_graph_destroy(&g.graph);
    cvy_tree_destroy(&g.tree);
}

static void lenet5(void) {
    check_golden("lenet5", false);
}
static void lenet5_relu(void) {
    check_golden("lenet5_relu", true);
}

static const struct test_case cases[] = {
    {"LeNet-5 as in 1998: scores, gradients, 20 losses", lenet5},
    {"LeNet-5 with ReLU: scores, gradients, 20 losses", lenet5_relu},
    {0},
};
const struct test_suite suite_golden = {"golden", cases, NULL};
