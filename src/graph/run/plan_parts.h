/* Private to the files of the plan: plan_times.c says what is alive when, plan_offsets.c where it lies, plan.c the
 * rest.
 */
#ifndef CVY_GRAPH_RUN_PLAN_PARTS_H
#define CVY_GRAPH_RUN_PLAN_PARTS_H

#include "graph/run/plan.h"

struct planner {
    const struct cvy_graph *graph;
    const struct cvy_compute *compute;
    struct cvy_plan *plan;
    int *last_read; /* of each value: the last time anyone reads it */
    bool alone;     /* nobody else reads the dy of the unit whose gradients are being planned */
    int nodes;
};

static inline bool training(const struct planner *p) {
    return p->plan->mode == CVY_TRAIN;
}
/* Heads are for training alone. */
static inline bool runs(const struct planner *p, int node) {
    return training(p) || p->graph->nodes[node].main;
}
static inline int backward_time(const struct planner *p, int node) {
    return 2 * p->nodes - 1 - node;
}
static inline const struct cvy_op *op_of(const struct planner *p, int node) {
    return &p->graph->nodes[node].op;
}

/* Buffers of values, gradients and saved bytes, with their times. repeats: what is cheap to make again is, in backward.
 */
void cvy_plan_times(struct planner *p, bool repeats);
/* Their offsets, and the bytes of a leaf. */
cvy_status cvy_plan_offsets(struct cvy_plan *plan);

#endif
