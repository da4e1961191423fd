/* What a session starts from: initial values, another run's weights, or its own checkpoint. */
#include <stdio.h>
#include <string.h>

#include "train/checkpoints.h"
#include "train/session_parts.h"

/* ---- Where a run goes on ---- */

static cvy_status check_data(const struct cvy_session *s) {
    int64_t digest;
    CVY_TRY(cvy_ckpt_int(s->ckpt, "train_digest", &digest));
    CVY_CHECK(
        (uint64_t)digest == s->train->info.digest, CVY_ERR_DATA,
        "%s: not the data that the run was trained on (its digest differs); give the same data, or start a new run",
        cvy_session_train_name(s));
    return CVY_OK;
}

static cvy_status check_experiment(struct cvy_session *s) {
    const bool same_network = cvy_state_check(s->ckpt, s->graph, NULL, false) == CVY_OK;
    CVY_TRY(cvy_checkpoint_experiment(s->ckpt, "the run", &s->before));
    CVY_TRY(cvy_experiment_compare(s->before, s->experiment, same_network, s->options->allow_change,
                                   s->options->allow_change_count));
    return cvy_state_check(s->ckpt, s->graph, NULL, false);
}

static cvy_status check_position(const struct cvy_session *s) {
    CVY_CHECK(s->state.position <= s->plan.count, CVY_ERR_CHECKPOINT, "%s: position %lld in an epoch of %lld samples",
              s->resume_from, (long long)s->state.position, (long long)s->plan.count);
    return CVY_OK;
}

/* Rank 0: all that can be known before anything is restored. */
static cvy_status open_resumed(struct cvy_session *s) {
    const char *isa;
    CVY_TRY(cvy_ckpt_open(s->resume_from, &s->ckpt));
    CVY_TRY(check_data(s));
    CVY_TRY(check_experiment(s));
    CVY_TRY(cvy_state_read(s->ckpt, &s->state));
    CVY_TRY(check_position(s));
    CVY_TRY(cvy_ckpt_text(s->ckpt, "isa", &isa));
    if (strcmp(isa, cvy_session_isa(s)) != 0)
        cvy_warn(s->ctx->log, "the run was at ISA level %s and goes on at %s: bits may differ", isa,
                 cvy_session_isa(s));
    return CVY_OK;
}

/* With other batches than before, nothing may be left for the rest of the epoch (train.last_batch: drop). */
static void skip_empty_rest(struct cvy_session *s) {
    const struct cvy_epoch_plan first = cvy_session_first_epoch(s);
    if (s->state.position == 0 || cvy_epoch_steps(&first) > 0) return;
    s->state.epoch++;
    s->state.position = 0;
    s->state.evaluation_due = s->test != NULL;
}

cvy_status cvy_session_find_place(struct cvy_session *s) {
    CVY_TRY(cvy_comm_follow(s->ctx->comm, s->resume_from[0] ? open_resumed(s) : CVY_OK));
    CVY_TRY(cvy_comm_bcast(s->ctx->comm, &s->state, sizeof s->state));
    skip_empty_rest(s);
    const struct cvy_epoch_plan first = cvy_session_first_epoch(s);
    const struct cvy_batch_plan last = cvy_batch_plan_at(&first, cvy_epoch_steps(&first) - 1);
    return cvy_graph_check(s->graph, last.count / last.leaves, last.count);
}

/* ---- What of a run's state is taken on ---- */

static void add_word(struct cvy_buf *list, const char *word) {
    cvy_buf_printf(list, "%s%s", list->size ? ", " : "", word);
}

/* Those of the checkpoint that are not taken on; every parameter has the same. */
static void list_dropped(const struct cvy_session *s, const struct cvy_vectors *vectors, struct cvy_buf *out) {
    char prefix[160];
    if (s->graph->params.count == 0) return;
    snprintf(prefix, sizeof prefix, "/optim/%s/", s->graph->params.items[0].name);
    for (int t = 0; t < cvy_ckpt_tensor_count(s->ckpt); t++) {
        const char *path = cvy_ckpt_tensor(s->ckpt, t)->path;
        if (strncmp(path, prefix, strlen(prefix)) != 0) continue;
        bool taken = false;
        for (int i = 0; i < s->optimizer.slots; i++)
            taken |= !vectors->slot_kept[i] && strcmp(path + strlen(prefix), s->optimizer.slot_name[i]) == 0;
        if (!taken) add_word(out, path + strlen(prefix));
    }
}

