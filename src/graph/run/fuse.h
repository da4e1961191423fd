/* Which nodes run as one: a node and those behind it that it does as it writes its output, told by the table of
 * ops/ops.c. What fuses depends on the mode, so this belongs to a plan and not to the graph.
 *
 *     conv ─► batchnorm ─► add ─► relu        training:   conv │ batchnorm add relu, forward and backward
 *              shortcut ───►                  evaluation: conv batchnorm add relu
 */
#ifndef CVY_GRAPH_RUN_FUSE_H
#define CVY_GRAPH_RUN_FUSE_H

#include "graph/model/graph.h"

#define CVY_NO_VALUE -1

struct cvy_fused_unit {
    int host;     /* the node that does this node's forward: itself, or one before */
    bool whole;   /* and its backward as well */
    int residual; /* value that it adds, CVY_NO_VALUE for none */
    int norm;     /* node whose normalisation it applies, −1 for none */
    enum cvy_fused_act activation;
    int output; /* value that is written: its own, or that of the last node it does; −1 for a loss */
    int back;   /* value whose gradient its backward begins with: likewise, of those whose backward it does */
    bool masks; /* of a whole unit: its backward changes dy in place, by the activation behind a residual */
};

/* units: [graph.node_count]. */
cvy_status cvy_fuse(const struct cvy_graph *graph, enum cvy_mode mode, struct cvy_fused_unit *units);

#endif
