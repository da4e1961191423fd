/* The flat vectors of a network, and what lies where in them:
 *
 *     parameters, their average, each slot of the optimiser [ parameters ]
 *     statistics that run along, their average              [ statistics ]
 *     what a leaf contributes                               [ statistics | gradients of the parameters ]
 *
 * A leaf's statistics come first because they are final last. Offsets in graph.params and graph.buffers are those of
 * the first two kinds. */
#ifndef CVY_GRAPH_RUN_LAYOUT_H
#define CVY_GRAPH_RUN_LAYOUT_H

#include "graph/model/graph.h"

struct cvy_span {
    size_t first, count;
};

/* Floats of each of the three. */
static inline size_t cvy_layout_params(const struct cvy_graph *graph) {
    return graph->params.stored;
}
static inline size_t cvy_layout_statistics(const struct cvy_graph *graph) {
    return graph->buffers.stored;
}
static inline size_t cvy_layout_leaf(const struct cvy_graph *graph) {
    return cvy_layout_statistics(graph) + cvy_layout_params(graph);
}

/* Whether a float of a leaf's vector is a gradient; else it is a statistic. */
static inline bool cvy_layout_is_gradient(const struct cvy_graph *graph, size_t place) {
    return place >= cvy_layout_statistics(graph);
}
/* Where in a leaf's vector the gradient of a float of the parameters is, and back. */
static inline size_t cvy_layout_gradient(const struct cvy_graph *graph, size_t param) {
    return cvy_layout_statistics(graph) + param;
}
static inline size_t cvy_layout_param(const struct cvy_graph *graph, size_t place) {
    return place - cvy_layout_statistics(graph);
}
/* Of floats [first, end) of a leaf's vector: the parameters whose gradients are among them, perhaps none. */
static inline struct cvy_span cvy_layout_params_in(const struct cvy_graph *graph, size_t first, size_t end) {
    const size_t start = cvy_layout_is_gradient(graph, first) ? cvy_layout_param(graph, first) : 0;
    const size_t past = cvy_layout_is_gradient(graph, end) ? cvy_layout_param(graph, end) : 0;
    return (struct cvy_span){start, past - start};
}

#endif
