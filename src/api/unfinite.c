#include "api/unfinite.h"

#include <limits.h>

#include "comm/comm.h"
#include "core/floats.h"

#define ADVICE "its weights, or these inputs, are too large: take another checkpoint, or see to the scale of the inputs"

void cvy_unfinite_look(struct cvy_unfinite *u, const int64_t *ids, const float *outputs, int n, int64_t each) {
    for (int i = 0; i < n; i++)
        if (!cvy_all_finite(outputs + i * each, each) && (u->first < 0 || ids[i] < u->first)) u->first = ids[i];
}

static const char *layer_name(const struct cvy_net *net, int node) {
    const struct cvy_graph *graph = cvy_net_graph(net);
    return graph->nodes[node >= 0 && node < graph->node_count ? node : graph->node_count - 1].name;
}

/* The same again, looking at each layer. */
static cvy_status find_layer(const struct cvy_evaluation *e, const char **name) {
    struct cvy_metric_totals totals;
    cvy_net_watch(e->net, true);
    cvy_status status = cvy_evaluate(e, &totals, NULL);
    int node = cvy_net_fault(e->net);
    cvy_net_watch(e->net, false);
    CVY_TRY(status);
    if (node < 0) node = INT_MAX;
    CVY_TRY(cvy_comm_min_int(e->ctx->comm, &node));
    *name = layer_name(e->net, node);
    return CVY_OK;
}

cvy_status cvy_unfinite_refuse(const struct cvy_unfinite *u, const struct cvy_evaluation *e, const char *name) {
    int first = u->first < 0 || u->first > INT_MAX ? INT_MAX : (int)u->first;
    const char *layer;
    CVY_TRY(cvy_comm_min_int(e->ctx->comm, &first));
    if (first == INT_MAX) return CVY_OK;
    CVY_TRY(find_layer(e, &layer));
    return CVY_FAIL(CVY_ERR_DIVERGED,
                    "%s: sample %d: the network's outputs are not finite, from layer %s on, and no figures follow from "
                    "them; " ADVICE,
                    name, first, layer);
}

cvy_status cvy_unfinite_refuse_batch(struct cvy_net *net, const struct cvy_net_batch *batch, int64_t outputs) {
    if (cvy_all_finite(cvy_net_output(net), outputs)) return CVY_OK;
    cvy_net_watch(net, true);
    cvy_status status = cvy_net_run(net, batch, NULL, NULL);
    const int node = cvy_net_fault(net);
    cvy_net_watch(net, false);
    CVY_TRY(status);
    return CVY_FAIL(
        CVY_ERR_DATA,
        "the network's outputs are not finite, from layer %s on, and no prediction follows from them; " ADVICE,
        layer_name(net, node));
}
