/* Checkpoints are written aside: training waits until the state is copied, not until it is on disk. A disk that is
 * full, a folder that was deleted, no file handles: training goes on, and what is missing is written as soon as it can
 * be. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "io/file.h"
#include "io/runs/run_folder.h"
#include "train/record/coordinator_parts.h"

/* ---- Trouble ---- */

enum { FIRST_PAUSE = 1, LONGEST_PAUSE = 60 }; /* s between two tries */

void cvy_coordinator_in_trouble(struct cvy_coordinator *c, bool *what) {
    struct cvy_trouble *t = &c->trouble;
    const bool first = !t->checkpoints && !t->metrics;
    *what = true;
    if (first)
        *t = (struct cvy_trouble){
            .checkpoints = t->checkpoints, .metrics = t->metrics, .since = c->of.engine->state.step};
    t->tries++;
    t->pause = first ? FIRST_PAUSE : fmin(2 * t->pause, LONGEST_PAUSE);
    t->next = cvy_clock() + t->pause;
    if (first)
        cvy_warn(c->of.task->ctx->log, "%s; training goes on, and what is missing is written as soon as it can be",
                 cvy_error_message());
    else
        cvy_debug(c->of.task->ctx->log, "try %d: %s", t->tries, cvy_error_message());
}

void cvy_coordinator_recovered(struct cvy_coordinator *c, bool *what) {
    struct cvy_trouble *t = &c->trouble;
    if (!*what) return;
    *what = false;
    if (t->checkpoints || t->metrics) return;
    cvy_info(c->of.task->ctx->log,
             "%s can be written again: all is saved up to step %lld, after %d %s in vain since step %lld",
             c->of.run->folder, (long long)c->of.engine->state.step, t->tries, cvy_plural(t->tries, "try", "tries"),
             (long long)t->since);
}

/* ---- The folder ---- */

/* Whether the run's folder is the one that this run began in; it is known by our lock in it. */
static bool has_own_folder(const struct cvy_run *run) {
    char lock[CVY_PATH_MAX];
    if (run->lock < 0) return cvy_folder_exists(run->folder);
    return cvy_run_file_path(run->folder, CVY_RUN_LOCK, lock) != CVY_OK || cvy_file_is(run->lock, lock);
}

/* Deleted or moved away: that of the run, or that of its checkpoints. */
static bool folder_is_gone(const struct cvy_coordinator *c) {
    return !has_own_folder(c->of.run) || !cvy_folder_exists(c->folder);
}

/* Then all checkpoints are gone, and the state is to be saved at once. */
void cvy_coordinator_look_at_folder(struct cvy_coordinator *c) {
    if (c->trouble.checkpoints || !folder_is_gone(c)) return;
    (void)CVY_FAIL(CVY_ERR_INTERNAL, "%s was deleted or moved away, with all checkpoints; it is made again", c->folder);
    cvy_coordinator_in_trouble(c, &c->trouble.checkpoints);
    c->written_step = -1;
    c->trouble.next = 0;
}

void cvy_coordinator_end_line(struct cvy_coordinator *c) {
    if (cvy_metrics_end(c->metrics) == CVY_OK) {
        cvy_coordinator_recovered(c, &c->trouble.metrics);
    } else if (!c->trouble.metrics) {
        struct cvy_failure failure;
        cvy_failure_take(&failure, CVY_ERR_INTERNAL);
        cvy_coordinator_look_at_folder(c);
        (void)cvy_failure_raise(&failure);
        cvy_coordinator_in_trouble(c, &c->trouble.metrics);
    }
}

/* The run's folder is there, and ours; made again, with its files, where it was deleted. Another job may have begun
 * there since: then its lock says so, and nothing is touched. */
static cvy_status keep_folder(struct cvy_coordinator *c) {
    struct cvy_run *run = c->of.run;
    int lock;
    if (has_own_folder(run)) return CVY_OK;
    CVY_TRY(cvy_folder_make(run->folder));
    CVY_TRY(cvy_folder_lock(run->folder, &lock));
    if (run->lock >= 0) close(run->lock);
    run->lock = lock;
    return cvy_coordinator_write_files(c);
}

/* A folder that is being deleted while it is made again may have lost them; of a resumed run the experiment is new. */
static void keep_files(struct cvy_coordinator *c) {
    if (!c->experiment_written || !cvy_run_file_exists(c->of.run->folder, CVY_RUN_EXPERIMENT))
        (void)cvy_coordinator_write_files(c);
}

/* As many handles as the system lets us have; and the metrics' is lent to what matters more. */
static void make_handles(struct cvy_coordinator *c) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    cvy_metrics_rest(c->metrics);
}

/* ---- Writing ---- */

