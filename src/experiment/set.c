#include "experiment/set.h"

#include <stdio.h>
#include <string.h>

#include "convoy/reference.h"
#include "core/tree/schema.h"
#include "graph/model/graph.h"
#include "graph/model/model.h"
#include "io/yaml.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "experiment/elsewhere.h"
#include "experiment/keys.h"
#include "experiment/setting.h"

/* One value on its way in. */
struct setting {
    struct cvy_tree *tree;
    struct cvy_findings *findings;
    const char *text;      /* "train.optimizer.adam.beta1=0.8" */
    struct cvy_node place; /* of findings, and of maps that are made */
    char path[512];        /* as far as it has come: "train.optimizer" */
};

/* ---- Short forms ---- */

static bool has_key(const struct cvy_variant *v, const char *kind, const char *name) {
    struct cvy_listing listing;
    const bool known = cvy_listing_find(v->list, kind, &listing);
    for (const struct cvy_key *k = known ? listing.keys : NULL; k && k->name; k++)
        if (strcmp(k->name, name) == 0) return true;
    return false;
}

static cvy_status wrap(const struct setting *s, const char *key, struct cvy_node *value, struct cvy_node **out) {
    CVY_TRY(cvy_tree_node(s->tree, CVY_NODE_MAP, value, out));
    return cvy_node_set(s->tree, *out, key, value);
}

/* The map that a scalar at this path is short for, or NULL. */
static cvy_status widen(const struct setting *s, struct cvy_node *scalar, struct cvy_node **out) {
    static const char *const files[] = {"model", "data.train", "data.validation", "data.test"};
    double number;
    struct cvy_node *inner;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(s->path, files[i]) == 0) return wrap(s, "file", scalar, out);
    const struct cvy_variant *v = cvy_variant_at(s->path);
    if (v == NULL) return CVY_OK;
    if (v->list == cvy_schedules_list && cvy_node_real(scalar, &number)) {
        CVY_TRY(wrap(s, "value", scalar, &inner));
        return wrap(s, v->fallback, inner, out);
    }
    CVY_TRY(cvy_tree_scalar(s->tree, scalar, "", &inner));
    return wrap(s, scalar->text, inner, out);
}

/* ---- The way to the value ---- */

/* `next` must be the kind that is there, if one is. */
static void check_variant(const struct setting *s, const struct cvy_node *map, const char *next) {
    struct cvy_listing listing;
    const struct cvy_variant *v = cvy_variant_at(s->path);
    if (v == NULL || map->count > 1) return;
    const char *kind = map->count ? map->keys[0]->text : v->fallback;
    if (strcmp(kind, next) == 0) return;
    const size_t done = strlen(s->path);
    const bool is_kind = cvy_listing_find(v->list, next, &listing);
    if (map->count == 0 && (is_kind || !has_key(v, kind, next))) return;
    if (is_kind)
        cvy_find(s->findings, &s->place, "%s is %s; choose %s first: --set %s=%s, then --set %s", s->path, kind, next,
                 s->path, next, s->text);
    else if (has_key(v, kind, next))
        cvy_find(s->findings, &s->place, "%s is %s; write --set %s.%s%s", s->path, kind, s->path, kind, s->text + done);
    else
        cvy_find(s->findings, &s->place, "%s is %s, which has no \"%s\"; convoy help %s lists its settings", s->path,
                 kind, next, kind);
}

/* The map under `key`, made where it is missing or null; NULL, with a finding, where it cannot be one. */
static cvy_status enter(struct setting *s, const char *key, struct cvy_node **map) {
    struct cvy_node *child = cvy_node_get(*map, key), *wide = NULL;
    size_t used = strlen(s->path);
    snprintf(s->path + used, sizeof s->path - used, "%s%.200s", used ? "." : "", key);
    if (cvy_node_is_null(child))
        CVY_TRY(cvy_tree_node(s->tree, CVY_NODE_MAP, &s->place, &wide));
    else if (child->kind == CVY_NODE_SCALAR)
        CVY_TRY(widen(s, child, &wide));
    if (wide) CVY_TRY(cvy_node_set(s->tree, *map, key, wide));
    *map = wide ? wide : child->kind == CVY_NODE_MAP ? child : NULL;
    if (*map) return CVY_OK;
    if (child->kind == CVY_NODE_LIST)
        cvy_find(s->findings, &s->place, "%s is a list; replace all of it: --set %s=[…]", s->path, s->path);
    else
        cvy_find(s->findings, &s->place, "%s is \"%s\", which has no settings of its own", s->path, child->text);
    return CVY_OK;
}

