/* Names under `inputs` that nothing above has: a layer below may have them, and then there is a cycle, or just another
 * order to be written. That can be told when all layers are known, so such names wait here until the end. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "graph/model/expand_parts.h"

/* One that no layer above had. */
struct cvy_late {
    const struct cvy_node *item;
    const char *prefix; /* of the scope that it stands in */
    int asker;          /* the layer that wants it, or the first one of a group */
    int found;          /* the layer that it stands for, −1: none */
};
struct cvy_edge {
    int layer, input;
};

void cvy_late_edges(struct cvy_expander *x, int layer, const int *inputs, int count) {
    for (int i = 0; i < count; i++) {
        if (x->status == CVY_OK) x->status = CVY_GROW(&x->edges, x->edge_count, &x->edge_room, general);
        if (x->status == CVY_OK) x->edges[x->edge_count++] = (struct cvy_edge){layer, inputs[i]};
    }
}

static bool same_place(const struct cvy_node *a, const struct cvy_node *b) {
    return a->line == b->line && a->column == b->column && strcmp(a->file, b->file) == 0;
}

void cvy_late_add(struct cvy_expander *x, const struct cvy_scope *s, const struct cvy_node *item) {
    for (int i = 0; i < x->late_count; i++) /* a repetition says it once */
        if (same_place(x->late[i].item, item)) return;
    if (x->status == CVY_OK) x->status = CVY_GROW(&x->late, x->late_count, &x->late_room, general);
    if (x->status == CVY_OK) x->late[x->late_count++] = (struct cvy_late){item, s->prefix, x->layers, -1};
}

/* ---- telling ---- */

/* In its scope, then further out: prefixes end in '/'. */
static int look_up(struct cvy_expander *x, const struct cvy_late *late) {
    size_t length = strlen(late->prefix);
    char full[2 * CVY_MAX_NAME + 2];
    for (;;) {
        snprintf(full, sizeof full, "%.*s%.95s", (int)length, late->prefix, late->item->text);
        const struct cvy_symbol *symbol = cvy_scope_find(x, full);
        if (symbol) return symbol->layer;
        if (length == 0) return -1;
        do length--;
        while (length && late->prefix[length - 1] != '/');
    }
}

static const char *name_of(const struct cvy_expander *x, int layer) {
    for (int i = 0; i < x->symbol_count; i++)
        if (x->symbols[i].layer == layer) return x->symbols[i].name;
    return "?";
}

/* reader[i]: of a layer that `found` needs, the layer that takes it on the way; −1: not needed. */
static void mark_needed(const struct cvy_expander *x, int found, int *reader) {
    for (int i = 0; i < x->layers; i++) reader[i] = -1;
    reader[found] = found;
    for (bool more = true; more;) {
        more = false;
        for (int e = x->edge_count - 1; e >= 0; e--) {
            const struct cvy_edge edge = x->edges[e];
            if (edge.input < 0 || reader[edge.layer] < 0 || reader[edge.input] >= 0) continue;
            reader[edge.input] = edge.layer;
            more = true;
        }
    }
}

/* "conv1 → relu1 → add1 → conv1": asker is needed by its own input. */
static void tell_cycle(struct cvy_expander *x, const struct cvy_late *late, const int *reader) {
    enum { SHOWN = 8 };
    char text[(SHOWN + 2) * (CVY_MAX_NAME + 8)];
    int at = late->asker;
    size_t used = (size_t)snprintf(text, sizeof text, "%s", name_of(x, at));
    for (int shown = 1; at != late->found; shown++) {
        at = reader[at];
        if (shown < SHOWN || at == late->found)
            used += (size_t)snprintf(text + used, sizeof text - used, " → %s", name_of(x, at));
        else if (shown == SHOWN)
            used += (size_t)snprintf(text + used, sizeof text - used, " → …");
    }
    cvy_find(x->findings, late->item, "inputs: a cycle: %s → %s", text, name_of(x, late->asker));
}

static void tell_missing(struct cvy_expander *x, const struct cvy_late *late) {
    const char *names[256];
    size_t count = 0, prefix = strlen(late->prefix);
    for (int i = x->symbol_count - 1; i >= 0 && count < 256; i--) { /* as this scope calls them */
        const char *name = x->symbols[i].name;
        if (x->symbols[i].layer < late->asker)
            names[count++] = strncmp(name, late->prefix, prefix) == 0 ? name + prefix : name;
    }
    const char *near = cvy_nearest(late->item->text, names, count);
    cvy_find(x->findings, late->item, "inputs: no layer \"%s\" above this one%s%s%s", late->item->text,
             near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static void tell(struct cvy_expander *x, const struct cvy_late *late, int *reader) {
    if (late->found < 0 || late->found >= x->layers) {
        tell_missing(x, late);
        return;
    }
    mark_needed(x, late->found, reader);
    if (late->asker < x->layers && reader[late->asker] >= 0)
        tell_cycle(x, late, reader);
    else
        cvy_find(x->findings, late->item, "inputs: \"%s\" stands below this layer; move it above", late->item->text);
}

void cvy_late_report(struct cvy_expander *x) {
    int *reader = NULL;
    for (int i = 0; i < x->late_count && x->status == CVY_OK; i++) {
        struct cvy_late *late = &x->late[i];
        late->found = late->item->kind == CVY_NODE_SCALAR ? look_up(x, late) : -1;
        if (late->asker < x->layers) cvy_late_edges(x, late->asker, &late->found, 1);
    }
    if (x->late_count && x->status == CVY_OK) x->status = CVY_NEW(&reader, x->layers ? x->layers : 1, general);
    for (int i = 0; i < x->late_count && x->status == CVY_OK; i++) tell(x, &x->late[i], reader);
    cvy_free(reader);
    cvy_free(x->edges);
    cvy_free(x->late);
}
