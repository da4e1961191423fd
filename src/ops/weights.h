/* What convolution and dense layers share: a weight and a bias over the contraction kernels. */
#ifndef CVY_OPS_WEIGHTS_H
#define CVY_OPS_WEIGHTS_H

#include "ops/op.h"

/* The choices of `init:`, in the order of their enum cvy_init_kind in weights.c. */
#define CVY_WEIGHT_INITS "he_normal|lecun_uniform|zero"

/* Declares "weight" (dims) and, if wanted, "bias" ([last dim]). */
void cvy_weights_declare(struct cvy_op *op, const int64_t *dims, int rank, bool bias, int init);
void cvy_weights_prepare(const struct cvy_conv *g, struct cvy_call *call);
void cvy_weights_forward(const struct cvy_op *op, const struct cvy_conv *g, struct cvy_call *call);
void cvy_weights_backward(const struct cvy_op *op, const struct cvy_conv *g, struct cvy_call *call);

#endif
