#include "train/record/straggler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

#define SLOW 1.25 /* times the median rank */

cvy_status cvy_straggler_create(int ranks, struct cvy_straggler *out) {
    *out = (struct cvy_straggler){.ranks = ranks, .rank = -1, .named = -1};
    CVY_TRY(CVY_NEW(&out->seconds, ranks, general));
    return CVY_NEW(&out->sorted, ranks, general);
}

void cvy_straggler_destroy(struct cvy_straggler *s) {
    cvy_free(s->seconds);
    cvy_free(s->sorted);
    *s = (struct cvy_straggler){.rank = -1, .named = -1};
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The slowest rank of the window if it is slow, else −1. */
static int slow_one(struct cvy_straggler *s) {
    int slowest = 0;
    for (int r = 1; r < s->ranks; r++)
        if (s->seconds[r] > s->seconds[slowest]) slowest = r;
    memcpy(s->sorted, s->seconds, (size_t)s->ranks * sizeof *s->seconds);
    qsort(s->sorted, (size_t)s->ranks, sizeof *s->sorted, ascending);
    s->slow = s->seconds[slowest] / s->steps;
    s->usual = s->sorted[(s->ranks - 1) / 2] / s->steps;
    return s->slow > SLOW * s->usual ? slowest : -1;
}

bool cvy_straggler_step(struct cvy_straggler *s, const double *compute) {
    double longest = 0;
    for (int r = 0; r < s->ranks; r++) longest = fmax(longest, s->seconds[r] += compute[r]);
    if (++s->steps < CVY_STRAGGLER_STEPS || longest < CVY_STRAGGLER_SECONDS) return false;
    const int rank = slow_one(s);
    s->windows = rank >= 0 && rank == s->rank ? s->windows + 1 : 1;
    s->rank = rank;
    s->steps = 0;
    memset(s->seconds, 0, (size_t)s->ranks * sizeof *s->seconds);
    if (rank < 0 || rank == s->named || s->windows < CVY_STRAGGLER_WINDOWS) return false;
    s->named = rank;
    return true;
}
