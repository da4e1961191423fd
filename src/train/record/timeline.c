/* A step's events end when the step did, by rank 0's clock: all ranks leave it together, when the sums are there.
 *
 *     rank 0  │ data │ compute        │ comm │ update │
 *     rank 1    │ data │ compute            │ c │ upd.│     pid: the rank; ts, dur: µs since the first step
 */
#define _GNU_SOURCE
#include "train/record/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "comm/tree.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/memory.h"

static const char *const names[CVY_SPENT] = {[CVY_SPENT_DATA] = "data wait",
                                             [CVY_SPENT_COMPUTE] = "compute",
                                             [CVY_SPENT_COMM] = "exposed communication",
                                             [CVY_SPENT_UPDATE] = "update"};

/* ---- The file ---- */

static void write_all(struct cvy_timeline *t, const struct cvy_buf *text) {
    const char *at = cvy_buf_text(text);
    for (size_t left = text->size; left > 0 && t->file >= 0;) {
        const ssize_t done = write(t->file, at, left);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
            cvy_warn(t->log, "%s: cannot be written: %s; no more is traced", t->path, strerror(errno));
            close(t->file);
            t->file = -1;
            return;
        }
        at += done;
        left -= (size_t)done;
    }
}

static void begin_event(struct cvy_timeline *t, struct cvy_buf *out, const char *name, const char *phase, int rank) {
    cvy_buf_printf(out, t->written ? ",\n" : "[\n");
    t->written = true;
    struct cvy_buf event = {0};
    cvy_json_open(&event, NULL, '{');
    cvy_json_text(&event, "name", name);
    cvy_json_text(&event, "ph", phase);
    cvy_json_int(&event, "pid", rank);
    cvy_json_int(&event, "tid", 0);
    cvy_buf_write(out, cvy_buf_text(&event), event.size);
    cvy_buf_destroy(&event);
}

static void add_name(struct cvy_timeline *t, struct cvy_buf *out, int rank) {
    char name[128];
    snprintf(name, sizeof name, "rank %d on %s", rank, cvy_comm_host(t->comm, rank));
    begin_event(t, out, "process_name", "M", rank);
    cvy_json_open(out, "args", '{');
    cvy_json_text(out, "name", name);
    cvy_json_close(out, '}');
    cvy_json_close(out, '}');
}

/* From the end of the step back. */
static void add_step(struct cvy_timeline *t, struct cvy_buf *out, int rank, const float spent[CVY_SPENT]) {
    double at = t->ended - t->start;
    for (int i = 0; i < CVY_SPENT; i++) at -= spent[i];
    for (int i = 0; i < CVY_SPENT; at += spent[i++]) {
        begin_event(t, out, names[i], "X", rank);
        cvy_json_real(out, "ts", 1e6 * at);
        cvy_json_real(out, "dur", 1e6 * spent[i]);
        cvy_json_open(out, "args", '{');
        cvy_json_int(out, "step", t->last);
        cvy_json_close(out, '}');
        cvy_json_close(out, '}');
    }
}

static void write_names(struct cvy_timeline *t) {
    struct cvy_buf out = {0};
    for (int r = 0; r < cvy_comm_size(t->comm); r++) add_name(t, &out, r);
    write_all(t, &out);
    cvy_buf_destroy(&out);
}

static void write_step(struct cvy_timeline *t, const float (*spent)[CVY_SPENT]) {
    struct cvy_buf out = {0};
    for (int r = 0; r < cvy_comm_size(t->comm); r++) add_step(t, &out, r, spent[r]);
    write_all(t, &out);
    cvy_buf_destroy(&out);
}

/* ---- Its life ---- */

cvy_status cvy_timeline_open(struct cvy_timeline *t, struct cvy_log *log, const struct cvy_comm *comm,
                             const char *path) {
    const int ranks = cvy_comm_size(comm);
    *t = (struct cvy_timeline){.log = log, .comm = comm, .file = -1, .path = path, .last = -1, .start = cvy_clock()};
    CVY_TRY(cvy_straggler_create(ranks, &t->straggler));
    CVY_TRY(CVY_NEW(&t->compute, ranks, general));
    CVY_TRY(CVY_NEW(&t->window, ranks, general));
    if (path == NULL) return CVY_OK;
    t->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    CVY_CHECK(t->file >= 0, CVY_ERR_USAGE, "%s: the trace cannot be written: %s", path, strerror(errno));
    write_names(t);
    return CVY_OK;
}

void cvy_timeline_close(struct cvy_timeline *t) {
    if (t->compute == NULL) return;
    struct cvy_buf end = {0};
    cvy_buf_printf(&end, "\n]\n");
    write_all(t, &end);
    cvy_buf_destroy(&end);
    if (t->file >= 0) close(t->file);
    cvy_straggler_destroy(&t->straggler);
    cvy_free(t->compute);
    cvy_free(t->window);
    *t = (struct cvy_timeline){.file = -1};
}

/* ---- A step ---- */

/* Ranks hold different numbers of leaves, which is no fault of theirs. */
static void look_for_straggler(struct cvy_timeline *t, const float (*spent)[CVY_SPENT], int leaves) {
    const int ranks = t->straggler.ranks;
    for (int r = 0; r < ranks; r++) {
        const struct cvy_leaf_range share = cvy_tree_share(leaves, r, ranks);
        const int own = share.end - share.first;
        t->compute[r] = own > 0 ? (double)spent[r][CVY_SPENT_COMPUTE] / own : 0;
    }
    if (!cvy_straggler_step(&t->straggler, t->compute)) return;
    const struct cvy_straggler *s = &t->straggler;
    const char *host = cvy_comm_host(t->comm, s->rank);
    cvy_warn(t->log,
             "rank %d on %s is slow, and the others wait for it: %.3g ms for a leaf, the median rank %.3g ms; look on "
             "%s for other processes, fewer processors, a lower clock",
             s->rank, host, 1e3 * s->slow, 1e3 * s->usual, host);
}

void cvy_timeline_step(struct cvy_timeline *t, const struct cvy_exchange *x, int64_t step) {
    const float(*spent)[CVY_SPENT] = cvy_exchange_spent(x);
    if (t->last >= 0) {
        if (t->file >= 0) write_step(t, spent);
        for (int r = 0; r < t->straggler.ranks; r++)
            for (int i = 0; i < CVY_SPENT; i++) t->window[r][i] += spent[r][i];
        if (t->straggler.ranks > 1) look_for_straggler(t, spent, cvy_exchange_leaves(x));
    }
    t->last = step;
    t->ended = cvy_clock();
}

void cvy_timeline_begin_window(struct cvy_timeline *t) {
    memset(t->window, 0, (size_t)t->straggler.ranks * sizeof *t->window);
}
