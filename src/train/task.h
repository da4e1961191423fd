/* The task: what is asked for, and what follows from that alone, before there are data. The same on every rank. */
#ifndef CVY_TRAIN_TASK_H
#define CVY_TRAIN_TASK_H

#include "convoy/run.h"
#include "experiment/experiment.h"
#include "io/ckpt/ckpt.h"
#include "optim/schedule.h"
#include "train/context.h"
#include "train/metric.h"

struct cvy_task {
    struct cvy_context *ctx;
    const struct cvy_train_options *options;
    int rank, ranks;
    int threads;    /* of every rank at least, once it is shared */
    double started; /* clock */
    struct cvy_experiment *experiment;
    struct cvy_graph *graph;
    struct cvy_schedule schedule;
    double lr_factor;           /* of lr_scaling */
    struct cvy_metric metric;   /* what the loss measures */
    bool best_more, early_more; /* of the figures that checkpoint.best and early_stopping name: more is better */
};

/* Rank 0 reads the experiment and checks it, all get it. Collective. */
cvy_status cvy_task_share(struct cvy_task *task);
/* The graph and the schedule of an experiment that is read. Not collective. */
cvy_status cvy_task_build(struct cvy_task *task);
/* Once the graph knows its targets: what scores are of, and whether the schedule can go by them. Not collective. */
cvy_status cvy_task_bind_target(struct cvy_task *task);
void cvy_task_destroy(struct cvy_task *task); /* fine where nothing was made */

/* Says what may not be meant: a leaf that was chosen, nothing to learn, traps of the network's end and the schedule. */
void cvy_task_say_doubts(const struct cvy_task *task);
/* The ISA level that the bits of this run follow from. */
const char *cvy_task_isa(const struct cvy_task *task);
/* Whether this rank wants to stop: a request, or (rank 0) the time limit. `task`: a struct cvy_task. */
bool cvy_task_stop_wanted(void *task);
/* Whether the time limit has come, and nobody asked for the stop; rank 0 alone knows. */
bool cvy_task_is_late(const struct cvy_task *task);

/* The checkpoint of init.from, when its network is this one but for init.except. Rank 0. */
cvy_status cvy_task_open_init(const struct cvy_task *task, struct cvy_ckpt **out);

#endif
