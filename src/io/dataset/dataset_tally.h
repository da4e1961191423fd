/* Statistics and digest of the samples that pass by, for a part and for the whole set. */
#ifndef CVY_IO_DATASET_DATASET_TALLY_H
#define CVY_IO_DATASET_DATASET_TALLY_H

#include "io/dataset/dataset.h"

struct cvy_tally;

cvy_status cvy_tally_create(const struct cvy_dataset_plan *plan, struct cvy_tally **out);
void cvy_tally_destroy(struct cvy_tally **tally);
void cvy_tally_reset(struct cvy_tally *tally);
/* y may be NULL where only statistics are wanted. */
void cvy_tally_add(struct cvy_tally *tally, int64_t count, const void *x, const void *y);
int64_t cvy_tally_count(const struct cvy_tally *tally);
/* Per channel [c]; sums of uint8 are of integers, so they are exact and do not depend on the order. A constant
 * channel's std is 1. */
void cvy_tally_stats(const struct cvy_tally *tally, double *mean, double *std);
struct cvy_range cvy_tally_range(const struct cvy_tally *tally); /* of x, all channels alike */
uint64_t cvy_tally_digest(const struct cvy_tally *tally);        /* cvy_dataset_digest of all that passed by */

#endif
