/* What a training starts from: initial values, another run's weights, or its own checkpoint. */
#include "train/session/start.h"

#include <stdio.h>
#include <string.h>

#include "train/checkpoints.h"
#include "train/session/start_classes.h"

/* ---- Where a run goes on ---- */

/* A user's file has no digest of all that is in it, but what was looked at must be the same. Of older checkpoints
 * nobody knows. */
static cvy_status check_contents(const struct cvy_start *s) {
    int64_t sample;
    CVY_TRY(cvy_inputs_look(s->inputs, s->task));
    if (cvy_ckpt_attribute(s->run->ckpt, "train_sample") == NULL) return CVY_OK;
    CVY_TRY(cvy_ckpt_int(s->run->ckpt, "train_sample", &sample));
    CVY_CHECK(
        (uint64_t)sample == s->inputs->sample, CVY_ERR_DATA,
        "%s: not what it was when the run was trained on it (other values are in it); give the same data, or start "
        "a new run, to which init.from brings the weights",
        cvy_inputs_train_name(s->task));
    return CVY_OK;
}

/* Allowing another loss does not help where it makes another target of a sample. */
static cvy_status check_reading(const struct cvy_start *s) {
    static const char *const kinds[] = {"classes", "values"};
    const struct cvy_ckpt_attribute *type = cvy_ckpt_attribute(s->run->ckpt, "target_type");
    const char *was = cvy_schema_variant_name(s->run->before->loss);
    const char *is = cvy_schema_variant_name(s->task->experiment->loss);
    const bool values = s->inputs->train->info.target.type == CVY_F32;
    const bool alike = type == NULL || type->texts == NULL || strcmp(type->texts[0], kinds[values]) == 0;
    CVY_CHECK(alike || !was || !is || strcmp(was, is) == 0, CVY_ERR_USAGE,
              "train.loss is %s, which takes the targets of %s as %s, and was %s in the run, which took them as %s; "
              "restore it, or start a new run, to which init.from brings the weights",
              is, cvy_inputs_train_name(s->task), kinds[values], was, kinds[!values]);
    return CVY_OK;
}

static cvy_status check_data(const struct cvy_start *s) {
    int64_t digest;
    const char *name = cvy_inputs_train_name(s->task), *before = s->run->before->train.file;
    CVY_TRY(cvy_ckpt_int(s->run->ckpt, "train_digest", &digest));
    if ((uint64_t)digest == s->inputs->train->info.digest) return check_contents(s);
    CVY_TRY(check_reading(s));
    if (before == NULL || strcmp(before, name) == 0)
        return CVY_FAIL(CVY_ERR_DATA,
                        "%s: not what it was when the run was trained on it (its digest differs); give "
                        "the same data, or start a new run",
                        name);
    return CVY_FAIL(CVY_ERR_DATA,
                    "%s: not the data set that the run was trained on (its digest differs, as that of a packed set "
                    "always does from that of the file it was made of); go on with %s, or start a new run",
                    name, before);
}

/* Which samples are held out follows from the share and the seed. With others, samples that the run was trained on
 * would be among those that it is judged by. */
static cvy_status check_held_out(const struct cvy_start *s) {
    const struct cvy_experiment *was = s->run->before, *is = s->task->experiment;
    static const char advice[] = "restore it, or start a new run";
    CVY_CHECK(was->validation_share == is->validation_share, CVY_ERR_USAGE,
              "data.validation holds out %g %% of the training data, and %g %% in the run: other samples would be "
              "validated on, of those that it was trained on, too; %s",
              100 * is->validation_share, 100 * was->validation_share, advice);
    CVY_CHECK(
        is->validation_share == 0 || was->seed == is->seed, CVY_ERR_USAGE,
        "seed is %lld, and was %lld in the run: data.validation would hold out other samples, of those that it was "
        "trained on, too; %s",
        (long long)is->seed, (long long)was->seed, advice);
    return CVY_OK;
}

static cvy_status check_experiment(const struct cvy_start *s) {
    const bool same_network = cvy_state_check(s->run->ckpt, s->task->graph, NULL, false) == CVY_OK;
    CVY_TRY(cvy_experiment_compare(s->run->before, s->task->experiment, same_network, s->task->options->allow_change,
                                   s->task->options->allow_change_count));
    return cvy_state_check(s->run->ckpt, s->task->graph, NULL, false);
}

