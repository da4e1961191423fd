/* Heads with losses of their own: training adds their weighted loss and gradient to the network's; evaluation does not
 * run them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "unit/graph/graph_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

enum { SAMPLES = 7 };

#define TRUNK "input: [6, 6, 2]\nlayers: [{conv: {filters: 4, kernel: 3}, name: trunk}, tanh, "
static const char both[] =
    TRUNK "aux: {weight: 0.25, layers: [{dense: 6}, tanh, {dense: 5}]}, maxpool: 2, dense: 8, tanh, dense: 5]\n";
static const char network[] = TRUNK "maxpool: 2, dense: 8, tanh, dense: 5]\n";
static const char head[] = TRUNK "{dense: 6, name: aux1/dense1}, tanh, {dense: 5, name: aux1/dense2}]\n";

struct outcome {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    float *gradient; /* [stored] */
    float scores[SAMPLES * 5];
    struct cvy_loss_result loss;
};

/* One leaf. Weights are drawn by the layer's name, so the same layer has the same ones in each of the three. */
static void run(const char *text, enum cvy_mode mode, const struct cvy_compute *compute, struct outcome *o) {
    struct cvy_net *net;
    struct graph_batch batch;
    struct leaf_store store;
    const int size = SAMPLES;
    TEST_OK(graph_from_text(text, "softmax_cross_entropy", &o->tree, &o->graph));
    TEST_OK(cvy_net_create(&(struct cvy_net_spec){o->graph, compute, mode, SAMPLES, 1, 3, CVY_RECOMPUTE_AUTO}, &net));
    graph_batch_create(o->graph, SAMPLES, &batch);
    leaf_store_create(o->graph, 1, &store);
    struct cvy_net_batch leaves = graph_leaves(o->graph, &batch, &size, 0, 1);
    TEST_OK(cvy_net_run(net, &leaves, &store.hooks, &o->loss));
    o->gradient = floats_new(o->graph->params.stored);
    memcpy(o->gradient, store.gradients, o->graph->params.stored * sizeof(float));
    if (mode == CVY_EVALUATE) memcpy(o->scores, cvy_net_output(net), sizeof o->scores);
    leaf_store_destroy(&store);
    graph_batch_destroy(&batch);
    cvy_net_destroy(&net);
}

static void finish(struct outcome *o) {
    floats_free(o->gradient);
    cvy_graph_destroy(&o->graph);
    cvy_tree_destroy(&o->tree);
}

/* Of the parameter of this name, or NULL. */
static const float *gradient_of(const struct outcome *o, const char *name) {
    for (int p = 0; p < o->graph->params.count; p++)
        if (strcmp(o->graph->params.items[p].name, name) == 0) return o->gradient + o->graph->params.items[p].offset;
    return NULL;
}

static void training(void) {
    struct cvy_compute *compute;
    struct outcome all, main, aux;
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    run(both, CVY_TRAIN, compute, &all);
    run(network, CVY_TRAIN, compute, &main);
    run(head, CVY_TRAIN, compute, &aux);
    CU_ASSERT_DOUBLE_EQUAL(all.loss.loss, main.loss.loss + 0.25 * aux.loss.loss, 1e-6 * all.loss.loss);
    CU_ASSERT(all.loss.top1 == main.loss.top1 && all.loss.top5 == main.loss.top5);
    CU_ASSERT_EQUAL(all.graph->params.count, 10);
    for (int p = 0; p < all.graph->params.count; p++) {
        const struct cvy_param *param = &all.graph->params.items[p];
        const float *found = all.gradient + param->offset;
        const float *of_main = gradient_of(&main, param->name), *of_aux = gradient_of(&aux, param->name);
        double size = 0, error = 0;
        for (size_t i = 0; i < param->stored; i++) {
            double expected = (of_main ? of_main[i] : 0) + 0.25 * (of_aux ? of_aux[i] : 0);
            size = fmax(size, fabs(expected));
            error = fmax(error, fabs(found[i] - expected));
        }
        CU_ASSERT(size > 0 && error <= 1e-5 * size);
    }
    finish(&all);
    finish(&main);
    finish(&aux);
    cvy_compute_destroy(&compute);
}

static void evaluation(void) {
    struct cvy_compute *compute;
    struct outcome all, main;
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    run(both, CVY_EVALUATE, compute, &all);
    run(network, CVY_EVALUATE, compute, &main);
    CU_ASSERT_EQUAL(memcmp(&all.loss, &main.loss, sizeof all.loss), 0);
    CU_ASSERT_EQUAL(memcmp(all.scores, main.scores, sizeof all.scores), 0);
    struct cvy_plan with, without;
    TEST_OK(plan_for(all.graph, CVY_EVALUATE, SAMPLES, 1, 1, CVY_RECOMPUTE_AUTO, &with));
    TEST_OK(plan_for(main.graph, CVY_EVALUATE, SAMPLES, 1, 1, CVY_RECOMPUTE_AUTO, &without));
    CU_ASSERT_EQUAL(with.leaf_bytes, without.leaf_bytes);
    cvy_plan_destroy(&with);
    cvy_plan_destroy(&without);
    finish(&all);
    finish(&main);
    cvy_compute_destroy(&compute);
}

/* What belongs to the network, what to a head; the output is the network's wherever the head stands. */
static void parts(void) {
    static const char last[] = TRUNK "{dense: 5, name: out}, aux: {weight: 2, layers: [dense: 3]}]\n";
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(graph_from_text(last, NULL, &tree, &graph));
    CU_ASSERT_EQUAL(cvy_graph_output_shape(graph).c, 5);
    CU_ASSERT(graph->nodes[graph_node(graph, "out")].main && graph->nodes[graph_node(graph, "trunk")].main);
    CU_ASSERT(!graph->nodes[graph_node(graph, "aux1/dense1")].main);
    CU_ASSERT_EQUAL(graph->nodes[graph_node(graph, "aux1/dense1")].loss_weight, 2);
    CU_ASSERT_EQUAL(graph->values[graph->nodes[graph_node(graph, "aux1/dense1")].inputs[0]].producer,
                    graph_node(graph, "out"));
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static const struct test_case cases[] = {
    {"training: the sum of the losses", training},
    {"evaluation: as if there were none", evaluation},
    {"which part a layer belongs to", parts},
    {0},
};
const struct test_suite suite_heads = {"heads", cases, NULL};
