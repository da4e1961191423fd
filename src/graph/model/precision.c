/* Which values of a network are in bf16, and which ops run on them themselves; which algorithms they may use. */
#include "graph/model/graph.h"

/* A view's output is its input's memory. */
static void type_views(struct cvy_graph *graph) {
    for (int i = 0; i < graph->node_count; i++) {
        const struct cvy_graph_node *node = &graph->nodes[i];
        if (node->op.view) graph->values[node->output].type = graph->values[node->inputs[0]].type;
    }
}

static void keep_wide(struct cvy_graph *graph, int value) {
    graph->values[value].type = CVY_F32;
    const int producer = graph->values[value].producer;
    if (producer >= 0 && graph->nodes[producer].op.view) keep_wide(graph, graph->nodes[producer].inputs[0]);
}

static enum cvy_dtype op_type(const struct cvy_graph *graph, const struct cvy_graph_node *node) {
    bool wide = !node->op.bf16 || node->output < 0 || graph->values[node->output].type == CVY_F32;
    for (int k = 0; k < node->op.inputs; k++) wide |= graph->values[node->inputs[k]].type == CVY_F32;
    return wide ? CVY_F32 : CVY_BF16;
}

void cvy_graph_set_precision(struct cvy_graph *graph, enum cvy_dtype precision) {
    graph->precision = precision;
    for (int v = 0; v < graph->value_count; v++) graph->values[v].type = precision;
    keep_wide(graph, graph->output);
    for (int i = 0; i < graph->node_count; i++)
        if (cvy_loss_of(&graph->nodes[i].op)) keep_wide(graph, graph->nodes[i].inputs[0]);
    type_views(graph);
    for (int i = 0; i < graph->node_count; i++) graph->nodes[i].op.type = op_type(graph, &graph->nodes[i]);
}

void cvy_graph_set_winograd(struct cvy_graph *graph, bool winograd) {
    for (int i = 0; i < graph->node_count; i++) graph->nodes[i].op.direct = !winograd;
}
