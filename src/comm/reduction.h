/* How a bucket is summed over all ranks: algorithms, all of which give the exact tree's bits (comm/tree.h), and one
 * that does not. A new one is a file that ends in its const struct cvy_reduction (exchange_internal.h), and a row here.
 *
 * Of W ranks, on N hosts of m each, each has b bytes of a bucket, in p whole subtrees of the tree: 1 where the leaves
 * divide evenly into powers of two, else a few. What a rank sends:
 *
 *     row       messages               bytes
 *     node      none, if N = 1         none         or across, of N hosts instead of W ranks, of b/m
 *     direct    (p + 1)·(W − 1)        (p + 1)·b·(W − 1)/W
 *     halving   2·log2 W               2·b·(W − 1)/W            W a power of 2; both more if p > 1
 *     bruck     2·⌈log2 W⌉             (2 to 2.5)·b·(W − 1)/W   any W
 *     library   MPI's own business
 *
 * node: each rank of a host adds a slice of all, in memory that all see, and puts the sum there for each; between hosts
 * slice j is summed by the hosts' ranks number j. Several leaders a host, one for each slice, as in DPML (Bayatpour,
 * Chakraborty, Subramoni, Lu, Panda, Scalable reduction collectives with data partitioning-based multi-leader design,
 * SC'17); one copy only, as in Hashmi et al., Designing efficient shared address space reduction collectives, IPDPS'18.
 *
 * direct: slice j of all goes to rank j, who adds and sends the sum to all.
 *
 * halving: halves of ever smaller slices go to ever farther ranks, sums come back the same way (R. Rabenseifner,
 * Optimization of collective reduction operations, ICCS 2004); nearest ranks first, so that what meets are siblings.
 *
 * bruck: the same on a ring (J. Bruck, C.-T. Ho, S. Kipnis, E. Upfal, D. Weathersby, Efficient algorithms for
 * all-to-all communications in multiport message-passing systems, IEEE TPDS 8(11), 1997), with sums in between (Bruck
 * and Ho, Efficient global combine operations in multi-port message-passing systems, Parallel Processing Letters 3(4),
 * 1993).
 *
 * library: MPI_Iallreduce (comm.reduction: fast); its bits depend on the ranks and on the library.
 *
 * No order of adding is ever changed: what cannot be added yet, because the tree wants another subtree first, travels
 * beside what was added. That is what the bytes of bruck beyond 2·b are: neighbours on a ring are not always siblings.
 *
 * Nothing is compressed. What loses digits must lose the same ones whatever the number of ranks, so it may look at
 * leaves and nodes of the tree, and at nothing that a rank happens to hold:
 *
 *     bf16        rounds at every node: possible so, and half of the bytes. What makes it harmless is to keep what was
 *                 rounded off and add it in the next step (error feedback: Karimireddy, Rebjock, Stich, Jaggi, Error
 *                 feedback fixes SignSGD, ICML'19), and that is a vector a leaf, of all leaves, in every checkpoint
 *     top-k       the union of what leaves choose grows up to the root, and is dense before it is there; chosen again
 *                 at every node it is error feedback of every node
 *     PowerSGD    (Vogels, Karimireddy, Jaggi, NeurIPS'19) orthogonalises the sum of all leaves between two sums: two
 *                 trips a bucket instead of one that backward hides, and again a remainder a leaf
 *
 * Within a host nothing is sent at all, and between hosts buckets are hidden behind backward first.
 *
 * The model by which one is chosen, α a message and β a byte: R. Thakur, R. Rabenseifner, W. Gropp, Optimization of
 * collective communication operations in MPICH, IJHPCA 19(1), 2005. */
#ifndef CVY_COMM_REDUCTION_H
#define CVY_COMM_REDUCTION_H

#include <stdbool.h>

/* The exact ones, as the setting comm.algorithm names them. X(name, what it is for users), SEP between two. Of those
 * that cost the same the first is taken. */
#define CVY_REDUCTIONS(X, SEP)                                                                                         \
    X(node, "memory that the ranks of a host share, then across hosts")                                                \
    SEP X(direct, "every rank with every other")                                                                       \
    SEP X(halving, "few messages, 2^n ranks")                                                                          \
    SEP X(bruck, "few messages, any number of ranks")

struct cvy_reduction;
#define CVY_REDUCTION_DECLARE(name, purpose) extern const struct cvy_reduction cvy_reduction_##name;
CVY_REDUCTIONS(CVY_REDUCTION_DECLARE, )
extern const struct cvy_reduction cvy_reduction_library;

/* Number `index` of the list; NULL behind it. */
const struct cvy_reduction *cvy_reduction_at(int index);
const char *cvy_reduction_name(const struct cvy_reduction *reduction);

#endif
