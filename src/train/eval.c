/* cvy_eval: a trained network on a data set, shared by the ranks. */
#include <stdio.h>
#include <string.h>

#include "convoy/run.h"
#include "core/memory.h"
#include "train/checkpoints.h"
#include "train/loop.h"
#include "train/machine.h"
#include "train/trained.h"

struct evaluating {
    struct cvy_trained model;
    struct cvy_source *source;
    struct cvy_augment *normalize;
    struct cvy_eval_result *result;
};

static void count_leaf(void *arg, const float *scores, const int32_t *labels, int n) {
    struct evaluating *v = arg;
    int classes = v->model.classes;
    for (int i = 0; i < n; i++) {
        const float *row = scores + (size_t)i * (size_t)classes;
        int best = 0;
        for (int c = 1; c < classes; c++)
            if (row[c] > row[best]) best = c;
        v->result->confusion[(int64_t)labels[i] * classes + best]++;
    }
}

static cvy_status open_data(struct cvy_context *ctx, struct evaluating *v, const char *data) {
    const struct cvy_experiment *e = v->model.experiment;
    struct cvy_dataset_spec spec = data ? (struct cvy_dataset_spec){.file = data} : e->test;
    struct cvy_dataset *ds;
    CVY_CHECK(spec.file != NULL, CVY_ERR_USAGE, "%s: its experiment has no data.test; name a data set with --data",
              v->model.path);
    CVY_TRY(cvy_dataset_open(&spec, &ds));
    CVY_TRY(cvy_source_hdf5(&ds, cvy_machine_free_bytes() / 4 / cvy_comm_local_size(ctx->comm), &v->source));
    const struct cvy_dataset_info *info = &v->source->info;
    struct cvy_shape in = v->model.graph->input;
    CVY_CHECK(cvy_shape_equal(info->shape, in), CVY_ERR_DATA, "%s: has samples of %d×%d×%d, the network takes %d×%d×%d",
              spec.file, info->shape.h, info->shape.w, info->shape.c, in.h, in.w, in.c);
    CVY_CHECK(info->classes <= v->model.classes, CVY_ERR_DATA, "%s: has %d classes, the network knows %d", spec.file,
              info->classes, v->model.classes);
    return cvy_augment_create(
        &(struct cvy_augment_spec){
            .shape = info->shape, .x_type = info->x_type, .mean = v->model.mean, .std = v->model.std},
        &v->normalize);
}

static cvy_status name_classes(struct evaluating *v) {
    struct cvy_eval_result *r = v->result;
    char room[16];
    r->classes = v->model.classes;
    CVY_TRY(CVY_NEW(&r->class_names, r->classes, text));
    for (int c = 0; c < r->classes; c++) {
        const char *name = cvy_trained_class(&v->model, c, room);
        CVY_TRY(CVY_NEW(&r->class_names[c], strlen(name) + 1, text));
        memcpy(r->class_names[c], name, strlen(name) + 1);
    }
    return CVY_NEW(&r->confusion, (int64_t)r->classes * r->classes, general);
}

/* Each rank counted its own samples. */
static cvy_status add_confusions(struct cvy_context *ctx, struct cvy_eval_result *r) {
    size_t cells = (size_t)r->classes * (size_t)r->classes, ranks = (size_t)cvy_comm_size(ctx->comm);
    int64_t *all;
    CVY_TRY(CVY_NEW(&all, cells * ranks, comm));
    cvy_status status = cvy_comm_allgather(ctx->comm, r->confusion, cells * sizeof *all, all);
    memset(r->confusion, 0, cells * sizeof *all);
    for (size_t i = 0; i < cells * ranks; i++) r->confusion[i % cells] += all[i];
    cvy_free(all);
    return status;
}

static cvy_status prepare(struct cvy_context *ctx, const struct cvy_eval_options *options, const char *checkpoint,
                          struct evaluating *v) {
    CVY_TRY(cvy_trained_load(ctx, checkpoint, true, &v->model));
    CVY_TRY(open_data(ctx, v, options->data));
    snprintf(v->result->checkpoint, sizeof v->result->checkpoint, "%.1023s", v->model.path);
    return name_classes(v);
}

static cvy_status run(struct cvy_context *ctx, struct evaluating *v) {
    struct cvy_score score;
    const struct cvy_experiment *e = v->model.experiment;
    const struct cvy_evaluation evaluation = {.ctx = ctx,
                                              .net = v->model.net,
                                              .source = v->source,
                                              .normalize = v->normalize,
                                              .plan = {v->source->info.count, (int)e->batch, (int)e->leaf, false},
                                              .each = count_leaf,
                                              .arg = v};
    CVY_TRY(cvy_evaluate(&evaluation, &score, NULL));
    double n = (double)score.samples;
    v->result->samples = score.samples;
    v->result->loss = score.loss / n;
    v->result->top1 = (double)score.top1 / n;
    v->result->top5 = (double)score.top5 / n;
    return add_confusions(ctx, v->result);
}

cvy_status cvy_eval(struct cvy_context *ctx, const struct cvy_eval_options *options, struct cvy_eval_result *out) {
    struct evaluating v = {.result = out};
    char checkpoint[CVY_PATH_MAX] = "";
    memset(out, 0, sizeof *out);
    /* Of a run that goes on, ranks would find different newest ones: rank 0 chooses. */
    cvy_status status = cvy_context_rank(ctx) == 0 ? cvy_checkpoint_find(options->from, ctx->log, checkpoint) : CVY_OK;
    CVY_TRY(cvy_comm_follow(ctx->comm, status));
    CVY_TRY(cvy_comm_bcast(ctx->comm, checkpoint, sizeof checkpoint));
    status = cvy_comm_agree(ctx->comm, prepare(ctx, options, checkpoint, &v));
    if (status == CVY_OK) status = cvy_context_alone(ctx, run(ctx, &v));
    cvy_augment_destroy(&v.normalize);
    cvy_source_destroy(&v.source);
    cvy_trained_destroy(&v.model);
    if (status != CVY_OK) cvy_eval_result_destroy(out);
    return status;
}

void cvy_eval_result_destroy(struct cvy_eval_result *result) {
    for (int c = 0; result->class_names && c < result->classes; c++) cvy_free(result->class_names[c]);
    cvy_free(result->class_names);
    cvy_free(result->confusion);
    memset(result, 0, sizeof *result);
}
