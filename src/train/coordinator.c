#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/inside.h"
#include "core/memory.h"
#include "io/file.h"
#include "train/checkpoints.h"
#include "train/coordinator_parts.h"
#include "train/session_parts.h"

/* ---- Choosing the run folder ---- */

static void warn_skipped(void *arg, const char *path, const char *why) {
    (void)path;
    cvy_warn(((struct cvy_session *)arg)->ctx->log, "skipped: %s", why);
}

/* Its experiment, or checkpoints of one that is gone. */
static bool holds_run(const char *folder, const char *checkpoints) {
    char path[CVY_PATH_MAX];
    struct cvy_ckpt_list list;
    if (cvy_path_join(folder, "experiment.yaml", path) == CVY_OK && cvy_file_exists(path)) return true;
    if (cvy_ckpt_list(checkpoints, &list) != CVY_OK) return true;
    bool any = list.count > 0;
    cvy_ckpt_list_destroy(&list);
    return any;
}

/* A run whose checkpoints are all damaged is not started afresh over them. */
static cvy_status refuse_if_all_damaged(const char *checkpoints) {
    struct cvy_ckpt_list list;
    CVY_TRY(cvy_ckpt_list(checkpoints, &list));
    int count = list.count;
    cvy_ckpt_list_destroy(&list);
    CVY_CHECK(count == 0, CVY_ERR_CHECKPOINT, "%s: %s; restore one, or move all away to start afresh", checkpoints,
              cvy_plural(count, "its one checkpoint is not whole", "none of its checkpoints is whole"));
    return CVY_OK;
}

/* What can be known of the folder and of init.from; a folder that was not there is not left behind. */
static cvy_status check_without_traces(const struct cvy_session *s) {
    struct cvy_ckpt *ckpt = NULL;
    bool there = cvy_folder_exists(s->run_folder);
    CVY_TRY(cvy_file_probe_folder(s->run_folder));
    if (!there) rmdir(s->run_folder);
    if (s->experiment->init_from[0]) CVY_TRY(cvy_session_open_init(s, &ckpt));
    cvy_ckpt_close(&ckpt);
    return CVY_OK;
}

/* A run that starts replaces what is left of an earlier start, which made the folder of checkpoints first: files of
 * these names without it are somebody else's, perhaps the very experiment that is read. */
static cvy_status keep_others_files(const struct cvy_session *s, const char *checkpoints) {
    static const char *const names[] = {"experiment.yaml", "metrics.jsonl"};
    char path[CVY_PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof *names && !cvy_folder_exists(checkpoints); i++) {
        CVY_TRY(cvy_path_join(s->run_folder, names[i], path));
        CVY_CHECK(!cvy_file_exists(path), CVY_ERR_USAGE,
                  "%s: is no run's, and a run in this folder would replace it; move it away, or choose another folder "
                  "with --run",
                  path);
    }
    return CVY_OK;
}

cvy_status cvy_coordinator_choose(struct cvy_session *s) {
    char given[CVY_PATH_MAX], checkpoints[CVY_PATH_MAX];
    bool found = false;
    CVY_CHECK(s->options->run_folder == NULL || s->options->run_folder[0], CVY_ERR_USAGE,
              "--run is empty; name a folder, or leave it out for runs/%s", s->experiment->name);
    snprintf(given, sizeof given, "%s%s", s->options->run_folder ? "" : "runs/",
             s->options->run_folder ? s->options->run_folder : s->experiment->name);
    CVY_TRY(cvy_path_absolute(given, s->run_folder));
    CVY_TRY(cvy_path_join(s->run_folder, "checkpoints", checkpoints));
    CVY_TRY(keep_others_files(s, checkpoints));
    bool run = holds_run(s->run_folder, checkpoints);
    CVY_CHECK(!run || s->options->resume || s->options->dry_run, CVY_ERR_USAGE,
              "%s already holds a run; add --resume to go on with it, or choose another folder with --run", given);
    if (s->options->dry_run) return check_without_traces(s);
    CVY_TRY(cvy_folder_make(s->run_folder));
    CVY_TRY(cvy_folder_lock(s->run_folder, &s->lock));
    if (s->options->resume) CVY_TRY(cvy_ckpt_newest(checkpoints, warn_skipped, s, &found, s->resume_from));
    if (found) return CVY_OK; /* whether there is room is seen when surplus checkpoints are gone */
    CVY_TRY(cvy_file_probe_folder(s->run_folder));
    s->resume_from[0] = '\0';
    return s->options->resume ? refuse_if_all_damaged(checkpoints) : CVY_OK;
}

