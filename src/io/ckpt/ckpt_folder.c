#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "io/ckpt/ckpt.h"

cvy_status cvy_ckpt_name(const char *folder, int64_t step, char out[CVY_PATH_MAX]) {
    char name[64];
    snprintf(name, sizeof name, "step-%08" PRId64 ".h5", step);
    return cvy_path_join(folder, name, out);
}

cvy_status cvy_ckpt_best(const char *folder, char out[CVY_PATH_MAX]) {
    return cvy_path_join(folder, "best.h5", out);
}

int64_t cvy_ckpt_step(const char *path) {
    const char *name = cvy_path_name(path);
    if (strncmp(name, "step-", 5) != 0) return -1;
    size_t digits = strspn(name + 5, "0123456789");
    if (digits < 8 || digits > 18 || (digits > 8 && name[5] == '0') || strcmp(name + 5 + digits, ".h5") != 0) return -1;
    return strtoll(name + 5, NULL, 10);
}

static cvy_status add_step(struct cvy_ckpt_list *list, int64_t step) {
    if ((list->count & (list->count - 1)) == 0) { /* room doubles at powers of two */
        int64_t *larger;
        CVY_TRY(CVY_NEW(&larger, list->count ? 2 * list->count : 1, checkpoint));
        if (list->count) memcpy(larger, list->steps, (size_t)list->count * sizeof *larger);
        cvy_free(list->steps);
        list->steps = larger;
    }
    list->steps[list->count++] = step;
    return CVY_OK;
}

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

cvy_status cvy_ckpt_list(const char *folder, struct cvy_ckpt_list *out) {
    *out = (struct cvy_ckpt_list){0};
    cvy_status status = CVY_OK;
    DIR *dir = opendir(folder);
    if (dir == NULL) return CVY_OK;
    for (const struct dirent *e; status == CVY_OK && (e = readdir(dir));)
        if (cvy_ckpt_step(e->d_name) >= 0) status = add_step(out, cvy_ckpt_step(e->d_name));
    closedir(dir);
    if (out->count) qsort(out->steps, (size_t)out->count, sizeof *out->steps, ascending);
    if (status != CVY_OK) cvy_ckpt_list_destroy(out);
    return status;
}

void cvy_ckpt_list_destroy(struct cvy_ckpt_list *list) {
    cvy_free(list->steps);
    *list = (struct cvy_ckpt_list){0};
}

bool cvy_ckpt_any(const char *folder) {
    struct cvy_ckpt_list list;
    if (cvy_ckpt_list(folder, &list) != CVY_OK) return false;
    const bool any = list.count > 0;
    cvy_ckpt_list_destroy(&list);
    return any;
}

/* Index of the newest good one, -1 for none. */
static int newest_good(const char *folder, const struct cvy_ckpt_list *list, cvy_ckpt_skip_fn *skip, void *arg) {
    char path[CVY_PATH_MAX];
    for (int i = list->count - 1; i >= 0; i--) {
        if (cvy_ckpt_name(folder, list->steps[i], path) != CVY_OK) continue;
        if (cvy_ckpt_verify(path) == CVY_OK) return i;
        if (skip) skip(arg, path, cvy_error_message());
    }
    return -1;
}

cvy_status cvy_ckpt_newest(const char *folder, cvy_ckpt_skip_fn *skip, void *arg, bool *found, char out[CVY_PATH_MAX]) {
    struct cvy_ckpt_list list;
    CVY_TRY(cvy_ckpt_list(folder, &list));
    int index = newest_good(folder, &list, skip, arg);
    *found = index >= 0;
    cvy_status status = *found ? cvy_ckpt_name(folder, list.steps[index], out) : CVY_OK;
    cvy_ckpt_list_destroy(&list);
    return status;
}

/* Whether the one at `index` has to stay: the newest good one, the sound one, and those of `every`. */
static bool must_stay(const struct cvy_ckpt_list *list, int index, int good, int64_t sound, int64_t every) {
    const int64_t step = list->steps[index];
    return index == good || step == sound || (every > 0 && step > 0 && step % every == 0);
}

cvy_status cvy_ckpt_prune(const char *folder, int keep, int64_t sound, int64_t every) {
    struct cvy_ckpt_list list;
    char path[CVY_PATH_MAX];
    cvy_folder_sweep(folder);
    CVY_TRY(cvy_ckpt_list(folder, &list));
    int good = list.count > keep ? newest_good(folder, &list, NULL, NULL) : -1;
    for (int i = 0; i < list.count - keep; i++)
        if (!must_stay(&list, i, good, sound, every) && cvy_ckpt_name(folder, list.steps[i], path) == CVY_OK)
            unlink(path);
    cvy_ckpt_list_destroy(&list);
    return CVY_OK;
}

/* ---- Saving ---- */

/* False where none is left that may go. */
static bool remove_oldest(const char *folder, int64_t sound, int64_t every) {
    struct cvy_ckpt_list list;
    char path[CVY_PATH_MAX];
    bool removed = false;
    if (cvy_ckpt_list(folder, &list) != CVY_OK) return false;
    int good = newest_good(folder, &list, NULL, NULL);
    for (int i = 0; i < list.count && !removed && good >= 0; i++)
        removed = !must_stay(&list, i, good, sound, every) && cvy_ckpt_name(folder, list.steps[i], path) == CVY_OK &&
                  unlink(path) == 0;
    cvy_ckpt_list_destroy(&list);
    return removed;
}

static bool is_full(int reason) {
    return reason == ENOSPC || reason == EDQUOT;
}

/* Where the disk is full, the oldest ones go until it fits. */
static cvy_status write_at(struct cvy_ckpt_image *image, const char *path, struct cvy_ckpt_saving *s) {
    for (;;) {
        errno = 0;
        cvy_status status = cvy_ckpt_image_write(image, path, &s->bytes);
        s->reason = status == CVY_OK ? 0 : errno;
        struct cvy_failure failure;
        cvy_failure_take(&failure, status); /* looking for the oldest may say something else */
        if (status == CVY_OK || !is_full(s->reason) || !remove_oldest(s->folder, s->sound, s->every))
            return cvy_failure_raise(&failure);
        s->removed++;
    }
}

/* The best goes first: once a numbered one says that it is there, it is. */
cvy_status cvy_ckpt_save(struct cvy_ckpt_image *image, struct cvy_ckpt_saving *s) {
    char path[CVY_PATH_MAX], best[CVY_PATH_MAX];
    CVY_TRY(cvy_ckpt_name(s->folder, s->step, path));
    CVY_TRY(cvy_ckpt_best(s->folder, best));
    CVY_TRY(cvy_folder_make(s->folder));
    const int others = s->as == CVY_CKPT_BEST || cvy_file_exists(path) ? s->keep : s->keep - 1;
    CVY_TRY(cvy_ckpt_prune(s->folder, others > 1 ? others : 1, s->sound, s->every));
    if (s->as != CVY_CKPT_NUMBERED) CVY_TRY(write_at(image, best, s));
    if (s->as == CVY_CKPT_BEST || (s->as == CVY_CKPT_BOTH && cvy_file_link(best, path))) return CVY_OK;
    return write_at(image, path, s);
}
