/* configs/models: every file amounts to the network that it is named after: trainable parameters, multiply-adds of one
 * sample (both equal to torchvision's where it has the network) and scores. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "graph/run/plan.h"
#include "unit/ops/ops_help.h"
#include "test.h"

static const struct model {
    const char *name;
    int64_t params, macs;
    struct cvy_shape scores;
} models[] = {
    {"alexnet", 61100840, 714188480, {1, 1, 1000}},
    {"alexnet_2group", 60965224, 724406816, {1, 1, 1000}},
    {"course_39", 44950, 2814230, {1, 1, 10}},
    {"course_lenet", 62006, 651720, {1, 1, 10}},
    {"densenet121", 7978856, 2834161664, {1, 1, 1000}},
    {"googlenet", 6624904, 1498376192, {1, 1, 1000}},
    {"googlenet_aux", 13004888, 1506748416, {1, 1, 1000}},
    {"inception_v3", 23834568, 5713216096, {1, 1, 1000}},
    {"lenet5", 61706, 416520, {1, 1, 10}},
    {"lenet5_relu", 61706, 416520, {1, 1, 10}},
    {"mlp", 266610, 266200, {1, 1, 10}},
    {"mobilenet_v2", 3504872, 300774272, {1, 1, 1000}},
    {"nin", 966986, 222486528, {1, 1, 10}},
    {"plain110", 1727962, 252887680, {1, 1, 10}},
    {"plain20", 269722, 40551040, {1, 1, 10}},
    {"plain32", 464154, 68862592, {1, 1, 10}},
    {"plain44", 658586, 97174144, {1, 1, 10}},
    {"plain56", 853018, 125485696, {1, 1, 10}},
    {"resnet101", 44549160, 7801405440, {1, 1, 1000}},
    {"resnet110", 1727962, 252887680, {1, 1, 10}},
    {"resnet152", 60192808, 11513626624, {1, 1, 1000}},
    {"resnet18", 11689512, 1814073344, {1, 1, 1000}},
    {"resnet20", 269722, 40551040, {1, 1, 10}},
    {"resnet32", 464154, 68862592, {1, 1, 10}},
    {"resnet34", 21797672, 3663761408, {1, 1, 1000}},
    {"resnet44", 658586, 97174144, {1, 1, 10}},
    {"resnet50", 25557032, 4089184256, {1, 1, 1000}},
    {"resnet56", 853018, 125485696, {1, 1, 10}},
    {"small_bn", 98042, 16370560, {1, 1, 10}},
    {"squeezenet1_1", 1235496, 349151936, {1, 1, 1000}},
    {"unet", 31030658, 48096083968, {256, 256, 2}},
    {"vgg11", 132863336, 7609090048, {1, 1, 1000}},
    {"vgg16", 138357544, 15470264320, {1, 1, 1000}},
    {"vgg16_bn", 138365992, 15470264320, {1, 1, 1000}},
    {"vgg19", 143667240, 19632062464, {1, 1, 1000}},
    {"wrn16_4", 2748890, 392612352, {1, 1, 10}},
};

enum { MODELS = sizeof models / sizeof *models };

static void check_model(const struct model *model) {
    char file[128];
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_plan plan;
    snprintf(file, sizeof file, "%s.yaml", model->name);
    TEST_OK(graph_from_model(file, model->scores.h == 1 ? "softmax_cross_entropy" : NULL, &tree, &graph));
    int64_t macs = 0;
    for (int i = 0; graph && i < graph->node_count; i++) macs += graph->nodes[i].op.macs;
    bool equal = graph && cvy_params_count(&graph->params) == model->params && macs == model->macs &&
                 cvy_shape_equal(cvy_graph_output_shape(graph), model->scores);
    if (!equal) fprintf(stderr, "\n    %s is another network\n", file);
    CU_ASSERT(equal);
    TEST_OK(plan_for(graph, CVY_TRAIN, 2, 1, 1, CVY_RECOMPUTE_AUTO, &plan));
    CU_ASSERT(plan.leaf_bytes > 0);
    cvy_plan_destroy(&plan);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static void counts(void) {
    for (int i = 0; i < MODELS; i++) check_model(&models[i]);
}

/* Whoever adds a network adds its numbers. */
static void none_forgotten(void) {
    char path[4096];
    int files = 0;
    snprintf(path, sizeof path, "%s/configs/models", test_root());
    DIR *folder = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        bool known =
            strcmp(entry->d_name, "edges.yaml") == 0; /* an example of fixed filters, no network of the field */
        if (strstr(entry->d_name, ".yaml") == NULL) continue;
        for (int i = 0; i < MODELS; i++)
            known |= strncmp(entry->d_name, models[i].name, strlen(models[i].name)) == 0 &&
                     strcmp(entry->d_name + strlen(models[i].name), ".yaml") == 0;
        if (!known) fprintf(stderr, "\n    %s is not in the table\n", entry->d_name);
        CU_ASSERT(known);
        files++;
    }
    closedir(folder);
    CU_ASSERT(files >= MODELS);
}

/* A deep network is a short file. */
static void short_files(void) {
    char path[4096];
    int lines = 0;
    snprintf(path, sizeof path, "%s/configs/models/resnet152.yaml", test_root());
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (int c; (c = fgetc(file)) != EOF;) lines += c == '\n';
    fclose(file);
    CU_ASSERT(lines > 10 && lines <= 60);
}

/* Names are kind and count inside their block: they are in checkpoints, so they must stay. */
static void names(void) {
    static const struct {
        const char *file, *first, *last;
    } networks[] = {
        {"resnet152.yaml", "conv1/weight", "dense1/bias"},
        {"googlenet_aux.yaml", "conv_bn1/conv1/weight", "dense1/bias"},
    };
    static const char *const deep[] = {"stage3/bottleneck36/conv2/weight", "aux2/head1/dense2/weight"};
    for (int i = 0; i < 2; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        TEST_OK(graph_from_model(networks[i].file, NULL, &tree, &graph));
        const struct cvy_params *params = &graph->params;
        bool found = false;
        for (int p = 0; p < params->count; p++) found |= strcmp(params->items[p].name, deep[i]) == 0;
        CU_ASSERT(found);
        CU_ASSERT_STRING_EQUAL(params->items[0].name, networks[i].first);
        CU_ASSERT_STRING_EQUAL(params->items[params->count - 1].name, networks[i].last);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

static const struct test_case cases[] = {
    {"parameters, multiply-adds, scores", counts},
    {"none is forgotten", none_forgotten},
    {"ResNet-152 in 60 lines", short_files},
    {"names of their parameters", names},
    {0},
};
const struct test_suite suite_models = {"models", cases, NULL};
