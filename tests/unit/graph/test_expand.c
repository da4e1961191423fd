/* expand: blocks, repetition, residuals, branches and heads amount to the plain layers that one would write by hand;
 * names, scopes, arithmetic; every finding with its place. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "graph/model/expand.h"
#include "unit/graph/graph_help.h"
#include "io/yaml.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

/* ---- the same as written by hand ---- */

/* "name<inputs" of every layer, joined by blanks. */
static void check_layers(const char *text, const char *expected) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    char found[4096] = "";
    TEST_OK(graph_from_text(text, NULL, &tree, &graph));
    for (int i = 0; graph && i < graph->node_count; i++) {
        const struct cvy_graph_node *node = &graph->nodes[i];
        size_t used = strlen(found);
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%s", i ? " " : "", node->name);
        for (int k = 0; k < node->op.inputs; k++) {
            int producer = graph->values[node->inputs[k]].producer;
            if (k == 0 && producer == i - 1 && node->op.inputs == 1) continue; /* the one above */
            used += (size_t)snprintf(found + used, sizeof found - used, "%c%s", k ? ',' : '<',
                                     producer < 0 ? "input" : graph->nodes[producer].name);
        }
    }
    if (strcmp(found, expected) != 0) fprintf(stderr, "\n    %s\n    gave: %s\n", text, found);
    CU_ASSERT_STRING_EQUAL(found, expected);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

#define HEAD "input: [8, 8, 4]\n"

static void groups(void) {
    check_layers(HEAD "layers: [tanh, residual: {layers: [relu, tanh], after: relu}, tanh]\n",
                 "tanh1 relu1 tanh2 add1<tanh2,tanh1 relu2 tanh3");
    check_layers(HEAD "layers: [residual: {layers: [relu], shortcut: [tanh]}]\n", "relu1 tanh1<input add1<relu1,tanh1");
    check_layers(HEAD "layers: [tanh, branch: {paths: [[relu], [], [sigmoid, tanh]], join: add}, relu]\n",
                 "tanh1 relu1 sigmoid1<tanh1 tanh2 add1<relu1,tanh1,tanh2 relu2");
    check_layers(HEAD "layers: [repeat: {times: 2, layers: [tanh, repeat: {times: 2, layers: [relu]}]}]\n",
                 "tanh1 relu1 relu2 tanh2 relu3 relu4");
    check_layers(HEAD "layers: [relu, repeat: {times: 0, layers: [tanh]}, relu]\n", "relu1 relu2");
    /* A name makes a scope. */
    check_layers(HEAD "layers: [{repeat: {times: 2, layers: [tanh]}, name: a}, {repeat: {times: 1, layers: [tanh]}, "
                      "name: b}]\n",
                 "a/tanh1 a/tanh2 b/tanh1");
    /* A group's name and its number are its last layer; a group may name its input. */
    check_layers(HEAD "layers: [relu, residual: {layers: [tanh]}, relu, {residual: {layers: [tanh]}, name: r, inputs: "
                      "relu1}, {add: , inputs: [residual1, r]}, {add: , inputs: [input, r/tanh1]}, {add: , inputs: "
                      "[relu2, add2]}, {add: , inputs: [add3, add4]}]\n",
                 "relu1 tanh1 add1<tanh1,relu1 relu2 r/tanh1<relu1 r/add1<r/tanh1,relu1 add2<add1,r/add1 "
                 "add3<input,r/tanh1 add4<relu2,add2 add5<add3,add4");
}

