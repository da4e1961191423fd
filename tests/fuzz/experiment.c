/* An experiment file, model inline: what is resolved reads back; so does what has every default written out. */
#include "experiment/experiment.h"
#include "fuzz/fuzz.h"

static void reads_back(const struct cvy_buf *text) {
    struct cvy_experiment *again;
    fuzz_expect(cvy_experiment_parse("resolved", text->data, text->size, &again) == CVY_OK);
    cvy_experiment_destroy(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cvy_experiment *experiment;
    struct cvy_buf resolved = {0}, whole = {0};
    if (cvy_experiment_load(fuzz_file("e.yaml", data, size), NULL, 0, &experiment) == CVY_OK) {
        fuzz_expect(cvy_experiment_emit(experiment, &resolved) == CVY_OK);
        reads_back(&resolved);
        if (cvy_experiment_emit_whole(experiment, &whole) == CVY_OK) reads_back(&whole);
        cvy_experiment_destroy(&experiment);
    }
    cvy_buf_destroy(&resolved);
    cvy_buf_destroy(&whole);
    return fuzz_done();
}
