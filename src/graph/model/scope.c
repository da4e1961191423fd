/* Scopes: what layers are called, and what the names under `inputs` stand for. */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/memory.h"
#include "graph/model/expand_parts.h"

/* ---- names ---- */

static int *bucket_of(struct cvy_expander *x, const char *name) {
    return &x->bucket[cvy_hash(name, strlen(name), 0) % CVY_NAME_BUCKETS];
}

const struct cvy_symbol *cvy_scope_find(struct cvy_expander *x, const char *name) {
    for (int i = *bucket_of(x, name); i >= 0; i = x->symbols[i].next)
        if (strcmp(x->symbols[i].name, name) == 0) return &x->symbols[i];
    return NULL;
}

void cvy_scope_add(struct cvy_expander *x, const char *name, int layer, const struct cvy_node *place) {
    if (x->status != CVY_OK) return;
    if (cvy_scope_find(x, name) || strcmp(name, "input") == 0) {
        cvy_find(x->findings, place, "a second layer is called \"%s\"; give one of them another name", name);
        return;
    }
    x->status = CVY_GROW(&x->symbols, x->symbol_count, &x->symbol_room, general);
    if (x->status != CVY_OK) return;
    int *bucket = bucket_of(x, name);
    x->symbols[x->symbol_count] = (struct cvy_symbol){name, layer, *bucket};
    *bucket = x->symbol_count++;
}

/* The next number of a kind in a scope, from 1. */
static int count_kind(struct cvy_expander *x, struct cvy_scope *s, const char *kind) {
    struct cvy_kind_count *t = s->tallies;
    while (t && strcmp(t->kind, kind) != 0) t = t->next;
    if (t) return ++t->count;
    x->status = CVY_NEW(&t, 1, general);
    if (x->status != CVY_OK) return 1;
    *t = (struct cvy_kind_count){s->tallies, kind, 1};
    s->tallies = t;
    return 1;
}

bool cvy_name_is_good(const struct cvy_node *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/";
    if (name->kind != CVY_NODE_SCALAR) return false;
    const char *text = name->text;
    size_t length = strlen(text);
    return length && length <= CVY_MAX_NAME && strspn(text, letters) == length && text[0] != '/' &&
           text[length - 1] != '/' && strstr(text, "//") == NULL;
}

const char *cvy_scope_name(struct cvy_expander *x, struct cvy_scope *s, const struct cvy_layer_text *t) {
    char own[CVY_MAX_NAME + 1], full[2 * CVY_MAX_NAME + 2];
    const char *kept = "";
    snprintf(own, sizeof own, "%.70s%d", t->word->text, count_kind(x, s, t->word->text));
    if (t->name && cvy_name_is_good(t->name))
        snprintf(own, sizeof own, "%s", t->name->text);
    else if (t->name)
        cvy_find(x->findings, t->name, "name: expected letters, digits, _, - and / between them, at most %d",
                 CVY_MAX_NAME);
    snprintf(full, sizeof full, "%.95s%s", s->prefix, own);
    if (strlen(full) > CVY_MAX_NAME) {
        cvy_find(x->findings, t->node, "the name \"%s\" has more than %d characters; give its blocks shorter names",
                 full, CVY_MAX_NAME);
        full[CVY_MAX_NAME] = '\0';
    }
    if (x->status == CVY_OK) x->status = cvy_tree_text(x->tree, full, strlen(full), &kept);
    return kept;
}

/* ---- inputs ---- */

/* The layer that a name stands for: in this scope, then further out. */
static bool resolve(struct cvy_expander *x, const struct cvy_scope *s, const char *name, int *layer) {
    char full[2 * CVY_MAX_NAME + 2];
    if (strcmp(name, "input") == 0) {
        *layer = s->input;
        return true;
    }
    for (; s; s = s->outer) {
        snprintf(full, sizeof full, "%.95s%.95s", s->prefix, name);
        const struct cvy_symbol *symbol = cvy_scope_find(x, full);
        if (symbol) {
            *layer = symbol->layer;
            return true;
        }
    }
    return false;
}

int cvy_scope_input(struct cvy_expander *x, const struct cvy_scope *s, const struct cvy_node *item, int above) {
    int layer;
    if (item->kind == CVY_NODE_SCALAR && resolve(x, s, item->text, &layer)) return layer;
    cvy_late_add(x, s, item);
    return above;
}

/* Of a group or a block: one. */
int cvy_scope_group_input(struct cvy_expander *x, const struct cvy_scope *s, const struct cvy_layer_text *t,
                          int above) {
    const struct cvy_node *list = t->inputs;
    if (list == NULL) return above;
    if (list->kind == CVY_NODE_LIST && list->count == 1) list = list->items[0];
    if (list->kind == CVY_NODE_SCALAR) return cvy_scope_input(x, s, list, above);
    cvy_find(x->findings, list, "inputs: %s takes one input", t->word->text);
    return above;
}

/* A named group, a block and a head are scopes; other groups go on in the scope that they stand in. */
void cvy_scope_enter(struct cvy_expander *x, struct cvy_scope *s, const char *name, int input,
                     struct cvy_scope *inner) {
    char prefix[CVY_MAX_NAME + 2];
    *inner = (struct cvy_scope){.outer = s, .prefix = "", .input = input};
    snprintf(prefix, sizeof prefix, "%s/", name);
    if (x->status == CVY_OK) x->status = cvy_tree_text(x->tree, prefix, strlen(prefix), &inner->prefix);
}

void cvy_scope_leave(struct cvy_scope *inner) {
    for (struct cvy_kind_count *t = inner->tallies, *next; t; t = next) {
        next = t->next;
        cvy_free(t);
    }
}
