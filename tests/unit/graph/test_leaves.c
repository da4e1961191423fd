/* Leaves of every size: over random small nets on larger images, the loss and the gradient of a batch do not depend on
 * how it is cut, short last leaves included, and each cut has the same bits for every number of threads. Scratch that
 * is sized for one leaf size, or a kernel that reads beyond its samples, shows here. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "unit/graph/training_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

enum { GRAPHS = 8, MOST = 11 };

/* ---- A random net: convolutions, strides, pooling, normalisation over the batch, sums, concatenations ---- */

static uint32_t below(struct cvy_rng *rng, uint32_t end) {
    return cvy_rng_below(rng, end);
}

static void add_block(struct cvy_rng *rng, struct cvy_buf *text) {
    const uint32_t k = 3 + below(rng, 30), more = 1 + below(rng, 20);
    switch (below(rng, 7)) {
    case 0:
        cvy_buf_printf(text, "  - conv: {filters: %u, kernel: 3, padding: same}\n  - relu\n", k);
        break;
    case 1:
        cvy_buf_printf(text, "  - conv: {filters: %u, kernel: 3, stride: 2, padding: 1}\n", k);
        break;
    case 2:
        cvy_buf_printf(text, "  - conv: {filters: %u, kernel: 1}\n  - batchnorm: {sync: true}\n  - relu\n", k);
        break;
    case 3:
        cvy_buf_printf(text, "  - maxpool: {kernel: 3, stride: 2, padding: 1}\n");
        break;
    case 4:
        cvy_buf_printf(text, "  - avgpool: {kernel: 2, padding: same}\n");
        break;
    case 5:
        cvy_buf_printf(text,
                       "  - conv: {filters: %u, kernel: 1}\n"
                       "  - residual: {layers: [conv: {filters: %u, kernel: 3, padding: same, bias: false}, "
                       "batchnorm: {sync: true}], after: relu}\n",
                       k, k);
        break;
    default:
        cvy_buf_printf(
            text,
            "  - branch: {paths: [[conv: {filters: %u, kernel: 1}], [conv: {filters: %u, kernel: 3, padding: "
            "same}]]}\n",
            more, k);
    }
}

static void random_net(uint32_t seed, struct cvy_tree **tree, struct cvy_graph **graph) {
    struct cvy_rng rng = cvy_rng_at((struct cvy_stream){{seed, 123}}, 0, 0);
    struct cvy_buf text = {0};
    cvy_buf_printf(&text, "input: [%u, %u, %u]\nlayers:\n", 5 + below(&rng, 36), 5 + below(&rng, 36),
                   1 + below(&rng, 18));
    for (uint32_t blocks = 2 + below(&rng, 3); blocks > 0; blocks--) add_block(&rng, &text);
    cvy_buf_printf(&text, "  - dense: 5\n");
    TEST_OK(graph_from_text(cvy_buf_text(&text), "softmax_cross_entropy", tree, graph));
    cvy_buf_destroy(&text);
}

/* ---- One step of a batch that is cut so ---- */

struct cut {
    int leaves, sizes[MOST];
    int leaf; /* that the net is made for: at least the largest */
};

/* Whole leaves and a rest, as even as the batch plan has them; in a net for leaves of one more sample. */
static struct cut cut_of(int samples, int leaf, int spare) {
    struct cut cut = {.leaves = (samples + leaf - 1) / leaf, .leaf = leaf + spare};
    for (int i = 0; i < cut.leaves; i++) cut.sizes[i] = (i + 1) * samples / cut.leaves - i * samples / cut.leaves;
    return cut;
}

struct outcome {
    double loss;
    float *sum; /* [statistics and gradients] */
};

