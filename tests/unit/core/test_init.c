/* Initialisers: mean, variance and bounds as in the papers, with the fans of HWIO and [in][out]; orthonormal rows or
 * columns; a function of seed, name and logical index alone; and what is said of bad ones. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/graph/graph_help.h"
#include "io/yaml.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

/* An initialiser as it is written. */
static struct cvy_init init_of(const char *text) {
    struct cvy_tree *tree;
    struct cvy_node *node;
    struct cvy_findings findings = {0};
    struct cvy_init init = {CVY_INIT_ZERO, {0}};
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(cvy_yaml_parse(tree, "i.yaml", text, strlen(text), &node));
    cvy_init_read(node, "init", false, &init, &findings);
    if (findings.count) fprintf(stderr, "\n    %s", findings.text);
    CU_ASSERT_EQUAL(findings.count, 0);
    cvy_tree_destroy(&tree);
    return init;
}

/* Logical values; free() them. */
static float *values_of(const char *text, int rank, const int64_t dims[4], bool panels, uint64_t seed) {
    struct cvy_init init = init_of(text);
    struct cvy_params list = {0};
    struct cvy_param like = {
        .name = "layer/weight", .rank = rank, .panels = panels, .init = init.kind, .init_how = init.how};
    int index;
    memcpy(like.dims, dims, (size_t)rank * sizeof *dims);
    TEST_OK(cvy_params_add(&list, &like, &index));
    float *stored = floats_new(list.stored), *logical = calloc((size_t)cvy_param_count(&like), sizeof *logical);
    TEST_OK(cvy_param_init(&list.items[0], seed, NULL, stored));
    cvy_param_to_logical(&list.items[0], stored, logical);
    floats_free(stored);
    cvy_params_destroy(&list);
    return logical;
}

/* ---- moments ---- */

enum { KERNEL, MATRIX };
static const int64_t kernel_dims[4] = {5, 3, 20, 70}, matrix_dims[4] = {150, 140}; /* fans 300, 1050; 150, 140 */

static const struct {
    const char *text;
    int shape;
    double mean, variance, low, high; /* bounds of every value */
} moments[] = {
    {"zero", KERNEL, 0, 0, 0, 0},
    {"one", MATRIX, 1, 0, 1, 1},
    {"{constant: {value: -0.25}}", KERNEL, -0.25, 0, -0.25, -0.25},
    {"{uniform: {low: -1, high: 3}}", KERNEL, 1, 16.0 / 12, -1, 3},
    {"{normal: {std: 0.5}}", KERNEL, 0, 0.25, -3, 3},
    {"{normal: {mean: 2, std: 0.01}}", MATRIX, 2, 1e-4, 1.94, 2.06},
    /* of a normal cut at 2: 1 − 4·φ(2)/(2·Φ(2) − 1) times std² */
    {"{truncated_normal: {mean: 1, std: 0.1}}", KERNEL, 1, 0.007737413035, 0.8, 1.2},
    {"lecun_normal", KERNEL, 0, 1.0 / 300, -1, 1},
    {"{lecun_normal: {mode: fan_out}}", KERNEL, 0, 1.0 / 1050, -1, 1},
    {"lecun_uniform", KERNEL, 0, 1.0 / 300, -0.1, 0.1},
    {"{lecun_uniform: {gain: 3}}", MATRIX, 0, 9.0 / 150, -0.4242641, 0.4242641},
    {"xavier_normal", KERNEL, 0, 2.0 / 1350, -1, 1},
    {"{xavier_uniform: {gain: 2}}", MATRIX, 0, 8.0 / 290, -0.2876955, 0.2876955}, /* 2·√(6/290) */
    {"he_normal", KERNEL, 0, 2.0 / 300, -1, 1},
    {"{he_normal: {mode: fan_out}}", KERNEL, 0, 2.0 / 1050, -1, 1},
    {"{he_normal: {slope: 2}}", MATRIX, 0, 0.4 / 150, -1, 1},
    {"{he_uniform: {mode: fan_out}}", MATRIX, 0, 2.0 / 140, -0.2070198, 0.2070198}, /* √(6/140) */
};

