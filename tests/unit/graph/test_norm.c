/* graph/net with batch normalisation: synchronised over several leaves it is batch norm over the whole batch in one
 * leaf; otherwise the running statistics are the count-weighted means of the leaves'; and what it needs of a leaf is
 * said before the first step. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/graph/training_help.h"
#include "kernels/norm.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

enum { SAMPLES = 12 };

/* ---- several leaves ---- */

/* Before the first parameter, after a convolution (with a relu to fuse), and on a vector. */
static const char text[] = "input: [5, 4, 3]\n"
                           "layers:\n"
                           "  - batchnorm: {affine: false, sync: %s}\n"
                           "  - conv: {filters: 17, kernel: 3, padding: same}\n"
                           "  - batchnorm: {sync: %s, momentum: 0.3}\n"
                           "  - relu\n"
                           "  - maxpool: 2\n"
                           "  - dense: 9\n"
                           "  - batchnorm: {sync: %s, eps: 0.01}\n"
                           "  - tanh\n"
                           "  - dense: 4\n";

static void make_graph(bool sync, struct cvy_tree **tree, struct cvy_graph **graph) {
    char full[1024];
    const char *word = sync ? "true" : "false";
    snprintf(full, sizeof full, text, word, word, word);
    TEST_OK(graph_from_text(full, "softmax_cross_entropy", tree, graph));
}

struct outcome {
    float *gradient, *running; /* [params.stored], [buffers.stored] after one step */
    double loss;
};

static struct outcome run(const struct cvy_graph *graph, const struct cvy_compute *compute, const int *sizes,
                          int leaves) {
    struct graph_training t;
    struct outcome out = {floats_new(graph->params.stored), floats_new(graph->buffers.stored), 0};
    struct cvy_loss_result losses[SAMPLES];
    graph_training_create(&(struct cvy_net_spec){graph, compute, CVY_TRAIN, SAMPLES, leaves, 3, CVY_RECOMPUTE_AUTO},
                          sizes, &t);
    TEST_OK(cvy_net_run(t.net, &t.part, &t.store.hooks, losses));
    bool once = true;
    for (size_t i = 0; i < (size_t)leaves * t.store.stored; i++) once &= t.store.ready[i] == 1;
    CU_ASSERT(once); /* statistics too */
    for (int i = 0; i < leaves; i++) out.loss += losses[i].loss;
    const float *sum = leaf_store_sum(&t.store);
    cvy_net_update_buffers(t.net, sum, SAMPLES);
    memcpy(out.gradient, sum + t.store.statistics, graph->params.stored * sizeof(float));
    memcpy(out.running, cvy_net_buffers(t.net), graph->buffers.stored * sizeof(float));
    graph_training_destroy(&t);
    return out;
}

static void outcome_destroy(struct outcome *out) {
    floats_free(out->gradient);
    floats_free(out->running);
}

/* Of each item of a list, as a share of its own size, or of a tenth of the whole list's: a bias before a normalisation
 * has no gradient but rounding. */
static double worst_error(const struct cvy_params *list, const float *got, const float *want) {
    double worst = 0, size = 0;
    for (size_t i = 0; i < list->stored; i++) size = fmax(size, fabs((double)want[i]));
    for (int p = 0; p < list->count; p++) {
        double off = 0, own = 0.1 * size;
        for (size_t i = list->items[p].offset; i < list->items[p].offset + list->items[p].stored; i++) {
            off = fmax(off, fabs((double)got[i] - want[i]));
            own = fmax(own, fabs((double)want[i]));
        }
        worst = fmax(worst, off / own);
    }
    return worst;
}

