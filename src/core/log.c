#define _GNU_SOURCE
#include "core/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/inside.h"
#include "core/memory.h"

struct cvy_log {
    cvy_log_level level; /* of what is heard; files get CVY_LOG_INFO at least */
    bool speaks;
    struct cvy_log_ears ears;
    FILE *files[CVY_LOG_FILES];
    struct cvy_buf early; /* what was said before the run's file was opened, and belongs into it */
    pthread_mutex_t mutex;
};

#define EARLY_BYTES 65536

static const char *const marks[] = {"error: ", "warning: ", "", "debug: "};

static void print(void *user, cvy_log_level level, const char *text) {
    (void)user;
    fprintf(stderr, "%s%s\n", marks[level], text);
}

cvy_status cvy_log_create(cvy_log_level level, bool speaks, struct cvy_log_ears ears, struct cvy_log **out) {
    CVY_TRY(CVY_NEW(out, 1, general));
    **out = (struct cvy_log){.level = level, .speaks = speaks, .ears = ears};
    if (ears.line == NULL) (*out)->ears.line = print;
    pthread_mutex_init(&(*out)->mutex, NULL);
    return CVY_OK;
}

void cvy_log_destroy(struct cvy_log **log) {
    if (*log == NULL) return;
    for (int i = 0; i < CVY_LOG_FILES; i++)
        if ((*log)->files[i]) fclose((*log)->files[i]);
    cvy_buf_destroy(&(*log)->early);
    pthread_mutex_destroy(&(*log)->mutex);
    CVY_DELETE(log);
}

cvy_status cvy_log_open_file(struct cvy_log *log, enum cvy_log_file which, const char *path) {
    FILE *file = fopen(path, "a");
    CVY_CHECK(file != NULL, CVY_ERR_USAGE, "%s: cannot write the log: %s; choose a folder that you may write to", path,
              strerror(errno));
    setvbuf(file, NULL, _IOLBF, 0);
    pthread_mutex_lock(&log->mutex);
    if (log->files[which]) fclose(log->files[which]);
    log->files[which] = file;
    if (which == CVY_LOG_OF_RUN) {
        fputs(cvy_buf_text(&log->early), file);
        cvy_buf_clear(&log->early);
    }
    pthread_mutex_unlock(&log->mutex);
    return CVY_OK;
}

/* To the files, and to what the run's file will begin with. The mutex is held. */
static void write_files(struct cvy_log *log, const char *mark, const char *text) {
    char stamp[32];
    cvy_clock_stamp(stamp);
    for (int i = 0; i < CVY_LOG_FILES; i++)
        if (log->files[i]) fprintf(log->files[i], "%s %s%s\n", stamp, mark, text);
    if (log->speaks && !log->files[CVY_LOG_OF_RUN] && log->early.size < EARLY_BYTES)
        cvy_buf_printf(&log->early, "%s %s%s\n", stamp, mark, text);
}

static void say(const struct cvy_log *log, cvy_log_level level, const char *text) {
    const struct cvy_outside theirs = cvy_outside_now();
    struct cvy_outside ours;
    cvy_go_outside(&theirs, &ours);
    log->ears.line(log->ears.user, level, text);
    cvy_leave(&ours);
}

enum { TEXT = 4096 };

/* Makes it one line, and puts it into the files. */
static void keep(struct cvy_log *log, const char *mark, const char *fmt, va_list args, char text[TEXT]) {
    vsnprintf(text, TEXT, fmt, args);
    cvy_one_line(text, TEXT);
    pthread_mutex_lock(&log->mutex);
    write_files(log, mark, text);
    pthread_mutex_unlock(&log->mutex);
}

void cvy_log_write(struct cvy_log *log, cvy_log_level level, const char *fmt, ...) {
    const bool loud = log && level <= log->level;
    if (!loud && (log == NULL || level > CVY_LOG_INFO)) return;
    char text[TEXT];
    va_list args;
    va_start(args, fmt);
    keep(log, marks[level], fmt, args, text);
    va_end(args);
    if (log->speaks && loud) say(log, level, text);
}

void cvy_log_note(struct cvy_log *log, const char *fmt, ...) {
    if (log == NULL) return;
    char text[TEXT];
    va_list args;
    va_start(args, fmt);
    keep(log, "", fmt, args, text);
    va_end(args);
}

bool cvy_log_progress(struct cvy_log *log, const char *what, int64_t done, int64_t total) {
    if (log == NULL || !log->speaks || log->ears.progress == NULL || log->level < CVY_LOG_INFO) return false;
    const struct cvy_outside theirs = cvy_outside_now();
    struct cvy_outside ours;
    cvy_go_outside(&theirs, &ours);
    const bool shown = log->ears.progress(log->ears.user, what, done, total);
    cvy_leave(&ours);
    return shown;
}

void cvy_log_samples(struct cvy_log_samples *s, int64_t done, int64_t total) {
    const double now = cvy_clock();
    if (now - s->told < 0.1) return;
    s->told = now;
    char what[128];
    snprintf(what, sizeof what, "%s: %lld of %lld samples", s->doing, (long long)done, (long long)total);
    cvy_log_progress(s->log, what, done, total);
}