static struct outcome run(const struct cvy_graph *graph, enum cvy_isa isa, int threads, const struct cut *cut) {
    struct cvy_compute *compute;
    struct graph_training t;
    struct cvy_loss_result losses[MOST];
    struct outcome out = {0};
    TEST_OK(cvy_compute_create(threads, isa, &compute));
    graph_training_create(
        &(struct cvy_net_spec){
            .graph = graph, .compute = compute, .mode = CVY_TRAIN, .leaf = cut->leaf, .leaves = cut->leaves, .seed = 3},
        cut->sizes, &t);
    TEST_OK(cvy_net_run(t.net, &t.part, &t.store.hooks, losses));
    for (int i = 0; i < cut->leaves; i++) out.loss += losses[i].loss;
    out.sum = floats_new(t.store.stored);
    memcpy(out.sum, leaf_store_sum(&t.store), t.store.stored * sizeof *out.sum);
    graph_training_destroy(&t);
    cvy_compute_destroy(&compute);
    return out;
}

/* ---- The tests ---- */

static bool same_bits(const struct cvy_graph *graph, enum cvy_isa isa, const struct cut *cut,
                      const struct outcome *want) {
    bool same = true;
    for (int threads = 2; threads <= 3; threads++) {
        struct outcome other = run(graph, isa, threads, cut);
        same &= other.loss == want->loss && floats_same(other.sum, want->sum, cvy_layout_leaf(graph));
        floats_free(other.sum);
    }
    return same;
}

/* ‖a − b‖ / ‖b‖ of the gradients. */
static double distance(const struct cvy_graph *graph, const struct outcome *a, const struct outcome *b) {
    double difference = 0, size = 0;
    for (size_t i = graph->buffers.stored; i < cvy_layout_leaf(graph); i++) {
        difference += pow((double)a->sum[i] - (double)b->sum[i], 2);
        size += pow((double)b->sum[i], 2);
    }
    return sqrt(difference / size);
}

/* Sums are joined in another order, which the layers between magnify; in bf16 a value that lies between two is rounded
 * the other way now and then. */
static const struct { double loss, gradient; } allowed[] = {[CVY_F32] = {1e-5, 1e-3}, [CVY_BF16] = {0.01, 0.1}};

static void compare_cuts(struct cvy_graph *graph, enum cvy_isa isa, enum cvy_dtype precision, uint32_t seed) {
    const int samples = 2 + (int)(seed * 7 % (MOST - 1));
    const struct cut cuts[] = {cut_of(samples, 1, 0), cut_of(samples, 2, 0), cut_of(samples, 3, 1),
                               cut_of(samples, samples, 2)};
    cvy_graph_set_precision(graph, precision);
    const struct cut all = cut_of(samples, samples, 0);
    struct outcome whole = run(graph, isa, 1, &all);
    bool good = same_bits(graph, isa, &all, &whole);
    for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
        struct outcome o = run(graph, isa, 1, &cuts[c]);
        const double loss = fabs(o.loss / whole.loss - 1), gradient = distance(graph, &o, &whole);
        const bool near = loss < allowed[precision].loss && gradient < allowed[precision].gradient;
        const bool same = same_bits(graph, isa, &cuts[c], &o);
        if (!near || !same)
            fprintf(stderr, "\n    net %u, %s%s, %d samples in %d leaves: loss off by %g, gradient by %g%s", seed,
                    cvy_isa_name(isa), precision == CVY_BF16 ? ", bf16" : "", samples, cuts[c].leaves, loss, gradient,
                    same ? "" : ", other bits on more threads");
        good &= near && same;
        floats_free(o.sum);
    }
    CU_ASSERT(good);
    floats_free(whole.sum);
}

static void compare_all(enum cvy_dtype precision) {
    for (uint32_t seed = 0; seed < GRAPHS; seed++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        random_net(seed, &tree, &graph);
        for (int isa = 0; isa < CVY_ISA_COUNT; isa++)
            if (cvy_isa_available((enum cvy_isa)isa)) compare_cuts(graph, (enum cvy_isa)isa, precision, seed);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

static void cuts_in_fp32(void) {
    compare_all(CVY_F32);
}

static void cuts_in_bf16(void) {
    compare_all(CVY_BF16);
}

static const struct test_case cases[] = {
    {"random nets: every cut of a batch, 1 to 3 threads", cuts_in_fp32},
    {"the same in bf16", cuts_in_bf16},
    {0},
};
const struct test_suite suite_leaves = {"leaves", cases, NULL};
