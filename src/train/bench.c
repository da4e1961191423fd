/* cvy_bench: training steps of one process on random inputs, timed whole and layer by layer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convoy/model.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/rng.h"
#include "graph/net.h"
#include "kernels/eltwise.h"
#include "optim/optimizer.h"
#include "train/context.h"
#include "train/experiment.h"
#include "train/machine.h"
#include "train/release.h"

enum { MAX_ROUNDS = 4096 };

struct bench {
    struct cvy_context *ctx;
    struct cvy_experiment *experiment;
    struct cvy_graph *graph;
    struct cvy_net *net;
    struct cvy_optimizer optimizer;
    struct cvy_release release; /* with one leaf */
    int batch, leaf, leaves;
    int64_t step;
    double updating; /* seconds that are not in `seconds` yet */
    float *x, *gradient, *sum;
    struct cvy_target target;
    int32_t *y; /* [batch] targets of either type */
    int64_t *ids;
    int *sizes;
    struct cvy_xent_result *losses;
    double *seconds;      /* [2 · nodes + 1]: forward, backward of each, update; of the current step */
    double *best;         /* likewise: the least of all steps, which noise does not touch */
    double *step_seconds; /* [MAX_ROUNDS] */
};

/* ---- One process: a single leaf's gradient is released at once, several are summed one after the other ---- */

static void update(struct bench *b, const float *gradient, size_t first, size_t end) {
    double start = cvy_clock();
    cvy_optimizer_update(&b->optimizer, b->ctx->compute, cvy_net_values(b->net), gradient, first, end, 0.001,
                         1.0 / b->batch, b->step + 1);
    b->updating += cvy_clock() - start;
}

static float *hook_place(void *arg, size_t first, size_t count) {
    struct bench *b = arg;
    bool released = b->leaves == 1 && first >= b->graph->buffers.stored;
    return released ? cvy_release_place(&b->release, first, count) : b->gradient + first;
}
static cvy_status hook_ready(void *arg, size_t first, size_t count) {
    struct bench *b = arg;
    const size_t statistics = b->graph->buffers.stored;
    if (b->leaves == 1 && first >= statistics)
        update(b, cvy_release_take(&b->release, first), first - statistics, first - statistics + count);
    return CVY_OK;
}
static cvy_status hook_leaf_done(void *arg) {
    struct bench *b = arg;
    if (b->leaves > 1) cvy_vec_add(b->ctx->compute, b->sum, b->gradient, (int64_t)cvy_graph_gradient_floats(b->graph));
    return CVY_OK;
}
static cvy_status hook_rewind(void *arg) {
    (void)arg;
    return CVY_OK;
}
static cvy_status hook_reduce(void *arg, const double *per_leaf, size_t len, double *sum) {
    const struct bench *b = arg;
    memcpy(sum, per_leaf, len * sizeof *sum);
    for (int l = 1; l < b->leaves; l++)
        for (size_t i = 0; i < len; i++) sum[i] += per_leaf[(size_t)l * len + i];
    return CVY_OK;
}

static cvy_status run_step(struct bench *b, int64_t step) {
    const struct cvy_net_hooks hooks = {b, hook_place, hook_ready, hook_leaf_done, hook_rewind, hook_reduce};
    const struct cvy_net_batch batch = {.x = b->x,
                                        .y = b->y,
                                        .target = b->target,
                                        .ids = b->ids,
                                        .leaves = b->leaves,
                                        .sizes = b->sizes,
                                        .samples = b->batch,
                                        .step = step};
    b->step = step;
    size_t stored = b->graph->params.stored, statistics = b->graph->buffers.stored;
    if (b->leaves > 1) cvy_vec_zero(b->ctx->compute, b->sum, (int64_t)(statistics + stored));
    CVY_TRY(cvy_net_run(b->net, &batch, &hooks, b->losses));
    if (b->leaves > 1) update(b, b->sum + statistics, 0, stored);
    b->seconds[2 * b->graph->node_count] += b->updating;
    b->updating = 0;
    cvy_net_update_buffers(b->net, b->leaves > 1 ? b->sum : b->gradient, b->batch);
    return CVY_OK;
}

