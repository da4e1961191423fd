#include "train/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/file.h"

#define METRICS_LIMIT ((size_t)1 << 32)

struct cvy_metrics {
    FILE *file;
    char path[CVY_PATH_MAX];
    struct cvy_buf line;
};

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

static cvy_status rewrite(const char *path, const char *before, int64_t last_step) {
    struct cvy_buf old = {0}, kept = {0};
    cvy_status status = CVY_OK;
    if (cvy_file_exists(path))
        status = cvy_file_read(path, METRICS_LIMIT, &old);
    else if (before)
        cvy_buf_printf(&old, "%s", before);
    if (last_step >= 0) keep_lines(cvy_buf_text(&old), last_step, &kept);
    if (status == CVY_OK) status = cvy_file_replace(path, &(struct cvy_bytes){cvy_buf_text(&kept), kept.size}, 1);
    cvy_buf_destroy(&old);
    cvy_buf_destroy(&kept);
    return status;
}

cvy_status cvy_metrics_open(const char *path, const char *before, int64_t last_step, struct cvy_metrics **out) {
    CVY_TRY(rewrite(path, before, last_step));
    FILE *file = fopen(path, "a");
    CVY_CHECK(file != NULL, CVY_ERR_USAGE, "%s: cannot be written: %s", path, strerror(errno));
    cvy_status status = CVY_NEW(out, 1, general);
    if (status != CVY_OK) {
        fclose(file);
        return status;
    }
    (*out)->file = file;
    snprintf((*out)->path, sizeof(*out)->path, "%s", path);
    return CVY_OK;
}

void cvy_metrics_close(struct cvy_metrics **metrics) {
    if (*metrics == NULL) return;
    fclose((*metrics)->file);
    cvy_buf_destroy(&(*metrics)->line);
    CVY_DELETE(metrics);
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
    bool written = !metrics->line.failed &&
                   fwrite(metrics->line.data, 1, metrics->line.size, metrics->file) == metrics->line.size &&
                   fflush(metrics->file) == 0;
    CVY_CHECK(written, CVY_ERR_INTERNAL, "%s: cannot be written: %s; make room and resume", metrics->path,
              strerror(errno));
    return CVY_OK;
}

cvy_status cvy_metrics_copy(struct cvy_metrics *metrics, struct cvy_buf *out) {
    return cvy_file_read(metrics->path, METRICS_LIMIT, out);
}
