#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "convoy.h"
#include "core/clock.h"
#include "core/inside.h"
#include "core/memory.h"
#include "io/file.h"
#include "io/runs/run_folder.h"
#include "train/checkpoints.h"
#include "train/record/advice.h"
#include "train/record/coordinator_parts.h"

/* ---- Opening ---- */

/* Nothing is written where it says so already: on a full disk a second copy would not fit. */
static cvy_status write_experiment(struct cvy_coordinator *c) {
    char path[CVY_PATH_MAX];
    struct cvy_buf there = {0};
    const struct cvy_buf *text = &c->experiment;
    CVY_TRY(cvy_run_file_path(c->of.run->folder, CVY_RUN_EXPERIMENT, path));
    bool same = cvy_file_exists(path) && cvy_file_read(path, (size_t)1 << 30, &there) == CVY_OK &&
                there.size == text->size && memcmp(cvy_buf_text(&there), cvy_buf_text(text), text->size) == 0;
    cvy_buf_destroy(&there);
    if (!same) CVY_TRY(cvy_file_replace(path, &(struct cvy_bytes){cvy_buf_text(text), text->size}, 1));
    c->experiment_written = true;
    return CVY_OK;
}

static cvy_status open_log(struct cvy_coordinator *c) {
    char path[CVY_PATH_MAX];
    CVY_TRY(cvy_run_file_path(c->of.run->folder, CVY_RUN_LOG, path));
    return cvy_log_open_file(c->of.task->ctx->log, CVY_LOG_OF_RUN, path);
}

cvy_status cvy_coordinator_write_files(struct cvy_coordinator *c) {
    CVY_TRY(open_log(c));
    return write_experiment(c);
}

/* What was changed for a resumed run is true of it from its next checkpoint on: one that trains nothing, or is killed
 * before, is what it was, and goes on by the experiment that is there. */
static cvy_status open_run(struct cvy_coordinator *c) {
    const bool there = cvy_run_file_exists(c->of.run->folder, CVY_RUN_EXPERIMENT);
    return c->resumed_step >= 0 && there ? open_log(c) : cvy_coordinator_write_files(c);
}

/* The checkpoint has the last lines of a file that is gone. */
static cvy_status lines_before(struct cvy_coordinator *c, const char *path, struct cvy_buf *out) {
    struct cvy_ckpt *ckpt = NULL;
    if (c->resumed_step < 0 || cvy_file_exists(path)) return CVY_OK;
    cvy_warn(c->of.task->ctx->log, "%s is missing: it begins with the last lines that the checkpoint holds", path);
    CVY_TRY(cvy_ckpt_open(c->of.run->resume_from, &ckpt));
    cvy_status status = cvy_ckpt_blob(ckpt, "metrics", out);
    cvy_ckpt_close(&ckpt);
    return status;
}

static cvy_status open_metrics(struct cvy_coordinator *c) {
    char path[CVY_PATH_MAX];
    struct cvy_buf before = {0};
    cvy_status status = cvy_run_file_path(c->of.run->folder, CVY_RUN_METRICS, path);
    if (status == CVY_OK) status = lines_before(c, path, &before);
    if (status == CVY_OK) status = cvy_metrics_open(path, cvy_buf_text(&before), c->resumed_step, &c->metrics);
    cvy_buf_destroy(&before);
    return status;
}

/* Each host once, in the order of ranks. */
static void write_hosts(struct cvy_buf *line, const struct cvy_comm *comm) {
    cvy_json_open(line, "hosts", '[');
    for (int r = 0; r < cvy_comm_size(comm); r++) {
        int same = 0;
        while (strcmp(cvy_comm_host(comm, same), cvy_comm_host(comm, r)) != 0) same++;
        if (same == r) cvy_json_text(line, NULL, cvy_comm_host(comm, r));
    }
    cvy_json_close(line, ']');
}

