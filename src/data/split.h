/* Cutting a data set in two, for a set to validate on or a smaller one to try things on. */
#ifndef CVY_DATA_SPLIT_H
#define CVY_DATA_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "io/dataset/dataset.h"

struct cvy_split {
    struct cvy_dataset_spec input; /* where its `work` is stopped, nothing is left */
    const char *first, *rest;      /* paths */
    int64_t samples;               /* of `first` */
    bool random;                   /* it takes any samples, a function of the seed; else the first ones */
    uint64_t seed;
    int64_t shard_bytes; /* 0: the writer's default */
    bool overwrite;
};

/* Both parts keep the order, the classes and their names; mean and std are each part's own. One pass, not collective.
 * CVY_ERR_USAGE where a part would be empty. Where it fails, neither part appears, unless the second one's name cannot
 * be taken when the first is in place. */
cvy_status cvy_split_dataset(const struct cvy_split *how);

#endif
