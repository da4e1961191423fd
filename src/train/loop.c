/* The loop around the step: epochs, evaluation, checkpoints, when to stop. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/clock.h"
#include "train/coordinator.h"
#include "train/loop.h"

bool cvy_stop_wanted(const struct cvy_session *s) {
    double limit = s->options->time_limit;
    bool late = cvy_context_rank(s->ctx) == 0 && limit > 0 && cvy_clock() - s->started >= limit;
    return late || atomic_load(&s->ctx->stop);
}

cvy_status cvy_trainer_diverged(struct cvy_session *s, const struct cvy_batch *batch, double lr) {
    cvy_status status = CVY_FAIL(
        CVY_ERR_DIVERGED,
        "the loss is not finite at step %lld (epoch %lld, learning rate %g); lower train.learning_rate or add a "
        "warm-up, then resume from the last checkpoint",
        (long long)s->state.step + 1, (long long)batch->epoch + 1, lr);
    cvy_coordinator_event(s->coordinator, "diverged", cvy_error_message());
    return status;
}

static bool wants_stop(void *arg) {
    return cvy_stop_wanted(arg);
}

static cvy_status evaluate(struct cvy_session *s, struct cvy_train_summary *summary, bool *stopped) {
    struct cvy_score score;
    double start = cvy_clock();
    s->evaluation.stop = wants_stop;
    s->evaluation.stop_arg = s;
    CVY_TRY(cvy_evaluate(&s->evaluation, &score, stopped));
    if (*stopped) return CVY_OK;
    s->state.evaluation_due = false;
    CVY_CHECK(
        isfinite(score.sums[CVY_VALUE_LOSS]), CVY_ERR_DIVERGED,
        "the test loss is not finite after step %lld; lower train.learning_rate or add a warm-up, and go on from an "
        "earlier checkpoint",
        (long long)s->state.step);
    cvy_score_figures(&score, &s->scale, &summary->test);
    cvy_schedule_observe(&s->schedule, cvy_figures_get(&summary->test, "loss"), cvy_figures_get(&summary->test, "top1"),
                         &s->state.schedule);
    return cvy_coordinator_evaluated(s->coordinator, &summary->test, score.samples / (cvy_clock() - start));
}

/* All ranks hold the same weights, so all find the same. */
static bool weights_finite(const struct cvy_session *s) {
    const float *w = cvy_net_values(s->net);
    float sum = 0;
    for (size_t i = 0; i < s->graph->params.stored; i++) sum += w[i] * 0.0f; /* NaN as soon as one is not finite */
    return sum == 0;
}

static cvy_status check_weights(const struct cvy_session *s) {
    CVY_CHECK(
        weights_finite(s), CVY_ERR_DIVERGED,
        "the weights are not finite after step %lld; no checkpoint was made of them; lower train.learning_rate or "
        "add a warm-up, and go on from an earlier checkpoint",
        (long long)s->state.step);
    return CVY_OK;
}

static bool due(const struct cvy_every *every, const struct cvy_state *state) {
    if (every->unit == CVY_UNIT_STEPS) return state->step % every->count == 0;
    return state->position == 0 && state->epoch % every->count == 0;
}

static bool finished(const struct cvy_session *s) {
    return s->state.epoch >= s->experiment->epochs || (s->options->has_steps && s->state.step >= s->options->steps);
}

/* One step and what follows from it. */
static cvy_status turn(struct cvy_session *s, struct cvy_train_summary *summary, bool *stopped) {
    struct cvy_step_report report = {.stop = false};
    if (!s->state.evaluation_due) {
        CVY_TRY(cvy_trainer_step(s, &report));
        CVY_TRY(cvy_coordinator_step(s->coordinator, &report));
        if (summary->first_step_s == 0) summary->first_step_s = cvy_clock_since_start();
        summary->trained = true;
        summary->loss = report.score.sums[CVY_VALUE_LOSS] / (double)report.score.samples;
    }
    *stopped = report.stop;
    if (s->state.evaluation_due && !*stopped) CVY_TRY(evaluate(s, summary, stopped));
    if (*stopped || !due(&s->experiment->checkpoint_every, &s->state)) return CVY_OK;
    CVY_TRY(check_weights(s));
    return cvy_coordinator_checkpoint(s->coordinator, false);
}

/* A failure that all ranks know of needs no rank to speak alone. */
static cvy_status known_to_all(struct cvy_session *s, cvy_status status) {
    return status == CVY_ERR_DIVERGED ? status : cvy_context_alone(s->ctx, status);
}

cvy_status cvy_trainer_run(struct cvy_session *s, struct cvy_train_summary *summary) {
    bool stopped = false;
    while (!stopped && (!finished(s) || s->state.evaluation_due)) {
        cvy_status status = turn(s, summary, &stopped);
        if (status != CVY_OK) return known_to_all(s, status);
    }
    CVY_TRY(check_weights(s));
    CVY_TRY(cvy_comm_agree(s->ctx->comm, cvy_coordinator_checkpoint(s->coordinator, true)));
    summary->step = s->state.step;
    summary->epoch = (double)s->state.epoch + (double)s->state.position / (double)s->plan.count;
    summary->samples_per_s = cvy_coordinator_rate(s->coordinator);
    if (!stopped) return CVY_OK;
    cvy_info(s->ctx->log, "stopped on request at step %lld; resume with --resume", (long long)s->state.step);
    return CVY_STOPPED;
}
