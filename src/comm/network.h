/* What a message costs: α seconds, and β for each of its bytes (R. W. Hockney, The communication challenge for MPP:
 * Intel Paragon and Meiko CS-2, Parallel Computing 20(3), 1994). One model for all: by it a bucket's reduction is
 * chosen, a training on ranks that are not there is planned, and a machine that is there is measured. */
#ifndef CVY_COMM_NETWORK_H
#define CVY_COMM_NETWORK_H

#include "comm/comm.h"
#include "comm/reduction.h"
#include "comm/team.h"

struct cvy_link {
    double message, byte; /* s */
};
struct cvy_network {
    struct cvy_link inside, outside; /* between ranks of one host, and of several */
    double copied;                   /* s a byte that a rank copies or adds */
};
/* What is assumed where nothing was measured. */
extern const struct cvy_network cvy_network_usual;

/* Seconds for summing `floats` over a team, the same for all members: that of the first. */
double cvy_network_cost(const struct cvy_network *network, const struct cvy_reduction *reduction,
                        const struct cvy_team *team, size_t floats);

/* By which this communicator's reductions are chosen and buckets are cut from now on, instead of the usual one: the
 * same on all ranks, before an exchange is made. Not collective. */
void cvy_comm_set_network(struct cvy_comm *comm, const struct cvy_network *network);

/* ---- Measuring ---- */

enum { CVY_NETWORK_SIZES = 11 }; /* of messages: 4 bytes to 4 MiB, each four times the one before */
struct cvy_link_points {
    int pairs; /* of ranks that were measured; 0: there are none, and all is zero */
    size_t bytes[CVY_NETWORK_SIZES];
    double seconds[CVY_NETWORK_SIZES]; /* a message takes: those of the fastest tenth, the median of the pairs */
    struct cvy_link fit;
    double error; /* of the fit where it fits worst, as a share of what was measured */
};
struct cvy_network_points {
    struct cvy_link_points inside, outside;
};
/* The line that is nearest to the points, each point's distance taken as a share of it: so small messages say what α is
 * and large ones what β is. Neither is below zero. Not collective. */
void cvy_link_fit(struct cvy_link_points *points);
/* Round trips between the first two ranks of a host, and the first ranks of two hosts, pair after pair while the others
 * wait; about `seconds` in all. The result is the same on all ranks. Collective. */
cvy_status cvy_network_measure(struct cvy_comm *comm, double seconds, struct cvy_network_points *out);

#endif
