/* Networks in bf16: random graphs of every sort of layer come close to the same in fp32, at every ISA level; the same
 * bits for every number of threads and however leaves are dealt out; sums over the whole batch too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/graph/graph_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

enum { GRAPHS = 60, SAMPLES = 6 };

struct outcome {
    float *sum, *scores; /* gradient over all leaves; of the last leaf in evaluation */
    double loss;
};

static size_t count_scores(const struct cvy_graph *graph) {
    return (size_t)cvy_op_count(cvy_graph_output_shape(graph), SAMPLES);
}

static void evaluate(const struct cvy_graph *graph, const struct cvy_compute *compute, const struct graph_batch *batch,
                     const float *values, struct outcome *o) {
    struct cvy_net *net;
    const int sizes[1] = {SAMPLES};
    struct cvy_loss_result loss;
    TEST_OK(
        cvy_net_create(&(struct cvy_net_spec){graph, compute, CVY_EVALUATE, SAMPLES, 1, 3, CVY_RECOMPUTE_NONE}, &net));
    memcpy(cvy_net_parameters(net), values, graph->params.stored * sizeof *values);
    struct cvy_net_batch part = graph_leaves(graph, batch, sizes, 0, 1);
    TEST_OK(cvy_net_run(net, &part, NULL, &loss));
    memcpy(o->scores, cvy_net_output(net), count_scores(graph) * sizeof(float));
    cvy_net_destroy(&net);
}

/* `at_once` leaves at a time, as on a rank that holds so many. */
static struct outcome run(const struct cvy_graph *graph, const struct cvy_compute *compute, const int *sizes,
                          int leaves, int at_once) {
    struct cvy_net *net;
    struct graph_batch batch;
    struct leaf_store store;
    struct cvy_loss_result losses[SAMPLES];
    struct outcome out = {.scores = floats_new(count_scores(graph))};
    float *values = floats_new(graph->params.stored);
    TEST_OK(cvy_net_create(&(struct cvy_net_spec){graph, compute, CVY_TRAIN, SAMPLES, at_once, 3, CVY_RECOMPUTE_NONE},
                           &net));
    graph_batch_create(graph, SAMPLES, &batch);
    graph_draw_values(graph, values);
    memcpy(cvy_net_parameters(net), values, graph->params.stored * sizeof *values);
    leaf_store_create(graph, leaves, &store);
    for (int first = 0; first < leaves; first += at_once) {
        struct cvy_net_batch part = graph_leaves(graph, &batch, sizes, first, at_once);
        TEST_OK(cvy_net_run(net, &part, &store.hooks, losses + first));
    }
    for (int i = 0; i < leaves; i++) out.loss += losses[i].loss;
    out.sum = floats_new(store.stored);
    memcpy(out.sum, leaf_store_sum(&store), store.stored * sizeof *out.sum);
    evaluate(graph, compute, &batch, values, &out);
    leaf_store_destroy(&store);
    graph_batch_destroy(&batch);
    floats_free(values);
    cvy_net_destroy(&net);
    return out;
}

static void outcome_free(struct outcome *o) {
    floats_free(o->sum);
    floats_free(o->scores);
}

/* ‖a − b‖ / ‖b‖ */
static double distance(const float *a, const float *b, size_t count) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        difference += pow((double)a[i] - (double)b[i], 2);
        size += pow((double)b[i], 2);
    }
    return difference == 0 ? 0 : sqrt(difference / size);
}

static const int one[] = {SAMPLES}, three[] = {2, 2, 2};

/* ---- close to fp32 ---- */

/* A feature map is off by some 2⁻⁹ a layer, at most 16 of them deep; where a maximum or a rectifier decides otherwise,
 * single values of a gradient are off by all they are. */
static void close_at_level(const struct cvy_compute *compute, struct cvy_graph *graph) {
    cvy_graph_set_precision(graph, CVY_F32);
    struct outcome exact = run(graph, compute, one, 1, 1);
    cvy_graph_set_precision(graph, CVY_BF16);
    struct outcome rounded = run(graph, compute, one, 1, 1);
    const size_t scores = count_scores(graph);
    const double loss = fabs(rounded.loss / exact.loss - 1), score = distance(rounded.scores, exact.scores, scores);
    const double gradient = distance(rounded.sum, exact.sum, cvy_layout_leaf(graph));
    const bool good = loss < 0.02 && score < 0.05 && gradient < 0.25;
    if (!good)
        fprintf(stderr, "\n    %s: loss off by %g, scores by %g, gradient by %g", cvy_isa_name(compute->level), loss,
                score, gradient);
    CU_ASSERT(good);
    outcome_free(&exact);
    outcome_free(&rounded);
}

/* Also those that differ in bf16 alone. */
static void every_level(struct cvy_graph *graph) {
    for (int isa = 0; isa < CVY_ISA_COUNT; isa++) {
        struct cvy_compute *compute;
        if (!cvy_isa_available((enum cvy_isa)isa)) continue;
        TEST_OK(cvy_compute_create(1, (enum cvy_isa)isa, &compute));
        close_at_level(compute, graph);
        cvy_compute_destroy(&compute);
    }
}