/* ---- Making and filling ---- */

static cvy_status load(struct bench *b, const struct cvy_bench_options *options) {
    static const char *const sgd[] = {"train.optimizer={sgd: {momentum: 0.9}}"};
    CVY_CHECK(options->precision == NULL || strcmp(options->precision, "fp32") == 0, CVY_ERR_USAGE,
              "precision \"%s\" is not there yet; use fp32", options->precision);
    CVY_TRY(cvy_experiment_load_any(options->model, sgd, 1, &b->experiment));
    b->ctx->compute->winograd = b->experiment->winograd;
    CVY_TRY(cvy_graph_create(b->experiment->model, b->experiment->loss, &b->graph));
    b->batch = options->batch > 0 ? options->batch : (int)b->experiment->batch;
    b->leaf = options->leaf > 0 ? options->leaf : b->batch;
    CVY_CHECK(b->batch % b->leaf == 0, CVY_ERR_USAGE, "a batch of %d is not a multiple of the leaf of %d", b->batch,
              b->leaf);
    b->leaves = b->batch / b->leaf;
    return cvy_graph_check(b->graph, b->leaf, b->batch);
}

static cvy_status allocate(struct bench *b) {
    const struct cvy_net_spec spec = {.graph = b->graph,
                                      .compute = b->ctx->compute,
                                      .mode = CVY_TRAIN,
                                      .leaf = b->leaf,
                                      .leaves = b->leaves,
                                      .seed = 1};
    size_t stored = cvy_graph_gradient_floats(b->graph);
    CVY_TRY(cvy_net_create(&spec, &b->net));
    CVY_TRY(cvy_optimizer_create(b->experiment->optimizer, &b->graph->params, CVY_DECAY_ON_ALL, &b->optimizer));
    CVY_TRY(CVY_NEW(&b->x, cvy_shape_count(b->graph->input) * b->batch, data));
    b->target = cvy_graph_target(b->graph);
    CVY_TRY(CVY_NEW(&b->y, cvy_shape_count(b->target.shape) * b->batch, data));
    CVY_TRY(CVY_NEW(&b->ids, b->batch, data));
    CVY_TRY(CVY_NEW(&b->gradient, b->leaves > 1 ? stored : b->graph->buffers.stored, gradients));
    if (b->leaves == 1) CVY_TRY(cvy_release_create(b->graph, &b->release));
    if (b->leaves > 1) CVY_TRY(CVY_NEW(&b->sum, stored, gradients));
    CVY_TRY(CVY_NEW(&b->sizes, b->leaves, general));
    CVY_TRY(CVY_NEW(&b->losses, b->leaves, general));
    CVY_TRY(CVY_NEW(&b->seconds, 2 * b->graph->node_count + 1, general));
    CVY_TRY(CVY_NEW(&b->best, 2 * b->graph->node_count + 1, general));
    return CVY_NEW(&b->step_seconds, MAX_ROUNDS, general);
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
    cvy_free(b->seconds);
    cvy_free(b->best);
    cvy_free(b->step_seconds);
}

/* ---- Measuring ---- */

