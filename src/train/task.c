#include "train/task.h"

#include <math.h>

#include "core/clock.h"
#include "core/memory.h"
#include "io/runs/run_folder.h"
#include "io/runs/runs.h"
#include "train/checkpoints.h"
#include "train/state.h"

/* ---- The experiment: rank 0 reads, checks and hands it to all ---- */

/* A run, or a part of it, is not trained but gone on with. */
static cvy_status refuse_run(const struct cvy_train_options *o) {
    char run[CVY_PATH_MAX], experiment[CVY_PATH_MAX];
    struct cvy_buf command = {0};
    if (!cvy_folder_exists(o->experiment) && cvy_ckpt_step(o->experiment) < 0) return CVY_OK;
    if (!cvy_run_of(o->experiment, run)) return CVY_OK;
    CVY_TRY(cvy_run_file_path(run, CVY_RUN_EXPERIMENT, experiment));
    cvy_buf_shell_word(&command, o->program ? o->program : "convoy");
    cvy_buf_printf(&command, " train");
    cvy_buf_shell_word(&command, experiment);
    cvy_buf_printf(&command, " --run");
    cvy_buf_shell_word(&command, run);
    cvy_status status = CVY_FAIL(
        CVY_ERR_USAGE, "%s: is %s, and no experiment; to go on with it:%s --resume", o->experiment,
        cvy_folder_exists(o->experiment) ? "the folder of a run" : "a checkpoint of a run", cvy_buf_text(&command));
    cvy_buf_destroy(&command);
    return status;
}

cvy_status cvy_task_share(struct cvy_task *t) {
    struct cvy_comm *comm = t->ctx->comm;
    const struct cvy_train_options *o = t->options;
    struct cvy_buf text = {0};
    void *bytes = NULL;
    size_t size = 0;
    cvy_status status = CVY_OK;
    if (t->rank == 0) {
        status = refuse_run(o);
        if (status == CVY_OK) status = cvy_experiment_load(o->experiment, o->set, o->set_count, &t->experiment);
        if (status == CVY_OK) status = cvy_experiment_emit(t->experiment, &text);
        bytes = text.data;
        size = text.size;
    }
    status = cvy_comm_follow(comm, status);
    if (status == CVY_OK) status = cvy_comm_bcast_blob(comm, &bytes, &size);
    if (t->rank > 0 && status == CVY_OK) {
        status = cvy_experiment_parse("experiment", bytes, size, &t->experiment);
        cvy_free(bytes);
    }
    cvy_buf_destroy(&text);
    return cvy_comm_agree(comm, status);
}

/* ---- The graph, and what the experiment needs of it ---- */

/* Weights are there, and every layer of them was frozen. */
static bool all_frozen(const struct cvy_graph *graph) {
    bool frozen = false;
    for (int i = 0; i < graph->node_count; i++) frozen |= graph->nodes[i].op.params > 0 && graph->nodes[i].op.frozen;
    return frozen && !cvy_params_learn(&graph->params);
}

static double factor_of(const struct cvy_experiment *e) {
    const double ratio = (double)e->batch / (double)e->reference_batch;
    const double factors[] = {
        [CVY_LR_SCALING_NONE] = 1, [CVY_LR_SCALING_LINEAR] = ratio, [CVY_LR_SCALING_SQRT] = sqrt(ratio)};
    return factors[e->lr_scaling];
}

static bool evaluates(const struct cvy_task *t) {
    const struct cvy_experiment *e = t->experiment;
    return t->options->test || e->test.file || e->validation.file || e->validation_share > 0;
}

cvy_status cvy_task_build(struct cvy_task *t) {
    const struct cvy_experiment *e = t->experiment;
    const char *file = t->options->experiment;
    CVY_TRY(cvy_experiment_graph(e, e->loss, &t->graph));
    CVY_CHECK(!all_frozen(t->graph), CVY_ERR_USAGE,
              "%s: every layer is frozen, nothing would learn; drop frozen from one", file);
    CVY_TRY(cvy_schedule_create(e->learning_rate, &t->schedule));
    CVY_CHECK(
        t->schedule.kind->observe == NULL || evaluates(t), CVY_ERR_USAGE,
        "%s: learning_rate: %s goes by evaluations, and there is no data.validation or data.test; name one, or choose "
        "another schedule",
        file, t->schedule.kind->name);
    t->lr_factor = factor_of(e);
    return CVY_OK;
}

/* The figure that a setting goes by; "": by none. */
static cvy_status check_figure(const struct cvy_task *t, const char *setting, const char *name, bool *more) {
    char names[64];
    const struct cvy_node *node = cvy_node_find(t->experiment->root, setting);
    const struct cvy_node *place = node ? node : t->experiment->root;
    if (name[0] == '\0') return CVY_OK;
    if (!cvy_metric_known(&t->metric, name, more))
        return CVY_FAIL_AT(place, CVY_ERR_USAGE, "%s: there is no \"%s\"; evaluations of this network have %s", setting,
                           name, cvy_metric_names(&t->metric, names));
    if (!evaluates(t))
        return CVY_FAIL_AT(place, CVY_ERR_USAGE,
                           "%s goes by evaluations, and there is no data.validation or data.test; name one", setting);
    return CVY_OK;
}

cvy_status cvy_task_bind_target(struct cvy_task *t) {
    const struct cvy_schedule *schedule = &t->schedule;
    const bool by_top1 = schedule->kind->by_top1 && schedule->kind->by_top1(schedule->state);
    t->metric = cvy_metric_of(t->graph, t->experiment->peak);
    CVY_CHECK(!by_top1 || t->metric.measure == CVY_MEASURE_CLASSES, CVY_ERR_USAGE,
              "%s: learning_rate: %s goes by top1, which is measured of classes alone; take metric: loss",
              t->options->experiment, schedule->kind->name);
    const struct cvy_experiment *e = t->experiment;
    CVY_TRY(check_figure(t, "checkpoint.best", e->best, &t->best_more));
    if (e->early_stopping) CVY_TRY(check_figure(t, "early_stopping.metric", e->early_metric, &t->early_more));
    return CVY_OK;
}

void cvy_task_destroy(struct cvy_task *t) {
    cvy_schedule_destroy(&t->schedule);
    cvy_graph_destroy(&t->graph);
    cvy_experiment_destroy(&t->experiment);
}

/* ---- Questions ---- */

const char *cvy_task_isa(const struct cvy_task *t) {
    const struct cvy_compute *compute = t->ctx->compute;
    return cvy_isa_name(t->graph->precision == CVY_F32 ? compute->isa : compute->level);
}

bool cvy_task_is_late(const struct cvy_task *t) {
    const double limit = t->options->time_limit;
    return t->rank == 0 && limit > 0 && cvy_clock() - t->started >= limit && !cvy_context_stop_asked(t->ctx);
}

bool cvy_task_stop_wanted(void *task) {
    const struct cvy_task *t = task;
    return cvy_task_is_late(t) || cvy_context_stop_asked(t->ctx);
}

cvy_status cvy_task_open_init(const struct cvy_task *t, struct cvy_ckpt **out) {
    CVY_TRY(cvy_checkpoint_open(t->experiment->init_from, t->ctx->log, out));
    cvy_status status = cvy_state_check(*out, t->graph, t->experiment->init_except, true);
    if (status != CVY_OK) cvy_ckpt_close(out);
    return status;
}