/* ---- Opening ---- */

/* Nothing is written where it says so already: on a full disk a second copy would not fit. */
static cvy_status write_experiment(struct cvy_coordinator *c) {
    char path[CVY_PATH_MAX];
    struct cvy_buf there = {0};
    const struct cvy_buf *text = &c->experiment;
    CVY_TRY(cvy_path_join(c->s->run_folder, "experiment.yaml", path));
    bool same = cvy_file_exists(path) && cvy_file_read(path, (size_t)1 << 30, &there) == CVY_OK &&
                there.size == text->size && memcmp(cvy_buf_text(&there), cvy_buf_text(text), text->size) == 0;
    cvy_buf_destroy(&there);
    return same ? CVY_OK : cvy_file_replace(path, &(struct cvy_bytes){cvy_buf_text(text), text->size}, 1);
}

cvy_status cvy_coordinator_write_files(struct cvy_coordinator *c) {
    char path[CVY_PATH_MAX];
    CVY_TRY(cvy_path_join(c->s->run_folder, "log.txt", path));
    CVY_TRY(cvy_log_open_file(c->s->ctx->log, CVY_LOG_OF_RUN, path));
    return write_experiment(c);
}

/* The checkpoint has the last lines of a file that is gone. */
static cvy_status lines_before(struct cvy_coordinator *c, const char *path, struct cvy_buf *out) {
    struct cvy_ckpt *ckpt = NULL;
    if (c->resumed_step < 0 || cvy_file_exists(path)) return CVY_OK;
    cvy_warn(c->s->ctx->log, "%s is missing: it begins with the last lines that the checkpoint holds", path);
    CVY_TRY(cvy_ckpt_open(c->s->resume_from, &ckpt));
    cvy_status status = cvy_ckpt_blob(ckpt, "metrics", out);
    cvy_ckpt_close(&ckpt);
    return status;
}

static cvy_status open_metrics(struct cvy_coordinator *c) {
    char path[CVY_PATH_MAX];
    struct cvy_buf before = {0};
    cvy_status status = cvy_path_join(c->s->run_folder, "metrics.jsonl", path);
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
    const struct cvy_session *s = c->s;
    char stamp[32];
    cvy_clock_stamp(stamp);
    struct cvy_buf *line = cvy_metrics_begin(c->metrics, "run", s->state.step);
    cvy_json_text(line, "started", stamp);
    cvy_json_int(line, "ranks", cvy_comm_size(s->ctx->comm));
    cvy_json_int(line, "threads", s->ctx->compute->threads);
    write_hosts(line, s->ctx->comm);
    cvy_json_text(line, "isa", cvy_session_isa(s));
    cvy_json_text(line, "version", cvy_version());
    cvy_json_int(line, "params", cvy_params_count(&s->graph->params));
    cvy_json_int(line, "train_samples", s->train->info.count);
    cvy_json_int(line, "batch", s->plan.batch);
    cvy_json_int(line, "leaf", s->plan.leaf);
    cvy_coordinator_end_line(c);
}

/* What keep does not let stay goes first, so that a smaller keep makes room on a full disk. */
static cvy_status open_files(struct cvy_coordinator *c) {
    CVY_TRY(cvy_path_join(c->s->run_folder, "checkpoints", c->folder));
    CVY_TRY(cvy_experiment_emit_whole(c->s->experiment, &c->experiment));
    CVY_TRY(cvy_ckpt_prune(c->folder, (int)c->s->experiment->keep, -1));
    CVY_TRY(cvy_file_probe_folder(c->folder)); /* the trial write before the first step */
    CVY_TRY(cvy_coordinator_write_files(c));
    CVY_TRY(open_metrics(c));
    write_run_line(c);
    return CVY_OK;
}

