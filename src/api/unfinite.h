/* Outputs that are not finite: no figure follows from them, and no class. */
#ifndef CVY_API_UNFINITE_H
#define CVY_API_UNFINITE_H

#include "train/evaluate.h"

/* The first sample that has such outputs, −1: none. */
struct cvy_unfinite {
    int64_t first;
};

/* Looks at the outputs [n][each] of samples `ids`. */
void cvy_unfinite_look(struct cvy_unfinite *u, const int64_t *ids, const float *outputs, int n, int64_t each);
/* CVY_ERR_DIVERGED, where a rank found one in this evaluation of `name`: which sample, and the layer it begins in.
 * Collective. */
cvy_status cvy_unfinite_refuse(const struct cvy_unfinite *u, const struct cvy_evaluation *evaluation, const char *name);
/* Of a batch alone, which the net has just run: CVY_ERR_DATA naming the layer. Not collective. */
cvy_status cvy_unfinite_refuse_batch(struct cvy_net *net, const struct cvy_net_batch *batch, int64_t outputs);

#endif
