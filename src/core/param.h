/* Parameters: all values of a network in one flat vector, all gradients in another, all optimiser slots in others.
 *
 * Storage is the forward panel of the kernel that reads it: a logical matrix [rows][cols] (convolution HWIO: rows =
 * r·s·c, cols = k; dense [in][out]) is stored as [⌈cols/16⌉][rows][16]; lanes beyond cols stay zero in values,
 * gradients and slots. A vector (bias) is stored as it is, padded to 16. Reduction and optimiser see flat vectors and
 * no layout; the logical order exists at initialisation, in checkpoints and at import only. */
#ifndef CVY_CORE_PARAM_H
#define CVY_CORE_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/init.h"
#include "core/parallel.h"
#include "core/status.h"

#define CVY_PANEL 16 /* columns a panel: one AVX-512 vector, two AVX2 vectors, whatever the ISA level */

enum cvy_decay_class { CVY_DECAY_WEIGHT, CVY_DECAY_BIAS, CVY_DECAY_NORM };

struct cvy_param {
    char name[128];  /* "block2/conv1/weight" */
    int rank;        /* number of dims */
    int64_t dims[4]; /* logical: HWIO, [in][out] or [n] */
    bool panels;     /* stored as panels, the last dim being the columns */
    enum cvy_init_kind
        init; /* how it starts; fans are taken from dims: inputs are all but the last, outputs the last */
    struct cvy_init_how init_how;
    const float *given; /* [dims[0]·dims[1]] or NULL: the values of every slice of a kernel, instead of init */
    enum cvy_decay_class decay;
    double lr_factor; /* of the learning rate; 0: frozen */
    double momentum;  /* of a buffer: the share of the new value in an update */
    size_t offset;    /* in each flat vector, floats; a multiple of 16 */
    size_t stored;    /* floats, padding included; a multiple of 16 */
};

/* A list that shares its flat vectors. Buffers (running statistics and the like: saved, not touched by the optimiser)
 * are a second list of the same kind. */
struct cvy_params {
    struct cvy_param *items;
    int count, room;
    size_t stored; /* floats in a flat vector */
};

/* Appends a parameter and gives its index; `like` holds all but offset and stored. */
cvy_status cvy_params_add(struct cvy_params *params, const struct cvy_param *like, int *index);
void cvy_params_destroy(struct cvy_params *params);

int64_t cvy_param_count(const struct cvy_param *param); /* logical elements */
size_t cvy_param_stored(const struct cvy_param *param); /* floats in storage, from the dims */
int64_t cvy_params_count(const struct cvy_params *params);
bool cvy_params_learn(const struct cvy_params *params); /* whether one does: not all are frozen, and there are some */

/* Where logical element `index` is stored, in floats from the parameter's first. */
size_t cvy_param_place(const struct cvy_param *param, int64_t index);

/* From storage to the logical order: `count` slices of the first dimension, from `first` on. */
void cvy_param_slices(const struct cvy_param *param, const float *stored, int64_t first, int64_t count, float *logical);
/* All of them back: cvy_param_count floats to `param->stored`. */
void cvy_param_from_logical(const struct cvy_param *param, const float *logical, float *stored);

/* Initial values, a function of (seed, param->name) and the logical index, not of the layout (core/init.h).
 * `pool` shares the work, NULL: this thread does it. Fails for want of memory alone, which only orthogonal values take.
 */
cvy_status cvy_param_init(const struct cvy_param *param, uint64_t seed, struct cvy_pool *pool, float *stored);

#endif
