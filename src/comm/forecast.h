/* How long a step takes on ranks that need not be there, by the α-β model (comm/network.h): backward goes on layer by
 * layer, a bucket starts when its last float is final, and moves on when it is polled between two layers. */
#ifndef CVY_COMM_FORECAST_H
#define CVY_COMM_FORECAST_H

#include "comm/exchange.h"
#include "comm/network.h"

/* A stretch of backward, and the floats of a leaf's vector that are final behind it (none: count 0). */
struct cvy_backward_stretch {
    double seconds;
    size_t first, count;
};

struct cvy_forecast_spec {
    const struct cvy_comm *comm; /* whose places; imagined (comm/imagined.h) or there */
    const struct cvy_exchange_plan *exchange;
    const struct cvy_network *network;
    double before;                                /* s of computing before the last leaf's backward */
    const struct cvy_backward_stretch *stretches; /* of that, in order */
    int stretch_count;
    double update; /* s, of all floats; of each bucket as it arrives, unless they are updated as a whole: */
    bool whole;
};

struct cvy_forecast {
    double step;    /* s: computing, updating and the rest, which is: */
    double exposed; /* waiting for others, and copying for them */
    int buckets;
    int messages;                          /* that a rank sends for a bucket, at most */
    size_t sent;                           /* bytes that it sends in the step */
    const struct cvy_reduction *reduction; /* of all buckets but, perhaps, the first; NULL: one rank */
};
/* Of the slowest rank. Not collective. */
cvy_status cvy_forecast(const struct cvy_forecast_spec *spec, struct cvy_forecast *out);

#endif