static cvy_status check_position(const struct cvy_start *s) {
    CVY_CHECK(s->engine->state.position <= s->inputs->plan.count, CVY_ERR_CHECKPOINT,
              "%s: position %lld in an epoch of %lld", s->run->resume_from, (long long)s->engine->state.position,
              (long long)s->inputs->plan.count);
    return CVY_OK;
}

/* The best so far is that of the same figure of the same set. */
static void keep_standing(const struct cvy_start *s, const char *name, const char *figure,
                          struct cvy_standing *standing) {
    char attribute[32], now[64];
    const char *was = "";
    snprintf(attribute, sizeof attribute, "%s_of", name);
    const struct cvy_ckpt_attribute *of = cvy_ckpt_attribute(s->run->ckpt, attribute);
    if (of && of->texts) was = of->texts[0];
    cvy_inputs_figure(s->inputs, figure, now);
    if (strcmp(was, now) == 0) return;
    if (standing->seen && now[0])
        cvy_warn(s->task->ctx->log, "%s goes by %s now, and went by %s: the best is looked for anew", name, now, was);
    *standing = (struct cvy_standing){0};
}

/* Rank 0: all that can be known before anything is restored. */
static cvy_status open_resumed(const struct cvy_start *s) {
    const char *isa;
    CVY_TRY(cvy_ckpt_open(s->run->resume_from, &s->run->ckpt));
    CVY_TRY(cvy_checkpoint_experiment(s->run->ckpt, "the run", &s->run->before));
    CVY_TRY(check_held_out(s));
    CVY_TRY(check_data(s));
    CVY_TRY(check_experiment(s));
    CVY_TRY(cvy_state_read(s->run->ckpt, &s->engine->state));
    CVY_TRY(check_position(s));
    const struct cvy_experiment *e = s->task->experiment;
    keep_standing(s, "best", e->best, &s->engine->state.best);
    keep_standing(s, "early_stopping", e->early_stopping ? e->early_metric : "", &s->engine->state.early);
    CVY_TRY(cvy_ckpt_text(s->run->ckpt, "isa", &isa));
    if (strcmp(isa, cvy_task_isa(s->task)) != 0)
        cvy_warn(s->task->ctx->log, "the run was at ISA level %s and goes on at %s: bits may differ", isa,
                 cvy_task_isa(s->task));
    return CVY_OK;
}

/* With other batches than before, nothing may be left for the rest of the epoch (train.last_batch: drop). */
static void skip_empty_rest(const struct cvy_start *s) {
    const struct cvy_epoch_plan first = cvy_inputs_first_epoch(s->inputs, s->engine->state.position);
    if (s->engine->state.position == 0 || cvy_epoch_steps(&first) > 0) return;
    s->engine->state.epoch++;
    s->engine->state.position = 0;
    s->engine->state.evaluation_due =
        cvy_inputs_evaluated(s->inputs, s->task->experiment, s->engine->state.step, s->engine->state.epoch, 0);
}

/* ---- A run that begins ---- */

static bool starts_anew(const void *task, const char *name) {
    const struct cvy_task *t = task;
    return !t->experiment->init_from[0] || cvy_state_listed(t->graph, t->experiment->init_except, name);
}

/* What nothing will ever change, and nobody has trained. */
static void warn_of_random(const struct cvy_task *t) {
    struct cvy_buf layers = {0};
    const int count = cvy_state_list_random(t->graph, starts_anew, t, &layers);
    if (count > 0)
        cvy_warn(t->ctx->log, "%s %s at random values, and %s them; %s", cvy_buf_text(&layers),
                 cvy_plural(count, "is frozen and starts", "are frozen and start"), cvy_plural(count, "keeps", "keep"),
                 t->experiment->init_from[0] ? "drop frozen there, or take it out of init.except"
                                             : "take weights from a run with init.from, or drop frozen");
    cvy_buf_destroy(&layers);
}

