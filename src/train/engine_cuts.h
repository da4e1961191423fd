#ifndef CVY_TRAIN_ENGINE_CUTS_H
#define CVY_TRAIN_ENGINE_CUTS_H

#include "comm/comm.h"
#include "graph/run/layout.h"

/* Where buckets of a leaf's vector begin (struct cvy_exchange_plan.cuts) for leaves of `leaf` samples on ranks of
 * `threads` threads; *firsts is the caller's to free. The same on all ranks that give the same. Not collective. */
cvy_status cvy_engine_cut(const struct cvy_comm *comm, const struct cvy_graph *graph, int leaf, int threads,
                          size_t **firsts, int *count);

#endif
