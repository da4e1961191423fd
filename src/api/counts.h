/* Which classes were taken for which: a table of counts, from outputs and targets. */
#ifndef CVY_API_COUNTS_H
#define CVY_API_COUNTS_H

#include "graph/model/graph.h"

struct cvy_counts {
    enum cvy_measure measure;
    struct cvy_target target;
    struct cvy_shape out;
    bool ignores;
    int32_t ignored;
    int classes;    /* rows of `cells`; 0 where there is nothing to count */
    size_t size;    /* of `cells` */
    int64_t *cells; /* classes: [true][said]; labels: [classes][truly][said], 0 no, 1 yes */
};

/* As the loss of the graph measures; it has been told of its target. */
cvy_status cvy_counts_create(const struct cvy_graph *graph, const struct cvy_target *target, struct cvy_counts *out);
void cvy_counts_destroy(struct cvy_counts *counts);
/* n samples: outputs [n][h][w][c], targets [n]. */
void cvy_counts_add(struct cvy_counts *counts, const float *outputs, const void *targets, int n);

#endif
