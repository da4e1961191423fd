/* The gradient exchange: from leaf gradients on each rank to their sum on every rank, in the tree's order, overlapped
 * with the backward pass.
 *
 * The flat gradient vector is cut into buckets from its end to its start, the order in which backward finishes them.
 * A bucket that is complete is summed by one of the ways of comm/reduction.h. Leaf gradients lie in memory that the
 * ranks of a host share, where that can be had. All buffers and requests are made at creation.
 *
 * One step on each rank:
 *
 *     cvy_exchange_begin(x, leaves_of_this_step);
 *     for each own leaf (cvy_tree_share):
 *         g = cvy_exchange_leaf(x);             backward writes the leaf's whole gradient there …
 *         cvy_exchange_ready(x, offset, count)  … and may say which floats are final (hook on_grad)
 *         cvy_exchange_leaf_done(x);
 *     cvy_exchange_send_control(x, &mine, values);
 *     for each bucket: cvy_exchange_wait(x, b); optimiser on floats [first, end) of cvy_exchange_sum(x)
 *     cvy_exchange_wait_control(x, &joint, sums);
 */
#ifndef CVY_COMM_EXCHANGE_H
#define CVY_COMM_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comm/comm.h"
#include "comm/reduction.h"
#include "kernels/compute.h"

struct cvy_exchange;

/* Who moves messages while a rank computes (comm/progress.h). AUTO: the thread where it pays. */
enum cvy_progress_by { CVY_PROGRESS_AUTO, CVY_PROGRESS_POLL, CVY_PROGRESS_THREAD };

enum { CVY_EXCHANGE_SIZES = 3 }; /* of batches: whole, the last of an epoch, of one that was begun in other batches */
struct cvy_exchange_plan {
    size_t floats;                  /* of the flat gradient vector (cvy_params.stored) */
    size_t bucket_floats;           /* a bucket's size; rounded up to whole 64-byte lines; 0: one bucket */
    const size_t *cuts;             /* instead: where each bucket begins, from the vector's end (comm/cuts.h); NULL */
    int cut_count;                  /* its length; the last one is 0, all are whole lines */
    int leaves[CVY_EXCHANGE_SIZES]; /* of a whole batch, and of shorter ones that end an epoch (0: there is none) */
    size_t values;                  /* doubles a leaf that travel with the control record (loss, statistics …) */
    const struct cvy_reduction *reduction; /* NULL: the exact one that costs the least */
    enum cvy_progress_by progress;
    bool passes; /* leaves come several times a step, with other floats each time (cvy_exchange_rewind) */
};

/* Bytes that cvy_exchange_create takes on this rank, leaf gradients included. comm: NULL for a process alone. Not
 * collective. */
size_t cvy_exchange_bytes(const struct cvy_exchange_plan *plan, const struct cvy_comm *comm);

/* Collective. comm and compute must outlive the exchange. `compute` is called from the thread that calls us.
 * CVY_ERR_USAGE where plan.reduction cannot be had with these ranks. */
cvy_status cvy_exchange_create(struct cvy_comm *comm, const struct cvy_compute *compute,
                               const struct cvy_exchange_plan *plan, struct cvy_exchange **out);
/* Collective. NULL is fine. */
void cvy_exchange_destroy(struct cvy_exchange **x);

int cvy_exchange_buckets(const struct cvy_exchange *x);
/* Floats [*first, *end) of the flat vector; bucket 0 is at the vector's end. Not collective. */
void cvy_exchange_bucket(const struct cvy_exchange *x, int bucket, size_t *first, size_t *end);

/* How a bucket is summed in this step (before the first: in that of a whole batch), and in which way rank 0's host
 * falls short of what was wanted: "", or why the ranks of a host have no memory in common. Not collective. */
const struct cvy_reduction *cvy_exchange_reduction(const struct cvy_exchange *x, int bucket);
const char *cvy_exchange_doubt(const struct cvy_exchange *x);
/* Whether a thread moves this rank's messages. Not collective. */
bool cvy_exchange_has_thread(const struct cvy_exchange *x);

/* Collective, as the whole step is. `leaves`: of this step, one of plan.leaves. A rank without leaves has no leaf to
 * compute; its part starts here. */
cvy_status cvy_exchange_begin(struct cvy_exchange *x, int leaves);
/* Where the next leaf's gradient goes: [plan.floats], content undefined (write, do not add). */
float *cvy_exchange_leaf(struct cvy_exchange *x);
/* Floats [first, first + count) of the current leaf's gradient are final. Joins and starts what can be, polls.
 * Optional, at most once for each float and leaf. */
cvy_status cvy_exchange_ready(struct cvy_exchange *x, size_t first, size_t count);
/* All of the current leaf's gradient is final. */
cvy_status cvy_exchange_leaf_done(struct cvy_exchange *x);
/* Between two passes over the leaves (plan.passes): they come again from the first. In each pass cvy_exchange_ready
 * names the floats that it makes final; a float belongs to one pass. */
cvy_status cvy_exchange_rewind(struct cvy_exchange *x);
/* Leaves of the current step. Not collective. */
int cvy_exchange_leaves(const struct cvy_exchange *x);
/* Moves what can be moved, without waiting. */
cvy_status cvy_exchange_poll(struct cvy_exchange *x);
/* Waits until a bucket is summed. The message of a missed deadline names the ranks whose data did not come. */
cvy_status cvy_exchange_wait(struct cvy_exchange *x, int bucket);
/* The vector that holds the sum of every bucket waited for (the same vector for all buckets of a step). Valid, and the
 * caller's to change, until the next _begin. */
float *cvy_exchange_sum(struct cvy_exchange *x);

/* What a rank did with its time in a step. */
enum cvy_spent { CVY_SPENT_DATA, CVY_SPENT_COMPUTE, CVY_SPENT_COMM, CVY_SPENT_UPDATE, CVY_SPENT };

/* What rides along with each step, so that all ranks decide the same thing at the same step. */
struct cvy_control {
    uint64_t hash;          /* of (step, graph): must be the same on all ranks */
    bool stop;              /* joint: any rank's wish, as the next */
    bool save;              /* to have a checkpoint of this step */
    bool nonfinite;         /* joint: any rank's finding */
    bool unread;            /* joint: some rank could not read its part of the batch, so that the step does not count */
    float spent[CVY_SPENT]; /* mine: s, in the step before */
};
/* values: [own leaves][plan.values], copied. Once a step, at any time between begin and wait_control. */
cvy_status cvy_exchange_send_control(struct cvy_exchange *x, const struct cvy_control *mine, const double *values);
/* joint: the same on every rank; sums: [plan.values], each summed over all leaves in the tree's order. CVY_ERR_INTERNAL
 * on every rank when hashes differ, naming the first rank whose hash is not rank 0's. */
cvy_status cvy_exchange_wait_control(struct cvy_exchange *x, struct cvy_control *joint, double *sums);
/* Rank 0, after _wait_control: what each rank told of its time, [ranks][CVY_SPENT]; NULL on the others. */
const float (*cvy_exchange_spent(const struct cvy_exchange *x))[CVY_SPENT];

#endif
