/* The state of a training: all that a later job needs to go on as if nothing had happened. It is what a checkpoint
 * holds, free of the number of ranks. */
#ifndef CVY_TRAIN_STATE_H
#define CVY_TRAIN_STATE_H

#include "graph/net.h"
#include "io/ckpt.h"
#include "io/dataset.h"
#include "optim/optimizer.h"

struct cvy_state {
    int64_t step;        /* completed updates */
    int64_t epoch;       /* from 0 */
    int64_t position;    /* samples of this epoch that were used */
    bool evaluation_due; /* the last epoch's evaluation was not finished */
    double wall_seconds; /* of all sessions so far */
};

/* What describes a checkpoint beside the state. */
struct cvy_state_labels {
    const char *name, *isa, *experiment; /* experiment: resolved YAML */
    const char *metrics;                 /* the metrics so far */
    size_t metrics_size;
    int64_t seed;
    int ranks, threads;
    uint64_t train_digest;
    const struct cvy_dataset_info *data; /* class names, input shape, mean and std */
};

/* A copy of everything that changes, so that training can go on while it is written. */
struct cvy_snapshot;
/* net and optimizer must outlive the snapshot; they are read by _take alone. */
cvy_status cvy_snapshot_create(struct cvy_net *net, const struct cvy_optimizer *optimizer, struct cvy_snapshot **out);
void cvy_snapshot_destroy(struct cvy_snapshot **snapshot);
/* Bytes that a snapshot takes. */
size_t cvy_snapshot_bytes(const struct cvy_graph *graph, int slots);
void cvy_snapshot_take(struct cvy_snapshot *snapshot, const struct cvy_state *state);
/* Writes the last one taken. From any thread, one at a time. */
cvy_status cvy_snapshot_write(struct cvy_snapshot *snapshot, const struct cvy_state_labels *labels, const char *path,
                              int64_t *bytes);

/* Reads state, parameters, buffers and, unless `optimizer` is NULL, its slots. CVY_ERR_CHECKPOINT naming the layer or
 * slot that differs when the checkpoint is of another network or optimiser. `except`: a list of layers that keep what
 * they have, or NULL. */
cvy_status cvy_state_restore(struct cvy_ckpt *ckpt, const struct cvy_node *except, struct cvy_net *net,
                             struct cvy_optimizer *optimizer, struct cvy_state *state);

#endif
