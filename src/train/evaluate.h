/* Evaluation: the data set in its own order, cut into the training's batches and leaves; each sample counts once. */
#ifndef CVY_TRAIN_EVALUATE_H
#define CVY_TRAIN_EVALUATE_H

#include "data/loader.h"
#include "graph/run/net.h"
#include "train/context.h"
#include "train/metric.h"
#include "train/suitable.h"

/* Called for each leaf of an evaluation with its samples, their outputs [n][h][w][c] and targets [n]. */
typedef void cvy_outputs_fn(void *arg, const int64_t *ids, const float *outputs, const void *targets, int n);

/* Made once, used as often as one likes: memory and the loader's thread are there from the start. */
struct cvy_evaluation {
    struct cvy_context *ctx;
    struct cvy_net *net; /* in evaluation mode */
    struct cvy_source *source;
    const char *name; /* of the data */
    const struct cvy_augment *normalize;
    struct cvy_epoch_plan plan;
    struct cvy_net *like;                 /* that the net follows; NULL: it has parameters and buffers of its own */
    const float *parameters, *statistics; /* the parameters and buffers to follow instead, or NULL */
    cvy_outputs_fn *each;                 /* or NULL */
    void *arg;
    bool (*stop)(void *arg); /* whether this rank wants to stop, from any thread; NULL where no `stopped` is given */
    void *stop_arg;

    struct cvy_suiting suiting; /* ours, as are the next */
    struct cvy_loader *loader;
    double *per_leaf; /* [leaves][values] */
};

/* Makes what the members above need; they stay the caller's. Not collective. */
cvy_status cvy_evaluation_create(struct cvy_evaluation *e);
void cvy_evaluation_destroy(struct cvy_evaluation *e); /* fine where nothing was created */
/* Bytes that _create takes; needs ctx, source and plan. */
size_t cvy_evaluation_bytes(const struct cvy_evaluation *e);

/* Every sample once, the ranks sharing each batch's leaves; the same sums on every number of ranks. *stopped, where not
 * NULL, says that some rank wanted to stop, or has bad data (cvy_loader_trouble says which), and the evaluation was
 * given up, as its last. Collective; a failure is this rank's alone. */
cvy_status cvy_evaluate(const struct cvy_evaluation *e, struct cvy_metric_totals *totals, bool *stopped);

#endif
