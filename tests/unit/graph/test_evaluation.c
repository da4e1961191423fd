/* Networks in evaluation: a convolution with a bias, the normalisation behind it and a ReLU run as one, by filters that
 * were transformed once; what is kept of the parameters follows them when they change. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit/graph/graph_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

enum { SIZE = 12, CHANNELS = 20, FILTERS = 18, PIXELS = SIZE * SIZE, OUTPUTS = PIXELS * FILTERS };
static const char model[] =
    "input: [12, 12, 20]\nlayers: [conv: {filters: 18, kernel: 3, padding: same}, batchnorm, relu]\n";

struct numbers {
    float weight[9 * CHANNELS * FILTERS], bias[FILTERS], gain[FILTERS], offset[FILTERS], mean[FILTERS],
        variance[FILTERS];
};

static void draw(struct numbers *n, uint32_t seed) {
    float *const drawn[] = {n->weight, n->bias, n->gain, n->offset, n->mean, n->variance};
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++)
        floats_random(drawn[i], i == 0 ? 9 * CHANNELS * FILTERS : FILTERS, seed + (uint32_t)i);
    for (int k = 0; k < FILTERS; k++) n->variance[k] = 1.5f + n->variance[k];
}

static void set(struct cvy_net *net, const struct numbers *n) {
    const struct cvy_graph *graph = cvy_net_graph(net);
    const float *const params[] = {n->weight, n->bias, n->gain, n->offset}, *const buffers[] = {n->mean, n->variance};
    for (int p = 0; p < 4; p++) {
        const struct cvy_param *param = &graph->params.items[p];
        cvy_param_from_logical(param, params[p], cvy_net_parameters(net) + param->offset);
    }
    for (int b = 0; b < 2; b++) {
        const struct cvy_param *buffer = &graph->buffers.items[b];
        cvy_param_from_logical(buffer, buffers[b], cvy_net_buffers(net) + buffer->offset);
    }
}

/* Layer by layer, in double. */
static void expect(const struct numbers *n, const float *x, double *y) {
    for (int i = 0; i < OUTPUTS; i++) {
        const int k = i % FILTERS, oy = i / FILTERS / SIZE, ox = i / FILTERS % SIZE;
        double sum = n->bias[k];
        for (int tap = 0; tap < 9; tap++) {
            const int iy = oy + tap / 3 - 1, ix = ox + tap % 3 - 1;
            if (iy < 0 || ix < 0 || iy >= SIZE || ix >= SIZE) continue;
            for (int c = 0; c < CHANNELS; c++)
                sum += (double)x[(iy * SIZE + ix) * CHANNELS + c] * n->weight[(tap * CHANNELS + c) * FILTERS + k];
        }
        y[i] = fmax(0, (sum - n->mean[k]) / sqrt(n->variance[k] + 1e-5) * n->gain[k] + n->offset[k]);
    }
}

struct subject {
    struct cvy_graph *graph;
    struct graph_batch batch;
    struct numbers first, second;
    double expected[2][OUTPUTS];
    int leaf;
};

static struct cvy_net *make(const struct subject *s, const struct cvy_compute *compute) {
    struct cvy_net *net;
    TEST_OK(cvy_net_create(&(struct cvy_net_spec){s->graph, compute, CVY_EVALUATE, s->leaf, 1, 1, CVY_RECOMPUTE_AUTO},
                           &net));
    return net;
}

/* Of the first sample. */
static void run(const struct subject *s, struct cvy_net *net, float *y) {
    static const int one = 1;
    struct cvy_net_batch batch = graph_leaves(s->graph, &s->batch, &one, 0, 1);
    batch.y = NULL;
    TEST_OK(cvy_net_run(net, &batch, NULL, NULL));
    memcpy(y, cvy_net_output(net), OUTPUTS * sizeof *y);
}

static bool close_to(const float *y, const double *expected) {
    return floats_error(y, expected, OUTPUTS) < 1e-5;
}

static void check(const struct cvy_compute *compute, void *arg) {
    const struct subject *s = arg;
    float before[OUTPUTS], after[OUTPUTS], fresh[OUTPUTS];
    struct cvy_net *net = make(s, compute), *other = make(s, compute);
    set(net, &s->first);
    run(s, net, before);
    CU_ASSERT(close_to(before, s->expected[0]));
    run(s, net, after);
    CU_ASSERT(floats_same(before, after, OUTPUTS)); /* nothing was made anew */
    set(net, &s->second);
    set(other, &s->second);
    run(s, net, after);
    run(s, other, fresh);
    CU_ASSERT(close_to(after, s->expected[1]));
    CU_ASSERT(floats_same(after, fresh, OUTPUTS));
    set(other, &s->first);
    cvy_net_follow(net, cvy_net_parameters(other), cvy_net_buffers(other));
    run(s, net, after);
    CU_ASSERT(floats_same(after, before, OUTPUTS));
    set(other, &s->second);
    cvy_net_follow(net, cvy_net_parameters(other), cvy_net_buffers(other));
    run(s, net, after);
    CU_ASSERT(floats_same(after, fresh, OUTPUTS));
    cvy_net_destroy(&net);
    cvy_net_destroy(&other);
}

/* leaf: with 1 the filters are cached, with more than 28 they are not. */
static void evaluate(int leaf) {
    struct cvy_tree *tree;
    struct subject *s = calloc(1, sizeof *s);
    TEST_OK(graph_from_text(model, NULL, &tree, &s->graph));
    graph_batch_create(s->graph, 1, &s->batch);
    s->leaf = leaf;
    draw(&s->first, 1);
    draw(&s->second, 20);
    expect(&s->first, s->batch.x, s->expected[0]);
    expect(&s->second, s->batch.x, s->expected[1]);
    for (int threads = 1; threads <= 3; threads += 2) each_level(threads, check, s);
    graph_batch_destroy(&s->batch);
    cvy_graph_destroy(&s->graph);
    cvy_tree_destroy(&tree);
    free(s);
}

static void with_cached_filters(void) {
    evaluate(1);
}
static void without_cached_filters(void) {
    evaluate(32);
}

static void plan_says(int leaf, bool cached, int threads) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_plan plan;
    TEST_OK(graph_from_text(model, NULL, &tree, &graph));
    TEST_OK(plan_for(graph, CVY_EVALUATE, leaf, 1, threads, CVY_RECOMPUTE_AUTO, &plan));
    CU_ASSERT_EQUAL(plan.copy[0] != SIZE_MAX, cached);
    for (int i = 1; i < graph->node_count; i++) CU_ASSERT(plan.units[i].host == 0 && plan.made[i] == NULL);
    cvy_plan_destroy(&plan);
    TEST_OK(plan_for(graph, CVY_TRAIN, leaf, 1, threads, CVY_RECOMPUTE_AUTO, &plan));
    CU_ASSERT_EQUAL(plan.copy[0], SIZE_MAX);
    cvy_plan_destroy(&plan);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static void what_is_cached(void) {
    plan_says(1, true, 1);
    plan_says(28, true, 2);
    plan_says(29, false, 2); /* much work for a filter that is transformed once */
}

static const struct test_case cases[] = {
    {"convolution with bias, normalisation and ReLU in one, filters cached", with_cached_filters},
    {"the same with filters transformed for each call", without_cached_filters},
    {"filters are cached for few pixels", what_is_cached},
    {0},
};
const struct test_suite suite_evaluation = {"evaluation", cases, NULL};
