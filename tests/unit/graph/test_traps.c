/* Traps of training: ends of a network that their loss is not made for, schedules that cannot be meant, and
 * log_softmax, which nll takes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/yaml.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "optim/schedule.h"
#include "test.h"

/* ---- Ends ---- */

static const struct {
    const char *layers, *loss, *layer, *cure; /* layer NULL: nothing is said */
    bool note;
} ends[] = {
    {"{dense: 3}, softmax", "softmax_cross_entropy", "softmax1", "leave softmax1 out", false},
    {"{dense: 3}, {softmax: , name: odds}", "softmax_cross_entropy", "odds", "leave odds out", false},
    {"{dense: 3}, softmax, flatten", "softmax_cross_entropy", "softmax1", "leave softmax1 out", false},
    {"{conv: {filters: 3, kernel: 1}}, softmax, {dropout: 0.1}, global_avgpool, {reshape: [1, 1, 3]}",
     "softmax_cross_entropy", "softmax1", "leave softmax1 out", false},
    {"{dense: 3}, sigmoid", "softmax_cross_entropy", "sigmoid1", "leave sigmoid1 out", false},
    {"{dense: 1}, sigmoid", "logistic", "sigmoid1", "leave sigmoid1 out, or take mse", false},
    {"{dense: 3}, hard_sigmoid, flatten", "logistic", "hard_sigmoid1", "leave hard_sigmoid1 out", false},
    {"{dense: 3}, softmax", "logistic", "softmax1", "leave softmax1 out", false},
    {"{dense: 3}, log_softmax", "logistic", "log_softmax1", "leave log_softmax1 out", false},
    {"{aux: {weight: 0.3, layers: [{dense: 3, name: side}, {softmax: , name: odds}]}}, {dense: 3}",
     "softmax_cross_entropy", "aux1/odds", "leave aux1/odds out", false},
    {"{dense: 3}, softmax", "nll", "softmax1",
     "put log_softmax in the place of softmax1, or leave it out and take softmax_cross_entropy", true},
    {"{dense: 3}, {dropout: 0.1}", "nll", "dense1", "put log_softmax behind dense1", true},
    {"{dense: 3}", "softmax_cross_entropy", NULL, NULL, false},
    {"{dense: 3}, log_softmax", "softmax_cross_entropy", NULL, NULL, false}, /* changes nothing */
    {"{dense: 3}, log_softmax, flatten", "nll", NULL, NULL, false},
    {"{dense: 3}", "logistic", NULL, NULL, false},
    {"{dense: 4}, softmax, {dense: 3}", "softmax_cross_entropy", NULL, NULL, false},
    {"{dense: 4}, sigmoid, {dense: 3}", "logistic", NULL, NULL, false},
    {"{dense: 3}, sigmoid", "mse", NULL, NULL, false},
    {"{dense: 3}, softmax", "l1", NULL, NULL, false},
    {"{conv: {filters: 3, kernel: 1}}, {branch: {join: multiply, paths: [[softmax], []]}}, global_avgpool",
     "softmax_cross_entropy", NULL, NULL, false},
    {"flatten, {slice: {channels: [0, 3]}}", "softmax_cross_entropy", NULL, NULL, false},
};

