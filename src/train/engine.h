/* The engine: what a step needs, and the state that it changes. It knows of samples what a batch says, and of other
 * ranks the exchange: a training and a benchmark work with the same. */
#ifndef CVY_TRAIN_ENGINE_H
#define CVY_TRAIN_ENGINE_H

#include "comm/exchange.h"
#include "graph/run/net.h"
#include "optim/gradient.h"
#include "train/release.h"
#include "train/metric.h"
#include "train/state.h"

struct cvy_engine_spec {
    struct cvy_comm *comm; /* needed from _connect on */
    int rank, ranks;
    const struct cvy_compute *compute;
    const struct cvy_graph *graph;
    struct cvy_target target;
    const struct cvy_node *optimizer;
    enum cvy_decay_on decay_on;
    struct cvy_gradient_rule gradient;
    double ema_decay; /* of the average of the weights, 0: none is kept */
    uint64_t seed;
    enum cvy_recompute recompute;
    int leaf;                       /* samples, at most */
    int leaves[CVY_EXCHANGE_SIZES]; /* of a whole batch and of shorter ones (0: there is none) */
    size_t bucket_floats;           /* 0: chosen */
    int threads;                    /* by which it is chosen, of every rank: the same on all */
    const struct cvy_reduction *reduction;
    enum cvy_progress_by progress;
    bool (*stop)(void *arg); /* whether this rank wants to stop, asked once a step; NULL: never */
    void *stop_arg;
    bool (*save)(void *arg); /* likewise, to have a checkpoint */
    void *save_arg;
};

/* Parts of a step that may run within a layer's backward: a gradient that joins the sum of the leaves before it, and
 * weights that are updated. Told of each stretch of floats as it begins and ends. */
enum cvy_step_part { CVY_STEP_SUM, CVY_STEP_UPDATE };
typedef void cvy_step_watch(void *arg, enum cvy_step_part part, bool ends);

struct cvy_engine {
    struct cvy_engine_spec spec;
    struct cvy_optimizer optimizer;
    bool releases; /* gradients do not go through the exchange: one rank, one leaf, one range at a time will do */
    struct cvy_release release;
    struct cvy_net *net;
    struct cvy_exchange *exchange;
    size_t *cuts; /* where buckets begin, [cut_count]; NULL: spec.bucket_floats says it */
    int cut_count;
    float *ema, *ema_buffers; /* averages of parameters and statistics (graph/run/layout.h), NULL: none */
    struct cvy_state state;
    double lr;                      /* of the current step, or the last one */
    double updating;                /* s: of the current step, so far */
    float spent[CVY_SPENT];         /* s: of the last step, told to rank 0 with the next one */
    int samples;                    /* likewise */
    struct cvy_loss_result *losses; /* [own leaves] */
    int *sizes;                     /* [own leaves] */
    double *values;                 /* [own leaves][CVY_VALUES] */
    cvy_step_watch *watch;          /* NULL: nobody */
    void *watch_arg;
};

/* The optimiser, and whether gradients are used as they come; no other memory yet. Not collective. */
cvy_status cvy_engine_open(const struct cvy_engine_spec *spec, struct cvy_engine *out);
/* Bytes that all of it will take. */
size_t cvy_engine_bytes(const struct cvy_engine *e);
/* The net, its average, room for results: for batches of spec.leaves, which may be set anew until here. Not
 * collective. */
cvy_status cvy_engine_allocate(struct cvy_engine *e);
/* The exchange. Collective. */
cvy_status cvy_engine_connect(struct cvy_engine *e);
void cvy_engine_close(struct cvy_engine *e); /* fine where nothing was made */

/* A net for the same graph: that of a step, or one that evaluates leaf by leaf. */
struct cvy_net_spec cvy_engine_net(const struct cvy_engine *e, enum cvy_mode mode);

/* The sum of a partial over all leaves of the step, as the net's hook wants it; `engine`: a struct cvy_engine.
 * Collective. */
cvy_status cvy_engine_reduce(void *engine, const double *per_leaf, size_t len, double *sum);

/* What is saved of it and restored. */
struct cvy_vectors cvy_engine_vectors(struct cvy_engine *e);
/* Whether weights, statistics, slots and average are finite: only then there is something to save. Not collective, and
 * the same on all ranks. */
bool cvy_engine_finite(struct cvy_engine *e);

/* Warns where rounding would become whole steps (engine_noise.c). */
void cvy_engine_warn_of_noise(const struct cvy_engine *e, struct cvy_log *log);

/* For bench; NULL to stop. */
void cvy_engine_watch(struct cvy_engine *e, cvy_step_watch *watch, void *arg);

#endif
