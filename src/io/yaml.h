/* YAML text to node trees and back. The only file format that people write. */
#ifndef CVY_IO_YAML_H
#define CVY_IO_YAML_H

#include <stddef.h>

#include "core/buf.h"
#include "core/tree/node.h"

/* Reads one YAML document from a file. Every node has its place (file = `path` as given, line and column from 1).
 * Anchors are expanded by copying, merge keys (`<<: *base`, `<<: [*a, *b]`) put in: a map's own keys come before merged
 * ones, an earlier map before a later. Top-level keys that start with x- are left out: they hold what a file's own
 * anchors name. An empty document is a null scalar. A missing or unreadable file, wrong syntax, a
 * second document, a tag, a key given twice, nesting deeper than 64 or more than 2^18 nodes fail with CVY_ERR_USAGE and
 * "path:line:column: …". The nodes belong to `tree`. */
cvy_status cvy_yaml_load(struct cvy_tree *tree, const char *path, struct cvy_node **root);

/* The same from `size` bytes of text, x- keys kept; `name` stands for the path ("--set train.batch"). */
cvy_status cvy_yaml_parse(struct cvy_tree *tree, const char *name, const char *text, size_t size,
                          struct cvy_node **root);

/* The same two for texts that know each other's anchors: aliases of *anchors (a map that belongs to `tree`, NULL: none
 * yet) are known, and what the text names is added to it. */
struct cvy_source_text {
    const char *name, *text;
    size_t size;
};
cvy_status cvy_yaml_load_more(struct cvy_tree *tree, const char *path, struct cvy_node **anchors,
                              struct cvy_node **root);
cvy_status cvy_yaml_parse_more(struct cvy_tree *tree, const struct cvy_source_text *source, struct cvy_node **anchors,
                               struct cvy_node **root);

/* Appends the tree as a YAML document that cvy_yaml_parse reads back to the same values: quoted scalars stay quoted,
 * short lists of scalars are written [a, b], short maps of scalars below the second level {a: b}. */
cvy_status cvy_yaml_emit(const struct cvy_node *root, struct cvy_buf *out);

#endif
