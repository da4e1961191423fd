/* A model with every default of its layers written out. It stays what it is: blocks, groups and parameters are kept. */
#include <string.h>

#include "core/tree/schema_fill.h"
#include "graph/model/expand_parts.h"
#include "graph/model/graph.h"
#include "ops/ops.h"

static cvy_status fill_layers(struct cvy_tree *tree, struct cvy_node **layers);

/* The lists of layers in a group's settings, and their defaults. */
static cvy_status fill_group(struct cvy_tree *tree, const struct cvy_structure *group, struct cvy_node *body) {
    static const char *const lists[] = {"layers", "shortcut", "after", "paths"};
    if (cvy_node_is_null(body) || body->kind != CVY_NODE_MAP) return CVY_OK;
    for (size_t i = 0; i < body->count; i++)
        for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
            if (strcmp(body->keys[i]->text, lists[k]) == 0) CVY_TRY(fill_layers(tree, &body->items[i]));
    return cvy_schema_fill(tree, group->keys, body);
}

/* The one default that depends on another setting: a convolution has a bias unless its weights are fixed. */
static cvy_status fill_bias(struct cvy_tree *tree, const struct cvy_node *word, struct cvy_node *body) {
    struct cvy_node *value;
    if (strcmp(word->text, "conv") != 0 || cvy_node_get(body, "bias") || cvy_node_get(body, "weights")) return CVY_OK;
    CVY_TRY(cvy_tree_scalar(tree, word, "true", &value));
    return cvy_node_set(tree, body, "bias", value);
}

static cvy_status fill_kind(struct cvy_tree *tree, const struct cvy_node *word, struct cvy_node **body) {
    struct cvy_listing kind;
    const struct cvy_structure *group = cvy_structure_find(word->text);
    if (group) return *body ? fill_group(tree, group, *body) : CVY_OK;
    if (*body && (*body)->kind == CVY_NODE_MAP) CVY_TRY(fill_bias(tree, word, *body));
    return cvy_listing_find(cvy_ops_list, word->text, &kind) ? cvy_schema_fill_body(tree, &kind, word, body) : CVY_OK;
}

static cvy_status fill_layer(struct cvy_tree *tree, struct cvy_node **layer) {
    struct cvy_node *node = *layer, *body = NULL;
    if (node->kind == CVY_NODE_SCALAR) {
        CVY_TRY(fill_kind(tree, node, &body));
        if (body == NULL) return CVY_OK;
        CVY_TRY(cvy_tree_node(tree, CVY_NODE_MAP, node, layer));
        return cvy_node_set(tree, *layer, node->text, body);
    }
    for (size_t i = 0; node->kind == CVY_NODE_MAP && i < node->count; i++) {
        if (cvy_layer_is_beside(node->keys[i]->text)) continue;
        body = node->items[i];
        CVY_TRY(fill_kind(tree, node->keys[i], &body));
        if (body) node->items[i] = body;
    }
    return CVY_OK;
}

/* A list of layers, of lists of them, or one layer. */
static cvy_status fill_layers(struct cvy_tree *tree, struct cvy_node **layers) {
    struct cvy_node *list = *layers;
    if (cvy_node_is_null(list)) return CVY_OK;
    if (list->kind != CVY_NODE_LIST) return fill_layer(tree, layers);
    for (size_t i = 0; i < list->count; i++) CVY_TRY(fill_layers(tree, &list->items[i]));
    return CVY_OK;
}

cvy_status cvy_model_fill(struct cvy_tree *tree, struct cvy_node *model) {
    struct cvy_node *layers = cvy_node_get(model, "layers"), *blocks = cvy_node_get(model, "blocks");
    if (layers) CVY_TRY(fill_layers(tree, &layers));
    if (layers) CVY_TRY(cvy_node_set(tree, model, "layers", layers));
    for (size_t i = 0; blocks && blocks->kind == CVY_NODE_MAP && i < blocks->count; i++) {
        struct cvy_node *inner = cvy_node_get(blocks->items[i], "layers");
        if (inner == NULL) continue;
        CVY_TRY(fill_layers(tree, &inner));
        CVY_TRY(cvy_node_set(tree, blocks->items[i], "layers", inner));
    }
    return CVY_OK;
}
