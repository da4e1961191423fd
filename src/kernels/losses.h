/* Losses of rows of outputs and their targets, with their gradients: the loop over the rows, which knows no loss. Each
 * brings its form (ops/losses). A row is a sample, or a pixel of a map. Softmax cross-entropy of samples without
 * weights is kernels/softmax.h. */
#ifndef CVY_KERNELS_LOSSES_H
#define CVY_KERNELS_LOSSES_H

#include <limits.h>

#include "kernels/softmax.h"

struct cvy_loss_rule;

/* K outputs x; their class y, or where values are given these: t. */
struct cvy_loss_row {
    const struct cvy_compute *compute;
    int outputs;
    const float *x, *values;     /* [outputs]; values NULL: label */
    int32_t label;               /* of a distribution its likeliest */
    float *dx;                   /* [outputs], may be NULL */
    struct cvy_loss_result *sum; /* regression adds its distances */
};

/* What a single output with a class as its target means: the classes that it tells apart. */
enum { CVY_ALONE_SURE = 1, CVY_ALONE_BY_SIGN = 2, CVY_ALONE_NUMBER = INT_MAX /* it aims at the class's number */ };

/* A loss as mathematics; all functions are called from several threads. */
struct cvy_loss_form {
    /* The loss of a row, and its gradient in row->dx unless that is NULL. In double but for exponentials, which are the
     * level's own, so that they have the same bits on every processor of the level. */
    double (*row)(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row);
    /* What a row counts in the mean, its normaliser; NULL: 1, always. */
    double (*weight)(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row);
    int alone;          /* CVY_ALONE_… */
    bool distributions; /* values of a row are one over the classes */
};

struct cvy_loss_rule {
    const struct cvy_loss_form *form;
    double a;             /* the one number that most forms have: a margin, a width, smoothing */
    const void *settings; /* of the form's own */
    const float *weights; /* [outputs] of each class, or each output; NULL: 1 */
    bool ignores;         /* rows of this class, or outputs with this value, count for nothing: */
    int32_t ignored;
    double scale; /* of losses and gradients */
};

struct cvy_loss_rows {
    int64_t n;
    int outputs;
    const float *x;        /* [n][outputs] */
    const int32_t *labels; /* [n], or NULL: */
    const float *values;   /* [n][outputs] */
};

size_t cvy_loss_workspace(int64_t n, int outputs); /* bytes; `ws` is aligned to CVY_ALIGN */

/* *sum: over the rows, joined in an order that depends on n and outputs alone; its weight is of the classes that are
 * there, of values the share of outputs that count; `counted` the rows of which anything does. A row is in the top k as
 * in kernels/softmax.h, its class of a distribution being the (first) likeliest; of outputs that go by their sign, one
 * with a class, or any with values, when every output that counts is on the right side of ½. Otherwise a row of values,
 * or of one number, is in none. dx: the gradient of the sum, or NULL. */
void cvy_loss_run(const struct cvy_compute *compute, const struct cvy_loss_rule *rule, const struct cvy_loss_rows *rows,
                  struct cvy_loss_result *sum, float *dx, void *ws);

/* The weight of the sum: Σ of the weights of the classes that are not ignored; of values, of the shares that count. */
double cvy_loss_weight(const struct cvy_loss_rule *rule, const struct cvy_loss_rows *rows);

/* ---- for forms ---- */

/* Output j's target; of a class 1 for output y and 0 for the others, or of a single output the number itself. */
static inline double cvy_loss_target(const struct cvy_loss_row *row, int j) {
    if (row->values) return row->values[j];
    return row->outputs == 1 ? row->label : j == row->label;
}
/* Whether an output with this value as its target counts. */
static inline bool cvy_loss_knows(const struct cvy_loss_rule *rule, float value) {
    return !rule->ignores || value != (float)rule->ignored;
}
/* Weights of rows: w_y of classes that have weights, 1 of distributions; of values the share that is known. */
double cvy_loss_weight_of_class(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row);
double cvy_loss_known_share(const struct cvy_loss_rule *rule, const struct cvy_loss_row *row);
/* out: [outputs] 1 / (1 + e^−x), by the level's own loop. */
void cvy_loss_sigmoids(const struct cvy_loss_row *row, float *out);

#endif
