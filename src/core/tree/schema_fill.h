/* Defaults written out: what a file leaves to the tables of keys, put into the tree. Nothing is checked here. */
#ifndef CVY_CORE_TREE_SCHEMA_FILL_H
#define CVY_CORE_TREE_SCHEMA_FILL_H

#include "core/tree/schema.h"

/* Appends to the map every key of the table that it lacks (or has as null) and that has a default. */
cvy_status cvy_schema_fill(struct cvy_tree *tree, const struct cvy_key *keys, struct cvy_node *map);

/* One of several kinds, written `name`, `name: {…}`, `name: value` or {name: …}: gives {name: {… all settings}}, or the
 * name alone where it has none. A kind that the lister does not know, and a `$parameter`, stay as they are. `body`
 * (NULL: none) may become another node. */
cvy_status cvy_schema_fill_body(struct cvy_tree *tree, const struct cvy_listing *kind, const struct cvy_node *place,
                                struct cvy_node **body);
cvy_status cvy_schema_fill_variant(struct cvy_tree *tree, cvy_lister *list, struct cvy_node **node);

#endif
