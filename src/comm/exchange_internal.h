/* The inside of an exchange, for exchange.c (a step), bucket.c (a bucket's way), the reductions, window.c and control.c
 * (the record that rides along). */
#ifndef CVY_COMM_EXCHANGE_INTERNAL_H
#define CVY_COMM_EXCHANGE_INTERNAL_H

#include "comm/exchange.h"
#include "comm/internal.h"
#include "comm/pile.h"
#include "comm/window.h"

/* What summing `floats` costs and needs on one member of a team. */
struct cvy_bill {
    int messages;                       /* sent, at most */
    size_t sent;                        /* bytes */
    size_t copied;                      /* bytes that the rank writes besides */
    int requests;                       /* under way at once, at most */
    size_t scratch;                     /* bytes */
    const struct cvy_reduction *across; /* reduction_node.c: between hosts; NULL: none */
    int rounds, most;                   /* reduction_rounds.c: of messages; pieces of a slice at once */
    size_t arrivals, out;               /* and floats of the scratch before what comes, and before what goes */
};

/* What a team sums: `count` floats of a bucket. Each member brings the whole subtrees that it holds, from left to
 * right, and may write over them; in the end the sum of all is in each member's `sum`, which may be the first piece. */
struct cvy_part {
    struct cvy_team team;
    size_t count;
    int piece_count;
    struct cvy_piece pieces[CVY_TREE_DEPTH];
    float *sum;
};

/*   BUCKET_OPEN ── last leaf's gradient is final ──► BUCKET_UNDERWAY (the reduction's phases) ──► BUCKET_DONE */
enum bucket_state { BUCKET_OPEN, BUCKET_UNDERWAY, BUCKET_DONE };
/* Of reduction_node.c, on one rank. */
enum node_stage { NODE_START, NODE_PIECES, NODE_ACROSS, NODE_SLICES };

struct bucket {
    size_t first, count; /* floats of the flat vector */
    size_t missing;      /* floats of the current leaf that are not final */
    enum bucket_state state;
    const struct cvy_reduction *reduction; /* of this step */
    struct cvy_bill bill;
    int phase;
    struct cvy_part part;
    enum node_stage stage;
    float *scratch; /* as large as the reduction's bill says */
    float *arrived; /* reduction_rounds.c: where the next messages go in it */
    struct cvy_requests requests;
};

struct cvy_reduction {
    const char *name, *wants; /* wants: what makes it applicable, for messages; NULL: nothing */
    bool (*applicable)(const struct cvy_team *team);
    struct cvy_bill (*bill)(const struct cvy_team *team, size_t floats);
    /* Of bucket->part: starts its messages or says what it waits for (bucket->requests), and is called with the next
     * phase when all of that has come, until it is done. */
    cvy_status (*run)(struct cvy_exchange *x, struct bucket *bucket, int phase, bool *done);
};
/* The exact reduction that costs the least on this team, the same on all its members. */
const struct cvy_reduction *cvy_reduction_choose(const struct cvy_team *team, size_t floats);
/* What it is expected to take, likewise. */
double cvy_reduction_seconds(const struct cvy_team *team, size_t floats);

struct control {
    double *record;            /* own: struct control_head, then [own leaves][values] */
    double *all;               /* rank 0: every rank's record, one behind the other */
    double *joint;             /* struct joint_head, then [values] */
    float (*spent)[CVY_SPENT]; /* rank 0: [ranks] */
    enum { CONTROL_IDLE, CONTROL_RECORDS, CONTROL_JOINT, CONTROL_DONE } state;
    struct cvy_requests requests;
};

struct cvy_exchange {
    struct cvy_comm *comm;
    MPI_Comm mpi; /* our own: nothing else can get between our messages */
    const struct cvy_compute *compute;
    const struct cvy_compute *adds; /* with what whoever moves buckets adds what has come */
    struct cvy_progress *progress;  /* NULL: polls alone move them */
    struct cvy_exchange_plan plan;
    struct cvy_team team; /* all ranks, with the leaves of this step */
    unsigned step;        /* counts up, and wraps around */
    struct cvy_leaf_range share;
    struct cvy_tree_sum tree;
    float *buffers[CVY_TREE_DEPTH]; /* leaf gradients */
    int buffer_count;
    struct cvy_window *window;            /* where they lie, NULL: in memory of our own */
    char doubt[256];                      /* why there is none, though it was wanted; "" else */
    struct cvy_piece own[CVY_TREE_DEPTH]; /* own pieces, known when the last own leaf begins */
    int own_count;
    float *sum; /* of own[0], or a spare buffer on a rank without leaves */
    struct bucket *buckets;
    int bucket_count, started;
    struct control control;
};

/* Buckets of a plan, and where one begins: the first ends at the vector's end, each other where the one before begins.
 */
int cvy_plan_buckets(const struct cvy_exchange_plan *plan);
size_t cvy_plan_bucket(const struct cvy_exchange_plan *plan, int bucket);

/* Moves all that is under way, without waiting; who calls has the lock of comm/progress.h. */
cvy_status cvy_exchange_advance(struct cvy_exchange *x);
/* Moves on until what is awaited has come, under the deadlines of all waits. */
typedef bool cvy_exchange_awaited(const void *what);
cvy_status cvy_exchange_await(struct cvy_exchange *x, cvy_exchange_awaited *awaited, const void *what,
                              struct cvy_requests *requests, const char *doing);
/* Starts a bucket: its own pieces are final. */
cvy_status cvy_bucket_start(struct cvy_exchange *x, struct bucket *bucket);
/* Moves a bucket on as far as messages have come. */
cvy_status cvy_bucket_advance(struct cvy_exchange *x, struct bucket *bucket);
/* Floats to or from a member of the part's team. None are no message. */
cvy_status cvy_bucket_send(struct cvy_exchange *x, struct bucket *bucket, const float *from, size_t count, int member);
cvy_status cvy_bucket_receive(struct cvy_exchange *x, struct bucket *bucket, float *to, size_t count, int member);

cvy_status cvy_control_create(struct cvy_exchange *x, int own_leaves, int leaves);
void cvy_control_destroy(struct control *control);
/* Bytes that _create takes. */
size_t cvy_control_bytes(int own_leaves, int leaves, size_t values, int rank, int ranks);
cvy_status cvy_control_advance(struct cvy_exchange *x);

#endif
