/* From structured layers to plain ones, by walking the file once and giving each plain layer to the sink. `above` is
 * always the layer whose output comes in: −1 the network's input. */
#include "graph/expand.h"

#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/memory.h"

enum {
    MAX_VISITS = 100000,  /* layers looked at, written out */
    MAX_COPIED = 1 << 18, /* values of blocks written out */
    MAX_DEPTH = 64,       /* blocks and groups inside one another */
    MAX_NAME = 95,        /* characters of a full name */
    BUCKETS = 1024
};

/* A name that `inputs` may use: of a layer, or of a group for its last layer. */
struct symbol {
    const char *name;
    int layer;
    int next; /* in its bucket, −1 ends */
};

/* How many of a kind a scope has. */
struct tally {
    struct tally *next;
    const char *kind;
    int count;
};

struct scope {
    struct scope *outer;
    const char *prefix; /* "bottleneck3/" or "" */
    const char *block;  /* the user's block whose layers these are, or NULL */
    int input;          /* what `input` means */
    struct tally *tallies;
};

struct expander {
    struct cvy_tree *tree;
    const struct cvy_layer_sink *sink;
    struct cvy_findings *findings;
    const struct cvy_node *blocks; /* a map, or NULL */
    bool *broken;                  /* [blocks] a use of it was wrong: the next ones would say the same */
    struct cvy_names names;        /* the model's parameters */
    struct symbol *symbols;
    int symbol_count, symbol_room, bucket[BUCKETS];
    int layers, visits, depth;
    int64_t room; /* nodes that may still be copied */
    cvy_status status;
};

/* A layer as it stands in the file. */
struct text {
    const struct cvy_node *node, *word, *body, *name, *inputs, *when, *weight;
};

static void expand_list(struct expander *x, struct scope *s, const struct cvy_node *list, int *above);

static bool going(const struct expander *x) {
    return x->status == CVY_OK && x->visits <= MAX_VISITS && x->room > 0;
}

/* Counts one layer looked at, or one round of a repetition. */
static bool step(struct expander *x, const struct cvy_node *place) {
    if (++x->visits == MAX_VISITS + 1) cvy_find(x->findings, place, "more than %d layers when written out", MAX_VISITS);
    return going(x);
}

/* ---- reading one layer ---- */

/* `conv: {…}`, `tanh`, `maxpool: 2`, each with `name`, `inputs`, `when` and `loss_weight` beside the kind. */
static bool read_text(struct expander *x, const struct cvy_node *node, struct text *out) {
    *out = (struct text){.node = node};
    if (node->kind == CVY_NODE_SCALAR) {
        out->word = node;
        return true;
    }
    const struct {
        const char *key;
        const struct cvy_node **value;
    } beside[] = {{"name", &out->name}, {"inputs", &out->inputs}, {"when", &out->when}, {"loss_weight", &out->weight}};
    int kinds = 0;
    for (size_t i = 0; node->kind == CVY_NODE_MAP && i < node->count; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof beside / sizeof *beside; k++)
            if (strcmp(node->keys[i]->text, beside[k].key) == 0) {
                *beside[k].value = node->items[i];
                known = true;
            }
        if (known) continue;
        kinds++;
        out->word = node->keys[i];
        out->body = cvy_node_is_null(node->items[i]) ? NULL : node->items[i];
    }
    if (kinds == 1) return true;
    cvy_find(x->findings, node, "a layer is one kind with its settings, and name and inputs if wanted; found %d kinds",
             kinds);
    return false;
}

static bool wanted(struct expander *x, const struct cvy_node *when) {
    bool truth;
    int64_t number;
    if (when == NULL) return true;
    if (cvy_node_bool(when, &truth)) return truth;
    if (cvy_node_int(when, &number)) return number != 0;
    cvy_find(x->findings, when, "when: expected true, false or a comparison as in $(stride != 1)");
    return false;
}

/* ---- names ---- */

static int *bucket_of(struct expander *x, const char *name) {
    return &x->bucket[cvy_hash(name, strlen(name), 0) % BUCKETS];
}

static const struct symbol *find_symbol(struct expander *x, const char *name) {
    for (int i = *bucket_of(x, name); i >= 0; i = x->symbols[i].next)
        if (strcmp(x->symbols[i].name, name) == 0) return &x->symbols[i];
    return NULL;
}

