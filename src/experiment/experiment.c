#include "experiment/experiment.h"

#include "core/memory.h"
#include "io/yaml.h"

cvy_status cvy_experiment_graph(const struct cvy_experiment *e, const struct cvy_node *loss, struct cvy_graph **out) {
    CVY_TRY(cvy_graph_create(e->model, loss, out));
    cvy_graph_set_precision(*out, e->precision == CVY_PRECISION_BF16 ? CVY_BF16 : CVY_F32);
    cvy_graph_set_winograd(*out, e->winograd);
    return CVY_OK;
}

bool cvy_every_due(const struct cvy_every *every, int64_t step, int64_t epoch, int64_t position) {
    if (every->unit == CVY_UNIT_STEPS) return step % every->count == 0;
    if (every->unit == CVY_UNIT_MINUTES) return false;
    return position == 0 && epoch % every->count == 0;
}

void cvy_experiment_destroy(struct cvy_experiment **experiment) {
    if (*experiment == NULL) return;
    cvy_tree_destroy(&(*experiment)->tree);
    CVY_DELETE(experiment);
}

cvy_status cvy_experiment_emit(const struct cvy_experiment *experiment, struct cvy_buf *out) {
    return cvy_yaml_emit(experiment->root, out);
}

cvy_status cvy_experiment_emit_whole(const struct cvy_experiment *experiment, struct cvy_buf *out) {
    struct cvy_tree *tree;
    struct cvy_node *whole;
    CVY_TRY(cvy_tree_create(&tree));
    cvy_status status = cvy_experiment_fill(experiment, tree, &whole);
    if (status == CVY_OK) status = cvy_yaml_emit(whole, out);
    cvy_tree_destroy(&tree);
    return status;
}
