/* The exact tree: in which order leaves are summed, whatever the number of ranks.
 *
 * The tree over leaves [0, n) splits at the largest power of two below n. Equivalently its nodes are the aligned ranges
 * [i·2^k, min((i+1)·2^k, n)):
 *
 *     n = 6:      [0,6)               a rank that holds leaves [1,4) holds the whole subtrees [1,2) and [2,4);
 *               [0,4)  [4,6)          it adds 2 and 3, and never 1 and 2.
 *            [0,2)[2,4) 4  5
 *            0  1 2  3
 *
 * Two neighbours are joined as soon as they are both children of one node: so a stack of the subtrees that are there,
 * fed from the left, holds at most about 2·log2 of them (and log2 + 1 where the range starts at a multiple of its
 * length).
 */
#ifndef CVY_COMM_TREE_H
#define CVY_COMM_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/compute.h"

#define CVY_TREE_DEPTH 64 /* subtrees of any range of int leaves */

struct cvy_leaf_range {
    int first, end; /* leaves [first, end) */
};

/* The leaves of a rank: [⌊rL/W⌋, ⌊(r+1)L/W⌋); none when first = end. */
struct cvy_leaf_range cvy_tree_share(int leaves, int rank, int ranks);
/* Whether `left` and `right`, neighbours, are the two children of one node of the tree over [0, leaves). */
bool cvy_tree_siblings(int leaves, struct cvy_leaf_range left, struct cvy_leaf_range right);
/* The largest whole subtrees that `range` consists of, from left to right; returns how many. */
int cvy_tree_subtrees(int leaves, struct cvy_leaf_range range, struct cvy_leaf_range subtrees[CVY_TREE_DEPTH]);
/* Gradient buffers that summing the leaves of `range` one by one needs (at least 1, also for an empty range). */
int cvy_tree_buffers(int leaves, struct cvy_leaf_range range);
/* The tree's sum of [leaves][len] doubles, in place: it ends in the first row. */
void cvy_tree_sum_rows(double *rows, int leaves, size_t len);

/* Summing the leaves of one rank. Begin; then for each leaf from left to right: compute into the buffer of _leaf, _join
 * every part of it (in any cut and order, once each), _next. Afterwards `subtrees` are the whole subtrees that the
 * range consists of, each with its sum in `data`. Buffers are the caller's; none is copied, and which are used changes
 * from step to step. */
struct cvy_tree_sum {
    int leaves, end, next; /* next: the leaf being computed */
    int depth;             /* subtrees on the stack */
    int spares;            /* buffers that are free, the next leaf's the last of them */
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    float *data[CVY_TREE_DEPTH]; /* of each subtree */
    float *spare[CVY_TREE_DEPTH];
};
/* buffers: `room` ≥ cvy_tree_buffers(leaves, range) vectors. */
void cvy_tree_sum_begin(struct cvy_tree_sum *sum, int leaves, struct cvy_leaf_range range, float *const *buffers,
                        int room);
/* The vector to compute the gradient of leaf `sum->next` into; its content is undefined. */
float *cvy_tree_sum_leaf(const struct cvy_tree_sum *sum);
/* Floats [first, first + count) of the current leaf's gradient are final: joins them with the subtrees to the left as
 * far as this leaf completes subtrees. */
void cvy_tree_sum_join(const struct cvy_tree_sum *sum, const struct cvy_compute *compute, size_t first, size_t count);
/* All parts are joined: on to the next leaf. */
void cvy_tree_sum_next(struct cvy_tree_sum *sum);

#endif
