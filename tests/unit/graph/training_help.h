/* A net for training and all that a step of it wants: values that are not the initial ones, one batch in leaves, and
 * hooks that keep every leaf's gradient. */
#ifndef CVY_TESTS_TRAINING_HELP_H
#define CVY_TESTS_TRAINING_HELP_H

#include "unit/graph/graph_help.h"

struct graph_training {
    struct cvy_net *net;
    struct graph_batch batch;
    struct leaf_store store;
    struct cvy_net_batch part; /* all leaves */
};
/* As the spec says; sizes: samples of each of its leaves. */
void graph_training_create(const struct cvy_net_spec *spec, const int *sizes, struct graph_training *out);
void graph_training_destroy(struct graph_training *training);

#endif