static void close_to_fp32(void) {
    for (uint32_t seed = 0; seed < GRAPHS; seed++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        graph_random(seed, &tree, &graph);
        every_level(graph);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* ---- what stays in fp32 ---- */

/* The type of the value that layer `name` makes; of the input for "input". */
static enum cvy_dtype type_after(const struct cvy_graph *graph, const char *name) {
    for (int i = 0; i < graph->node_count; i++)
        if (strcmp(graph->nodes[i].name, name) == 0) return graph->values[graph->nodes[i].output].type;
    return strcmp(name, "input") == 0 ? graph->values[0].type : CVY_I32;
}

static const struct {
    const char *network, *loss, *wide, *narrow; /* layers' names, with a space behind each */
} wanted[] = {
    /* scores, seen through a view; a residual in fp32 is not fused into one in bf16 */
    {"input: [4, 4, 2]\n"
     "layers: [conv: {filters: 8, kernel: 3, padding: 1}, relu, global_avgpool, dense: 5, flatten]\n",
     "softmax_cross_entropy", "dense1 flatten1 ", "input conv1 relu1 global_avgpool1 "},
    {"input: [4, 4, 2]\n"
     "layers:\n"
     "  - {conv: {filters: 3, kernel: 1}, name: shown}\n"
     "  - {conv: {filters: 3, kernel: 1}, name: other}\n"
     "  - {add: , inputs: [other, shown]}\n"
     "  - relu\n",
     "mse", "relu1 ", "input shown other add1 "},
    /* a head, and what follows it */
    {"input: [4, 4, 2]\n"
     "layers:\n"
     "  - conv: {filters: 4, kernel: 3}\n"
     "  - aux: {weight: 0.3, layers: [global_avgpool, {dense: 5, name: head}]}\n"
     "  - global_avgpool\n"
     "  - {dense: 5, name: scores}\n",
     "softmax_cross_entropy", "aux1/head scores ", "input conv1 aux1/global_avgpool1 "},
    {"input: [4, 4, 2]\nlayers: [conv: {filters: 4, kernel: 3}, sigmoid]\n", NULL, "sigmoid1 ", "input conv1 "},
};

static void check_types(const struct cvy_graph *graph, const char *names, enum cvy_dtype type) {
    char name[32];
    for (int used; sscanf(names, "%31s %n", name, &used) == 1; names += used) {
        const bool right = type_after(graph, name) == type;
        if (!right) fprintf(stderr, "\n    %s: not of the type wanted", name);
        CU_ASSERT(right);
    }
}

static void wide_values(void) {
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        TEST_OK(graph_from_text(wanted[i].network, wanted[i].loss, &tree, &graph));
        cvy_graph_set_precision(graph, CVY_BF16);
        check_types(graph, wanted[i].wide, CVY_F32);
        check_types(graph, wanted[i].narrow, CVY_BF16);
        cvy_graph_set_precision(graph, CVY_F32);
        check_types(graph, wanted[i].narrow, CVY_F32);
        if (wanted[i].loss) every_level(graph);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* ---- the same bits ---- */

static const char *const networks[] = {
    "input: [9, 8, 3]\n"
    "layers:\n"
    "  - conv: {filters: 12, kernel: 3, padding: 1, bias: false}\n"
    "  - batchnorm\n"
    "  - relu\n"
    "  - residual:\n"
    "      layers: [conv: {filters: 12, kernel: 3, padding: 1}, batchnorm, dropout: 0.3]\n"
    "      after: relu\n"
    "  - maxpool: 2\n"
    "  - conv: {filters: 12, kernel: 3, groups: 3}\n"
    "  - global_avgpool\n"
    "  - dense: 7\n",
    "input: [6, 6, 2]\n"
    "layers:\n"
    "  - conv: {filters: 8, kernel: 3, stride: 2, padding: 1}\n"
    "  - batchnorm: {sync: true}\n"
    "  - gelu\n"
    "  - branch: {paths: [[conv: {filters: 4, kernel: 1}], [avgpool: {kernel: 3, stride: 1, padding: 1}]]}\n"
    "  - flatten\n"
    "  - dense: 5\n",
};

static void same_bits(void) {
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        TEST_OK(graph_from_text(networks[i], "softmax_cross_entropy", &tree, &graph));
        cvy_graph_set_precision(graph, CVY_BF16);
        struct outcome first = {0};
        for (int threads = 1; threads <= 3; threads++) {
            struct cvy_compute *compute;
            TEST_OK(cvy_compute_create(threads, cvy_isa_detect(), &compute));
            struct outcome o = run(graph, compute, three, 3, i == 0 && threads == 2 ? 1 : 3);
            cvy_compute_destroy(&compute);
            if (threads == 1) {
                first = o;
                continue;
            }
            CU_ASSERT(floats_same(o.sum, first.sum, cvy_layout_leaf(graph)));
            CU_ASSERT(floats_same(o.scores, first.scores, count_scores(graph)));
            CU_ASSERT(o.loss == first.loss);
            outcome_free(&o);
        }
        outcome_free(&first);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* ---- trajectories ---- */

/* As kernels/bf16.h states them. */
#define TO_FP32   0.01
#define TO_LEVELS 0.002

enum { STEPS = 20 };

static const char trained[] = "input: [10, 8, 3]\n"
                              "layers:\n"
                              "  - conv: {filters: 16, kernel: 3, padding: 1, bias: false}\n"
                              "  - batchnorm\n"
                              "  - relu\n"
                              "  - residual:\n"
                              "      layers: [conv: {filters: 16, kernel: 3, padding: 1, bias: false}, batchnorm]\n"
                              "      after: relu\n"
                              "  - maxpool: 2\n"
                              "  - conv: {filters: 24, kernel: 3}\n"
                              "  - relu\n"
                              "  - global_avgpool\n"
                              "  - dense: 5\n";

/* The mean loss of each step of plain gradient descent on one batch. */
static void train(struct cvy_graph *graph, const struct cvy_compute *compute, enum cvy_dtype precision,
                  double losses[STEPS]) {
    struct cvy_net *net;
    struct graph_batch batch;
    cvy_graph_set_precision(graph, precision);
    TEST_OK(cvy_net_create(&(struct cvy_net_spec){graph, compute, CVY_TRAIN, SAMPLES, 1, 3, CVY_RECOMPUTE_NONE}, &net));
    graph_batch_create(graph, SAMPLES, &batch);
    graph_draw_values(graph, cvy_net_parameters(net));
    for (int step = 0; step < STEPS; step++) {
        struct leaf_store store;
        struct cvy_loss_result loss;
        leaf_store_create(graph, 1, &store);
        struct cvy_net_batch part = graph_leaves(graph, &batch, one, 0, 1);
        TEST_OK(cvy_net_run(net, &part, &store.hooks, &loss));
        const float *gradient = leaf_store_sum(&store) + store.statistics;
        for (size_t i = 0; i < graph->params.stored; i++) cvy_net_parameters(net)[i] -= 0.02f / SAMPLES * gradient[i];
        losses[step] = loss.loss / SAMPLES;
        leaf_store_destroy(&store);
    }
    graph_batch_destroy(&batch);
    cvy_net_destroy(&net);
}

/* The largest distance, as a share of the first loss. */
static double apart(const double *a, const double *b) {
    double most = 0;
    for (int i = 0; i < STEPS; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most / b[0];
}

/* Of each level to fp32, and to the level that has no instruction for bf16. */
static void trajectory(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    double exact[STEPS], first[STEPS], rounded[STEPS];
    TEST_OK(graph_from_text(trained, "softmax_cross_entropy", &tree, &graph));
    for (int isa = 0; isa < CVY_ISA_COUNT; isa++) {
        struct cvy_compute *compute;
        if (!cvy_isa_available((enum cvy_isa)isa)) continue;
        TEST_OK(cvy_compute_create(1, (enum cvy_isa)isa, &compute));
        train(graph, compute, CVY_F32, exact);
        train(graph, compute, CVY_BF16, rounded);
        if (isa == CVY_ISA_PORTABLE) memcpy(first, rounded, sizeof first);
        const double to_fp32 = apart(rounded, exact), to_first = apart(rounded, first);
        const bool good = to_fp32 < TO_FP32 && to_first < TO_LEVELS && exact[STEPS - 1] < 0.9 * exact[0];
        if (!good)
            fprintf(stderr, "\n    %s: loss %g to %g, off by %g from fp32 and %g from portable",
                    cvy_isa_name(compute->level), exact[0], exact[STEPS - 1], to_fp32, to_first);
        CU_ASSERT(good);
        cvy_compute_destroy(&compute);
    }
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* ---- memory ---- */

static size_t leaf_bytes(struct cvy_graph *graph, enum cvy_dtype precision) {
    struct cvy_plan plan;
    cvy_graph_set_precision(graph, precision);
    TEST_OK(plan_for(graph, CVY_TRAIN, 32, 1, 1, CVY_RECOMPUTE_AUTO, &plan));
    const size_t bytes = plan.leaf_bytes;
    cvy_plan_destroy(&plan);
    return bytes;
}

/* Feature maps take half, the input a place of its own. */
static void half_the_bytes(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(graph_from_model("resnet20.yaml", "softmax_cross_entropy", &tree, &graph));
    const double whole = (double)leaf_bytes(graph, CVY_F32), half = (double)leaf_bytes(graph, CVY_BF16);
    CU_ASSERT(half < 0.55 * whole);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static const struct test_case cases[] = {
    {"random graphs: close to fp32, each level", close_to_fp32},
    {"what losses read, and the output, stay in fp32", wide_values},
    {"same bits for threads and leaves", same_bits},
    {"twenty steps: close to fp32 and to each other", trajectory},
    {"half the bytes", half_the_bytes},
    {0},
};
const struct test_suite suite_mixed = {"mixed", cases, NULL};
