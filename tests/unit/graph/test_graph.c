/* graph: from the description: names, shapes, receptive fields, counts, inputs by name, `$parameters`, and every
 * finding with its place and its words. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "io/yaml.h"
#include "graph/run/fuse.h"
#include "unit/graph/graph_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

/* ---- what a description amounts to ---- */

struct row {
    const char *name;
    struct cvy_shape out;
    int64_t macs;
    int field, jump;
};

static void check_rows(const struct cvy_graph *graph, const struct row *rows, int count) {
    CU_ASSERT_EQUAL(graph->node_count, count);
    for (int i = 0; i < count && i < graph->node_count; i++) {
        const struct cvy_graph_node *node = &graph->nodes[i];
        CU_ASSERT_STRING_EQUAL(node->name, rows[i].name);
        CU_ASSERT_STRING_EQUAL(node->op.name, rows[i].name);
        CU_ASSERT(cvy_shape_equal(node->op.out, rows[i].out));
        CU_ASSERT_EQUAL(node->op.macs, rows[i].macs);
        CU_ASSERT(node->field[0] == rows[i].field && node->field[1] == rows[i].field);
        CU_ASSERT(node->jump[0] == rows[i].jump && node->jump[1] == rows[i].jump);
        CU_ASSERT_EQUAL(node->output, i + 1);
        CU_ASSERT_EQUAL(graph->values[i + 1].producer, i);
    }
    CU_ASSERT_EQUAL(graph->output, count);
}

