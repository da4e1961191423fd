/* Which reduction a team takes: the cheapest of those that it can. */
#include "comm/exchange_internal.h"
#include "comm/network.h"

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

const struct cvy_reduction *cvy_reduction_choose(const struct cvy_team *team, size_t floats) {
    const struct cvy_network *network = team->places->network;
    const struct cvy_reduction *best = &cvy_reduction_direct;
    double least = cvy_network_cost(network, best, team, floats);
    for (int i = 0; i < COUNT && team->size > 1; i++) {
        if (!reductions[i]->applicable(team)) continue;
        const double here = cvy_network_cost(network, reductions[i], team, floats);
        if (here < least) best = reductions[i], least = here;
    }
    return best;
}

double cvy_reduction_seconds(const struct cvy_team *team, size_t floats) {
    return cvy_network_cost(team->places->network, cvy_reduction_choose(team, floats), team, floats);
}
