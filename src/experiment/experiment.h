/* The experiment: the YAML file, --set changes applied, the model put in, paths made absolute, every key checked. */
#ifndef CVY_EXPERIMENT_EXPERIMENT_H
#define CVY_EXPERIMENT_EXPERIMENT_H

#include "core/buf.h"
#include "core/log.h"
#include "core/tree/node.h"
#include "core/tree/schema.h"
#include "core/tensor.h"
#include "experiment/choices.h"
#include "optim/gradient.h"

enum cvy_unit { CVY_UNIT_STEPS, CVY_UNIT_EPOCHS, CVY_UNIT_MINUTES };

/* "1 epoch", "20 steps", "10 minutes". */
struct cvy_every {
    int64_t count;
    enum cvy_unit unit;
};
/* Whether it has come at this place, which minutes do not say: so many completed steps and epochs, and samples of the
 * one that goes on. */
bool cvy_every_due(const struct cvy_every *every, int64_t step, int64_t epoch, int64_t position);

struct cvy_experiment {
    struct cvy_tree *tree;
    struct cvy_node *root; /* resolved */
    const char *name;
    int64_t seed;
    struct cvy_node *model;                          /* parameters put in */
    const char *init_from;                           /* "" for none */
    const struct cvy_node *init_except;              /* list of layers, or NULL */
    struct cvy_dataset_spec train, validation, test; /* .file NULL: none */
    double validation_share;                         /* of the training data, held out of them; 0: none */
    const struct cvy_node *augment;
    const struct cvy_node *mean, *std; /* what inputs are normalised by; NULL: by their own */
    enum cvy_target_from target;
    double peak; /* of the targets' values, for PSNR */
    int64_t epochs, batch, leaf;
    bool leaf_chosen; /* the file says nothing of it (experiment/leaf.h) */
    enum cvy_last_batch last_batch;
    enum cvy_decay_on decay_on;
    enum cvy_precision precision;
    const struct cvy_node *loss, *optimizer, *learning_rate;
    struct cvy_node default_loss;
    const struct cvy_node *clip, *noise, *ema;
    struct cvy_gradient_rule gradient; /* clipping and noise */
    double ema_decay;                  /* of the average of the weights, 0: none is kept */
    enum cvy_lr_scaling lr_scaling;
    int64_t reference_batch;
    bool winograd; /* graph/model/graph.h */
    enum cvy_recompute recompute;
    enum cvy_reduction_order reduction;
    int algorithm;     /* 0: auto; else one more than its number in the list of comm/reduction.h */
    double bucket_mib; /* 0: chosen */
    enum cvy_progress_by progress;
    struct cvy_every eval_every;
    struct cvy_every checkpoint_every;
    int64_t keep;
    struct cvy_every keep_every;           /* count 0: none */
    const char *best;                      /* the metric whose best checkpoint stays; "": none */
    const struct cvy_node *early_stopping; /* or NULL: */
    const char *early_metric;
    int64_t patience;
    double min_delta;
    struct cvy_every log_every;
};

/* Reads and checks `path`, with changes "a.b=v". CVY_ERR_USAGE with all findings, each "file:line:column: …". Not
 * collective: rank 0 does it, the others take cvy_experiment_parse of its text. */
cvy_status cvy_experiment_load(const char *path, const char *const *set, int set_count, struct cvy_experiment **out);
/* A resolved experiment from text (as _emit made it). `name` stands for the file in messages. */
cvy_status cvy_experiment_parse(const char *name, const char *text, size_t size, struct cvy_experiment **out);
/* The graph of its model, in its precision and by the algorithms that it allows. `loss`: the experiment's, or NULL. */
cvy_status cvy_experiment_graph(const struct cvy_experiment *experiment, const struct cvy_node *loss,
                                struct cvy_graph **out);
void cvy_experiment_destroy(struct cvy_experiment **experiment);
/* The resolved experiment as YAML. */
cvy_status cvy_experiment_emit(const struct cvy_experiment *experiment, struct cvy_buf *out);
/* A copy of the resolved experiment with every default written out, the model's layers' too; it belongs to `tree`. */
cvy_status cvy_experiment_fill(const struct cvy_experiment *experiment, struct cvy_tree *tree, struct cvy_node **out);
/* That copy as YAML. */
cvy_status cvy_experiment_emit_whole(const struct cvy_experiment *experiment, struct cvy_buf *out);

/* data.mean and data.std, which are there: [channels] of each. CVY_ERR_USAGE with the place when they are as many as no
 * channels, or a std is not positive. */
cvy_status cvy_experiment_norm(const struct cvy_experiment *experiment, int channels, double *mean, double *std);

/* A model file or an experiment file (then its model): for describe and bench. A model alone gets the defaults of all
 * else and no data. */
cvy_status cvy_experiment_load_any(const char *path, const char *const *set, int set_count,
                                   struct cvy_experiment **out);

/* Compares a run's experiment with the one it is resumed with. CVY_ERR_USAGE listing every difference that matters;
 * what may differ: log, checkpoint, comm (but reduction), paths (of init.from, where the name is the same), name,
 * train.epochs and eval with a schedule that does not depend on them, and the keys in `allowed`. same_network: the
 * run's parameters are those of `now`; else what differs in the model cannot be allowed, and is not offered. */
cvy_status cvy_experiment_compare(const struct cvy_experiment *before, const struct cvy_experiment *now,
                                  bool same_network, const char *const *allowed, int allowed_count);

#endif