static void blocks(void) {
    /* Parameters, defaults that use others, a single value for the first one, blocks in blocks. */
    check_layers("input: [8, 8, 4]\n"
                 "blocks:\n"
                 "  unit:\n"
                 "    parameters: {kind: null, times: 1, also: $(times - 1)}\n"
                 "    layers: [repeat: {times: $times, layers: [$kind]}, {sigmoid: , when: $also}]\n"
                 "  pair:\n"
                 "    parameters: {last: []}\n"
                 "    layers: [unit: tanh, unit: {kind: relu, times: 2}, branch: {paths: [$last, []], join: add}]\n"
                 "layers: [pair, tanh, pair: {last: [tanh, unit: relu]}, {unit: tanh, name: end}]\n",
                 "pair1/unit1/tanh1 pair1/unit2/relu1 pair1/unit2/relu2 pair1/unit2/sigmoid1 "
                 "pair1/add1<pair1/unit2/sigmoid1,pair1/unit2/sigmoid1 "
                 "tanh1 pair2/unit1/tanh1 pair2/unit2/relu1 pair2/unit2/relu2 pair2/unit2/sigmoid1 pair2/tanh1 "
                 "pair2/unit3/relu1 pair2/add1<pair2/unit3/relu1,pair2/unit2/sigmoid1 end/tanh1");
    /* Names are looked for in the innermost scope first; `input` is the block's. */
    check_layers("input: [8, 8, 4]\n"
                 "blocks:\n"
                 "  dense_layer: {layers: [relu, {tanh: , name: x}, {add: , inputs: [input, x]}]}\n"
                 "  outer: {layers: [dense_layer, {add: , inputs: [dense_layer1/x, x, dense_layer1]}]}\n"
                 "layers: [{tanh: , name: x}, dense_layer, outer, {add: , inputs: [x, outer1]}]\n",
                 "x dense_layer1/relu1 dense_layer1/x dense_layer1/add1<x,dense_layer1/x "
                 "outer1/dense_layer1/relu1 outer1/dense_layer1/x "
                 "outer1/dense_layer1/add1<dense_layer1/add1,outer1/dense_layer1/x "
                 "outer1/add1<outer1/dense_layer1/x,x,outer1/dense_layer1/add1 add1<x,outer1/add1");
    /* The model's parameters are seen in a block, and hidden by the block's. */
    check_layers("input: [8, 8, 4]\nparameters: {n: 2, m: 1}\n"
                 "blocks: {b: {parameters: {n: 1}, layers: [repeat: {times: $(n + m), layers: [tanh]}]}}\n"
                 "layers: [b: {n: 0}, b: $n, b]\n",
                 "b1/tanh1 b2/tanh1 b2/tanh2 b2/tanh3 b3/tanh1 b3/tanh2");
}

static void by_hand(void) {
    uint64_t short_form = graph_hash_of(
        "input: [8, 8, 3]\n"
        "parameters: {classes: 5}\n"
        "blocks:\n"
        "  basic:\n"
        "    parameters: {filters: null, stride: 1}\n"
        "    layers:\n"
        "      - residual:\n"
        "          layers:\n"
        "            - conv: {filters: $filters, kernel: 3, stride: $stride, padding: same}\n"
        "            - relu\n"
        "            - conv: {filters: $filters, kernel: 3, padding: same}\n"
        "          shortcut: [{conv: {filters: $filters, kernel: 1, stride: $stride}, when: $(stride != 1)}]\n"
        "          after: relu\n"
        "layers:\n"
        "  - conv: {filters: 4, kernel: 3, padding: same}\n"
        "  - repeat: {times: 2, layers: [basic: 4]}\n"
        "  - basic: {filters: $(2 * 4), stride: 2}\n"
        "  - aux: {weight: 0.3, layers: [dense: $classes]}\n"
        "  - dense: $classes\n");
    uint64_t long_form =
        graph_hash_of("input: [8, 8, 3]\n"
                      "layers:\n"
                      "  - {conv: {filters: 4, kernel: 3, padding: same}, name: conv1}\n"
                      "  - {conv: {filters: 4, kernel: 3, padding: same}, name: basic1/conv1}\n"
                      "  - {relu: , name: basic1/relu1}\n"
                      "  - {conv: {filters: 4, kernel: 3, padding: same}, name: basic1/conv2}\n"
                      "  - {add: , name: basic1/add1, inputs: [basic1/conv2, conv1]}\n"
                      "  - {relu: , name: basic1/relu2}\n"
                      "  - {conv: {filters: 4, kernel: 3, padding: same}, name: basic2/conv1}\n"
                      "  - {relu: , name: basic2/relu1}\n"
                      "  - {conv: {filters: 4, kernel: 3, padding: same}, name: basic2/conv2}\n"
                      "  - {add: , name: basic2/add1, inputs: [basic2/conv2, basic1/relu2]}\n"
                      "  - {relu: , name: basic2/relu2}\n"
                      "  - {conv: {filters: 8, kernel: 3, stride: 2, padding: same}, name: basic3/conv1}\n"
                      "  - {relu: , name: basic3/relu1}\n"
                      "  - {conv: {filters: 8, kernel: 3, padding: same}, name: basic3/conv2}\n"
                      "  - {conv: {filters: 8, kernel: 1, stride: 2}, name: basic3/conv3, inputs: basic2/relu2}\n"
                      "  - {add: , name: basic3/add1, inputs: [basic3/conv2, basic3/conv3]}\n"
                      "  - {relu: , name: basic3/relu2}\n"
                      "  - {dense: 5, name: aux1/dense1, loss_weight: 0.3}\n"
                      "  - {dense: 5, name: dense1, inputs: basic3/relu2}\n");
    CU_ASSERT_EQUAL(short_form, long_form);
    CU_ASSERT_NOT_EQUAL(short_form, 0);
}