/* The state, saved in memory, to be written. */
static cvy_status make_image(struct cvy_coordinator *c) {
    const struct cvy_task *task = c->of.task;
    const struct cvy_inputs *inputs = c->of.inputs;
    const struct cvy_vectors vectors = cvy_engine_vectors(c->of.engine);
    const char *metrics = cvy_metrics_tail(c->metrics);
    const struct cvy_state_labels labels = {.name = task->experiment->name,
                                            .isa = cvy_task_isa(task),
                                            .experiment = cvy_buf_text(&c->experiment),
                                            .metrics = metrics,
                                            .metrics_size = strlen(metrics),
                                            .best_of = c->best_of,
                                            .early_of = c->early_of,
                                            .seed = task->experiment->seed,
                                            .ranks = task->ranks,
                                            .threads = task->ctx->compute->threads,
                                            .train_digest = inputs->train->info.digest,
                                            .train_sample = inputs->sample,
                                            .data = &inputs->train->info,
                                            .contract = &inputs->contract,
                                            .mean = inputs->mean,
                                            .std = inputs->std};
    struct cvy_state state = c->of.engine->state;
    state.wall_seconds = c->wall_before + cvy_clock() - c->session_start;
    cvy_ckpt_image_destroy(&c->image);
    return cvy_state_save(&vectors, &state, &labels, &c->image);
}

static struct cvy_ckpt_saving saving_of(const struct cvy_coordinator *c) {
    return (struct cvy_ckpt_saving){.folder = c->folder,
                                    .step = c->of.engine->state.step,
                                    .sound = c->sound,
                                    .every = c->keep_every,
                                    .keep = (int)c->of.task->experiment->keep};
}

cvy_status cvy_coordinator_write_now(struct cvy_coordinator *c) {
    c->saving = saving_of(c);
    if (c->trouble.no_handles) make_handles(c);
    CVY_TRY(keep_folder(c));
    cvy_status status = cvy_ckpt_save(c->image, &c->saving);
    c->trouble.no_handles = c->saving.reason == EMFILE || c->saving.reason == ENFILE;
    return status;
}

static void *write_main(void *arg) {
    struct cvy_coordinator *c = arg;
    cvy_thread_settle();
    double start = cvy_clock();
    cvy_status status = cvy_ckpt_save(c->image, &c->saving);
    if (status == CVY_OK || c->saving.as == CVY_CKPT_NUMBERED) cvy_ckpt_image_destroy(&c->image);
    cvy_failure_take(&c->failure, status);
    c->write_s = cvy_clock() - start;
    atomic_store(&c->written, true);
    return NULL;
}

/* The image that there is. */
static cvy_status start_thread(struct cvy_coordinator *c) {
    atomic_store(&c->written, false);
    c->writing = cvy_thread_start(&c->writer, write_main, c) == 0;
    if (!c->writing) cvy_ckpt_image_destroy(&c->image);
    CVY_CHECK(c->writing, CVY_ERR_INTERNAL, "cannot start the thread that writes checkpoints");
    return CVY_OK;
}

static cvy_status start_writer(struct cvy_coordinator *c, enum cvy_ckpt_as as) {
    double start = cvy_clock();
    c->saving = saving_of(c);
    c->saving.as = as;
    c->saving.reason = 0;
    c->saved_at = start;
    if (c->trouble.no_handles) make_handles(c);
    CVY_TRY(keep_folder(c));
    CVY_TRY(make_image(c));
    c->stall_s = cvy_clock() - start;
    CVY_TRY(start_thread(c));
    if (as != CVY_CKPT_BEST) c->unproved = c->saving.step;
    return CVY_OK;
}

/* Once: it will be so at every checkpoint from now on. */
static void tell_removed(struct cvy_coordinator *c) {
    if (c->saving.removed == 0 || c->made_room) return;
    c->made_room = true;
    cvy_warn(c->of.task->ctx->log,
             "%s: the disk is full: old checkpoints make room for new ones, fewer than checkpoint.keep (%lld) stay; %d "
             "went for step %lld",
             c->folder, (long long)c->of.task->experiment->keep, c->saving.removed, (long long)c->saving.step);
}

static void tell_written(struct cvy_coordinator *c) {
    cvy_debug(c->of.task->ctx->log, "checkpoint of step %lld, %.1f MiB in %.0f ms", (long long)c->saving.step,
              (double)c->saving.bytes / (1 << 20), 1e3 * c->write_s);
    tell_removed(c);
    keep_files(c);
    if (c->saving.as != CVY_CKPT_BEST) c->written_step = c->saving.step;
    cvy_coordinator_recovered(c, &c->trouble.checkpoints);
    struct cvy_buf *line = cvy_metrics_begin(c->metrics, "checkpoint", c->saving.step);
    if (c->saving.as != CVY_CKPT_NUMBERED) cvy_json_text(line, "best", c->best_of);
    cvy_json_int(line, "bytes", c->saving.bytes);
    cvy_json_real(line, "stall_ms", 1e3 * c->stall_s);
    cvy_json_real(line, "write_ms", 1e3 * c->write_s);
    cvy_coordinator_end_line(c);
}

