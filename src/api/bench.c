/* cvy_bench: steps of one process on random inputs, timed whole and layer by layer, beside the machine's peaks. */
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/rng.h"
#include "core/sized.h"
#include "api/bench.h"
#include "experiment/leaf.h"
#include "train/machine.h"

/* ---- Making and filling ---- */

static cvy_status load(struct bench *b, const struct cvy_bench_options *options) {
    char advice[CVY_LEAF_TEXT];
    const bool bf16 = options->precision && strcmp(options->precision, "bf16") == 0;
    const char *const set[] = {"train.optimizer={sgd: {momentum: 0.9}}",
                               bf16 ? "train.precision=bf16" : "train.precision=fp32"};
    CVY_CHECK(bf16 || options->precision == NULL || strcmp(options->precision, "fp32") == 0, CVY_ERR_USAGE,
              "no precision \"%s\"; use fp32 or bf16", options->precision);
    CVY_TRY(cvy_experiment_load_any(options->model, set, 2, &b->experiment));
    CVY_TRY(cvy_experiment_graph(b->experiment, b->experiment->loss, &b->graph));
    b->batch = options->batch > 0 ? options->batch : (int)b->experiment->batch;
    b->leaf = options->leaf > 0 ? options->leaf : b->batch;
    CVY_CHECK(b->batch % b->leaf == 0, CVY_ERR_USAGE, "a batch of %d is not a multiple of the leaf of %d; %s", b->batch,
              b->leaf, cvy_leaf_advice(b->batch, b->leaf, advice));
    b->leaves = b->batch / b->leaf;
    b->inference = options->inference;
    return b->inference ? CVY_OK : cvy_graph_check(b->graph, b->leaf, b->batch);
}

static cvy_status allocate_training(struct bench *b) {
    const size_t stored = cvy_graph_gradient_floats(b->graph);
    CVY_TRY(cvy_optimizer_create(b->experiment->optimizer, &b->graph->params, CVY_DECAY_ON_ALL, &b->optimizer));
    CVY_TRY(CVY_NEW(&b->gradient, b->leaves > 1 ? stored : b->graph->buffers.stored, gradients));
    if (b->leaves > 1) return CVY_NEW(&b->sum, stored, gradients);
    return cvy_release_create(b->graph, &b->release);
}

static cvy_status allocate(struct bench *b) {
    const struct cvy_net_spec spec = {.graph = b->graph,
                                      .compute = b->ctx->compute,
                                      .mode = b->inference ? CVY_EVALUATE : CVY_TRAIN,
                                      .leaf = b->leaf,
                                      .leaves = b->leaves,
                                      .seed = 1,
                                      .recompute = (enum cvy_recompute)b->experiment->recompute};
    CVY_TRY(cvy_net_create(&spec, &b->net));
    CVY_TRY(CVY_NEW(&b->x, cvy_shape_count(b->graph->input) * b->batch, data));
    b->target = cvy_graph_target(b->graph);
    CVY_TRY(CVY_NEW(&b->y, cvy_shape_count(b->target.shape) * b->batch, data));
    CVY_TRY(CVY_NEW(&b->ids, b->batch, data));
    CVY_TRY(CVY_NEW(&b->sizes, b->leaves, general));
    CVY_TRY(CVY_NEW(&b->losses, b->leaves, general));
    CVY_TRY(CVY_NEW(&b->times, b->graph->node_count, general));
    CVY_TRY(CVY_NEW(&b->phases, BENCH_MOST_STEPS, general));
    CVY_TRY(CVY_NEW(&b->step_seconds, BENCH_MOST_STEPS, general));
    return b->inference ? CVY_OK : allocate_training(b);
}

static void fill_inputs(struct bench *b) {
    struct cvy_rng rng = cvy_rng_at(cvy_stream_make(1, "bench"), 0, 0);
    uint32_t classes = (uint32_t)cvy_graph_output_shape(b->graph).c;
    for (int64_t i = 0; i < cvy_shape_count(b->graph->input) * b->batch; i++) b->x[i] = 2 * cvy_rng_uniform(&rng) - 1;
    for (int i = 0; i < b->batch; i++) b->ids[i] = i;
    for (int64_t i = 0; b->target.type == CVY_I32 && i < cvy_shape_count(b->target.shape) * b->batch; i++)
        b->y[i] = (int32_t)cvy_rng_below(&rng, classes); /* values stay zero */
    for (int l = 0; l < b->leaves; l++) b->sizes[l] = b->leaf;
}

static void destroy(struct bench *b) {
    cvy_peaks_destroy(&b->peaks);
    cvy_net_destroy(&b->net);
    cvy_optimizer_destroy(&b->optimizer);
    cvy_release_destroy(&b->release);
    cvy_graph_destroy(&b->graph);
    cvy_experiment_destroy(&b->experiment);
    cvy_free(b->x);
    cvy_free(b->y);
    cvy_free(b->ids);
    cvy_free(b->gradient);
    cvy_free(b->sum);
    cvy_free(b->sizes);
    cvy_free(b->losses);
    cvy_free(b->times);
    cvy_free(b->phases);
    cvy_free(b->step_seconds);
}

/* ---- The whole ---- */

static cvy_status time_model(struct bench *b, const struct cvy_bench_options *options, struct cvy_bench_result *out) {
    CVY_TRY(load(b, options));
    CVY_TRY(allocate(b));
    fill_inputs(b);
    CVY_TRY(bench_run_step(b));
    out->first_step_s = cvy_clock_since_start();
    out->peak_rss_mib = cvy_machine_peak_rss_mib();
    CVY_TRY(cvy_peaks_create(b->ctx->compute, &b->peaks));
    CVY_TRY(bench_measure(b, options->seconds > 0 ? options->seconds : 3, out));
    return bench_fill_rows(b, out);
}

static cvy_status time_machine(struct bench *b) {
    enum { PROBES = 10 };
    CVY_TRY(cvy_peaks_create(b->ctx->compute, &b->peaks));
    for (int i = 0; i < PROBES; i++) cvy_peaks_probe(&b->peaks);
    return CVY_OK;
}

cvy_status cvy_bench(struct cvy_context *ctx, const struct cvy_bench_options *options, struct cvy_bench_result *out) {
    CVY_ENTER(ctx);
    struct bench b = {.ctx = ctx};
    struct cvy_bench_options how;
    struct cvy_bench_result own;
    CVY_TRY(CVY_BEGIN(cvy_bench_result, out, &own));
    CVY_TRY(CVY_READ(cvy_bench_options, options, &how));
    own.threads = ctx->compute->threads;
    cvy_status status = how.model ? time_model(&b, &how, &own) : time_machine(&b);
    bench_fill_machine(&b, &own);
    destroy(&b);
    if (status != CVY_OK) cvy_bench_result_destroy(&own);
    return cvy_sized_give(status, &own, out);
}

void cvy_bench_result_destroy(struct cvy_bench_result *result) {
    struct cvy_bench_result own;
    CVY_TAKE(result, &own);
    cvy_free(own.layers);
}
