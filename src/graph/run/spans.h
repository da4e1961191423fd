/* Which floats of a leaf's vector (graph/run/layout.h) a node's backward makes. */
#ifndef CVY_GRAPH_RUN_SPANS_H
#define CVY_GRAPH_RUN_SPANS_H

#include "graph/run/layout.h"

#define CVY_MOST_SPANS (CVY_OP_PARAMS + 1)

/* Parts that a node's gradient comes in, at least 1. */
static inline int cvy_node_parts(const struct cvy_graph_node *node) {
    return node->op.parts > 1 ? node->op.parts : 1;
}
/* The spans of one part; returns how many. A node's parameters are neighbours, so the whole gradient is one span. */
int cvy_node_spans(const struct cvy_graph *graph, const struct cvy_graph_node *node, int part,
                   struct cvy_span out[CVY_MOST_SPANS]);

/* Gradient floats, without statistics, that are made at once at most. */
size_t cvy_graph_part_floats(const struct cvy_graph *graph);

#endif
