#include "core/tree/schema_fill.h"

/* A parameter of a model: what it stands for is not known here. */
static bool is_parameter(const struct cvy_node *node) {
    return node->kind == CVY_NODE_SCALAR && !node->quoted && node->text[0] == '$';
}

static cvy_status fill_key(struct cvy_tree *tree, const struct cvy_key *key, struct cvy_node *map) {
    struct cvy_node *value = cvy_node_get(map, key->name), *before = value;
    if (cvy_node_is_null(value)) {
        if (key->fallback == NULL || key->fallback[0] == '\0') return CVY_OK;
        CVY_TRY(cvy_tree_scalar(tree, map, key->fallback, &value));
    }
    if (key->type == CVY_KEY_INIT) CVY_TRY(cvy_schema_fill_variant(tree, cvy_inits_list, &value));
    return value == before ? CVY_OK : cvy_node_set(tree, map, key->name, value);
}

cvy_status cvy_schema_fill(struct cvy_tree *tree, const struct cvy_key *keys, struct cvy_node *map) {
    for (const struct cvy_key *k = keys; k && k->name; k++) CVY_TRY(fill_key(tree, k, map));
    return CVY_OK;
}

cvy_status cvy_schema_fill_body(struct cvy_tree *tree, const struct cvy_listing *kind, const struct cvy_node *place,
                                struct cvy_node **body) {
    struct cvy_node *map = *body;
    if (map && is_parameter(map)) return CVY_OK;
    if (cvy_node_is_null(map) || map->kind != CVY_NODE_MAP) {
        struct cvy_node *value = map;
        if (!cvy_node_is_null(value) && kind->shorthand == NULL) return CVY_OK;
        CVY_TRY(cvy_tree_node(tree, CVY_NODE_MAP, value ? value : place, &map));
        if (!cvy_node_is_null(value)) CVY_TRY(cvy_node_set(tree, map, kind->shorthand, value));
    }
    CVY_TRY(cvy_schema_fill(tree, kind->keys, map));
    *body = map->count ? map : NULL;
    return CVY_OK;
}

cvy_status cvy_schema_fill_variant(struct cvy_tree *tree, cvy_lister *list, struct cvy_node **node) {
    struct cvy_node *given = *node, *body = NULL;
    struct cvy_listing kind;
    const bool scalar = given->kind == CVY_NODE_SCALAR;
    if (!scalar && (given->kind != CVY_NODE_MAP || given->count != 1)) return CVY_OK;
    const struct cvy_node *name = scalar ? given : given->keys[0];
    if (!cvy_listing_find(list, name->text, &kind)) return CVY_OK;
    if (!scalar) body = given->items[0];
    CVY_TRY(cvy_schema_fill_body(tree, &kind, name, &body));
    if (body == NULL) return cvy_tree_scalar(tree, name, name->text, node);
    CVY_TRY(cvy_tree_node(tree, CVY_NODE_MAP, given, node));
    return cvy_node_set(tree, *node, name->text, body);
}
