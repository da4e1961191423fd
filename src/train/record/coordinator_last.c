/* The last checkpoint cannot be written where it belongs, and the weights end with the process: they go somewhere else
 * first; then there is a while in which somebody may make room, or a signal end it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "io/file.h"
#include "train/record/coordinator_parts.h"

enum { PATIENCE = 60, TRY_EVERY = 2 }; /* s */

/* ---- Somewhere else ---- */

/* Where a user would look first, and what is there everywhere. NULL behind the last. */
static const char *refuge(int index, char here[CVY_PATH_MAX]) {
    switch (index) {
    case 0:
        return getcwd(here, CVY_PATH_MAX) ? here : "";
    case 1:
        return getenv("HOME");
    case 2:
        return getenv("TMPDIR");
    case 3:
        return "/tmp";
    default:
        return NULL;
    }
}

/* BASE/convoy-NAME-PID/step-00000012.h5 */
static cvy_status save_in(struct cvy_coordinator *c, const char *base, char path[CVY_PATH_MAX]) {
    char name[256], folder[CVY_PATH_MAX];
    snprintf(name, sizeof name, "convoy-%.200s-%ld", c->of.task->experiment->name, (long)getpid());
    CVY_TRY(cvy_path_join(base, name, folder));
    CVY_TRY(cvy_ckpt_name(folder, c->of.engine->state.step, path));
    CVY_TRY(cvy_folder_make(folder));
    cvy_status status = cvy_ckpt_image_write(c->image, path, NULL);
    if (status != CVY_OK) rmdir(folder);
    return status;
}

/* The data are not needed any more, and their handles may be all that there are. */
static void give_handles_back(struct cvy_coordinator *c) {
    for (int i = 0; i < CVY_SPLITS; i++) cvy_evaluation_destroy(&c->of.evaluations[i]);
    cvy_inputs_release(c->of.inputs);
}

/* path "": nowhere. */
static void save_elsewhere(struct cvy_coordinator *c, char path[CVY_PATH_MAX]) {
    char here[CVY_PATH_MAX];
    for (int i = 0; i < 4; i++) {
        const char *base = refuge(i, here);
        if (base && base[0] == '/' && save_in(c, base, path) == CVY_OK) return;
    }
    path[0] = '\0';
}

static void remove_copy(const char *path) {
    char folder[CVY_PATH_MAX];
    if (!path[0]) return;
    unlink(path);
    if (cvy_path_folder(path, folder) == CVY_OK) rmdir(folder);
}

/* ---- Patience ---- */

static bool nap(const struct cvy_coordinator *c, int stops) {
    const struct timespec tenth = {.tv_nsec = 100 * 1000 * 1000};
    double end = cvy_clock() + TRY_EVERY;
    while (cvy_clock() < end) {
        if (atomic_load(&c->of.task->ctx->stop) != stops) return false;
        nanosleep(&tenth, NULL);
    }
    return true;
}

/* True once it is written. A signal that comes from now on ends it. */
static bool wait_for_room(struct cvy_coordinator *c) {
    const int stops = atomic_load(&c->of.task->ctx->stop);
    const double end = cvy_clock() + PATIENCE;
    while (cvy_clock() < end && nap(c, stops)) {
        c->trouble.tries++;
        if (cvy_coordinator_write_now(c) == CVY_OK) return true;
    }
    return false;
}

/* As a shell takes it. */
static void write_way_back(const struct cvy_coordinator *c, const char *copy, struct cvy_buf *out) {
    cvy_buf_printf(out, " mkdir -p");
    cvy_buf_shell_word(out, c->folder);
    cvy_buf_printf(out, " && mv");
    cvy_buf_shell_word(out, copy);
    cvy_buf_shell_word(out, c->folder);
}

static cvy_status give_up(struct cvy_coordinator *c, const struct cvy_failure *why, const char *copy) {
    cvy_status status = why->status;
    struct cvy_buf back = {0};
    (void)cvy_metrics_flush(c->metrics); /* the copy has their last lines */
    if (copy[0]) {
        write_way_back(c, copy, &back);
        status = CVY_FAIL(
            status,
            "%s; step %lld is saved in %s on %s instead; to go on from it when that is mended:%s and start again with "
            "--resume",
            why->message, (long long)c->of.engine->state.step, copy, cvy_comm_host(c->of.task->ctx->comm, 0),
            cvy_buf_text(&back));
        cvy_buf_destroy(&back);
        return status;
    }
    return CVY_FAIL(status, "%s; step %lld could be saved nowhere else either (working folder, HOME, TMPDIR, /tmp)",
                    why->message, (long long)c->of.engine->state.step);
}

static cvy_status now_written(struct cvy_coordinator *c) {
    c->written_step = c->saving.step;
    cvy_coordinator_recovered(c, &c->trouble.checkpoints);
    return CVY_OK;
}

cvy_status cvy_coordinator_insist(struct cvy_coordinator *c, cvy_status status) {
    struct cvy_failure why;
    char copy[CVY_PATH_MAX];
    const bool no_handles = c->trouble.no_handles; /* a new trouble begins without */
    cvy_failure_take(&why, status);
    cvy_coordinator_in_trouble(c, &c->trouble.checkpoints);
    c->trouble.no_handles = no_handles;
    if (c->trouble.no_handles) give_handles_back(c);
    if (c->trouble.no_handles && cvy_coordinator_write_now(c) == CVY_OK) return now_written(c);
    save_elsewhere(c, copy);
    cvy_warn(c->of.task->ctx->log,
             "the last checkpoint, of step %lld, is not in its place: %s; %s%s; it is tried again for %d s, unless a "
             "signal ends that",
             (long long)c->of.engine->state.step, why.message, copy[0] ? "a copy is in " : "there is no copy elsewhere",
             copy, PATIENCE);
    if (!wait_for_room(c)) {
        if (!copy[0]) save_elsewhere(c, copy);
        return give_up(c, &why, copy);
    }
    remove_copy(copy);
    return now_written(c);
}