static void write_run_line(struct cvy_coordinator *c) {
    char stamp[32];
    cvy_clock_stamp(stamp);
    struct cvy_buf *line = cvy_metrics_begin(c->metrics, "run", c->of.engine->state.step);
    cvy_json_text(line, "started", stamp);
    cvy_json_int(line, "ranks", cvy_comm_size(c->of.task->ctx->comm));
    cvy_json_int(line, "threads", c->of.task->ctx->compute->threads);
    write_hosts(line, c->of.task->ctx->comm);
    cvy_json_text(line, "isa", cvy_task_isa(c->of.task));
    cvy_json_text(line, "version", cvy_version());
    cvy_json_int(line, "params", cvy_params_count(&c->of.task->graph->params));
    cvy_json_int(line, "train_samples", c->of.inputs->train->info.count);
    cvy_json_int(line, "batch", c->of.inputs->plan.batch);
    cvy_json_int(line, "leaf", c->of.inputs->plan.leaf);
    cvy_coordinator_end_line(c);
}

/* What may go for a new one: all but one of them. */
static int64_t room_of_others(const struct cvy_coordinator *c) {
    struct cvy_ckpt_list list;
    char path[CVY_PATH_MAX];
    int64_t bytes = 0;
    if (cvy_ckpt_list(c->folder, &list) != CVY_OK) return 0;
    for (int i = 0; i < list.count; i++)
        if (cvy_ckpt_name(c->folder, list.steps[i], path) == CVY_OK && strcmp(path, c->of.run->resume_from) != 0)
            bytes += cvy_file_size(path);
    cvy_ckpt_list_destroy(&list);
    return bytes;
}

/* A run that begins needs room for one checkpoint, or all its work is for nothing; one that goes on may find it later.
 */
static cvy_status check_room(const struct cvy_coordinator *c) {
    const struct cvy_engine *e = c->of.engine;
    const double need = (double)cvy_state_bytes(c->of.task->graph, e->optimizer.slots, e->spec.ema_decay > 0);
    const int64_t room = cvy_folder_room(c->folder);
    if (room < 0 || need <= (double)(room + room_of_others(c))) return CVY_OK;
    CVY_CHECK(c->resumed_step >= 0, CVY_ERR_USAGE,
              "%s: a checkpoint of this network takes up to %.4g MiB, and %.4g MiB are free there; free some space, or "
              "choose another folder with --run",
              c->folder, need / (1 << 20), (double)room / (1 << 20));
    cvy_warn(
        c->of.task->ctx->log,
        "%s: a checkpoint of this network takes up to %.4g MiB, and %.4g MiB are free there; free some space before "
        "the next one is due",
        c->folder, need / (1 << 20), (double)room / (1 << 20));
    return CVY_OK;
}

/* What keep does not let stay goes first, so that a smaller keep makes room on a full disk. */
static cvy_status open_files(struct cvy_coordinator *c) {
    CVY_TRY(cvy_run_file_path(c->of.run->folder, CVY_RUN_CHECKPOINTS, c->folder));
    CVY_TRY(cvy_experiment_emit_whole(c->of.task->experiment, &c->experiment));
    CVY_TRY(cvy_ckpt_prune(c->folder, (int)c->of.task->experiment->keep, -1, c->keep_every));
    CVY_TRY(cvy_file_probe_folder(c->folder)); /* the trial write before the first step */
    CVY_TRY(check_room(c));
    CVY_TRY(open_run(c));
    CVY_TRY(open_metrics(c));
    write_run_line(c);
    const struct cvy_context *ctx = c->of.task->ctx;
    return cvy_timeline_open(&c->timeline, ctx->log, ctx->comm, c->of.task->options->trace);
}

static void read_experiment(struct cvy_coordinator *c) {
    const struct cvy_experiment *e = c->of.task->experiment;
    const struct cvy_every *every = &e->keep_every;
    c->keep_every = every->unit == CVY_UNIT_EPOCHS ? every->count * cvy_epoch_steps(&c->of.inputs->plan) : every->count;
    cvy_inputs_figure(c->of.inputs, e->best, c->best_of);
    cvy_inputs_figure(c->of.inputs, e->early_stopping ? e->early_metric : "", c->early_of);
}

