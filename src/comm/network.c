/* What reductions cost, and the line through what was measured. */
#include "comm/network.h"

#include <math.h>

#include "comm/exchange_internal.h"

const struct cvy_network cvy_network_usual = {
    .inside = {1e-6, 1 / 4e9}, .outside = {3e-6, 1 / 10e9}, .copied = 1 / 8e9};

double cvy_network_cost(const struct cvy_network *network, const struct cvy_reduction *reduction,
                        const struct cvy_team *team, size_t floats) {
    struct cvy_team first = *team;
    first.me = 0;
    const struct cvy_bill bill = reduction->bill(&first, floats);
    const struct cvy_link *link = team->places->nodes > 1 ? &network->outside : &network->inside;
    return bill.messages * link->message + (double)bill.sent * link->byte + (double)bill.copied * network->copied;
}

void cvy_comm_set_network(struct cvy_comm *comm, const struct cvy_network *network) {
    comm->network = *network;
}

/* Σ ((α + β·x − t)/t)² is least where its two derivatives are zero. */
static struct cvy_link least_squares(const struct cvy_link_points *p) {
    double n = 0, x = 0, xx = 0, t = 0, xt = 0;
    for (int i = 0; i < CVY_NETWORK_SIZES; i++) {
        const double seconds = p->seconds[i], bytes = (double)p->bytes[i], weight = 1 / (seconds * seconds);
        n += weight;
        x += weight * bytes;
        xx += weight * bytes * bytes;
        t += weight * seconds;
        xt += weight * bytes * seconds;
    }
    const double determinant = n * xx - x * x;
    struct cvy_link fit = {(xx * t - x * xt) / determinant, (n * xt - x * t) / determinant};
    if (fit.message < 0) fit = (struct cvy_link){0, xt / xx};
    if (fit.byte < 0) fit = (struct cvy_link){t / n, 0};
    return fit;
}

void cvy_link_fit(struct cvy_link_points *points) {
    points->fit = least_squares(points);
    points->error = 0;
    for (int i = 0; i < CVY_NETWORK_SIZES; i++) {
        const double line = points->fit.message + points->fit.byte * (double)points->bytes[i];
        points->error = fmax(points->error, fabs(line / points->seconds[i] - 1));
    }
}