/* ---- arithmetic ---- */

static void arithmetic(void) {
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"1", 1},
                {"a", 7},
                {"1 + 2 * 3", 7},
                {"(1 + 2) * 3", 9},
                {"10 - 3 - 2", 5},
                {"100 // 7 // 2", 7},
                {"-a // 2", -4},
                {"-7 % 4", 1},
                {"a%4*-1", -3},
                {"--a", 7},
                {"  ( a )  ", 7},
                {"a == 7", 1},
                {"a != 7", 0},
                {"a + 1 <= 7", 0},
                {"6 >= a - 1", 1},
                {"a < b", 0},
                {"a > b", 1},
                {"yes * 3", 3},
                {"(a > b) + (a < b)", 1},
                {"(-9223372036854775807 - 1) // 1", INT64_MIN},
                {"(0 - 9223372036854775807 - 1) % -1", 0}};
    static const struct {
        const char *text, *message;
    } bad[] = {{"", "it ends too early"},
               {"1 +", "it ends too early"},
               {"1 2", "an operator is expected: + - * // % or a comparison"},
               {"(1", "a ) is missing"},
               {"1)", "an operator is expected: + - * // % or a comparison"},
               {"1 / 2", "whole numbers divide by //"},
               {"2.5 * 2", "whole numbers only"},
               {"2x", "whole numbers only"},
               {"1 // 0", "division by zero"},
               {"1 % (a - 7)", "division by zero"},
               {"& 1", "a number, a name or ( is expected"},
               {"9223372036854775807 + 1", "the result is too large"},
               {"9223372036854775808", "the result is too large"},
               {"-9223372036854775807 - 2", "the result is too large"},
               {"-(-9223372036854775807 - 1)", "the result is too large"},
               {"(-9223372036854775807 - 1) // -1", "the result is too large"},
               {"4611686018427387904 * 2", "the result is too large"},
               {"word + 1", "\"word\" is \"some text\", not a whole number"},
               {"list + 1", "\"list\" is a list or map, not a whole number"},
               {"((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))", "nested too deep"}};
    static const char values[] = "{a: 7, b: -2, yes: true, word: some text, list: [1]}";
    struct cvy_tree *tree;
    struct cvy_node *map;
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(cvy_yaml_parse(tree, "v.yaml", values, strlen(values), &map));
    const struct cvy_names names = {NULL, &(const struct cvy_names){map, NULL}};
    int64_t value;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct cvy_findings findings = {0};
        CU_ASSERT(cvy_formula(good[i].text, map, &names, &value, &findings) && findings.count == 0);
        if (value != good[i].value) fprintf(stderr, "\n    %s gave %lld\n", good[i].text, (long long)value);
        CU_ASSERT_EQUAL(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cvy_findings findings = {0};
        char message[256];
        snprintf(message, sizeof message, "v.yaml:1:1: $(%s): %s", bad[i].text, bad[i].message);
        CU_ASSERT(!cvy_formula(bad[i].text, map, &names, &value, &findings) && findings.count == 1);
        CU_ASSERT_STRING_EQUAL(findings.text, message);
    }
    struct cvy_findings findings = {0};
    CU_ASSERT(!cvy_formula("2 * wordd + zzzzz", map, &names, &value, &findings));
    CU_ASSERT_STRING_EQUAL(findings.text, "v.yaml:1:1: no parameter \"wordd\"; did you mean \"$word\"?");
    cvy_tree_destroy(&tree);
}