/* The sample's mean and variance lie within 5 of their standard errors. */
static void check_moments(size_t m) {
    bool kernel = moments[m].shape == KERNEL;
    int count = kernel ? 5 * 3 * 20 * 70 : 150 * 140;
    float *w = values_of(moments[m].text, kernel ? 4 : 2, kernel ? kernel_dims : matrix_dims, true, 7);
    double sum = 0, squares = 0, variance = moments[m].variance;
    bool within = true;
    for (int i = 0; i < count; i++) {
        within &= w[i] >= (float)moments[m].low && w[i] <= (float)moments[m].high;
        sum += w[i];
        squares += ((double)w[i] - moments[m].mean) * ((double)w[i] - moments[m].mean);
    }
    double off = fabs(sum / count - moments[m].mean), off2 = fabs(squares / count - variance);
    bool good = within && off <= 5 * sqrt(variance / count) + 1e-7 && off2 <= 5 * variance * sqrt(2.0 / count);
    if (!good)
        fprintf(stderr, "\n    %s: mean %g, variance %g instead of %g%s", moments[m].text, sum / count, squares / count,
                variance, within ? "" : ", out of bounds");
    CU_ASSERT(good);
    free(w);
}

static void all_moments(void) {
    for (size_t m = 0; m < sizeof moments / sizeof *moments; m++) check_moments(m);
}

/* ---- orthogonal ---- */

static const int64_t orthogonal_dims[][4] = {
    {40, 40, 1, 1}, {90, 17, 1, 1}, {5, 33, 1, 1}, {3, 3, 4, 20}, {1, 1, 3, 50}};

/* ⟨vector i, vector j⟩ = gain² where i = j, else 0. */
static void check_orthogonal(const int64_t dims[4], int rank) {
    int cols = (int)dims[rank - 1], rows = 1;
    for (int d = 0; d < rank - 1; d++) rows *= (int)dims[d];
    float *w = values_of("{orthogonal: {gain: 1.5}}", rank, dims, true, 3);
    int count = rows < cols ? rows : cols, length = rows < cols ? cols : rows;
    int step = rows < cols ? cols : 1, along = rows < cols ? 1 : cols;
    double worst = 0;
    for (int i = 0; i < count; i++)
        for (int j = 0; j <= i; j++) {
            double dot = 0;
            for (int k = 0; k < length; k++) dot += (double)w[i * step + k * along] * (double)w[j * step + k * along];
            worst = fmax(worst, fabs(dot - (i == j ? 2.25 : 0)));
        }
    CU_ASSERT(worst < 1e-6);
    free(w);
}

static void orthogonal(void) {
    for (size_t i = 0; i < 5; i++) check_orthogonal(orthogonal_dims[i], i < 3 ? 2 : 4);
}

/* ---- what they depend on ---- */

static const char *const drawn[] = {"{uniform: {low: 0, high: 1}}", "{truncated_normal: {std: 1}}", "he_normal",
                                    "orthogonal"};

static void seed_and_index_alone(void) {
    const int64_t dims[4] = {6, 37};
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) {
        float *a = values_of(drawn[i], 2, dims, true, 5), *b = values_of(drawn[i], 2, dims, false, 5);
        float *c = values_of(drawn[i], 2, dims, true, 6);
        CU_ASSERT(floats_same(a, b, 6 * 37)); /* the layout changes nothing */
        CU_ASSERT_FALSE(floats_same(a, c, 6 * 37));
        free(a);
        free(b);
        free(c);
    }
}

