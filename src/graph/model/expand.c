/* From structured layers to plain ones, by walking the file once and giving each plain layer to the sink. `above` is
 * always the layer whose output comes in: −1 the network's input. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "graph/model/expand_parts.h"

bool cvy_expand_going(const struct cvy_expander *x) {
    return x->status == CVY_OK && x->visits <= CVY_MAX_VISITS && x->room > 0;
}

bool cvy_expand_step(struct cvy_expander *x, const struct cvy_node *place) {
    if (++x->visits == CVY_MAX_VISITS + 1)
        cvy_find(x->findings, place, "more than %d layers when written out", CVY_MAX_VISITS);
    return cvy_expand_going(x);
}

/* ---- reading one layer ---- */

#define BESIDE(member, name, help)                                                                                     \
    { name, CVY_KEY_NODE, offsetof(struct cvy_layer_text, member), "", CVY_KEY_ANY, NULL, help }
static const struct cvy_key beside[] = {
    BESIDE(name, "name", "what it is called; without it the kind and its count, conv2"),
    BESIDE(inputs, "inputs", "what it takes, by name; without it the layer above; input: the network's input"),
    BESIDE(when, "when", "it is there only if this is true, as in $(stride != 1)"),
    BESIDE(weight, "loss_weight", "the loss is also taken of its output, in training, times this"),
    BESIDE(lr_factor, "lr_factor", "its learning rate is this many times the others'; also of a group or block"),
    BESIDE(frozen, "frozen", "true: lr_factor 0, and running statistics stay as they are too"),
    CVY_KEY_END};

const struct cvy_key *cvy_layer_keys(void) {
    return beside;
}

bool cvy_layer_is_beside(const char *word) {
    for (const struct cvy_key *k = beside; k->name; k++)
        if (strcmp(k->name, word) == 0) return true;
    return false;
}

/* What a key means that stands beside a kind, or should: `freeze` is `frozen`; `near`: as `frozn` may be, too. NULL:
 * none of these. */
static const struct cvy_key *beside_meant(const char *word, bool near) {
    const char *names[CVY_SCHEMA_NAMES];
    const size_t count = cvy_schema_names(beside, names);
    const char *found = near ? cvy_nearest(word, names, count) : cvy_meant(word, names, count);
    const struct cvy_key *key = beside;
    while (found && key->name != found) key++;
    return found ? key : NULL;
}

static bool is_own(const struct cvy_key *own, const char *word) {
    while (own && own->name && strcmp(own->name, word) != 0) own++;
    return own && own->name;
}

bool cvy_layer_misplaced(const struct cvy_node *body, const struct cvy_node *word, const struct cvy_key *own,
                         const char *name, struct cvy_findings *findings) {
    for (size_t i = 0; body && body->kind == CVY_NODE_MAP && i < body->count; i++) {
        const char *key = body->keys[i]->text;
        const struct cvy_key *meant = is_own(own, key) ? NULL : beside_meant(key, false);
        if (meant == NULL) continue;
        if (strcmp(meant->name, key) == 0)
            cvy_find(findings, body->keys[i], "%s: %s stands beside the settings, not among them: - {%s: {…}, %s: …}",
                     name, key, word->text, key);
        else
            cvy_find(findings, body->keys[i],
                     "%s: unknown key \"%s\"; did you mean \"%s\", beside the settings: - {%s: {…}, %s: …}? (%s)", name,
                     key, meant->name, word->text, meant->name, meant->help);
        return true;
    }
    return false;
}

/* What stands beside a kind in other words. */
static bool find_misspelt(struct cvy_expander *x, const struct cvy_node *node) {
    const int before = x->findings->count;
    for (size_t i = 0; node->kind == CVY_NODE_MAP && i < node->count; i++) {
        const struct cvy_node *key = node->keys[i];
        const struct cvy_key *meant = beside_meant(key->text, true);
        if (meant && strcmp(meant->name, key->text) != 0)
            cvy_find(x->findings, key, "unknown key \"%s\" beside a layer; did you mean \"%s\"? (%s)", key->text,
                     meant->name, meant->help);
    }
    return x->findings->count > before;
}

/* "conv, activation": what stands where one kind should. */
static const char *found_kinds(const struct cvy_node *node, char out[128]) {
    size_t used = 0;
    snprintf(out, 128, "%s", node->kind == CVY_NODE_LIST ? "a list" : "none");
    for (size_t i = 0; node->kind == CVY_NODE_MAP && i < node->count && used < 100; i++)
        if (!cvy_layer_is_beside(node->keys[i]->text))
            used += (size_t)snprintf(out + used, 128 - used, "%s%.24s", used ? ", " : "", node->keys[i]->text);
    return out;
}

/* `conv: {…}`, `tanh`, `maxpool: 2`, each with `name`, `inputs`, `when`, `loss_weight`, `lr_factor` and `frozen` beside
 * the kind. */
