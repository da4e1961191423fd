/* A graph that is built: what is asked of it, and its end. */
#include "graph/model/graph.h"

#include "core/memory.h"

void cvy_graph_destroy(struct cvy_graph **out) {
    struct cvy_graph *graph = *out;
    if (graph == NULL) return;
    for (int i = 0; i < graph->node_count; i++) {
        cvy_free(graph->nodes[i].op.state);
        cvy_free(graph->nodes[i].inputs);
        cvy_free(graph->nodes[i].in);
    }
    cvy_free(graph->nodes);
    cvy_free(graph->groups);
    cvy_free(graph->values);
    cvy_params_destroy(&graph->params);
    cvy_params_destroy(&graph->buffers);
    cvy_tree_destroy(&graph->tree);
    CVY_DELETE(out);
}

bool cvy_graph_has_partials(const struct cvy_graph *graph) {
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].op.partial_forward || graph->nodes[i].op.partial_backward) return true;
    return false;
}

struct cvy_shape cvy_graph_output_shape(const struct cvy_graph *graph) {
    return graph->values[graph->output].shape;
}

const char *cvy_graph_kind_name(const struct cvy_graph_node *node) {
    const struct cvy_loss *loss = cvy_loss_of(&node->op);
    return loss ? loss->kind->name : node->op.kind->name;
}

const struct cvy_loss *cvy_graph_loss(const struct cvy_graph *graph) {
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].main && cvy_loss_of(&graph->nodes[i].op)) return cvy_loss_of(&graph->nodes[i].op);
    return NULL;
}

int cvy_graph_classes(const struct cvy_graph *graph) {
    const struct cvy_loss *loss = cvy_graph_loss(graph);
    return loss ? loss->classes : cvy_graph_output_shape(graph).c;
}

cvy_status cvy_graph_bind_target(struct cvy_graph *graph, const struct cvy_target *target, int classes,
                                 const char *data) {
    struct cvy_findings findings = {0};
    for (int i = 0; i < graph->node_count; i++) {
        struct cvy_loss *loss = cvy_loss_of(&graph->nodes[i].op);
        if (loss) cvy_loss_bind_target(loss, target, classes, data, &findings);
    }
    return cvy_findings_raise(&findings, CVY_ERR_DATA);
}

struct cvy_target cvy_graph_target(const struct cvy_graph *graph) {
    const struct cvy_loss *loss = cvy_graph_loss(graph);
    struct cvy_shape out = cvy_graph_output_shape(graph);
    if (loss && loss->kind->wants == CVY_WANTS_VALUES) return (struct cvy_target){CVY_F32, out};
    out.c = 1;
    return (struct cvy_target){CVY_I32, out};
}
