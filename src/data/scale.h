/* The scale of inputs: whether two sets of samples are on the same one, and by what the second is multiplied to be.
 *
 * Pictures come as bytes 0 … 255 or as fractions 0 … 1, in any container. Where it is certain which of the two both
 * sets are, one is converted to the other; where it is certain that they differ and not how, they are refused; other
 * numbers are left alone. */
#ifndef CVY_DATA_SCALE_H
#define CVY_DATA_SCALE_H

#include "io/dataset/range.h"

/* What a picture file can hold: 0 … 255, whatever one picture does. */
struct cvy_range cvy_range_of_pictures(void);

/* *factor: what values of `given` are multiplied by, to be like those that a network was trained on. False where that
 * is not certain, or they are clearly on different scales. */
bool cvy_scale_between(const struct cvy_range *trained, const struct cvy_range *given, double *factor);

/* Whether both look like pictures, whose scale their type and ends tell, however dark or bright they are. */
bool cvy_scale_is_pictures(const struct cvy_range *trained, const struct cvy_range *given);
/* No value in common. */
bool cvy_scale_is_apart(const struct cvy_range *trained, const struct cvy_range *given);
/* Another range without being certainly another scale: half as wide or less, twice as wide or more, or shifted by more
 * than half of the training's width. */
bool cvy_scale_is_unlike(const struct cvy_range *trained, const struct cvy_range *given);
/* Whether some factor makes of `given` about what was trained on; false also where an offset lies between them. */
bool cvy_scale_has_factor(const struct cvy_range *trained, const struct cvy_range *given);

#endif
