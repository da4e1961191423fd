/* Ranks that are not there: for what can be said of them before they are. */
#ifndef CVY_COMM_IMAGINED_H
#define CVY_COMM_IMAGINED_H

#include "comm/comm.h"

/* Rank 0 of `nodes` hosts with `each` ranks, all alike. It has places and nothing else: cvy_exchange_bytes and
 * cvy_forecast take it, nothing that sends does. Not collective. */
cvy_status cvy_comm_imagine(int nodes, int each, struct cvy_comm **out);

#endif