static void tell_failed(struct cvy_coordinator *c) {
    const bool first = !c->trouble.checkpoints;
    const int reason = c->saving.reason;
    cvy_coordinator_in_trouble(c, &c->trouble.checkpoints);
    c->trouble.no_handles = reason == EMFILE || reason == ENFILE;
    if (first) cvy_coordinator_event(c, "checkpoint_failed", cvy_error_message());
}

void cvy_coordinator_join(struct cvy_coordinator *c) {
    if (!c->writing) return;
    pthread_join(c->writer, NULL);
    c->writing = false;
    if (cvy_failure_raise(&c->failure) == CVY_OK)
        tell_written(c);
    else
        tell_failed(c);
}

/* ---- When ---- */

static cvy_status checkpoint_last(struct cvy_coordinator *c) {
    double start = cvy_clock();
    cvy_status status = make_image(c);
    c->stall_s = cvy_clock() - start;
    if (status == CVY_OK) status = cvy_coordinator_write_now(c);
    c->write_s = cvy_clock() - start;
    if (status == CVY_OK)
        tell_written(c);
    else if (c->image)
        status = cvy_coordinator_insist(c, status);
    cvy_ckpt_image_destroy(&c->image);
    return status;
}

/* They are of less weight than the weights: no reason to fail. The checkpoint has the last lines. */
static void finish_metrics(struct cvy_coordinator *c) {
    if (cvy_metrics_flush(c->metrics) == CVY_OK)
        cvy_coordinator_recovered(c, &c->trouble.metrics);
    else
        cvy_warn(c->of.task->ctx->log, "%s; its last lines are lost", cvy_error_message());
    if (cvy_metrics_lost(c->metrics))
        cvy_warn(c->of.task->ctx->log, "%lld %s of metrics.jsonl lost: no more could wait in memory",
                 (long long)cvy_metrics_lost(c->metrics),
                 cvy_plural((double)cvy_metrics_lost(c->metrics), "line", "lines"));
}

/* One that could not be written, and whose memory is needed now: the last try. */
static void give_up_best(struct cvy_coordinator *c) {
    char best[CVY_PATH_MAX] = "";
    if (c->image == NULL) return;
    if (cvy_ckpt_save(c->image, &c->saving) == CVY_OK) {
        tell_written(c);
    } else {
        (void)cvy_ckpt_best(c->folder, best);
        cvy_warn(c->of.task->ctx->log, "%s; the weights of step %lld, the best %s so far, are lost: %s stays as it is",
                 cvy_error_message(), (long long)c->saving.step, c->best_of, best);
    }
    cvy_ckpt_image_destroy(&c->image);
}

void cvy_coordinator_checkpoint(struct cvy_coordinator *c, enum cvy_ckpt_as as) {
    if (c == NULL) return;
    cvy_coordinator_join(c);
    give_up_best(c);
    const bool there = c->written_step == c->of.engine->state.step;
    if (there && as == CVY_CKPT_NUMBERED) return;
    if (start_writer(c, there ? CVY_CKPT_BEST : as) != CVY_OK) tell_failed(c);
}

cvy_status cvy_coordinator_finish(struct cvy_coordinator *c) {
    if (c == NULL) return CVY_OK;
    cvy_coordinator_join(c);
    give_up_best(c);
    if (c->written_step != c->of.engine->state.step) CVY_TRY(checkpoint_last(c));
    finish_metrics(c);
    return cvy_ckpt_prune(c->folder, (int)c->of.task->experiment->keep, -1, c->keep_every);
}

bool cvy_coordinator_is_time(const struct cvy_coordinator *c) {
    const struct cvy_every *every = c ? &c->of.task->experiment->checkpoint_every : NULL;
    return every && every->unit == CVY_UNIT_MINUTES && cvy_clock() - c->saved_at >= 60 * (double)every->count;
}

void cvy_coordinator_retry(struct cvy_coordinator *c) {
    cvy_status status = CVY_OK;
    if (c == NULL) return;
    struct cvy_trouble *t = &c->trouble;
    if (c->writing && atomic_load(&c->written)) cvy_coordinator_join(c);
    if (c->writing || (!t->checkpoints && !t->metrics) || cvy_clock() < t->next) return;
    if (t->metrics && keep_folder(c) == CVY_OK && cvy_metrics_flush(c->metrics) == CVY_OK)
        cvy_coordinator_recovered(c, &t->metrics);
    else if (t->metrics)
        cvy_coordinator_in_trouble(c, &t->metrics);
    if (!t->checkpoints) return;
    if (c->image) /* a best one, of an earlier step */
        status = start_thread(c);
    else if (cvy_engine_finite(c->of.engine))
        status = start_writer(c, CVY_CKPT_NUMBERED);
    if (status != CVY_OK) tell_failed(c);
}
