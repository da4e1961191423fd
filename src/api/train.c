/* cvy_train: a session, its loop, a summary. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/sized.h"
#include "train/session/loop.h"
#include "core/machine.h"

static void announce(const struct cvy_session *s) {
    const int64_t count = s->inputs.plan.count, steps = cvy_epoch_steps(&s->inputs.plan),
                  epochs = s->task.experiment->epochs;
    struct cvy_progress start = {.epoch = (double)s->engine.state.epoch +
                                          (double)s->engine.state.position / (double)s->inputs.plan.count,
                                 .epochs = (double)epochs,
                                 .memory = &s->engine.state.schedule};
    struct cvy_progress middle = {.epoch = 0.5 * start.epochs, .epochs = start.epochs, .memory = start.memory};
    cvy_info(s->task.ctx->log,
             "%lld %s, batch %d in leaves of %d, %lld %s an epoch, %lld %s; learning rate %s, ×%g, %g now and %g in "
             "the middle",
             (long long)count, cvy_plural((double)count, "sample", "samples"), s->inputs.plan.batch,
             s->inputs.plan.leaf, (long long)steps, cvy_plural((double)steps, "step", "steps"), (long long)epochs,
             cvy_plural((double)epochs, "epoch", "epochs"), s->task.schedule.kind->name, s->task.lr_factor,
             s->task.lr_factor * cvy_schedule_at(&s->task.schedule, start),
             s->task.lr_factor * cvy_schedule_at(&s->task.schedule, middle));
}

/* So that what was interrupted often reads as one run, with its reasons: a line each. */
static void note_restarts(const struct cvy_session *s) {
    const char *why = s->task.options->restarted;
    for (size_t length; why && *why; why += length + (why[length] == '\n')) {
        char text[1024];
        length = strcspn(why, "\n");
        snprintf(text, sizeof text, "%.*s", (int)length, why);
        cvy_info(s->task.ctx->log, "%s", text);
        cvy_coordinator_event(s->coordinator, "restart", text);
    }
}

static cvy_status train(struct cvy_context *ctx, const struct cvy_train_options *options,
                        struct cvy_train_summary *out) {
    struct cvy_session *s;
    CVY_TRY(cvy_session_create(ctx, options, &s));
    snprintf(out->run_folder, sizeof out->run_folder, "%.1023s", s->run.folder);
    announce(s);
    note_restarts(s);
    cvy_status status = CVY_OK;
    if (options->dry_run)
        cvy_info(ctx->log, "dry run: everything is checked%s, nothing was trained",
                 s->inputs.partly_known ? " but for samples that were not read" : "");
    else
        status = cvy_loop_run(s, out);
    if (status != CVY_OK && status != CVY_STOPPED) cvy_log_note(ctx->log, "error: %s", cvy_error_message());
    out->seconds = cvy_clock() - s->task.started;
    out->peak_rss_mib = cvy_machine_peak_rss_mib();
    cvy_session_destroy(&s);
    return status;
}

cvy_status cvy_train(struct cvy_context *ctx, const struct cvy_train_options *options, struct cvy_train_summary *out) {
    CVY_ENTER(ctx);
    static const struct cvy_member needs[] = {CVY_MEMBER(cvy_train_options, experiment), {0}};
    struct cvy_train_options how = {.size = 0};
    struct cvy_train_summary own;
    cvy_status status = CVY_BEGIN(cvy_train_summary, out, &own);
    if (status == CVY_OK) status = CVY_READ_NEEDING(cvy_train_options, options, &how, needs);
    CVY_TRY(cvy_comm_agree(ctx->comm, status));
    return cvy_sized_give(cvy_context_heeded(ctx, train(ctx, &how, &own)), &own, out);
}
