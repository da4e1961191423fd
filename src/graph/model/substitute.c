/* `$name` and `$(formula)` in a model file become values. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "graph/model/expand.h"
#include "graph/model/graph.h"

/* ---- names ---- */

const struct cvy_node *cvy_names_get(const struct cvy_names *names, const char *name) {
    for (; names; names = names->outer) {
        const struct cvy_node *value = cvy_node_get(names->values, name);
        if (value) return value;
    }
    return NULL;
}

/* What a misspelt name was meant to be, or NULL. */
static const char *nearest(const struct cvy_names *names, const char *name) {
    const char *known[64];
    size_t count = 0;
    for (; names; names = names->outer)
        for (size_t i = 0; names->values && names->values->kind == CVY_NODE_MAP && i < names->values->count; i++)
            if (count < 64) known[count++] = names->values->keys[i]->text;
    return cvy_nearest(name, known, count);
}

void cvy_names_missing(const struct cvy_names *names, const struct cvy_node *place, const char *name,
                       struct cvy_findings *findings) {
    const char *near = nearest(names, name);
    if (near)
        cvy_find(findings, place, "no parameter \"%s\"; did you mean \"$%s\"?", name, near);
    else
        cvy_find(findings, place, "no parameter \"%s\"; declare it under parameters:", name);
}

/* ---- substitution ---- */

static cvy_status copy(const struct cvy_substitution *s, const struct cvy_node *node, bool replace,
                       struct cvy_node **out);

static cvy_status put_formula(const struct cvy_substitution *s, const struct cvy_node *node, struct cvy_node *out) {
    char text[256], value[32];
    size_t length = strlen(node->text);
    int64_t result;
    if (node->text[length - 1] != ')' || length - 3 >= sizeof text) {
        cvy_find(s->findings, node, "\"%s\": expected $(…), at most %zu characters, with its ) at the end", node->text,
                 sizeof text);
        return CVY_OK;
    }
    snprintf(text, sizeof text, "%.*s", (int)(length - 3), node->text + 2);
    if (!cvy_formula(text, node, s->names, &result, s->findings)) return CVY_OK;
    int digits = snprintf(value, sizeof value, "%" PRId64, result);
    return cvy_tree_text(s->tree, value, (size_t)digits, &out->text);
}

/* A scalar keeps the place where it is used; a list's or a map's insides have their own. */
static cvy_status put_value(const struct cvy_substitution *s, const struct cvy_node *node, struct cvy_node **out) {
    const char *name = node->text + 1;
    const struct cvy_node *value = cvy_names_get(s->names, name);
    if (value == NULL) {
        cvy_names_missing(s->names, node, name, s->findings);
        return CVY_OK;
    }
    if (value->kind != CVY_NODE_SCALAR) return copy(s, value, false, out);
    (*out)->text = value->text;
    (*out)->quoted = value->quoted;
    return CVY_OK;
}

static cvy_status copy(const struct cvy_substitution *s, const struct cvy_node *node, bool replace,
                       struct cvy_node **out) {
    CVY_TRY(cvy_tree_node(s->tree, node->kind, node, out));
    (*out)->text = node->text;
    (*out)->quoted = node->quoted;
    if (--*s->room == 0) cvy_find(s->findings, node, "the blocks of this model are too large when written out");
    if (*s->room <= 0) return CVY_OK;
    if (replace && node->kind == CVY_NODE_SCALAR && node->text[0] == '$' && !node->quoted)
        return node->text[1] == '(' ? put_formula(s, node, *out) : put_value(s, node, out);
    for (size_t i = 0; i < node->count; i++) {
        struct cvy_node *value;
        CVY_TRY(copy(s, node->items[i], replace, &value));
        CVY_TRY(cvy_node_append(s->tree, *out, node->kind == CVY_NODE_MAP ? node->keys[i] : NULL, value));
    }
    return CVY_OK;
}

cvy_status cvy_substitute(const struct cvy_substitution *s, const struct cvy_node *node, struct cvy_node **out) {
    return copy(s, node, true, out);
}

/* ---- a model's own parameters ---- */

void cvy_graph_give(struct cvy_node *model, const struct cvy_node *given, struct cvy_findings *findings) {
    struct cvy_node *parameters = cvy_node_get(model, "parameters");
    const struct cvy_names names = {parameters, NULL};
    for (size_t i = 0; given && i < given->count; i++) {
        const struct cvy_node *key = given->keys[i];
        bool known = false;
        for (size_t p = 0; parameters && parameters->kind == CVY_NODE_MAP && p < parameters->count; p++)
            if (strcmp(parameters->keys[p]->text, key->text) == 0) {
                parameters->items[p] = given->items[i];
                known = true;
            }
        const char *near = known ? NULL : nearest(&names, key->text);
        char meant[160];
        if (!known && near == NULL && findings->elsewhere && findings->elsewhere(key->text, meant))
            cvy_find(findings, key, "the model has no parameter \"%s\"; did you mean %s?", key->text, meant);
        else if (!known)
            cvy_find(findings, key, "the model has no parameter \"%s\"%s%s%s", key->text,
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
}
