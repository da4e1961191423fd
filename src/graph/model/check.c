#include "graph/model/graph.h"

cvy_status cvy_graph_check(const struct cvy_graph *graph, int leaf, int batch) {
    struct cvy_findings findings = {0};
    for (int i = 0; i < graph->node_count; i++) {
        const struct cvy_op *op = &graph->nodes[i].op;
        if (op->kind->check) op->kind->check(op, leaf, batch, &findings);
    }
    return cvy_findings_raise(&findings, CVY_ERR_USAGE);
}