cvy_status cvy_start_find_place(const struct cvy_start *s) {
    const bool resumed = s->run->resume_from[0];
    if (s->task->rank == 0 && !resumed) warn_of_random(s->task);
    CVY_TRY(cvy_comm_follow(s->task->ctx->comm, resumed ? open_resumed(s) : CVY_OK));
    CVY_TRY(cvy_comm_bcast(s->task->ctx->comm, &s->engine->state, sizeof s->engine->state));
    skip_empty_rest(s);
    const struct cvy_epoch_plan first = cvy_inputs_first_epoch(s->inputs, s->engine->state.position);
    const struct cvy_batch_plan last = cvy_batch_plan_at(&first, cvy_epoch_steps(&first) - 1);
    return cvy_graph_check(s->task->graph, last.count / last.leaves, last.count);
}

/* ---- What of a run's state is taken on ---- */

static void add_word(struct cvy_buf *list, const char *word) {
    cvy_buf_printf(list, "%s%s", list->size ? ", " : "", word);
}

/* Those of the checkpoint that are not taken on; every parameter has the same. */
static void list_dropped(const struct cvy_start *s, const struct cvy_vectors *vectors, struct cvy_buf *out) {
    char prefix[160];
    if (s->task->graph->params.count == 0) return;
    snprintf(prefix, sizeof prefix, "/optim/%s/", s->task->graph->params.items[0].name);
    for (int t = 0; t < cvy_ckpt_tensor_count(s->run->ckpt); t++) {
        const char *path = cvy_ckpt_tensor(s->run->ckpt, t)->path;
        if (strncmp(path, prefix, strlen(prefix)) != 0) continue;
        bool taken = false;
        for (int i = 0; i < s->engine->optimizer.slots; i++)
            taken |= !vectors->slot_kept[i] && strcmp(path + strlen(prefix), s->engine->optimizer.slot_name[i]) == 0;
        if (!taken) add_word(out, path + strlen(prefix));
    }
}

/* Slots mean what their optimiser makes of them, so those of another kind do not serve. */
static void choose_slots(const struct cvy_start *s, struct cvy_vectors *vectors) {
    const struct cvy_optimizer *optimizer = &s->engine->optimizer;
    const char *was = cvy_schema_variant_name(s->run->before->optimizer);
    const char *is = cvy_schema_variant_name(s->task->experiment->optimizer);
    const bool other = strcmp(was, is) != 0;
    struct cvy_buf fresh = {0}, dropped = {0};
    for (int i = 0; i < optimizer->slots; i++) {
        vectors->slot_kept[i] = other || !cvy_state_has_slot(s->run->ckpt, s->task->graph, optimizer->slot_name[i]);
        if (vectors->slot_kept[i]) add_word(&fresh, optimizer->slot_name[i]);
    }
    list_dropped(s, vectors, &dropped);
    if (other) s->engine->state.slots_from = s->engine->state.step;
    if (other || fresh.size || dropped.size)
        cvy_warn(s->task->ctx->log,
                 "train.optimizer was changed (%s, %s%s): slots that start from zero: %s; dropped: %s", is,
                 other ? "was " : "with other settings", other ? was : "", fresh.size ? cvy_buf_text(&fresh) : "none",
                 dropped.size ? cvy_buf_text(&dropped) : "none");
    cvy_buf_destroy(&fresh);
    cvy_buf_destroy(&dropped);
}

/* A new average starts from the weights as they are; *fresh: that it does. */
static void choose_average(const struct cvy_start *s, struct cvy_vectors *vectors, bool *fresh) {
    const bool there = cvy_state_has_average(s->run->ckpt);
    if (s->engine->ema && !there)
        cvy_warn(s->task->ctx->log, "train.ema is new: the average starts from the weights as they are now");
    if (s->engine->ema == NULL && there)
        cvy_warn(s->task->ctx->log, "train.ema is no more: the run's average of the weights is dropped");
    if (!there) vectors->ema = NULL;
    *fresh = !there;
}

static cvy_status resume(const struct cvy_start *s, bool *fresh) {
    struct cvy_vectors vectors = cvy_engine_vectors(s->engine);
    choose_slots(s, &vectors);
    choose_average(s, &vectors, fresh);
    CVY_TRY(cvy_state_restore(s->run->ckpt, NULL, &vectors));
    cvy_info(s->task->ctx->log, "resuming from %s: step %lld, epoch %lld, sample %lld", s->run->resume_from,
             (long long)s->engine->state.step, (long long)s->engine->state.epoch + 1,
             (long long)s->engine->state.position);
    return CVY_OK;
}

/* ---- Another run's weights ---- */

