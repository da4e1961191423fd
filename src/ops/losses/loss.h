/* What a loss is: a const table beside that of layers, which says what targets it takes, what is measured of its
 * outputs, its settings, and its form (kernels/losses.h). In a network every loss is run by one op, cvy_op_loss: sums
 * over the leaf, division by the samples of the batch comes last, after the reduction.
 *
 * A target is a class of the whole sample or of each pixel, or a value for each output; where regression is given a
 * class, it aims at its one-hot vector, or with a single output at the number itself.
 *
 *   target      rows of the kernel    outputs a row
 *   class       n samples             h·w·c
 *   class map   n·h·w pixels          c
 *   values      n·h·w pixels          c                a sample's loss is the mean over its pixels
 *
 * With class weights or an ignored label the mean is over the weights of the rows that are there, Σ w·loss / Σ w over
 * all rows of the batch: a partial of one double gives the sum, and losses and gradients are taken times samples / sum.
 * In evaluation nobody knows that sum yet: there the weight goes along with the loss. */
#ifndef CVY_OPS_LOSSES_LOSS_H
#define CVY_OPS_LOSSES_LOSS_H

#include "kernels/losses.h"
#include "ops/op.h"

#define CVY_LOSS_WHY 192

/* Which targets a loss takes, beside distributions (form.distributions), and what can be counted of its outputs. */
enum cvy_wants { CVY_WANTS_CLASSES, CVY_WANTS_VALUES, CVY_WANTS_EITHER };
enum cvy_measure {
    CVY_MEASURE_CLASSES, /* which of several is right */
    CVY_MEASURE_LABELS,  /* each output says yes or no */
    CVY_MEASURE_VALUES   /* how far they are from their targets */
};

struct cvy_loss_kind;

/* One loss in a network, the state of its op. A kind with settings of its own has a struct that begins with this. */
struct cvy_loss {
    const struct cvy_loss_kind *kind;
    const char *name;            /* "mse1" */
    const struct cvy_node *node; /* its place in the file, for messages */
    struct cvy_shape in;
    /* Settings, as far as the kind has a key for them. */
    double a;                                   /* cvy_loss_rule's */
    const struct cvy_node *weights, *unlabeled; /* class_weights or pos_weight; ignore_label */
    /* From infer. */
    int classes; /* are 0 … classes−1 */
    bool ignores;
    int32_t ignored; /* a class whose samples or pixels do not count, or the value of a label that is not known */
    enum cvy_measure measure; /* set by cvy_loss_bind_target */
};

/* A layer that the network had better not end in under this loss. */
struct cvy_loss_trap {
    const char *end;
    bool note;                      /* no fault in every case */
    const char *what, *verb, *cure; /* the end's name is between the two */
};
#define CVY_TRAP_SQUEEZED "this loss takes scores of any size, and between 0 and 1 it learns badly"

struct cvy_loss_kind {
    const char *name, *purpose; /* purpose: one line, for users */
    const struct cvy_key *keys;
    size_t state_size;
    struct cvy_loss_form form;
    enum cvy_wants wants;
    enum cvy_measure measure; /* of values, and of a single output that aims at a number; else it is classes */
    bool likelihood; /* outputs stand for probabilities, by softmax or sigmoid; else they only are large or small */
    const struct cvy_loss_trap *traps; /* ends with {0}; NULL: none */

    /* Checks the settings (weights.h); NULL: nothing to check. */
    void (*infer)(struct cvy_loss *loss, struct cvy_op *op, struct cvy_findings *findings);
    /* Whether it can take a row of these values, [in.c]; else `why`. NULL: any numbers will do. */
    bool (*suits)(const struct cvy_loss *loss, const float *values, char why[CVY_LOSS_WHY]);
    /* Instead of the loop over rows, where it can; false: it cannot. NULL: never. */
    bool (*run)(const struct cvy_op *op, const struct cvy_call *call, const struct cvy_loss_rows *rows,
                struct cvy_loss_result *sum, float *dx);
    size_t (*workspace)(const struct cvy_loss *loss, int n);            /* bytes that `run` needs */
    void (*describe)(const struct cvy_loss *loss, struct cvy_buf *out); /* settings but `a`, for the graph's hash */
};

/* What any loss is in a network: no output; backward computes loss and dx, forward the loss alone. */
extern const struct cvy_op_kind cvy_op_loss;

/* The op's loss; NULL: it is a layer. */
static inline struct cvy_loss *cvy_loss_of(const struct cvy_op *op) {
    return op->kind == &cvy_op_loss ? op->state : NULL;
}

/* It learns what its targets will be: `classes` of them (CVY_I32), in the data set of this name. A finding when they do
 * not fit its input. */
void cvy_loss_bind_target(struct cvy_loss *loss, const struct cvy_target *target, int classes, const char *data,
                          struct cvy_findings *findings);
/* Whether it can take these targets of one sample, values of the shape of its input; else `why`. */
bool cvy_loss_suits(const struct cvy_loss *loss, const float *values, char why[CVY_LOSS_WHY]);

/* ---- for kinds ---- */

#define CVY_LOSS_A(name, fallback, low, high, help)                                                                    \
    { name, CVY_KEY_REAL, offsetof(struct cvy_loss, a), fallback, low, high, NULL, help }
#define CVY_LOSS_KEY(name, member, help)                                                                               \
    { name, CVY_KEY_NODE, offsetof(struct cvy_loss, member), "", CVY_KEY_ANY, NULL, help }

/* class_weights and ignore_label: what is said of them, and their text for `describe`. */
void cvy_loss_check_classes(struct cvy_loss *loss, struct cvy_op *op, struct cvy_findings *findings);
void cvy_loss_describe_classes(const struct cvy_loss *loss, struct cvy_buf *out);
/* A list of numbers that are weights, one a channel; a number that is one. */
bool cvy_loss_are_weights(const struct cvy_node *list, int count);
bool cvy_loss_is_weight(const struct cvy_node *node);
/* Says that the weights are to be had as numbers when it runs, by rule.weights. */
void cvy_loss_want_weights(struct cvy_op *op);
void cvy_loss_check_ignored(struct cvy_loss *loss, struct cvy_op *op, struct cvy_findings *findings);
/* Whether a row's values are from 0 to 1, or ignored; else `why`, which ends in what it takes instead. */
bool cvy_loss_suits_shares(const struct cvy_loss *loss, const float *values, const char *taken, char why[CVY_LOSS_WHY]);

/* "one class a sample", "24×24×1 values a sample". */
const char *cvy_target_text(const struct cvy_target *target, char out[96]);
/* How targets of values are to be read for a network that ends in `in`, where their axes stand in another order; NULL
 * where that is not it. */
const char *cvy_target_axes_advice(const struct cvy_target *target, struct cvy_shape in);

#endif
