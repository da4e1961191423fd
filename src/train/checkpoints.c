#include "train/checkpoints.h"

#include <stdio.h>
#include <string.h>

#include "io/runs/runs.h"

static void log_skipped(void *log, const char *path, const char *why) {
    (void)path;
    cvy_warn(log, "%s; passed over", why);
}

cvy_status cvy_checkpoint_find(const char *from, struct cvy_log *log, char out[CVY_PATH_MAX]) {
    char folder[CVY_PATH_MAX];
    bool found = false;
    CVY_TRY(cvy_run_no_experiment(from));
    if (!cvy_folder_exists(from)) {
        CVY_CHECK(!cvy_file_special(from), CVY_ERR_CHECKPOINT, "%s: is a pipe or a device; give a file", from);
        CVY_CHECK(cvy_file_exists(from), CVY_ERR_CHECKPOINT, "%s: no such checkpoint file or run folder", from);
        CVY_CHECK(strlen(from) < CVY_PATH_MAX, CVY_ERR_USAGE, "%s: the path is too long", from);
        strcpy(out, from);
        return CVY_OK;
    }
    if (!cvy_run_checkpoints(from, folder)) return cvy_run_refuse(from);
    CVY_TRY(cvy_ckpt_newest(folder, log_skipped, log, &found, out));
    CVY_CHECK(found, CVY_ERR_CHECKPOINT, "%s: no good checkpoint in this run folder; `convoy ckpt list` says more",
              from);
    return CVY_OK;
}

cvy_status cvy_checkpoint_find_best(const char *from, char out[CVY_PATH_MAX]) {
    char folder[CVY_PATH_MAX];
    CVY_TRY(cvy_run_no_experiment(from));
    CVY_CHECK(!cvy_file_exists(from), CVY_ERR_CHECKPOINT, "%s: is a file; of a run folder there is a best one", from);
    CVY_CHECK(cvy_folder_exists(from), CVY_ERR_CHECKPOINT, "%s: no such run folder", from);
    if (!cvy_run_checkpoints(from, folder)) return cvy_run_refuse(from);
    CVY_TRY(cvy_ckpt_best(folder, out));
    CVY_CHECK(cvy_file_exists(out), CVY_ERR_CHECKPOINT,
              "%s: has no best.h5; a run keeps one with checkpoint: {best: loss}, or another figure of its evaluations",
              folder);
    return CVY_OK;
}

cvy_status cvy_checkpoint_experiment(struct cvy_ckpt *ckpt, const char *name, struct cvy_experiment **out) {
    struct cvy_buf text = {0};
    cvy_status status = cvy_ckpt_blob(ckpt, "experiment", &text);
    if (status == CVY_OK) status = cvy_experiment_parse(name, cvy_buf_text(&text), text.size, out);
    cvy_buf_destroy(&text);
    return status;
}

cvy_status cvy_checkpoint_open(const char *from, struct cvy_log *log, struct cvy_ckpt **out) {
    char path[CVY_PATH_MAX];
    CVY_TRY(cvy_checkpoint_find(from, log, path));
    return cvy_ckpt_open(path, out);
}