static void add_time(void *arg, int node, const char *pass, double seconds) {
    struct bench *b = arg;
    b->seconds[2 * node + (pass[0] == 'b')] += seconds - b->updating;
    b->seconds[2 * b->graph->node_count] += b->updating; /* within this backward */
    b->updating = 0;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Whole steps without the timers first, then as long again with them. */
static cvy_status measure(struct bench *b, double seconds, struct cvy_bench_result *out) {
    int rounds = 0, slots = 2 * b->graph->node_count + 1;
    for (double end = cvy_clock() + seconds; rounds < MAX_ROUNDS && (rounds < 5 || cvy_clock() < end); rounds++) {
        double start = cvy_clock();
        CVY_TRY(run_step(b, rounds));
        b->step_seconds[rounds] = cvy_clock() - start;
    }
    qsort(b->step_seconds, (size_t)rounds, sizeof(double), ascending);
    out->ms = 1e3 * b->step_seconds[rounds / 2];
    out->samples_per_s = b->batch / b->step_seconds[rounds / 2];
    cvy_net_set_timer(b->net, add_time, b);
    rounds = 0;
    for (double end = cvy_clock() + seconds; rounds < MAX_ROUNDS && (rounds < 5 || cvy_clock() < end); rounds++) {
        memset(b->seconds, 0, (size_t)slots * sizeof(double));
        CVY_TRY(run_step(b, rounds));
        for (int i = 0; i < slots; i++)
            if (rounds == 0 || b->seconds[i] < b->best[i]) b->best[i] = b->seconds[i];
    }
    return CVY_OK;
}

static void add_row(const struct bench *b, struct cvy_bench_result *out, const char *name, const char *pass,
                    const char *algorithm, double seconds, double macs) {
    if (seconds <= 0) return;
    struct cvy_bench_layer *row = &out->layers[out->layer_count++];
    snprintf(row->name, sizeof row->name, "%.127s", name);
    snprintf(row->pass, sizeof row->pass, "%.23s", pass);
    snprintf(row->algorithm, sizeof row->algorithm, "%.31s", algorithm);
    snprintf(row->isa, sizeof row->isa, "%.15s", cvy_isa_name(b->ctx->compute->isa));
    row->ms = 1e3 * seconds;
    row->gflops = 2e-9 * macs / seconds;
    row->peak_share = out->fma_gflops > 0 ? row->gflops / out->fma_gflops : 0;
}

static cvy_status fill_rows(const struct bench *b, struct cvy_bench_result *out) {
    int nodes = b->graph->node_count;
    CVY_TRY(CVY_NEW(&out->layers, 2 * nodes + 1, general));
    for (int i = 0; i < nodes; i++) {
        const struct cvy_graph_node *node = &b->graph->nodes[i];
        double macs = (double)node->op.macs * b->batch;
        bool dx = b->graph->values[node->inputs[0]].wants_grad; /* backward: weights, and data where wanted */
        add_row(b, out, node->name, "forward", node->op.kind->name, b->best[2 * i], macs);
        add_row(b, out, node->name, "backward", node->op.kind->name, b->best[2 * i + 1], macs * (dx ? 2 : 1));
    }
    add_row(b, out, "weights", "update", b->optimizer.kind->name, b->best[2 * nodes], 0);
    return CVY_OK;
}

static cvy_status time_model(struct bench *b, const struct cvy_bench_options *options, struct cvy_bench_result *out) {
    CVY_TRY(load(b, options));
    CVY_TRY(allocate(b));
    fill_inputs(b);
    CVY_TRY(run_step(b, 0));
    out->first_step_s = cvy_clock_since_start();
    out->peak_rss_mib = cvy_machine_peak_rss_mib();
    return measure(b, options->seconds > 0 ? options->seconds : 3, out);
}

cvy_status cvy_bench(struct cvy_context *ctx, const struct cvy_bench_options *options, struct cvy_bench_result *out) {
    struct bench b = {.ctx = ctx};
    memset(out, 0, sizeof *out);
    cvy_status status = options->model ? time_model(&b, options, out) : CVY_OK;
    out->fma_gflops = cvy_machine_fma_gflops(ctx->compute);
    out->read_gbs = cvy_machine_read_gbs(ctx->compute);
    if (options->model && status == CVY_OK) status = fill_rows(&b, out);
    destroy(&b);
    if (status != CVY_OK) cvy_bench_result_destroy(out);
    return status;
}

void cvy_bench_result_destroy(struct cvy_bench_result *result) {
    cvy_free(result->layers);
    memset(result, 0, sizeof *result);
}
