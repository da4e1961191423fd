/* A net: a graph with memory, ready to run on the leaves of a batch. It computes gradients and hands them to hooks; who
 * sums them (the exchange, a test) is not its concern. */
#ifndef CVY_GRAPH_RUN_NET_H
#define CVY_GRAPH_RUN_NET_H

#include "graph/model/graph.h"
#include "graph/run/layout.h"
#include "graph/run/plan.h"

struct cvy_net;

struct cvy_net_spec {
    const struct cvy_graph *graph;     /* must outlive the net */
    const struct cvy_compute *compute; /* likewise */
    enum cvy_mode mode;
    int leaf;   /* samples a leaf, at most */
    int leaves; /* leaves at once on this rank, at most */
    uint64_t seed;
    enum cvy_recompute recompute;
};
/* Parameters start at their initial values. Not collective. */
cvy_status cvy_net_create(const struct cvy_net_spec *spec, struct cvy_net **out);
/* Has no parameters and buffers of its own: cvy_net_follow comes before each run. */
cvy_status cvy_net_create_follower(const struct cvy_net_spec *spec, struct cvy_net **out);
void cvy_net_destroy(struct cvy_net **net);
/* What one takes beside its parameters and statistics. */
size_t cvy_net_bytes(const struct cvy_net_spec *spec);

const struct cvy_graph *cvy_net_graph(const struct cvy_net *net);
const struct cvy_plan *cvy_net_plan(const struct cvy_net *net);
/* The flat vector of its own parameters, [graph.params.stored]; the net's, and the caller's to change between
 * steps. In evaluation it is asked for again before each change: what the net makes of them is then made anew. */
float *cvy_net_parameters(struct cvy_net *net);
/* The flat vector of buffers, [graph.buffers.stored], likewise. */
float *cvy_net_buffers(struct cvy_net *net);
/* From now on it runs by these, which stay the caller's: [graph.params.stored], [graph.buffers.stored]. To be said
 * again when they have changed. In evaluation alone. */
void cvy_net_follow(struct cvy_net *net, const float *parameters, const float *buffers);
/* Takes the leaves' statistics into the buffers: `stats` [graph.buffers.stored], summed over all leaves. */
void cvy_net_update_buffers(struct cvy_net *net, const float *stats, int64_t samples);

/* Where gradients go. All may fail; the step then ends with that status. `arg` is the caller's. */
struct cvy_net_hooks {
    void *arg;
    /* Where floats [first, first + count) of the current leaf's statistics and gradient go (graph/run/spans.h) … */
    float *(*place)(void *arg, size_t first, size_t count);
    /* … and that they are final there: once for each placed range, in the same order. */
    cvy_status (*ready)(void *arg, size_t first, size_t count);
    cvy_status (*leaf_done)(void *arg); /* all that will come of this leaf in this segment has come */
    cvy_status (*rewind)(void *arg); /* leaves come again from the first, with other floats (networks with partials) */
    /* Sums a partial over all leaves of the batch: per_leaf [own leaves][len] → sum [len]. Collective. */
    cvy_status (*reduce)(void *arg, const double *per_leaf, size_t len, double *sum);
    cvy_status (*go_on)(void *arg); /* asked before each forward pass of a layer; NULL: always */
};

/* The leaves of one batch on this rank: n samples each, one after the other in x. */
struct cvy_net_batch {
    const float *x;           /* [Σ sizes][h][w][c] */
    const void *y;            /* [Σ sizes] targets, NULL: losses do not run (in evaluation) */
    struct cvy_target target; /* what each is */
    const int64_t *ids;       /* [Σ sizes] */
    int first_leaf, leaves;
    const int *sizes; /* [leaves] samples of each */
    int64_t samples;  /* of the whole batch, on all ranks; in training */
    uint32_t epoch;
    int64_t step;
};
/* Forward, and in training backward, of every leaf. losses: [leaves] sums over each leaf, or NULL without a loss.
 * Collective in training where the graph has partials, through hooks->reduce. hooks may be NULL in evaluation. */
cvy_status cvy_net_run(struct cvy_net *net, const struct cvy_net_batch *batch, const struct cvy_net_hooks *hooks,
                       struct cvy_loss_result *losses);

/* Forward alone of the same batch, in training, looking at each layer's output as it is made. *fault: the first node,
 * in the order of the graph, of which one on this rank is not finite; −1: none. hooks: `reduce`, for graphs with
 * partials. Collective where the graph has partials. */
cvy_status cvy_net_inspect(struct cvy_net *net, const struct cvy_net_batch *batch, const struct cvy_net_hooks *hooks,
                           int *fault);
/* In evaluation: whether each run looks so; and what it found since that was said, −1: nothing. */
void cvy_net_watch(struct cvy_net *net, bool on);
int cvy_net_fault(const struct cvy_net *net);

/* After an evaluation: the outputs [n][h][w][c] of the last leaf that ran. */
const float *cvy_net_output(const struct cvy_net *net);

/* For bench: called after every op with its pass ("forward", "backward") and seconds; NULL to stop. */
typedef void cvy_net_timer(void *arg, int node, const char *pass, double seconds);
void cvy_net_set_timer(struct cvy_net *net, cvy_net_timer *timer, void *arg);

#endif