cvy_status cvy_coordinator_create(struct cvy_session *s, struct cvy_coordinator **out) {
    CVY_TRY(CVY_NEW(out, 1, general));
    struct cvy_coordinator *c = *out;
    c->s = s;
    c->session_start = cvy_clock();
    c->wall_before = s->state.wall_seconds;
    c->resumed_step = s->resume_from[0] ? s->state.step : -1;
    /* One whose evaluation is still to come is written again after it. */
    c->written_step = s->state.evaluation_due ? -1 : c->resumed_step;
    c->unproved = c->resumed_step;
    c->sound = -1;
    cvy_status status = open_files(c);
    if (status != CVY_OK) cvy_coordinator_destroy(out);
    return status;
}

/* ---- Metrics and progress ---- */

void cvy_coordinator_event(struct cvy_coordinator *c, const char *what, const char *text) {
    if (c == NULL) return;
    struct cvy_buf *line = cvy_metrics_begin(c->metrics, "event", c->s->state.step);
    cvy_json_text(line, "event", what);
    cvy_json_text(line, "text", text);
    cvy_coordinator_end_line(c);
}

double cvy_coordinator_rate(const struct cvy_coordinator *c) {
    return c && c->train_seconds > 0 ? (double)c->train_samples / c->train_seconds : 0;
}

static void eta_text(const struct cvy_coordinator *c, char out[48]) {
    const struct cvy_session *s = c->s;
    double all = (double)s->experiment->epochs * (double)s->plan.count;
    double done = (double)s->state.epoch * (double)s->plan.count + (double)s->state.position;
    double seconds = (all - done) / cvy_coordinator_rate(c);
    long left = seconds < 360000 ? (long)seconds : 359999;
    snprintf(out, 48, "%ld:%02ld:%02ld", left / 3600, left / 60 % 60, left % 60);
}

/* The epoch that a step belonged to, from 1. */
static int64_t shown_epoch(const struct cvy_state *state) {
    return state->position == 0 && state->epoch > 0 ? state->epoch : state->epoch + 1;
}

/* Of a rate in samples/s: large networks make few. */
static int decimals(double rate) {
    return rate < 10 ? 2 : rate < 100 ? 1 : 0;
}

static void describe_progress(const struct cvy_coordinator *c, char out[256]) {
    const struct cvy_session *s = c->s;
    char eta[48], headline[48];
    eta_text(c, eta);
    double n = c->window.samples > 0 ? (double)c->window.samples : 1, rate = cvy_coordinator_rate(c);
    snprintf(out, 256, "epoch %lld/%lld  step %lld  loss %.4f  %s  %.*f samples/s  %s left",
             (long long)shown_epoch(&s->state), (long long)s->experiment->epochs, (long long)s->state.step,
             c->window.sums[CVY_VALUE_LOSS] / n, cvy_score_headline(&c->window, &s->scale, headline), decimals(rate),
             rate, eta);
}

static void write_figures(struct cvy_buf *line, const struct cvy_figures *figures) {
    for (int i = 0; i < figures->count; i++) cvy_json_real(line, figures->items[i].name, figures->items[i].value);
}

/* The loss, accuracies and errors are this step's own, of outputs as training has them: dropout and augmentation in. */
static void write_step_line(struct cvy_coordinator *c, const struct cvy_step_report *report) {
    double seconds = c->window_compute + c->window_comm + c->window_wait;
    struct cvy_figures figures;
    struct cvy_buf *line = cvy_metrics_begin(c->metrics, "step", c->s->state.step);
    cvy_score_figures(&report->score, &c->s->scale, &figures);
    cvy_json_int(line, "epoch", shown_epoch(&c->s->state));
    write_figures(line, &figures);
    cvy_json_real(line, "lr", report->lr);
    cvy_json_real(line, "samples_per_s", (double)c->window.samples / seconds);
    cvy_json_real(line, "compute_ms", 1e3 * c->window_compute);
    cvy_json_real(line, "comm_exposed_ms", 1e3 * c->window_comm);
    cvy_json_real(line, "data_wait_ms", 1e3 * c->window_wait);
    cvy_coordinator_end_line(c);
}

static void count(struct cvy_coordinator *c, const struct cvy_step_report *r) {
    cvy_score_add(&c->window, r->score.samples, r->score.sums);
    c->window_compute += r->compute_s;
    c->window_comm += r->comm_s;
    c->window_wait += r->wait_s;
    c->train_samples += r->score.samples;
    c->train_seconds += r->compute_s + r->comm_s + r->wait_s;
}

