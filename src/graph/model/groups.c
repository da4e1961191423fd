/* The groups of a model file: residual, branch, repeat, aux. Each reads its settings, has its layers written out and
 * gives the layer that comes out. */
#include <string.h>

#include "core/memory.h"
#include "graph/model/expand_parts.h"
#include "graph/model/graph.h"

static bool read_group(const struct cvy_group *g, const struct cvy_key *keys, void *out) {
    int before = g->x->findings->count;
    if (cvy_layer_misplaced(g->text->body, g->text->word, keys, g->name, g->x->findings)) return false;
    cvy_schema_read(keys, g->text->body, g->text->word, g->name, out, g->x->findings);
    return g->x->findings->count == before;
}

/* The kind of this name if it takes several inputs, else NULL with a finding. */
static const struct cvy_op_kind *joiner(const struct cvy_group *g, const char *word) {
    const char *near = NULL;
    const struct cvy_op_kind *kind = cvy_ops_find(word, &near);
    const struct cvy_node *given = cvy_node_get(g->text->body, "join");
    if (kind && kind->max_inputs > 1) return kind;
    cvy_find(g->x->findings, given ? given : g->text->word, "join: \"%s\" is no layer that takes several inputs%s%s%s",
             word, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}

/* A layer that the file does not spell out: the join of a residual or of a branch. */
static void join(const struct cvy_group *g, const struct cvy_op_kind *kind, const int *inputs, int count, int *above) {
    struct cvy_node *node;
    struct cvy_layer layer = {
        .kind = kind, .place = g->text->node, .word = g->text->word, .inputs = inputs, .count = count};
    g->x->status = cvy_tree_scalar(g->x->tree, g->text->word, kind->name, &node);
    if (g->x->status != CVY_OK) return;
    struct cvy_layer_text as_text = {.node = g->text->node, .word = node};
    layer.name = cvy_scope_name(g->x, g->scope, &as_text);
    cvy_expand_emit(g->x, &layer, above);
}

struct residual {
    const struct cvy_node *layers, *shortcut, *after;
};

static const struct cvy_key residual_keys[] = {
    {"layers", CVY_KEY_NODE, offsetof(struct residual, layers), NULL, CVY_KEY_ANY, NULL, "the way round the shortcut"},
    {"shortcut", CVY_KEY_NODE, offsetof(struct residual, shortcut), "", CVY_KEY_ANY, NULL,
     "a list of layers; none: the identity"},
    {"after", CVY_KEY_NODE, offsetof(struct residual, after), "", CVY_KEY_ANY, NULL,
     "a layer behind the sum, e.g. relu"},
    CVY_KEY_END};

/* F(x) + x (He et al. 2016). */
static int residual(const struct cvy_group *g) {
    struct residual r = {0};
    const struct cvy_op_kind *add = joiner(g, "add");
    if (!read_group(g, residual_keys, &r) || add == NULL) return g->input;
    int ends[2] = {g->input, g->input}, out = g->input;
    cvy_expand_list(g->x, g->scope, r.layers, &ends[0]);
    if (r.shortcut) cvy_expand_list(g->x, g->scope, r.shortcut, &ends[1]);
    if (!cvy_expand_going(g->x)) return g->input;
    join(g, add, ends, 2, &out);
    if (r.after && strcmp(r.after->text, "none") != 0) cvy_expand_visit(g->x, g->scope, r.after, &out);
    return out;
}

struct branch {
    const struct cvy_node *paths;
    const char *join;
};

static const struct cvy_key branch_keys[] = {
    {"paths", CVY_KEY_NODE, offsetof(struct branch, paths), NULL, CVY_KEY_ANY, NULL, "a list of lists of layers"},
    {"join", CVY_KEY_TEXT, offsetof(struct branch, join), "concat", CVY_KEY_ANY, NULL,
     "the layer that takes them all: concat, add, multiply"},
    CVY_KEY_END};

/* Paths side by side from the same input; an empty one is the input itself. */
static int branch(const struct cvy_group *g) {
    struct branch b = {0};
    int out = g->input, *ends;
    if (!read_group(g, branch_keys, &b)) return out;
    if (b.paths == NULL || b.paths->kind != CVY_NODE_LIST || b.paths->count < 2) {
        cvy_find(g->x->findings, b.paths ? b.paths : g->text->word,
                 "%s: \"paths\" must be a list of at least two lists", g->name);
        return out;
    }
    const struct cvy_op_kind *kind = joiner(g, b.join);
    if (kind == NULL) return out;
    int count = (int)b.paths->count;
    g->x->status = CVY_NEW(&ends, count, general);
    for (int i = 0; i < count && cvy_expand_going(g->x); i++) {
        ends[i] = g->input;
        cvy_expand_list(g->x, g->scope, b.paths->items[i], &ends[i]);
    }
    if (cvy_expand_going(g->x)) join(g, kind, ends, count, &out);
    if (ends) cvy_free(ends);
    return out;
}

struct repeat {
    int64_t times;
    const struct cvy_node *layers;
};

static const struct cvy_key repeat_keys[] = {
    {"times", CVY_KEY_INT, offsetof(struct repeat, times), NULL, 0, CVY_MAX_VISITS, NULL, "how often"},
    {"layers", CVY_KEY_NODE, offsetof(struct repeat, layers), NULL, CVY_KEY_ANY, NULL, "what is repeated"},
    CVY_KEY_END};

static int repeat(const struct cvy_group *g) {
    struct repeat r = {0};
    int out = g->input, before = g->x->findings->count;
    if (!read_group(g, repeat_keys, &r)) return out;
    for (int64_t i = 0; i < r.times && g->x->findings->count == before && cvy_expand_step(g->x, g->text->word); i++)
        cvy_expand_list(g->x, g->scope, r.layers, &out);
    return out;
}

struct aux {
    const struct cvy_node *weight, *layers;
};

static const struct cvy_key aux_keys[] = {
    {"weight", CVY_KEY_NODE, offsetof(struct aux, weight), NULL, CVY_KEY_ANY, NULL, "of its loss"},
    {"layers", CVY_KEY_NODE, offsetof(struct aux, layers), NULL, CVY_KEY_ANY, NULL, "the head, up to its scores"},
    CVY_KEY_END};

/* A head with a loss of its own that only training sees (Szegedy et al. 2015); the main path goes on from its input. */
static int aux(const struct cvy_group *g) {
    struct aux a = {0};
    int end = g->input, first = g->x->layers;
    if (!read_group(g, aux_keys, &a)) return g->input;
    cvy_expand_list(g->x, g->scope, a.layers, &end);
    if (end >= first)
        cvy_expand_loss(g->x, end, a.weight ? a.weight : g->text->word);
    else
        cvy_find(g->x->findings, g->text->word, "%s: a head of at least one layer is needed", g->name);
    return g->input;
}

/* ---- the table ---- */

static const struct cvy_structure structures[] = {
    {"residual", "layers(x) + shortcut(x) (He et al. 2016)", residual_keys, residual, false},
    {"branch", "paths side by side from the same input, then joined", branch_keys, branch, false},
    {"repeat", "the layers again and again", repeat_keys, repeat, false},
    {"aux", "a head with a loss of its own, in training only (Szegedy et al. 2015)", aux_keys, aux, true}};

enum { STRUCTURES = sizeof structures / sizeof *structures };

bool cvy_groups_list(int index, struct cvy_listing *out) {
    if (index >= STRUCTURES) return false;
    const struct cvy_structure *s = &structures[index];
    *out = (struct cvy_listing){.name = s->name, .purpose = s->purpose, .keys = s->keys};
    return true;
}

const struct cvy_structure *cvy_structure_find(const char *name) {
    for (int i = 0; i < STRUCTURES; i++)
        if (strcmp(structures[i].name, name) == 0) return &structures[i];
    return NULL;
}

size_t cvy_structure_names(const char **names) {
    for (int i = 0; i < STRUCTURES; i++) names[i] = structures[i].name;
    return STRUCTURES;
}
