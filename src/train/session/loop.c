/* The loop around the step: epochs, evaluation, checkpoints, when to stop. */
#include "train/session/loop.h"

#include <math.h>
#include <stdio.h>

#include "core/clock.h"
#include "train/record/diverged.h"

/* ---- One step ---- */

/* The learning rate in the middle of a batch. */
static double rate_at(const struct cvy_session *s, const struct cvy_batch *batch) {
    double samples = (double)batch->plan.first + 0.5 * batch->plan.count;
    struct cvy_progress progress = {.epoch = (double)batch->epoch + samples / (double)s->inputs.plan.count,
                                    .epochs = (double)s->task.experiment->epochs,
                                    .memory = &s->engine.state.schedule};
    return s->task.lr_factor * cvy_schedule_at(&s->task.schedule, progress);
}

/* For the record of the next step. */
static void note_spent(struct cvy_engine *e, const struct cvy_step_report *r) {
    const double spent[CVY_SPENT] = {r->wait_s, r->compute_s, r->comm_s, r->update_s};
    for (int i = 0; i < CVY_SPENT; i++) e->spent[i] = (float)spent[i];
}

static bool due(const struct cvy_every *every, const struct cvy_state *state) {
    return cvy_every_due(every, state->step, state->epoch, state->position);
}

static void count_step(struct cvy_session *s, const struct cvy_step_report *report) {
    struct cvy_state *state = &s->engine.state;
    cvy_metric_add(&state->since, report->totals.samples, report->totals.sums);
    state->evaluation_due =
        cvy_inputs_evaluated(&s->inputs, s->task.experiment, state->step, state->epoch, state->position);
}

cvy_status cvy_loop_step(struct cvy_session *s, struct cvy_step_report *report) {
    struct cvy_batch *batch;
    double start = cvy_clock();
    CVY_TRY(cvy_loader_next(s->inputs.loader, &batch));
    double waited = cvy_clock() - start;
    CVY_TRY(cvy_trainer_step(&s->engine, batch, rate_at(s, batch), report));
    if (report->unread) return CVY_OK;
    if (report->nonfinite) return cvy_diverged_in_step(&s->engine, s->coordinator, batch);
    report->wait_s = waited;
    note_spent(&s->engine, report);
    count_step(s, report);
    cvy_inputs_saw(&s->inputs, batch);
    cvy_loader_release(s->inputs.loader, batch);
    return CVY_OK;
}

/* ---- The loop around it ---- */

/* What a step, or the evaluation behind it, came to. */
struct turn {
    bool stopped; /* on request */
    bool save;    /* by the clock */
    bool best;    /* the figures are the best so far */
};

/* What follows from the figures. One that is there for the end of the run alone changes nothing: longer ones have it
 * not. */
static void take_note(struct cvy_session *s, const struct cvy_figures *figures) {
    const struct cvy_experiment *e = s->task.experiment;
    struct cvy_state *state = &s->engine.state;
    if (!due(&e->eval_every, state)) return;
    cvy_schedule_observe(&s->task.schedule, cvy_figures_get(figures, "loss"), cvy_figures_get(figures, "top1"),
                         &state->schedule);
    if (e->early_stopping)
        (void)cvy_standing_take(&state->early, cvy_figures_get(figures, e->early_metric), s->task.early_more,
                                e->min_delta, state->step);
    state->since = (struct cvy_metric_totals){0};
}

/* Whether they are the best so far, of a run that keeps these; that of its end counts, too. */
static bool is_best(struct cvy_session *s, const struct cvy_figures *figures) {
    const char *best = s->task.experiment->best;
    struct cvy_state *state = &s->engine.state;
    return best[0] &&
           cvy_standing_take(&state->best, cvy_figures_get(figures, best), s->task.best_more, 0, state->step);
}

/* What one set gave. */
struct verdict {
    struct cvy_figures figures;
    double rate; /* samples/s */
};

