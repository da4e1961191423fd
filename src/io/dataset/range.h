/* The range of values: least and largest, and what kind of numbers they are. */
#ifndef CVY_IO_DATASET_RANGE_H
#define CVY_IO_DATASET_RANGE_H

#include <stdint.h>

#include "core/tensor.h"

struct cvy_range {
    double low, high; /* of the values that were looked at; low > high: of none */
    bool whole;       /* all of them are whole numbers */
    bool bytes;       /* their type is uint8 */
};

/* An empty range, to be widened. */
struct cvy_range cvy_range_of(enum cvy_dtype type);
void cvy_range_widen(struct cvy_range *range, enum cvy_dtype type, const void *values, int64_t count);
/* Also by what another is of. */
void cvy_range_join(struct cvy_range *range, const struct cvy_range *other);

/* Whether all values of the other kind may be among those of `range`. */
bool cvy_range_holds(const struct cvy_range *range, const struct cvy_range *other);

#endif
