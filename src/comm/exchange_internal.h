/* The inside of an exchange, for exchange.c (a step), bucket.c (a bucket's way) and control.c (the record that rides
 * along). */
#ifndef CVY_COMM_EXCHANGE_INTERNAL_H
#define CVY_COMM_EXCHANGE_INTERNAL_H

#include "comm/exchange.h"
#include "comm/internal.h"
#include "comm/tree.h"

/* A whole subtree that some rank holds. Remote ones arrive slice by slice in the buckets' scratch, in this order. */
struct piece {
    int rank;
    struct cvy_leaf_range subtree;
};

/*   BUCKET_OPEN ── last leaf's gradient is final ──► BUCKET_UNDERWAY (the reduction's phases) ──► BUCKET_DONE */
enum bucket_state { BUCKET_OPEN, BUCKET_UNDERWAY, BUCKET_DONE };

struct bucket {
    size_t first, count; /* floats of the flat vector */
    size_t missing;      /* floats of the current leaf that are not final */
    enum bucket_state state;
    int phase;
    float *scratch; /* [remote pieces][own slice], where the reduction has them */
    struct cvy_requests requests;
};

enum { CVY_REDUCTION_PHASES = 2 };
struct cvy_reduction {
    /* Each starts its messages, and is called when those of the one before have arrived; NULL behind the last. Own
     * pieces are in x->own; in the end the bucket's floats of x->sum are the sum. */
    cvy_status (*phases[CVY_REDUCTION_PHASES])(struct cvy_exchange *x, struct bucket *bucket);
    bool pieces; /* each rank's pieces come to every other rank's scratch */
};

struct control {
    double *record; /* own: struct control_head, then [own leaves][values] */
    double *all;    /* rank 0: every rank's record, one behind the other */
    double *joint;  /* struct joint_head, then [values] */
    enum { CONTROL_IDLE, CONTROL_RECORDS, CONTROL_JOINT, CONTROL_DONE } state;
    struct cvy_requests requests;
};

struct cvy_exchange {
    struct cvy_comm *comm;
    MPI_Comm mpi; /* our own: nothing else can get between our messages */
    const struct cvy_compute *compute;
    struct cvy_exchange_plan plan;
    int leaves; /* of this step; 0 before the first */
    struct cvy_leaf_range share;
    struct cvy_tree_sum tree;
    float *buffers[CVY_TREE_DEPTH]; /* leaf gradients */
    int buffer_count;
    struct piece *pieces; /* of all ranks, in the order of their leaves */
    int piece_count, own_count;
    float *own[CVY_TREE_DEPTH]; /* own pieces, known when the last own leaf begins */
    float *sum;                 /* own[0], or a spare buffer on a rank without leaves */
    struct bucket *buckets;
    int bucket_count, started;
    struct control control;
};

/* Starts a bucket: its own pieces are final. */
cvy_status cvy_bucket_start(struct cvy_exchange *x, struct bucket *bucket);
/* Moves a bucket on as far as messages have come. */
cvy_status cvy_bucket_advance(struct cvy_exchange *x, struct bucket *bucket);
/* Floats of the slice that a rank adds: the largest (that of rank 0) for `rank` 0. */
void cvy_bucket_slice(const struct cvy_exchange *x, const struct bucket *bucket, int rank, size_t *first,
                      size_t *count);

cvy_status cvy_control_create(struct cvy_exchange *x, int own_leaves, int leaves);
void cvy_control_destroy(struct control *control);
/* Bytes that _create takes. */
size_t cvy_control_bytes(int own_leaves, int leaves, size_t values, int rank, int ranks);
cvy_status cvy_control_advance(struct cvy_exchange *x);

#endif
