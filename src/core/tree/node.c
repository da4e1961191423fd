#include "core/tree/node.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/memory.h"

/* Blocks are chained and freed together. */
struct chunk {
    struct chunk *next;
    _Alignas(16) unsigned char bytes[];
};
struct cvy_tree {
    struct chunk *chunks;
};

cvy_status cvy_tree_create(struct cvy_tree **out) {
    return CVY_NEW(out, 1, text);
}

void cvy_tree_destroy(struct cvy_tree **tree) {
    if (*tree == NULL) return;
    for (struct chunk *c = (*tree)->chunks, *next; c; c = next) {
        next = c->next;
        cvy_free(c);
    }
    CVY_DELETE(tree);
}

static cvy_status tree_take(struct cvy_tree *tree, size_t bytes, void **out) {
    struct chunk *chunk;
    CVY_TRY(cvy_alloc(sizeof *chunk + bytes, CVY_TAG_text, (void **)&chunk));
    chunk->next = tree->chunks;
    tree->chunks = chunk;
    *out = chunk->bytes;
    return CVY_OK;
}

cvy_status cvy_tree_text(struct cvy_tree *tree, const char *text, size_t size, const char **out) {
    char *copy;
    CVY_TRY(tree_take(tree, size + 1, (void **)&copy));
    memcpy(copy, text, size);
    *out = copy;
    return CVY_OK;
}

cvy_status cvy_tree_node(struct cvy_tree *tree, enum cvy_node_kind kind, const struct cvy_node *place,
                         struct cvy_node **out) {
    CVY_TRY(tree_take(tree, sizeof **out, (void **)out));
    **out =
        (struct cvy_node){.kind = kind, .file = place->file, .line = place->line, .column = place->column, .text = ""};
    return CVY_OK;
}

cvy_status cvy_tree_scalar(struct cvy_tree *tree, const struct cvy_node *place, const char *text,
                           struct cvy_node **out) {
    CVY_TRY(cvy_tree_node(tree, CVY_NODE_SCALAR, place, out));
    return cvy_tree_text(tree, text, strlen(text), &(*out)->text);
}

static cvy_status grow(struct cvy_tree *tree, struct cvy_node ***array, size_t count) {
    if (count & (count - 1)) return CVY_OK; /* room doubles at powers of two */
    struct cvy_node **larger;
    CVY_TRY(tree_take(tree, (count ? 2 * count : 1) * sizeof *larger, (void **)&larger));
    if (count) memcpy(larger, *array, count * sizeof *larger);
    *array = larger;
    return CVY_OK;
}

cvy_status cvy_node_append(struct cvy_tree *tree, struct cvy_node *node, struct cvy_node *key, struct cvy_node *value) {
    CVY_TRY(grow(tree, &node->items, node->count));
    if (key) {
        CVY_TRY(grow(tree, &node->keys, node->count));
        node->keys[node->count] = key;
    }
    node->items[node->count++] = value;
    return CVY_OK;
}

static bool is_map(const struct cvy_node *node) {
    return node && node->kind == CVY_NODE_MAP;
}

cvy_status cvy_node_set(struct cvy_tree *tree, struct cvy_node *map, const char *key, struct cvy_node *value) {
    for (size_t i = 0; is_map(map) && i < map->count; i++)
        if (strcmp(map->keys[i]->text, key) == 0) {
            map->items[i] = value;
            return CVY_OK;
        }
    struct cvy_node *name;
    CVY_TRY(cvy_tree_scalar(tree, value, key, &name));
    return cvy_node_append(tree, map, name, value);
}

void cvy_node_drop(struct cvy_node *map, const char *key) {
    size_t kept = 0;
    for (size_t i = 0; is_map(map) && i < map->count; i++) {
        if (strcmp(map->keys[i]->text, key) == 0) continue;
        map->keys[kept] = map->keys[i];
        map->items[kept++] = map->items[i];
    }
    if (is_map(map)) map->count = kept;
}

cvy_status cvy_node_copy(struct cvy_tree *tree, const struct cvy_node *node, struct cvy_node **out) {
    CVY_TRY(cvy_tree_node(tree, node->kind, node, out));
    (*out)->quoted = node->quoted;
    CVY_TRY(cvy_tree_text(tree, node->file, strlen(node->file), &(*out)->file));
    CVY_TRY(cvy_tree_text(tree, node->text, strlen(node->text), &(*out)->text));
    for (size_t i = 0; i < node->count; i++) {
        struct cvy_node *key = NULL, *value;
        if (node->kind == CVY_NODE_MAP) CVY_TRY(cvy_node_copy(tree, node->keys[i], &key));
        CVY_TRY(cvy_node_copy(tree, node->items[i], &value));
        CVY_TRY(cvy_node_append(tree, *out, key, value));
    }
    return CVY_OK;
}

struct cvy_node *cvy_node_get(const struct cvy_node *map, const char *key) {
    for (size_t i = 0; is_map(map) && i < map->count; i++)
        if (strcmp(map->keys[i]->text, key) == 0) return map->items[i];
    return NULL;
}

struct cvy_node *cvy_node_find(const struct cvy_node *map, const char *path) {
    char key[128];
    for (;;) {
        size_t length = strcspn(path, ".");
        if (length >= sizeof key) return NULL;
        memcpy(key, path, length);
        key[length] = '\0';
        struct cvy_node *node = cvy_node_get(map, key);
        if (node == NULL || path[length] == '\0') return node;
        map = node;
        path += length + 1;
    }
}

bool cvy_node_is_null(const struct cvy_node *node) {
    if (node == NULL) return true;
    if (node->kind != CVY_NODE_SCALAR || node->quoted) return false;
    return node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcasecmp(node->text, "null") == 0;
}

static bool is_bare(const struct cvy_node *node) {
    return node && node->kind == CVY_NODE_SCALAR && !node->quoted && node->text[0];
}

bool cvy_node_int(const struct cvy_node *node, int64_t *out) {
    if (!is_bare(node)) return false;
    char *end;
    errno = 0;
    long long value = strtoll(node->text, &end, 10);
    if (*end || errno) return false;
    *out = value;
    return true;
}

bool cvy_node_real(const struct cvy_node *node, double *out) {
    return is_bare(node) && cvy_read_number(node->text, out);
}

bool cvy_node_bool(const struct cvy_node *node, bool *out) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    if (!is_bare(node)) return false;
    for (int i = 0; i < 6; i++)
        if (strcasecmp(node->text, words[i]) == 0) {
            *out = i & 1;
            return true;
        }
    return false;
}

void cvy_find(struct cvy_findings *findings, const struct cvy_node *place, const char *fmt, ...) {
    size_t used = strlen(findings->text), room = sizeof findings->text - used;
    char text[1024], line[sizeof text + 1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(line, sizeof line, "%s:%d:%d: %s", place->file, place->line, place->column, text);
    cvy_one_line(line, sizeof line);
    if (strlen(line) + 1 < room) /* what does not fit is counted, and shown once the first ones are mended */
        snprintf(findings->text + used, room, "%s%s", used ? "\n" : "", line);
    findings->count++;
}

cvy_status cvy_findings_raise(const struct cvy_findings *findings, cvy_status status) {
    return findings->count ? CVY_FAIL(status, "%s", findings->text) : CVY_OK;
}

void cvy_findings_log(const struct cvy_findings *findings, struct cvy_log *log, cvy_log_level level) {
    for (const char *line = findings->text; *line;) {
        const size_t length = strcspn(line, "\n");
        cvy_log_write(log, level, "%.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
}
