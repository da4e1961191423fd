/* Blocks of the user: their definitions are checked once; each use is a copy with its parameters put in. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "graph/model/expand_parts.h"

int cvy_block_index(const struct cvy_expander *x, const char *name) {
    for (size_t i = 0; x->blocks && i < x->blocks->count; i++)
        if (strcmp(x->blocks->keys[i]->text, name) == 0) return (int)i;
    return -1;
}

/* `bottleneck: {filters: 64}`; a single value is the first parameter. */
static const struct cvy_node *argument(const struct cvy_node *body, const struct cvy_node *parameters, size_t i) {
    if (body == NULL) return NULL;
    if (body->kind == CVY_NODE_MAP) return cvy_node_get(body, parameters->keys[i]->text);
    return i == 0 ? body : NULL;
}

static size_t names_of(const struct cvy_node *parameters, const char *names[CVY_SCHEMA_NAMES]) {
    size_t count = 0;
    for (size_t i = 0; parameters && i < parameters->count && count < CVY_SCHEMA_NAMES; i++)
        names[count++] = parameters->keys[i]->text;
    return count;
}

static bool is_misspelt(const struct cvy_group *g, const struct cvy_node *parameters, const char *name) {
    const char *names[CVY_SCHEMA_NAMES];
    return cvy_schema_misspelt(g->text->body, name, names, names_of(parameters, names));
}

static bool is_missing(const struct cvy_group *g, const struct cvy_node *parameters, size_t i) {
    return cvy_node_is_null(parameters->items[i]) && cvy_node_is_null(argument(g->text->body, parameters, i)) &&
           !is_misspelt(g, parameters, parameters->keys[i]->text);
}

/* What a key that is like no parameter may stand for: the first one that must be given and is not, or NULL. */
static const char *first_missing(const struct cvy_group *g, const struct cvy_node *parameters) {
    for (size_t i = 0; parameters && i < parameters->count; i++)
        if (is_missing(g, parameters, i)) return parameters->keys[i]->text;
    return NULL;
}

