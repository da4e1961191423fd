/* `$name` in a model file becomes the parameter of that name. */
#include <string.h>

#include "graph/graph.h"

struct substitution {
    const struct cvy_node *defaults, *given;
    struct cvy_findings *findings;
};

/* The parameter that a misspelt name was meant to be, or NULL. */
static const char *nearest(const struct substitution *s, const char *name) {
    const char *names[64];
    size_t count = 0;
    if (s->defaults == NULL || s->defaults->kind != CVY_NODE_MAP) return NULL;
    for (; count < s->defaults->count && count < 64; count++) names[count] = s->defaults->keys[count]->text;
    return cvy_nearest(name, names, count);
}

static struct cvy_node *lookup(const struct substitution *s, const char *name) {
    struct cvy_node *value = cvy_node_get(s->given, name);
    return value ? value : cvy_node_get(s->defaults, name);
}

static void replace(const struct substitution *s, struct cvy_node *node) {
    if (node->kind == CVY_NODE_SCALAR && node->text[0] == '$' && !node->quoted) {
        const struct cvy_node *value = lookup(s, node->text + 1);
        const char *near = value ? NULL : nearest(s, node->text + 1);
        if (near)
            cvy_find(s->findings, node, "no parameter \"%s\"; did you mean \"$%s\"?", node->text + 1, near);
        else if (value == NULL)
            cvy_find(s->findings, node, "no parameter \"%s\"; declare it under parameters:", node->text + 1);
        else if (value->kind != CVY_NODE_SCALAR)
            cvy_find(s->findings, value, "parameter \"%s\": expected one value", node->text + 1);
        else
            node->text = value->text;
    }
    for (size_t i = 0; i < node->count; i++) replace(s, node->items[i]);
}

void cvy_graph_substitute(struct cvy_node *model, const struct cvy_node *given, struct cvy_findings *findings) {
    struct substitution s = {cvy_node_get(model, "parameters"), given, findings};
    for (size_t i = 0; given && i < given->count; i++) {
        const struct cvy_node *key = given->keys[i];
        const char *near = nearest(&s, key->text);
        if (cvy_node_get(s.defaults, key->text) == NULL)
            cvy_find(findings, key, "the model has no parameter \"%s\"%s%s%s", key->text,
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    struct cvy_node *layers = cvy_node_get(model, "layers"), *input = cvy_node_get(model, "input");
    if (layers) replace(&s, layers);
    if (input) replace(&s, input);
    for (size_t i = 0; s.defaults && i < model->count; i++) /* what is resolved has no parameters any more */
        if (model->items[i] == s.defaults) {
            model->count--;
            memmove(&model->items[i], &model->items[i + 1], (model->count - i) * sizeof *model->items);
            memmove(&model->keys[i], &model->keys[i + 1], (model->count - i) * sizeof *model->keys);
        }
}
