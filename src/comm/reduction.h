/* How a bucket is summed over all ranks: one list, from which the setting comm.reduction is read too. A reduction is a
 * file that ends in its kind (exchange_internal.h), and a word here. */
#ifndef CVY_COMM_REDUCTION_H
#define CVY_COMM_REDUCTION_H

/* Name, what it is for users; SEP stands between two. */
#define CVY_REDUCTIONS(X, SEP)                                                                                         \
    X(exact, "the same bits for every number of ranks")                                                                \
    SEP X(fast, "MPI's own")

struct cvy_reduction;
#define CVY_REDUCTION_DECLARE(name, purpose) extern const struct cvy_reduction cvy_reduction_##name;
CVY_REDUCTIONS(CVY_REDUCTION_DECLARE, )

/* Number `index` of the list. */
const struct cvy_reduction *cvy_reduction_at(int index);

#endif
