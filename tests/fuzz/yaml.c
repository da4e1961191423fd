/* YAML text: what is read and written reads back as the same values. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "io/yaml.h"

/* What quotes would change. Other plain text may come back in quotes, where it cannot be plain in its new place. */
static int is_word(const struct cvy_node *node) {
    int64_t whole;
    double real;
    bool truth;
    return cvy_node_is_null(node) || cvy_node_int(node, &whole) || cvy_node_real(node, &real) ||
           cvy_node_bool(node, &truth);
}

static void expect_same(const struct cvy_node *a, const struct cvy_node *b) {
    const char *nothing = a->kind == CVY_NODE_SCALAR && !a->quoted && a->text[0] == '\0' ? "null" : a->text;
    fuzz_expect(a->kind == b->kind);
    if (a->kind == CVY_NODE_SCALAR) {
        fuzz_expect(strcmp(nothing, b->text) == 0);
        fuzz_expect(a->quoted == b->quoted || (b->quoted && !is_word(a)));
        return;
    }
    fuzz_expect(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        if (a->kind == CVY_NODE_MAP) expect_same(a->keys[i], b->keys[i]);
        expect_same(a->items[i], b->items[i]);
    }
}

static void read_again(struct cvy_tree *tree, const struct cvy_node *root) {
    struct cvy_buf text = {0};
    struct cvy_node *again;
    fuzz_expect(cvy_yaml_emit(root, &text) == CVY_OK);
    fuzz_expect(cvy_yaml_parse(tree, "again", text.data, text.size, &again) == CVY_OK);
    expect_same(root, again);
    cvy_buf_destroy(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cvy_tree *tree;
    struct cvy_node *root;
    if (cvy_tree_create(&tree) != CVY_OK) return 0;
    if (cvy_yaml_parse(tree, "fuzz", (const char *)data, size, &root) == CVY_OK) read_again(tree, root);
    cvy_tree_destroy(&tree);
    return fuzz_done();
}
