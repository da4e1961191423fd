/* Where the gradient vector is cut into buckets.
 *
 * Backward finishes it from its end to its start, and buckets travel one after the other: bucket [i, j) of its
 * stretches begins when stretch j−1 is final and the bucket before it has arrived. With T(bytes) what a bucket costs,
 *
 *     end(j) = min over i < j of  max(end(i), final(j − 1)) + T(i … j)
 *
 * is the earliest that stretches 0 … j−1 can be summed, and end(n) the end of all. Of the cuts that reach it those with
 * the fewest buckets are taken, found from the last one back: each as large as it may be without being late. So what is
 * final last, and nothing can hide, is small; and a network whose sum takes less than a few messages is one bucket.
 * (Merged-gradient wait-free back-propagation: S. Shi, X. Chu, B. Li, MG-WFBP: efficient data communication for
 * distributed synchronous SGD algorithms, INFOCOM'19; there greedily, here by dynamic programming.) */
#ifndef CVY_COMM_CUTS_H
#define CVY_COMM_CUTS_H

#include "comm/comm.h"

/* Floats that become final together: from `first` to where the stretch before it began, the first one to the end. */
struct cvy_stretch_end {
    size_t first;   /* a multiple of 16 */
    double seconds; /* since the last leaf's backward began; none is before those to its left */
};

enum { CVY_CUTS_MOST = 4096 }; /* stretches */
/* Cuts a vector of `floats` for the ranks of `comm`: firsts[b] is where bucket b begins, bucket 0 being at the end;
 * [count]. Returns how many. The same on all ranks that give the same. Not collective. */
int cvy_cuts_choose(const struct cvy_comm *comm, size_t floats, const struct cvy_stretch_end *ends, int count,
                    size_t *firsts);
/* The same, where a bucket of `floats` costs what `cost` says; of at most `most` floats unless a stretch is larger. */
typedef double cvy_cuts_cost(const void *arg, size_t floats);
int cvy_cuts_by(cvy_cuts_cost *cost, const void *arg, size_t most, size_t floats, const struct cvy_stretch_end *ends,
                int count, size_t *firsts);

#endif
