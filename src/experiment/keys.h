/* The keys of an experiment file, section by section: what they are read into where that is not the experiment. */
#ifndef CVY_EXPERIMENT_KEYS_H
#define CVY_EXPERIMENT_KEYS_H

#include "core/tree/schema.h"
#include "experiment/choices.h"

struct cvy_root_keys {
    const char *name;
    int64_t seed;
    const struct cvy_node *model, *init, *data, *train, *eval, *early_stopping, *comm, *checkpoint, *log;
};

struct cvy_data_keys {
    const struct cvy_node *train, *validation, *test, *augment, *mean, *std;
    enum cvy_target_from target;
    double peak;
};

struct cvy_set_keys {
    const char *file, *x, *y;
    enum cvy_layout layout;
    enum cvy_y_layout y_layout;
    double scale, y_scale;
};

struct cvy_every_keys {
    const struct cvy_node *every, *keep_every;
    int64_t keep;
    const char *best;
};

struct cvy_init_keys {
    const char *from;
    const struct cvy_node *except;
};

extern const struct cvy_key cvy_root_keys[], cvy_data_keys[], cvy_set_keys[], cvy_eval_keys[], cvy_checkpoint_keys[],
    cvy_log_keys[], cvy_init_keys[];
/* Into struct cvy_experiment. */
extern const struct cvy_key cvy_train_keys[], cvy_ema_keys[], cvy_early_keys[], cvy_comm_keys[];

/* The sections of the file and their settings. */
bool cvy_experiment_list(int index, struct cvy_listing *out);

#endif
