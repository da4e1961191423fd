/* The node tree: what a YAML file says, each value with its place. Made by io/yaml, read through core/schema. */
#ifndef CVY_CORE_TREE_NODE_H
#define CVY_CORE_TREE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/text.h"
#include "core/status.h"

enum cvy_node_kind { CVY_NODE_SCALAR, CVY_NODE_LIST, CVY_NODE_MAP };

struct cvy_node {
    enum cvy_node_kind kind;
    bool quoted;             /* scalar: written in quotes, so it is text whatever it looks like */
    const char *file;        /* "lenet.yaml", or "--set train.batch" */
    int line, column;        /* from 1 */
    const char *text;        /* scalar; "" for none */
    size_t count;            /* list: items; map: pairs */
    struct cvy_node **items; /* list: items; map: values */
    struct cvy_node **keys;  /* map: scalars */
};

/* All nodes and texts of a tree live and die together. */
struct cvy_tree;
cvy_status cvy_tree_create(struct cvy_tree **out);
void cvy_tree_destroy(struct cvy_tree **tree);
/* A copy of `size` bytes with a NUL behind them, owned by the tree. */
cvy_status cvy_tree_text(struct cvy_tree *tree, const char *text, size_t size, const char **out);
/* A node at a place; `place` gives file, line and column. */
cvy_status cvy_tree_node(struct cvy_tree *tree, enum cvy_node_kind kind, const struct cvy_node *place,
                         struct cvy_node **out);
cvy_status cvy_tree_scalar(struct cvy_tree *tree, const struct cvy_node *place, const char *text,
                           struct cvy_node **out);
/* Appends to a list (key NULL) or a map. */
cvy_status cvy_node_append(struct cvy_tree *tree, struct cvy_node *node, struct cvy_node *key, struct cvy_node *value);
/* Puts a value under a key, replacing the one that is there. */
cvy_status cvy_node_set(struct cvy_tree *tree, struct cvy_node *map, const char *key, struct cvy_node *value);
/* A deep copy into `tree`, places kept. */
cvy_status cvy_node_copy(struct cvy_tree *tree, const struct cvy_node *node, struct cvy_node **out);

/* The value under a key of a map, or NULL (also when `map` is NULL or none). */
struct cvy_node *cvy_node_get(const struct cvy_node *map, const char *key);
/* "model.layers"-style path through maps, or NULL. */
struct cvy_node *cvy_node_find(const struct cvy_node *map, const char *path);
bool cvy_node_is_null(const struct cvy_node *node); /* absent, or an unquoted ~, null or nothing */

/* Scalars as values; false when the text is none. */
bool cvy_node_int(const struct cvy_node *node, int64_t *out);
bool cvy_node_real(const struct cvy_node *node, double *out);
bool cvy_node_bool(const struct cvy_node *node, bool *out); /* true, false, yes, no, on, off */

/* Findings about a file, gathered so that all are reported in one go, one line each. */
struct cvy_findings {
    int count;
    char text[6144];
    /* What a word means that is unknown where it stands, by its whole name; NULL: nobody knows. */
    bool (*elsewhere)(const char *word, char out[160]);
};
/* Adds "file:line:column: …". */
void cvy_find(struct cvy_findings *findings, const struct cvy_node *place, const char *fmt, ...) CVY_PRINTF(3, 4);
/* CVY_OK when nothing was found, else fails with all lines. */
cvy_status cvy_findings_raise(const struct cvy_findings *findings, cvy_status status);

/* Fails with "file:line:column: …". */
#define CVY_FAIL_AT(node, status, fmt, ...)                                                                            \
    CVY_FAIL((status), "%s:%d:%d: " fmt, (node)->file, (node)->line, (node)->column __VA_OPT__(, ) __VA_ARGS__)

#endif
