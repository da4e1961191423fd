/* Private to the plan: plan.c asks the model, row by row; plan_compute.c says how long layers take, plan_network.c how
 * long messages do; plan_advice.c what to change. */
#ifndef CVY_API_PLAN_PARTS_H
#define CVY_API_PLAN_PARTS_H

#include "comm/forecast.h"
#include "convoy/model.h"
#include "convoy/plan.h"
#include "experiment/experiment.h"
#include "graph/model/graph.h"
#include "train/context.h"

/* Times of one leaf. */
struct plan_compute {
    double forward, backward, update;       /* s; forward: with all that is neither of the two others */
    struct cvy_backward_stretch *stretches; /* [count] of backward: of each layer, the last one first */
    int count;
};

struct plan {
    struct cvy_context *ctx;
    const struct cvy_plan_options *options;
    struct cvy_experiment *experiment;
    struct cvy_graph *graph;
    int leaf, leaves, each; /* each: ranks of a node */
    struct cvy_network network;
    struct plan_compute compute;
    double alone; /* s: the step of one node */
};

/* Measures, or reads what was measured; says in out->compute which. */
cvy_status plan_find_compute(struct plan *p, struct cvy_plan_facts *out);
/* Collective where it is measured. */
cvy_status plan_find_network(struct plan *p, struct cvy_plan_facts *out);
/* A step on so many nodes, with buckets of `mib` MiB. */
cvy_status plan_forecast(const struct plan *p, int nodes, double mib, struct cvy_forecast *out);
/* Fills out->pays_until and out->advice from the rows. */
cvy_status plan_advise(const struct plan *p, struct cvy_plan_facts *out);

#endif