static void sync_is_the_whole_batch(void) {
    struct cvy_compute *compute;
    struct cvy_tree *tree, *plain_tree;
    struct cvy_graph *graph, *plain;
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    make_graph(false, &plain_tree, &plain);
    make_graph(true, &tree, &graph);
    CU_ASSERT_NOT_EQUAL(graph->hash, plain->hash);
    struct outcome whole = run(plain, compute, graph_splits[0].sizes, 1);
    double loss;
    CU_ASSERT(graph_gradient_error(plain, SAMPLES, whole.gradient, &loss) < 5e-6);
    for (size_t s = 0; s < GRAPH_SPLITS; s++) {
        struct outcome o = run(graph, compute, graph_splits[s].sizes, graph_splits[s].leaves);
        double off = worst_error(&graph->params, o.gradient, whole.gradient);
        double running = worst_error(&graph->buffers, o.running, whole.running);
        if (!(off < 3e-6 && running < 1e-6))
            fprintf(stderr, "\n    %d leaves: gradients off by %g, statistics by %g", graph_splits[s].leaves, off,
                    running);
        CU_ASSERT(off < 3e-6);
        CU_ASSERT(running < 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(o.loss, whole.loss, 2e-6 * whole.loss);
        if (s == 0) CU_ASSERT(floats_same(o.running, whole.running, graph->buffers.stored));
        outcome_destroy(&o);
    }
    outcome_destroy(&whole);
    cvy_graph_destroy(&graph);
    cvy_graph_destroy(&plain);
    cvy_tree_destroy(&tree);
    cvy_tree_destroy(&plain_tree);
    cvy_compute_destroy(&compute);
}

/* ---- running statistics of leaves ---- */

enum { H = 3, W = 2, C = 19 };

/* Of samples [first, first + n): mean and unbiased variance of channel c. */
static void leaf_statistics(const float *x, int first, int n, int c, double *mean, double *variance) {
    const float *from = x + (size_t)first * H * W * C;
    double sum = 0, squares = 0, count = (double)n * H * W;
    for (int i = 0; i < n * H * W; i++) sum += from[i * C + c];
    for (int i = 0; i < n * H * W; i++) squares += pow(from[i * C + c] - sum / count, 2);
    *mean = sum / count;
    *variance = squares / (count - 1);
}

/* Five steps with the same batch: r' = (1 − momentum)·r + momentum·Σ n·(leaf's)/Σ n. The layer stands before every
 * parameter, so no gradient comes to it; its statistics are taken all the same. Padding lanes stay zero. */
static void running_statistics(void) {
    struct cvy_compute *compute;
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_net *net;
    struct graph_batch batch;
    struct leaf_store store;
    struct cvy_loss_result losses[4];
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    TEST_OK(graph_from_text("input: [3, 2, 19]\nlayers: [batchnorm: {affine: false, momentum: 0.25}, dense: 4]\n",
                            "softmax_cross_entropy", &tree, &graph));
    TEST_OK(cvy_net_create(&(struct cvy_net_spec){graph, compute, CVY_TRAIN, SAMPLES, 4, 3, CVY_RECOMPUTE_AUTO}, &net));
    graph_batch_create(graph, SAMPLES, &batch);
    leaf_store_create(graph, 4, &store);
    const int *uneven = graph_splits[2].sizes;
    struct cvy_net_batch part = graph_leaves(graph, &batch, uneven, 0, 4);
    for (int step = 0; step < 5; step++) {
        store.next = 0;
        TEST_OK(cvy_net_run(net, &part, &store.hooks, losses));
        cvy_net_update_buffers(net, leaf_store_sum(&store), SAMPLES);
    }
    const double kept = pow(0.75, 5);
    const float *running = cvy_net_buffers(net);
    CU_ASSERT_EQUAL(graph->buffers.stored, 64);
    for (int c = 0; c < C; c++) {
        double mean = 0, variance = 0, m, v;
        for (int leaf = 0, first = 0; leaf < 4; first += uneven[leaf++]) {
            leaf_statistics(batch.x, first, uneven[leaf], c, &m, &v);
            mean += m * uneven[leaf] / SAMPLES;
            variance += v * uneven[leaf] / SAMPLES;
        }
        CU_ASSERT_DOUBLE_EQUAL(running[c], (1 - kept) * mean, 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(running[32 + c], kept + (1 - kept) * variance, 1e-6);
    }
    for (int c = C; c < 32; c++) CU_ASSERT(running[c] == 0 && running[32 + c] == 0);
    leaf_store_destroy(&store);
    graph_batch_destroy(&batch);
    cvy_net_destroy(&net);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    cvy_compute_destroy(&compute);
}

/* ---- what is declared ---- */

static void declarations(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(graph_from_text("input: [3, 2, 19]\nlayers: [conv: {filters: 5, kernel: 1}, batchnorm, relu, conv: "
                            "{filters: 5, kernel: 1}, batchnorm: {zero_init: true}, flatten]\n",
                            NULL, &tree, &graph));
    const struct cvy_param *p = graph->params.items, *b = graph->buffers.items;
    CU_ASSERT(graph->params.count == 8 && graph->buffers.count == 4);
    CU_ASSERT_STRING_EQUAL(p[2].name, "batchnorm1/weight");
    CU_ASSERT_STRING_EQUAL(p[3].name, "batchnorm1/bias");
    CU_ASSERT(p[2].init == CVY_INIT_ONE && p[6].init == CVY_INIT_ZERO && p[3].init == CVY_INIT_ZERO);
    CU_ASSERT(p[2].decay == CVY_DECAY_NORM && p[3].decay == CVY_DECAY_NORM);
    CU_ASSERT_STRING_EQUAL(b[0].name, "batchnorm1/running_mean");
    CU_ASSERT_STRING_EQUAL(b[3].name, "batchnorm2/running_var");
    CU_ASSERT(b[0].init == CVY_INIT_ZERO && b[3].init == CVY_INIT_ONE && b[0].momentum == 0.1);
    struct cvy_fused_unit units[6];
    TEST_OK(cvy_fuse(graph, CVY_TRAIN, units));
    CU_ASSERT(units[2].host == 1 && units[2].whole); /* relu */
    TEST_OK(cvy_fuse(graph, CVY_EVALUATE, units));
    CU_ASSERT(units[1].host == 0 && units[2].host == 0); /* with the convolution's bias */
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* ---- leaves that are too small ---- */

static const struct {
    const char *layers;
    int leaf, batch;
    const char *message; /* NULL: fine */
} small[] = {
    {"[dense: 4, batchnorm]", 2, 5, NULL},
    {"[dense: 4, batchnorm]", 1, 5,
     "t.yaml:2:20: batchnorm1: statistics over a single value: the smallest leaf has 1 sample of 1×1×4; raise "
     "train.leaf, set train.last_batch: drop, or set sync: true here"},
    {"[dense: 4, batchnorm: {sync: true}]", 1, 2, NULL},
    {"[dense: 4, batchnorm: {sync: true}]", 1, 1,
     "t.yaml:2:20: batchnorm1: statistics over a single value: the smallest batch has 1 sample of 1×1×4; raise "
     "train.batch, or set train.last_batch: drop"},
    {"[batchnorm, dense: 4]", 1, 1, NULL}, /* 2×1 places */
};

static void small_leaves(void) {
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        char full[128];
        snprintf(full, sizeof full, "input: [2, 1, 3]\nlayers: %s\n", small[i].layers);
        TEST_OK(graph_from_text(full, "softmax_cross_entropy", &tree, &graph));
        cvy_status status = cvy_graph_check(graph, small[i].leaf, small[i].batch);
        CU_ASSERT_EQUAL(status, small[i].message ? CVY_ERR_USAGE : CVY_OK);
        if (small[i].message) CU_ASSERT_STRING_EQUAL(cvy_error_message(), small[i].message);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* ---- far from zero ---- */

/* A mean of 3000 σ: the variance of what single precision can hold comes out to 1e-6. */
static void far_level(const struct cvy_compute *compute, void *arg) {
    const int rows = 3001, channels = 21;
    const struct cvy_norm g = {2, rows, channels, CVY_F32};
    (void)arg;
    const size_t count = (size_t)rows * channels;
    float *x = floats_new(2 * count);
    double sums[2][2][21], *ws = malloc(cvy_norm_workspace(&g));
    floats_random(x, 2 * count, 4);
    for (size_t i = 0; i < 2 * count; i++) x[i] += 1732;
    cvy_norm_moments(compute, &g, x, sums[0][0], ws);
    for (int u = 0; u < 2; u++)
        for (int c = 0; c < channels; c++) {
            const float *from = x + (size_t)u * count + c;
            double mean = 0, variance = 0, got = sums[u][0][c] / rows;
            for (int i = 0; i < rows; i++) mean += from[i * channels] / (double)rows;
            for (int i = 0; i < rows; i++) variance += pow(from[i * channels] - mean, 2) / rows;
            CU_ASSERT_DOUBLE_EQUAL(got, mean, 1e-10 * mean);
            CU_ASSERT_DOUBLE_EQUAL(sums[u][1][c] / rows - got * got, variance, 1e-6 * variance);
        }
    free(ws);
    floats_free(x);
}
static void far_from_zero(void) {
    each_level(2, far_level, NULL);
}

static const struct test_case cases[] = {
    {"synchronised over leaves is the whole batch in one", sync_is_the_whole_batch},
    {"running statistics of leaves", running_statistics},
    {"parameters, buffers, fusion", declarations},
    {"leaves that are too small", small_leaves},
    {"variance of values far from zero", far_from_zero},
    {0},
};
const struct test_suite suite_norm = {"norm", cases, NULL};
