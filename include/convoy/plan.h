/* Several hosts: how fast messages between ranks are. */
#ifndef CONVOY_PLAN_H
#define CONVOY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "convoy/context.h"
#include "convoy/sized.h"
#include "convoy/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Messages between ranks of one host, or of two: each takes alpha and a time for its bytes. These two keep their size.
 */
enum { CVY_LINK_POINTS = 16 };
struct cvy_link_facts {
    int pairs;             /* of ranks that were measured; 0: there are none, and all is zero */
    double alpha_us, gb_s; /* the line through the points: µs a message, 10⁹ bytes a second */
    double error;          /* of the line where it fits worst, as a share of the point */
    int point_count;
    struct {
        int64_t bytes;
        double us; /* one way: half a round trip, of the fastest tenth */
    } points[CVY_LINK_POINTS];
};
struct cvy_network_facts {
    size_t size; /* of this struct */
    int ranks, hosts;
    struct cvy_link_facts node, across; /* ranks of one host, of two */
};
CVY_SIZED(cvy_network_facts)
struct cvy_bench_network_options {
    size_t size;    /* of this struct */
    double seconds; /* how long to measure; 0: 3 */
};
CVY_SIZED(cvy_bench_network_options)
/* Measures messages between ranks of the context. CVY_ERR_USAGE where it has only one. Collective. */
CVY_API cvy_status cvy_bench_network(struct cvy_context *ctx, const struct cvy_bench_network_options *options,
                                     struct cvy_network_facts *out);

#ifdef __cplusplus
}
#endif

#endif
