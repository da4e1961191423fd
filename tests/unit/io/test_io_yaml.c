/* io/yaml: places, errors with their places, limits, and that what is written reads back the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/file.h"
#include "io/yaml.h"
#include "test.h"

static cvy_status parse(struct cvy_tree *tree, const char *text, struct cvy_node **root) {
    return cvy_yaml_parse(tree, "t.yaml", text, strlen(text), root);
}

static void values_and_places(void) {
    struct cvy_tree *tree;
    struct cvy_node *root;
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(parse(tree,
                  "name: lenet5\n"
                  "train:\n"
                  "  batch: 256   # global\n"
                  "  list: [1, 'two', \"3\"]\n"
                  "none:\n",
                  &root));
    const struct cvy_node *batch = cvy_node_find(root, "train.batch"), *list = cvy_node_find(root, "train.list");
    CU_ASSERT_EQUAL(root->count, 3);
    CU_ASSERT_STRING_EQUAL(batch->text, "256");
    CU_ASSERT_STRING_EQUAL(batch->file, "t.yaml");
    CU_ASSERT(batch->line == 3 && batch->column == 10);
    CU_ASSERT(list->kind == CVY_NODE_LIST && list->count == 3 && list->line == 4 && list->column == 9);
    CU_ASSERT(!list->items[0]->quoted && list->items[1]->quoted && list->items[2]->quoted);
    CU_ASSERT(cvy_node_is_null(cvy_node_get(root, "none")));
    cvy_tree_destroy(&tree);
}

static void anchors_are_copied(void) {
    struct cvy_tree *tree;
    struct cvy_node *root;
    int64_t value;
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(parse(tree, "a: &x {k: 1}\nb: *x\nc: &x [2]\nd: *x\n", &root));
    struct cvy_node *a = cvy_node_get(root, "a"), *b = cvy_node_get(root, "b"), *d = cvy_node_get(root, "d");
    CU_ASSERT(a != b && d->kind == CVY_NODE_LIST);
    struct cvy_node *seven;
    TEST_OK(cvy_tree_scalar(tree, a, "7", &seven));
    TEST_OK(cvy_node_set(tree, b, "k", seven));
    CU_ASSERT(cvy_node_int(cvy_node_get(a, "k"), &value) && value == 1);
    CU_ASSERT(cvy_node_int(cvy_node_get(b, "k"), &value) && value == 7);
    cvy_tree_destroy(&tree);
}

/* A map's own keys come before merged ones, wherever << stands; an earlier map before a later; deep ones are copies. */
static void maps_are_merged(void) {
    static const struct {
        const char *text, *path, *value; /* NULL: it must not be there */
    } cases[] = {
        {"a: &a {k: 1, l: 2}\nm: {<<: *a, l: 3}\n", "m.k", "1"},
        {"a: &a {k: 1, l: 2}\nm: {<<: *a, l: 3}\n", "m.l", "3"},
        {"a: &a {k: 1, l: 2}\nm: {l: 3, <<: *a}\n", "m.l", "3"},
        {"a: &a {k: 1}\nm: {<<: *a}\n", "m.<<", NULL},
        {"a: &a {k: 1}\nb: &b {k: 2, l: 3}\nm: {<<: [*a, *b]}\n", "m.k", "1"},
        {"a: &a {k: 1}\nb: &b {k: 2, l: 3}\nm: {<<: [*b, *a]}\n", "m.k", "2"},
        {"a: &a {k: 1}\nb: &b {k: 2, l: 3}\nm: {<<: [*a, *b]}\n", "m.l", "3"},
        {"a: &a {k: 1}\nb: &b {<<: *a, l: 2}\nm:\n  <<: *b\n  n: {<<: *b, k: 7}\n", "m.k", "1"},
        {"a: &a {k: 1}\nb: &b {<<: *a, l: 2}\nm:\n  <<: *b\n  n: {<<: *b, k: 7}\n", "m.n.k", "7"},
        {"a: &a {k: 1}\nb: &b {<<: *a, l: 2}\nm:\n  <<: *b\n  n: {<<: *b, k: 7}\n", "m.n.l", "2"},
        {"a: &a {k: {x: 1, y: 2}}\nm: {<<: *a, k: {x: 3}}\n", "m.k.y", NULL}, /* not deep */
        {"m: {<<: {k: 1}, l: 2}\n", "m.k", "1"},
        {"m: {<<: [], l: 2}\n", "m.l", "2"},
        {"m: {\"<<\": 5}\n", "m.<<", "5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cvy_tree *tree;
        struct cvy_node *root;
        TEST_OK(cvy_tree_create(&tree));
        TEST_OK(parse(tree, cases[i].text, &root));
        const struct cvy_node *found = cvy_node_find(root, cases[i].path);
        bool good = cases[i].value ? found && strcmp(found->text, cases[i].value) == 0 : found == NULL;
        if (!good) fprintf(stderr, "\n    %s%s: %s\n", cases[i].text, cases[i].path, found ? found->text : "none");
        CU_ASSERT(good);
        cvy_tree_destroy(&tree);
    }
}

static void merged_keys_stand_where_they_were_merged(void) {
    static const char *const keys[] = {"first", "k", "l", "last"};
    struct cvy_tree *tree;
    struct cvy_node *root, *seven;
    int64_t value;
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(parse(tree, "a: &a {k: 1, l: {n: 2}}\nm: {first: 0, <<: *a, last: 9}\n", &root));
    const struct cvy_node *m = cvy_node_get(root, "m");
    CU_ASSERT_EQUAL_FATAL(m->count, 4);
    for (size_t i = 0; i < 4; i++) CU_ASSERT_STRING_EQUAL(m->keys[i]->text, keys[i]);
    TEST_OK(cvy_tree_scalar(tree, root, "7", &seven));
    TEST_OK(cvy_node_set(tree, cvy_node_get(m, "l"), "n", seven));
    CU_ASSERT(cvy_node_int(cvy_node_find(root, "a.l.n"), &value) && value == 2);
    cvy_tree_destroy(&tree);
}

/* Only in files, at the top: --set has no place for anchors. */
static void own_keys_hold_anchors(void) {
    static const char text[] = "x-base: &b {k: 1}\nm: {<<: *b, x-n: 2}\nx-more: 3\n";
    char path[600];
    struct cvy_tree *tree;
    struct cvy_node *root;
    snprintf(path, sizeof path, "%s/own.yaml", test_folder());
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){text, sizeof text - 1}, 1));
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(cvy_yaml_load(tree, path, &root));
    CU_ASSERT(root->count == 1 && cvy_node_find(root, "m.k") && cvy_node_find(root, "m.x-n"));
    cvy_tree_destroy(&tree);
}

