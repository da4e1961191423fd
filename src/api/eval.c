/* cvy_eval: a trained network on a data set, shared by the ranks. */
#include <stdio.h>
#include <string.h>

#include "convoy/run.h"
#include "core/memory.h"
#include "core/sized.h"
#include "io/file.h"
#include "train/alike.h"
#include "train/checkpoints.h"
#include "api/counts.h"
#include "train/datasets.h"
#include "train/evaluate.h"
#include "train/trained.h"

struct evaluating {
    struct cvy_trained model;
    struct cvy_source *source;
    const char *name;              /* of the data */
    struct cvy_dataset_spec place; /* of the data in their file */
    struct cvy_probe probe;
    struct cvy_augment *normalize;
    struct cvy_counts counts;
    struct cvy_eval_result *result;
};

static void count_leaf(void *arg, const float *outputs, const void *targets, int n) {
    cvy_counts_add(&((struct evaluating *)arg)->counts, outputs, targets, n);
}

static cvy_status open_data(struct cvy_context *ctx, struct evaluating *v, const struct cvy_eval_options *options) {
    const struct cvy_experiment *e = v->model.experiment;
    const char *file = options->data ? options->data : e->test.file;
    v->name = options->source ? "the program's data" : file;
    CVY_CHECK(options->source || options->data || file == NULL || cvy_file_exists(file), CVY_ERR_DATA,
              "%s: is the data.test of %s, and is not there; name it, or another data set, with --data", file,
              v->model.path);
    CVY_CHECK(v->name != NULL, CVY_ERR_USAGE, "%s: its experiment has no data.test; name a data set with --data",
              v->model.path);
    struct cvy_data_form form;
    CVY_TRY(CVY_READ(cvy_data_form, options->form, &form));
    if (options->source) {
        v->place.scale = form.scale;
        CVY_TRY(cvy_datasets_wrap(e, v->model.graph, options->source, &v->source));
    } else {
        CVY_TRY(cvy_contract_place(e, file, &form, &v->place));
        v->place.names = v->model.class_names;
        v->place.name_count = v->model.name_count;
        v->place.most_classes = cvy_graph_classes(v->model.graph);
        CVY_TRY(cvy_datasets_open(e, v->model.graph, &v->place, cvy_datasets_budget(ctx), &v->source));
    }
    CVY_TRY(cvy_datasets_fit(ctx, &v->model, &v->source->info, v->name));
    CVY_TRY(cvy_datasets_check(v->model.graph, v->source, v->name));
    CVY_TRY(cvy_datasets_names(v->model.class_names, v->model.name_count, v->model.path, &v->source->info, v->name));
    cvy_datasets_tell_numbers(ctx->log, v->model.class_names, v->model.name_count, &v->source->info, v->name);
    cvy_datasets_tell_idle(ctx->log, &v->source->info, v->name);
    CVY_TRY(cvy_counts_create(v->model.graph, &v->source->info.target, &v->counts));
    CVY_TRY(cvy_source_probe(v->source, &v->probe));
    return cvy_comm_size(ctx->comm) > 1 ? cvy_source_probe_targets(v->source, &v->probe) : CVY_OK;
}

/* On the scale of the training. */
static cvy_status normalize(struct cvy_context *ctx, struct evaluating *v) {
    struct cvy_normalisation norm = {.mean = v->model.mean, .std = v->model.std};
    const char *setting = v->place.file ? "--scale K" : "the scale of the options' form";
    CVY_TRY(cvy_contract_scale_inputs(&v->model.contract, &v->probe.range, v->place.scale, v->name, setting, ctx->log,
                                      &norm.factor));
    CVY_TRY(cvy_contract_scale_targets(&v->model.contract, v->source, &v->probe, v->place.y_scale, v->name,
                                       "--y-scale K", ctx->log));
    cvy_source_inputs_rescale(v->source, norm.factor, cvy_contract_full(&v->model.contract));
    return cvy_datasets_augment(v->model.experiment, &v->source->info, NULL, &norm, &v->normalize);
}

static cvy_status name_classes(struct evaluating *v) {
    struct cvy_eval_result *r = v->result;
    char room[16];
    r->classes = v->counts.classes ? v->counts.classes : v->model.classes;
    CVY_TRY(CVY_NEW(&r->class_names, r->classes, text));
    for (int c = 0; c < r->classes; c++) {
        const char *name = cvy_trained_class(&v->model, c, room);
        CVY_TRY(CVY_NEW(&r->class_names[c], strlen(name) + 1, text));
        memcpy(r->class_names[c], name, strlen(name) + 1);
    }
    return CVY_OK;
}

