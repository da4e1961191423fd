/* The state of a training: all that a later job needs to go on as if nothing had happened. It is what a checkpoint
 * holds, free of the number of ranks. */
#ifndef CVY_TRAIN_STATE_H
#define CVY_TRAIN_STATE_H

#include "graph/run/net.h"
#include "io/ckpt/ckpt.h"
#include "io/dataset/dataset.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "train/contract.h"
#include "train/metric.h"
#include "train/standing.h"

struct cvy_state {
    int64_t step;        /* completed updates */
    int64_t epoch;       /* from 0 */
    int64_t position;    /* samples of this epoch that were used */
    bool evaluation_due; /* one that this place has was not finished */
    double wall_seconds; /* of all sessions so far */
    int64_t slots_from;  /* step at which the optimiser's slots began: 0, or where the optimiser was changed */
    struct cvy_schedule_memory schedule;
    struct cvy_standing best, early; /* of checkpoint.best, of early_stopping */
    struct cvy_metric_totals since;  /* the last evaluation that was due: of the steps, as training has them */
};

/* What describes a checkpoint beside the state. */
struct cvy_state_labels {
    const char *name, *isa, *experiment; /* experiment: resolved YAML */
    const char *best_of, *early_of;      /* what the state's best and early are of; "": nothing */
    const char *metrics;                 /* the metrics so far */
    size_t metrics_size;
    int64_t seed;
    int ranks, threads;
    uint64_t train_digest, train_sample; /* train_sample 0: there is none */
    const struct cvy_dataset_info *data; /* class names, input shape */
    const struct cvy_contract *contract;
    const double *mean, *std; /* [data->shape.c] what inputs were normalised by */
};

/* What the vectors of a training belong to. */
struct cvy_vectors {
    struct cvy_net *net;                   /* parameters and buffers */
    const struct cvy_optimizer *optimizer; /* slots; NULL: none */
    float *ema;                            /* [params.stored] average of the weights; NULL: none */
    float *ema_buffers;            /* [buffers.stored] of the statistics that belong to it, where ema is not NULL */
    bool slot_kept[CVY_MAX_SLOTS]; /* of the optimiser's slots: left out, as they are */
};

/* A checkpoint of the state as it is now, in memory: the one copy that is made, so that training can go on while it is
 * written. The caller owns *out. Not collective. */
cvy_status cvy_state_save(const struct cvy_vectors *vectors, const struct cvy_state *state,
                          const struct cvy_state_labels *labels, struct cvy_ckpt_image **out);
/* Bytes that it takes with so many slots of the optimiser, and an average or none. */
size_t cvy_state_bytes(const struct cvy_graph *graph, int slots, bool average);

/* Whether a list of layers (NULL: none) names this parameter, or a scope or a group that it is in. */
bool cvy_state_listed(const struct cvy_graph *graph, const struct cvy_node *except, const char *name);

/* Appends the layers that are frozen at random values, by names that are separated, as far as parameters of theirs are
 * chosen; gives their number. */
typedef bool cvy_state_chooser(const void *arg, const char *name);
int cvy_state_list_random(const struct cvy_graph *graph, cvy_state_chooser *chosen, const void *arg,
                          struct cvy_buf *out);

/* The state alone. CVY_ERR_CHECKPOINT where it is none that a training can be in. */
cvy_status cvy_state_read(const struct cvy_ckpt *ckpt, struct cvy_state *state);

/* Whether the checkpoint holds an average of the weights; a slot of this name. */
bool cvy_state_has_average(const struct cvy_ckpt *ckpt);
bool cvy_state_has_slot(const struct cvy_ckpt *ckpt, const struct cvy_graph *graph, const char *slot);

/* That the checkpoint's network is this one but for the layers in `except` (NULL: none). CVY_ERR_USAGE at the place of
 * a name in `except` that neither network has, with the nearest; CVY_ERR_CHECKPOINT naming what differs otherwise, and,
 * where `advise`, the layers that init.except would have to name. */
cvy_status cvy_state_check(const struct cvy_ckpt *ckpt, const struct cvy_graph *graph, const struct cvy_node *except,
                           bool advise);

/* Reads all vectors, after cvy_state_check of the same layers. CVY_ERR_CHECKPOINT naming the layer or slot that is
 * missing or differs. `except`: a list of layers that keep what they have, or NULL. Where ema is the net's own values,
 * these and its buffers become the average. A checkpoint that averaged weights alone (as the first ones did) has the
 * buffers as they are in their place. */
cvy_status cvy_state_restore(struct cvy_ckpt *ckpt, const struct cvy_node *except, const struct cvy_vectors *vectors);

#endif
