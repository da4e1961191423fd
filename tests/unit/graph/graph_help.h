/* Graphs for tests: ops that the table does not have (a sum of two inputs; centring over the whole batch, which needs
 * partials), put in the place of a sigmoid in a graph that was built from text; random graphs; running a graph op by op
 * on buffers of their own; its loss in double; and hooks that keep every leaf's gradient. */
#ifndef CVY_TESTS_GRAPH_HELP_H
#define CVY_TESTS_GRAPH_HELP_H

#include "core/buf.h"
#include "graph/run/net.h"

/* Makes node i (a sigmoid) the sum of its input and of value `other` (same shape, above it). */
void graph_make_sum(struct cvy_graph *graph, int i, int other);
/* Makes node i (a sigmoid) y = x − mean of x over the whole batch, for each channel: synchronised batch norm's first
 * half. */
void graph_make_centre(struct cvy_graph *graph, int i);
/* Node i (one input) reads another value of the same shape, above it. */
void graph_rewire(struct cvy_graph *graph, int i, int value);
int graph_node(const struct cvy_graph *graph, const char *name);

/* A random chain of layers with sums of earlier values, ending in 5 class scores and softmax cross-entropy. */
void graph_random(uint32_t seed, struct cvy_tree **tree, struct cvy_graph **graph);

/* Inputs of one batch, deterministic. */
struct graph_batch {
    int samples;
    float *x;
    int32_t *labels;
    int64_t *ids;
};
void graph_batch_create(const struct cvy_graph *graph, int samples, struct graph_batch *out);
void graph_batch_destroy(struct graph_batch *batch);
/* Values that are not the initial ones (biases included), padding lanes zero. */
void graph_draw_values(const struct cvy_graph *graph, float *values);

/* Forward (and in training backward) with every feature map and gradient in a buffer of its own, nothing fused and
 * nothing in place; dropout with seed 3, epoch 1; running statistics as they start. gradient: [stored], or NULL in
 * evaluation; scores: of value graph->output. */
void graph_run_apart(const struct cvy_graph *graph, const struct cvy_compute *compute, enum cvy_mode mode,
                     const struct graph_batch *batch, const float *values, float *gradient, float *scores,
                     struct cvy_loss_result *loss);

/* Parameters in double, logical order. */
struct parameters {
    int count;
    double **values;
};
void parameters_create(const struct cvy_graph *graph, const float *stored, struct parameters *out);
void parameters_destroy(struct parameters *parameters);

/* The loss over the batch in double. No dropout. */
double graph_loss(const struct cvy_graph *graph, const struct graph_batch *batch, const struct parameters *params);
/* |finite difference − ⟨gradient, u⟩| / √Σ(gradient·u)² for a random direction u of parameter p, or of all (p = −1).
 * Loss and gradient are sums over the batch. A tenth of the size for all parameters is added to the divisor: some
 * gradients are zero by nature (of a bias before a centring) and hold rounding alone. */
double direction_error(const struct cvy_graph *graph, const struct graph_batch *batch, struct parameters *params, int p,
                       const float *gradient);

/* The worst of all parameters and of all at once, for values of graph_draw_values and so many samples; *loss: of them.
 */
double graph_gradient_error(const struct cvy_graph *graph, int samples, const float *gradient, double *loss);

/* Twelve samples in leaves: as one, evenly, unevenly, one by one. */
enum { GRAPH_SPLITS = 4 };
extern const struct graph_split { int leaves, sizes[12]; } graph_splits[GRAPH_SPLITS];

/* Hooks that keep each leaf's gradient and sum partials in the tree's order. */
struct leaf_store {
    int leaves, next, passes;
    size_t statistics, stored; /* floats of a leaf: statistics, then gradients; stored: of both */
    float *gradients;          /* [leaves][stored] */
    int *ready;                /* [leaves][stored] how often each float was said to be final */
    struct cvy_net_hooks hooks;
};
void leaf_store_create(const struct cvy_graph *graph, int leaves, struct leaf_store *out);
void leaf_store_destroy(struct leaf_store *store);
/* [stored] the tree's sum over all leaves, in store->gradients[0]. */
const float *leaf_store_sum(struct leaf_store *store);

/* The batch's leaves [first, first + count), of `sizes` samples each, as the net wants them. */
struct cvy_net_batch graph_leaves(const struct cvy_graph *graph, const struct graph_batch *batch, const int *sizes,
                                  int first, int count);

/* The hash of a graph made of text, under softmax_cross_entropy. */
uint64_t graph_hash_of(const char *text);

#endif
