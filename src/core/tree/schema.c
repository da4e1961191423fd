#define _POSIX_C_SOURCE 200809L
#include "core/tree/schema.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    const struct cvy_key *key;
    const struct cvy_node *node; /* NULL: use the fallback */
    void *member;
    struct cvy_findings *findings;
};

/* 0.001, 1000000, 1e+09, 1073741824: zeros are not to be counted. */
static void name_bound(double bound, char out[24]) {
    snprintf(out, 24, "%g", bound);
    if (bound < 1e9 || strtod(out, NULL) != bound) snprintf(out, 24, "%.10g", bound);
}

void cvy_key_range(const struct cvy_key *key, char out[CVY_KEY_RANGE]) {
    const bool number = key->type == CVY_KEY_INT || key->type == CVY_KEY_REAL || key->type == CVY_KEY_PAIR;
    char low[24], high[24];
    out[0] = '\0';
    if (!number || key->low <= -1e18) return;
    name_bound(key->low, low);
    name_bound(key->high, high);
    snprintf(out, CVY_KEY_RANGE, "%s to %s", low, high);
}

static void in_range(const struct reading *r, double value) {
    char range[CVY_KEY_RANGE];
    if (value >= r->key->low && value <= r->key->high) return;
    cvy_key_range(r->key, range);
    if (value < r->key->low && r->key->high >= 1e9)
        cvy_find(r->findings, r->node, "%s: %.10g is out of range; at least %.10g", r->key->name, value, r->key->low);
    else
        cvy_find(r->findings, r->node, "%s: %.10g is out of range; from %s", r->key->name, value, range);
}

/* "nothing", "a list of 3", "a map", "\"two\"", "\"3\" in quotes, which is text". */
static void name_found(const struct cvy_node *node, char out[128]) {
    double number;
    const struct cvy_node bare = {.kind = CVY_NODE_SCALAR, .text = node->text};
    if (node->kind == CVY_NODE_LIST)
        snprintf(out, 128, "a list of %zu", node->count);
    else if (node->kind == CVY_NODE_MAP)
        snprintf(out, 128, "a map");
    else if (cvy_node_is_null(node))
        snprintf(out, 128, "nothing");
    else
        snprintf(out, 128, "\"%.80s\"%s", node->text,
                 node->quoted && cvy_node_real(&bare, &number) ? " in quotes, which is text" : "");
}

static void mistyped(const struct reading *r, const char *expected) {
    char found[128];
    name_found(r->node, found);
    cvy_find(r->findings, r->node, "%s: expected %s, found %s", r->key->name, expected, found);
}

static void read_int(const struct reading *r) {
    if (!cvy_node_int(r->node, r->member))
        mistyped(r, "a whole number");
    else
        in_range(r, (double)*(int64_t *)r->member);
}

static void read_real(const struct reading *r) {
    double *out = r->member;
    if (!cvy_node_real(r->node, out) || !isfinite(*out))
        mistyped(r, "a number");
    else
        in_range(r, *out);
}

static void read_bool(const struct reading *r) {
    if (!cvy_node_bool(r->node, r->member)) mistyped(r, "true or false");
}

static void read_text(const struct reading *r) {
    if (r->node->kind != CVY_NODE_SCALAR) {
        mistyped(r, "text");
        return;
    }
    *(const char **)r->member = r->node->text;
}

static int choice_index(const char *choices, const char *text) {
    size_t length = strlen(text);
    int index = 0;
    for (const char *p = choices; *p; index++) {
        size_t n = strcspn(p, "|");
        if (n == length && strncmp(p, text, n) == 0) return index;
        p += n + (p[n] == '|');
    }
    return -1;
}

/* "BF16" was meant to be bf16: in `out`, which is empty where it may be any. */
static void meant_choice(const char *choices, const char *text, char out[64]) {
    char copy[256], *rest = NULL;
    const char *names[16];
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", choices);
    for (char *word = strtok_r(copy, "|", &rest); word && count < 16; word = strtok_r(NULL, "|", &rest))
        names[count++] = word;
    const char *near = cvy_meant(text, names, count);
    snprintf(out, 64, "%s", near ? near : "");
}

static void read_choice(const struct reading *r) {
    int index = r->node->kind == CVY_NODE_SCALAR ? choice_index(r->key->choices, r->node->text) : -1;
    char expected[256], near[64] = "";
    if (index >= 0) {
        *(int *)r->member = index;
        return;
    }
    snprintf(expected, sizeof expected, "one of %s", r->key->choices);
    if (r->node->kind == CVY_NODE_SCALAR) meant_choice(r->key->choices, r->node->text, near);
    if (near[0])
        cvy_find(r->findings, r->node, "%s: expected %s, found \"%s\"; did you mean \"%s\"?", r->key->name, expected,
                 r->node->text, near);
    else
        mistyped(r, expected);
}

static void read_node(const struct reading *r) {
    bool given = r->node->line && !cvy_node_is_null(r->node); /* a fallback has no place */
    *(const struct cvy_node **)r->member = given ? r->node : NULL;
}

