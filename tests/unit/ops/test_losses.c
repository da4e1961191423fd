/* Losses in a network: class weights and ignored labels count over the whole batch, however it is cut into leaves; what
 * an evaluation hands on; which labels fit; hits; and what is said of bad settings. (Values and gradients: suites ops
 * and golden_ops.) */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/graph/training_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

enum { SAMPLES = 12, CLASSES = 5 };

static const char model[] = "input: [4, 4, 2]\n"
                            "layers:\n"
                            "  - conv: {filters: 4, kernel: 3}\n"
                            "  - tanh\n"
                            "  - dense: 5\n";

struct outcome {
    float *sum; /* [stored] */
    struct cvy_loss_result total;
};

static struct outcome run(const struct cvy_graph *graph, enum cvy_mode mode, const int *sizes, int leaves) {
    struct cvy_compute *compute;
    struct graph_training t;
    struct cvy_loss_result losses[SAMPLES];
    struct outcome out = {.sum = floats_new(graph->params.stored)};
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    graph_training_create(&(struct cvy_net_spec){graph, compute, mode, SAMPLES, leaves, 3, CVY_RECOMPUTE_AUTO}, sizes,
                          &t);
    TEST_OK(cvy_net_run(t.net, &t.part, mode == CVY_TRAIN ? &t.store.hooks : NULL, losses));
    for (int i = 0; i < leaves; i++) {
        out.total.loss += losses[i].loss;
        out.total.weight += losses[i].weight;
        out.total.top1 += losses[i].top1;
        out.total.top5 += losses[i].top5;
    }
    if (mode == CVY_TRAIN) memcpy(out.sum, leaf_store_sum(&t.store), graph->params.stored * sizeof(float));
    graph_training_destroy(&t);
    cvy_compute_destroy(&compute);
    return out;
}

static double gradient_error(const struct cvy_graph *graph, const float *got, const float *want) {
    double *exact = calloc(graph->params.stored, sizeof *exact);
    for (size_t i = 0; i < graph->params.stored; i++) exact[i] = want[i];
    double error = floats_error(got, exact, graph->params.stored);
    free(exact);
    return error;
}