static void network_ends(void) {
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        struct cvy_findings said[2] = {{0}, {0}};
        char text[256];
        snprintf(text, sizeof text, "input: [4, 4, 2]\nlayers: [%s]\n", ends[i].layers);
        TEST_OK(graph_from_text(text, ends[i].loss, &tree, &graph));
        cvy_graph_find_traps(graph, &said[0], &said[1]);
        const char *layer = ends[i].layer, *it = said[ends[i].note].text;
        const bool good = said[ends[i].note].count == (layer != NULL) && said[!ends[i].note].count == 0 &&
                          (!layer || (strstr(it, layer) && strstr(it, ends[i].cure) && strstr(it, "t.yaml:2:")));
        if (!good) fprintf(stderr, "\n    %s with %s: %s%s", ends[i].layers, ends[i].loss, said[0].text, said[1].text);
        CU_ASSERT(good);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* ---- log_softmax ---- */

static void log_softmax(void) {
    static const struct {
        float x[3], y[3];
    } known[] = {{{1, 2, 3}, {-2.40760596F, -1.40760596F, -0.40760596F}},
                 {{1000, 0, -1000}, {0, -1000, -2000}},
                 {{-5, -5, -5}, {-1.09861229F, -1.09861229F, -1.09861229F}}};
    struct cvy_compute *compute;
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        float y[3];
        cvy_log_softmax(compute, 1, 3, known[i].x, y);
        for (int c = 0; c < 3; c++) CU_ASSERT_DOUBLE_EQUAL(y[c], known[i].y[c], 2e-7 * fabs(known[i].y[c]) + 1e-7);
    }
    cvy_compute_destroy(&compute);
}

/* Loss and gradient of scores x under `loss`, which are those of the layer before it. */
static double through(const char *layers, const char *loss, const float *x, const int32_t *labels, int n, float *dx) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_compute *compute;
    struct op_run end, last;
    char text[128];
    snprintf(text, sizeof text, "input: [1, 1, 5]\nlayers: [%s]\n", layers);
    TEST_OK(graph_from_text(text, loss, &tree, &graph));
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    op_run_create(&end, &graph->nodes[0].op, compute, n);
    op_run_create(&last, &graph->nodes[1].op, compute, n);
    memcpy(end.x[0].data, x, (size_t)n * 5 * sizeof *x);
    op_run_forward(&end);
    memcpy(last.x[0].data, end.call.y.data, (size_t)n * 5 * sizeof *x);
    last.call.target = op_classes(labels, n);
    op_run_backward(&last);
    memcpy(end.call.dy.data, last.dx[0].data, (size_t)n * 5 * sizeof *x);
    op_run_backward(&end);
    memcpy(dx, end.dx[0].data, (size_t)n * 5 * sizeof *x);
    const double sum = last.loss.loss;
    op_run_destroy(&end);
    op_run_destroy(&last);
    cvy_compute_destroy(&compute);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    return sum;
}

/* log_softmax and nll are softmax_cross_entropy; so is log_softmax before it. */
static void the_same_loss(void) {
    const float x[10] = {0.3F, -2, 5, 1.5F, 0, 9, -9, 4, 4, 2};
    const int32_t labels[2] = {3, 1};
    float want[10], got[10];
    const double loss = through("flatten", "softmax_cross_entropy", x, labels, 2, want);
    static const char *const same[] = {"nll", "softmax_cross_entropy"};
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_DOUBLE_EQUAL(through("log_softmax", same[i], x, labels, 2, got), loss, 1e-6 * loss);
        for (int c = 0; c < 10; c++) CU_ASSERT_DOUBLE_EQUAL(got[c], want[c], 1e-6);
    }
}

/* ---- Schedules ---- */