/* Slots mean what their optimiser makes of them, so those of another kind do not serve. */
static void choose_slots(struct cvy_session *s, struct cvy_vectors *vectors) {
    const struct cvy_optimizer *optimizer = &s->optimizer;
    const char *was = cvy_schema_variant_name(s->before->optimizer);
    const char *is = cvy_schema_variant_name(s->experiment->optimizer);
    const bool other = strcmp(was, is) != 0;
    struct cvy_buf fresh = {0}, dropped = {0};
    for (int i = 0; i < optimizer->slots; i++) {
        vectors->slot_kept[i] = other || !cvy_state_has_slot(s->ckpt, s->graph, optimizer->slot_name[i]);
        if (vectors->slot_kept[i]) add_word(&fresh, optimizer->slot_name[i]);
    }
    list_dropped(s, vectors, &dropped);
    if (other) s->state.slots_from = s->state.step;
    if (other || fresh.size || dropped.size)
        cvy_warn(s->ctx->log, "train.optimizer was changed (%s, %s%s): slots that start from zero: %s; dropped: %s", is,
                 other ? "was " : "with other settings", other ? was : "", fresh.size ? cvy_buf_text(&fresh) : "none",
                 dropped.size ? cvy_buf_text(&dropped) : "none");
    cvy_buf_destroy(&fresh);
    cvy_buf_destroy(&dropped);
}

/* A new average starts from the weights as they are; see cvy_session_start_values. */
static void choose_average(struct cvy_session *s, struct cvy_vectors *vectors) {
    const bool there = cvy_state_has_average(s->ckpt);
    if (s->ema && !there)
        cvy_warn(s->ctx->log, "train.ema is new: the average starts from the weights as they are now");
    if (s->ema == NULL && there)
        cvy_warn(s->ctx->log, "train.ema is no more: the run's average of the weights is dropped");
    if (!there) vectors->ema = NULL;
    s->fresh_average = s->ema && !there;
}

static cvy_status resume(struct cvy_session *s) {
    struct cvy_vectors vectors = cvy_session_vectors(s);
    choose_slots(s, &vectors);
    choose_average(s, &vectors);
    CVY_TRY(cvy_state_restore(s->ckpt, NULL, &vectors));
    cvy_info(s->ctx->log, "resuming from %s: step %lld, epoch %lld, sample %lld", s->resume_from,
             (long long)s->state.step, (long long)s->state.epoch + 1, (long long)s->state.position);
    return CVY_OK;
}

/* ---- Another run's weights ---- */

cvy_status cvy_session_open_init(const struct cvy_session *s, struct cvy_ckpt **out) {
    char path[CVY_PATH_MAX];
    CVY_TRY(cvy_checkpoint_find(s->experiment->init_from, s->ctx->log, path));
    CVY_TRY(cvy_ckpt_open(path, out));
    cvy_status status = cvy_state_check(*out, s->graph, s->experiment->init_except, true);
    if (status != CVY_OK) cvy_ckpt_close(out);
    return status;
}

/* Where it kept an average, that is what evaluation shows, and what is taken. */
static cvy_status initialize_from(struct cvy_session *s) {
    struct cvy_ckpt *ckpt;
    struct cvy_vectors vectors = {.net = s->net};
    CVY_TRY(cvy_session_open_init(s, &ckpt));
    const bool average = cvy_state_has_average(ckpt);
    if (average) vectors.ema = cvy_net_values(s->net);
    cvy_status status = cvy_state_restore(ckpt, s->experiment->init_except, &vectors);
    if (status == CVY_OK)
        cvy_info(s->ctx->log, "starting from the %s of %s", average ? "averaged weights" : "weights",
                 cvy_ckpt_path(ckpt));
    cvy_ckpt_close(&ckpt);
    return status;
}

cvy_status cvy_session_start_values(struct cvy_session *s) {
    struct cvy_comm *comm = s->ctx->comm;
    size_t bytes = s->graph->params.stored * sizeof(float), statistics = s->graph->buffers.stored * sizeof(float);
    cvy_status status = CVY_OK;
    s->fresh_average = s->ema != NULL;
    if (s->resume_from[0])
        status = resume(s);
    else if (s->rank == 0 && s->experiment->init_from[0])
        status = initialize_from(s);
    cvy_ckpt_close(&s->ckpt);
    cvy_experiment_destroy(&s->before);
    CVY_TRY(cvy_comm_follow(comm, status));
    CVY_TRY(cvy_comm_bcast(comm, &s->state, sizeof s->state));
    CVY_TRY(cvy_comm_bcast(comm, cvy_net_values(s->net), bytes));
    CVY_TRY(cvy_comm_bcast(comm, cvy_net_buffers(s->net), statistics));
    for (int i = 0; i < s->optimizer.slots; i++) CVY_TRY(cvy_comm_bcast(comm, s->optimizer.slot[i], bytes));
    if (s->ema == NULL) return CVY_OK;
    if (s->fresh_average) { /* on rank 0 alone it matters */
        memcpy(s->ema, cvy_net_values(s->net), bytes);
        memcpy(s->ema_buffers, cvy_net_buffers(s->net), statistics);
    }
    CVY_TRY(cvy_comm_bcast(comm, s->ema, bytes));
    return cvy_comm_bcast(comm, s->ema_buffers, statistics);
}
