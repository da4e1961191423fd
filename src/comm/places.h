/* Which rank is on which host.
 *
 *     ranks 0 1 2 │ ranks 3 4 5 │ ranks 6 7      firsts = 0, 3, 6, 8; least = 2 */
#ifndef CVY_COMM_PLACES_H
#define CVY_COMM_PLACES_H

#include <stdbool.h>

#include "core/status.h"

struct cvy_network;

struct cvy_places {
    const struct cvy_network *network; /* what messages cost between them (comm/network.h) */
    int ranks, rank;
    int nodes, node; /* hosts; this one */
    int *firsts;     /* [nodes + 1]: where the ranks of each begin, if in_rows */
    int least;       /* ranks of the host that has the fewest */
    bool in_rows;    /* the ranks of each host are neighbours */
};

/* The host of a rank, and its number there. in_rows. */
int cvy_places_node(const struct cvy_places *places, int rank);

struct cvy_comm;
/* Collective, both, while a communicator is made. This rank's number, and the ranks of its host. */
cvy_status cvy_places_find_own(struct cvy_comm *comm);
/* Every rank's host, by comm->node and the hosts' names. */
cvy_status cvy_places_find_all(struct cvy_comm *comm);

#endif
