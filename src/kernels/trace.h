/* What the kernels tell a benchmark of themselves: which loops ran, and how long each pass of a layer took (an op's
 * backward is several). Nobody listens in ordinary runs: one test of a pointer for a call. */
#ifndef CVY_KERNELS_TRACE_H
#define CVY_KERNELS_TRACE_H

#include "core/clock.h"
#include "kernels/compute.h"

enum cvy_pass { CVY_PASS_FORWARD, CVY_PASS_DATA, CVY_PASS_WEIGHTS, CVY_PASS_COPIES, CVY_PASS_COUNT };

/* Of rounds of parallel tasks, added up by whoever watches the pool (cvy_pool_watch). */
struct cvy_rounds {
    double seconds, planned; /* as they were; with as many threads as are planned for */
    double longest;          /* seconds of the longest round, and its tasks */
    int tasks;
};

/* Filled until the listener clears it. */
struct cvy_trace {
    const char *running;      /* the loops that ran last; static */
    struct cvy_rounds rounds; /* since the last pass that ended */
    struct cvy_pass_trace {
        double seconds;
        const char *algorithm;
        struct cvy_rounds rounds;
    } pass[CVY_PASS_COUNT];
};

/* `rounds` go to `to`, and there are none any more. */
static inline void cvy_rounds_move(struct cvy_rounds *rounds, struct cvy_rounds *to) {
    to->seconds += rounds->seconds;
    to->planned += rounds->planned;
    if (rounds->longest > to->longest) to->longest = rounds->longest, to->tasks = rounds->tasks;
    *rounds = (struct cvy_rounds){0};
}

/* For the place where the choice is made: these loops run now. */
static inline void cvy_trace_algorithm(const struct cvy_compute *compute, const char *name) {
    if (compute->trace) compute->trace->running = name;
}

static inline double cvy_trace_start(const struct cvy_compute *compute) {
    return compute->trace ? cvy_clock() : 0;
}
static inline void cvy_trace_end(const struct cvy_compute *compute, enum cvy_pass pass, double start) {
    if (compute->trace == NULL) return;
    struct cvy_pass_trace *p = &compute->trace->pass[pass];
    p->seconds += cvy_clock() - start;
    p->algorithm = compute->trace->running;
    cvy_rounds_move(&compute->trace->rounds, &p->rounds);
}

#endif
