/* What a session starts from: initial values, another run's weights, or its own checkpoint. */
#include <string.h>

#include "train/checkpoints.h"
#include "train/session_parts.h"

static cvy_status check_resume(struct cvy_session *s, struct cvy_ckpt *ckpt) {
    struct cvy_buf text = {0};
    struct cvy_experiment *before = NULL;
    int64_t digest;
    const char *isa;
    CVY_TRY(cvy_ckpt_int(ckpt, "train_digest", &digest));
    CVY_CHECK(
        (uint64_t)digest == s->train->info.digest, CVY_ERR_DATA,
        "%s: not the data that the run was trained on (its digest differs); give the same data, or start a new run",
        cvy_session_train_name(s));
    CVY_TRY(cvy_ckpt_text(ckpt, "isa", &isa));
    if (strcmp(isa, cvy_session_isa(s)) != 0)
        cvy_warn(s->ctx->log, "the run was at ISA level %s and goes on at %s: bits may differ", isa,
                 cvy_session_isa(s));
    cvy_status status = cvy_ckpt_blob(ckpt, "experiment", &text);
    if (status == CVY_OK) status = cvy_experiment_parse("the run", cvy_buf_text(&text), text.size, &before);
    if (status == CVY_OK)
        status =
            cvy_experiment_compare(before, s->experiment, s->options->allow_change, s->options->allow_change_count);
    cvy_experiment_destroy(&before);
    cvy_buf_destroy(&text);
    return status;
}

static cvy_status resume(struct cvy_session *s) {
    struct cvy_ckpt *ckpt;
    const struct cvy_vectors vectors = cvy_session_vectors(s);
    CVY_TRY(cvy_ckpt_open(s->resume_from, &ckpt));
    cvy_status status = check_resume(s, ckpt);
    if (status == CVY_OK) status = cvy_state_restore(ckpt, NULL, &vectors, &s->state);
    cvy_ckpt_close(&ckpt);
    if (status == CVY_OK)
        cvy_info(s->ctx->log, "resuming from %s: step %lld, epoch %lld, sample %lld", s->resume_from,
                 (long long)s->state.step, (long long)s->state.epoch + 1, (long long)s->state.position);
    return status;
}

static cvy_status initialize_from(struct cvy_session *s) {
    struct cvy_ckpt *ckpt;
    char path[CVY_PATH_MAX];
    CVY_TRY(cvy_checkpoint_find(s->experiment->init_from, s->ctx->log, path));
    CVY_TRY(cvy_ckpt_open(path, &ckpt));
    cvy_status status = cvy_state_restore(ckpt, s->experiment->init_except, &(struct cvy_vectors){.net = s->net}, NULL);
    cvy_ckpt_close(&ckpt);
    if (status == CVY_OK) cvy_info(s->ctx->log, "starting from the weights of %s", path);
    return status;
}

cvy_status cvy_session_start_values(struct cvy_session *s) {
    struct cvy_comm *comm = s->ctx->comm;
    size_t bytes = s->graph->params.stored * sizeof(float), statistics = s->graph->buffers.stored * sizeof(float);
    cvy_status status = CVY_OK;
    if (s->resume_from[0])
        status = resume(s);
    else if (s->rank == 0 && s->experiment->init_from[0])
        status = initialize_from(s);
    CVY_TRY(cvy_comm_follow(comm, status));
    CVY_TRY(cvy_comm_bcast(comm, &s->state, sizeof s->state));
    CVY_TRY(cvy_comm_bcast(comm, cvy_net_values(s->net), bytes));
    CVY_TRY(cvy_comm_bcast(comm, cvy_net_buffers(s->net), statistics));
    for (int i = 0; i < s->optimizer.slots; i++) CVY_TRY(cvy_comm_bcast(comm, s->optimizer.slot[i], bytes));
    if (s->ema == NULL) return CVY_OK;
    if (!s->resume_from[0]) { /* on rank 0 alone it matters */
        memcpy(s->ema, cvy_net_values(s->net), bytes);
        memcpy(s->ema_buffers, cvy_net_buffers(s->net), statistics);
    }
    CVY_TRY(cvy_comm_bcast(comm, s->ema, bytes));
    return cvy_comm_bcast(comm, s->ema_buffers, statistics);
}
