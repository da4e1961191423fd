/* A session: everything that one call of cvy_train works with, made before the first step and the same on every rank
 * but for what only rank 0 has. */
#ifndef CVY_TRAIN_SESSION_H
#define CVY_TRAIN_SESSION_H

#include "comm/exchange.h"
#include "convoy.h"
#include "data/loader.h"
#include "graph/run/net.h"
#include "optim/schedule.h"
#include "train/context.h"
#include "train/contract.h"
#include "train/evaluate.h"
#include "experiment/experiment.h"
#include "train/release.h"
#include "train/score.h"
#include "train/state.h"

struct cvy_coordinator;

struct cvy_session {
    struct cvy_context *ctx;
    const struct cvy_train_options *options;
    int rank, ranks;
    struct cvy_experiment *experiment;
    struct cvy_graph *graph;
    struct cvy_source *train, *test; /* test NULL: none */
    struct cvy_contract contract;    /* of the training data */
    double *mean, *std;              /* [input.c] what inputs are normalised by */
    struct cvy_augment *augment, *normalize;
    double test_factor; /* what the test set's inputs are multiplied by to be like the training's */
    struct cvy_epoch_plan plan, test_plan;
    struct cvy_scale scale; /* of scores */
    struct cvy_net *net, *test_net;
    struct cvy_exchange *exchange;
    bool releases; /* gradients do not go through the exchange: one rank, one leaf, one range at a time will do */
    struct cvy_release release;
    struct cvy_optimizer optimizer;
    struct cvy_schedule schedule;
    float *ema, *ema_buffers;  /* [params.stored], [buffers.stored] averages of weights and statistics, NULL: none */
    bool fresh_average;        /* it starts here */
    double lr_factor;          /* of lr_scaling */
    struct cvy_loader *loader; /* training */
    struct cvy_evaluation evaluation;
    struct cvy_loss_result *losses; /* [own leaves] */
    int *sizes;                     /* [own leaves] */
    double *values;                 /* [own leaves][CVY_VALUES] */
    struct cvy_state state;
    double lr;                           /* of the current step */
    int samples;                         /* likewise */
    struct cvy_coordinator *coordinator; /* rank 0 only */
    char run_folder[CVY_PATH_MAX];       /* rank 0 only */
    char resume_from[CVY_PATH_MAX];      /* rank 0 only; "" for a fresh start */
    struct cvy_ckpt *ckpt;               /* that one, and its experiment, until all is restored; rank 0 only */
    struct cvy_experiment *before;
    int lock;       /* of the run folder, −1 for none; rank 0 only */
    double started; /* clock */
};

/* Collective: experiment (rank 0 reads, all get it), graph, data, run folder, memory check; then memory, restored
 * state. All ranks get the same status. On failure *out is NULL. */
cvy_status cvy_session_create(struct cvy_context *ctx, const struct cvy_train_options *options,
                              struct cvy_session **out);
void cvy_session_destroy(struct cvy_session **session);

/* What is saved of it and restored. */
struct cvy_vectors cvy_session_vectors(struct cvy_session *s);

/* Bytes that a rank of this many will take. */
size_t cvy_session_bytes(const struct cvy_session *s);
/* The ISA level that the bits of this run follow from. */
const char *cvy_session_isa(const struct cvy_session *s);

#endif
