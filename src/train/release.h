/* Gradients that are used as soon as they are there, their memory then serving the next layer's: where one rank has one
 * leaf a step there is nothing to sum, and no need for the whole vector. */
#ifndef CVY_TRAIN_RELEASE_H
#define CVY_TRAIN_RELEASE_H

#include "graph/run/spans.h"

struct cvy_release {
    float *arena; /* of the largest part of a layer's gradient */
    size_t used;
    struct {
        size_t first, count; /* of the flat vector */
        float *at;
    } held[CVY_MOST_SPANS];
    int count;
};

cvy_status cvy_release_create(const struct cvy_graph *graph, struct cvy_release *out);
void cvy_release_destroy(struct cvy_release *release);
size_t cvy_release_bytes(const struct cvy_graph *graph);

/* Where these floats of the gradient go. */
float *cvy_release_place(struct cvy_release *release, size_t first, size_t count);
/* They are final: where they are, until the next _place. */
float *cvy_release_take(struct cvy_release *release, size_t first);

#endif
