/* A network that ends in what its loss does itself, such as softmax under softmax_cross_entropy, trains without an
 * error, and badly. Looked for from each loss back, through layers that leave such values what they are. */
#include <string.h>

#include "graph/model/graph.h"

/* Probabilities stay probabilities through these. */
static const char *const passing[] = {
    "flatten", "reshape", "dropout",          "spatial_dropout", "gaussian_noise",   "slice",          "crop",
    "avgpool", "maxpool", "adaptive_avgpool", "global_avgpool",  "adaptive_maxpool", "global_maxpool", "upsample",
};

static const char
    softmax_twice[] = "this loss applies a softmax itself, and twice it learns badly",
    sigmoid_twice[] = "this loss applies a sigmoid itself, and twice it learns badly",
    squeezed[] = "this loss takes scores of any size, and between 0 and 1 it learns badly",
    below[] = "this loss takes scores of any size, and below 0 it never says yes",
    no_log[] = "this loss takes log-probabilities, and of probabilities it is minus the label's, which learns slowly",
    endless[] = "this loss takes log-probabilities, and of plain scores it falls without end";

static const struct trap {
    const char *loss, *end;
    bool note;                      /* no fault in every case */
    const char *what, *verb, *cure; /* the end's name is between the two */
} traps[] = {
    {"softmax_cross_entropy", "softmax", false, softmax_twice, "leave", " out, or take nll with log_softmax"},
    {"softmax_cross_entropy", "sigmoid", false, squeezed, "leave", " out"},
    {"softmax_cross_entropy", "hard_sigmoid", false, squeezed, "leave", " out"},
    {"logistic", "sigmoid", false, sigmoid_twice, "leave", " out, or take mse"},
    {"logistic", "hard_sigmoid", false, squeezed, "leave", " out, or take mse"},
    {"logistic", "softmax", false, squeezed, "leave", " out, or take mse"},
    {"logistic", "log_softmax", false, below, "leave", " out"},
    {"nll", "softmax", true, no_log, "put log_softmax in the place of",
     ", or leave it out and take softmax_cross_entropy"},
    {"nll", "sigmoid", true, no_log, "put log_softmax in the place of", ""},
    {"nll", "dense", true, endless, "put log_softmax behind", ", or take softmax_cross_entropy"},
    {"nll", "conv", true, endless, "put log_softmax behind", ", or take softmax_cross_entropy"},
};

static const struct trap *find_trap(const char *loss, const char *end) {
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++)
        if (strcmp(traps[i].loss, loss) == 0 && strcmp(traps[i].end, end) == 0) return &traps[i];
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
        const struct cvy_graph_node *loss = &graph->nodes[i];
        const struct cvy_graph_node *end = loss->op.kind->loss ? end_of(graph, loss) : NULL;
        const struct trap *trap = end ? find_trap(loss->op.kind->name, end->op.kind->name) : NULL;
        if (trap)
            cvy_find(trap->note ? notes : warnings, end->op.node, "%s stands before the loss %s: %s; %s %s%s",
                     end->name, trap->loss, trap->what, trap->verb, end->name, trap->cure);
    }
}
