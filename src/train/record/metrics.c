#define _GNU_SOURCE
#include "train/record/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/memory.h"
#include "io/file.h"

#define METRICS_LIMIT ((size_t)1 << 32)

struct cvy_metrics {
    int fd; /* −1: closed */
    char path[CVY_PATH_MAX];
    struct cvy_buf line;    /* being made */
    struct cvy_buf waiting; /* not written yet */
    struct cvy_buf tail;    /* the last lines, written or not */
    int64_t lost;
};

/* ---- What is kept of a file ---- */

/* The "step" of a line, or −1. */
static int64_t line_step(const char *line, size_t length) {
    static const char key[] = "\"step\":";
    for (size_t i = 0; i + sizeof key <= length; i++)
        if (memcmp(line + i, key, sizeof key - 1) == 0) return strtoll(line + i + sizeof key - 1, NULL, 10);
    return -1;
}

static void keep_lines(const char *text, int64_t last_step, struct cvy_buf *out) {
    for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        size_t length = (size_t)(end - line) + 1;
        if (line_step(line, length) <= last_step) cvy_buf_write(out, line, length);
    }
}

/* Shorter than what is there: it takes no room that is not there already. */
static cvy_status overwrite(const char *path, const struct cvy_buf *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && pwrite(fd, cvy_buf_text(text), text->size, 0) == (ssize_t)text->size &&
                ftruncate(fd, (off_t)text->size) == 0;
    int why = errno;
    if (fd >= 0) close(fd);
    CVY_CHECK(good, CVY_ERR_USAGE, "%s: cannot be written: %s", path, strerror(why));
    return CVY_OK;
}

static cvy_status rewrite(const char *path, const char *before, int64_t last_step, struct cvy_buf *kept) {
    struct cvy_buf old = {0};
    cvy_status status = CVY_OK;
    const bool there = cvy_file_exists(path);
    if (there)
        status = cvy_file_read(path, METRICS_LIMIT, &old);
    else if (before)
        cvy_buf_printf(&old, "%s", before);
    if (last_step >= 0) keep_lines(cvy_buf_text(&old), last_step, kept);
    if (status == CVY_OK && !(there && kept->size == old.size)) {
        status = cvy_file_replace(path, &(struct cvy_bytes){cvy_buf_text(kept), kept->size}, 1);
        if (status != CVY_OK && there) status = overwrite(path, kept);
    }
    cvy_buf_destroy(&old);
    return status;
}

/* ---- The last lines ---- */

/* Where the last whole lines of at most CVY_METRICS_TAIL bytes begin. */
static const char *tail_of(const struct cvy_buf *text) {
    const char *all = cvy_buf_text(text);
    if (text->size <= CVY_METRICS_TAIL) return all;
    const char *from = all + text->size - CVY_METRICS_TAIL, *line = memchr(from - 1, '\n', CVY_METRICS_TAIL);
    return line ? line + 1 : all + text->size;
}

static void drop_front(struct cvy_buf *buf, size_t bytes) {
    if (bytes == 0) return;
    buf->size -= bytes;
    memmove(buf->data, buf->data + bytes, buf->size + 1); /* with the NUL */
}

/* Cut now and then rather than at every line. */
static void remember(struct cvy_metrics *m, const char *text, size_t size) {
    cvy_buf_write(&m->tail, text, size);
    if (m->tail.size > 2 * CVY_METRICS_TAIL) drop_front(&m->tail, (size_t)(tail_of(&m->tail) - m->tail.data));
}

const char *cvy_metrics_tail(const struct cvy_metrics *metrics) {
    return tail_of(&metrics->tail);
}

/* ---- Its life ---- */

cvy_status cvy_metrics_open(const char *path, const char *before, int64_t last_step, struct cvy_metrics **out) {
    struct cvy_buf kept = {0};
    cvy_status status = rewrite(path, before, last_step, &kept);
    int fd = status == CVY_OK ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    if (status == CVY_OK && fd < 0)
        status = CVY_FAIL(CVY_ERR_USAGE, "%s: cannot be written: %s", path, strerror(errno));
    if (status == CVY_OK) status = CVY_NEW(out, 1, general);
    if (status == CVY_OK) {
        const char *tail = tail_of(&kept);
        (*out)->fd = fd;
        snprintf((*out)->path, sizeof(*out)->path, "%s", path);
        remember(*out, tail, strlen(tail));
    } else if (fd >= 0) {
        close(fd);
    }
    cvy_buf_destroy(&kept);
    return status;
}

void cvy_metrics_rest(struct cvy_metrics *metrics) {
    if (metrics->fd >= 0) close(metrics->fd);
    metrics->fd = -1;
}

void cvy_metrics_close(struct cvy_metrics **metrics) {
    if (*metrics == NULL) return;
    cvy_metrics_rest(*metrics);
    cvy_buf_destroy(&(*metrics)->line);
    cvy_buf_destroy(&(*metrics)->waiting);
    cvy_buf_destroy(&(*metrics)->tail);
    CVY_DELETE(metrics);
}

int64_t cvy_metrics_lost(const struct cvy_metrics *metrics) {
    return metrics->lost;
}

/* ---- Writing ---- */

/* The file that is open, or that of this name. A new one, where ours was deleted or moved away, begins with the last
 * lines. */
static bool open_again(struct cvy_metrics *m) {
    struct stat s;
    if (m->fd >= 0 && cvy_file_is(m->fd, m->path)) return true;
    cvy_metrics_rest(m);
    m->fd = open(m->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (m->fd < 0) return false;
    if (fstat(m->fd, &s) == 0 && s.st_size == 0 && m->waiting.size < m->tail.size) {
        const char *tail = cvy_metrics_tail(m);
        cvy_buf_clear(&m->waiting);
        cvy_buf_write(&m->waiting, tail, strlen(tail));
    }
    return true;
}

cvy_status cvy_metrics_flush(struct cvy_metrics *m) {
    bool good = m->waiting.size == 0 || open_again(m);
    size_t done = 0;
    while (good && done < m->waiting.size) {
        ssize_t put = write(m->fd, m->waiting.data + done, m->waiting.size - done);
        if (put < 0 && errno == EINTR) continue;
        good = put > 0;
        if (good) done += (size_t)put;
    }
    int why = errno;
    drop_front(&m->waiting, done);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "%s: cannot be written: %s", m->path, strerror(why));
    return CVY_OK;
}

struct cvy_buf *cvy_metrics_begin(struct cvy_metrics *metrics, const char *kind, int64_t step) {
    cvy_buf_clear(&metrics->line);
    cvy_json_open(&metrics->line, NULL, '{');
    cvy_json_text(&metrics->line, "kind", kind);
    if (step >= 0) cvy_json_int(&metrics->line, "step", step);
    return &metrics->line;
}

cvy_status cvy_metrics_end(struct cvy_metrics *metrics) {
    cvy_json_close(&metrics->line, '}');
    cvy_buf_write(&metrics->line, "\n", 1);
    CVY_CHECK(!metrics->line.failed, CVY_ERR_INTERNAL, "no memory for a line of %s", metrics->path);
    remember(metrics, metrics->line.data, metrics->line.size);
    if (metrics->waiting.size + metrics->line.size <= CVY_METRICS_WAITING)
        cvy_buf_write(&metrics->waiting, metrics->line.data, metrics->line.size);
    else
        metrics->lost++;
    return cvy_metrics_flush(metrics);
}
