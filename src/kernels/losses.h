/* Losses of rows of outputs and their targets, with their gradients. A row is a sample, or a pixel of a map. Softmax
 * cross-entropy of samples without weights is kernels/softmax.h.
 *
 * x: the outputs of a row, K of them; y its class; t its values, or where the target is a class: 1 for output y, 0 for
 * the others, or, with one output, the class number itself. Each is PyTorch's with its mean over the outputs.
 *
 *   softmax_xent   −Σ_j w_j·q_j·log softmax(x)_j with q = (1 − a)·t + a/K                  a: label smoothing
 *   nll            −w_y·x_y, x being log-probabilities
 *   logistic       1/K Σ_j p_j·t_j·log(1 + e^−x_j) + (1 − t_j)·log(1 + e^x_j)               p: weights of positives
 *   hinge          1/K Σ_{j≠y} max(0, a − x_y + x_j); K = 1: max(0, a ∓ x) for labels 1, 0  a: margin; Weston & Watkins
 *   squared_hinge  the same of squares
 *   mse, l1        1/K Σ_j d² , 1/K Σ_j |d|  with d = x_j − t_j
 *   huber          1/K Σ_j (d²/2 where |d| ≤ a, else a·(|d| − a/2))                         Huber 1964
 *   smooth_l1      huber over a                                                             Girshick 2015 */
#ifndef CVY_KERNELS_LOSSES_H
#define CVY_KERNELS_LOSSES_H

#include "kernels/softmax.h"

enum cvy_loss_kind {
    CVY_LOSS_SOFTMAX_XENT,
    CVY_LOSS_NLL,
    CVY_LOSS_LOGISTIC,
    CVY_LOSS_HINGE,
    CVY_LOSS_SQUARED_HINGE,
    CVY_LOSS_MSE,
    CVY_LOSS_L1,
    CVY_LOSS_HUBER,
    CVY_LOSS_SMOOTH_L1
};

struct cvy_loss {
    enum cvy_loss_kind kind;
    double a;               /* margin, width or smoothing */
    const float *weights;   /* [outputs] of each class, softmax_xent and nll alone; NULL: 1 */
    const float *positives; /* [outputs] of each output's positives, logistic alone; NULL: 1 */
    bool ignores;           /* rows of this class, or outputs with this value, count for nothing: */
    int32_t ignored;
    double scale; /* of losses and gradients */
};

struct cvy_loss_rows {
    int64_t n;
    int outputs;
    const float *x;        /* [n][outputs] */
    const int32_t *labels; /* [n], or NULL: */
    const float *values;   /* [n][outputs]; not for nll, hinge; of softmax_xent distributions, which sum to 1 */
};

size_t cvy_loss_workspace(int64_t n, int outputs); /* bytes; `ws` is aligned to CVY_ALIGN */

/* *sum: over the rows, joined in an order that depends on n and outputs alone; its weight is of the classes that are
 * there, of values the share of outputs that count; `counted` the rows of which anything does. A row is in the top k as
 * in kernels/softmax.h, its class of a distribution being the (first) likeliest; with one output, when the nearer of
 * classes 0 and 1 is right (logistic, hinge); of logistic values, when every output that counts is on the right side of
 * ½. A row of regression is in none. dx: the gradient of the sum, or NULL. */
void cvy_loss_run(const struct cvy_compute *compute, const struct cvy_loss *loss, const struct cvy_loss_rows *rows,
                  struct cvy_loss_result *sum, float *dx, void *ws);

/* The weight of the sum: Σ of the weights of the classes that are not ignored; of values, of the shares that count. */
double cvy_loss_weight(const struct cvy_loss *loss, const struct cvy_loss_rows *rows);

#endif
