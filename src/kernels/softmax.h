/* Softmax, and softmax cross-entropy with its gradient and the ranks of the true classes. */
#ifndef CVY_KERNELS_SOFTMAX_H
#define CVY_KERNELS_SOFTMAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/compute.h"

/* What any loss adds up over n samples. Of softmax cross-entropy: each sample's loss is computed in double, and they
 * are added in sample order. A sample is in the top k when fewer than k classes come before its own: those with a
 * larger logit, or an equal one and a smaller index. Logits that are not finite give a loss that is not finite. */
struct cvy_loss_result {
    double loss;
    int64_t top1, top5;
    /* Set by losses (losses.h) alone: */
    double weight;   /* what the samples count together in the loss: their number, unless classes have weights */
    int64_t counted; /* decisions that could be hits */
    double absolute, squared; /* of regression: Σ |d| and Σ d² over all outputs */
};

static inline void cvy_loss_add(struct cvy_loss_result *sum, const struct cvy_loss_result *more) {
    sum->loss += more->loss;
    sum->weight += more->weight;
    sum->counted += more->counted;
    sum->top1 += more->top1;
    sum->top5 += more->top5;
    sum->absolute += more->absolute;
    sum->squared += more->squared;
}

/* How many classes come before the label's. */
int cvy_class_rank(const float *x, int count, int label);

/* The largest of `count` ≥ 1; not a number if any is none. */
float cvy_class_most(const float *x, int count);
/* Σ exp(x − shift); the exponentials go to `out` unless it is NULL. One task. */
double cvy_class_exp_sum(const struct cvy_compute *compute, const float *x, float shift, int count, float *out);

size_t cvy_softmax_xent_workspace(int n, int classes); /* bytes; `ws` is aligned to CVY_ALIGN */

struct cvy_softmax_xent {
    int n, classes;
    const float *logits;   /* [n][classes] */
    const int32_t *labels; /* [n], each 0 … classes−1 (checked by the data source) */
    float
        smoothing; /* targets are (1−smoothing) at the label plus smoothing/classes everywhere (Szegedy et al. 2016) */
};
/* dlogits: the gradient of the SUM over samples, may be `logits` itself; NULL when evaluating. */
void cvy_softmax_xent(const struct cvy_compute *compute, const struct cvy_softmax_xent *of, struct cvy_loss_result *sum,
                      float *dlogits, void *ws);

/* probs: [n][classes], may be `logits` itself. */
void cvy_softmax(const struct cvy_compute *compute, int n, int classes, const float *logits, float *probs);

/* dx = (+=) y·(dy − Σ dy·y) over each sample's classes, y being cvy_softmax's probabilities; dx may be dy. */
void cvy_softmax_backward(const struct cvy_compute *compute, int n, int classes, const float *y, const float *dy,
                          float *dx, bool accumulate);

/* y = x − log Σ exp x over each sample's classes, y may be x; and dx = (+=) dy − exp(y)·Σ dy, dx may be dy. */
void cvy_log_softmax(const struct cvy_compute *compute, int n, int classes, const float *x, float *y);
void cvy_log_softmax_backward(const struct cvy_compute *compute, int n, int classes, const float *y, const float *dy,
                              float *dx, bool accumulate);

#endif
