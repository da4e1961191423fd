/* Looking at checkpoints: whether one is whole, which there are, what is in one. */
#include <stdio.h>
#include <string.h>

#include "convoy/run.h"
#include "core/inside.h"
#include "core/memory.h"
#include "core/sized.h"
#include "core/text.h"
#include "io/runs/runs.h"
#include "train/checkpoints.h"

/* ---- Whether it is whole ---- */

static void keep_first(void *arg, const char *path, const char *why) {
    struct cvy_failure *newest = arg;
    (void)path, (void)why; /* the message is this thread's */
    if (newest->status == CVY_OK) cvy_failure_take(newest, CVY_ERR_CHECKPOINT);
}

/* Of a folder the newest has to be good, though others would go on from the one before it. */
static cvy_status verify_newest(const char *from) {
    char folder[CVY_PATH_MAX], path[CVY_PATH_MAX];
    bool found;
    struct cvy_failure newest = {.status = CVY_OK};
    if (!cvy_run_checkpoints(from, folder)) return cvy_run_refuse(from);
    CVY_TRY(cvy_ckpt_newest(folder, keep_first, &newest, &found, path));
    CVY_CHECK(found || newest.status != CVY_OK, CVY_ERR_CHECKPOINT, "%s: there is no checkpoint in this run folder",
              from);
    CVY_CHECK(newest.status == CVY_OK, CVY_ERR_CHECKPOINT, "%s; %s%s", newest.message,
              found ? "it is passed over for the newest good one, " : "none of the others is good", found ? path : "");
    return CVY_OK;
}

cvy_status cvy_checkpoint_verify(const char *from) {
    CVY_INSIDE();
    char path[CVY_PATH_MAX];
    if (cvy_folder_exists(from)) return verify_newest(from);
    CVY_TRY(cvy_checkpoint_find(from, NULL, path));
    return cvy_ckpt_verify(path);
}

/* ---- The list ---- */

static cvy_status fill_entry(const char *folder, int64_t step, struct cvy_checkpoint_entry *entry) {
    char path[CVY_PATH_MAX];
    CVY_TRY(cvy_ckpt_name(folder, step, path));
    CVY_COPY_TEXT(entry->path, path);
    entry->step = step;
    entry->bytes = cvy_file_size(path);
    entry->good = cvy_ckpt_verify(path) == CVY_OK;
    if (!entry->good) CVY_COPY_TEXT(entry->problem, cvy_error_message());
    return CVY_OK;
}

static cvy_status fill_list(const char *folder, const struct cvy_ckpt_list *steps, struct cvy_checkpoint_list *out) {
    CVY_TRY(CVY_ARRAY(&out->items, steps->count));
    for (; out->count < steps->count; out->count++)
        CVY_TRY(fill_entry(folder, steps->steps[out->count], out->items[out->count]));
    return CVY_OK;
}

static cvy_status read_list(const char *run, struct cvy_checkpoint_list *out) {
    char folder[CVY_PATH_MAX];
    struct cvy_ckpt_list steps = {0};
    CVY_TRY(cvy_run_no_experiment(run));
    CVY_CHECK(!cvy_file_exists(run), CVY_ERR_CHECKPOINT,
              "%s: is a file; name a run folder, or ask convoy ckpt info for one checkpoint", run);
    CVY_CHECK(cvy_folder_exists(run), CVY_ERR_CHECKPOINT, "%s: no such run folder", run);
    if (!cvy_run_checkpoints(run, folder)) return cvy_run_refuse(run);
    CVY_TRY(cvy_ckpt_list(folder, &steps));
    cvy_status status = fill_list(folder, &steps, out);
    cvy_ckpt_list_destroy(&steps);
    if (status != CVY_OK) cvy_checkpoint_list_destroy(out);
    return status;
}

cvy_status cvy_checkpoint_list_read(const char *run, struct cvy_checkpoint_list *out) {
    CVY_INSIDE();
    struct cvy_checkpoint_list own;
    CVY_TRY(CVY_BEGIN(cvy_checkpoint_list, out, &own));
    return cvy_sized_give(read_list(run, &own), &own, out);
}

void cvy_checkpoint_list_destroy(struct cvy_checkpoint_list *list) {
    struct cvy_checkpoint_list own;
    CVY_TAKE(list, &own);
    cvy_free(own.items);
}

/* ---- One checkpoint's facts ---- */

static int64_t int_or_zero(const struct cvy_ckpt *ckpt, const char *name) {
    const struct cvy_ckpt_attribute *value = cvy_ckpt_attribute(ckpt, name);
    return value && value->ints ? value->ints[0] : 0;
}

static const char *text_or_none(const struct cvy_ckpt *ckpt, const char *name) {
    const struct cvy_ckpt_attribute *value = cvy_ckpt_attribute(ckpt, name);
    return value && value->texts ? value->texts[0] : "";
}

static cvy_status fill_info(struct cvy_ckpt *ckpt, struct cvy_checkpoint_info *out) {
    struct cvy_buf experiment = {0};
    CVY_COPY_TEXT(out->path, cvy_ckpt_path(ckpt));
    CVY_COPY_TEXT(out->name, text_or_none(ckpt, "name"));
    CVY_COPY_TEXT(out->isa, text_or_none(ckpt, "isa"));
    CVY_COPY_TEXT(out->written, text_or_none(ckpt, "written"));
    out->step = int_or_zero(ckpt, "step");
    out->epoch = int_or_zero(ckpt, "epoch");
    out->position = int_or_zero(ckpt, "position");
    out->seed = (uint64_t)int_or_zero(ckpt, "seed");
    out->digest = (uint64_t)int_or_zero(ckpt, "digest");
    out->ranks = (int)int_or_zero(ckpt, "ranks");
    out->threads = (int)int_or_zero(ckpt, "threads");
    out->bytes = cvy_file_size(out->path);
    out->tensors = cvy_ckpt_tensor_count(ckpt);
    for (int i = 0; i < cvy_ckpt_tensor_count(ckpt); i++)
        if (cvy_ckpt_under(cvy_ckpt_tensor(ckpt, i), "/param/"))
            out->params += cvy_ckpt_elements(cvy_ckpt_tensor(ckpt, i));
    CVY_TRY(cvy_ckpt_blob(ckpt, "experiment", &experiment));
    out->experiment = experiment.data; /* the buffer's block goes over */
    return CVY_OK;
}

cvy_status cvy_checkpoint_info_read(const char *from, struct cvy_checkpoint_info *out) {
    CVY_INSIDE();
    struct cvy_ckpt *ckpt = NULL;
    struct cvy_checkpoint_info own;
    CVY_TRY(CVY_BEGIN(cvy_checkpoint_info, out, &own));
    CVY_TRY(cvy_checkpoint_open(from, NULL, &ckpt));
    cvy_status status = fill_info(ckpt, &own);
    cvy_ckpt_close(&ckpt);
    if (status != CVY_OK) cvy_checkpoint_info_destroy(&own);
    return cvy_sized_give(status, &own, out);
}

void cvy_checkpoint_info_destroy(struct cvy_checkpoint_info *info) {
    struct cvy_checkpoint_info own;
    CVY_TAKE(info, &own);
    cvy_free(own.experiment);
}

cvy_status cvy_checkpoint_best(const char *run, char out[1024]) {
    CVY_INSIDE();
    char path[CVY_PATH_MAX];
    CVY_TRY(cvy_checkpoint_find_best(run, path));
    snprintf(out, 1024, "%.1023s", path);
    return CVY_OK;
}
