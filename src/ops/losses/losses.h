/* The one list of all losses, and finding one by name. Adding one: a file that ends in its kind, a word here. */
#ifndef CVY_OPS_LOSSES_LOSSES_H
#define CVY_OPS_LOSSES_LOSSES_H

#include "ops/losses/loss.h"

#define CVY_LOSSES(X)                                                                                                  \
    X(hinge)                                                                                                           \
    X(huber)                                                                                                           \
    X(l1)                                                                                                              \
    X(logistic)                                                                                                        \
    X(mse)                                                                                                             \
    X(nll)                                                                                                             \
    X(smooth_l1)                                                                                                       \
    X(softmax_cross_entropy)                                                                                           \
    X(squared_hinge)

/* The kind of this name, or NULL with the nearest name (or NULL) in *nearest. */
const struct cvy_loss_kind *cvy_losses_find(const char *name, const char **nearest);
bool cvy_losses_list(int index, struct cvy_listing *out);

#endif
