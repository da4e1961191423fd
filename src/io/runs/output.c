#define _GNU_SOURCE
#include "io/runs/output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/ckpt/ckpt.h"
#include "io/file.h"
#include "io/hdf5/h5_files.h"
#include "io/runs/run_folder.h"

/* Where a file lies, by its folder's real name; false where there is no such folder. */
static bool real_folder(const char *path, char out[CVY_PATH_MAX]) {
    char folder[CVY_PATH_MAX];
    return cvy_path_folder(path, folder) == CVY_OK && realpath(folder, out) != NULL;
}

static bool lies_in(const char *path, const char *folder) {
    char of_path[CVY_PATH_MAX], of_folder[CVY_PATH_MAX];
    return real_folder(path, of_path) && realpath(folder, of_folder) && strcmp(of_path, of_folder) == 0;
}

/* ---- Inputs ---- */

static cvy_status check_input(const struct cvy_output *o, const char *input) {
    struct stat s;
    const bool there = stat(o->path, &s) == 0;
    if (there && cvy_folder_exists(input))
        CVY_CHECK(!lies_in(o->path, input), CVY_ERR_USAGE,
                  "%s: lies in the folder %s, which is read; name another file", o->path, input);
    else if (there)
        CVY_CHECK(!cvy_h5_reads(input, o->path), CVY_ERR_USAGE,
                  "%s: is read here (%s): it cannot be written, too; name another file", o->path, input);
    CVY_CHECK(o->folder == NULL || !lies_in(input, o->folder), CVY_ERR_USAGE,
              "%s: is read here: its folder would be replaced along with %s; name another file", input, o->path);
    return CVY_OK;
}

/* ---- Runs ---- */

static bool is_run(const char *folder) {
    return cvy_run_file_exists(folder, CVY_RUN_EXPERIMENT) && cvy_run_file_exists(folder, CVY_RUN_CHECKPOINTS);
}

/* `path` lies in `folder`, a real name. */
static cvy_status check_place(const struct cvy_output *o, const char *folder, const char *name) {
    char above[CVY_PATH_MAX];
    const bool named = strcmp(cvy_path_name(folder), cvy_run_file_name(CVY_RUN_CHECKPOINTS)) == 0;
    const bool in_run = named && cvy_path_folder(folder, above) == CVY_OK && is_run(above);
    CVY_CHECK(!in_run && !(named && cvy_ckpt_any(folder)), CVY_ERR_USAGE,
              "%s: that folder is for a run's checkpoints alone; name a file elsewhere", o->path);
    CVY_CHECK(!is_run(folder) || !cvy_run_keeps(name), CVY_ERR_USAGE, "%s: is the run's own; name another file",
              o->path);
    return CVY_OK;
}

/* Where the name is, and where it leads to when it is a link. */
static cvy_status check_run(const struct cvy_output *o) {
    char folder[CVY_PATH_MAX], real[CVY_PATH_MAX];
    if (real_folder(o->path, folder)) CVY_TRY(check_place(o, folder, cvy_path_name(o->path)));
    if (realpath(o->path, real) && cvy_path_folder(real, folder) == CVY_OK)
        return check_place(o, folder, cvy_path_name(real));
    return CVY_OK;
}

/* ---- What is there ---- */

static cvy_status check_present(const struct cvy_output *o) {
    struct stat s, target;
    const bool there = lstat(o->path, &s) == 0, followed = stat(o->path, &target) == 0;
    CVY_CHECK(!followed || !S_ISDIR(target.st_mode), CVY_ERR_USAGE, "%s: is a folder; name a file to write", o->path);
    CVY_CHECK(!followed || S_ISREG(target.st_mode), CVY_ERR_USAGE, "%s: is no regular file; name another", o->path);
    CVY_CHECK(o->overwrite || (!there && !(o->folder && cvy_folder_exists(o->folder))), CVY_ERR_USAGE,
              "%s: there is such a %s already; name another, or overwrite it (--overwrite)", o->path, o->what);
    return CVY_OK;
}

cvy_status cvy_output_check(const struct cvy_output *o) {
    char folder[CVY_PATH_MAX];
    CVY_CHECK(cvy_path_name(o->path)[0], CVY_ERR_USAGE, "\"%s\" names no file; end it with a name", o->path);
    for (int i = 0; i < o->input_count; i++) CVY_TRY(check_input(o, o->inputs[i]));
    CVY_TRY(check_run(o));
    CVY_TRY(check_present(o));
    CVY_TRY(cvy_path_folder(o->path, folder));
    return cvy_file_probe_folder(folder);
}