static void add_symbol(struct expander *x, const char *name, int layer, const struct cvy_node *place) {
    if (x->status != CVY_OK) return;
    if (find_symbol(x, name) || strcmp(name, "input") == 0) {
        cvy_find(x->findings, place, "a second layer is called \"%s\"; give one of them another name", name);
        return;
    }
    if (x->symbol_count == x->symbol_room) {
        int room = x->symbol_room ? 2 * x->symbol_room : 64;
        struct symbol *larger;
        x->status = CVY_NEW(&larger, room, general);
        if (x->status != CVY_OK) return;
        if (x->symbol_count) memcpy(larger, x->symbols, (size_t)x->symbol_count * sizeof *larger);
        cvy_free(x->symbols);
        x->symbols = larger;
        x->symbol_room = room;
    }
    int *bucket = bucket_of(x, name);
    x->symbols[x->symbol_count] = (struct symbol){name, layer, *bucket};
    *bucket = x->symbol_count++;
}

/* The next number of a kind in a scope, from 1. */
static int count_kind(struct expander *x, struct scope *s, const char *kind) {
    struct tally *t = s->tallies;
    while (t && strcmp(t->kind, kind) != 0) t = t->next;
    if (t) return ++t->count;
    x->status = CVY_NEW(&t, 1, general);
    if (x->status != CVY_OK) return 1;
    *t = (struct tally){s->tallies, kind, 1};
    s->tallies = t;
    return 1;
}

static bool name_is_good(const struct cvy_node *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/";
    if (name->kind != CVY_NODE_SCALAR) return false;
    const char *text = name->text;
    size_t length = strlen(text);
    return length && length <= MAX_NAME && strspn(text, letters) == length && text[0] != '/' &&
           text[length - 1] != '/' && strstr(text, "//") == NULL;
}

/* The full name: the scope's prefix, then the one given or the kind and its count. */
static const char *make_name(struct expander *x, struct scope *s, const struct text *t) {
    char own[MAX_NAME + 1], full[2 * MAX_NAME + 2];
    const char *kept = "";
    snprintf(own, sizeof own, "%.70s%d", t->word->text, count_kind(x, s, t->word->text));
    if (t->name && name_is_good(t->name))
        snprintf(own, sizeof own, "%s", t->name->text);
    else if (t->name)
        cvy_find(x->findings, t->name, "name: expected letters, digits, _, - and / between them, at most %d", MAX_NAME);
    snprintf(full, sizeof full, "%.95s%s", s->prefix, own);
    if (strlen(full) > MAX_NAME) {
        cvy_find(x->findings, t->node, "the name \"%s\" has more than %d characters; give its blocks shorter names",
                 full, MAX_NAME);
        full[MAX_NAME] = '\0';
    }
    if (x->status == CVY_OK) x->status = cvy_tree_text(x->tree, full, strlen(full), &kept);
    return kept;
}

/* ---- inputs ---- */

/* The layer that a name stands for: in this scope, then further out. */
static bool resolve(struct expander *x, const struct scope *s, const char *name, int *layer) {
    char full[2 * MAX_NAME + 2];
    if (strcmp(name, "input") == 0) {
        *layer = s->input;
        return true;
    }
    for (; s; s = s->outer) {
        snprintf(full, sizeof full, "%.95s%.95s", s->prefix, name);
        const struct symbol *symbol = find_symbol(x, full);
        if (symbol) {
            *layer = symbol->layer;
            return true;
        }
    }
    return false;
}

