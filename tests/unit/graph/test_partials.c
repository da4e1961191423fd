/* graph/net with partials: an op that needs sums over the whole batch (centring, graph_help.c) cuts the step into
 * segments; its gradients are those of the whole batch's loss, whatever the leaves. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "unit/graph/training_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

/* sigmoids that are to become centring: one before the first parameter (no gradient goes through it), one after a
 * convolution, one on a vector. */
static const char text[] = "input: [5, 4, 3]\n"
                           "layers:\n"
                           "  - {sigmoid: , name: first}\n"
                           "  - conv: {filters: 17, kernel: 3, padding: same}\n"
                           "  - {sigmoid: , name: middle}\n"
                           "  - tanh\n"
                           "  - maxpool: 2\n"
                           "  - dense: 9\n"
                           "  - {sigmoid: , name: last}\n"
                           "  - tanh\n"
                           "  - dense: 4\n";

enum { FIRST = 1, MIDDLE = 2, LAST = 4, SAMPLES = 12 };

static void make_graph(int which, struct cvy_tree **tree, struct cvy_graph **graph) {
    TEST_OK(graph_from_text(text, "softmax_cross_entropy", tree, graph));
    if (which & FIRST) graph_make_centre(*graph, graph_node(*graph, "first"));
    if (which & MIDDLE) graph_make_centre(*graph, graph_node(*graph, "middle"));
    if (which & LAST) graph_make_centre(*graph, graph_node(*graph, "last"));
}

struct outcome {
    float *sum; /* [stored] */
    double loss;
    int passes;
    bool all_ready;
};

static struct outcome run(const struct cvy_graph *graph, const struct cvy_compute *compute, const int *sizes,
                          int leaves) {
    struct graph_training t;
    struct outcome out = {.sum = floats_new(graph->params.stored), .all_ready = true};
    struct cvy_loss_result losses[SAMPLES];
    graph_training_create(&(struct cvy_net_spec){graph, compute, CVY_TRAIN, SAMPLES, leaves, 3, CVY_RECOMPUTE_AUTO},
                          sizes, &t);
    for (int again = 0; again < 2; again++) { /* the second step finds what the first left */
        memset(t.store.ready, 0, (size_t)leaves * t.store.stored * sizeof *t.store.ready);
        t.store.next = 0;
        t.store.passes = 1;
        TEST_OK(cvy_net_run(t.net, &t.part, &t.store.hooks, losses));
    }
    for (size_t i = 0; i < (size_t)leaves * t.store.stored; i++) out.all_ready &= t.store.ready[i] == 1;
    for (int i = 0; i < leaves; i++) out.loss += losses[i].loss;
    out.passes = t.store.passes;
    memcpy(out.sum, leaf_store_sum(&t.store), t.store.stored * sizeof(float));
    graph_training_destroy(&t);
    return out;
}

static void gradients_of_the_whole_batch(void) {
    struct cvy_compute *compute;
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    for (int which = 0; which <= (FIRST | MIDDLE | LAST); which++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        make_graph(which, &tree, &graph);
        for (size_t s = 0; s < GRAPH_SPLITS; s++) {
            double loss, error;
            struct outcome o = run(graph, compute, graph_splits[s].sizes, graph_splits[s].leaves);
            error = graph_gradient_error(graph, SAMPLES, o.sum, &loss);
            if (!(error < 5e-6))
                fprintf(stderr, "\n    centres %d, %d leaves: off by %g", which, graph_splits[s].leaves, error);
            CU_ASSERT(error < 5e-6);
            CU_ASSERT_DOUBLE_EQUAL(o.loss, loss, 2e-6 * loss);
            CU_ASSERT(o.all_ready);
            CU_ASSERT_EQUAL(o.passes,
                            1 + !!(which & MIDDLE) + !!(which & LAST)); /* nothing comes back through the first */
            floats_free(o.sum);
        }
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
    cvy_compute_destroy(&compute);
}

static double largest(const double *values, size_t first, size_t count) {
    double most = 0;
    for (size_t i = first; i < first + count; i++) most = fmax(most, fabs(values[i]));
    return most;
}

/* Leaf by leaf or all at once: the same sums but for rounding. */
static void leaves_equal_one(void) {
    struct cvy_compute *compute;
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    make_graph(FIRST | MIDDLE | LAST, &tree, &graph);
    struct outcome whole = run(graph, compute, graph_splits[0].sizes, 1);
    double *want = calloc(graph->params.stored, sizeof *want);
    for (size_t i = 0; i < graph->params.stored; i++) want[i] = whole.sum[i];
    for (size_t s = 1; s < GRAPH_SPLITS; s++) {
        struct outcome o = run(graph, compute, graph_splits[s].sizes, graph_splits[s].leaves);
        for (int p = 0; p < graph->params.count; p++) {
            const struct cvy_param *param = &graph->params.items[p];
            double size = largest(want, 0, graph->params.stored), own = largest(want, param->offset, param->stored);
            double off = floats_error(o.sum + param->offset, want + param->offset, param->stored) * own;
            CU_ASSERT(off < 2e-6 * fmax(own, 0.1 * size)); /* a bias before a centring has no gradient but rounding */
        }
        floats_free(o.sum);
    }
    free(want);
    floats_free(whole.sum);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    cvy_compute_destroy(&compute);
}

/* Where the steps are cut, and what that costs: all leaves of the rank alive at once. */
static void segments(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_plan plan;
    make_graph(MIDDLE | LAST, &tree, &graph);
    int n = graph->node_count, middle = graph_node(graph, "middle"), last = graph_node(graph, "last");
    TEST_OK(plan_for(graph, CVY_TRAIN, 3, 4, 1, CVY_RECOMPUTE_AUTO, &plan));
    const int cuts[] = {0, middle, last, 2 * n - 1 - last, 2 * n - 1 - middle, 2 * n};
    CU_ASSERT_EQUAL(plan.segment_count, 5);
    for (int i = 0; i < 5; i++) CU_ASSERT(plan.segments[i].first == cuts[i] && plan.segments[i].end == cuts[i + 1]);
    CU_ASSERT(plan.segments[0].node == -1 && plan.segments[1].node == middle && plan.segments[2].node == last);
    CU_ASSERT(plan.segments[3].node == last && plan.segments[3].backward && plan.segments[4].node == middle);
    CU_ASSERT_EQUAL(plan.max_partial, 18);
    CU_ASSERT_EQUAL(plan.slots, 4);
    CU_ASSERT(cvy_plan_bytes(&plan) >= 4 * plan.leaf_bytes);
    cvy_plan_destroy(&plan);
    TEST_OK(
        plan_for(graph, CVY_EVALUATE, 3, 4, 1, CVY_RECOMPUTE_AUTO, &plan)); /* no partials of layers when evaluating */
    CU_ASSERT(plan.segment_count == 1 && plan.slots == 1);
    cvy_plan_destroy(&plan);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static const struct test_case cases[] = {
    {"the gradients of the whole batch's loss", gradients_of_the_whole_batch},
    {"several leaves give what one gives", leaves_equal_one},
    {"segments and leaves alive", segments},
    {0},
};
const struct test_suite suite_partials = {"partials", cases, NULL};