cvy_status cvy_coordinator_create(const struct cvy_coordinator_parts *parts, struct cvy_coordinator **out) {
    CVY_TRY(CVY_NEW(out, 1, general));
    struct cvy_coordinator *c = *out;
    c->of = *parts;
    c->session_start = cvy_clock();
    c->wall_before = c->of.engine->state.wall_seconds;
    c->resumed_step = c->of.run->resume_from[0] ? c->of.engine->state.step : -1;
    /* One whose evaluation is still to come is written again after it. */
    c->written_step = c->of.engine->state.evaluation_due ? -1 : c->resumed_step;
    c->unproved = c->resumed_step;
    c->sound = -1;
    c->saved_at = c->session_start;
    read_experiment(c);
    cvy_status status = open_files(c);
    if (status != CVY_OK) cvy_coordinator_destroy(out);
    return status;
}

/* ---- Metrics and progress ---- */

void cvy_coordinator_event(struct cvy_coordinator *c, const char *what, const char *text) {
    if (c == NULL) return;
    struct cvy_buf *line = cvy_metrics_begin(c->metrics, "event", c->of.engine->state.step);
    cvy_json_text(line, "event", what);
    cvy_json_text(line, "text", text);
    cvy_coordinator_end_line(c);
}

double cvy_coordinator_rate(const struct cvy_coordinator *c) {
    return c && c->train_seconds > 0 ? (double)c->train_samples / c->train_seconds : 0;
}

static void eta_text(const struct cvy_coordinator *c, char out[48]) {
    double all = (double)c->of.task->experiment->epochs * (double)c->of.inputs->plan.count;
    double done =
        (double)c->of.engine->state.epoch * (double)c->of.inputs->plan.count + (double)c->of.engine->state.position;
    double seconds = (all - done) / cvy_coordinator_rate(c);
    long left = seconds < 360000 ? (long)seconds : 359999;
    snprintf(out, 48, "%ld:%02ld:%02ld", left / 3600, left / 60 % 60, left % 60);
}

/* The epoch that a step belonged to, from 1. */
static int64_t shown_epoch(const struct cvy_state *state) {
    return state->position == 0 && state->epoch > 0 ? state->epoch : state->epoch + 1;
}

/* Since the last line: what the machine does now, not what its start cost. */
static double window_rate(const struct cvy_coordinator *c) {
    const double seconds = c->window_compute + c->window_comm + c->window_wait + c->window_update;
    return seconds > 0 ? (double)c->window.samples / seconds : 0;
}

/* Of a rate in samples/s: large networks make few. */
static int decimals(double rate) {
    return rate < 10 ? 2 : rate < 100 ? 1 : 0;
}

static void describe_progress(const struct cvy_coordinator *c, char out[256]) {
    char eta[48], headline[48];
    eta_text(c, eta);
    double n = c->window.samples > 0 ? (double)c->window.samples : 1, rate = window_rate(c);
    snprintf(out, 256, "epoch %lld/%lld  step %lld  loss %.4f  %s  %.*f samples/s  %s left",
             (long long)shown_epoch(&c->of.engine->state), (long long)c->of.task->experiment->epochs,
             (long long)c->of.engine->state.step, c->window.sums[CVY_VALUE_LOSS] / n,
             cvy_metric_headline(&c->window, &c->of.task->metric, headline), decimals(rate), rate, eta);
}

/* "top1", or "train_top1". */
static void write_figures(struct cvy_buf *line, const char *prefix, const struct cvy_figures *figures) {
    char name[48];
    for (int i = 0; i < figures->count; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, figures->items[i].name);
        cvy_json_real(line, name, figures->items[i].value);
    }
}

/* Of the steps since the last evaluation. */
static void write_since(struct cvy_coordinator *c, struct cvy_buf *line) {
    const struct cvy_metric_totals *since = &c->of.engine->state.since;
    struct cvy_figures figures;
    if (since->samples == 0) return;
    cvy_metric_figures(since, &c->of.task->metric, &figures);
    write_figures(line, "train_", &figures);
}

