/* The other library that `make bench-conv` measures beside ours. */
#ifndef CONV_PEER_H
#define CONV_PEER_H

#include "kernels/conv/conv.h"

enum pass { PASS_FORWARD, PASS_DATA, PASS_WEIGHTS, PASSES };

struct peer;

const char *peer_name(void); /* NULL: built without one */
/* A pass of a layer as the peer does it best: its own choice of algorithm (or, with direct, its direct one) and of
 * memory layouts, one thread, with bias; NULL when it has none. The caller destroys it. */
struct peer *peer_create(const struct cvy_conv *g, enum pass pass, bool direct);
void peer_run(struct peer *peer);
const char *peer_algorithm(const struct peer *peer); /* what it calls its kernel */
void peer_destroy(struct peer *peer);                /* NULL is fine */

#endif
