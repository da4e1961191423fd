/* Gradients that are released as soon as they are used: large dense layers without a copy of their weights, in parts,
 * and the arena that takes one part after the other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/param.h"
#include "graph/run/spans.h"
#include "unit/graph/graph_help.h"
#include "kernels/conv/algorithm.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"
#include "train/release.h"

/* ---- backward-data with the operands exchanged ---- */

static void check_data(const struct cvy_compute *compute, int n, int in, int out) {
    const struct cvy_param param = {.rank = 2, .dims = {in, out}, .panels = true};
    const size_t stored = cvy_param_stored(&param), count = (size_t)n * (size_t)in;
    float *logical = floats_new((size_t)in * (size_t)out), *w = floats_new(stored), *dx = floats_new(count);
    float *dy = floats_new((size_t)n * (size_t)out), *before = floats_new(count);
    double *want = calloc(count, sizeof *want);
    void *ws;
    const struct cvy_conv g = {.n = n, .in = {1, 1, in}, .out = {1, 1, out}, .r = 1, .s = 1};
    const struct cvy_conv_case c = {.compute = compute, .g = &g, .most = n, .lean = true};
    struct cvy_tiling tiling;
    TEST_OK(cvy_alloc(cvy_data_dense.tile(&c, &tiling) * sizeof(float), CVY_TAG_workspace, &ws));
    floats_random(logical, (size_t)in * (size_t)out, 1);
    floats_random(dy, (size_t)n * (size_t)out, 2);
    floats_random(before, count, 3);
    memset(w, 0, stored * sizeof *w);
    cvy_param_from_logical(&param, logical, w);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < in; i++)
            for (int k = 0; k < out; k++)
                want[(ptrdiff_t)j * in + i] += (double)dy[(ptrdiff_t)j * out + k] * logical[(ptrdiff_t)i * out + k];
    struct cvy_pass_call call = {
        .compute = compute, .g = &g, .tiling = &tiling, .from = dy, .with = w, .to = dx, .ws = ws};
    cvy_data_dense.run(&call);
    CU_ASSERT(floats_error(dx, want, count) <= sum_tolerance(out));
    memcpy(dx, before, count * sizeof *dx);
    for (size_t i = 0; i < count; i++) want[i] += before[i];
    call.accumulate = true;
    cvy_data_dense.run(&call);
    CU_ASSERT(floats_error(dx, want, count) <= sum_tolerance(out));
    floats_free(logical);
    floats_free(w);
    floats_free(dx);
    floats_free(dy);
    floats_free(before);
    free(want);
    cvy_free(ws);
}

static void data_at_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    static const int shapes[][3] = {{1, 1, 1}, {3, 65, 17}, {16, 64, 256}, {17, 63, 300}, {64, 130, 31}, {5, 200, 529}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_data(compute, shapes[i][0], shapes[i][1], shapes[i][2]);
}

static void backward_data(void) {
    each_level(1, data_at_level, NULL);
    each_level(3, data_at_level, NULL);
}

/* ---- parts ---- */

/* Hooks that keep gradients only while they are there, copied to where the whole vector would have them. */
struct releasing {
    struct cvy_release release;
    size_t statistics;
    float *vector;
    int places;
};
static float *place(void *arg, size_t first, size_t count) {
    struct releasing *r = arg;
    r->places++;
    return first < r->statistics ? r->vector + first : cvy_release_place(&r->release, first, count);
}
static cvy_status ready(void *arg, size_t first, size_t count) {
    struct releasing *r = arg;
    if (first < r->statistics) return CVY_OK;
    float *at = cvy_release_take(&r->release, first);
    memcpy(r->vector + first, at, count * sizeof *at);
    memset(at, 0xff, count * sizeof *at);
    return CVY_OK;
}
static cvy_status done(void *arg) {
    (void)arg;
    return CVY_OK;
}

static const char wide[] = "input: [1, 1, 1100]\n" /* 4.9 M weights: two parts, the last panel cut */
                           "layers: [dense: 48, batchnorm, relu, {dense: 4105, name: large}, relu, "
                           "{dense: 1200, name: larger}, dense: 5]\n";

