/* Steps of one process, and how long they and their parts take. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "kernels/elementwise.h"
#include "api/bench.h"

enum { TURNS = 5, FEWEST_TURNS = 2 };

/* ---- One process: a single leaf's gradient is released at once, several are summed one after the other ---- */

static void update(struct bench *b, const float *gradient, size_t first, size_t end) {
    double start = cvy_clock();
    cvy_optimizer_update(&b->optimizer, b->ctx->compute, cvy_net_values(b->net), gradient, first, end, 0.001,
                         1.0 / b->batch, b->step + 1);
    b->updating += cvy_clock() - start;
}

/* Updates are no part of the backward within which they ran. */
static void take_update(struct bench *b) {
    b->update.now += b->updating;
    b->phase.update += b->updating;
    b->updating = 0;
}

static float *hook_place(void *arg, size_t first, size_t count) {
    struct bench *b = arg;
    bool released = b->leaves == 1 && first >= b->graph->buffers.stored;
    return released ? cvy_release_place(&b->release, first, count) : b->gradient + first;
}
static cvy_status hook_ready(void *arg, size_t first, size_t count) {
    struct bench *b = arg;
    const size_t statistics = b->graph->buffers.stored;
    if (b->leaves == 1 && first >= statistics)
        update(b, cvy_release_take(&b->release, first), first - statistics, first - statistics + count);
    return CVY_OK;
}
static cvy_status hook_leaf_done(void *arg) {
    struct bench *b = arg;
    if (b->leaves > 1) cvy_vec_add(b->ctx->compute, b->sum, b->gradient, (int64_t)cvy_layout_leaf(b->graph));
    return CVY_OK;
}
static cvy_status hook_rewind(void *arg) {
    (void)arg;
    return CVY_OK;
}
static cvy_status hook_reduce(void *arg, const double *per_leaf, size_t len, double *sum) {
    const struct bench *b = arg;
    memcpy(sum, per_leaf, len * sizeof *sum);
    for (int l = 1; l < b->leaves; l++)
        for (size_t i = 0; i < len; i++) sum[i] += per_leaf[(size_t)l * len + i];
    return CVY_OK;
}

/* Forward, and in training backward and update, of every leaf. */
cvy_status bench_run_step(struct bench *b) {
    const struct cvy_net_hooks hooks = {b, hook_place, hook_ready, hook_leaf_done, hook_rewind, hook_reduce, NULL};
    const struct cvy_net_batch batch = {.x = b->x,
                                        .y = b->y,
                                        .target = b->target,
                                        .ids = b->ids,
                                        .leaves = b->leaves,
                                        .sizes = b->sizes,
                                        .samples = b->batch,
                                        .step = b->step};
    size_t stored = b->graph->params.stored, statistics = b->graph->buffers.stored;
    if (b->sum) cvy_vec_zero(b->ctx->compute, b->sum, (int64_t)(statistics + stored));
    if (b->inference) return cvy_net_run(b->net, &batch, NULL, b->losses);
    CVY_TRY(cvy_net_run(b->net, &batch, &hooks, b->losses));
    if (b->leaves > 1) update(b, b->sum + statistics, 0, stored);
    take_update(b);
    cvy_net_update_buffers(b->net, b->leaves > 1 ? b->sum : b->gradient, b->batch);
    b->step++;
    return CVY_OK;
}

/* ---- Timing ---- */

/* What of an op's backward no pass told of goes to the one that did most of the work. */
static int main_pass(const struct cvy_trace *trace) {
    static const int order[] = {CVY_PASS_WEIGHTS, CVY_PASS_DATA, CVY_PASS_COPIES};
    for (int i = 0; i < 3; i++)
        if (trace->pass[order[i]].seconds > 0) return order[i];
    return BENCH_BACKWARD;
}

static void add_time(void *arg, int node, const char *pass, double seconds) {
    struct bench *b = arg;
    struct bench_time *times = b->times[node];
    const bool backward = pass[0] == 'b';
    double rest = seconds -= b->updating;
    take_update(b);
    *(backward ? &b->phase.backward : &b->phase.forward) += seconds;
    for (int p = 0; p < CVY_PASS_COUNT; p++) {
        const struct cvy_pass_trace *t = &b->trace.pass[p];
        if (t->algorithm) times[p].algorithm = t->algorithm;
        times[p].now += t->seconds;
        rest -= t->seconds;
    }
    times[backward ? main_pass(&b->trace) : CVY_PASS_FORWARD].now += rest;
    memset(&b->trace, 0, sizeof b->trace);
}

static void end_time(struct bench_time *t, bool first) {
    if (first || t->now < t->least) t->least = t->now;
    t->now = 0;
}

static cvy_status run_plain(struct bench *b, double seconds) {
    const double end = cvy_clock() + seconds;
    for (int i = 0; b->steps < BENCH_MOST_STEPS && (i == 0 || cvy_clock() < end); i++) {
        double start = cvy_clock();
        CVY_TRY(bench_run_step(b));
        b->step_seconds[b->steps++] = cvy_clock() - start;
    }
    return CVY_OK;
}

static cvy_status run_timed(struct bench *b, double seconds) {
    const double end = cvy_clock() + seconds;
    b->update.now = 0;
    cvy_net_set_timer(b->net, add_time, b);
    b->ctx->compute->trace = &b->trace;
    cvy_status status = CVY_OK;
    for (int i = 0; status == CVY_OK && b->timed < BENCH_MOST_STEPS && (i == 0 || cvy_clock() < end); i++) {
        b->phase = (struct bench_phases){0};
        double start = cvy_clock();
        status = bench_run_step(b);
        b->phase.whole = cvy_clock() - start;
        for (int n = 0; n < b->graph->node_count; n++)
            for (int p = 0; p < BENCH_PASSES; p++) end_time(&b->times[n][p], b->timed == 0);
        end_time(&b->update, b->timed == 0);
        b->phases[b->timed++] = b->phase;
    }
    cvy_net_set_timer(b->net, NULL, NULL);
    b->ctx->compute->trace = NULL;
    return status;
}

/* Of doubles, and of phases by their first member. */
static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

cvy_status bench_measure(struct bench *b, double seconds, struct cvy_bench_result *out) {
    const double enough = cvy_clock() + 2 * seconds;
    for (int turn = 0; turn < TURNS && (turn < FEWEST_TURNS || cvy_clock() < enough); turn++) {
        cvy_peaks_probe(&b->peaks);
        CVY_TRY(run_plain(b, seconds / TURNS));
        CVY_TRY(run_timed(b, seconds / TURNS / 2));
    }
    cvy_peaks_probe(&b->peaks);
    qsort(b->step_seconds, (size_t)b->steps, sizeof *b->step_seconds, ascending);
    qsort(b->phases, (size_t)b->timed, sizeof *b->phases, ascending);
    const struct bench_phases *median = &b->phases[(b->timed - 1) / 2];
    const double step = b->step_seconds[(b->steps - 1) / 2];
    out->ms = 1e3 * step;
    out->samples_per_s = b->batch / step;
    out->forward_ms = 1e3 * median->forward;
    out->backward_ms = 1e3 * median->backward;
    out->update_ms = 1e3 * median->update;
    out->other_ms = 1e3 * (median->whole - median->forward - median->backward - median->update);
    return CVY_OK;
}
