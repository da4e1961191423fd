/* Private to the benchmark: bench.c makes everything and tells the story, bench_steps.c times steps,
 * bench_rows.c makes rows of the times. */
#ifndef CVY_API_BENCH_H
#define CVY_API_BENCH_H

#include "convoy/model.h"
#include "kernels/trace.h"
#include "train/context.h"
#include "experiment/experiment.h"
#include "api/peaks.h"
#include "train/trainer.h"

#define BENCH_MOST_STEPS 4096 /* that are timed as a whole, and again with timers */

/* The passes that kernels tell of, and the backward of layers without weights. */
enum { BENCH_BACKWARD = CVY_PASS_COUNT, BENCH_PASSES };

struct bench_time {
    double now, least;                    /* seconds of the current step; of all steps, which noise does not touch */
    struct cvy_rounds rounds_now, rounds; /* of these steps */
    const char *algorithm;
};

struct bench_phases {
    double whole, forward, backward, update; /* seconds of a step */
};

struct bench {
    struct cvy_context *ctx;
    struct cvy_experiment *experiment;
    struct cvy_graph *graph;
    struct cvy_peaks peaks;
    bool inference;
    int leaf, leaves;
    int planned; /* threads that are planned for; 0: none */

    struct cvy_batch batch; /* random inputs and targets, of either type; every step's */
    struct cvy_comm *alone;
    struct cvy_engine engine; /* in training */
    struct cvy_net *net;      /* the engine's; in inference its own */
    int *sizes;               /* [leaves] in inference, likewise: */
    struct cvy_loss_result *losses;
    bool nonfinite; /* the loss of some step was */

    struct cvy_trace trace;
    double inside, updating;                  /* seconds of the step within the current op's backward: all, updates */
    double part_start;                        /* of the part of the step that is running */
    struct cvy_rounds rounds_before;          /* of the op, before that part began */
    struct bench_time (*times)[BENCH_PASSES]; /* [nodes] */
    struct bench_time update;
    struct bench_phases phase; /* of the current step */
    int steps, timed;          /* how many there are of: */
    double *step_seconds;      /* [BENCH_MOST_STEPS] */
    struct bench_phases *phases;
};

/* The trainer's own step (train/trainer.h); in inference, forward of every leaf. */
cvy_status bench_run_step(struct bench *b);
/* Whole steps without timers for `seconds`, and half as long with them; probes of the machine's peaks in between. */
cvy_status bench_measure(struct bench *b, double seconds, struct cvy_bench_result *out);
/* The machine's peaks, and a row for each pass of each layer that took time. */
void bench_fill_machine(const struct bench *b, struct cvy_bench_result *out);
cvy_status bench_fill_rows(const struct bench *b, struct cvy_bench_result *out);

#endif
