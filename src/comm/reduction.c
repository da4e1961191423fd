/* Which reduction a team takes: the cheapest of those that it can. */
#include "comm/exchange_internal.h"

static const struct cvy_reduction *const reductions[] = {
#define LIST(name, purpose) &cvy_reduction_##name
#define COMMA               ,
    CVY_REDUCTIONS(LIST, COMMA)};

enum { COUNT = sizeof reductions / sizeof *reductions };

const struct cvy_reduction *cvy_reduction_at(int index) {
    return index >= 0 && index < COUNT ? reductions[index] : NULL;
}

const char *cvy_reduction_name(const struct cvy_reduction *reduction) {
    return reduction->name;
}

/* Seconds for a message and a byte of it; between ranks of one host, and of several. */
struct link {
    double message, byte;
};
static const struct link inside = {1e-6, 1 / 4e9}, outside = {3e-6, 1 / 10e9};
static const double COPY_S = 1 / 8e9; /* for a byte that is copied or added */

/* For the team's first member, so that all of it come to the same. */
static double cost(const struct cvy_reduction *reduction, const struct cvy_team *team, size_t floats) {
    struct cvy_team first = *team;
    first.me = 0;
    const struct cvy_bill bill = reduction->bill(&first, floats);
    const struct link *link = team->places->nodes > 1 ? &outside : &inside;
    return bill.messages * link->message + (double)bill.sent * link->byte + (double)bill.copied * COPY_S;
}

double cvy_reduction_seconds(const struct cvy_team *team, size_t floats) {
    return cost(cvy_reduction_choose(team, floats), team, floats);
}

const struct cvy_reduction *cvy_reduction_choose(const struct cvy_team *team, size_t floats) {
    const struct cvy_reduction *best = &cvy_reduction_direct;
    double least = cost(best, team, floats);
    for (int i = 0; i < COUNT && team->size > 1; i++) {
        if (!reductions[i]->applicable(team)) continue;
        const double here = cost(reductions[i], team, floats);
        if (here < least) best = reductions[i], least = here;
    }
    return best;
}