static bool read_text(struct cvy_expander *x, const struct cvy_node *node, struct cvy_layer_text *out) {
    *out = (struct cvy_layer_text){.node = node};
    if (node->kind == CVY_NODE_SCALAR) {
        out->word = node;
        return true;
    }
    char found[128];
    int kinds = 0;
    for (size_t i = 0; node->kind == CVY_NODE_MAP && i < node->count; i++) {
        bool known = false;
        for (const struct cvy_key *k = beside; k->name; k++)
            if (strcmp(node->keys[i]->text, k->name) == 0) {
                *(const struct cvy_node **)((char *)out + k->offset) = node->items[i];
                known = true;
            }
        if (known) continue;
        kinds++;
        out->word = node->keys[i];
        out->body = cvy_node_is_null(node->items[i]) ? NULL : node->items[i];
    }
    if (kinds == 1) return true;
    if (find_misspelt(x, node)) return false;
    cvy_find(
        x->findings, node,
        "a layer is one kind with its settings, as in {conv: {filters: 8, kernel: 3}}, and name and inputs if wanted; "
        "found %s",
        found_kinds(node, found));
    return false;
}

static bool wanted(struct cvy_expander *x, const struct cvy_node *when) {
    bool truth;
    int64_t number;
    if (when == NULL) return true;
    if (cvy_node_bool(when, &truth)) return truth;
    if (cvy_node_int(when, &number)) return number != 0;
    cvy_find(x->findings, when, "when: expected true, false or a comparison as in $(stride != 1)");
    return false;
}

/* What a layer or group adds to those around it. */
static double lr_factor_of(struct cvy_expander *x, const struct cvy_layer_text *t) {
    double factor = 1;
    bool frozen = false;
    if (t->lr_factor && (!cvy_node_real(t->lr_factor, &factor) || !(factor >= 0 && factor <= 1e6))) {
        cvy_find(x->findings, t->lr_factor, "lr_factor: expected a number from 0 (frozen) to 1e6");
        factor = 1;
    }
    if (t->frozen && !cvy_node_bool(t->frozen, &frozen))
        cvy_find(x->findings, t->frozen, "frozen: expected true or false");
    return frozen ? 0 : factor;
}

/* ---- plain layers ---- */

void cvy_expand_emit(struct cvy_expander *x, struct cvy_layer *layer, int *above) {
    if (x->status != CVY_OK) return;
    layer->lr_factor = x->lr_factor;
    cvy_late_edges(x, x->layers, layer->inputs, layer->count);
    if (x->status == CVY_OK) x->status = x->sink->layer(x->sink->arg, layer);
    *above = x->layers++;
    cvy_scope_add(x, layer->name, *above, layer->place);
}

void cvy_expand_loss(struct cvy_expander *x, int layer, const struct cvy_node *weight) {
    double value;
    if (!cvy_node_real(weight, &value) || !(value > 0 && value <= 1e6)) {
        cvy_find(x->findings, weight, "loss_weight: expected a weight above 0, at most 1e6");
        value = 1;
    }
    x->sink->also_loss(x->sink->arg, layer, value);
}

static void plain(struct cvy_expander *x, struct cvy_scope *s, const struct cvy_layer_text *t,
                  const struct cvy_op_kind *kind, int *above) {
    const struct cvy_node *list = t->inputs;
    bool many = list && list->kind == CVY_NODE_LIST;
    int count = many ? (int)list->count : 1, *inputs;
    struct cvy_layer layer = {.kind = kind, .place = t->node, .word = t->word, .body = t->body, .count = count};
    layer.name = cvy_scope_name(x, s, t);
    if (x->status == CVY_OK) x->status = CVY_NEW(&inputs, count ? count : 1, general);
    if (x->status != CVY_OK) return;
    inputs[0] = *above;
    for (int i = 0; i < count; i++)
        inputs[i] = list ? cvy_scope_input(x, s, many ? list->items[i] : list, *above) : *above;
    layer.inputs = inputs;
    const double around = x->lr_factor;
    x->lr_factor *= lr_factor_of(x, t);
    cvy_expand_emit(x, &layer, above);
    x->lr_factor = around;
    cvy_free(inputs);
    if (t->weight) cvy_expand_loss(x, *above, t->weight);
}

/* ---- one layer ---- */

