/* A network that ends in what its loss does itself, such as softmax under softmax_cross_entropy, trains without an
 * error, and badly. The loss says which; looked for from each one back, through layers that leave such values what they
 * are. */
#include <string.h>

#include "graph/model/graph.h"

/* Probabilities stay probabilities through these. */
static const char *const passing[] = {
    "flatten", "reshape", "dropout",          "spatial_dropout", "gaussian_noise",   "slice",          "crop",
    "avgpool", "maxpool", "adaptive_avgpool", "global_avgpool",  "adaptive_maxpool", "global_maxpool", "upsample",
};

static const struct cvy_loss_trap *find_trap(const struct cvy_loss_kind *loss, const char *end) {
    for (const struct cvy_loss_trap *t = loss->traps; t && t->end; t++)
        if (strcmp(t->end, end) == 0) return t;
    return NULL;
}

static bool passes(const char *kind) {
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (strcmp(passing[i], kind) == 0) return true;
    return false;
}

/* What the values that a loss reads were made by, NULL: nothing but the input. */
static const struct cvy_graph_node *end_of(const struct cvy_graph *graph, const struct cvy_graph_node *loss) {
    int node = graph->values[loss->inputs[0]].producer;
    while (node >= 0 && passes(graph->nodes[node].op.kind->name))
        node = graph->values[graph->nodes[node].inputs[0]].producer;
    return node < 0 ? NULL : &graph->nodes[node];
}

void cvy_graph_find_traps(const struct cvy_graph *graph, struct cvy_findings *warnings, struct cvy_findings *notes) {
    for (int i = 0; i < graph->node_count; i++) {
        const struct cvy_loss *loss = cvy_loss_of(&graph->nodes[i].op);
        const struct cvy_graph_node *end = loss ? end_of(graph, &graph->nodes[i]) : NULL;
        const struct cvy_loss_trap *trap = end ? find_trap(loss->kind, end->op.kind->name) : NULL;
        if (trap)
            cvy_find(trap->note ? notes : warnings, end->op.node, "%s stands before the loss %s: %s; %s %s%s",
                     end->name, loss->kind->name, trap->what, trap->verb, end->name, trap->cure);
    }
}
