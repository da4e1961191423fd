/* When backward finishes which gradients, as far as a graph alone can say: what comm/cuts.h cuts buckets by. */
#include "comm/cuts.h"
#include "core/memory.h"
#include "train/engine_cuts.h"

/* Of one thread. Whether it is twice as fast changes when sums begin by little, and what they are not at all. */
static const double FLOPS_S = 50e9, BYTES_S = 10e9;
#define CHUNK ((size_t)1 << 20) /* floats; what a larger layer is cut into */

struct stretches {
    struct cvy_stretch_end *items;
    int count;
};

/* Down to float `first`, in pieces that are final together. */
static void add(struct stretches *s, size_t floats, size_t first, double seconds) {
    size_t end = s->count ? s->items[s->count - 1].first : floats;
    while (end > first) {
        end = end - first > CHUNK && s->count < CVY_CUTS_MOST / 2 ? end - CHUNK : first;
        s->items[s->count++] = (struct cvy_stretch_end){end, seconds};
    }
}

/* Both gradients are a product as large as forward's; what is read and written is small beside it, but for layers that
 * multiply nothing. */
static double backward_s(const struct cvy_graph *graph, const struct cvy_graph_node *node, int leaf, int threads) {
    const int64_t outputs = node->output >= 0 ? cvy_shape_count(graph->values[node->output].shape) : 0;
    const double flops = 4.0 * (double)node->op.macs, bytes = 3.0 * sizeof(float) * (double)outputs;
    return leaf * (flops / FLOPS_S + bytes / BYTES_S) / threads;
}

static void find_stretches(const struct cvy_graph *graph, int leaf, int threads, struct stretches *s) {
    double seconds = 0;
    for (int i = graph->node_count - 1; i >= 0 && s->count < CVY_CUTS_MOST / 2; i--) {
        const struct cvy_graph_node *node = &graph->nodes[i];
        seconds += backward_s(graph, node, leaf, threads);
        if (node->op.params == 0) continue;
        const size_t first = cvy_layout_gradient(graph, graph->params.items[node->param[0]].offset);
        add(s, cvy_layout_leaf(graph), first, seconds);
    }
    add(s, cvy_layout_leaf(graph), 0, seconds); /* statistics, which come with the last layer at the latest */
}

cvy_status cvy_engine_cut(const struct cvy_comm *comm, const struct cvy_graph *graph, int leaf, int threads,
                          size_t **firsts, int *count) {
    struct stretches s = {.count = 0};
    CVY_TRY(CVY_NEW(&s.items, CVY_CUTS_MOST, general));
    cvy_status status = CVY_NEW(firsts, CVY_CUTS_MOST, general);
    if (status == CVY_OK) {
        find_stretches(graph, leaf, threads, &s);
        *count = cvy_cuts_choose(comm, cvy_layout_leaf(graph), s.items, s.count, *firsts);
    }
    cvy_free(s.items);
    return status;
}
