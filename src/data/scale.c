#include "data/scale.h"

#include <float.h>
#include <math.h>

/* ---- Ranges ---- */

struct cvy_range cvy_range_of(enum cvy_dtype type) {
    return (struct cvy_range){.low = DBL_MAX, .high = -DBL_MAX, .whole = true, .bytes = type == CVY_U8};
}

struct cvy_range cvy_range_of_pictures(void) {
    return (struct cvy_range){.low = 0, .high = 255, .whole = true, .bytes = true};
}

void cvy_range_widen(struct cvy_range *range, enum cvy_dtype type, const void *values, int64_t count) {
    const unsigned char *bytes = values;
    const float *reals = values;
    for (int64_t i = 0; i < count; i++) {
        const float v = type == CVY_U8 ? (float)bytes[i] : reals[i];
        if (v < range->low) range->low = v;
        if (v > range->high) range->high = v;
        range->whole &= v == truncf(v);
    }
}

/* ---- Scales ---- */

/* What a range says of the scale. Zeros and ones are either black and white in fractions, or very dark bytes: the type
 * tells, if the data are pictures at all. */
enum scale { FRACTIONS, BLACK_AND_WHITE, BYTES, DARK_BYTES, OTHER, SCALES };

static enum scale scale_of(const struct cvy_range *r) {
    const double full = 250; /* between this and 255 the largest value of bytes lies, hardly another scale's */
    if (r->bytes) return r->high == 1 ? DARK_BYTES : BYTES; /* zeros alone say no more than their type */
    if (r->low < 0 || r->high > 255) return OTHER;
    if (r->high <= 1) return r->whole ? BLACK_AND_WHITE : FRACTIONS;
    return r->whole || r->high > full ? BYTES : OTHER;
}

static bool within(const struct cvy_range *given, double low, double high, double spans) {
    const double span = high > low ? high - low : 1;
    return given->low >= low - spans * span && given->high <= high + spans * span;
}

static double span_of(const struct cvy_range *r) {
    return r->high > r->low ? r->high - r->low : 1;
}

/* Not just by the overshoot of an interpolation. */
static bool goes_below_zero(const struct cvy_range *r) {
    return r->low < -0.1 * span_of(r);
}

/* What two selections of the same kind of samples look like. */
static bool alike(const struct cvy_range *trained, const struct cvy_range *given) {
    return within(given, trained->low, trained->high, 1) && 4 * span_of(given) >= span_of(trained) &&
           goes_below_zero(trained) == goes_below_zero(given);
}

/* Numbers beside bytes. */
static bool byte_like(const struct cvy_range *trained, const struct cvy_range *given) {
    return within(given, 0, 255, trained->bytes ? 0 : 1) && !goes_below_zero(given);
}

/* Two sets on no scale of pictures: measured values of one kind may well differ, whole numbers are on the scale of
 * their type. */
static bool free_numbers(const struct cvy_range *trained, const struct cvy_range *given) {
    return !trained->whole && !given->whole ? within(given, trained->low, trained->high, 10) : alike(trained, given);
}

enum verdict { NO, SAME, ALIKE, BYTE_LIKE, FREE, TIMES_255, OVER_255 };

/* clang-format off */
static const enum verdict verdicts[SCALES][SCALES] = {
    /* trained on            given: FRACTIONS  BLACK_AND_WHITE  BYTES     DARK_BYTES  OTHER */
    [FRACTIONS] =                  {SAME,      SAME,            OVER_255, NO,         ALIKE},
    [BLACK_AND_WHITE] =            {SAME,      SAME,            NO,       SAME,       ALIKE},
    [BYTES] =                      {TIMES_255, NO,              SAME,     SAME,       BYTE_LIKE},
    [DARK_BYTES] =                 {SAME,      SAME,            NO,       SAME,       ALIKE},
    [OTHER] =                      {ALIKE,     ALIKE,           ALIKE,    NO,         FREE},
};
/* clang-format on */

bool cvy_scale_between(const struct cvy_range *trained, const struct cvy_range *given, double *factor) {
    const enum scale to = scale_of(trained), from = scale_of(given);
    const enum verdict verdict = verdicts[to][from];
    *factor = verdict == TIMES_255 ? 255 : verdict == OVER_255 ? 1.0 / 255 : 1;
    switch (verdict) {
    case NO:
        return false;
    case ALIKE:
        return !given->bytes && alike(trained, given);
    case BYTE_LIKE:
        return byte_like(trained, given);
    case FREE:
        return free_numbers(trained, given);
    default:
        return true;
    }
}
