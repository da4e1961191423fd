/* Ops of fp32 in a network whose values are in bf16: what such an op reads is widened into the workspace before it
 * runs, and what it wrote is rounded into the network's buffers after. So every op works in a bf16 network; those that
 * run on bf16 themselves (op.bf16) save the way. */
#ifndef CVY_GRAPH_RUN_MIXED_H
#define CVY_GRAPH_RUN_MIXED_H

#include "graph/model/graph.h"

enum cvy_mixed_pass { CVY_MIXED_FORWARD, CVY_MIXED_BACKWARD, CVY_MIXED_PARTIAL, CVY_MIXED_PARTIAL_BACKWARD };

/* A call as the op is to see it. */
struct cvy_mixed {
    struct cvy_call call;
    const struct cvy_call *outer;
    const struct cvy_op *op;
    enum cvy_mixed_pass pass;
};

/* Bytes in front of a node's own workspace, for n samples; 0 where nothing is converted. */
size_t cvy_mixed_bytes(const struct cvy_graph *graph, int node, int n);

/* Gives the call to run the op with: `outer` itself, or one whose tensors are fp32. `tensors` has room for twice the
 * op's inputs, a residual among them, and, like `outer`, is in use until cvy_mixed_end. */
struct cvy_call *cvy_mixed_begin(struct cvy_mixed *m, const struct cvy_op *op, struct cvy_call *outer,
                                 enum cvy_mixed_pass pass, struct cvy_tensor *tensors);
void cvy_mixed_end(struct cvy_mixed *m);

#endif
