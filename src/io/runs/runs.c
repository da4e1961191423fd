/* Folders of runs and of checkpoints: which of them a path is, and what is in it. */
#define _GNU_SOURCE
#include "io/runs/runs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/inside.h"
#include "core/memory.h"
#include "core/sized.h"
#include "core/text.h"
#include "io/ckpt/ckpt.h"
#include "io/runs/run_folder.h"

/* ---- One folder ---- */

bool cvy_run_checkpoints(const char *path, char folder[CVY_PATH_MAX]) {
    if (cvy_run_file_path(path, CVY_RUN_CHECKPOINTS, folder) != CVY_OK) return false;
    if (cvy_folder_exists(folder) || cvy_run_file_exists(path, CVY_RUN_EXPERIMENT)) return true;
    if (!cvy_ckpt_any(path)) return false;
    snprintf(folder, CVY_PATH_MAX, "%s", path);
    return true;
}

bool cvy_run_of(const char *path, char run[CVY_PATH_MAX]) {
    char folder[CVY_PATH_MAX], up[CVY_PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    for (int level = 0; level < 3; level++) { /* RUN/checkpoints/step-N.h5 */
        if (cvy_run_file_exists(folder, CVY_RUN_EXPERIMENT) && cvy_run_file_exists(folder, CVY_RUN_CHECKPOINTS)) {
            snprintf(run, CVY_PATH_MAX, "%s", folder);
            return true;
        }
        if (cvy_path_folder(folder, up) != CVY_OK) return false;
        snprintf(folder, sizeof folder, "%s", up);
    }
    return false;
}

cvy_status cvy_run_no_experiment(const char *path) {
    const char *name = cvy_path_name(path), *dot = strrchr(name, '.');
    char run[CVY_PATH_MAX];
    const bool text = dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    if (!text || cvy_folder_exists(path)) return CVY_OK;
    CVY_CHECK(!cvy_run_of(path, run), CVY_ERR_CHECKPOINT,
              "%s: is the experiment of a run, and no checkpoint; name the run's folder, %s", path, run);
    return CVY_FAIL(
        CVY_ERR_CHECKPOINT,
        "%s: is a text file such as an experiment, and no checkpoint; name the folder of the run that training it "
        "made (runs/%.*s, unless its name or --run said otherwise)",
        path, (int)(dot - name), name);
}

/* ---- A folder of them ---- */

static int is_run(const char *folder, const char *name) {
    char path[CVY_PATH_MAX], inner[CVY_PATH_MAX];
    return name[0] != '.' && cvy_path_join(folder, name, path) == CVY_OK && cvy_folder_exists(path) &&
           cvy_run_checkpoints(path, inner);
}

/* Names of the runs in a folder, sorted; free them, and the array. */
static int list_names(const char *folder, struct dirent ***names) {
    int kept = 0, count = scandir(folder, names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (is_run(folder, (*names)[i]->d_name))
            (*names)[kept++] = (*names)[i];
        else
            free((*names)[i]);
    }
    if (count < 0) *names = NULL;
    return kept;
}

static void free_names(struct dirent **names, int count) {
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
}

/* Of the checkpoints that are there, only the newest is read. */
static cvy_status fill_entry(const char *folder, const char *name, struct cvy_run_entry *entry) {
    char path[CVY_PATH_MAX], checkpoints[CVY_PATH_MAX], file[CVY_PATH_MAX];
    struct cvy_ckpt_list steps;
    CVY_TRY(cvy_path_join(folder, name, path));
    cvy_run_checkpoints(path, checkpoints);
    snprintf(entry->path, sizeof entry->path, "%.*s", (int)sizeof entry->path - 1, path);
    CVY_TRY(cvy_ckpt_list(checkpoints, &steps));
    entry->checkpoints = steps.count;
    entry->step = steps.count ? steps.steps[steps.count - 1] : -1;
    for (int i = 0; i < steps.count; i++)
        if (cvy_ckpt_name(checkpoints, steps.steps[i], file) == CVY_OK) entry->bytes += cvy_file_size(file);
    entry->good = steps.count && cvy_ckpt_verify(file) == CVY_OK;
    if (steps.count && !entry->good)
        snprintf(entry->problem, sizeof entry->problem, "%.*s", (int)sizeof entry->problem - 1, cvy_error_message());
    cvy_ckpt_list_destroy(&steps);
    return CVY_OK;
}

static cvy_status list_runs(const char *folder, struct cvy_run_list *out) {
    char own[CVY_PATH_MAX];
    struct dirent **names = NULL;
    if (!cvy_folder_exists(folder) || cvy_run_checkpoints(folder, own)) return CVY_OK;
    const int count = list_names(folder, &names);
    cvy_status status = count ? CVY_ARRAY(&out->items, count) : CVY_OK;
    for (; status == CVY_OK && out->count < count; out->count++)
        status = fill_entry(folder, names[out->count]->d_name, out->items[out->count]);
    free_names(names, count);
    if (status != CVY_OK) cvy_run_list_destroy(out);
    return status;
}

cvy_status cvy_run_list_read(const char *folder, struct cvy_run_list *out) {
    CVY_INSIDE();
    struct cvy_run_list own;
    CVY_TRY(CVY_BEGIN(cvy_run_list, out, &own));
    return cvy_sized_give(list_runs(folder, &own), &own, out);
}

void cvy_run_list_destroy(struct cvy_run_list *list) {
    struct cvy_run_list own;
    CVY_TAKE(list, &own);
    cvy_free(own.items);
}

cvy_status cvy_run_refuse(const char *folder) {
    char example[CVY_PATH_MAX];
    struct dirent **names = NULL;
    const int count = list_names(folder, &names);
    const bool found = count > 0 && cvy_path_join(folder, names[0]->d_name, example) == CVY_OK;
    free_names(names, count);
    if (found)
        return CVY_FAIL(CVY_ERR_CHECKPOINT, "%s: is a folder of %d %s; name one, such as %s", folder, count,
                        cvy_plural(count, "run", "runs"), example);
    return CVY_FAIL(CVY_ERR_CHECKPOINT,
                    "%s: is a folder, but no run: it has no checkpoints/; name a run folder or a checkpoint", folder);
}