static void read_pair(const struct reading *r) {
    int64_t *out = r->member;
    bool list = r->node->kind == CVY_NODE_LIST && r->node->count == 2;
    for (int i = 0; i < 2; i++) {
        if (!cvy_node_int(list ? r->node->items[i] : r->node, &out[i])) {
            mistyped(r, "a whole number or [height, width]");
            return;
        }
        if (list || i == 0) in_range(r, (double)out[i]);
    }
}

static void read_init(const struct reading *r) {
    cvy_init_read(r->node, r->key->name, r->key->choices != NULL, r->member, r->findings);
}

static void read_key(const struct cvy_key *key, const struct cvy_node *node, void *out, struct cvy_findings *findings) {
    static void (*const readers[])(const struct reading *) = {
        [CVY_KEY_INT] = read_int,   [CVY_KEY_REAL] = read_real,     [CVY_KEY_BOOL] = read_bool,
        [CVY_KEY_TEXT] = read_text, [CVY_KEY_CHOICE] = read_choice, [CVY_KEY_NODE] = read_node,
        [CVY_KEY_PAIR] = read_pair, [CVY_KEY_INIT] = read_init,
    };
    readers[key->type](&(struct reading){key, node, (char *)out + key->offset, findings});
}

bool cvy_listing_find(cvy_lister *list, const char *name, struct cvy_listing *out) {
    for (int i = 0; list(i, out); i++)
        if (strcmp(out->name, name) == 0) return true;
    return false;
}

size_t cvy_schema_names(const struct cvy_key *keys, const char *names[CVY_SCHEMA_NAMES]) {
    size_t count = 0;
    for (const struct cvy_key *k = keys; k->name && count < CVY_SCHEMA_NAMES; k++) names[count++] = k->name;
    return count;
}

bool cvy_schema_misspelt(const struct cvy_node *map, const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; map && map->kind == CVY_NODE_MAP && i < map->count; i++) {
        const char *near = cvy_nearest(map->keys[i]->text, names, count);
        if (near && strcmp(near, name) == 0) return true;
    }
    return false;
}

/* A map beside the keys that it should have. */
struct reader {
    const struct cvy_key *keys;
    const struct cvy_node *map; /* NULL: none */
    const char *what;
    struct cvy_findings *findings;
    const char *names[CVY_SCHEMA_NAMES];
    size_t count;
    bool told; /* what is missing has been said, with a key that stands in its place */
};

static bool is_missing(const struct reader *r, const struct cvy_key *key) {
    return key->fallback == NULL && cvy_node_get(r->map, key->name) == NULL &&
           !cvy_schema_misspelt(r->map, key->name, r->names, r->count);
}

/* "layers" (the way round the shortcut)": what an unknown key may stand for; nothing where all is there. */
static void list_missing(const struct reader *r, char out[256]) {
    size_t used = 0;
    out[0] = '\0';
    for (const struct cvy_key *k = r->keys; k->name && used < 200; k++)
        if (is_missing(r, k))
            used += (size_t)snprintf(out + used, 256 - used, "%s\"%s\"%s%.60s%s", used ? " and " : "", k->name,
                                     k->help ? " (" : "", k->help ? k->help : "", k->help ? ")" : "");
}

/* "rate, seed, …" */
static void list_names(const struct reader *r, char out[256]) {
    size_t used = 0;
    for (size_t i = 0; i < r->count && used < 200; i++)
        used += (size_t)snprintf(out + used, 256 - used, "%s%.40s", i ? ", " : "", used < 160 ? r->names[i] : "…");
}

/* It is like none: what is missing stands there under this name, or it is too much. */
static void report_stranger(struct reader *r, const struct cvy_node *key) {
    char text[256];
    if (isdigit((unsigned char)key->text[0])) { /* 0,01 in braces */
        cvy_find(r->findings, key,
                 "%s: unknown key \"%s\"; numbers are written with a point, 0.01, and a comma ends one", r->what,
                 key->text);
        return;
    }
    list_missing(r, text);
    if (text[0] && !r->told) {
        cvy_find(r->findings, key, "%s: unknown key \"%s\"; it needs %s", r->what, key->text, text);
        r->told = true;
        return;
    }
    list_names(r, text);
    cvy_find(r->findings, key, "%s: unknown key \"%s\"; %s%s", r->what, key->text,
             r->count ? "known are " : "it has no settings", text);
}

/* As --set writes it: of "init.except" "init: {except: …}", where the first is a key here. */
static bool report_dotted(struct reader *r, const struct cvy_node *key) {
    char first[64], levels[160] = "", ends[32] = "";
    size_t used = 0, depth = 0;
    const size_t length = strcspn(key->text, ".");
    snprintf(first, sizeof first, "%.*s", (int)length, key->text);
    if (key->text[length] == '\0' || strlen(key->text) > 40 || !cvy_meant(first, r->names, r->count)) return false;
    for (const char *c = key->text; *c && depth + 1 < sizeof ends; c++) {
        if (*c == '.') ends[depth++] = '}';
        used += (size_t)snprintf(levels + used, sizeof levels - used, "%.*s", *c == '.' ? 3 : 1, *c == '.' ? ": {" : c);
    }
    cvy_find(r->findings, key, "%s: unknown key \"%s\"; in a file a dot is a level: %s: …%s", r->what, key->text,
             levels, ends);
    return true;
}