/* A loss is that of the weights before the step. One far above what was usual stands at the end of a road. */
static void prove(struct cvy_coordinator *c, double loss) {
    const double usual = c->usual_loss;
    const bool exploded = usual > 0 && loss > 10 * usual;
    if (c->unproved == c->s->state.step - 1) {
        if (!exploded) c->sound = c->unproved;
        c->unproved = -1;
    }
    c->usual_loss = usual > 0 ? usual + 0.01 * ((exploded ? 10 * usual : loss) - usual) : loss;
}

static void warn_of_rise(struct cvy_coordinator *c) {
    struct cvy_rise *rise = &c->rise;
    rise->told = c->s->state.step;
    cvy_warn(c->s->ctx->log,
             "the loss is far above where it began: %.4g on average in epoch %lld, and %.4g at the first step; it rose "
             "at step %lld; train anew with a lower learning rate (%g now), warmup_epochs in its schedule, or "
             "--set 'train.clip={norm: 1}'",
             rise->mean, (long long)shown_epoch(&c->s->state), rise->first, (long long)rise->step, c->s->lr);
}

/* Once while it is so, and again at the end of the run. */
void cvy_coordinator_ended(struct cvy_coordinator *c) {
    if (c == NULL) return;
    if (c->rise.samples > 0) cvy_rise_end_epoch(&c->rise);
    if (c->rise.mean > 0 && c->rise.told != c->s->state.step) warn_of_rise(c);
}

void cvy_coordinator_step(struct cvy_coordinator *c, const struct cvy_step_report *report) {
    if (c == NULL) return;
    const struct cvy_every *every = &c->s->experiment->log_every;
    const struct cvy_state *state = &c->s->state;
    bool log_now = every->unit == CVY_UNIT_STEPS ? state->step % every->count == 0
                                                 : state->position == 0 && state->epoch % every->count == 0;
    double now = cvy_clock();
    count(c, report);
    prove(c, report->score.sums[CVY_VALUE_LOSS] / (double)report->score.samples);
    cvy_rise_step(&c->rise, &c->s->scale, &report->score, state->step);
    if (state->position == 0) cvy_rise_end_epoch(&c->rise);
    if (c->rise.mean > 0 && c->rise.told == 0) warn_of_rise(c);
    if (!log_now && now - c->last_progress < 0.1) return;
    char text[256];
    describe_progress(c, text);
    c->last_progress = now;
    const int64_t epoch = c->s->plan.count;
    const bool shown = cvy_log_progress(c->s->ctx->log, text, state->epoch * epoch + state->position,
                                        c->s->experiment->epochs * epoch);
    if (!log_now) return;
    if (shown)
        cvy_log_note(c->s->ctx->log, "%s", text);
    else
        cvy_info(c->s->ctx->log, "%s", text);
    cvy_coordinator_look_at_folder(c);
    write_step_line(c, report);
    c->window = (struct cvy_score){0};
    c->window_compute = c->window_comm = c->window_wait = 0;
}

void cvy_coordinator_evaluated(struct cvy_coordinator *c, const struct cvy_figures *figures, double rate) {
    char text[CVY_FIGURES_TEXT];
    if (c == NULL) return;
    cvy_info(c->s->ctx->log, "epoch %lld/%lld  test %s  (%.*f samples/s)", (long long)c->s->state.epoch,
             (long long)c->s->experiment->epochs, cvy_figures_text(figures, text), decimals(rate), rate);
    struct cvy_buf *line = cvy_metrics_begin(c->metrics, "eval", c->s->state.step);
    cvy_json_int(line, "epoch", c->s->state.epoch);
    cvy_json_text(line, "split", "test");
    write_figures(line, figures);
    cvy_coordinator_end_line(c);
}

void cvy_coordinator_destroy(struct cvy_coordinator **out) {
    struct cvy_coordinator *c = *out;
    if (c == NULL) return;
    if (c->writing) pthread_join(c->writer, NULL);
    cvy_metrics_close(&c->metrics);
    cvy_ckpt_image_destroy(&c->image);
    cvy_buf_destroy(&c->experiment);
    CVY_DELETE(out);
}
