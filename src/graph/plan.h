/* The memory plan: where every feature map, gradient and saved byte of one leaf lies, from their lifetimes.
 *
 *   time   0 … N−1 forward          N … 2N−1 backward
 *   y      [its node, last reader (forward consumers; backward of ops that read it)]
 *   dy     [backward of its last consumer, backward of its producer]
 *
 * Buffers whose times do not meet share bytes. Offsets: the largest buffer first, each at the lowest place where it
 * meets nobody ("greedy by size", Pisarchyk & Lee 2020). In-place ops and views share their input's buffer. */
#ifndef CVY_GRAPH_PLAN_H
#define CVY_GRAPH_PLAN_H

#include "graph/graph.h"

#define CVY_NO_BUFFER    -1
#define CVY_INPUT_BUFFER -2 /* the caller's batch */

struct cvy_buffer {
    size_t bytes, offset;
    int first, last; /* times */
};

/* A stretch of steps without a partial between them: all leaves run through it before the next. */
struct cvy_segment {
    int first, end; /* steps: step t < N is node t forward, else node 2N−1−t backward */
    int node;       /* whose partial is summed before it, −1 for none */
    bool backward;  /* of the node */
};

struct cvy_plan {
    enum cvy_mode mode;
    int n; /* samples a leaf, at most */
    struct cvy_buffer *buffers;
    int buffer_count;
    int *value, *grad, *saved; /* buffer of each value, its gradient, each node's saved bytes */
    size_t leaf_bytes;         /* one leaf's buffers */
    int slots;                 /* leaves that are alive at once: 1, or all of a rank when there are partials */
    size_t workspace_bytes;
    size_t *copy; /* of each node: offset in floats, SIZE_MAX for none */
    bool *late;   /* its copy is made just before its backward, where others' are at other times */
    size_t copy_floats;
    struct cvy_segment *segments;
    int segment_count;
    size_t max_partial; /* doubles */
};

/* leaves: that a rank holds at most. */
cvy_status cvy_plan_create(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves, int threads,
                           struct cvy_plan *out);
void cvy_plan_destroy(struct cvy_plan *plan);

/* Bytes of activations, gradients of activations, workspace and copies: what a net takes beside its parameters. */
size_t cvy_plan_bytes(const struct cvy_plan *plan);

#endif