/* What it was meant to be here, what it is elsewhere, what is spelt like it. */
static void report_unknown(struct reader *r, const struct cvy_node *key) {
    char meant[160], missing[256];
    const char *near = cvy_meant(key->text, r->names, r->count);
    if (near == NULL && report_dotted(r, key)) return;
    list_missing(r, missing);
    if (near == NULL && !missing[0] && r->findings->elsewhere && r->findings->elsewhere(key->text, meant)) {
        cvy_find(r->findings, key, "%s: unknown key \"%s\"; did you mean %s?", r->what, key->text, meant);
        return;
    }
    if (near == NULL) near = cvy_nearest(key->text, r->names, r->count);
    if (near)
        cvy_find(r->findings, key, "%s: unknown key \"%s\"; did you mean \"%s\"?", r->what, key->text, near);
    else
        report_stranger(r, key);
}

static void reject_unknown(struct reader *r) {
    const struct cvy_node *map = r->map;
    for (size_t i = 0; i < map->count; i++) {
        const char *name = map->keys[i]->text;
        bool known = false, twice = false;
        for (size_t k = 0; k < r->count; k++) known |= strcmp(r->names[k], name) == 0;
        for (size_t j = 0; j < i; j++) twice |= strcmp(map->keys[j]->text, name) == 0;
        if (twice) cvy_find(r->findings, map->keys[i], "%s: key \"%s\" is given twice", r->what, name);
        if (!known) report_unknown(r, map->keys[i]);
    }
}

static void report_missing(const struct cvy_key *key, const struct cvy_node *place, const char *what,
                           struct cvy_findings *findings) {
    cvy_find(findings, place, "%s: \"%s\" is missing%s%s", what, key->name, key->help ? ": " : "",
             key->help ? key->help : "");
}

/* "expected a map of settings: {every: …, keep: …}"; of a text in place of the map, as the first of them where that is
 * one: {from: runs/x, except: …}. */
static void report_no_map(const struct cvy_key *keys, const struct cvy_node *found, const char *what,
                          struct cvy_findings *findings) {
    char form[192] = "", value[128];
    if (keys->name == NULL) {
        name_found(found, value);
        cvy_find(findings, found, "%s: has no settings, found %s; leave it out", what, value);
        return;
    }
    size_t used = 0;
    const bool is_first = found->kind == CVY_NODE_SCALAR && keys->type == CVY_KEY_TEXT;
    for (int i = 0; i < 3 && keys[i].name && used < sizeof form; i++)
        used += (size_t)snprintf(form + used, sizeof form - used, "%s%.24s: %.64s", i ? ", " : ": {", keys[i].name,
                                 is_first && i == 0 ? found->text : "…");
    cvy_find(findings, found, "%s: expected a map of settings%s%s", what, form, used ? "}" : "");
}

void cvy_schema_read(const struct cvy_key *keys, const struct cvy_node *map, const struct cvy_node *place,
                     const char *what, void *out, struct cvy_findings *findings) {
    if (cvy_node_is_null(map)) map = NULL;
    if (map && map->kind != CVY_NODE_MAP) {
        report_no_map(keys, map, what, findings);
        return;
    }
    struct reader r = {.keys = keys, .map = map, .what = what, .findings = findings};
    r.count = cvy_schema_names(keys, r.names);
    if (map) reject_unknown(&r);
    for (const struct cvy_key *k = keys; k->name; k++) {
        const struct cvy_node *node = cvy_node_get(map, k->name);
        struct cvy_node fallback = {.kind = CVY_NODE_SCALAR, .file = "default", .text = k->fallback};
        if (node || k->fallback)
            read_key(k, node ? node : &fallback, out, findings);
        else if (is_missing(&r, k) && !r.told)
            report_missing(k, place, what, findings);
    }
}

bool cvy_schema_variant(const struct cvy_node *node, const char *what, const struct cvy_node **name,
                        const struct cvy_node **body, struct cvy_findings *findings) {
    *body = NULL;
    if (node->kind == CVY_NODE_SCALAR) {
        *name = node;
        return true;
    }
    if (node->kind != CVY_NODE_MAP || node->count != 1) {
        cvy_find(findings, node, "%s: expected a name, or one name with its settings: NAME, or {NAME: {…}}", what);
        return false;
    }
    *name = node->keys[0];
    *body = cvy_node_is_null(node->items[0]) ? NULL : node->items[0];
    return true;
}

const char *cvy_schema_variant_name(const struct cvy_node *node) {
    if (node == NULL || node->kind == CVY_NODE_LIST) return NULL;
    if (node->kind == CVY_NODE_SCALAR) return node->text;
    return node->count == 1 ? node->keys[0]->text : NULL;
}
