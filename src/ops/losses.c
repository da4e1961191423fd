/* Losses (kernels/losses.h has their formulas): sums over the leaf, division by the samples of the batch comes last,
 * after the reduction. Targets are the integer labels: a class, or for regression its one-hot vector, or with a single
 * output the number itself.
 *
 * With class weights or an ignored label the mean is over the weights of the labels that are there, Σ w_y·loss / Σ w_y:
 * a partial of one double gives the sum over the whole batch, and losses and gradients are taken times samples / sum.
 * In evaluation nobody knows that sum yet: there the weight goes along with the loss. */
#include <limits.h>

#include "kernels/losses.h"
#include "ops/op.h"

struct loss {
    double a;                            /* smoothing, margin or width */
    const struct cvy_node *list, *label; /* class_weights, ignore_label */
    struct cvy_loss how;                 /* from infer */
};

#define A(name, fallback, low, high, help)                                                                             \
    { name, CVY_KEY_REAL, offsetof(struct loss, a), fallback, low, high, NULL, help }
#define CLASS_KEYS                                                                                                     \
    {"class_weights", CVY_KEY_NODE, offsetof(struct loss, list), "", CVY_KEY_ANY, NULL, "a number a class"}, {         \
        "ignore_label", CVY_KEY_NODE, offsetof(struct loss, label), "", CVY_KEY_ANY, NULL, "samples that do not count" \
    }

static const struct cvy_key no_keys[] = {CVY_KEY_END};
static const struct cvy_key softmax_keys[] = {A("label_smoothing", "0", 0, 0.999, "the share spread over all classes"),
                                              CLASS_KEYS, CVY_KEY_END};
static const struct cvy_key nll_keys[] = {CLASS_KEYS, CVY_KEY_END};
static const struct cvy_key hinge_keys[] = {A("margin", "1", 0, 1e6, "how far ahead the label must be"), CVY_KEY_END};
static const struct cvy_key huber_keys[] = {A("delta", "1", 1e-6, 1e6, "where squares end"), CVY_KEY_END};
static const struct cvy_key smooth_keys[] = {A("beta", "1", 1e-6, 1e6, "where squares end"), CVY_KEY_END};

/* ---- infer ---- */

static int outputs_of(const struct cvy_op *op) {
    return (int)cvy_shape_count(op->in[0]);
}

static void check_weights(struct cvy_op *op, struct cvy_findings *findings) {
    const struct loss *s = op->state;
    bool good = s->list->kind == CVY_NODE_LIST && (int)s->list->count == outputs_of(op);
    for (size_t i = 0; good && i < s->list->count; i++) {
        double weight;
        good = cvy_node_real(s->list->items[i], &weight) && weight >= 0 && weight <= 1e6;
    }
    if (!good)
        cvy_find(findings, s->list, "%s: class_weights: expected a list of %d numbers from 0 to 1e6, one a class",
                 op->name, outputs_of(op));
    op->copy_floats = (size_t)outputs_of(op);
    op->copy_in_forward = true;
}

static void check_ignored(struct cvy_op *op, struct cvy_findings *findings) {
    struct loss *s = op->state;
    int64_t label = 0;
    if (!cvy_node_int(s->label, &label) || label < INT32_MIN || label > INT32_MAX)
        cvy_find(findings, s->label, "%s: ignore_label: expected a whole number", op->name);
    s->how.ignores = true;
    s->how.ignored = (int32_t)label;
    if (label == op->classes) op->classes++; /* a class of its own, which has no output */
}

/* How many labels there may be. */
static int classes_of(const struct cvy_op *op, enum cvy_loss_kind kind) {
    static const int of_one_output[] = {
        [CVY_LOSS_SOFTMAX_XENT] = 1, [CVY_LOSS_NLL] = 1,           [CVY_LOSS_LOGISTIC] = 2,
        [CVY_LOSS_HINGE] = 2,        [CVY_LOSS_SQUARED_HINGE] = 2, [CVY_LOSS_MSE] = INT_MAX,
        [CVY_LOSS_L1] = INT_MAX,     [CVY_LOSS_HUBER] = INT_MAX,   [CVY_LOSS_SMOOTH_L1] = INT_MAX};
    return outputs_of(op) == 1 ? of_one_output[kind] : outputs_of(op);
}

static void infer(struct cvy_op *op, struct cvy_findings *findings, enum cvy_loss_kind kind) {
    struct loss *s = op->state;
    if (kind < CVY_LOSS_MSE && (op->in[0].h != 1 || op->in[0].w != 1))
        cvy_find(findings, op->node,
                 "%s: the network ends in %d×%d×%d; a class score each is needed: end it with dense (or flatten)",
                 op->name, op->in[0].h, op->in[0].w, op->in[0].c);
    s->how = (struct cvy_loss){.kind = kind, .a = s->a, .scale = 1};
    op->classes = classes_of(op, kind);
    if (s->list) check_weights(op, findings);
    if (s->label) check_ignored(op, findings);
    op->partial_forward = s->list || s->label;
    op->sliceable = !op->partial_forward;
    op->reads = CVY_READS_INPUT;
}