/* What the first word of a key was meant to be: a section in other words, a setting of one, a misspelt section. */
static bool find_meant(const struct cvy_listing *sections, const char *word, char path[64]) {
    const char *names[CVY_SCHEMA_NAMES];
    const size_t count = cvy_schema_names(sections->keys, names);
    const char *near = cvy_meant(word, names, count);
    if (near == NULL && cvy_reference_path(word, path)) return true;
    if (near == NULL) near = cvy_nearest(word, names, count);
    if (near) snprintf(path, 64, "%s", near);
    return near != NULL;
}

/* A key as it stands in a model's file. */
static bool is_models(const char *word) {
    struct cvy_listing model = {0};
    cvy_model_list(0, &model);
    for (const struct cvy_key *k = model.keys; k && k->name; k++)
        if (strcmp(k->name, word) == 0) return true;
    return false;
}

/* "epochs=3" lacks its section. True when the key's first word is none of an experiment's. */
static bool reject_first(const struct setting *s) {
    char word[256], path[64], option[160];
    struct cvy_listing sections = {0};
    cvy_experiment_list(0, &sections);
    const size_t length = strcspn(s->text, ".=");
    snprintf(word, sizeof word, "%.*s", (int)length, s->text);
    for (const struct cvy_key *k = sections.keys; k->name; k++)
        if (strcmp(k->name, word) == 0) return false;
    if (is_models(word))
        cvy_find(s->findings, &s->place, "an experiment has no \"%s\", its model has: --set model.%s", word, s->text);
    else if (cvy_typed(word, s->text[length] == '=' ? s->text + length + 1 : NULL, option))
        cvy_find(s->findings, &s->place, "an experiment has no \"%s\"; did you mean %s?", word, option);
    else if (strpbrk(word, ":/"))
        cvy_find(s->findings, &s->place,
                 "an experiment has no \"%s\"; sections and settings are joined by points: --set "
                 "train.epochs=3",
                 word);
    else if (find_meant(&sections, word, path))
        cvy_find(s->findings, &s->place, "an experiment has no \"%s\"; did you mean --set %s%s?", word, path,
                 s->text + length);
    else
        cvy_find(s->findings, &s->place, "an experiment has no \"%s\"; convoy help experiment lists what it has", word);
    return true;
}

static cvy_status put(struct setting *s, struct cvy_node *root, const char *equals, struct cvy_node *value) {
    char keys[256], *start = keys;
    const int before = s->findings->count;
    snprintf(keys, sizeof keys, "%.*s", (int)(equals - s->text), s->text);
    if (reject_first(s)) return CVY_OK;
    for (char *dot; (dot = strchr(start, '.')); start = dot + 1) {
        *dot = '\0';
        CVY_TRY(enter(s, start, &root));
        if (root == NULL) return CVY_OK;
        char next[256];
        snprintf(next, sizeof next, "%.*s", (int)strcspn(dot + 1, "."), dot + 1);
        check_variant(s, root, next);
        if (s->findings->count > before) return CVY_OK;
    }
    return cvy_node_set(s->tree, root, start, value);
}

cvy_status cvy_experiment_set(struct cvy_tree *tree, struct cvy_node *root, const char *text, struct cvy_node **anchors,
                              struct cvy_findings *findings) {
    struct setting s = {.tree = tree, .findings = findings, .text = text};
    char name[sizeof CVY_SET + 256];
    struct cvy_node *value;
    const char *equals = strchr(text, '=');
    s.place = (struct cvy_node){.file = CVY_SET "a.b=v", .line = 1, .column = 1};
    if (equals == NULL || equals == text || (size_t)(equals - text) >= 256) {
        cvy_find(findings, &s.place, "expected key=value, found \"%s\"", text);
        return CVY_OK;
    }
    snprintf(name, sizeof name, CVY_SET "%.*s", (int)(equals - text), text);
    CVY_TRY(cvy_tree_text(tree, name, strlen(name), &s.place.file));
    const struct cvy_source_text source = {s.place.file, equals + 1, strlen(equals + 1)};
    CVY_TRY(cvy_yaml_parse_more(tree, &source, anchors, &value));
    return put(&s, root, equals, value);
}
