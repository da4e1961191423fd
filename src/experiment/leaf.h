/* How many samples a leaf has where nobody says it, and which would do. */
#ifndef CVY_EXPERIMENT_LEAF_H
#define CVY_EXPERIMENT_LEAF_H

#include <stdbool.h>
#include <stdint.h>

/* Leaves of fewer samples keep a core from its speed, of more need memory and leave few ranks to share them. */
enum { CVY_LEAF_SMALL = 8, CVY_LEAF_USUAL = 32, CVY_LEAF_LARGE = 128, CVY_LEAF_TEXT = 160 };

/* The largest divisor of `batch` that is at most `most`; both from 1. */
int64_t cvy_leaf_divisor(int64_t batch, int64_t most);
/* The largest divisor up to 32; where that is below 8, the smallest one from 33 to 128 if there is any. It follows from
 * the batch alone, so it is the same on every number of ranks. */
int64_t cvy_leaf_default(int64_t batch);
/* What to write where a leaf does not divide the batch: "take a leaf of 25 or 20, or a batch of 96 or 128". */
const char *cvy_leaf_advice(int64_t batch, int64_t leaf, char out[CVY_LEAF_TEXT]);

#endif