/* What each rank did since the last line, as far as it has told. More ranks would make lines that nobody reads. */
static void write_ranks(const struct cvy_coordinator *c, struct cvy_buf *line) {
    enum { MOST = 64 };
    static const char *const keys[CVY_SPENT] = {[CVY_SPENT_DATA] = "data_wait_ms",
                                                [CVY_SPENT_COMPUTE] = "compute_ms",
                                                [CVY_SPENT_COMM] = "comm_exposed_ms",
                                                [CVY_SPENT_UPDATE] = "update_ms"};
    const int ranks = cvy_comm_size(c->of.task->ctx->comm);
    if (ranks == 1 || ranks > MOST) return;
    cvy_json_open(line, "by_rank", '{');
    for (int i = 0; i < CVY_SPENT; i++) {
        cvy_json_open(line, keys[i], '[');
        for (int r = 0; r < ranks; r++) cvy_json_real(line, NULL, 1e3 * c->timeline.window[r][i]);
        cvy_json_close(line, ']');
    }
    cvy_json_close(line, '}');
}

/* The loss, accuracies and errors are this step's own, of outputs as training has them: dropout and augmentation in. */
static void write_step_line(struct cvy_coordinator *c, const struct cvy_step_report *report) {
    struct cvy_figures figures;
    struct cvy_buf *line = cvy_metrics_begin(c->metrics, "step", c->of.engine->state.step);
    cvy_metric_figures(&report->totals, &c->of.task->metric, &figures);
    cvy_json_int(line, "epoch", shown_epoch(&c->of.engine->state));
    write_figures(line, "", &figures);
    cvy_json_real(line, "lr", report->lr);
    cvy_json_real(line, "samples_per_s", window_rate(c));
    cvy_json_real(line, "compute_ms", 1e3 * c->window_compute);
    cvy_json_real(line, "comm_exposed_ms", 1e3 * c->window_comm);
    cvy_json_real(line, "data_wait_ms", 1e3 * c->window_wait);
    cvy_json_real(line, "update_ms", 1e3 * c->window_update);
    write_ranks(c, line);
    cvy_coordinator_end_line(c);
}

static void count(struct cvy_coordinator *c, const struct cvy_step_report *r) {
    cvy_metric_add(&c->window, r->totals.samples, r->totals.sums);
    c->window_compute += r->compute_s;
    c->window_comm += r->comm_s;
    c->window_wait += r->wait_s;
    c->window_update += r->update_s;
    c->train_samples += r->totals.samples;
    c->train_seconds += r->compute_s + r->comm_s + r->wait_s + r->update_s;
}

/* A loss is that of the weights before the step. One far above what was usual stands at the end of a road. */
static void prove(struct cvy_coordinator *c, double loss) {
    const double usual = c->usual_loss;
    const bool exploded = usual > 0 && loss > 10 * usual;
    if (c->unproved == c->of.engine->state.step - 1) {
        if (!exploded) c->sound = c->unproved;
        c->unproved = -1;
    }
    c->usual_loss = usual > 0 ? usual + 0.01 * ((exploded ? 10 * usual : loss) - usual) : loss;
}

static void warn_of_rise(struct cvy_coordinator *c) {
    struct cvy_rise *rise = &c->rise;
    struct cvy_buf advice = {0};
    cvy_advice_calmer(c->of.task, c->of.engine->lr, true, &advice);
    rise->told = c->of.engine->state.step;
    cvy_warn(
        c->of.task->ctx->log,
        "the loss is far above where it began: %.4g on average in epoch %lld, and %.4g at the first step%s; it rose "
        "at step %lld; train anew with %s",
        rise->mean, (long long)shown_epoch(&c->of.engine->state), rise->first,
        c->resumed_step > 0 ? " of this session" : "", (long long)rise->step, cvy_buf_text(&advice));
    cvy_buf_destroy(&advice);
}

static void say_best(const struct cvy_coordinator *c) {
    const struct cvy_standing *best = &c->of.engine->state.best;
    if (best->seen)
        cvy_info(c->of.task->ctx->log, "the best %s was %.6g, at step %lld: checkpoints/best.h5", c->best_of,
                 best->value, (long long)best->step);
}