static void group(struct cvy_expander *x, struct cvy_scope *s, const struct cvy_layer_text *t,
                  const struct cvy_structure *structure, int *above) {
    struct cvy_scope inner;
    struct cvy_group g = {.x = x, .text = t, .name = cvy_scope_name(x, s, t), .scope = s};
    g.input = cvy_scope_group_input(x, s, t, *above);
    const double around = x->lr_factor;
    x->lr_factor *= lr_factor_of(x, t);
    bool scoped = structure == NULL || structure->scope || t->name;
    const int first = x->layers;
    if (t->weight) cvy_find(x->findings, t->weight, "loss_weight belongs beside a layer; %s is none", g.name);
    if (++x->depth > CVY_MAX_DEPTH)
        cvy_find(x->findings, t->word, "%s: more than %d blocks inside one another", g.name, CVY_MAX_DEPTH);
    if (x->depth <= CVY_MAX_DEPTH && x->status == CVY_OK) {
        if (scoped) cvy_scope_enter(x, s, g.name, g.input, &inner);
        if (scoped) g.scope = &inner;
        if (x->status == CVY_OK)
            *above = structure ? structure->expand(&g) : cvy_block_use(&g, cvy_block_index(x, t->word->text));
        if (scoped) cvy_scope_leave(&inner);
        if (!scoped && x->status == CVY_OK) x->status = x->sink->group(x->sink->arg, g.name, first, x->layers);
    }
    x->depth--;
    x->lr_factor = around;
    cvy_scope_add(x, g.name, *above, t->node);
}

static void unknown(struct cvy_expander *x, const struct cvy_node *word, const char *near_op) {
    const char *names[256];
    size_t count = cvy_structure_names(names);
    for (size_t i = 0; x->blocks && i < x->blocks->count && count < 255; i++) names[count++] = x->blocks->keys[i]->text;
    if (near_op) names[count++] = near_op;
    const char *near = cvy_nearest(word->text, names, count), *other;
    if (cvy_losses_find(word->text, &other)) {
        cvy_find(x->findings, word, "\"%s\" is a loss, no layer; it stands in the experiment: train: {loss: %s}",
                 word->text, word->text);
        return;
    }
    if (strcmp(word->text, "activation") == 0 || strcmp(word->text, "input") == 0) {
        cvy_find(x->findings, word, "unknown layer \"%s\"; %s", word->text,
                 word->text[0] == 'a'
                     ? "an activation is a layer by its own name, such as - relu"
                     : "the input's size stands in the model, beside layers: input: [height, width, channels]");
        return;
    }
    cvy_find(x->findings, word, "unknown layer \"%s\"; %s%s%s", word->text, near ? "did you mean \"" : "",
             near ? near : "convoy help layers lists them", near ? "\"?" : "");
}

void cvy_expand_visit(struct cvy_expander *x, struct cvy_scope *s, const struct cvy_node *item, int *above) {
    struct cvy_layer_text t;
    const char *near = NULL;
    if (!cvy_expand_step(x, item) || !read_text(x, item, &t) || !wanted(x, t.when)) return;
    const struct cvy_structure *structure = cvy_structure_find(t.word->text);
    if (structure || cvy_block_index(x, t.word->text) >= 0) {
        group(x, s, &t, structure, above);
        return;
    }
    const struct cvy_op_kind *kind = cvy_ops_find(t.word->text, &near);
    if (kind)
        plain(x, s, &t, kind, above);
    else
        unknown(x, t.word, near);
}

void cvy_expand_list(struct cvy_expander *x, struct cvy_scope *s, const struct cvy_node *list, int *above) {
    if (list && list->kind != CVY_NODE_LIST) cvy_expand_visit(x, s, list, above); /* one alone */
    for (size_t i = 0; list && list->kind == CVY_NODE_LIST && i < list->count && cvy_expand_going(x); i++)
        cvy_expand_visit(x, s, list->items[i], above);
}

/* ---- the whole ---- */

static void read_parameters(struct cvy_expander *x, const struct cvy_node *model) {
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

static void walk(struct cvy_expander *x, const struct cvy_node *layers, int *above) {
    struct cvy_scope root = {.prefix = "", .input = -1};
    const struct cvy_substitution s = {x->tree, &x->names, x->findings, &x->room};
    struct cvy_node *written;
    int before = x->findings->count;
    x->status = cvy_substitute(&s, layers, &written);
    if (x->status == CVY_OK && x->findings->count == before) cvy_expand_list(x, &root, written, above);
    cvy_scope_leave(&root);
}

cvy_status cvy_expand(struct cvy_node *model, struct cvy_tree *tree, const struct cvy_layer_sink *sink,
                      struct cvy_findings *findings, int *output) {
    struct cvy_expander x = {
        .tree = tree, .sink = sink, .findings = findings, .room = CVY_MAX_COPIED, .lr_factor = 1, .status = CVY_OK};
    const struct cvy_node *layers = cvy_node_get(model, "layers");
    int before = findings->count;
    *output = -1;
    for (int i = 0; i < CVY_NAME_BUCKETS; i++) x.bucket[i] = -1;
    read_parameters(&x, model);
    cvy_blocks_read(&x, model);
    if (x.status == CVY_OK && layers && findings->count == before) walk(&x, layers, output);
    cvy_late_report(&x);
    cvy_free(x.symbols);
    cvy_free(x.broken);
    return x.status;
}
