/* A model file: from the description to a checked graph. */
#include "experiment/experiment.h"
#include "fuzz/fuzz.h"

static void look_at(struct cvy_experiment *experiment) {
    struct cvy_graph *graph;
    struct cvy_findings warnings = {0}, notes = {0};
    if (cvy_experiment_graph(experiment, experiment->loss, &graph) != CVY_OK) return;
    if (cvy_graph_check(graph, 2, 6) == CVY_OK) cvy_graph_find_traps(graph, &warnings, &notes);
    cvy_graph_destroy(&graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cvy_experiment *experiment;
    if (cvy_experiment_load_any(fuzz_file("m.yaml", data, size), NULL, 0, &experiment) == CVY_OK) {
        look_at(experiment);
        cvy_experiment_destroy(&experiment);
    }
    return fuzz_done();
}
