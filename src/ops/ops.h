/* The one list of all layers, finding one by name, and which neighbours fuse. */
#ifndef CVY_OPS_OPS_H
#define CVY_OPS_OPS_H

#include "ops/op.h"

#define CVY_OPS(X)                                                                                                     \
    X(adaptive_avgpool)                                                                                                \
    X(adaptive_maxpool)                                                                                                \
    X(add)                                                                                                             \
    X(avgpool)                                                                                                         \
    X(batchnorm)                                                                                                       \
    X(concat)                                                                                                          \
    X(conv)                                                                                                            \
    X(conv_transpose)                                                                                                  \
    X(crop)                                                                                                            \
    X(dense)                                                                                                           \
    X(dropout)                                                                                                         \
    X(elu)                                                                                                             \
    X(flatten)                                                                                                         \
    X(gaussian_noise)                                                                                                  \
    X(gelu)                                                                                                            \
    X(global_avgpool)                                                                                                  \
    X(global_maxpool)                                                                                                  \
    X(groupnorm)                                                                                                       \
    X(hard_sigmoid)                                                                                                    \
    X(hard_swish)                                                                                                      \
    X(hard_tanh)                                                                                                       \
    X(layernorm)                                                                                                       \
    X(leaky_relu)                                                                                                      \
    X(log_softmax)                                                                                                     \
    X(lrn)                                                                                                             \
    X(maxpool)                                                                                                         \
    X(multiply)                                                                                                        \
    X(pad)                                                                                                             \
    X(prelu)                                                                                                           \
    X(relu)                                                                                                            \
    X(relu6)                                                                                                           \
    X(reshape)                                                                                                         \
    X(sigmoid)                                                                                                         \
    X(sign)                                                                                                            \
    X(silu)                                                                                                            \
    X(slice)                                                                                                           \
    X(softmax)                                                                                                         \
    X(softplus)                                                                                                        \
    X(spatial_dropout)                                                                                                 \
    X(step)                                                                                                            \
    X(tanh)                                                                                                            \
    X(upsample)

/* The kind of this name, or NULL with the nearest name (or NULL) in *nearest. */
const struct cvy_op_kind *cvy_ops_find(const char *name, const char **nearest);
bool cvy_ops_list(int index, struct cvy_listing *out);

/* How an op can do the work of the one behind it, as it writes its output. */
struct cvy_fusion {
    const struct cvy_op_kind *first, *second;
    unsigned modes; /* bits: 1 << enum cvy_mode */
    bool whole;     /* backward too; else the second one's backward runs by itself */
    bool norm, residual;
    enum cvy_fused_act activation;
};
/* NULL: not at all. The graph has made sure that nobody else reads first's output; learns: a gradient goes through it.
 */
const struct cvy_fusion *cvy_ops_fuse(const struct cvy_op *first, const struct cvy_op *second, enum cvy_mode mode,
                                      bool learns);

#endif
