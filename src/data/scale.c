#include "data/scale.h"

#include <math.h>

struct cvy_range cvy_range_of_pictures(void) {
    return (struct cvy_range){.low = 0, .high = 255, .whole = true, .bytes = true};
}

/* ---- Scales ---- */

/* What a range says of the scale. Zeros and ones are either black and white in fractions, or very dark bytes: the type
 * tells, if the data are pictures at all. */
enum scale { FRACTIONS, BLACK_AND_WHITE, BYTES, DARK_BYTES, OTHER, SCALES };

/* 0 … 1, and what an interpolation adds to it. */
static bool fractions(const struct cvy_range *r) {
    const double over = 0.1;
    return (r->low >= 0 && r->high <= 1) || (r->low >= -over && r->high > 1 - over / 2 && r->high <= 1 + over);
}

static enum scale scale_of(const struct cvy_range *r) {
    const double full = 250; /* between this and 255 the largest value of bytes lies, hardly another scale's */
    const bool several = r->high > r->low;
    if (r->bytes) return r->high == 1 ? DARK_BYTES : BYTES; /* zeros alone say no more than their type */
    if (r->whole && r->low >= 0 && r->high <= 1) return BLACK_AND_WHITE;
    if (!r->whole && fractions(r)) return FRACTIONS;
    if (r->low < 0 || r->high > 255) return OTHER;
    return (r->whole && several) || r->high > full ? BYTES : OTHER;
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

/* As counts, amounts and shares do. */
static bool begins_at_zero(const struct cvy_range *r) {
    return !goes_below_zero(r) && r->low < 0.1 * span_of(r);
}

/* One value says nothing of how far others would go. */
static bool spans_enough(const struct cvy_range *trained, const struct cvy_range *given, double part) {
    return given->low == given->high || part * span_of(given) >= span_of(trained);
}

/* What two selections of the same kind of samples look like. */
static bool alike(const struct cvy_range *trained, const struct cvy_range *given) {
    return within(given, trained->low, trained->high, 1) && spans_enough(trained, given, 4) &&
           goes_below_zero(trained) == goes_below_zero(given);
}

/* Numbers beside bytes: as bright, not per cent or shares. */
static bool byte_like(const struct cvy_range *trained, const struct cvy_range *given) {
    return within(given, 0, 255, trained->bytes ? 0 : 1) && !goes_below_zero(given) && 2 * given->high > trained->high;
}

static double gap(const struct cvy_range *a, const struct cvy_range *b) {
    return a->low > b->high ? a->low - b->high : b->low > a->high ? b->low - a->high : 0;
}

/* How far from zero values come. */
static double size_of(const struct cvy_range *r) {
    return fabs(r->low) > fabs(r->high) ? fabs(r->low) : fabs(r->high);
}

/* Two sets on no scale of pictures: measured values of one kind may well differ (summer and winter, plains and
 * mountains), but amounts do not become small and negative elsewhere, other units lie far away, and 12 bits beside 16
 * are a sixteenth. Whole numbers are on the scale of their type, measured ones are not. */
static bool free_numbers(const struct cvy_range *trained, const struct cvy_range *given) {
    const double wider = span_of(given) > span_of(trained) ? span_of(given) : span_of(trained);
    const bool one = given->low == given->high;
    if (!one && 200 * size_of(given) < size_of(trained)) return false; /* in other units */
    if (trained->whole != given->whole && !one) return alike(trained, given);
    return within(given, trained->low, trained->high, 10) && gap(trained, given) <= 2 * wider &&
           (spans_enough(trained, given, 4) || !begins_at_zero(trained) || !goes_below_zero(given)) &&
           (spans_enough(trained, given, 15) || !trained->whole);
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
    const bool zeros = !given->bytes && given->low == 0 && given->high == 0; /* the same on any scale */
    *factor = verdict == TIMES_255 ? 255 : verdict == OVER_255 ? 1.0 / 255 : 1;
    if (zeros && within(given, trained->low, trained->high, 1)) return true;
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

/* ---- What ranges alone tell ---- */

bool cvy_scale_is_pictures(const struct cvy_range *trained, const struct cvy_range *given) {
    return scale_of(trained) != OTHER && scale_of(given) != OTHER;
}

bool cvy_scale_is_apart(const struct cvy_range *trained, const struct cvy_range *given) {
    return gap(trained, given) > 0;
}

bool cvy_scale_is_unlike(const struct cvy_range *trained, const struct cvy_range *given) {
    const double before = trained->high - trained->low, now = given->high - given->low;
    const double shift = fabs(given->low + given->high - trained->low - trained->high) / 2;
    return (now != before && (2 * now <= before || now >= 2 * before)) || 2 * shift > before;
}

bool cvy_scale_has_factor(const struct cvy_range *trained, const struct cvy_range *given) {
    const double size = size_of(given), factor = size > 0 ? size_of(trained) / size : 1;
    const double low = fabs(factor * given->low - trained->low), high = fabs(factor * given->high - trained->high);
    return goes_below_zero(trained) == goes_below_zero(given) && 2 * fmax(low, high) < span_of(trained);
}
