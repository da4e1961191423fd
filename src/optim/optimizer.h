/* Optimisers: a const table of functions over flat vectors; they know nothing of layers or layouts. */
#ifndef CVY_OPTIM_OPTIMIZER_H
#define CVY_OPTIM_OPTIMIZER_H

#include "core/tree/node.h"
#include "core/param.h"
#include "core/tree/schema.h"
#include "kernels/compute.h"

#define CVY_MAX_SLOTS 3
#define CVY_EPS_RANGE 1e-30, 1 /* above zero: 0/eps is what padding lanes compute */

/* One stretch of the flat vectors. */
struct cvy_update {
    float *w;                   /* values */
    const float *g;             /* gradient, summed over the batch */
    float *slot[CVY_MAX_SLOTS]; /* the optimiser's own vectors */
    size_t count;
    double grad_scale; /* 1 / samples of the batch, clipping included */
    double lr;
    bool decay;   /* whether weight decay applies here */
    bool adapt;   /* whether the norms of a layer set its rate (not of biases and normalisation) */
    int64_t step; /* of this update, from 1 */
};

struct cvy_optimizer_kind {
    const char *name, *purpose; /* purpose: one line, for users */
    const struct cvy_key *keys;
    size_t state_size;
    bool per_param; /* update wants whole parameters, one at a time (norms of layers) */
    /* What keys one by one cannot show, or NULL; body: the map that the state was read from. */
    void (*check)(const void *state, const struct cvy_node *body, struct cvy_findings *findings);
    /* Of kinds that divide a gradient by its own size: by what at least, while it has been zero. NULL: others. */
    double (*least)(const void *state);
    /* Which slots this state needs, by their names in a checkpoint; returns how many. */
    int (*slots)(const void *state, const char *names[CVY_MAX_SLOTS]);
    void (*update)(const struct cvy_compute *compute, const void *state, const struct cvy_update *u);
};

/* A stretch of the flat vectors that is updated alike; frozen parameters are in none. */
struct cvy_stretch {
    size_t first, end;
    double lr_factor;
    bool decay, adapt;
};

struct cvy_optimizer {
    const struct cvy_optimizer_kind *kind;
    void *state;
    int slots;
    size_t stored;              /* floats in each vector */
    float *slot[CVY_MAX_SLOTS]; /* [stored], zero at first */
    const char *slot_name[CVY_MAX_SLOTS];
    struct cvy_stretch *stretches;
    int stretch_count;
};

/* Which parameters weight decay applies to. */
enum cvy_decay_on { CVY_DECAY_ON_ALL, CVY_DECAY_ON_WEIGHTS };

/* Reads `sgd` or {sgd: {…}}. CVY_ERR_USAGE with findings. Not collective. */
cvy_status cvy_optimizer_create(const struct cvy_node *node, const struct cvy_params *params,
                                enum cvy_decay_on decay_on, struct cvy_optimizer *out);
void cvy_optimizer_destroy(struct cvy_optimizer *optimizer);
bool cvy_optimizers_list(int index, struct cvy_listing *out);
/* Checks the node alone. */
void cvy_optimizer_check(const struct cvy_node *node, struct cvy_findings *findings);
/* Floats [first, end) of all vectors; of a kind that is per_param, all at once. */
struct cvy_optimizer_step {
    float *values;         /* the whole vector */
    const float *gradient; /* of these floats alone */
    size_t first, end;
    double lr, grad_scale; /* as in struct cvy_update */
    int64_t step;          /* of this update, from 1 */
};
void cvy_optimizer_update(const struct cvy_optimizer *optimizer, const struct cvy_compute *compute,
                          const struct cvy_optimizer_step *how);

#endif