static void errors_have_places(void) {
    static const struct {
        const char *text, *place, *what;
    } bad[] = {
        {"a: 1\n b: 2\n", "t.yaml:2:", "not YAML"},
        {"a:\n\tb: 2\n", "t.yaml:2:1: ", "a tab, where YAML takes blanks alone"},
        {"é: ü\nä:\n  b: \t@\n", "t.yaml:3:7: ", "not YAML"},
        {"a: \x89HDF\n", "t.yaml:1:", "is it the right file?"},
        {"a: [1, 2\nb: 3\n", "t.yaml:", "not YAML"},
        {"a: \"open\n", "t.yaml:", "not YAML"},
        {"\ta: 1\n", "t.yaml:1:1: ", "a tab"},
        {"a: \xff\xfe\n", "t.yaml:1:", "no UTF-8 text (byte 3: "},
        {"a: 1\n---\nb: 2\n", "t.yaml:2:1: ", "second document"},
        {"a: 1\nb: 2\na: 3\n", "t.yaml:3:1: ", "\"a\" is given twice, first on line 1"},
        {"a: *nowhere\n", "t.yaml:1:4: ", "there is no &nowhere"},
        {"a: &x [*x]\n", "t.yaml:1:8: ", "there is no &x"},
        {"? [1]\n: 2\n", "t.yaml:1:3: ", "a key must be a word"},
        {"a: !!int 3\n", "t.yaml:1:4: ", "tags"},
        {"a: \"x\\0y\"\n", "t.yaml:1:4: ", "zero byte"},
        {"a: &a 5\nm: {<<: *a}\n", "t.yaml:2:5: ", "<<: expected a map, or a list of maps"},
        {"m:\n  <<: text\n", "t.yaml:2:3: ", "<<: expected a map"},
        {"m:\n  <<:\n  k: 1\n", "t.yaml:2:3: ", "<<: expected a map"},
        {"a: &a {k: 1}\nm: {<<: [*a, 3]}\n", "t.yaml:2:5: ", "<<: expected a map"},
        {"a: &a {k: 1}\nm: {<<: [[*a]]}\n", "t.yaml:2:5: ", "<<: expected a map"},
        {"a: &a {k: 1}\nm: {<<: *a, <<: *a}\n", "t.yaml:2:13: ", "several maps are merged by <<: [*a, *b]"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cvy_tree *tree;
        struct cvy_node *root;
        TEST_OK(cvy_tree_create(&tree));
        CU_ASSERT_EQUAL(parse(tree, bad[i].text, &root), CVY_ERR_USAGE);
        bool good = strncmp(cvy_error_message(), bad[i].place, strlen(bad[i].place)) == 0 &&
                    strstr(cvy_error_message(), bad[i].what);
        if (!good) fprintf(stderr, "\n    %s gave: %s\n", bad[i].text, cvy_error_message());
        CU_ASSERT(good);
        cvy_tree_destroy(&tree);
    }
}

static void depth_and_size_are_limited(void) {
    char deep[600] = "", laughs[2000] = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
    struct cvy_tree *tree;
    struct cvy_node *root;
    TEST_OK(cvy_tree_create(&tree));
    memset(deep, '[', 300);
    CU_ASSERT_EQUAL(parse(tree, deep, &root), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "nested deeper") != NULL);
    for (int i = 1; i < 12; i++) {
        char line[128];
        snprintf(line, sizeof line, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        strcat(laughs, line);
    }
    CU_ASSERT_EQUAL(parse(tree, laughs, &root), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "more than") != NULL);
    cvy_tree_destroy(&tree);
}