static cvy_status evaluate_set(struct cvy_session *s, enum cvy_split split, struct verdict *out, bool *stopped) {
    struct cvy_metric_totals totals;
    double start = cvy_clock();
    CVY_TRY(cvy_evaluate(&s->evaluations[split], &totals, stopped));
    if (*stopped) return CVY_OK;
    if (!isfinite(totals.sums[CVY_VALUE_LOSS]))
        return cvy_diverged_in_evaluation(&s->engine, s->coordinator, split, &s->evaluations[split]);
    cvy_metric_figures(&totals, &s->task.metric, &out->figures);
    out->rate = totals.samples / (cvy_clock() - start);
    return CVY_OK;
}

/* All sets, or none: what was stopped within is done anew, and nothing was said of it. */
static cvy_status evaluate(struct cvy_session *s, struct cvy_train_summary *summary, struct turn *turn) {
    struct verdict verdicts[CVY_SPLITS] = {0};
    for (enum cvy_split split = 0; split < CVY_SPLITS && !turn->stopped; split++)
        if (s->inputs.sets[split].source) CVY_TRY(evaluate_set(s, split, &verdicts[split], &turn->stopped));
    if (turn->stopped) return CVY_OK;
    s->engine.state.evaluation_due = false;
    for (enum cvy_split split = 0; split < CVY_SPLITS; split++)
        if (s->inputs.sets[split].source)
            cvy_coordinator_evaluated(s->coordinator, split, &verdicts[split].figures, verdicts[split].rate);
    summary->validation = verdicts[CVY_VALIDATION].figures;
    summary->test = verdicts[CVY_TEST].figures;
    turn->best = is_best(s, &verdicts[cvy_inputs_deciding(&s->inputs)].figures);
    take_note(s, &verdicts[cvy_inputs_deciding(&s->inputs)].figures);
    return CVY_OK;
}

/* All ranks hold the same weights, so all find the same. */
static cvy_status check_weights(struct cvy_session *s) {
    return cvy_engine_finite(&s->engine) ? CVY_OK : cvy_diverged_weights(&s->engine, s->coordinator);
}

static double epochs_seen(const struct cvy_session *s) {
    return (double)s->engine.state.epoch + (double)s->engine.state.position / (double)s->inputs.plan.count;
}

/* Evaluations have come to nothing better for so long. */
static bool stopped_early(const struct cvy_session *s) {
    const struct cvy_experiment *e = s->task.experiment;
    return e->early_stopping && s->engine.state.early.waited >= e->patience;
}

static bool finished(const struct cvy_session *s) {
    return s->engine.state.epoch >= s->task.experiment->epochs || stopped_early(s) ||
           (s->task.options->has_steps && s->engine.state.step >= s->task.options->steps);
}

/* Tells the program of a step; it may want no more of them. Rank 0. */
static void tell_step(struct cvy_session *s, const struct cvy_step_report *r) {
    const struct cvy_train_options *o = s->task.options;
    const struct cvy_step step = {.step = s->engine.state.step,
                                  .epoch = epochs_seen(s),
                                  .epochs = (double)s->task.experiment->epochs,
                                  .samples = r->totals.samples,
                                  .loss = r->totals.sums[CVY_VALUE_LOSS] / (double)r->totals.samples,
                                  .learning_rate = r->lr,
                                  .samples_per_s =
                                      (double)r->totals.samples / (r->compute_s + r->comm_s + r->wait_s + r->update_s)};
    const struct cvy_outside theirs = cvy_outside_now();
    struct cvy_outside ours;
    cvy_go_outside(&theirs, &ours);
    const bool enough = o->on_step(o->user, &step);
    cvy_leave(&ours);
    if (enough) cvy_request_stop(s->task.ctx);
}

static cvy_status step(struct cvy_session *s, struct cvy_train_summary *summary, struct turn *turn) {
    struct cvy_step_report report = {.stop = false};
    CVY_TRY(cvy_loop_step(s, &report));
    turn->stopped = report.stop;
    turn->save = report.save;
    if (report.unread) return CVY_OK;
    cvy_coordinator_step(s->coordinator, &report);
    if (s->task.options->on_step && s->task.rank == 0) tell_step(s, &report);
    if (summary->first_step_s == 0) summary->first_step_s = cvy_clock_since_start();
    summary->trained = true;
    summary->loss = report.totals.sums[CVY_VALUE_LOSS] / (double)report.totals.samples;
    return CVY_OK;
}