/* Whether what is missing has been told with them. */
static bool reject_arguments(const struct cvy_group *g, const struct cvy_node *parameters) {
    const struct cvy_node *body = g->text->body;
    const char *names[CVY_SCHEMA_NAMES];
    const size_t count = names_of(parameters, names);
    bool told = false;
    if (body && body->kind != CVY_NODE_MAP && count == 0)
        cvy_find(g->x->findings, body, "%s: the block has no parameters", g->name);
    for (size_t i = 0; body && body->kind == CVY_NODE_MAP && i < body->count; i++) {
        const char *key = body->keys[i]->text, *near = cvy_nearest(key, names, count);
        const bool like_none = near == NULL && cvy_node_get(parameters, key) == NULL;
        if (like_none) near = first_missing(g, parameters);
        told |= like_none && near;
        if (cvy_node_get(parameters, key) == NULL)
            cvy_find(g->x->findings, body->keys[i], "%s: the block has no parameter \"%s\"%s%s%s", g->name, key,
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    return told;
}

/* The map of what the block's parameters are in this use. A default may use the parameters before it. */
static void bind(const struct cvy_group *g, const struct cvy_node *parameters, struct cvy_node *values) {
    struct cvy_expander *x = g->x;
    const struct cvy_names names = {values, &x->names};
    const struct cvy_substitution defaults = {x->tree, &names, x->findings, &x->room};
    const bool told = reject_arguments(g, parameters);
    for (size_t i = 0; parameters && i < parameters->count && x->status == CVY_OK; i++) {
        struct cvy_node *value = (struct cvy_node *)(uintptr_t)argument(g->text->body, parameters, i);
        if (value == NULL && !cvy_node_is_null(parameters->items[i]))
            x->status = cvy_substitute(&defaults, parameters->items[i], &value);
        if (value && !cvy_node_is_null(value)) {
            if (x->status == CVY_OK) x->status = cvy_node_append(x->tree, values, parameters->keys[i], value);
        } else if (!told && is_missing(g, parameters, i)) {
            cvy_find(x->findings, g->text->word, "%s: \"%s\" is missing", g->name, parameters->keys[i]->text);
        }
    }
}

/* Whether this block is being written out already; says so with the chain of uses. */
static bool recurses(const struct cvy_group *g) {
    char chain[512] = "";
    const char *block = g->text->word->text;
    const struct cvy_scope *found = NULL;
    for (const struct cvy_scope *s = g->scope->outer; s; s = s->outer)
        if (s->block && strcmp(s->block, block) == 0) found = s;
    if (found == NULL) return false;
    for (const struct cvy_scope *s = g->scope->outer; s; s = s->outer) { /* from the innermost: put in front */
        char longer[512];
        if (s->block) {
            snprintf(longer, sizeof longer, "%.40s → %.400s", s->block, chain);
            memcpy(chain, longer, sizeof chain);
        }
        if (s == found) break;
    }
    cvy_find(g->x->findings, g->text->word, "a block cannot use itself: %s%s", chain, block);
    return true;
}

int cvy_block_use(const struct cvy_group *g, int index) {
    struct cvy_expander *x = g->x;
    const struct cvy_node *block = x->blocks->items[index], *layers = cvy_node_get(block, "layers");
    struct cvy_node *values = NULL, *written = NULL;
    int out = g->input, before = x->findings->count;
    if (recurses(g)) return out;
    x->status = cvy_tree_node(x->tree, CVY_NODE_MAP, g->text->node, &values);
    if (x->status == CVY_OK) bind(g, cvy_node_get(block, "parameters"), values);
    if (x->status != CVY_OK || x->findings->count > before) return out;
    const size_t said = strlen(x->findings->text);
    const struct cvy_names names = {values, &x->names};
    const struct cvy_substitution s = {x->tree, &names, x->findings, &x->room};
    x->status = cvy_substitute(&s, layers, &written);
    g->scope->block = x->blocks->keys[index]->text;
    if (x->status == CVY_OK && x->findings->count == before) cvy_expand_list(x, g->scope, written, &out);
    if (x->findings->count > before && x->broken[index] &&
        cvy_expand_going(x)) { /* the first use has told what is wrong */
        x->findings->count = before;
        x->findings->text[said] = '\0';
    }
    x->broken[index] |= x->findings->count > before;
    return out;
}

static const struct cvy_key block_keys[] = {
    {"parameters", CVY_KEY_NODE, 0, "", CVY_KEY_ANY, NULL, "names and defaults"},
    {"layers", CVY_KEY_NODE, 0, NULL, CVY_KEY_ANY, NULL, "a list of at least one layer"},
    CVY_KEY_END};

static void check_block(struct cvy_expander *x, const struct cvy_node *name, const struct cvy_node *block) {
    char what[80];
    const struct cvy_node *part; /* each is read where it is used */
    const struct cvy_node *parameters = cvy_node_get(block, "parameters"), *layers = cvy_node_get(block, "layers");
    const char *near;
    if (cvy_structure_find(name->text) || cvy_ops_find(name->text, &near))
        cvy_find(x->findings, name, "blocks: there is a layer \"%s\" already; choose another name", name->text);
    else if (!cvy_name_is_good(name) || strchr(name->text, '/') || strlen(name->text) > 64)
        cvy_find(x->findings, name, "blocks: a name has letters, digits, _ and -, at most 64");
    snprintf(what, sizeof what, "block %.64s", name->text);
    cvy_schema_read(block_keys, block, name, what, &part, x->findings);
    bool parameter = layers && layers->kind == CVY_NODE_SCALAR && layers->text[0] == '$';
    if (layers && !parameter && (layers->kind != CVY_NODE_LIST || layers->count == 0))
        cvy_find(x->findings, layers, "block %s: \"layers\" must be a list of at least one layer", name->text);
    if (parameters && !cvy_node_is_null(parameters) && parameters->kind != CVY_NODE_MAP)
        cvy_find(x->findings, parameters, "block %s: \"parameters\" must be a map of names and defaults", name->text);
}

void cvy_blocks_read(struct cvy_expander *x, const struct cvy_node *model) {
    const struct cvy_node *blocks = cvy_node_get(model, "blocks");
    if (cvy_node_is_null(blocks)) return;
    if (blocks->kind != CVY_NODE_MAP) {
        cvy_find(x->findings, blocks, "model: \"blocks\" must be a map of names and blocks");
        return;
    }
    for (size_t i = 0; i < blocks->count; i++) check_block(x, blocks->keys[i], blocks->items[i]);
    x->blocks = blocks;
    x->status = CVY_NEW(&x->broken, blocks->count, general);
}
