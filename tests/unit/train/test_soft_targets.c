/* Targets between yes and no: distributions over classes under softmax_cross_entropy, and several labels of which some
 * are not known, or whose yes counts more, under logistic. Against formulas in double, known values, and over the batch
 * however it is cut. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_help.h"
#include "unit/graph/training_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"
#include "api/counts.h"
#include "train/suitable.h"

enum { N = 6, ROOM = 256, UNKNOWN = -1 };

/* ---- Formulas, in double ---- */

struct formula {
    bool soft;
    int rows, k; /* of N samples */
    double smoothing;
    const double *class_weights, *pos_weight; /* [k], NULL: 1 */
    bool unknown;
    const float *t;
};

static double cross_entropy(const struct formula *f, const double *x, const float *t) {
    double most = x[0], all = 0, loss = 0;
    for (int j = 1; j < f->k; j++) most = fmax(most, x[j]);
    for (int j = 0; j < f->k; j++) all += exp(x[j] - most);
    for (int j = 0; j < f->k; j++) {
        const double q = (1 - f->smoothing) * t[j] + f->smoothing / f->k,
                     w = f->class_weights ? f->class_weights[j] : 1;
        loss -= w * q * (x[j] - most - log(all));
    }
    return loss;
}

/* *counted: the labels that are known. */
static double binary(const struct formula *f, const double *x, const float *t, double *counted) {
    double loss = 0;
    for (int j = 0; j < f->k; j++) {
        const double p = 1 / (1 + exp(-x[j])), w = f->pos_weight ? f->pos_weight[j] : 1;
        if (f->unknown && t[j] == UNKNOWN) continue;
        loss -= w * t[j] * log(p) + (1 - t[j]) * log(1 - p);
        ++*counted;
    }
    return loss;
}

/* The mean over all that counts, times the samples. */
static double formula(const struct formula *f, const double *x) {
    double loss = 0, counted = 0;
    for (int r = 0; r < f->rows; r++) {
        loss += f->soft ? cross_entropy(f, x + r * f->k, f->t + r * f->k)
                        : binary(f, x + r * f->k, f->t + r * f->k, &counted);
        counted += f->soft;
    }
    return counted > 0 ? N * loss / counted : 0;
}

/* ---- Cases ---- */

static const double three[4] = {3, 3, 3, 3}, positives[4] = {0.5, 2, 0, 7}, weights[4] = {2, 0.5, 0, 1};

static const struct kind {
    const char *loss;
    bool soft, map; /* of 2×2 pixels */
    double smoothing;
    const double *class_weights, *pos_weight;
    bool unknown;
} kinds[] = {
    {"logistic", false, false, 0, NULL, NULL, false},
    {"{logistic: {pos_weight: 3}}", false, false, 0, NULL, three, false},
    {"{logistic: {pos_weight: [0.5, 2, 0, 7]}}", false, true, 0, NULL, positives, false},
    {"{logistic: {ignore_label: -1}}", false, false, 0, NULL, NULL, true},
    {"{logistic: {ignore_label: -1, pos_weight: [0.5, 2, 0, 7]}}", false, true, 0, NULL, positives, true},
    {"softmax_cross_entropy", true, false, 0, NULL, NULL, false},
    {"softmax_cross_entropy", true, true, 0, NULL, NULL, false},
    {"{softmax_cross_entropy: {label_smoothing: 0.2}}", true, false, 0.2, NULL, NULL, false},
    {"{softmax_cross_entropy: {class_weights: [2, 0.5, 0, 1]}}", true, true, 0, weights, NULL, false},
    {"{softmax_cross_entropy: {class_weights: [2, 0.5, 0, 1], label_smoothing: 0.1}}", true, false, 0.1, weights, NULL,
     false},
};

/* Labels of 0, 1, one of 0.25, and unknown ones, of one sample all; or distributions. */
static void fill_targets(const struct kind *kind, int rows, float *t) {
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < 4; j++) {
            const int i = r * 4 + j;
            t[i] = kind->soft ? (float[4]){0.125F, 0.5F, 0.25F, 0.125F}[(j + r) % 4] : (float)(i * 7 % 3 == 0);
            if (!kind->soft && i == 9) t[i] = 0.25F;
            if (kind->unknown && (i % 5 == 2 || r == 1)) t[i] = UNKNOWN;
        }
}

