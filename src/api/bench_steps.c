/* Steps of one process, and how long they and their parts take. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/ints.h"
#include "api/bench.h"

enum { TURNS = 5, FEWEST_TURNS = 2 };

#define RATE 0 /* the weights stay, so every step is the same work */

static cvy_status infer(struct bench *b) {
    const struct cvy_net_batch batch = {.x = b->batch.x,
                                        .y = b->batch.y,
                                        .target = cvy_graph_target(b->graph),
                                        .ids = b->batch.ids,
                                        .leaves = b->leaves,
                                        .sizes = b->sizes,
                                        .samples = b->batch.count};
    return cvy_net_run(b->net, &batch, NULL, b->losses);
}

/* What an op's own time has to be rid of, and updates are a row of their own. */
static void take_inside(struct bench *b) {
    b->update.now += b->updating;
    b->phase.update += b->updating;
    b->inside = b->updating = 0;
}

static void watch_step(void *arg, enum cvy_step_part part, bool ends) {
    struct bench *b = arg;
    if (!ends) {
        b->part_start = cvy_clock();
        cvy_rounds_move(&b->trace.rounds, &b->rounds_before);
        return;
    }
    const double seconds = cvy_clock() - b->part_start;
    b->inside += seconds;
    if (part == CVY_STEP_UPDATE) {
        b->updating += seconds;
        cvy_rounds_move(&b->trace.rounds, &b->update.rounds_now);
    }
    cvy_rounds_move(&b->rounds_before, &b->trace.rounds);
}

cvy_status bench_run_step(struct bench *b) {
    struct cvy_step_report report;
    if (b->inference) return infer(b);
    CVY_TRY(cvy_trainer_step(&b->engine, &b->batch, RATE, &report));
    b->nonfinite |= report.nonfinite;
    take_inside(b);
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
    double rest = seconds -= b->inside;
    take_inside(b);
    *(backward ? &b->phase.backward : &b->phase.forward) += seconds;
    for (int p = 0; p < CVY_PASS_COUNT; p++) {
        const struct cvy_pass_trace *t = &b->trace.pass[p];
        if (t->algorithm) times[p].algorithm = t->algorithm;
        times[p].now += t->seconds;
        cvy_rounds_move(&b->trace.pass[p].rounds, &times[p].rounds_now);
        rest -= t->seconds;
    }
    struct bench_time *others = &times[backward ? main_pass(&b->trace) : CVY_PASS_FORWARD];
    others->now += rest;
    cvy_rounds_move(&b->trace.rounds, &others->rounds_now);
    memset(&b->trace, 0, sizeof b->trace);
}

static void end_time(struct bench_time *t, bool first) {
    if (first || t->now < t->least) {
        t->least = t->now;
        t->rounds = t->rounds_now;
    }
    t->now = 0;
    t->rounds_now = (struct cvy_rounds){0};
}

/* A round's tasks are taken for equal, and for alike on more threads: with P of them a round of n tasks lasts as long
 * as ⌈n/P⌉ tasks. */
static void add_round(void *arg, int tasks, double seconds) {
    struct bench *b = arg;
    const int threads = b->ctx->compute->threads, planned = b->planned ? b->planned : threads;
    struct cvy_rounds round = {seconds, seconds, seconds, tasks};
    if (tasks > 0)
        round.planned = seconds * (double)cvy_ceil_div(tasks, planned) / (double)cvy_ceil_div(tasks, threads);
    cvy_rounds_move(&round, &b->trace.rounds);
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
    const struct cvy_pool_watcher watcher = {add_round, b};
    b->update.now = 0;
    cvy_net_set_timer(b->net, add_time, b);
    cvy_engine_watch(&b->engine, watch_step, b);
    b->ctx->compute->trace = &b->trace;
    cvy_pool_watch(b->ctx->compute->pool, &watcher);
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
    cvy_engine_watch(&b->engine, NULL, NULL);
    b->ctx->compute->trace = NULL;
    cvy_pool_watch(b->ctx->compute->pool, NULL);
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
    out->samples_per_s = b->batch.count / step;
    out->forward_ms = 1e3 * median->forward;
    out->backward_ms = 1e3 * median->backward;
    out->update_ms = 1e3 * median->update;
    out->other_ms = 1e3 * (median->whole - median->forward - median->backward - median->update);
    return CVY_OK;
}