static void say_early(struct cvy_coordinator *c) {
    const struct cvy_experiment *e = c->of.task->experiment;
    const struct cvy_standing *early = &c->of.engine->state.early;
    char text[256];
    if (!e->early_stopping || early->waited < e->patience) return;
    snprintf(text, sizeof text,
             "early stopping: the best %s was %.6g, at step %lld, and %lld %s since came to none better", c->early_of,
             early->value, (long long)early->step, (long long)early->waited,
             cvy_plural((double)early->waited, "evaluation", "evaluations"));
    cvy_info(c->of.task->ctx->log, "%s", text);
    if (c->of.engine->state.step > c->resumed_step) cvy_coordinator_event(c, "early_stopped", text);
}

/* Once while it is so, and again at the end of the run. */
void cvy_coordinator_ended(struct cvy_coordinator *c) {
    if (c == NULL) return;
    say_best(c);
    say_early(c);
    if (c->rise.samples > 0) cvy_rise_end_epoch(&c->rise);
    if (c->rise.mean > 0 && c->rise.told != c->of.engine->state.step) warn_of_rise(c);
}

void cvy_coordinator_step(struct cvy_coordinator *c, const struct cvy_step_report *report) {
    if (c == NULL) return;
    const struct cvy_every *every = &c->of.task->experiment->log_every;
    const struct cvy_state *state = &c->of.engine->state;
    const bool log_now = cvy_every_due(every, state->step, state->epoch, state->position);
    double now = cvy_clock();
    count(c, report);
    cvy_timeline_step(&c->timeline, c->of.engine->exchange, state->step);
    prove(c, report->totals.sums[CVY_VALUE_LOSS] / (double)report->totals.samples);
    cvy_rise_step(&c->rise, &c->of.task->metric, &report->totals, state->step);
    if (state->position == 0) cvy_rise_end_epoch(&c->rise);
    if (c->rise.mean > 0 && c->rise.told == 0) warn_of_rise(c);
    if (!log_now && now - c->last_progress < 0.1) return;
    char text[256];
    describe_progress(c, text);
    c->last_progress = now;
    const int64_t epoch = c->of.inputs->plan.count;
    const bool shown = cvy_log_progress(c->of.task->ctx->log, text, state->epoch * epoch + state->position,
                                        c->of.task->experiment->epochs * epoch);
    if (!log_now) return;
    if (shown)
        cvy_log_note(c->of.task->ctx->log, "%s", text);
    else
        cvy_info(c->of.task->ctx->log, "%s", text);
    cvy_coordinator_look_at_folder(c);
    write_step_line(c, report);
    c->window = (struct cvy_metric_totals){0};
    c->window_compute = c->window_comm = c->window_wait = c->window_update = 0;
    cvy_timeline_begin_window(&c->timeline);
}

void cvy_coordinator_evaluated(struct cvy_coordinator *c, enum cvy_split split, const struct cvy_figures *figures,
                               double rate) {
    char text[CVY_FIGURES_TEXT], step[32] = "";
    if (c == NULL) return;
    const struct cvy_state *state = &c->of.engine->state;
    if (state->position) snprintf(step, sizeof step, "step %lld  ", (long long)state->step);
    cvy_info(c->of.task->ctx->log, "epoch %lld/%lld  %s%s %s  (%.*f samples/s)", (long long)shown_epoch(state),
             (long long)c->of.task->experiment->epochs, step, cvy_split_name(split), cvy_figures_text(figures, text),
             decimals(rate), rate);
    struct cvy_buf *line = cvy_metrics_begin(c->metrics, "eval", state->step);
    cvy_json_int(line, "epoch", shown_epoch(state));
    cvy_json_text(line, "split", cvy_split_name(split));
    write_figures(line, "", figures);
    write_since(c, line);
    cvy_coordinator_end_line(c);
}

void cvy_coordinator_destroy(struct cvy_coordinator **out) {
    struct cvy_coordinator *c = *out;
    if (c == NULL) return;
    if (c->writing) pthread_join(c->writer, NULL);
    cvy_timeline_close(&c->timeline);
    cvy_metrics_close(&c->metrics);
    cvy_ckpt_image_destroy(&c->image);
    cvy_buf_destroy(&c->experiment);
    CVY_DELETE(out);
}