static void empty_and_missing(void) {
    struct cvy_tree *tree;
    struct cvy_node *root;
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(parse(tree, "# nothing\n", &root));
    CU_ASSERT(cvy_node_is_null(root) && root->line == 1);
    TEST_OK(parse(tree, "", &root));
    CU_ASSERT(cvy_node_is_null(root));
    CU_ASSERT_EQUAL(cvy_yaml_load(tree, "/nonexistent/x.yaml", &root), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "/nonexistent/x.yaml: cannot be opened: No such file") != NULL);
    CU_ASSERT_EQUAL(cvy_yaml_load(tree, "/", &root), CVY_ERR_USAGE);
    cvy_tree_destroy(&tree);
}

static bool same(const struct cvy_node *a, const struct cvy_node *b) {
    if (a->kind != b->kind || a->count != b->count || a->quoted != b->quoted) return false;
    if (cvy_node_is_null(a) != cvy_node_is_null(b)) return false;
    if (!cvy_node_is_null(a) && strcmp(a->text, b->text) != 0) return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->kind == CVY_NODE_MAP && strcmp(a->keys[i]->text, b->keys[i]->text) != 0) return false;
        if (!same(a->items[i], b->items[i])) return false;
    }
    return true;
}

/* Random trees of awkward texts, as code (not a file) may make them. */
static struct cvy_node *random_tree(struct cvy_tree *tree, unsigned *state, int depth) {
    static const char *const texts[] = {
        "1",         "true",
        "a b",       "~",
        "null",      "x: y",
        "- z",       "#c",
        "",          "é∑",
        "line\nend", " lead",
        "'q'",       "\"d\"",
        "0x1F",      "{",
        "]",         "*a",
        "&b",        "!t",
        "5.0e-4",    "-",
        "a: #b",     "tail ",
        "\t",        "%p",
        "@",         "long text that goes on and on, well beyond what fits into one short flow list"};
    struct cvy_node place = {.file = "r", .line = 1, .column = 1}, *node;
    unsigned pick = (*state = *state * 1664525u + 1013904223u) >> 16;
    if (depth == 0 || pick % 3 == 0) {
        const char *text = texts[(pick >> 2) % (sizeof texts / sizeof *texts)];
        cvy_tree_scalar(tree, &place, text, &node);
        node->quoted = (pick >> 9) % 2 || strpbrk(text, ":#-{]*&!%@ '\"\n\t") != NULL;
        return node;
    }
    enum cvy_node_kind kind = pick % 3 == 1 ? CVY_NODE_LIST : CVY_NODE_MAP;
    cvy_tree_node(tree, kind, &place, &node);
    for (unsigned i = 0, n = (pick >> 4) % 5; i < n; i++) {
        char name[24];
        struct cvy_node *key = NULL;
        snprintf(name, sizeof name, i % 2 ? "key %u" : "k%u", i);
        if (kind == CVY_NODE_MAP) cvy_tree_scalar(tree, &place, name, &key);
        cvy_node_append(tree, node, key, random_tree(tree, state, depth - 1));
    }
    return node;
}

