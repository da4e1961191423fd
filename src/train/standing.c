#include "train/standing.h"

#include <math.h>

bool cvy_standing_take(struct cvy_standing *s, double value, bool more, double min_delta, int64_t step) {
    const bool better = more ? value > s->value + min_delta : value < s->value - min_delta;
    s->seen++;
    s->waited++;
    if (s->seen > 1 && !better) return false;
    s->value = value;
    s->step = step;
    s->waited = 0;
    return true;
}

void cvy_standing_save(const struct cvy_standing *s, double out[CVY_STANDING_NUMBERS]) {
    out[0] = s->value;
    out[1] = (double)s->step;
    out[2] = (double)s->seen;
    out[3] = (double)s->waited;
}

bool cvy_standing_load(const double numbers[CVY_STANDING_NUMBERS], struct cvy_standing *out) {
    for (int i = 1; i < CVY_STANDING_NUMBERS; i++)
        if (!(numbers[i] >= 0 && numbers[i] < 1e15) || numbers[i] != floor(numbers[i])) return false;
    *out = (struct cvy_standing){numbers[0], (int64_t)numbers[1], (int64_t)numbers[2], (int64_t)numbers[3]};
    return true;
}
