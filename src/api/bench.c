/* cvy_bench: steps of one process on random inputs, timed whole and layer by layer, beside the machine's peaks. */
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/rng.h"
#include "core/sized.h"
#include "api/bench.h"
#include "experiment/leaf.h"
#include "core/machine.h"

/* ---- Making and filling ---- */

/* The caller's changes come before ours. */
static cvy_status load_with(const struct cvy_bench_options *options, const char *const ours[2],
                            struct cvy_experiment **out) {
    const char **all;
    CVY_TRY(CVY_NEW(&all, options->set_count + 2, general));
    for (int i = 0; i < options->set_count; i++) all[i] = options->set[i];
    for (int i = 0; i < 2; i++) all[options->set_count + i] = ours[i];
    cvy_status status = cvy_experiment_load_any(options->model, all, options->set_count + 2, out);
    cvy_free(all);
    return status;
}

static cvy_status load(struct bench *b, const struct cvy_bench_options *options) {
    char advice[CVY_LEAF_TEXT];
    const bool bf16 = options->precision && strcmp(options->precision, "bf16") == 0;
    const char *const set[] = {"train.optimizer={sgd: {momentum: 0.9}}",
                               bf16 ? "train.precision=bf16" : "train.precision=fp32"};
    CVY_CHECK(bf16 || options->precision == NULL || strcmp(options->precision, "fp32") == 0, CVY_ERR_USAGE,
              "no precision \"%s\"; use fp32 or bf16", options->precision);
    CVY_TRY(load_with(options, set, &b->experiment));
    CVY_TRY(cvy_experiment_graph(b->experiment, b->experiment->loss, &b->graph));
    const int batch = options->batch > 0 ? options->batch : (int)b->experiment->batch;
    b->leaf = options->leaf > 0 ? options->leaf : batch;
    CVY_CHECK(batch % b->leaf == 0, CVY_ERR_USAGE, "a batch of %d is not a multiple of the leaf of %d; %s", batch,
              b->leaf, cvy_leaf_advice(batch, b->leaf, advice));
    b->leaves = batch / b->leaf;
    b->batch =
        (struct cvy_batch){.count = batch, .leaf_count = b->leaves, .plan = {.count = batch, .leaves = b->leaves}};
    b->inference = options->inference;
    return b->inference ? CVY_OK : cvy_graph_check(b->graph, b->leaf, batch);
}

/* As one rank trains: with one leaf gradients are used as they come, several are summed. */
static cvy_status allocate_training(struct bench *b) {
    const struct cvy_experiment *e = b->experiment;
    CVY_TRY(cvy_comm_create_alone(&b->alone));
    const struct cvy_engine_spec spec = {.comm = b->alone,
                                         .ranks = 1,
                                         .compute = b->ctx->compute,
                                         .graph = b->graph,
                                         .target = cvy_graph_target(b->graph),
                                         .optimizer = e->optimizer,
                                         .seed = 1,
                                         .recompute = e->recompute,
                                         .leaf = b->leaf,
                                         .leaves = {b->leaves},
                                         .bucket_floats = (size_t)(e->bucket_mib * (1 << 20) / sizeof(float))};
    CVY_TRY(cvy_engine_open(&spec, &b->engine));
    CVY_TRY(cvy_engine_allocate(&b->engine));
    b->net = b->engine.net;
    return cvy_engine_connect(&b->engine);
}

static cvy_status allocate_inference(struct bench *b) {
    const struct cvy_net_spec spec = {.graph = b->graph,
                                      .compute = b->ctx->compute,
                                      .mode = CVY_EVALUATE,
                                      .leaf = b->leaf,
                                      .leaves = b->leaves,
                                      .seed = 1,
                                      .recompute = b->experiment->recompute};
    CVY_TRY(cvy_net_create(&spec, &b->net));
    CVY_TRY(CVY_NEW(&b->sizes, b->leaves, general));
    for (int l = 0; l < b->leaves; l++) b->sizes[l] = b->leaf;
    return CVY_NEW(&b->losses, b->leaves, general);
}

static cvy_status allocate(struct bench *b) {
    const int64_t targets = cvy_shape_count(cvy_graph_target(b->graph).shape);
    int32_t *y = NULL;
    CVY_TRY(b->inference ? allocate_inference(b) : allocate_training(b));
    CVY_TRY(CVY_NEW(&b->batch.x, cvy_shape_count(b->graph->input) * b->batch.count, data));
    cvy_status status = CVY_NEW(&y, targets * b->batch.count, data);
    b->batch.y = y;
    if (status == CVY_OK) status = CVY_NEW(&b->batch.ids, b->batch.count, data);
    CVY_TRY(status);
    CVY_TRY(CVY_NEW(&b->times, b->graph->node_count, general));
    CVY_TRY(CVY_NEW(&b->phases, BENCH_MOST_STEPS, general));
    return CVY_NEW(&b->step_seconds, BENCH_MOST_STEPS, general);
}

static void fill_inputs(struct bench *b) {
    const struct cvy_target target = cvy_graph_target(b->graph);
    const int64_t inputs = cvy_shape_count(b->graph->input) * b->batch.count;
    const int64_t targets = cvy_shape_count(target.shape) * b->batch.count;
    struct cvy_rng rng = cvy_rng_at(cvy_stream_make(1, "bench"), 0, 0);
    uint32_t classes = (uint32_t)cvy_graph_output_shape(b->graph).c;
    int32_t *y = b->batch.y;
    for (int64_t i = 0; i < inputs; i++) b->batch.x[i] = 2 * cvy_rng_uniform(&rng) - 1;
    for (int i = 0; i < b->batch.count; i++) b->batch.ids[i] = i;
    for (int64_t i = 0; target.type == CVY_I32 && i < targets; i++)
        y[i] = (int32_t)cvy_rng_below(&rng, classes); /* values stay zero */
}

static void destroy(struct bench *b) {
    cvy_peaks_destroy(&b->peaks);
    if (b->inference) cvy_net_destroy(&b->net);
    cvy_engine_close(&b->engine);
    cvy_comm_destroy(&b->alone);
    cvy_graph_destroy(&b->graph);
    cvy_experiment_destroy(&b->experiment);
    cvy_free(b->batch.x);
    cvy_free(b->batch.y);
    cvy_free(b->batch.ids);
    cvy_free(b->sizes);
    cvy_free(b->losses);
    cvy_free(b->times);
    cvy_free(b->phases);
    cvy_free(b->step_seconds);
}

/* ---- The whole ---- */

static cvy_status time_model(struct bench *b, const struct cvy_bench_options *options, struct cvy_bench_result *out) {
    b->planned = options->plan;
    CVY_TRY(load(b, options));
    CVY_TRY(allocate(b));
    fill_inputs(b);
    CVY_TRY(bench_run_step(b));
    out->first_step_s = cvy_clock_since_start();
    out->peak_rss_mib = cvy_machine_peak_rss_mib();
    CVY_TRY(cvy_peaks_create(b->ctx->compute, &b->peaks));
    CVY_TRY(bench_measure(b, options->seconds > 0 ? options->seconds : 3, out));
    if (b->nonfinite)
        cvy_warn(b->ctx->log,
                 "%s: its loss on random inputs is not finite, and then no step updates anything: there "
                 "is less to time than in training",
                 options->model);
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
    own.batch = b.batch.count;
    own.leaf = b.leaf;
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
