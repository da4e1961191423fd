/* Who gets which sample: pure functions of (seed, epoch, position) and of the shape of the training.
 *
 *   epoch ─► steps ─► batch [first, first+count) of positions ─► leaves ─► ranks;   position ─► sample by permutation
 *
 * So nothing has to be stored to resume, on any number of ranks. */
#ifndef CVY_DATA_SAMPLER_H
#define CVY_DATA_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/rng.h"

/* The permutation of one epoch over [0, count). */
struct cvy_sampler {
    struct cvy_stream stream;
    uint32_t epoch;
    int64_t count;
    int bits; /* of each half of the Feistel network */
};
/* count ≥ 1. */
struct cvy_sampler cvy_sampler_make(uint64_t seed, uint32_t epoch, int64_t count);
/* The sample at `position`; a bijection on [0, count), in O(1). */
int64_t cvy_sampler_sample(const struct cvy_sampler *sampler, int64_t position);

/* How an epoch is cut into steps. */
struct cvy_epoch_plan {
    int64_t count;  /* samples in the data set */
    int batch;      /* global */
    int leaf;       /* samples a gradient leaf */
    bool drop_last; /* leave a short last batch out */
    int64_t start;  /* position of the first step: 0, but for an epoch that goes on where another plan left it */
};
/* 0: nothing is left behind `start`. */
int64_t cvy_epoch_steps(const struct cvy_epoch_plan *plan);

/* One step: positions first … first+count−1, cut into ⌈count/leaf⌉ leaves whose sizes differ by at most 1. */
struct cvy_batch_plan {
    int64_t first;
    int count, leaves;
};
/* step: within the epoch, 0 … cvy_epoch_steps−1. */
struct cvy_batch_plan cvy_batch_plan_at(const struct cvy_epoch_plan *plan, int64_t step);
/* Leaf i holds the batch's samples *first … *first+*count−1 (from the batch's start). i = leaves gives the end. */
void cvy_leaf_range(const struct cvy_batch_plan *plan, int leaf, int *first, int *count);
/* Rank r of W holds the leaves that cvy_share (core/share.h) gives it. */

#endif
