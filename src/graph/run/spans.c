#include "graph/run/spans.h"

/* Of neighbours in a list. */
static struct cvy_span whole(const struct cvy_params *list, const int *index, int count) {
    if (count == 0) return (struct cvy_span){0, 0};
    const struct cvy_param *first = &list->items[index[0]], *last = &list->items[index[count - 1]];
    return (struct cvy_span){first->offset, last->offset + last->stored - first->offset};
}

static struct cvy_span part_of(const struct cvy_op *op, const struct cvy_param *param, int part) {
    const size_t unit = param->stored / (size_t)op->units, first = cvy_op_part(op, part) * unit;
    return (struct cvy_span){param->offset + first, cvy_op_part(op, part + 1) * unit - first};
}

int cvy_node_spans(const struct cvy_graph *graph, const struct cvy_graph_node *node, int part,
                   struct cvy_span out[CVY_MOST_SPANS]) {
    int count = 0;
    if (node->op.parts > 1) {
        CVY_ASSERT(node->op.buffers == 0);
        for (; count < node->op.params; count++) {
            out[count] = part_of(&node->op, &graph->params.items[node->param[count]], part);
            out[count].first = cvy_layout_gradient(graph, out[count].first);
        }
        return count;
    }
    if (node->op.params > 0) {
        out[count] = whole(&graph->params, node->param, node->op.params);
        out[count].first = cvy_layout_gradient(graph, out[count].first);
        count++;
    }
    if (node->op.buffers > 0) out[count++] = whole(&graph->buffers, node->buffer, node->op.buffers);
    return count;
}

size_t cvy_graph_part_floats(const struct cvy_graph *graph) {
    size_t most = 0;
    for (int i = 0; i < graph->node_count; i++)
        for (int part = 0; part < cvy_node_parts(&graph->nodes[i]); part++) {
            struct cvy_span spans[CVY_MOST_SPANS];
            size_t floats = 0;
            for (int s = cvy_node_spans(graph, &graph->nodes[i], part, spans); s > 0; s--)
                if (cvy_layout_is_gradient(graph, spans[s - 1].first)) floats += spans[s - 1].count;
            if (floats > most) most = floats;
        }
    return most;
}
