/* Choosing the run's folder: is it free, or is there something to resume? */
#define _GNU_SOURCE
#include "train/record/run.h"

#include <stdio.h>
#include <unistd.h>

#include "io/file.h"
#include "io/runs/run_folder.h"
#include "io/runs/runs.h"

static void warn_skipped(void *arg, const char *path, const char *why) {
    (void)path;
    cvy_warn(((const struct cvy_task *)arg)->ctx->log, "skipped: %s", why);
}

/* Whatever they are worth; those that are set aside after a divergence are none. */
static bool has_checkpoints(const char *checkpoints) {
    struct cvy_ckpt_list list;
    if (cvy_ckpt_list(checkpoints, &list) != CVY_OK) return true;
    const bool any = list.count > 0;
    cvy_ckpt_list_destroy(&list);
    return any;
}

/* Its experiment, or checkpoints of one that is gone. */
static bool holds_run(const char *folder, const char *checkpoints) {
    return cvy_run_file_exists(folder, CVY_RUN_EXPERIMENT) || has_checkpoints(checkpoints);
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
static cvy_status check_without_traces(const struct cvy_run *run, const struct cvy_task *t) {
    struct cvy_ckpt *ckpt = NULL;
    bool there = cvy_folder_exists(run->folder);
    CVY_TRY(cvy_file_probe_folder(run->folder));
    if (!there) rmdir(run->folder);
    if (t->experiment->init_from[0]) CVY_TRY(cvy_task_open_init(t, &ckpt));
    cvy_ckpt_close(&ckpt);
    return CVY_OK;
}

/* A run that starts replaces what is left of an earlier start, which made the folder of checkpoints first: files of
 * these names without it are somebody else's, perhaps the very experiment that is read. */
static cvy_status keep_others_files(const struct cvy_run *run, const char *checkpoints) {
    static const enum cvy_run_file files[] = {CVY_RUN_EXPERIMENT, CVY_RUN_METRICS};
    char path[CVY_PATH_MAX];
    for (size_t i = 0; i < sizeof files / sizeof *files && !cvy_folder_exists(checkpoints); i++) {
        CVY_TRY(cvy_run_file_path(run->folder, files[i], path));
        CVY_CHECK(!cvy_file_exists(path), CVY_ERR_USAGE,
                  "%s: is no run's, and a run in this folder would replace it; move it away, or choose another folder "
                  "with --run",
                  path);
    }
    return CVY_OK;
}

/* The experiment in one run's folder, and another folder by its name. */
static void warn_of_other_run(const struct cvy_run *run, const struct cvy_task *t) {
    char own[CVY_PATH_MAX];
    if (!t->options->resume || t->options->run_folder || !cvy_run_of(t->options->experiment, own)) return;
    if (!cvy_path_same(own, run->folder))
        cvy_warn(t->ctx->log, "%s: is of the run %s, and this goes on in %s; --run %s goes on with that run",
                 t->options->experiment, own, run->folder, own);
}

cvy_status cvy_run_choose(struct cvy_run *run, struct cvy_task *t) {
    char given[CVY_PATH_MAX], checkpoints[CVY_PATH_MAX];
    bool found = false;
    CVY_CHECK(t->options->run_folder == NULL || t->options->run_folder[0], CVY_ERR_USAGE,
              "--run is empty; name a folder, or leave it out for runs/%s", t->experiment->name);
    snprintf(given, sizeof given, "%s%s", t->options->run_folder ? "" : "runs/",
             t->options->run_folder ? t->options->run_folder : t->experiment->name);
    CVY_TRY(cvy_path_absolute(given, run->folder));
    warn_of_other_run(run, t);
    CVY_TRY(cvy_run_file_path(run->folder, CVY_RUN_CHECKPOINTS, checkpoints));
    CVY_TRY(keep_others_files(run, checkpoints));
    const bool holds = holds_run(run->folder, checkpoints);
    CVY_CHECK(!holds || t->options->resume, CVY_ERR_USAGE,
              "%s already holds a run%s, or choose another folder with --run", given,
              has_checkpoints(checkpoints) ? "; add --resume to go on with it"
                                           : " that has no checkpoint to go on from; add --resume to start it afresh");
    if (t->options->dry_run && !holds) return check_without_traces(run, t);
    CVY_TRY(cvy_folder_make(run->folder));
    CVY_TRY(cvy_folder_lock(run->folder, &run->lock));
    cvy_folder_sweep(run->folder);
    if (t->options->resume) CVY_TRY(cvy_ckpt_newest(checkpoints, warn_skipped, t, &found, run->resume_from));
    if (found) return CVY_OK; /* whether there is room is seen when surplus checkpoints are gone */
    CVY_TRY(t->options->dry_run ? check_without_traces(run, t) : cvy_file_probe_folder(run->folder));
    run->resume_from[0] = '\0';
    return t->options->resume ? refuse_if_all_damaged(checkpoints) : CVY_OK;
}

void cvy_run_forget_past(struct cvy_run *run) {
    cvy_ckpt_close(&run->ckpt);
    cvy_experiment_destroy(&run->before);
}

void cvy_run_close(struct cvy_run *run) {
    cvy_run_forget_past(run);
    if (run->lock >= 0) close(run->lock);
    run->lock = -1;
}