static void round_trip(void) {
    unsigned state = 7;
    for (int i = 0; i < 300; i++) {
        struct cvy_tree *tree;
        struct cvy_node *back;
        struct cvy_buf out = {0};
        TEST_OK(cvy_tree_create(&tree));
        struct cvy_node *root = random_tree(tree, &state, 4);
        TEST_OK(cvy_yaml_emit(root, &out));
        cvy_status status = parse(tree, cvy_buf_text(&out), &back);
        if (status != CVY_OK || !same(root, back)) fprintf(stderr, "\n%s\n", cvy_buf_text(&out));
        TEST_OK(status);
        CU_ASSERT(status == CVY_OK && same(root, back));
        cvy_buf_destroy(&out);
        cvy_tree_destroy(&tree);
    }
}

static void style(void) {
    const char *text = "name: \"12\"\n"
                       "data:\n"
                       "  augment: [{pad_crop: 2}, flip]\n"
                       "model:\n"
                       "  input: [28, 28, 1]\n"
                       "  layers:\n"
                       "  - conv: {filters: 6, kernel: 5, padding: same}\n"
                       "  - tanh\n"
                       "  - residual:\n"
                       "    - conv: {filters: 6, kernel: 5, padding: same}\n";
    struct cvy_tree *tree;
    struct cvy_node *root;
    struct cvy_buf out = {0};
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(parse(tree, text, &root));
    TEST_OK(cvy_yaml_emit(root, &out));
    CU_ASSERT_STRING_EQUAL(cvy_buf_text(&out), text);
    cvy_buf_destroy(&out);
    cvy_tree_destroy(&tree);
}

static const struct test_case cases[] = {
    {"values and their places", values_and_places},
    {"anchors are copied", anchors_are_copied},
    {"maps are merged by their order of precedence", maps_are_merged},
    {"merged keys stand where they were merged, as copies", merged_keys_stand_where_they_were_merged},
    {"a file's own keys hold anchors", own_keys_hold_anchors},
    {"each error has its place", errors_have_places},
    {"depth and size are limited", depth_and_size_are_limited},
    {"empty and missing files", empty_and_missing},
    {"what is written reads back the same", round_trip},
    {"short lists and maps go on one line", style},
    {0},
};
const struct test_suite suite_io_yaml = {"io_yaml", cases, NULL};
