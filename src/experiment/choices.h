/* Settings of an experiment that are one of a few words. Each list is the enum and the words of the file at once: the
 * order of both is the same, as the schema reads the number of a word straight into the enum. */
#ifndef CVY_EXPERIMENT_CHOICES_H
#define CVY_EXPERIMENT_CHOICES_H

#include "comm/exchange.h"
#include "graph/model/graph.h"
#include "io/dataset/dataset.h"
#include "optim/optimizer.h"

/* What becomes of an epoch's remainder. */
#define CVY_LAST_BATCH_CHOICES(X)                                                                                      \
    X(CVY_LAST_BATCH_PARTIAL, "partial")                                                                               \
    X(CVY_LAST_BATCH_DROP, "drop")
/* What layers compute in. */
#define CVY_PRECISION_CHOICES(X)                                                                                       \
    X(CVY_PRECISION_FP32, "fp32")                                                                                      \
    X(CVY_PRECISION_BF16, "bf16")
/* How the learning rate grows with the batch. */
#define CVY_LR_SCALING_CHOICES(X)                                                                                      \
    X(CVY_LR_SCALING_NONE, "none")                                                                                     \
    X(CVY_LR_SCALING_LINEAR, "linear")                                                                                 \
    X(CVY_LR_SCALING_SQRT, "sqrt")
/* How gradients are summed over ranks: in the order of the exact tree, or by MPI. */
#define CVY_REDUCTION_CHOICES(X)                                                                                       \
    X(CVY_REDUCTION_EXACT, "exact")                                                                                    \
    X(CVY_REDUCTION_FAST, "fast")
/* What outputs are compared with. */
#define CVY_TARGET_CHOICES(X)                                                                                          \
    X(CVY_TARGET_Y, "y")                                                                                               \
    X(CVY_TARGET_INPUT, "input")

#define CVY_CHOICE_NAME(name, word) name,
enum cvy_last_batch { CVY_LAST_BATCH_CHOICES(CVY_CHOICE_NAME) };
enum cvy_precision { CVY_PRECISION_CHOICES(CVY_CHOICE_NAME) };
enum cvy_lr_scaling { CVY_LR_SCALING_CHOICES(CVY_CHOICE_NAME) };
enum cvy_reduction_order { CVY_REDUCTION_CHOICES(CVY_CHOICE_NAME) };
enum cvy_target_from { CVY_TARGET_CHOICES(CVY_CHOICE_NAME) };

/* Of enums that lower floors have. */
#define CVY_DECAY_ON_CHOICES(X)                                                                                        \
    X(CVY_DECAY_ON_ALL, "all")                                                                                         \
    X(CVY_DECAY_ON_WEIGHTS, "weights")
#define CVY_RECOMPUTE_CHOICES(X)                                                                                       \
    X(CVY_RECOMPUTE_AUTO, "auto")                                                                                      \
    X(CVY_RECOMPUTE_NONE, "none")                                                                                      \
    X(CVY_RECOMPUTE_ALL, "all")
#define CVY_PROGRESS_CHOICES(X)                                                                                        \
    X(CVY_PROGRESS_AUTO, "auto")                                                                                       \
    X(CVY_PROGRESS_POLL, "poll")                                                                                       \
    X(CVY_PROGRESS_THREAD, "thread")
#define CVY_LAYOUT_CHOICES(X)                                                                                          \
    X(CVY_LAYOUT_NHWC, "nhwc")                                                                                         \
    X(CVY_LAYOUT_NCHW, "nchw")
#define CVY_Y_LAYOUT_CHOICES(X)                                                                                        \
    X(CVY_Y_LAYOUT_AS_X, "as_x")                                                                                       \
    X(CVY_Y_LAYOUT_NHWC, "nhwc")                                                                                       \
    X(CVY_Y_LAYOUT_NCHW, "nchw")

/* "partial|drop", as a key of the schema has it: a constant. */
#define CVY_CHOICE_WORD(name, word) "|" word
#define CVY_CHOICE_WORDS(LIST)      (&(LIST(CVY_CHOICE_WORD))[1])

#endif
