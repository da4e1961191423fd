#include "io/dataset/range.h"

#include <float.h>
#include <math.h>

struct cvy_range cvy_range_of(enum cvy_dtype type) {
    return (struct cvy_range){.low = DBL_MAX, .high = -DBL_MAX, .whole = true, .bytes = type == CVY_U8};
}

void cvy_range_join(struct cvy_range *range, const struct cvy_range *other) {
    if (other->low < range->low) range->low = other->low;
    if (other->high > range->high) range->high = other->high;
    range->whole &= other->whole;
}

static struct cvy_range of_bytes(const unsigned char *values, int64_t count) {
    unsigned char low = values[0], high = values[0];
    for (int64_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    return (struct cvy_range){.low = low, .high = high, .whole = true};
}

/* `whole`: whether it matters. */
static struct cvy_range of_reals(const float *values, int64_t count, bool whole) {
    float low = values[0], high = values[0];
    for (int64_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    for (int64_t i = 0; whole && i < count; i++) whole = values[i] == truncf(values[i]);
    return (struct cvy_range){.low = low, .high = high, .whole = whole};
}

void cvy_range_widen(struct cvy_range *range, enum cvy_dtype type, const void *values, int64_t count) {
    if (count == 0) return;
    const struct cvy_range more = type == CVY_U8 ? of_bytes(values, count) : of_reals(values, count, range->whole);
    cvy_range_join(range, &more);
}

bool cvy_range_holds(const struct cvy_range *range, const struct cvy_range *other) {
    return other->bytes == range->bytes && (other->whole || !range->whole) && other->low >= range->low &&
           other->high <= range->high;
}