/* What is taken of it, and what is not. */
static void say_init(const struct cvy_task *t, const struct cvy_ckpt *ckpt) {
    const struct cvy_node *except = t->experiment->init_except;
    const char *path = cvy_ckpt_path(ckpt);
    int taken = 0;
    for (int i = 0; i < t->graph->params.count; i++) taken += !starts_anew(t, t->graph->params.items[i].name);
    if (taken == 0)
        cvy_warn(t->ctx->log, "init.except leaves nothing of the weights of %s: all start anew", path);
    else
        cvy_info(t->ctx->log, "starting from the %s of %s%s",
                 cvy_state_has_average(ckpt) ? "averaged weights" : "weights", path,
                 except && except->count ? ", but for init.except" : "");
}

/* Where it kept an average, that is what evaluation shows, and what is taken. */
static cvy_status initialize_from(const struct cvy_start *s) {
    struct cvy_ckpt *ckpt;
    struct cvy_vectors vectors = {.net = s->engine->net};
    CVY_TRY(cvy_task_open_init(s->task, &ckpt));
    if (cvy_state_has_average(ckpt)) vectors.ema = cvy_net_parameters(s->engine->net);
    cvy_status status = cvy_start_check_classes(s->task, s->inputs, ckpt);
    if (status == CVY_OK) status = cvy_state_restore(ckpt, s->task->experiment->init_except, &vectors);
    if (status == CVY_OK) say_init(s->task, ckpt);
    cvy_ckpt_close(&ckpt);
    return status;
}

cvy_status cvy_start_rehearse(const struct cvy_start *s) {
    struct cvy_ckpt *ckpt;
    if (s->task->experiment->init_from[0] && !s->run->resume_from[0]) {
        CVY_TRY(cvy_task_open_init(s->task, &ckpt));
        cvy_status status = cvy_start_check_classes(s->task, s->inputs, ckpt);
        if (status == CVY_OK) say_init(s->task, ckpt);
        cvy_ckpt_close(&ckpt);
        CVY_TRY(status);
    }
    return cvy_inputs_look_at_sets(s->inputs, s->task);
}

/* Rank 0. *fresh: an average, if there is one, starts here. */
static cvy_status read_values(const struct cvy_start *s, bool *fresh) {
    cvy_status status = CVY_OK;
    *fresh = true;
    if (s->run->resume_from[0])
        status = resume(s, fresh);
    else if (s->task->experiment->init_from[0])
        status = initialize_from(s);
    cvy_run_forget_past(s->run);
    return status;
}

static cvy_status share_average(const struct cvy_start *s, bool fresh) {
    struct cvy_engine *e = s->engine;
    struct cvy_comm *comm = s->task->ctx->comm;
    const size_t bytes = cvy_layout_params(s->task->graph) * sizeof(float);
    const size_t statistics = cvy_layout_statistics(s->task->graph) * sizeof(float);
    if (fresh) { /* on rank 0 alone it matters */
        memcpy(e->ema, cvy_net_parameters(e->net), bytes);
        memcpy(e->ema_buffers, cvy_net_buffers(e->net), statistics);
    }
    CVY_TRY(cvy_comm_bcast(comm, e->ema, bytes));
    return cvy_comm_bcast(comm, e->ema_buffers, statistics);
}

cvy_status cvy_start_values(const struct cvy_start *s) {
    struct cvy_engine *e = s->engine;
    struct cvy_comm *comm = s->task->ctx->comm;
    const size_t bytes = cvy_layout_params(s->task->graph) * sizeof(float);
    bool fresh = false;
    CVY_TRY(cvy_comm_follow(comm, s->task->rank == 0 ? read_values(s, &fresh) : CVY_OK));
    CVY_TRY(cvy_comm_bcast(comm, &e->state, sizeof e->state));
    CVY_TRY(cvy_comm_bcast(comm, cvy_net_parameters(e->net), bytes));
    CVY_TRY(cvy_comm_bcast(comm, cvy_net_buffers(e->net), cvy_layout_statistics(s->task->graph) * sizeof(float)));
    for (int i = 0; i < e->optimizer.slots; i++) CVY_TRY(cvy_comm_bcast(comm, e->optimizer.slot[i], bytes));
    return e->ema ? share_average(s, fresh) : CVY_OK;
}