/* ---- running ---- */

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    (void)threads;
    size_t plain = cvy_softmax_xent_workspace(n, outputs_of(op)), own = cvy_loss_workspace(n, outputs_of(op));
    return plain > own ? plain : own;
}

/* The weights, as numbers. */
static void prepare(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_node *list = ((const struct loss *)op->state)->list;
    for (size_t i = 0; list && i < list->count; i++) {
        double weight = 0;
        cvy_node_real(list->items[i], &weight);
        call->copy[i] = (float)weight;
    }
}

static struct cvy_loss how_now(const struct cvy_op *op, const struct cvy_call *call) {
    const struct loss *s = op->state;
    struct cvy_loss how = s->how;
    if (s->list) how.weights = call->copy;
    return how;
}

static void partial(const struct cvy_op *op, struct cvy_call *call, bool backward) {
    (void)backward;
    struct cvy_loss how = how_now(op, call);
    call->partial[0] = cvy_loss_weight(&how, call->n, call->labels);
}

static void run(const struct cvy_op *op, struct cvy_call *call, float *dx) {
    struct cvy_loss how = how_now(op, call);
    struct cvy_xent_result sum;
    if (op->partial_forward && call->mode == CVY_TRAIN)
        how.scale = call->partial[0] > 0 ? (double)call->batch_samples / call->partial[0] : 0;
    if (how.kind == CVY_LOSS_SOFTMAX_XENT && !op->partial_forward) {
        cvy_softmax_xent(call->compute, call->n, outputs_of(op), call->x[0].data, call->labels, (float)how.a, &sum, dx,
                         call->workspace);
        sum.weight = call->n;
    } else {
        cvy_loss_run(call->compute, &how, call->n, outputs_of(op), call->x[0].data, call->labels, &sum, dx,
                     call->workspace);
    }
    call->loss->loss += sum.loss;
    call->loss->weight += sum.weight;
    call->loss->top1 += sum.top1;
    call->loss->top5 += sum.top5;
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    run(op, call, NULL);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    run(op, call, call->dx[0].data);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct loss *s = op->state;
    cvy_buf_printf(out, "a%.17g ", s->a);
    for (size_t i = 0; s->list && i < s->list->count; i++) cvy_buf_printf(out, "w%s ", s->list->items[i]->text);
    if (s->label) cvy_buf_printf(out, "ignore%d ", s->how.ignored);
}

/* ---- the kinds ---- */

#define LOSS(label, text, key_table, loss_kind)                                                                        \
    static void infer_##label(struct cvy_op *op, struct cvy_findings *findings) {                                      \
        infer(op, findings, loss_kind);                                                                                \
    }                                                                                                                  \
    const struct cvy_op_kind cvy_op_##label = {                                                                        \
        .name = #label,                                                                                                \
        .purpose = text,                                                                                               \
        .keys = key_table,                                                                                             \
        .state_size = sizeof(struct loss),                                                                             \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .loss = true,                                                                                                  \
        .infer = infer_##label,                                                                                        \
        .workspace = workspace,                                                                                        \
        .prepare = prepare,                                                                                            \
        .partial = partial,                                                                                            \
        .forward = forward,                                                                                            \
        .backward = backward,                                                                                          \
        .describe = describe,                                                                                          \
    };
LOSS(softmax_cross_entropy, "-log of the label's softmax probability; give it scores", softmax_keys,
     CVY_LOSS_SOFTMAX_XENT)
LOSS(nll, "minus the label's score; give it log-probabilities", nll_keys, CVY_LOSS_NLL)
LOSS(logistic, "cross-entropy of a sigmoid for each output: two classes with one output, or one against the rest",
     no_keys, CVY_LOSS_LOGISTIC)
LOSS(hinge, "the margins that other classes come too near by (Weston & Watkins 1999)", hinge_keys, CVY_LOSS_HINGE)
LOSS(squared_hinge, "the squares of these margins", hinge_keys, CVY_LOSS_SQUARED_HINGE)
LOSS(mse, "the mean square of the differences (L2)", no_keys, CVY_LOSS_MSE)
LOSS(l1, "the mean absolute difference", no_keys, CVY_LOSS_L1)
LOSS(huber, "squares up to delta, then straight on (Huber 1964)", huber_keys, CVY_LOSS_HUBER)
LOSS(smooth_l1, "squares up to beta, then straight on; huber / beta", smooth_keys, CVY_LOSS_SMOOTH_L1)