static void whole_run(const struct cvy_graph *graph, const struct cvy_compute *compute, struct graph_batch *batch,
                      struct cvy_net_hooks hooks) {
    struct cvy_net *net;
    struct cvy_loss_result loss;
    const int size = batch->samples;
    TEST_OK(cvy_net_create(&(struct cvy_net_spec){graph, compute, CVY_TRAIN, size, 1, 3, CVY_RECOMPUTE_AUTO}, &net));
    const struct cvy_net_batch part = graph_leaves(graph, batch, &size, 0, 1);
    TEST_OK(cvy_net_run(net, &part, &hooks, &loss));
    cvy_net_destroy(&net);
}

static void parts_make_the_whole(void) {
    struct cvy_compute *compute;
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct graph_batch batch;
    struct leaf_store store;
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    TEST_OK(graph_from_text(wide, "softmax_cross_entropy", &tree, &graph));
    const struct cvy_graph_node *node = &graph->nodes[graph_node(graph, "larger")];
    CU_ASSERT(node->op.parts == 2 && node->op.copy_floats == 0);
    CU_ASSERT(cvy_graph_part_floats(graph) < graph->params.items[node->param[0]].stored);
    graph_batch_create(graph, 6, &batch);
    leaf_store_create(graph, 1, &store);
    whole_run(graph, compute, &batch, store.hooks);
    struct releasing r = {.statistics = graph->buffers.stored, .vector = floats_new(store.stored)};
    TEST_OK(cvy_release_create(graph, &r.release));
    whole_run(graph, compute, &batch, (struct cvy_net_hooks){&r, place, ready, done, NULL, NULL, NULL});
    CU_ASSERT(floats_same(r.vector, store.gradients, store.stored));
    CU_ASSERT(r.release.count == 0 && r.places == 9); /* statistics, four layers whole, two parts of weight and bias */
    cvy_release_destroy(&r.release);
    floats_free(r.vector);
    leaf_store_destroy(&store);
    graph_batch_destroy(&batch);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    cvy_compute_destroy(&compute);
}

/* As a layer alone computes it, all outputs at once. */
static void gradients_of_parts(void) {
    struct cvy_compute *compute;
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct graph_batch batch;
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    TEST_OK(graph_from_text("input: [1, 1, 3100]\nlayers: [{dense: 1400, name: large}]\n", NULL, &tree, &graph));
    graph_batch_create(graph, 2, &batch);
    struct op_run run;
    const struct cvy_op *op = &graph->nodes[0].op;
    op_run_create(&run, op, compute, 2);
    memcpy(run.x[0].data, batch.x, run.x_count[0] * sizeof(float));
    floats_random(run.call.dy.data, run.y_count, 8);
    memset(op_run_param(&run, 0), 0, op_stored(op, 0) * sizeof(float));
    op_run_backward(&run);
    const float *x = batch.x, *dy = run.call.dy.data;
    bool good = op->parts == 2;
    for (int i = 0; i < 3100; i += 7)
        for (int k = 0; k < 1400; k++) {
            const double want = (double)x[i] * dy[k] + (double)x[3100 + i] * dy[1400 + k];
            const float is = run.call.grad[0][cvy_param_place(&op->param[0], (int64_t)i * 1400 + k)];
            good &= fabs(is - want) < 1e-6;
        }
    for (int k = 0; k < 1408; k++)
        good &= fabs(run.call.grad[1][k] - (k < 1400 ? (double)dy[k] + dy[1400 + k] : 0)) < 1e-6;
    CU_ASSERT(good);
    op_run_destroy(&run);
    graph_batch_destroy(&batch);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    cvy_compute_destroy(&compute);
}

static const struct test_case cases[] = {
    {"dense backward-data without a copy, odd shapes, every level", backward_data},
    {"gradients placed and taken part by part are the whole", parts_make_the_whole},
    {"each part of a large dense layer's gradient", gradients_of_parts},
    {0},
};
const struct test_suite suite_release = {"release", cases, NULL};
