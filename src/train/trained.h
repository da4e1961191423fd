/* A trained network, as a checkpoint holds it: graph, weights, and what was known of its data. */
#ifndef CVY_TRAIN_TRAINED_H
#define CVY_TRAIN_TRAINED_H

#include "data/augment.h"
#include "graph/run/net.h"
#include "train/context.h"
#include "train/contract.h"
#include "experiment/experiment.h"
#include "train/state.h"

struct cvy_trained {
    char path[CVY_PATH_MAX];
    struct cvy_ckpt *ckpt;
    struct cvy_experiment *experiment;
    struct cvy_graph *graph;
    int leaf;                       /* samples that the net takes at once, at most */
    struct cvy_net *net;            /* in evaluation mode; with the average of the weights where one was kept */
    int classes;                    /* channels of the output */
    struct cvy_target target;       /* what it was trained on; its losses know of it */
    const char *const *class_names; /* [name_count], perhaps fewer than outputs */
    int name_count;
    double *mean, *std;           /* [channels] what inputs are normalised by */
    struct cvy_contract contract; /* of the training data */
    bool one_by_one;
};

/* `from`: a checkpoint file or a run folder. one_by_one: samples come singly, and a leaf of the net is the few that
 * give all threads work rather than the experiment's. Not collective. */
cvy_status cvy_trained_load(struct cvy_context *ctx, const char *from, bool one_by_one, struct cvy_trained *out);
/* Makes it take inputs of another height and width, where no parameter depends on them (a fully convolutional network,
 * or one that pools over all it has): then the outputs may be of another size too. CVY_ERR_DATA naming `what`, both
 * shapes, the layer that stands in the way, and `advice` otherwise; the network stays as it was then. */
cvy_status cvy_trained_fit(struct cvy_context *ctx, struct cvy_trained *trained, struct cvy_shape input,
                           const char *what, const char *advice);
void cvy_trained_destroy(struct cvy_trained *trained);
/* The name of a class: from the training data, or its number as text in `room`. */
const char *cvy_trained_class(const struct cvy_trained *trained, int index, char room[16]);

#endif