/* Each rank counted its own samples; the sum is the result's. */
static cvy_status add_counts(struct cvy_context *ctx, struct evaluating *v) {
    struct cvy_counts *counts = &v->counts;
    if (counts->size == 0) return CVY_OK;
    CVY_TRY(cvy_comm_sum_counts(ctx->comm, counts->cells, counts->size));
    *(counts->measure == CVY_MEASURE_LABELS ? &v->result->labels : &v->result->confusion) = counts->cells;
    counts->cells = NULL;
    return CVY_OK;
}

static cvy_status prepare(struct cvy_context *ctx, const struct cvy_eval_options *options, const char *checkpoint,
                          struct evaluating *v) {
    CVY_TRY(cvy_trained_load(ctx, checkpoint, false, &v->model));
    CVY_TRY(open_data(ctx, v, options));
    CVY_TRY(normalize(ctx, v));
    snprintf(v->result->checkpoint, sizeof v->result->checkpoint, "%.1023s", v->model.path);
    return name_classes(v);
}

/* Each rank has read the checkpoint and the data for itself. */
static cvy_status compare_ranks(struct cvy_context *ctx, const struct evaluating *v) {
    int64_t state;
    CVY_TRY(cvy_comm_agree(ctx->comm, cvy_ckpt_int(v->model.ckpt, "digest", &state)));
    CVY_TRY(cvy_alike_number(ctx->comm, (uint64_t)state, v->model.path, CVY_ERR_CHECKPOINT));
    return cvy_alike_source(ctx->comm, v->source, &v->probe, v->name);
}

static cvy_status run(struct cvy_context *ctx, struct evaluating *v) {
    struct cvy_metric_totals totals = {0};
    const struct cvy_experiment *e = v->model.experiment;
    struct cvy_evaluation evaluation = {.ctx = ctx,
                                        .net = v->model.net,
                                        .source = v->source,
                                        .name = v->name,
                                        .normalize = v->normalize,
                                        .plan = {v->source->info.count, (int)e->batch, (int)e->leaf, false},
                                        .each = count_leaf,
                                        .arg = v};
    cvy_status status = cvy_evaluation_create(&evaluation);
    if (status == CVY_OK) status = cvy_evaluate(&evaluation, &totals, NULL);
    cvy_evaluation_destroy(&evaluation);
    CVY_TRY(status);
    const struct cvy_metric metric = cvy_metric_of(v->model.graph, e->peak);
    v->result->samples = totals.samples;
    cvy_metric_figures(&totals, &metric, &v->result->figures);
    return add_counts(ctx, v);
}

static cvy_status evaluate(struct cvy_context *ctx, const struct cvy_eval_options *options,
                           struct cvy_eval_result *out) {
    struct evaluating v = {.result = out};
    char checkpoint[CVY_PATH_MAX] = "";
    /* Of a run that goes on, ranks would find different newest ones: rank 0 chooses. */
    cvy_status status = CVY_OK;
    if (cvy_context_rank(ctx) == 0)
        status = options->best ? cvy_checkpoint_find_best(options->from, checkpoint)
                               : cvy_checkpoint_find(options->from, ctx->log, checkpoint);
    CVY_TRY(cvy_comm_follow(ctx->comm, status));
    CVY_TRY(cvy_comm_bcast(ctx->comm, checkpoint, sizeof checkpoint));
    status = cvy_comm_agree(ctx->comm, prepare(ctx, options, checkpoint, &v));
    if (status == CVY_OK) status = compare_ranks(ctx, &v);
    if (status == CVY_OK) status = cvy_context_alone(ctx, run(ctx, &v));
    cvy_augment_destroy(&v.normalize);
    cvy_source_destroy(&v.source);
    cvy_counts_destroy(&v.counts);
    cvy_trained_destroy(&v.model);
    if (status != CVY_OK) cvy_eval_result_destroy(out);
    return status;
}

cvy_status cvy_eval(struct cvy_context *ctx, const struct cvy_eval_options *options, struct cvy_eval_result *out) {
    CVY_ENTER(ctx);
    static const struct cvy_member needs[] = {CVY_MEMBER(cvy_eval_options, from), {0}};
    struct cvy_eval_options how = {.size = 0};
    struct cvy_eval_result own;
    cvy_status status = CVY_BEGIN(cvy_eval_result, out, &own);
    if (status == CVY_OK) status = CVY_READ_NEEDING(cvy_eval_options, options, &how, needs);
    CVY_TRY(cvy_comm_agree(ctx->comm, status));
    return cvy_sized_give(evaluate(ctx, &how, &own), &own, out);
}

void cvy_eval_result_destroy(struct cvy_eval_result *result) {
    struct cvy_eval_result own;
    CVY_TAKE(result, &own);
    for (int c = 0; own.class_names && c < own.classes; c++) cvy_free(own.class_names[c]);
    cvy_free(own.class_names);
    cvy_free(own.confusion);
    cvy_free(own.labels);
}