static const struct {
    const char *schedule, *refused, *doubted; /* of 13 epochs */
} schedules[] = {
    {"{cosine: {peak: 0.125, floor: 0.75}}", "cosine: floor 0.75 is above peak 0.125", NULL},
    {"{polynomial: {peak: 0.125, floor: 0.75}}", "polynomial: floor 0.75 is above peak 0.125", NULL},
    {"{cosine_restarts: {peak: 0.125, floor: 0.75, first_epochs: 2}}", "floor 0.75 is above peak 0.125", NULL},
    {"{plateau: {value: 0.125, floor: 0.75}}", "plateau: floor 0.75 is above value 0.125", NULL},
    {"{cosine: {peak: 0.125, warmup_epochs: 29}}", NULL, "cosine: warmup_epochs 29 takes more than the 13 epochs"},
    {"{cosine: {peak: 0.125, warmup_epochs: 13}}", NULL, "cosine: warmup_epochs 13 takes all of the 13 epochs"},
    {"{polynomial: {peak: 1, warmup_epochs: 29}}", NULL, "polynomial: warmup_epochs 29"},
    {"{cosine_restarts: {peak: 1, first_epochs: 1, warmup_epochs: 29}}", NULL, "cosine_restarts: warmup_epochs 29"},
    {"{cosine_restarts: {peak: 1, first_epochs: 14}}", NULL, "first_epochs 14 is more than the 13 epochs"},
    {"{cosine_restarts: {peak: 1, first_epochs: 12, warmup_epochs: 3}}", NULL,
     "first_epochs 12 is more than the 10 epochs of the run behind the warm-up"},
    {"{constant: {value: 1, warmup_epochs: 29}}", NULL, "constant: warmup_epochs 29"},
    {"{exponential: {value: 1, factor: 0.9, warmup_epochs: 29}}", NULL, "exponential: warmup_epochs 29"},
    {"{step: {value: 1, every_epochs: 5, warmup_epochs: 29}}", NULL, "step: warmup_epochs 29"},
    {"{step: {value: 1, every_epochs: 30}}", NULL, "every_epochs 30 is not over before the run of 13 epochs is"},
    {"{plateau: {value: 1, warmup_epochs: 29}}", NULL, "plateau: warmup_epochs 29"},
    {"{multi_step: {value: 1, milestones: [5], warmup_epochs: 29}}", NULL, "multi_step: warmup_epochs 29"},
    {"{multi_step: {value: 1, milestones: [7, 61]}}", NULL, "milestone 61 lies behind the 13 epochs"},
    {"0.1", NULL, NULL},
    {"{cosine: {peak: 0.125, floor: 0.125, warmup_epochs: 2}}", NULL, NULL},
    {"{polynomial: {peak: 0.125, floor: 0.0625, warmup_epochs: 12.5}}", NULL, NULL},
    {"{cosine_restarts: {peak: 1, first_epochs: 10, warmup_epochs: 3}}", NULL, NULL},
    {"{multi_step: {value: 1, milestones: [7, 10, 13]}}", NULL, NULL},
    {"{step: {value: 1, every_epochs: 5}}", NULL, NULL},
    {"{plateau: {value: 1, floor: 0.5}}", NULL, NULL},
    {"{one_cycle: {peak: 1}}", NULL, NULL},
    {"{exponential: {value: 1, factor: 0.9}}", NULL, NULL},
};

static void check_schedule(size_t i) {
    struct cvy_tree *tree;
    struct cvy_node *node;
    struct cvy_schedule schedule = {0};
    struct cvy_findings doubts = {0};
    const char *text = schedules[i].schedule, *said = "";
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(cvy_yaml_parse(tree, "e.yaml", text, strlen(text), &node));
    cvy_status status = cvy_schedule_create(node, &schedule);
    if (status != CVY_OK) said = cvy_error_message();
    if (status == CVY_OK) cvy_schedule_doubt(&schedule, 13, node, &doubts);
    if (status == CVY_OK) said = doubts.text;
    const char *want = schedules[i].refused ? schedules[i].refused : schedules[i].doubted;
    const bool good = (status == CVY_OK) == (schedules[i].refused == NULL) &&
                      (want ? strstr(said, want) && strncmp(said, "e.yaml:1:", 9) == 0 : said[0] == '\0') &&
                      doubts.count == (schedules[i].doubted != NULL);
    if (!good) fprintf(stderr, "\n    %s: %s", text, said);
    CU_ASSERT(good);
    cvy_schedule_destroy(&schedule);
    cvy_tree_destroy(&tree);
}

static void schedule_limits(void) {
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) check_schedule(i);
}

static const struct test_case cases[] = {
    {"ends that a loss is not made for", network_ends},
    {"log_softmax: known values", log_softmax},
    {"log_softmax and nll are softmax_cross_entropy", the_same_loss},
    {"schedules that cannot be meant", schedule_limits},
    {0},
};
const struct test_suite suite_traps = {"traps", cases, NULL};