static int read_input(struct expander *x, const struct scope *s, const struct cvy_node *item, int above) {
    const char *names[256];
    size_t count = 0, prefix = strlen(s->prefix);
    int layer;
    if (item->kind == CVY_NODE_SCALAR && resolve(x, s, item->text, &layer)) return layer;
    for (int i = x->symbol_count - 1; i >= 0 && count < 256; i--) { /* the latest ones, as this scope calls them */
        const char *name = x->symbols[i].name;
        names[count++] = strncmp(name, s->prefix, prefix) == 0 ? name + prefix : name;
    }
    const char *near = cvy_nearest(item->text, names, count);
    cvy_find(x->findings, item, "inputs: no layer \"%s\" above this one%s%s%s", item->text,
             near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return above;
}

/* Of a group or a block: one. */
static int group_input(struct expander *x, const struct scope *s, const struct text *t, int above) {
    const struct cvy_node *list = t->inputs;
    if (list == NULL) return above;
    if (list->kind == CVY_NODE_LIST && list->count == 1) list = list->items[0];
    if (list->kind == CVY_NODE_SCALAR) return read_input(x, s, list, above);
    cvy_find(x->findings, list, "inputs: %s takes one input", t->word->text);
    return above;
}

/* ---- plain layers ---- */

static void emit(struct expander *x, struct cvy_layer *layer, int *above) {
    if (x->status != CVY_OK) return;
    x->status = x->sink->layer(x->sink->arg, layer);
    *above = x->layers++;
    add_symbol(x, layer->name, *above, layer->place);
}

static void also_loss(struct expander *x, int layer, const struct cvy_node *weight) {
    double value;
    if (!cvy_node_real(weight, &value) || !(value > 0 && value <= 1e6)) {
        cvy_find(x->findings, weight, "loss_weight: expected a weight above 0, at most 1e6");
        value = 1;
    }
    x->sink->also_loss(x->sink->arg, layer, value);
}

static void plain(struct expander *x, struct scope *s, const struct text *t, const struct cvy_op_kind *kind,
                  int *above) {
    const struct cvy_node *list = t->inputs;
    bool many = list && list->kind == CVY_NODE_LIST;
    int count = many ? (int)list->count : 1, *inputs;
    struct cvy_layer layer = {.kind = kind, .place = t->node, .word = t->word, .body = t->body, .count = count};
    layer.name = make_name(x, s, t);
    if (x->status == CVY_OK) x->status = CVY_NEW(&inputs, count ? count : 1, general);
    if (x->status != CVY_OK) return;
    inputs[0] = *above;
    for (int i = 0; i < count; i++) inputs[i] = list ? read_input(x, s, many ? list->items[i] : list, *above) : *above;
    layer.inputs = inputs;
    emit(x, &layer, above);
    cvy_free(inputs);
    if (t->weight) also_loss(x, *above, t->weight);
}

/* ---- scopes ---- */

/* A named group, a block and a head are scopes; other groups go on in the scope that they stand in. */
static void enter(struct expander *x, struct scope *s, const char *name, int input, struct scope *inner) {
    char prefix[MAX_NAME + 2];
    *inner = (struct scope){.outer = s, .prefix = "", .input = input};
    snprintf(prefix, sizeof prefix, "%s/", name);
    if (x->status == CVY_OK) x->status = cvy_tree_text(x->tree, prefix, strlen(prefix), &inner->prefix);
}

static void leave(struct scope *inner) {
    for (struct tally *t = inner->tallies, *next; t; t = next) {
        next = t->next;
        cvy_free(t);
    }
}

/* ---- groups ---- */

/* One group at work: its settings are read, its layers go into `scope`. */
struct group {
    struct expander *x;
    const struct text *text;
    const char *name;
    struct scope *scope;
    int input;
};

static bool read_group(const struct group *g, const struct cvy_key *keys, void *out) {
    int before = g->x->findings->count;
    cvy_schema_read(keys, g->text->body, g->text->word, g->name, out, g->x->findings);
    return g->x->findings->count == before;
}

/* A layer that the file does not spell out: the join of a residual or of a branch. */
static void join(const struct group *g, const char *word, const int *inputs, int count, int *above) {
    const char *near;
    struct cvy_node *node;
    struct cvy_layer layer = {.kind = cvy_ops_find(word, false, &near),
                              .place = g->text->node,
                              .word = g->text->word,
                              .inputs = inputs,
                              .count = count};
    if (layer.kind == NULL) {
        cvy_find(g->x->findings, g->text->word, "there is no layer \"%s\" to join with", word);
        return;
    }
    g->x->status = cvy_tree_scalar(g->x->tree, g->text->word, word, &node);
    if (g->x->status != CVY_OK) return;
    struct text as_text = {.node = g->text->node, .word = node};
    layer.name = make_name(g->x, g->scope, &as_text);
    emit(g->x, &layer, above);
}

struct residual {
    const struct cvy_node *layers, *shortcut, *after;
};

static const struct cvy_key residual_keys[] = {
    {"layers", CVY_KEY_NODE, offsetof(struct residual, layers), NULL, CVY_KEY_ANY, NULL, "the way round the shortcut"},
    {"shortcut", CVY_KEY_NODE, offsetof(struct residual, shortcut), "", CVY_KEY_ANY, NULL, NULL},
    {"after", CVY_KEY_NODE, offsetof(struct residual, after), "", CVY_KEY_ANY, NULL, NULL},
    CVY_KEY_END};

static void visit(struct expander *x, struct scope *s, const struct cvy_node *item, int *above);

/* F(x) + x (He et al. 2016). */
static int residual(const struct group *g) {
    struct residual r = {0};
    if (!read_group(g, residual_keys, &r)) return g->input;
    int ends[2] = {g->input, g->input}, out = g->input;
    expand_list(g->x, g->scope, r.layers, &ends[0]);
    if (r.shortcut) expand_list(g->x, g->scope, r.shortcut, &ends[1]);
    if (!going(g->x)) return g->input;
    join(g, "add", ends, 2, &out);
    if (r.after && strcmp(r.after->text, "none") != 0) visit(g->x, g->scope, r.after, &out);
    return out;
}

struct branch {
    const struct cvy_node *paths;
    int join;
};

#define JOINS "concat|add|multiply"
static const char *const joins[] = {"concat", "add", "multiply"};
static const struct cvy_key branch_keys[] = {
    {"paths", CVY_KEY_NODE, offsetof(struct branch, paths), NULL, CVY_KEY_ANY, NULL, "a list of lists of layers"},
    {"join", CVY_KEY_CHOICE, offsetof(struct branch, join), "concat", CVY_KEY_ANY, JOINS, NULL},
    CVY_KEY_END};

/* Paths side by side from the same input; an empty one is the input itself. */
static int branch(const struct group *g) {
    struct branch b = {0};
    int out = g->input, *ends;
    if (!read_group(g, branch_keys, &b)) return out;
    if (b.paths == NULL || b.paths->kind != CVY_NODE_LIST || b.paths->count < 2) {
        cvy_find(g->x->findings, b.paths ? b.paths : g->text->word,
                 "%s: \"paths\" must be a list of at least two lists", g->name);
        return out;
    }
    int count = (int)b.paths->count;
    g->x->status = CVY_NEW(&ends, count, general);
    for (int i = 0; i < count && going(g->x); i++) {
        ends[i] = g->input;
        expand_list(g->x, g->scope, b.paths->items[i], &ends[i]);
    }
    if (going(g->x)) join(g, joins[b.join], ends, count, &out);
    if (ends) cvy_free(ends);
    return out;
}

struct repeat {
    int64_t times;
    const struct cvy_node *layers;
};

static const struct cvy_key repeat_keys[] = {
    {"times", CVY_KEY_INT, offsetof(struct repeat, times), NULL, 0, MAX_VISITS, NULL, "how often"},
    {"layers", CVY_KEY_NODE, offsetof(struct repeat, layers), NULL, CVY_KEY_ANY, NULL, "what is repeated"},
    CVY_KEY_END};

static int repeat(const struct group *g) {
    struct repeat r = {0};
    int out = g->input, before = g->x->findings->count;
    if (!read_group(g, repeat_keys, &r)) return out;
    for (int64_t i = 0; i < r.times && g->x->findings->count == before && step(g->x, g->text->word); i++)
        expand_list(g->x, g->scope, r.layers, &out);
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
static int aux(const struct group *g) {
    struct aux a = {0};
    int end = g->input, first = g->x->layers;
    if (!read_group(g, aux_keys, &a)) return g->input;
    expand_list(g->x, g->scope, a.layers, &end);
    if (end >= first)
        also_loss(g->x, end, a.weight ? a.weight : g->text->word);
    else
        cvy_find(g->x->findings, g->text->word, "%s: a head of at least one layer is needed", g->name);
    return g->input;
}

/* ---- blocks of the user ---- */

static int block_index(const struct expander *x, const char *name) {
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

static void reject_arguments(const struct group *g, const struct cvy_node *parameters) {
    const struct cvy_node *body = g->text->body;
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; parameters && i < parameters->count && count < 64; i++)
        names[count++] = parameters->keys[i]->text;
    if (body && body->kind != CVY_NODE_MAP && count == 0)
        cvy_find(g->x->findings, body, "%s: the block has no parameters", g->name);
    for (size_t i = 0; body && body->kind == CVY_NODE_MAP && i < body->count; i++) {
        const char *key = body->keys[i]->text, *near = cvy_nearest(key, names, count);
        if (cvy_node_get(parameters, key) == NULL)
            cvy_find(g->x->findings, body->keys[i], "%s: the block has no parameter \"%s\"%s%s%s", g->name, key,
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
}

/* The map of what the block's parameters are in this use. A default may use the parameters before it. */
static void bind(const struct group *g, const struct cvy_node *parameters, struct cvy_node *values) {
    struct expander *x = g->x;
    const struct cvy_names names = {values, &x->names};
    const struct cvy_substitution defaults = {x->tree, &names, x->findings, &x->room};
    reject_arguments(g, parameters);
    for (size_t i = 0; parameters && i < parameters->count && x->status == CVY_OK; i++) {
        struct cvy_node *value = (struct cvy_node *)(uintptr_t)argument(g->text->body, parameters, i);
        if (value == NULL && !cvy_node_is_null(parameters->items[i]))
            x->status = cvy_substitute(&defaults, parameters->items[i], &value);
        if (value && !cvy_node_is_null(value)) {
            if (x->status == CVY_OK) x->status = cvy_node_append(x->tree, values, parameters->keys[i], value);
        } else
            cvy_find(x->findings, g->text->word, "%s: \"%s\" is missing", g->name, parameters->keys[i]->text);
    }
}

/* Whether this block is being written out already; says so with the chain of uses. */
static bool recurses(const struct group *g) {
    char chain[512] = "";
    const char *block = g->text->word->text;
    const struct scope *found = NULL;
    for (const struct scope *s = g->scope->outer; s; s = s->outer)
        if (s->block && strcmp(s->block, block) == 0) found = s;
    if (found == NULL) return false;
    for (const struct scope *s = g->scope->outer; s; s = s->outer) { /* from the innermost: put in front */
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

static int use_block(const struct group *g, int index) {
    struct expander *x = g->x;
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
    if (x->status == CVY_OK && x->findings->count == before) expand_list(x, g->scope, written, &out);
    if (x->findings->count > before && x->broken[index] && going(x)) { /* the first use has told what is wrong */
        x->findings->count = before;
        x->findings->text[said] = '\0';
    }
    x->broken[index] |= x->findings->count > before;
    return out;
}

/* ---- one layer ---- */

static const struct structure {
    const char *name;
    int (*expand)(const struct group *g);
    bool scope; /* also without a name */
} structures[] = {
    {"residual", residual, false}, {"branch", branch, false}, {"repeat", repeat, false}, {"aux", aux, true}};

enum { STRUCTURES = sizeof structures / sizeof *structures };

static const struct structure *find_structure(const char *name) {
    for (int i = 0; i < STRUCTURES; i++)
        if (strcmp(structures[i].name, name) == 0) return &structures[i];
    return NULL;
}

static void group(struct expander *x, struct scope *s, const struct text *t, const struct structure *structure,
                  int *above) {
    struct scope inner;
    struct group g = {.x = x, .text = t, .name = make_name(x, s, t), .scope = s};
    g.input = group_input(x, s, t, *above);
    bool scoped = structure == NULL || structure->scope || t->name;
    if (t->weight) cvy_find(x->findings, t->weight, "loss_weight belongs beside a layer; %s is none", g.name);
    if (++x->depth > MAX_DEPTH)
        cvy_find(x->findings, t->word, "%s: more than %d blocks inside one another", g.name, MAX_DEPTH);
    if (x->depth <= MAX_DEPTH && x->status == CVY_OK) {
        if (scoped) enter(x, s, g.name, g.input, &inner);
        if (scoped) g.scope = &inner;
        if (x->status == CVY_OK)
            *above = structure ? structure->expand(&g) : use_block(&g, block_index(x, t->word->text));
        if (scoped) leave(&inner);
    }
    x->depth--;
    add_symbol(x, g.name, *above, t->node);
}

static void unknown(struct expander *x, const struct cvy_node *word, const char *near_op) {
    const char *names[256];
    size_t count = 0;
    for (int i = 0; i < STRUCTURES; i++) names[count++] = structures[i].name;
    for (size_t i = 0; x->blocks && i < x->blocks->count && count < 255; i++) names[count++] = x->blocks->keys[i]->text;
    if (near_op) names[count++] = near_op;
    const char *near = cvy_nearest(word->text, names, count);
    cvy_find(x->findings, word, "unknown layer \"%s\"%s%s%s", word->text, near ? "; did you mean \"" : "",
             near ? near : "", near ? "\"?" : "");
}

static void visit(struct expander *x, struct scope *s, const struct cvy_node *item, int *above) {
    struct text t;
    const char *near = NULL;
    if (!step(x, item) || !read_text(x, item, &t) || !wanted(x, t.when)) return;
    const struct structure *structure = find_structure(t.word->text);
    if (structure || block_index(x, t.word->text) >= 0) {
        group(x, s, &t, structure, above);
        return;
    }
    const struct cvy_op_kind *kind = cvy_ops_find(t.word->text, false, &near);
    if (kind)
        plain(x, s, &t, kind, above);
    else
        unknown(x, t.word, near);
}

static void expand_list(struct expander *x, struct scope *s, const struct cvy_node *list, int *above) {
    if (list && list->kind != CVY_NODE_LIST) visit(x, s, list, above); /* one alone */
    for (size_t i = 0; list && list->kind == CVY_NODE_LIST && i < list->count && going(x); i++)
        visit(x, s, list->items[i], above);
}

/* ---- the whole ---- */

static void check_block(struct expander *x, const struct cvy_node *name, const struct cvy_node *block) {
    static const char *const known[] = {"parameters", "layers"};
    const struct cvy_node *parameters = cvy_node_get(block, "parameters"), *layers = cvy_node_get(block, "layers");
    const char *near;
    if (find_structure(name->text) || cvy_ops_find(name->text, false, &near))
        cvy_find(x->findings, name, "blocks: there is a layer \"%s\" already; choose another name", name->text);
    else if (!name_is_good(name) || strchr(name->text, '/') || strlen(name->text) > 64)
        cvy_find(x->findings, name, "blocks: a name has letters, digits, _ and -, at most 64");
    for (size_t i = 0; block->kind == CVY_NODE_MAP && i < block->count; i++)
        if (strcmp(block->keys[i]->text, known[0]) != 0 && strcmp(block->keys[i]->text, known[1]) != 0)
            cvy_find(x->findings, block->keys[i], "block %s: unknown key \"%s\"; it has parameters and layers",
                     name->text, block->keys[i]->text);
    bool parameter = layers && layers->kind == CVY_NODE_SCALAR && layers->text[0] == '$';
    if (!parameter && (layers == NULL || layers->kind != CVY_NODE_LIST || layers->count == 0))
        cvy_find(x->findings, layers ? layers : name, "block %s: \"layers\" must be a list of at least one layer",
                 name->text);
    if (parameters && !cvy_node_is_null(parameters) && parameters->kind != CVY_NODE_MAP)
        cvy_find(x->findings, parameters, "block %s: \"parameters\" must be a map of names and defaults", name->text);
}

static void read_blocks(struct expander *x, const struct cvy_node *model) {
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

static void read_parameters(struct expander *x, const struct cvy_node *model) {
    const struct cvy_node *parameters = cvy_node_get(model, "parameters");
    if (cvy_node_is_null(parameters)) return;
    if (parameters->kind != CVY_NODE_MAP)
        cvy_find(x->findings, parameters, "model: \"parameters\" must be a map of names and defaults");
    for (size_t i = 0; parameters->kind == CVY_NODE_MAP && i < parameters->count; i++)
        if (cvy_node_is_null(parameters->items[i]))
            cvy_find(x->findings, parameters->keys[i], "the model's parameter \"%s\" must be given",
                     parameters->keys[i]->text);
    x->names.values = parameters;
}

static void walk(struct expander *x, const struct cvy_node *layers, int *above) {
    struct scope root = {.prefix = "", .input = -1};
    const struct cvy_substitution s = {x->tree, &x->names, x->findings, &x->room};
    struct cvy_node *written;
    int before = x->findings->count;
    x->status = cvy_substitute(&s, layers, &written);
    if (x->status == CVY_OK && x->findings->count == before) expand_list(x, &root, written, above);
    leave(&root);
}

cvy_status cvy_expand(struct cvy_node *model, struct cvy_tree *tree, const struct cvy_layer_sink *sink,
                      struct cvy_findings *findings, int *output) {
    struct expander x = {.tree = tree, .sink = sink, .findings = findings, .room = MAX_COPIED, .status = CVY_OK};
    const struct cvy_node *layers = cvy_node_get(model, "layers");
    int before = findings->count;
    *output = -1;
    for (int i = 0; i < BUCKETS; i++) x.bucket[i] = -1;
    read_parameters(&x, model);
    read_blocks(&x, model);
    if (x.status == CVY_OK && layers && findings->count == before) walk(&x, layers, output);
    cvy_free(x.symbols);
    cvy_free(x.broken);
    return x.status;
}
