/* The memory plan: where every feature map, gradient and saved byte of one leaf lies, from their lifetimes.
 *
 *   time   0 … N−1 forward          N … 2N−1 backward
 *   y      [its node, last reader (forward consumers; backward of ops that read it)]
 *   dy     [backward of its last consumer, backward of its producer]
 *
 * Buffers whose times do not meet share bytes. Offsets: the largest buffer first, each at the lowest place where it
 * meets nobody ("greedy by size", Pisarchyk & Lee 2020); in small networks only those of one size share. In-place ops
 * and views share their input's buffer; so do the gradients of a sum and of what it adds, as long as only the last to
 * read them changes them.
 *
 * What is cheap to make again (normalised values, and of residual blocks in a row the end of every second: its own sum
 * needs the end before) is not kept from forward to backward in large networks:
 *
 *   y      [its node, last forward consumer]   and again   [backward of the op that reads it, its own if that reads y]
 */
#ifndef CVY_GRAPH_RUN_PLAN_H
#define CVY_GRAPH_RUN_PLAN_H

#include "graph/run/fuse.h"
#include "graph/model/graph.h"

#define CVY_NO_BUFFER    -1
#define CVY_INPUT_BUFFER -2 /* the caller's batch; in bf16 the input is converted into a buffer of its own */

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
    struct cvy_fused_unit *units; /* [nodes] what runs as one */
    int *value, *grad, *saved;    /* buffer of each value, its gradient, each node's saved bytes */
    int *back;                    /* buffer of each value in backward: `value`, or where it is made again */
    int *recompute;               /* of each node: whose output is made again before its backward, −1 for none */
    size_t leaf_bytes;            /* one leaf's buffers */
    int slots;                    /* leaves that are alive at once: 1, or all of a rank when there are partials */
    size_t workspace_bytes;
    size_t *copy; /* of each node: offset in floats, SIZE_MAX for none */
    bool *late;   /* its copy is made just before its backward, where others' are at other times */
    void **made;  /* [nodes] each op's own plan, NULL for none */
    int nodes;
    size_t copy_floats;
    struct cvy_segment *segments;
    int segment_count;
    size_t max_partial; /* doubles */
};

/* leaves: that a rank holds at most. The plan is for this number of threads and ISA level. */
cvy_status cvy_plan_create(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves,
                           const struct cvy_compute *compute, enum cvy_recompute recompute, struct cvy_plan *out);
void cvy_plan_destroy(struct cvy_plan *plan);

/* Bytes of activations, gradients of activations, workspace and copies: what a net takes beside its parameters. */
size_t cvy_plan_bytes(const struct cvy_plan *plan);

#endif
