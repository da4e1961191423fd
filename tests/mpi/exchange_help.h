/* What the tests of the exchange share: a communicator and a compute context, and gradients whose sums they know. */
#ifndef CVY_TESTS_EXCHANGE_HELP_H
#define CVY_TESTS_EXCHANGE_HELP_H

#include "comm/exchange.h"
#include "test.h"

/* Of all ranks; the caller destroys them. */
struct cvy_comm *exchange_comm(void);
struct cvy_compute *exchange_compute(void);

/* Value i of a leaf's gradient, awkward: signs and eight orders of magnitude, so that any other order of adding gives
 * other bits. */
float exchange_gradient(int step, int leaf, size_t i);
/* Sums of all buckets of a step against a plain recursion over the tree of its leaves, every bit. */
void exchange_expect_sums(struct cvy_exchange *x, int step, int leaves);

#endif
