/* Private to the files of a net: net.c is its life, net_call.c makes the call of one op on one leaf, net_run.c runs
 * nodes and segments. */
#ifndef CVY_GRAPH_RUN_NET_PARTS_H
#define CVY_GRAPH_RUN_NET_PARTS_H

#include "core/memory.h"
#include "graph/run/net.h"
#include "graph/run/spans.h"

struct cvy_net {
    struct cvy_net_spec spec;
    const struct cvy_graph *graph;
    struct cvy_plan plan;
    struct cvy_arena activations, scratch;
    float *own_parameters, *own_statistics; /* its own parameters and buffers; NULL where it follows others */
    const float *parameters, *statistics;   /* by which it runs: these, or those that it follows */
    unsigned char *leaf_base;               /* [slots][leaf_bytes] */
    unsigned char *workspace;
    float *copies;
    double *per_leaf, *partial; /* [leaves][max_partial], [max_partial] */
    struct cvy_tensor *x, *dx;  /* [max_inputs + 1], for a call */
    struct cvy_tensor *wide;    /* [2 · (max_inputs + 1)], for a call that is converted for */
    bool *accumulate;
    bool *grad_written; /* of each value, in the current leaf */
    bool prepared;      /* in evaluation: the compute copies are those of the parameters */
    cvy_net_timer *timer;
    void *timer_arg;
    bool watching, forward_only;
    int fault; /* the first node whose output was not finite, while watching; −1: none */
};

/* What stays the same while one leaf runs through a segment. */
struct cvy_leaf_run {
    struct cvy_net *net;
    const struct cvy_net_batch *batch;
    const struct cvy_net_hooks *hooks;
    int leaf;      /* among this rank's */
    int slot;      /* where its buffers are */
    int n, sample; /* samples, and the first one's place in the batch */
    struct cvy_loss_result *loss;
};

/* A part of a node's gradient, and where each of its spans was placed. */
struct cvy_placed {
    struct cvy_span spans[CVY_MOST_SPANS];
    float *at[CVY_MOST_SPANS];
    int count;
};

/* What is where. */
const float *cvy_leaf_input(const struct cvy_leaf_run *r);
void *cvy_leaf_buffer(const struct cvy_leaf_run *r, int buffer);
/* buffers: of each value, plan.value, plan.back or plan.grad. */
struct cvy_tensor cvy_leaf_tensor(const struct cvy_leaf_run *r, int value, const int *buffers);
/* Whether the gradient of a value was begun in this leaf; those of later values follow. */
bool *cvy_leaf_written(const struct cvy_leaf_run *r, int value);

/* What a unit reads and hands gradients to: its op's inputs, then a residual. */
int cvy_unit_inputs(const struct cvy_net *net, int i);
int cvy_unit_input(const struct cvy_net *net, int i, int k);

void cvy_net_params(const struct cvy_net *net, const struct cvy_graph_node *node, struct cvy_call *call);
struct cvy_call cvy_leaf_call(const struct cvy_leaf_run *r, int i, bool backward);

/* Where a part of a node's gradient goes; into the call; and that it is final there. */
struct cvy_placed cvy_leaf_place(const struct cvy_leaf_run *r, const struct cvy_graph_node *node, int part);
void cvy_leaf_gradients(const struct cvy_leaf_run *r, const struct cvy_graph_node *node,
                        const struct cvy_placed *placed, struct cvy_call *call);
cvy_status cvy_leaf_ready(const struct cvy_leaf_run *r, const struct cvy_placed *p);

#endif