/* The state, where it is time to, or it is the best so far. */
static cvy_status save(struct cvy_session *s, const struct turn *turn) {
    const struct cvy_experiment *e = s->task.experiment;
    const struct cvy_state *state = &s->engine.state;
    const bool numbered =
        turn->save || due(&e->checkpoint_every, state) || (e->keep_every.count > 0 && due(&e->keep_every, state));
    if (!numbered && !turn->best) return CVY_OK;
    CVY_TRY(check_weights(s));
    CVY_TRY(cvy_inputs_share_range(&s->inputs, &s->task));
    cvy_coordinator_checkpoint(s->coordinator, !turn->best ? CVY_CKPT_NUMBERED
                                               : numbered  ? CVY_CKPT_BOTH
                                                           : CVY_CKPT_BEST);
    return CVY_OK;
}

/* One step and what follows from it. */
static cvy_status run_turn(struct cvy_session *s, struct cvy_train_summary *summary, struct turn *turn) {
    *turn = (struct turn){0};
    if (!s->engine.state.evaluation_due) CVY_TRY(step(s, summary, turn));
    if (s->engine.state.evaluation_due && !turn->stopped) CVY_TRY(evaluate(s, summary, turn));
    if (turn->stopped) return CVY_OK;
    cvy_coordinator_retry(s->coordinator);
    return save(s, turn);
}

/* By whom, and what to type. */
static void say_stopped(const struct cvy_session *s) {
    const struct cvy_task *t = &s->task;
    char by[64] = "on request", limit[CVY_TIME_TEXT];
    if (cvy_task_is_late(t))
        snprintf(by, sizeof by, "by the time limit of %s", cvy_time_text(t->options->time_limit, limit));
    cvy_info(t->ctx->log, "stopped %s at step %lld; the same command with --resume goes on", by,
             (long long)s->engine.state.step);
}

/* A failure that all ranks know of needs no rank to speak alone. */
static cvy_status known_to_all(struct cvy_session *s, cvy_status status) {
    return status == CVY_ERR_DIVERGED ? status : cvy_context_alone(s->task.ctx, status);
}

/* A rank could not read its data, or they are none to learn from. Collective. */
static cvy_status trouble(struct cvy_session *s) {
    cvy_status status = cvy_loader_trouble(s->inputs.loader);
    for (int i = 0; i < CVY_SPLITS && status == CVY_OK; i++)
        if (s->inputs.sets[i].source) status = cvy_loader_trouble(s->evaluations[i].loader);
    return cvy_comm_agree(s->task.ctx->comm, status);
}

cvy_status cvy_loop_run(struct cvy_session *s, struct cvy_train_summary *summary) {
    struct cvy_failure bad = {.status = CVY_OK};
    struct turn turn = {0};
    while (!turn.stopped && (!finished(s) || s->engine.state.evaluation_due)) {
        cvy_status status = run_turn(s, summary, &turn);
        if (status != CVY_OK) return known_to_all(s, status);
    }
    if (turn.stopped) cvy_failure_take(&bad, trouble(s));
    if (bad.status != CVY_OK && !summary->trained) return cvy_failure_raise(&bad);
    cvy_coordinator_ended(s->coordinator);
    CVY_TRY(check_weights(s));
    CVY_TRY(cvy_inputs_share_range(&s->inputs, &s->task));
    CVY_TRY(cvy_comm_agree(s->task.ctx->comm, cvy_coordinator_finish(s->coordinator)));
    summary->step = s->engine.state.step;
    summary->epoch = epochs_seen(s);
    summary->samples_per_s = cvy_coordinator_rate(s->coordinator);
    if (!turn.stopped) return CVY_OK;
    if (bad.status != CVY_OK) {
        cvy_info(s->task.ctx->log, "what was trained up to step %lld is saved", (long long)summary->step);
        return cvy_failure_raise(&bad);
    }
    say_stopped(s);
    return CVY_STOPPED;
}