/* Labels of the batch are 1 4 2 0 3 1 …: with these leaves some hold ignored samples alone. */
static const int one[] = {12}, four[] = {4, 4, 3, 1}, single[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const struct {
    const int *sizes;
    int leaves;
} splits[] = {{four, 4}, {single, 12}};

static void over_the_batch(void) {
    static const struct {
        const char *loss;
        double weight; /* of the 12 labels: 1 three times, 4 three times, 0, 2 and 3 twice */
    } cases[] = {
        {"{softmax_cross_entropy: {class_weights: [1, 10, 0, 0.5, 3]}}", 2 + 30 + 0 + 1 + 9},
        {"{softmax_cross_entropy: {ignore_label: 4, label_smoothing: 0.1}}", 9},
        {"{nll: {class_weights: [1, 1, 2, 2, 1], ignore_label: 1}}", 2 + 4 + 4 + 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        TEST_OK(graph_from_text(model, cases[i].loss, &tree, &graph));
        struct outcome whole = run(graph, CVY_TRAIN, one, 1), test = run(graph, CVY_EVALUATE, four, 4);
        int labels[CLASSES] = {0};
        for (int s = 0; s < SAMPLES; s++) labels[(s * 3 + 1) % CLASSES]++;
        CU_ASSERT(labels[1] == 3 && labels[4] == 3 && labels[0] == 2 && labels[2] == 2 && labels[3] == 2);
        CU_ASSERT_DOUBLE_EQUAL(whole.total.weight, cases[i].weight, 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(test.total.weight, cases[i].weight, 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(test.total.loss / test.total.weight, whole.total.loss / SAMPLES, 1e-6);
        for (size_t s = 0; s < sizeof splits / sizeof *splits; s++) {
            struct outcome parts = run(graph, CVY_TRAIN, splits[s].sizes, splits[s].leaves);
            CU_ASSERT_DOUBLE_EQUAL(parts.total.loss, whole.total.loss, 1e-5 * fabs(whole.total.loss));
            CU_ASSERT(gradient_error(graph, parts.sum, whole.sum) < 2e-6);
            floats_free(parts.sum);
        }
        floats_free(whole.sum);
        floats_free(test.sum);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* Equal weights change nothing, nor does a label to ignore that no sample has. */
static void weights_of_one(void) {
    static const char *const same[] = {"{softmax_cross_entropy: {class_weights: [3, 3, 3, 3, 3]}}",
                                       "{softmax_cross_entropy: {ignore_label: -100}}"};
    struct cvy_tree *tree, *plain_tree;
    struct cvy_graph *graph, *plain;
    TEST_OK(graph_from_text(model, "softmax_cross_entropy", &plain_tree, &plain));
    struct outcome want = run(plain, CVY_TRAIN, four, 4);
    CU_ASSERT_EQUAL(want.total.weight, SAMPLES);
    for (int i = 0; i < 2; i++) {
        TEST_OK(graph_from_text(model, same[i], &tree, &graph));
        CU_ASSERT_NOT_EQUAL(graph->hash, plain->hash);
        struct outcome got = run(graph, CVY_TRAIN, four, 4);
        CU_ASSERT_DOUBLE_EQUAL(got.total.loss, want.total.loss, 1e-6 * want.total.loss);
        CU_ASSERT(got.total.top1 == want.total.top1 && got.total.top5 == want.total.top5);
        CU_ASSERT(gradient_error(graph, got.sum, want.sum) < 2e-6);
        floats_free(got.sum);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
    floats_free(want.sum);
    cvy_graph_destroy(&plain);
    cvy_tree_destroy(&plain_tree);
}

/* ---- labels that fit, and hits ---- */

static void labels_that_fit(void) {
    static const struct {
        const char *loss;
        int outputs, classes;
    } cases[] = {
        {"softmax_cross_entropy", 5, 5},
        {"{softmax_cross_entropy: {ignore_label: 5}}", 5, 5},
        {"{softmax_cross_entropy: {ignore_label: 255}}", 5, 5},
        {"logistic", 1, 2},
        {"logistic", 3, 3},
        {"hinge", 1, 2},
        {"mse", 1, INT_MAX},
        {"mse", 4, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        char text[128];
        snprintf(text, sizeof text, "input: [1, 1, 3]\nlayers: [{dense: %d}]\n", cases[i].outputs);
        TEST_OK(graph_from_text(text, cases[i].loss, &tree, &graph));
        CU_ASSERT_EQUAL(cvy_graph_classes(graph), cases[i].classes);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

static struct cvy_loss_result score(const char *loss, int outputs, const float *x, const int32_t *labels, int n) {
    return op_loss_of(loss, outputs, n, x, op_classes(labels, n));
}

static void hits(void) {
    const float scores[6] = {-2, 0.5f, 3, -0.1f, 0, 7};
    const int32_t sides[6] = {0, 1, 0, 1, 0, 1}, classes[2] = {2, 0};
    struct cvy_loss_result binary = score("logistic", 1, scores, sides, 6);
    CU_ASSERT(binary.top1 == 4 && binary.top5 == 4 && binary.weight == 6); /* 3 and −0.1 are on the wrong side */
    binary = score("{hinge: {margin: 0}}", 1, scores, sides, 6);
    CU_ASSERT(binary.top1 == 4);
    CU_ASSERT_DOUBLE_EQUAL(binary.loss, 3.1, 1e-6);
    struct cvy_loss_result several = score("hinge", 3, scores, classes, 2);
    CU_ASSERT(several.top1 == 1 && several.top5 == 2);
    several = score("{nll: {ignore_label: 2}}", 3, scores, classes, 2);
    CU_ASSERT(several.top1 == 0 && several.top5 == 1 && several.weight == 1);
    CU_ASSERT(score("mse", 1, scores, sides, 6).top1 == 0);
}

/* Far from zero nothing overflows; what is not a number stays visible. */
static void extremes(void) {
    const float far[2] = {1000, -1000};
    const int32_t right[2] = {1, 0}, wrong[2] = {0, 1};
    CU_ASSERT_EQUAL(score("logistic", 1, far, right, 2).loss, 0);
    CU_ASSERT_EQUAL(score("logistic", 1, far, wrong, 2).loss, 2000);
    static const char *const all[] = {"logistic",
                                      "hinge",
                                      "squared_hinge",
                                      "mse",
                                      "l1",
                                      "huber",
                                      "smooth_l1",
                                      "{nll: {ignore_label: 9}}",
                                      "{softmax_cross_entropy: {ignore_label: 9}}"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const float broken[3] = {1, NAN, 2};
        const int32_t label[1] = {1};
        CU_ASSERT(!isfinite(score(all[i], 3, broken, label, 1).loss));
    }
}

/* ---- every loss of the table, whatever it is ---- */

enum { ROWS = 3 };

struct walk {
    struct cvy_listing kind;
    char settings[96];
    int outputs;
    struct cvy_target target;
    int tried;
};

/* Sixteenths are where losses have their kinks: at a distance of 0, at a margin, a width. No output is within a step of
 * one, nor is the distance of two outputs. */
static float output_at(int row, int j) {
    return (float)((row * 23 + j * 37) % 61 - 30) / 16 + (0.2F + 0.12F * (float)j) / 16;
}

/* Classes, or numbers from 0 to 1 that sum to 1 in each row; in sixteenths. */
static struct cvy_tensor targets_of(const struct walk *w, float *values, int32_t *labels) {
    const int classes = w->outputs > 1 ? w->outputs : 2;
    for (int r = 0; r < ROWS; r++) {
        labels[r] = (r + 1) % classes;
        for (int j = 0; j < w->outputs; j++) values[r * w->outputs + j] = j == r % w->outputs ? 0 : 0.0625F;
        values[r * w->outputs + r % w->outputs] = 1 - 0.0625F * (float)(w->outputs - 1);
    }
    return w->target.type == CVY_I32 ? op_classes(labels, ROWS) : op_values(values, ROWS, w->target.shape);
}

static double loss_at(struct op_run *run) {
    run->loss = (struct cvy_loss_result){0};
    op_run_forward(run);
    return run->loss.loss;
}

/* The loss's slope along each output, as the loss itself has it and by central differences. */
static void compare_slopes(const struct walk *w, struct op_run *run) {
    const float step = 1.0F / 512;
    float *x = run->x[0].data, got[ROWS * 5];
    double largest = 0;
    op_run_backward(run);
    memcpy(got, run->dx[0].data, run->x_count[0] * sizeof *got);
    for (size_t i = 0; i < run->x_count[0]; i++) {
        const float at = x[i], high = at + step, low = at - step;
        x[i] = high;
        const double above = loss_at(run);
        x[i] = low;
        const double slope = (above - loss_at(run)) / ((double)high - (double)low);
        x[i] = at;
        largest = fmax(largest, fabs(slope));
        const bool right = fabs(slope - (double)got[i]) <= 2e-4 * fmax(1, fabs(slope));
        if (!right)
            fprintf(stderr, "\n    %s, %d outputs: output %zu: %g, not %g", w->settings, w->outputs, i, (double)got[i],
                    slope);
        CU_ASSERT(right);
    }
    CU_ASSERT(largest > 0 || w->outputs == 1); /* softmax of one output is always sure */
}

static void check_slopes(struct walk *w, uint64_t other_hash) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_compute *compute;
    struct op_run run;
    float values[ROWS * 5];
    int32_t labels[ROWS];
    char text[64];
    snprintf(text, sizeof text, "input: [1, 1, %d]\nlayers: [flatten]\n", w->outputs);
    TEST_OK(graph_from_text(text, w->settings, &tree, &graph));
    CU_ASSERT_NOT_EQUAL(graph->hash, other_hash);
    if (cvy_graph_bind_target(graph, &w->target, w->outputs > 1 ? w->outputs : 1, "t.h5") == CVY_OK) {
        TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
        op_run_create(&run, &graph->nodes[1].op, compute, ROWS);
        for (size_t i = 0; i < run.x_count[0]; i++)
            ((float *)run.x[0].data)[i] = output_at((int)i / w->outputs, (int)i % w->outputs);
        run.call.target = targets_of(w, values, labels);
        if (w->target.type == CVY_I32 && w->outputs == 1)
            for (int r = 0; r < ROWS; r++) labels[r] %= cvy_graph_loss(graph)->classes;
        compare_slopes(w, &run);
        w->tried++;
        op_run_destroy(&run);
        cvy_compute_destroy(&compute);
    }
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* As it comes, then with another value of each setting that is a number, which the graph's hash must know. */
static void each_setting(struct walk *w) {
    struct cvy_tree *tree;
    struct cvy_graph *plain;
    char text[64];
    snprintf(w->settings, sizeof w->settings, "%s", w->kind.name);
    check_slopes(w, 0);
    snprintf(text, sizeof text, "input: [1, 1, %d]\nlayers: [flatten]\n", w->outputs);
    TEST_OK(graph_from_text(text, w->kind.name, &tree, &plain));
    for (const struct cvy_key *key = w->kind.keys; key->name; key++) {
        if (key->type != CVY_KEY_REAL) continue;
        const double other = fmin(fmax(key->low, 0.3125), key->high);
        snprintf(w->settings, sizeof w->settings, "{%s: {%s: %.17g}}", w->kind.name, key->name, other);
        check_slopes(w, plain->hash);
    }
    cvy_graph_destroy(&plain);
    cvy_tree_destroy(&tree);
}

static void every_loss_of_the_table(void) {
    struct walk w;
    for (int k = 0; cvy_losses_list(k, &w.kind); k++) {
        const char *near;
        w.tried = 0;
        CU_ASSERT_STRING_EQUAL(cvy_losses_find(w.kind.name, &near)->name, w.kind.name);
        for (w.outputs = 1; w.outputs <= 5; w.outputs += 2)
            for (int values = 0; values < 2; values++) {
                w.target =
                    values ? (struct cvy_target){CVY_F32, {1, 1, w.outputs}} : (struct cvy_target){CVY_I32, {1, 1, 1}};
                each_setting(&w);
            }
        if (w.tried < 3) fprintf(stderr, "\n    %s takes hardly any targets", w.kind.name);
        CU_ASSERT(w.tried >= 3);
    }
}

/* ---- findings ---- */

static void findings(void) {
    static const struct {
        const char *loss, *told;
    } cases[] = {
        {"{softmax_cross_entropy: {class_weights: [1, 2]}}",
         "loss.yaml:1:41: softmax_cross_entropy1: class_weights: expected a list of 5 numbers from 0 to 1e6"},
        {"{softmax_cross_entropy: {class_weights: [1, 2, 3, -4, 5]}}", "expected a list of 5 numbers from 0 to 1e6"},
        {"{nll: {class_weights: 3}}", "nll1: class_weights: expected a list of 5 numbers"},
        {"{nll: {ignore_label: none}}", "nll1: ignore_label: expected a whole number"},
        {"{nll: {label_smoothing: 0.1}}", "unknown key \"label_smoothing\""},
        {"{logistic: {pos_weight: [1, 2]}}",
         "loss.yaml:1:25: logistic1: pos_weight: expected a number from 0 to 1e6, or a list of 5 of them"},
        {"{logistic: {pos_weight: -1}}", "logistic1: pos_weight: expected a number from 0 to 1e6"},
        {"{logistic: {ignore_label: none}}", "logistic1: ignore_label: expected a whole number"},
        {"{huber: {delta: 0}}", "delta: 0 is out of range; from 1e-06 to 1000000"},
        {"{hinge: {margin: -1}}", "margin: -1 is out of range"},
        {"squared_hing", "did you mean \"squared_hinge\"?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        bool as_told = graph_from_text(model, cases[i].loss, &tree, &graph) == CVY_ERR_USAGE &&
                       strstr(cvy_error_message(), cases[i].told) != NULL;
        if (!as_told) fprintf(stderr, "\n    %s gave: %s", cases[i].loss, cvy_error_message());
        CU_ASSERT(as_told && graph == NULL);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

static const struct test_case cases[] = {
    {"class weights and ignored labels over the whole batch", over_the_batch},
    {"weights that change nothing", weights_of_one},
    {"which labels fit", labels_that_fit},
    {"hits", hits},
    {"extremes", extremes},
    {"every loss of the table: its gradient is its slope", every_loss_of_the_table},
    {"findings", findings},
    {0},
};
const struct test_suite suite_losses = {"losses", cases, NULL};
