#include "unit/graph/training_help.h"

#include "test.h"

void graph_training_create(const struct cvy_net_spec *spec, const int *sizes, struct graph_training *out) {
    int samples = 0;
    for (int i = 0; i < spec->leaves; i++) samples += sizes[i];
    TEST_OK(cvy_net_create(spec, &out->net));
    graph_draw_values(spec->graph, cvy_net_parameters(out->net));
    graph_batch_create(spec->graph, samples, &out->batch);
    leaf_store_create(spec->graph, spec->leaves, &out->store);
    out->part = graph_leaves(spec->graph, &out->batch, sizes, 0, spec->leaves);
}

void graph_training_destroy(struct graph_training *training) {
    leaf_store_destroy(&training->store);
    graph_batch_destroy(&training->batch);
    cvy_net_destroy(&training->net);
}