static void lenet5(void) {
    static const struct row rows[] = {
        {"conv1", {28, 28, 6}, 117600, 5, 1},   {"tanh1", {28, 28, 6}, 0, 5, 1},   {"avgpool1", {14, 14, 6}, 0, 6, 2},
        {"conv2", {10, 10, 16}, 240000, 14, 2}, {"tanh2", {10, 10, 16}, 0, 14, 2}, {"avgpool2", {5, 5, 16}, 0, 16, 4},
        {"dense1", {1, 1, 120}, 48000, 32, 4},  {"tanh3", {1, 1, 120}, 0, 32, 4},  {"dense2", {1, 1, 84}, 10080, 32, 4},
        {"tanh4", {1, 1, 84}, 0, 32, 4},        {"dense3", {1, 1, 10}, 840, 32, 4}};
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(graph_from_model("lenet5.yaml", NULL, &tree, &graph));
    check_rows(graph, rows, sizeof rows / sizeof *rows);
    CU_ASSERT_EQUAL(cvy_params_count(&graph->params), 61706);
    CU_ASSERT_EQUAL(graph->params.count, 10);
    CU_ASSERT_STRING_EQUAL(graph->params.items[0].name, "conv1/weight");
    CU_ASSERT_STRING_EQUAL(graph->params.items[9].name, "dense3/bias");
    CU_ASSERT_EQUAL(graph->params.items[0].init, CVY_INIT_LECUN_UNIFORM);
    CU_ASSERT_EQUAL(cvy_graph_output_shape(graph).c, 10);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static void lenet5_relu(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(graph_from_model("lenet5_relu.yaml", "softmax_cross_entropy", &tree, &graph));
    CU_ASSERT_EQUAL(cvy_params_count(&graph->params), 61706);
    CU_ASSERT_EQUAL(graph->params.items[0].init, CVY_INIT_HE_NORMAL);
    CU_ASSERT_EQUAL(graph->node_count, 12);
    const struct cvy_graph_node *loss = &graph->nodes[11];
    CU_ASSERT(cvy_loss_of(&loss->op) && loss->output == -1 && loss->inputs[0] == graph->output);
    struct cvy_fused_unit units[12];
    TEST_OK(cvy_fuse(graph, CVY_TRAIN, units));
    for (int i = 0; i < graph->node_count; i++) /* conv and dense do the relu behind them */
        CU_ASSERT_EQUAL(units[i].host != i, strncmp(graph->nodes[i].name, "relu", 4) == 0);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* Strides and sizes that differ by axis; a layer that names its input; names of one's own. */
static void axes_and_names(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(graph_from_text("input: [9, 20, 2]\n"
                            "layers:\n"
                            "  - conv: {filters: 4, kernel: [3, 1], stride: [2, 1], dilation: [2, 1]}\n"
                            "    name: stem\n"
                            "  - maxpool: {kernel: [2, 5], stride: [1, 5]}\n"
                            "    inputs: [stem]\n"
                            "  - {tanh: , name: last, inputs: maxpool1}\n",
                            NULL, &tree, &graph));
    const struct cvy_graph_node *stem = &graph->nodes[0], *pool = &graph->nodes[1], *last = &graph->nodes[2];
    CU_ASSERT_STRING_EQUAL(stem->name, "stem");
    CU_ASSERT(stem->op.out.h == 3 && stem->op.out.w == 20 && stem->op.out.c == 4); /* ⌊(9 − 5)/2⌋ + 1 */
    CU_ASSERT(stem->field[0] == 5 && stem->field[1] == 1 && stem->jump[0] == 2 && stem->jump[1] == 1);
    CU_ASSERT(pool->op.out.h == 2 && pool->op.out.w == 4 && pool->op.out.c == 4);
    CU_ASSERT(pool->field[0] == 7 && pool->field[1] == 5 && pool->jump[0] == 2 && pool->jump[1] == 5);
    CU_ASSERT(pool->inputs[0] == stem->output && last->inputs[0] == pool->output);
    CU_ASSERT_STRING_EQUAL(last->name, "last");
    CU_ASSERT_STRING_EQUAL(graph->params.items[1].name, "stem/bias");
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* Who learns: the input does not, nor does what lies before the first parameter. */
static void gradients_wanted(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(
        graph_from_text("input: [4, 4, 1]\nlayers: [tanh, avgpool: 2, conv: {filters: 2, kernel: 1}, relu, dense: 3]\n",
                        "softmax_cross_entropy", &tree, &graph));
    static const bool wanted[] = {false, false, false, true, true, true};
    for (int v = 0; v < graph->value_count; v++) CU_ASSERT_EQUAL(graph->values[v].wants_grad, wanted[v]);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* The hash tells apart all that makes ranks do different things, and nothing else. */
static void hashes(void) {
    static const char *const texts[] = {
        "input: [8, 8, 1]\nlayers: [conv: {filters: 4, kernel: 3, padding: same}, dense: 3]\n",
        "input: [8, 8, 1]\nlayers: [conv: {filters: 4, kernel: 3, padding: same, bias: false}, dense: 3]\n",
        "input: [8, 8, 1]\nlayers: [conv: {filters: 5, kernel: 3, padding: same}, dense: 3]\n",
        "input: [8, 8, 1]\nlayers: [conv: {filters: 4, kernel: 5, padding: same}, dense: 3]\n",
        "input: [8, 8, 1]\nlayers: [conv: {filters: 4, kernel: 3, padding: [0, 2]}, dense: 3]\n",
        "input: [8, 8, 1]\nlayers: [conv: {filters: 4, kernel: 3, padding: [0, 2, 2, 0]}, dense: 3]\n",
        "input: [8, 9, 1]\nlayers: [conv: {filters: 4, kernel: 3, padding: same}, dense: 3]\n",
        "input: [8, 8, 1]\nlayers: [conv: {filters: 4, kernel: 3, padding: same}, dropout: 0.5, dense: 3]\n",
        "input: [8, 8, 1]\nlayers: [conv: {filters: 4, kernel: 3, padding: same}, dropout: 0.4, dense: 3]\n",
        "input: [8, 8, 1]\nlayers: [maxpool: 2, dense: 3]\n",
        "input: [8, 8, 1]\nlayers: [avgpool: 2, dense: 3]\n",
        "input: [8, 8, 1]\nlayers: [avgpool: {kernel: 2, count_include_pad: false}, dense: 3]\n"};
    enum { TEXTS = sizeof texts / sizeof *texts };
    uint64_t hash[TEXTS];
    for (int i = 0; i < TEXTS; i++) hash[i] = graph_hash_of(texts[i]);
    for (int i = 0; i < TEXTS; i++)
        for (int j = 0; j < i; j++) CU_ASSERT(hash[i] != hash[j]);
    CU_ASSERT_EQUAL(hash[0],
                    graph_hash_of("name: other\ninput: [8, 8, 1]\nlayers:\n- conv: {kernel: [3, 3], filters: 4, "
                                  "padding: 1}\n- dense: {units: 3, init: zero}\n"));
}

/* ---- parameters of a model file ---- */

/* A model of text, whose parameters an experiment gives values. */
static void give(const char *text, const char *values, struct cvy_findings *findings, struct cvy_tree **tree,
                 struct cvy_node **model) {
    struct cvy_node *given;
    TEST_OK(cvy_tree_create(tree));
    TEST_OK(cvy_yaml_parse(*tree, "m.yaml", text, strlen(text), model));
    TEST_OK(cvy_yaml_parse(*tree, "e.yaml", values, strlen(values), &given));
    cvy_graph_give(*model, given, findings);
}

static void parameters(void) {
    static const char text[] = "input: [$size, $size, 1]\n"
                               "parameters: {size: 4, classes: 10, word: relu}\n"
                               "layers: [conv: {filters: 2, kernel: 3}, $word, dense: {units: $classes}]\n";
    struct cvy_tree *tree;
    struct cvy_node *model;
    struct cvy_graph *graph;
    struct cvy_findings findings = {0};
    give(text, "{classes: 7}", &findings, &tree, &model);
    CU_ASSERT_EQUAL(findings.count, 0);
    CU_ASSERT_STRING_EQUAL(cvy_node_find(model, "parameters.classes")->text, "7");
    TEST_OK(cvy_graph_create(model, NULL, &graph));
    CU_ASSERT(cvy_shape_equal(graph->input, (struct cvy_shape){4, 4, 1}));
    CU_ASSERT_STRING_EQUAL(graph->nodes[1].op.kind->name, "relu");
    CU_ASSERT_EQUAL(cvy_graph_output_shape(graph).c, 7);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static void parameter_findings(void) {
    static const char text[] = "input: [4, 4, $clases]\n"
                               "parameters: {classes: 10, list: [1]}\n"
                               "layers:\n"
                               "  - dense: $list\n"
                               "  - dense: $clases\n"
                               "  - dense: '$classes'\n"
                               "  - dense: $zzzzzzzz\n";
    struct cvy_tree *tree;
    struct cvy_node *model;
    struct cvy_graph *graph;
    struct cvy_findings findings = {0};
    give(text, "{width: 2, clasess: 3}", &findings, &tree, &model);
    CU_ASSERT_STRING_EQUAL(findings.text,
                           "e.yaml:1:2: the model has no parameter \"width\"\n"
                           "e.yaml:1:12: the model has no parameter \"clasess\"; did you mean \"classes\"?");
    CU_ASSERT_EQUAL(cvy_graph_create(model, NULL, &graph), CVY_ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(cvy_error_message(), "m.yaml:1:15: no parameter \"clases\"; did you mean \"$classes\"?\n"
                                                "m.yaml:5:12: no parameter \"clases\"; did you mean \"$classes\"?\n"
                                                "m.yaml:7:12: no parameter \"zzzzzzzz\"; declare it under parameters:");
    cvy_tree_destroy(&tree);
}

/* ---- findings ---- */

static const struct {
    const char *text, *loss, *message;
} bad[] = {
    {"input: [8, 8, 1]\nlayers: [cnov: {filters: 2, kernel: 3}]\n", NULL,
     "t.yaml:2:10: unknown layer \"cnov\"; did you mean \"conv\"?"},
    {"input: [8, 8, 1]\nlayers: [zzzzzzzzzz]\n", NULL,
     "t.yaml:2:10: unknown layer \"zzzzzzzzzz\"; convoy help layers lists them"},
    {"input: [8, 8, 1]\nlayers: [softmax_cross_entropy]\n", NULL,
     "t.yaml:2:10: \"softmax_cross_entropy\" is a loss, no layer; it stands in the experiment: train: {loss: "
     "softmax_cross_entropy}"}, /* a loss is no layer */
    {"input: [8, 8, 1]\nlayers: [dense: 4]\n", "softmax_cross_entropi",
     "loss.yaml:1:1: unknown loss \"softmax_cross_entropi\"; did you mean \"softmax_cross_entropy\"?"},
    {"input: [8, 8, 1]\nlayers:\n  - tanh: {x: 1}\n", NULL,
     "t.yaml:3:12: tanh1: unknown key \"x\"; it has no settings"},
    {"input: [8, 8, 1]\nlayers:\n  - conv: {filter: 2, kernel: 3}\n", NULL,
     "t.yaml:3:12: conv1: unknown key \"filter\"; did you mean \"filters\"?"},
    {"input: [8, 8, 1]\nlayers:\n  - conv: 3\n", NULL,
     "t.yaml:3:11: conv1: expected a map of settings: {filters: …, kernel: …, stride: …}"},
    {"input: [8, 8, 1]\nlayers:\n  - conv:\n", NULL,
     "t.yaml:3:5: conv1: \"filters\" is missing: how many feature maps come out\n"
     "t.yaml:3:5: conv1: \"kernel\" is missing: its height and width"},
    {"input: [8, 8, 1]\nlayers:\n  - conv: {filters: 0, kernel: 3}\n", NULL,
     "t.yaml:3:21: filters: 0 is out of range; from 1 to 1048576"},
    {"input: [8, 8, 1]\nlayers:\n  - maxpool: 0\n", NULL, "t.yaml:3:14: kernel: 0 is out of range; from 1 to 4096"},
    {"input: [8, 8, 1]\nlayers:\n  - maxpool: two\n", NULL,
     "t.yaml:3:14: kernel: expected a whole number or [height, width], found \"two\""},
    {"input: [8, 8, 1]\nlayers:\n  - maxpool: {kernel: [2, 2, 2]}\n", NULL,
     "t.yaml:3:23: kernel: expected a whole number or [height, width], found a list of 3"},
    {"input: [8, 8, 1]\nlayers:\n  - conv: {filters: 2, kernel: 3, name: first}\n", NULL,
     "t.yaml:3:35: conv1: name stands beside the settings, not among them: - {conv: {…}, name: …}"},
    {"input: [8, 8, 1]\nlayers:\n  - add: {inputs: [a, b]}\n", NULL,
     "t.yaml:3:11: add1: inputs stands beside the settings, not among them: - {add: {…}, inputs: …}"},
    {"input: [8, 8, 1]\nlayers:\n  - residual: {layers: [tanh], name: a}\n", NULL,
     "t.yaml:3:32: residual1: name stands beside the settings, not among them: - {residual: {…}, name: …}"},
    {"input: [8, 8, 1]\nlayers:\n  - {dense: 3, trainable: false}\n", NULL,
     "t.yaml:3:16: unknown key \"trainable\" beside a layer; did you mean \"frozen\"? (true: lr_factor 0, and running "
     "statistics stay as they are too)"},
    {"input: [8, 8, 1]\nlayers:\n  - {dense: 3, frozn: true}\n", NULL,
     "t.yaml:3:16: unknown key \"frozn\" beside a layer; did you mean \"frozen\"? (true: lr_factor 0, and running "
     "statistics stay as they are too)"},
    {"input: [8, 8, 1]\nlayers:\n  - dense: {units: 3, freeze: true}\n", NULL,
     "t.yaml:3:23: dense1: unknown key \"freeze\"; did you mean \"frozen\", beside the settings: - {dense: {…}, "
     "frozen: "
     "…}? (true: lr_factor 0, and running statistics stay as they are too)"},
    {"input: [8, 8, 1]\nlayers:\n  - activation: relu\n", NULL,
     "t.yaml:3:5: unknown layer \"activation\"; an activation is a layer by its own name, such as - relu"},
    {"input: [8, 8, 1]\nlayers:\n  - input: [8, 8, 1]\n", NULL,
     "t.yaml:3:5: unknown layer \"input\"; the input's size stands in the model, beside layers: input: [height, "
     "width, channels]"},
    {"input: [8, 8, 1]\nlayers:\n  - dense: \"3\"\n", NULL,
     "t.yaml:3:12: units: expected a whole number, found \"3\" in quotes, which is text"},
    {"input: [8, 8, 1]\nlayers:\n  - flatten: 3\n", NULL,
     "t.yaml:3:14: flatten1: has no settings, found \"3\"; leave it out"},
    {"input: [8, 8, 1]\nlayers:\n  - dropout: 1\n", NULL, "t.yaml:3:14: rate: 1 is out of range; from 0 to 0.999"},
    {"input: [8, 8, 1]\nlayers:\n  - dense: {units: 3, init: xavier}\n", NULL,
     "t.yaml:3:29: init: unknown initialiser \"xavier\"; did you mean \"xavier_uniform\"?"},
    {"input: [5, 6, 1]\nlayers:\n  - conv: {filters: 2, kernel: 7}\n", NULL,
     "t.yaml:3:5: conv1: a 7×7 kernel on a 5×6 input without padding; add padding, use a smaller kernel or drop the "
     "layer"},
    {"input: [24, 24]\nlayers:\n  - maxpool: 2\n  - dense: 3\n", NULL,
     "t.yaml:1:8: input: expected [height, width, channels], whole numbers from 1"},
    {"input: [2, 24, 20]\nlayers:\n  - maxpool: 4\n", NULL,
     "t.yaml:3:5: maxpool1: a 4×4 kernel on a 2×24 input without padding; add padding, use a smaller kernel or drop "
     "the "
     "layer\nt.yaml:1:8: input: 2 high and 24 wide with 20 channels, as it is [height, width, channels]; where "
     "channels "
     "are meant to be 2, write [24, 20, 2]"},
    {"input: [5, 9, 1]\nlayers:\n  - conv: {filters: 2, kernel: 3, dilation: 3, padding: [0, 1]}\n", NULL,
     "t.yaml:3:5: conv1: a 7×7 kernel on a 5×9 input; add padding, use a smaller kernel or drop the layer"},
    {"input: [5, 5, 1]\nlayers:\n  - conv: {filters: 2, kernel: 3, padding: some}\n", NULL,
     "t.yaml:3:44: conv1: padding: expected valid, same, a number, [height, width] or [top, bottom, left, right]; "
     "numbers from 0 to 1048576"},
    {"input: [5, 5, 1]\nlayers:\n  - conv: {filters: 2, kernel: 3, padding: [1, 2, 3]}\n", NULL,
     "t.yaml:3:44: conv1: padding: expected valid, same, a number, [height, width] or [top, bottom, left, right]; "
     "numbers from 0 to 1048576"},
    {"input: [5, 5, 1]\nlayers:\n  - maxpool: {kernel: 2, padding: 2}\n", NULL,
     "t.yaml:3:5: maxpool1: padding 2, 2 of an input of 5 for a kernel of 2: a window would lie outside the input"},
    {"input: [5, 1, 1]\nlayers:\n  - maxpool: {kernel: 2, stride: 1, dilation: 5, padding: [0, 3]}\n", NULL,
     "t.yaml:3:5: maxpool1: a 6×6 kernel on a 5×1 input; add padding, use a smaller kernel or drop the layer"},
    {"input: [9, 1, 1]\nlayers:\n  - maxpool: {kernel: 2, stride: 1, dilation: 5, padding: [0, 3]}\n", NULL,
     "t.yaml:3:5: maxpool1: padding 3, 3 of an input of 1 for a kernel of 6: a window would lie outside the input"},
    {"input: [8, 8, 1]\nlayers:\n  - {tanh: , relu: }\n", NULL,
     "t.yaml:3:5: a layer is one kind with its settings, as in {conv: {filters: 8, kernel: 3}}, and name and inputs if "
     "wanted; found tanh, relu"},
    {"input: [8, 8, 1]\nlayers:\n  - [tanh]\n", NULL,
     "t.yaml:3:5: a layer is one kind with its settings, as in {conv: {filters: 8, kernel: 3}}, and name and inputs if "
     "wanted; found a list"},
    {"input: [8, 8, 1]\nlayers:\n  - {tanh: , name: a}\n  - {relu: , name: a}\n", NULL,
     "t.yaml:4:5: a second layer is called \"a\"; give one of them another name"},
    {"input: [8, 8, 1]\nlayers:\n  - {relu: , name: tanh2}\n  - tanh\n  - tanh\n", NULL,
     "t.yaml:5:5: a second layer is called \"tanh2\"; give one of them another name"},
    {"input: [8, 8, 1]\nlayers:\n  - {relu: , name: input}\n", NULL,
     "t.yaml:3:5: a second layer is called \"input\"; give one of them another name"},
    {"input: [8, 8, 1]\nlayers:\n  - {relu: , name: a/b/}\n", NULL,
     "t.yaml:3:20: name: expected letters, digits, _, - and / between them, at most 95"},
    {"input: [8, 8, 1]\nlayers:\n  - tanh\n  - {relu: , inputs: [tanh2]}\n", NULL,
     "t.yaml:4:23: inputs: no layer \"tanh2\" above this one; did you mean \"tanh1\"?"},
    {"input: [8, 8, 1]\nlayers:\n  - {relu: , inputs: [relu1]}\n", NULL, "t.yaml:3:23: inputs: a cycle: relu1 → relu1"},
    {"input: [8, 8, 1]\nlayers:\n  - {tanh: , inputs: [late], name: early}\n  - {relu: , inputs: early}\n  - sigmoid\n"
     "  - {elu: , name: late}\n",
     NULL, "t.yaml:3:23: inputs: a cycle: early → relu1 → sigmoid1 → late → early"},
    {"input: [8, 8, 1]\nlayers:\n  - {add: , inputs: [input, r]}\n  - residual: {layers: [relu]}\n    name: r\n", NULL,
     "t.yaml:3:29: inputs: a cycle: add1 → r/add1 → add1"},
    {"input: [8, 8, 1]\nlayers:\n  - {add: , inputs: [input, side]}\n  - {relu: , inputs: input, name: side}\n"
     "  - {add: , inputs: [add1, side]}\n",
     NULL, "t.yaml:3:29: inputs: \"side\" stands below this layer; move it above"},
    {"input: [8, 8, 1]\nblocks: {b: {parameters: {}, layers: [{tanh: , inputs: nowhere}]}}\nlayers: [b: , repeat: "
     "{times: 9, layers: [b: ]}]\n",
     NULL, "t.yaml:2:56: inputs: no layer \"nowhere\" above this one"}, /* once */
    {"input: [8, 8, 1]\nlayers:\n  - tanh\n  - {relu: , inputs: [tanh1, input]}\n", NULL,
     "t.yaml:4:5: relu1: takes 1 input, 2 are named"},
    {"input: [8, 8, 1]\nlayers:\n  - tanh\n  - {relu: , inputs: input}\n", NULL,
     "t.yaml:3:5: tanh1: no layer uses its output; name it under inputs or drop it"},
    {"layers: [tanh]\n", NULL, "t.yaml:1:1: model: \"input\" is missing: [height, width, channels]"},
    {"inputs: [8, 8, 1]\nlayers: [tanh]\n", NULL, "t.yaml:1:1: model: unknown key \"inputs\"; did you mean \"input\"?"},
    {"input: [8, 8, 1]\nlayer: [tanh]\n", NULL, "t.yaml:2:1: model: unknown key \"layer\"; did you mean \"layers\"?"},
    {"input: [8, 8, 1]\nlayers: [{conv: {filters: 2, kernel: 3, activation: relu}}]\n", NULL,
     "t.yaml:2:41: conv1: an activation is a layer of its own; write it below: - relu"},
    {"input: [8, 8, 1]\nlayers: [{type: conv, filters: 2}]\n", NULL,
     "t.yaml:2:10: a layer is one kind with its settings, as in {conv: {filters: 8, kernel: 3}}, and name and inputs "
     "if wanted; found type, filters"},
    {"input: [8, 8]\nlayers: [tanh]\n", NULL,
     "t.yaml:1:8: input: expected [height, width, channels], whole numbers from 1"},
    {"input: [8, 0, 1]\nlayers: [tanh]\n", NULL,
     "t.yaml:1:8: input: expected [height, width, channels], whole numbers from 1"},
    {"input: [8, 8, 1]\n", NULL,
     "t.yaml:1:1: model: \"layers\" is missing: a list; see convoy help layers, groups and layer"},
    {"input: [8, 8, 1]\nnetz: [tanh]\n", NULL,
     "t.yaml:2:1: model: unknown key \"netz\"; it needs \"layers\" (a list; see convoy help layers, groups and layer)"},
    {"input: [8, 8, 1]\nlayers: []\n", NULL, "t.yaml:2:9: model: \"layers\" must be a list of at least one layer"},
    {"input: [8, 8, 1]\nlayres: [tanh]\nlayers: [tanh]\n", NULL,
     "t.yaml:2:1: model: unknown key \"layres\"; did you mean \"layers\"?"},
    {"[1, 2]\n", NULL, "t.yaml:1:1: model: expected a map with input and layers"},
    {"input: [1048576, 1048576, 4]\nlayers: [dense: 3]\n", NULL,
     "t.yaml:1:8: input: 1048576×1048576×4 is too large; at most 2147483647 values"},
    {"input: [1048576, 2047, 1]\nlayers:\n  - conv: {filters: 2, kernel: 1}\n", NULL,
     "t.yaml:3:5: conv1: an output of 1048576×2047×2 is too large; at most 2147483647 values"},
    {"input: [1024, 1024, 1024]\nlayers:\n  - dense: 16777216\n", NULL,
     "t.yaml:3:5: dense1: a weight of 18014398509481984 values is too large"},
    /* Several in one go: one line each, in the order of the file. */
    {"input: [8, 8, 1]\nlayers:\n  - conv: {filters: 2, kernel: 9}\n  - rellu\n  - maxpool: {kernel: x}\n"
     "  - {tanh: , inputs: nowhere}\n",
     NULL,
     "t.yaml:3:5: conv1: a 9×9 kernel on a 8×8 input without padding; add padding, use a smaller kernel or drop the "
     "layer\n"
     "t.yaml:4:5: unknown layer \"rellu\"; did you mean \"relu\"?\n"
     "t.yaml:5:23: kernel: expected a whole number or [height, width], found \"x\"\n"
     "t.yaml:6:22: inputs: no layer \"nowhere\" above this one"},
};

static void findings(void) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        CU_ASSERT_EQUAL(graph_from_text(bad[i].text, bad[i].loss, &tree, &graph), CVY_ERR_USAGE);
        bool as_told = strcmp(cvy_error_message(), bad[i].message) == 0;
        if (!as_told) fprintf(stderr, "\n    %s gave: %s", bad[i].text, cvy_error_message());
        CU_ASSERT(as_told && graph == NULL);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

static const struct test_case cases[] = {
    {"LeNet-5 as in 1998", lenet5},
    {"LeNet-5 with ReLU, its loss and fusion", lenet5_relu},
    {"axes, names, inputs by name", axes_and_names},
    {"which values want a gradient", gradients_wanted},
    {"the hash", hashes},
    {"$parameters", parameters},
    {"$parameters that are missing or unknown", parameter_findings},
    {"findings: place, words, all in one go", findings},
    {0},
};
const struct test_suite suite_graph = {"graph", cases, NULL};
