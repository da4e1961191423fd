/* Memory that the ranks of a host see of each other: where leaf gradients lie, so that nobody has to send them, and
 * words by which each says how far it is.
 *
 *     rank's own segment:   | board: where its pieces are; flags of every bucket | gradient vectors |
 *
 * Only its owner raises a flag, when what it stands for can be seen (release); others look (acquire), under the same
 * deadlines as for messages. */
#ifndef CVY_COMM_WINDOW_H
#define CVY_COMM_WINDOW_H

#include <stdatomic.h>

#include "comm/internal.h"
#include "comm/pile.h"

/* Of a bucket, on a line of its own. Numbers of the steps in which it was last so. */
struct cvy_bucket_flags {
    _Alignas(64) atomic_uint pieces; /* the rank's pieces are final, and may be written over */
    atomic_uint slice;               /* its slice of the sum is in the vectors of all ranks */
};

struct cvy_board {
    _Alignas(
        64) int vectors[CVY_TREE_DEPTH]; /* which of its vectors hold its pieces; the first is where its sum goes */
    struct cvy_bucket_flags buckets[];
};

struct cvy_window {
    MPI_Win win;
    int ranks, me, first;      /* of this host; rank `first` of the job is the first of them */
    size_t floats;             /* of a vector */
    size_t board_bytes;        /* likewise for all */
    struct cvy_board **boards; /* [ranks] */
    /* Of the current step, on this rank: */
    unsigned known;           /* the step for which these are: */
    struct cvy_piece *pieces; /* of all ranks of the host, from left to right */
    float **sums;             /* [ranks] */
    int piece_count;
};

struct cvy_window_plan {
    int vectors, buckets; /* this rank's, all ranks' */
    size_t floats;
    int pieces; /* of all ranks of the host, at most */
};

/* Collective. *out stays NULL, with one sentence in `why` on rank 0, where some host has no such memory. */
cvy_status cvy_window_create(struct cvy_comm *comm, const struct cvy_window_plan *plan, char why[256],
                             struct cvy_window **out);
/* Collective; not where the communicator is broken: then it is left as it is. NULL is fine. */
void cvy_window_destroy(struct cvy_comm *comm, struct cvy_window **window);
/* Vector `index` of a rank of this host. */
float *cvy_window_vector(const struct cvy_window *window, int local, int index);

#endif