static struct cvy_target target_of(const struct kind *kind) {
    return (struct cvy_target){CVY_F32, {kind->map ? 2 : 1, kind->map ? 2 : 1, 4}};
}

static void check_kind(const struct kind *kind) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_compute *compute;
    struct op_run run;
    float t[ROOM];
    double x[ROOM];
    const struct cvy_target target = target_of(kind);
    const int rows = N * target.shape.h * target.shape.w, count = rows * 4;
    TEST_OK(graph_from_text(kind->map ? "input: [2, 2, 4]\nlayers: [tanh]\n" : "input: [1, 1, 4]\nlayers: [tanh]\n",
                            kind->loss, &tree, &graph));
    TEST_OK(cvy_graph_bind_target(graph, &target, 4, "data.h5"));
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    op_run_create(&run, &graph->nodes[1].op, compute, N);
    fill_targets(kind, rows, t);
    for (int i = 0; i < count; i++) ((float *)run.x[0].data)[i] = (float)(x[i] = (i * 29 % 31 - 15) / 4.0);
    run.call.target = op_values(t, N, target.shape);
    op_run_backward(&run);
    const struct formula f = {kind->soft,       rows,          4, kind->smoothing, kind->class_weights,
                              kind->pos_weight, kind->unknown, t};
    const double loss = formula(&f, x);
    CU_ASSERT_DOUBLE_EQUAL(run.loss.loss, loss, 1e-6 * loss);
    for (int i = 0; i < count; i++) {
        const double step = 1e-5, at = x[i];
        x[i] = at + step;
        const double above = formula(&f, x);
        x[i] = at - step;
        const double slope = (above - formula(&f, x)) / (2 * step), got = ((float *)run.dx[0].data)[i];
        x[i] = at;
        if (fabs(got - slope) > 2e-6) fprintf(stderr, "\n    %s: %d: %g, not %g", kind->loss, i, got, slope);
        CU_ASSERT(fabs(got - slope) <= 2e-6);
        if (kind->unknown && t[i] == UNKNOWN) CU_ASSERT_EQUAL(got, 0);
    }
    op_run_destroy(&run);
    cvy_compute_destroy(&compute);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static void values_and_gradients(void) {
    for (size_t i = 0; i < COUNT(kinds); i++) check_kind(&kinds[i]);
}

/* ---- Known values, hits ---- */

static struct cvy_loss_result score(const char *loss, int k, int n, const float *x, const float *t) {
    return op_loss_of(loss, k, n, x, op_values(t, n, (struct cvy_shape){1, 1, k}));
}

