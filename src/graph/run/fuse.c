#include "graph/run/fuse.h"

#include "core/memory.h"

struct fusing {
    const struct cvy_graph *graph;
    enum cvy_mode mode;
    struct cvy_fused_unit *units;
    int *reader; /* of each value, the last node that reads it in this mode; −1 for none */
    int *readers;
};

static bool runs(const struct fusing *f, int node) {
    return f->mode == CVY_TRAIN || f->graph->nodes[node].main;
}

static void find_readers(struct fusing *f) {
    for (int v = 0; v < f->graph->value_count; v++) f->reader[v] = -1;
    for (int i = 0; i < f->graph->node_count; i++) {
        const struct cvy_graph_node *node = &f->graph->nodes[i];
        for (int k = 0; runs(f, i) && k < node->op.inputs; k++) {
            f->reader[node->inputs[k]] = i;
            f->readers[node->inputs[k]]++;
        }
    }
}

/* The node that could be done next: the only reader of what the unit writes so far. −1 for none. */
static int next_node(const struct fusing *f, const struct cvy_fused_unit *unit) {
    const int v = unit->output;
    const bool shown = f->mode == CVY_EVALUATE && v == f->graph->output; /* the caller reads it */
    return v >= 0 && f->readers[v] == 1 && !shown ? f->reader[v] : -1;
}

/* Nobody reads `value` from one node to before another: its gradient is summed in the same order when the second's is
 * taken for the first's. */
static bool unread_between(const struct fusing *f, int value, int first, int second) {
    for (int i = first; i < second; i++)
        for (int k = 0; k < f->graph->nodes[i].op.inputs; k++)
            if (f->graph->nodes[i].inputs[k] == value) return false;
    return true;
}

/* The other input of a sum of two, where it is there before `host` runs. */
static int residual_of(const struct fusing *f, int node, int own, int host) {
    const struct cvy_graph_node *sum = &f->graph->nodes[node];
    if (sum->op.inputs != 2) return CVY_NO_VALUE;
    const int other = sum->inputs[0] == own ? sum->inputs[1] : sum->inputs[0];
    const int producer = f->graph->values[other].producer;
    const bool there = producer < 0 || f->units[producer].host < host;
    if (f->graph->values[other].type != f->graph->values[own].type) return CVY_NO_VALUE;
    return there && unread_between(f, other, host, node) ? other : CVY_NO_VALUE;
}

/* Takes node `next` into the unit of `host` if that may be. */
static bool take(struct fusing *f, int host, int next) {
    struct cvy_fused_unit *unit = &f->units[host];
    const struct cvy_graph_node *node = &f->graph->nodes[next];
    const bool pure = unit->activation == CVY_FUSED_NONE && unit->residual == CVY_NO_VALUE && unit->norm < 0;
    const bool learns = f->graph->values[unit->output].wants_grad;
    const struct cvy_fusion *how = cvy_ops_fuse(&f->graph->nodes[host].op, &node->op, f->mode, learns);
    if (how == NULL || unit->activation != CVY_FUSED_NONE) return false;
    if (f->graph->values[node->output].type != f->graph->values[unit->output].type) return false;
    if (how->norm && !pure) return false;
    if (how->residual) {
        const int residual = unit->residual == CVY_NO_VALUE ? residual_of(f, next, unit->output, host) : CVY_NO_VALUE;
        if (residual == CVY_NO_VALUE) return false;
        unit->residual = residual;
    }
    if (how->norm) unit->norm = next;
    unit->activation = how->activation;
    f->units[next].host = host;
    f->units[next].whole = f->mode == CVY_TRAIN && how->whole;
    unit->output = node->output;
    if (f->units[next].whole) unit->back = node->output;
    unit->masks |= f->units[next].whole && unit->residual != CVY_NO_VALUE && unit->activation != CVY_FUSED_NONE;
    return true;
}

cvy_status cvy_fuse(const struct cvy_graph *graph, enum cvy_mode mode, struct cvy_fused_unit *units) {
    struct fusing f = {graph, mode, units, NULL, NULL};
    CVY_TRY(CVY_NEW(&f.reader, graph->value_count, general));
    cvy_status status = CVY_NEW(&f.readers, graph->value_count, general);
    if (status == CVY_OK) find_readers(&f);
    for (int i = 0; i < graph->node_count; i++)
        units[i] = (struct cvy_fused_unit){.host = i,
                                           .residual = CVY_NO_VALUE,
                                           .norm = -1,
                                           .output = graph->nodes[i].output,
                                           .back = graph->nodes[i].output};
    for (int i = 0; i < graph->node_count && status == CVY_OK; i++) {
        if (units[i].host != i || !runs(&f, i)) continue;
        for (int next = next_node(&f, &units[i]); next >= 0 && take(&f, i, next);) next = next_node(&f, &units[i]);
    }
    cvy_free(f.reader);
    cvy_free(f.readers);
    return status;
}
