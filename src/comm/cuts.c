#include "comm/cuts.h"

#include "comm/exchange_internal.h"
#include "core/memory.h"

#define MOST    ((size_t)1 << 20) /* floats of a bucket: scratch is made for it, and leaves are added by it */
#define LEAST   ((size_t)16)
#define BEGIN_S 5e-6 /* of a bucket, besides its messages: to be noticed by all, in a poll each */

/* ---- The best cuts ---- */

struct problem {
    cvy_cuts_cost *cost;
    const void *arg;
    size_t most, floats;
    const struct cvy_stretch_end *ends;
    int count;
    double *end; /* [count + 1]: the earliest that the stretches before this one can be summed */
};

/* Where stretch i ends: the floats of stretches [i, j) are [ends[j − 1].first, behind(i)). */
static size_t behind(const struct problem *p, int i) {
    return i == 0 ? p->floats : p->ends[i - 1].first;
}

static size_t floats_of(const struct problem *p, int i, int j) {
    return behind(p, i) - p->ends[j - 1].first;
}

static bool allowed(const struct problem *p, int i, int j) {
    return j - i == 1 || floats_of(p, i, j) <= p->most;
}

/* When the bucket of stretches [i, j) has arrived. */
static double arrival(const struct problem *p, int i, int j) {
    const double final = p->ends[j - 1].seconds, start = p->end[i] > final ? p->end[i] : final;
    return start + p->cost(p->arg, floats_of(p, i, j));
}

static void find_ends(const struct problem *p) {
    p->end[0] = 0;
    for (int j = 1; j <= p->count; j++) {
        p->end[j] = arrival(p, j - 1, j);
        for (int i = j - 2; i >= 0 && allowed(p, i, j); i--) {
            const double here = arrival(p, i, j);
            if (here < p->end[j]) p->end[j] = here;
        }
    }
}

/* The largest bucket before stretch j that has arrived by `limit`: where it begins. */
static int widest(const struct problem *p, int j, double limit) {
    int best = -1;
    for (int i = j - 1; i >= 0 && allowed(p, i, j); i--)
        if (arrival(p, i, j) <= limit) best = i;
    CVY_ASSERT(best >= 0); /* one of them gave end[j] */
    return best;
}

int cvy_cuts_by(cvy_cuts_cost *cost, const void *arg, size_t most, size_t floats, const struct cvy_stretch_end *ends,
                int count, size_t *firsts) {
    static _Thread_local double end[CVY_CUTS_MOST + 1];
    const struct problem p = {cost, arg, most, floats, ends, count, end};
    int buckets = 0;
    CVY_ASSERT(count <= CVY_CUTS_MOST);
    find_ends(&p);
    double limit = end[count];
    for (int j = count; j > 0;) {
        const int i = widest(&p, j, limit);
        firsts[buckets++] = ends[j - 1].first;
        limit -= cost(arg, floats_of(&p, i, j));
        if (limit < end[i]) limit = end[i]; /* rounding */
        j = i;
    }
    for (int b = 0; b < buckets / 2; b++) {
        const size_t first = firsts[b];
        firsts[b] = firsts[buckets - 1 - b];
        firsts[buckets - 1 - b] = first;
    }
    return buckets;
}

/* ---- What a bucket costs ---- */

/* At powers of two, since a bill takes some time where ranks are many; lines between them. */
enum { SIZES = 23 };
static double between_sizes(const void *arg, size_t floats) {
    const double *seconds = arg;
    int s = 0;
    while (s + 2 < SIZES && LEAST << (s + 1) < floats) s++;
    const double low = (double)(LEAST << s), share = ((double)floats - low) / low;
    return seconds[s] + share * (seconds[s + 1] - seconds[s]);
}

int cvy_cuts_choose(const struct cvy_comm *comm, size_t floats, const struct cvy_stretch_end *ends, int count,
                    size_t *firsts) {
    const struct cvy_places *places = &comm->places;
    const struct cvy_team team = cvy_team_all(places, places->rank, places->ranks, true);
    double seconds[SIZES];
    for (int s = 0; s < SIZES; s++) seconds[s] = BEGIN_S + cvy_reduction_seconds(&team, LEAST << s);
    return cvy_cuts_by(between_sizes, seconds, MOST, floats, ends, count, firsts);
}