static void layers_differ_and_threads_do_not(void) {
    static const char text[] = "input: [4, 4, 3]\n"
                               "layers:\n"
                               "  - conv: {filters: 5, kernel: 3, init: orthogonal, bias_init: {normal: {std: 0.1}}}\n"
                               "  - conv: {filters: 5, kernel: 1, init: {he_uniform: {mode: fan_out}}}\n"
                               "  - conv: {filters: 5, kernel: 1, init: {he_uniform: {mode: fan_out}}}\n"
                               "  - dense: {units: 7, init: xavier_normal, bias_init: {constant: {value: 1}}}\n";
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_net *net[2];
    struct cvy_compute *compute[2];
    TEST_OK(graph_from_text(text, NULL, &tree, &graph));
    for (int i = 0; i < 2; i++) {
        TEST_OK(cvy_compute_create(1 + 2 * i, cvy_isa_detect(), &compute[i]));
        TEST_OK(
            cvy_net_create(&(struct cvy_net_spec){graph, compute[i], CVY_TRAIN, 2, 1, 4, CVY_RECOMPUTE_AUTO}, &net[i]));
    }
    const float *w = cvy_net_parameters(net[0]);
    const struct cvy_param *p = graph->params.items;
    CU_ASSERT(floats_same(w, cvy_net_parameters(net[1]), graph->params.stored));
    CU_ASSERT(w[p[1].offset] != 0 && w[p[1].offset + 4] != 0 &&
              w[p[1].offset + 5] == 0);                                          /* five values, then padding */
    CU_ASSERT_FALSE(floats_same(w + p[2].offset, w + p[4].offset, p[2].stored)); /* another name */
    CU_ASSERT(w[p[3].offset] == 0 && w[p[7].offset] == 1 && w[p[7].offset + 6] == 1 && w[p[7].offset + 7] == 0);
    for (int i = 0; i < 2; i++) {
        cvy_net_destroy(&net[i]);
        cvy_compute_destroy(&compute[i]);
    }
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* ---- bad ones ---- */

static const struct {
    const char *layer, *message;
} bad[] = {
    {"{units: 2, init: he_norma}", "t.yaml:3:29: init: unknown initialiser \"he_norma\"; did you mean \"he_normal\"?"},
    {"{units: 2, init: {normal: {mean: 1}}}", "t.yaml:3:30: normal: \"std\" is missing: standard deviation"},
    {"{units: 2, init: {normal: {std: -1}}}", "t.yaml:3:44: std: -1 is out of range; at least 0"},
    {"{units: 2, init: {he_normal: {mode: out}}}", "t.yaml:3:48: mode: expected one of fan_in|fan_out, found \"out\""},
    {"{units: 2, init: {he_normal: {gain: 2}}}", "t.yaml:3:42: he_normal: unknown key \"gain\"; known are slope, mode"},
    {"{units: 2, init: {uniform: {low: 1, high: 0}}}", "t.yaml:3:30: uniform: low 1 is above high 0"},
    {"{units: 2, init: [1]}",
     "t.yaml:3:29: init: expected a name, or one name with its settings: NAME, or {NAME: {…}}"},
    {"{units: 2, bias_init: he_normal}",
     "t.yaml:3:34: bias_init: unknown initialiser \"he_normal\"; did you mean \"normal\"?"},
    {"{units: 2, bias_init: orthogonal}",
     "t.yaml:3:34: bias_init: unknown initialiser \"orthogonal\"; there are zero, one, constant, uniform, normal, "
     "truncated_normal"},
};

static void findings(void) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        snprintf(text, sizeof text, "input: [2, 2, 2]\nlayers:\n  - dense: %s\n", bad[i].layer);
        CU_ASSERT_EQUAL(graph_from_text(text, NULL, &tree, &graph), CVY_ERR_USAGE);
        bool as_told = strcmp(cvy_error_message(), bad[i].message) == 0;
        if (!as_told) fprintf(stderr, "\n    %s gave: %s", bad[i].layer, cvy_error_message());
        CU_ASSERT(as_told);
        cvy_tree_destroy(&tree);
    }
}

static const struct test_case cases[] = {
    {"moments and bounds", all_moments},
    {"orthogonal rows or columns", orthogonal},
    {"a function of seed and logical index", seed_and_index_alone},
    {"layers differ, threads do not", layers_differ_and_threads_do_not},
    {"bad initialisers", findings},
    {0},
};
const struct test_suite suite_init = {"init", cases, NULL};