/* ---- findings ---- */

static void check_message(const char *text, const char *message) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    CU_ASSERT_EQUAL(graph_from_text(text, NULL, &tree, &graph), CVY_ERR_USAGE);
    if (strcmp(cvy_error_message(), message) != 0) fprintf(stderr, "\n    %s gave: %s\n", text, cvy_error_message());
    CU_ASSERT(strcmp(cvy_error_message(), message) == 0 && graph == NULL);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static void findings(void) {
    static const struct {
        const char *text, *message;
    } bad[] = {
        {HEAD "layers:\n  - residul: {layers: [tanh]}\n",
         "t.yaml:3:5: unknown layer \"residul\"; did you mean \"residual\"?"},
        {HEAD "blocks:\n  bottleneck: {layers: [tanh]}\nlayers: [botleneck]\n",
         "t.yaml:4:10: unknown layer \"botleneck\"; did you mean \"bottleneck\"?"},
        {HEAD "layers:\n  - residual: {layer: [tanh]}\n",
         "t.yaml:3:16: residual1: unknown key \"layer\"; did you mean \"layers\"?"},
        {HEAD "layers:\n  - branch: {paths: [[tanh]]}\n",
         "t.yaml:3:21: branch1: \"paths\" must be a list of at least two lists"},
        {HEAD "layers:\n  - branch: {paths: [[tanh], [relu]], join: sum}\n",
         "t.yaml:3:45: join: \"sum\" is no layer that takes several inputs; did you mean \"add\"?"},
        {HEAD "layers:\n  - branch: {paths: [[tanh], [relu]], join: ad}\n",
         "t.yaml:3:45: join: \"ad\" is no layer that takes several inputs; did you mean \"add\"?"},
        {HEAD "layers:\n  - branch: {paths: [[tanh], [relu]], join: relu}\n",
         "t.yaml:3:45: join: \"relu\" is no layer that takes several inputs"},
        {HEAD "layers:\n  - repeat: {times: -1, layers: [tanh]}\n",
         "t.yaml:3:21: times: -1 is out of range; from 0 to 100000"},
        {HEAD "layers:\n  - repeat: {times: 5, layers: [conv: {filters: 2, kernel: 9}]}\n",
         "t.yaml:3:33: conv1: a 9×9 kernel on a 8×8 input without padding; add padding, use a smaller kernel or drop "
         "the layer"},
        {HEAD "layers:\n  - {tanh: , when: perhaps}\n",
         "t.yaml:3:20: when: expected true, false or a comparison as in $(stride != 1)"},
        {HEAD "layers:\n  - tanh\n  - {residual: {layers: [relu]}, inputs: [tanh1, input]}\n",
         "t.yaml:4:42: inputs: residual takes one input"},
        {HEAD "layers:\n  - residual: {layers: [{tanh: , name: x}], shortcut: [{relu: , name: x}]}\n",
         "t.yaml:3:56: a second layer is called \"x\"; give one of them another name"},
        {HEAD "layers:\n  - {tanh: , name: residual1}\n  - residual: {layers: [relu]}\n",
         "t.yaml:4:5: a second layer is called \"residual1\"; give one of them another name"},
        /* Arguments. */
        {HEAD "blocks:\n  b:\n    parameters: {filters: null, stride: 1}\n    layers: [tanh]\nlayers:\n  - b\n  - b: "
              "{filter: 3}\n",
         "t.yaml:7:5: b1: \"filters\" is missing\n"
         "t.yaml:8:9: b2: the block has no parameter \"filter\"; did you mean \"filters\"?"},
        {HEAD "blocks: {b: {layers: [tanh]}}\nlayers:\n  - b: 3\n  - b: {x: 3}\n",
         "t.yaml:4:8: b1: the block has no parameters\nt.yaml:5:9: b2: the block has no parameter \"x\""},
        {HEAD "parameters: {classes: null}\nlayers: [dense: $classes]\n",
         "t.yaml:2:14: the model's parameter \"classes\" must be given"},
        {HEAD "layers:\n  - dense: $(4\n", "t.yaml:3:12: \"$(4\": expected $(…), at most 256 characters, with its ) at "
                                           "the end"},
        /* What is wrong inside a block is told of its first use, at its place in the block. */
        {HEAD "blocks:\n  b:\n    parameters: {kernel: 3}\n    layers:\n      - conv: {filters: 2, kernel: $kernel}\n"
              "layers:\n  - b\n  - b: 9\n  - repeat: {times: 3, layers: [b: {kernel: 11}]}\n",
         "t.yaml:6:9: b2/conv1: a 9×9 kernel on a 6×6 input without padding; add padding, use a smaller kernel or drop "
         "the layer"},
        {HEAD "blocks:\n  b:\n    parameters: {n: 1}\n    layers:\n      - dense: $(n * m)\nlayers: [b, b, b]\n",
         "t.yaml:6:16: no parameter \"m\"; declare it under parameters:"},
        {HEAD "blocks:\n  b: {layers: [{tanh: , inputs: [there]}]}\nlayers: [{relu: , name: here}, b]\n",
         "t.yaml:3:34: inputs: no layer \"there\" above this one; did you mean \"here\"?"},
        /* Definitions. */
        {HEAD "blocks: {conv: {layers: [tanh]}}\nlayers: [tanh]\n",
         "t.yaml:2:10: blocks: there is a layer \"conv\" already; choose another name"},
        {HEAD "blocks: {a/b: {layers: [tanh]}}\nlayers: [tanh]\n",
         "t.yaml:2:10: blocks: a name has letters, digits, _ and -, at most 64"},
        {HEAD "blocks: {b: {layer: [tanh], layers: []}}\nlayers: [tanh]\n",
         "t.yaml:2:14: block b: unknown key \"layer\"; did you mean \"layers\"?\n"
         "t.yaml:2:37: block b: \"layers\" must be a list of at least one layer"},
        {HEAD "blocks: {b: {xyz: [tanh]}}\nlayers: [tanh]\n",
         "t.yaml:2:14: block b: unknown key \"xyz\"; it needs \"layers\" (a list of at least one layer)"},
        {HEAD "blocks: {b: {parameters: {filters: null, stride: null}, layers: [tanh]}}\nlayers: [b: {xyz: 3}]\n",
         "t.yaml:3:14: b1: the block has no parameter \"xyz\"; did you mean \"filters\"?"},
        {HEAD "blocks: {b: {parameters: {filters: null, stride: null}, layers: [tanh]}}\nlayers: [b: {filter: 3}]\n",
         "t.yaml:3:14: b1: the block has no parameter \"filter\"; did you mean \"filters\"?\n"
         "t.yaml:3:10: b1: \"stride\" is missing"},
        {HEAD "layers: [residual: {boddy: [tanh]}]\n",
         "t.yaml:2:21: residual1: unknown key \"boddy\"; it needs \"layers\" (the way round the shortcut)"},
        {HEAD "layers: [residual: {body: [tanh]}]\n",
         "t.yaml:2:21: residual1: unknown key \"body\"; did you mean \"layers\"?"},
        {HEAD "layers: [repeat: {n: 2, layer: [tanh]}]\n",
         "t.yaml:2:19: repeat1: unknown key \"n\"; it needs \"times\" (how often)\n"
         "t.yaml:2:25: repeat1: unknown key \"layer\"; did you mean \"layers\"?"},
        {HEAD "blocks: [b]\nlayers: [tanh]\n", "t.yaml:2:9: model: \"blocks\" must be a map of names and blocks"},
        {HEAD "parameters: [b]\nlayers: [tanh]\n",
         "t.yaml:2:13: model: \"parameters\" must be a map of names and defaults"},
        /* Recursion. */
        {HEAD "blocks: {a: {layers: [a]}}\nlayers: [a]\n", "t.yaml:2:23: a block cannot use itself: a → a"},
        {HEAD "blocks:\n  a: {layers: [tanh, b]}\n  b: {layers: [residual: {layers: [c]}]}\n  c: {layers: [a]}\n"
              "layers: [relu, b, b]\n",
         "t.yaml:3:22: a block cannot use itself: b → c → a → b"},
        /* Heads. */
        {HEAD "layers:\n  - tanh\n  - aux: {weight: 0.3, layers: []}\n",
         "t.yaml:4:5: aux1: a head of at least one layer is needed"},
        {HEAD "layers:\n  - tanh\n  - aux: {weight: none, layers: [dense: 3]}\n",
         "t.yaml:4:19: loss_weight: expected a weight above 0, at most 1e6"},
        {HEAD "layers:\n  - {tanh: , loss_weight: -1}\n",
         "t.yaml:3:27: loss_weight: expected a weight above 0, at most 1e6"},
        {HEAD "layers:\n  - {residual: {layers: [tanh]}, loss_weight: 1}\n",
         "t.yaml:3:47: loss_weight belongs beside a layer; residual1 is none"},
        {HEAD "layers:\n  - {tanh: , loss_weight: 1}\n",
         "t.yaml:3:6: tanh1: the network ends in a head; its own scores must come last"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check_message(bad[i].text, bad[i].message);
}

/* ---- limits ---- */

static char *text_of(const char *start, const char *each, int count, const char *middle, const char *end_each,
                     const char *end) {
    size_t size =
        strlen(start) + (strlen(each) + strlen(end_each) + 16) * (size_t)count + strlen(middle) + strlen(end) + 1;
    char *text = malloc(size), *at = text;
    at += sprintf(at, "%s", start);
    for (int i = 0; i < count; i++) at += sprintf(at, each, i, i + 1);
    at += sprintf(at, "%s", middle);
    for (int i = 0; i < count; i++) at += sprintf(at, "%s", end_each);
    sprintf(at, "%s", end);
    return text;
}

/* Blocks inside one another, layers written out, values copied: each has its limit and says so. */
static void limits(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    char *text =
        text_of(HEAD "blocks:\n", "  b%d: {layers: [b%d]}\n", 63, "  b63: {layers: [tanh]}\nlayers: [b0]\n", "", "");
    CU_ASSERT_EQUAL(graph_from_text(text, NULL, &tree, &graph), CVY_ERR_USAGE); /* 64 deep, but the name is too long */
    CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), "has more than 95 characters; give its blocks shorter names"));
    cvy_tree_destroy(&tree);
    free(text);
    text = text_of(HEAD "layers:\n", "", 0, "", "",
                   "  - repeat: {times: 100000, layers: [repeat: {times: 100000, layers: []}]}\n  - tanh\n");
    check_message(text, "t.yaml:3:38: more than 100000 layers when written out");
    free(text);
    /* Every level doubles its argument: 2^30 layers if there were no limit. */
    text = text_of(
        HEAD "blocks:\n",
        "  b%d: {parameters: {x: null}, layers: [b%d: {x: [{residual: {layers: $x}}, {residual: {layers: $x}}]}]}\n",
        30, "  b30: {parameters: {x: null}, layers: $x}\nlayers: [b0: {x: [tanh]}]\n", "", "");
    CU_ASSERT_EQUAL(graph_from_text(text, NULL, &tree, &graph), CVY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), "too large when written out"));
    cvy_tree_destroy(&tree);
    free(text);
}

static const struct test_case cases[] = {
    {"residual, branch, repeat", groups},
    {"blocks, parameters and scopes", blocks},
    {"the same graph as written by hand", by_hand},
    {"arithmetic", arithmetic},
    {"findings", findings},
    {"limits", limits},
    {0},
};
const struct test_suite suite_expand = {"expand", cases, NULL};