static void known_values(void) {
    const float x[3] = {1, 2, 3}, t[3] = {0.1F, 0.2F, 0.7F}, half[1] = {0.5F}, yes[1] = {1}, no[1] = {0};
    CU_ASSERT_DOUBLE_EQUAL(score("softmax_cross_entropy", 3, 1, x, t).loss, 0.80760596, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(score("{logistic: {pos_weight: 2}}", 1, 1, half, yes).loss, 2 * 0.47407698, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(score("{logistic: {pos_weight: 2}}", 1, 1, half, no).loss, 0.97407698, 1e-6);
    const float far[2] = {-1000, 1000}, both[2] = {1, 0};
    CU_ASSERT_EQUAL(score("{logistic: {pos_weight: 3}}", 2, 1, far, both).loss, (3 * 1000 + 1000) / 2.0);
}

static void hits(void) {
    /* The likeliest class, and the first of equals, is the one to be said. */
    const float x[9] = {3, 1, 2, 0, 5, 5, 1, 0, 0}, t[9] = {0.6F, 0.4F, 0, 0, 0.3F, 0.7F, 0.5F, 0.5F, 0};
    const struct cvy_loss_result soft = score("softmax_cross_entropy", 3, 3, x, t);
    CU_ASSERT(soft.top1 == 2 && soft.top5 == 3 && soft.counted == 3 && soft.weight == 3);
    /* All that are known are right: of 1 of 2, of 2, of 3 of 3; of the last none is known. */
    const float said[12] = {1, -1, 2, 1, 1, 1, -1, 4, -3, 5, 6, 7},
                truth[12] = {1, 0, -1, 1, 0, -1, 0, 1, 0, -1, -1, -1};
    const struct cvy_loss_result labels = score("{logistic: {ignore_label: -1}}", 3, 4, said, truth);
    CU_ASSERT(labels.top1 == 2 && labels.counted == 3);
    CU_ASSERT_DOUBLE_EQUAL(labels.weight, 7.0 / 3, 1e-12);
    /* Classes may be ignored too. */
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(graph_from_text("input: [1, 1, 1]\nlayers: [flatten]\n", "{logistic: {ignore_label: 2}}", &tree, &graph));
    CU_ASSERT(cvy_graph_loss(graph)->ignores && cvy_graph_classes(graph) == 2);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* ---- However the batch is cut ---- */

static const int one[] = {6}, three_leaves[] = {2, 1, 3}, single[] = {1, 1, 1, 1, 1, 1};

static struct cvy_loss_result run_net(const struct cvy_graph *graph, const struct kind *kind, enum cvy_mode mode,
                                      const int *sizes, int leaves, float *gradient) {
    struct cvy_compute *compute;
    struct graph_training t;
    struct cvy_loss_result losses[N], total = {0};
    float targets[ROOM];
    const struct cvy_target target = target_of(kind);
    fill_targets(kind, N * target.shape.h * target.shape.w, targets);
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    graph_training_create(&(struct cvy_net_spec){graph, compute, mode, N, leaves, 3, CVY_RECOMPUTE_AUTO}, sizes, &t);
    t.part.y = targets;
    t.part.target = target;
    TEST_OK(cvy_net_run(t.net, &t.part, mode == CVY_TRAIN ? &t.store.hooks : NULL, losses));
    for (int i = 0; i < leaves; i++) {
        total.loss += losses[i].loss;
        total.weight += losses[i].weight;
        total.counted += losses[i].counted;
        total.top1 += losses[i].top1;
    }
    if (gradient) memcpy(gradient, leaf_store_sum(&t.store), graph->params.stored * sizeof(float));
    graph_training_destroy(&t);
    cvy_compute_destroy(&compute);
    return total;
}

static void over_the_batch(void) {
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        const struct cvy_target target = target_of(&kinds[i]);
        TEST_OK(graph_from_text(kinds[i].map ? "input: [2, 2, 3]\nlayers: [{conv: {filters: 4, kernel: 1}}]\n"
                                             : "input: [3, 2, 1]\nlayers: [{dense: 4}]\n",
                                kinds[i].loss, &tree, &graph));
        TEST_OK(cvy_graph_bind_target(graph, &target, 4, "data.h5"));
        const size_t stored = graph->params.stored;
        float *whole = floats_new(stored), *parts = floats_new(stored);
        const struct cvy_loss_result want = run_net(graph, &kinds[i], CVY_TRAIN, one, 1, whole);
        for (int split = 0; split < 2; split++) {
            const int *sizes = split ? single : three_leaves, leaves = split ? 6 : 3;
            const struct cvy_loss_result got = run_net(graph, &kinds[i], CVY_TRAIN, sizes, leaves, parts);
            const struct cvy_loss_result test = run_net(graph, &kinds[i], CVY_EVALUATE, sizes, leaves, NULL);
            CU_ASSERT_DOUBLE_EQUAL(got.loss, want.loss, 1e-6 * want.loss);
            CU_ASSERT_DOUBLE_EQUAL(test.loss / test.weight, want.loss / N, 1e-6 * want.loss);
            CU_ASSERT(got.counted == want.counted && got.top1 == want.top1 && test.top1 == want.top1);
            for (size_t j = 0; j < stored; j++) CU_ASSERT_DOUBLE_EQUAL(parts[j], whole[j], 3e-6);
        }
        floats_free(whole);
        floats_free(parts);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* ---- Tables, and what does not suit ---- */

static void tables(void) {
    const float x[6] = {2, 1, 0, 3, 1, 0}, t[6] = {0.6F, 0.4F, 0.8F, 0.2F, 0, 1}; /* true 0 0 1, said 0 1 0 */
    const float truth[6] = {1, -1, 0, 0, -1, -1};
    const struct cvy_target two = {CVY_F32, {1, 1, 2}};
    static const int64_t confusion[4] = {1, 1, 1, 0}, labels[8] = {1, 0, 0, 1, 0, 1, 0, 0};
    for (int i = 0; i < 2; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        struct cvy_counts counts;
        TEST_OK(graph_from_text("input: [1, 1, 2]\nlayers: [flatten]\n",
                                i ? "{logistic: {ignore_label: -1}}" : "softmax_cross_entropy", &tree, &graph));
        TEST_OK(cvy_graph_bind_target(graph, &two, 2, "data.h5"));
        TEST_OK(cvy_counts_create(graph, &two, &counts));
        cvy_counts_add(&counts, x, i ? truth : t, 3);
        CU_ASSERT(counts.size == (i ? 8 : 4));
        CU_ASSERT(memcmp(counts.cells, i ? labels : confusion, counts.size * sizeof *labels) == 0);
        cvy_counts_destroy(&counts);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

static void what_suits(void) {
    static const struct {
        const char *loss;
        float t[3];
        const char *told; /* NULL: it suits */
    } cases[] = {
        {"softmax_cross_entropy", {0.2F, 0.3F, 0.5F}, NULL},
        {"softmax_cross_entropy", {1, 0, 0}, NULL},
        {"softmax_cross_entropy",
         {1, 1, 0},
         "t.h5: sample 8 has a target that sums to 2, and softmax_cross_entropy takes"},
        {"softmax_cross_entropy", {0, 0, 0}, "sums to 0"},
        {"softmax_cross_entropy", {3, -1, -1}, "3 as a target, and softmax_cross_entropy takes distributions"},
        {"softmax_cross_entropy", {NAN, 0, 1}, "nan as a target"},
        {"logistic", {1, 1, 0.5F}, NULL},
        {"logistic",
         {1, -1, 0},
         "-1 as a target, and logistic takes labels from 0 to 1; name what stands for an unknown"},
        {"{logistic: {ignore_label: -1}}", {1, -1, 0}, NULL},
        {"{logistic: {ignore_label: -1}}", {1, -2, 0}, "-2 as a target"},
        {"mse", {1000, -7, 0}, NULL},
    };
    const struct cvy_target target = {CVY_F32, {1, 1, 3}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        float t[6] = {0, 1, 0};
        memcpy(t + 3, cases[i].t, sizeof cases[i].t);
        TEST_OK(graph_from_text("input: [1, 1, 3]\nlayers: [flatten]\n", cases[i].loss, &tree, &graph));
        cvy_status status = cvy_suitable(cvy_graph_loss(graph), &target, "t.h5", 7, 2, t);
        const bool good =
            cases[i].told ? status == CVY_ERR_DATA && strstr(cvy_error_message(), cases[i].told) : status == CVY_OK;
        if (!good) fprintf(stderr, "\n    case %zu: %s", i, cvy_error_message());
        CU_ASSERT(good);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* Of a set's targets a GiB is looked at before the first step: here, of 72 MiB, one of the last. */
static void behind_many_others(void) {
    enum { MANY = 4500000, BAD = MANY - 3 };
    char path[1024];
    const hsize_t dims[2] = {MANY, 4}, at[2] = {BAD, 2};
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_dataset *ds;
    snprintf(path, sizeof path, "%s/many.h5", test_folder());
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put_as(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 2, (hsize_t[]){MANY, 1},
                hdf5_chunks(2, (hsize_t[]){1 << 18, 1}, 1), NULL);
    hdf5_put_as(file, "/y", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, dims, hdf5_chunks(2, (hsize_t[]){1 << 16, 4}, 1),
                NULL);
    hdf5_change(file, "/y", at, -1);
    H5Fclose(file);
    TEST_OK(graph_from_text("input: [1, 1, 1]\nlayers: [{dense: 4}]\n", "logistic", &tree, &graph));
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = path, .want = CVY_WANT_LABELS}, &ds));
    CU_ASSERT_EQUAL(cvy_suitable_set(cvy_graph_loss(graph), ds, path), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("many.h5: sample 4499997 has -1 as a target"));
    cvy_dataset_close(&ds);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static const struct test_case cases[] = {
    {"one that does not suit behind many others", behind_many_others},
    {"values and gradients", values_and_gradients},
    {"known values", known_values},
    {"hits", hits},
    {"the same however the batch is cut", over_the_batch},
    {"tables of counts", tables},
    {"targets that do not suit", what_suits},
    {0},
};
const struct test_suite suite_soft_targets = {"soft_targets", cases, NULL};
