/* Losses (kernels/losses.h has their formulas): sums over the leaf, division by the samples of the batch comes last,
 * after the reduction. A target is a class of the whole sample or of each pixel, or a value for each output; where
 * regression is given a class, it aims at its one-hot vector, or with a single output at the number itself.
 *
 *   target      rows of the kernel    outputs a row
 *   class       n samples             h·w·c
 *   class map   n·h·w pixels          c
 *   values      n·h·w pixels          c                a sample's loss is the mean over its pixels
 *
 * To softmax_cross_entropy the values of a row are a distribution over the classes, of which class weights weigh the
 * terms but not the mean, as PyTorch has it.
 *
 * With class weights or an ignored label the mean is over the weights of the classes that are there, Σ w_y·loss / Σ w_y
 * over all rows of the batch, or over the labels that are known: a partial of one double gives the sum, and losses and
 * gradients are taken times samples / sum. In evaluation nobody knows that sum yet: there the weight goes along with
 * the loss. */
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "kernels/losses.h"
#include "ops/op.h"

struct loss {
    double a;                            /* smoothing, margin or width */
    const struct cvy_node *list, *label; /* class_weights, ignore_label */
    const struct cvy_node *positives;    /* pos_weight */
    struct cvy_loss how;                 /* from infer */
};

#define A(name, fallback, low, high, help)                                                                             \
    { name, CVY_KEY_REAL, offsetof(struct loss, a), fallback, low, high, NULL, help }
#define CLASS_KEYS                                                                                                     \
    {"class_weights", CVY_KEY_NODE, offsetof(struct loss, list), "", CVY_KEY_ANY, NULL, "a number a class"}, {         \
        "ignore_label", CVY_KEY_NODE, offsetof(struct loss, label), "", CVY_KEY_ANY, NULL, "what does not count"       \
    }

static const struct cvy_key no_keys[] = {CVY_KEY_END};
static const struct cvy_key softmax_keys[] = {A("label_smoothing", "0", 0, 0.999, "the share spread over all classes"),
                                              CLASS_KEYS, CVY_KEY_END};
static const struct cvy_key nll_keys[] = {CLASS_KEYS, CVY_KEY_END};
static const struct cvy_key logistic_keys[] = {
    {"pos_weight", CVY_KEY_NODE, offsetof(struct loss, positives), "", CVY_KEY_ANY, NULL,
     "what a yes counts beside a no: a number, or one an output"},
    {"ignore_label", CVY_KEY_NODE, offsetof(struct loss, label), "", CVY_KEY_ANY, NULL,
     "the value of a label that is not known and does not count"},
    CVY_KEY_END};
static const struct cvy_key hinge_keys[] = {A("margin", "1", 0, 1e6, "how far ahead the label must be"), CVY_KEY_END};
static const struct cvy_key huber_keys[] = {A("delta", "1", 1e-6, 1e6, "where squares end"), CVY_KEY_END};
static const struct cvy_key smooth_keys[] = {A("beta", "1", 1e-6, 1e6, "where squares end"), CVY_KEY_END};

/* ---- infer ---- */

static bool is_weight(const struct cvy_node *node) {
    double weight;
    return cvy_node_real(node, &weight) && weight >= 0 && weight <= 1e6;
}

static bool are_weights(const struct cvy_node *list, int count) {
    if (list->kind != CVY_NODE_LIST || (int)list->count != count) return false;
    for (size_t i = 0; i < list->count; i++)
        if (!is_weight(list->items[i])) return false;
    return true;
}

static void check_weights(struct cvy_op *op, struct cvy_findings *findings) {
    const struct loss *s = op->state;
    const int channels = op->in[0].c;
    if (s->list && !are_weights(s->list, channels))
        cvy_find(findings, s->list, "%s: class_weights: expected a list of %d %s from 0 to 1e6, one a class", op->name,
                 channels, cvy_plural(channels, "number", "numbers"));
    if (s->positives && !is_weight(s->positives) && !are_weights(s->positives, channels))
        cvy_find(findings, s->positives,
                 "%s: pos_weight: expected a number from 0 to 1e6, or a list of %d of them, one an output", op->name,
                 channels);
    op->copy_floats = (size_t)channels;
    op->copy_in_forward = true;
}

static void check_ignored(struct cvy_op *op, struct cvy_findings *findings) {
    struct loss *s = op->state;
    int64_t label = 0;
    if (!cvy_node_int(s->label, &label) || label < INT32_MIN || label > INT32_MAX)
        cvy_find(findings, s->label, "%s: ignore_label: expected a whole number", op->name);
    s->how.ignores = true;
    s->how.ignored = (int32_t)label;
    op->ignores = true;
    op->ignored = (int32_t)label;
}

/* How many classes there may be. */
static int classes_of(const struct cvy_op *op) {
    const struct loss *s = op->state;
    static const int of_one_output[] = {
        [CVY_LOSS_SOFTMAX_XENT] = 1, [CVY_LOSS_NLL] = 1,           [CVY_LOSS_LOGISTIC] = 2,
        [CVY_LOSS_HINGE] = 2,        [CVY_LOSS_SQUARED_HINGE] = 2, [CVY_LOSS_MSE] = INT_MAX,
        [CVY_LOSS_L1] = INT_MAX,     [CVY_LOSS_HUBER] = INT_MAX,   [CVY_LOSS_SMOOTH_L1] = INT_MAX};
    return op->in[0].c == 1 ? of_one_output[s->how.kind] : op->in[0].c;
}

static void infer(struct cvy_op *op, struct cvy_findings *findings, enum cvy_loss_kind kind) {
    struct loss *s = op->state;
    s->how = (struct cvy_loss){.kind = kind, .a = s->a, .scale = 1};
    op->wants = kind >= CVY_LOSS_MSE        ? CVY_WANTS_VALUES
                : kind == CVY_LOSS_LOGISTIC ? CVY_WANTS_EITHER
                                            : CVY_WANTS_CLASSES;
    op->likelihood = kind <= CVY_LOSS_LOGISTIC;
    op->classes = classes_of(op);
    op->soft = kind == CVY_LOSS_SOFTMAX_XENT;
    if (s->list || s->positives) check_weights(op, findings);
    if (s->label) check_ignored(op, findings);
    op->partial_forward = s->list || s->label;
    op->reads = CVY_READS_INPUT;
}

/* ---- targets ---- */

static int pixels_of(struct cvy_shape s) {
    return s.h * s.w;
}

static const char *target_text(const struct cvy_target *t, char out[96]) {
    if (cvy_target_is_class(*t))
        snprintf(out, 96, "one class a sample");
    else if (t->type == CVY_I32)
        snprintf(out, 96, "a map of %d×%d classes a sample", t->shape.h, t->shape.w);
    else
        snprintf(out, 96, "%d×%d×%d values a sample", t->shape.h, t->shape.w, t->shape.c);
    return out;
}

static bool fits(const struct cvy_op *op, const struct cvy_target *t) {
    const struct loss *s = op->state;
    if (t->type == CVY_F32) return (op->wants != CVY_WANTS_CLASSES || op->soft) && cvy_shape_equal(t->shape, op->in[0]);
    if (cvy_target_is_class(*t)) return s->how.kind >= CVY_LOSS_MSE || pixels_of(op->in[0]) == 1;
    return t->shape.h == op->in[0].h && t->shape.w == op->in[0].w;
}

/* What would help: a loss is named only where it would fit. */
static const char *advice(const struct cvy_op *op, const struct cvy_target *t, char out[160]) {
    static const char values[] = " and choose mse for values, logistic for labels of 0 and 1";
    const struct cvy_shape y = t->shape;
    const bool takes_values = op->wants != CVY_WANTS_CLASSES;
    if (cvy_target_is_class(*t)) return "end it with dense (or flatten, global_avgpool)";
    if (t->type == CVY_F32 && cvy_shape_equal(y, op->in[0]))
        return "choose mse for values, logistic for labels of 0 and 1, softmax_cross_entropy for distributions";
    if (t->type == CVY_I32)
        snprintf(out, 160, "end it with maps of %d×%d, or give the data that size", y.h, y.w);
    else if (pixels_of(y) > 1)
        snprintf(out, 160, "end it with maps of %d×%d×%d%s, or give the data that size", y.h, y.w, y.c,
                 takes_values ? "" : " and choose mse");
    else if (y.c == 1 && !takes_values)
        snprintf(out, 160, "end it with dense: 1 and choose mse for a value, or store whole numbers if it is a class");
    else
        snprintf(out, 160, "end it with dense: %d%s", y.c,
                 takes_values ? ""
                 : op->soft   ? "; this loss takes distributions, mse values, logistic labels of 0 and 1"
                              : values);
    return out;
}

/* What the targets are to the loss, in the words of what it takes. */
static const char *wanted(const struct cvy_op *op) {
    static const char *const words[] = {
        [CVY_WANTS_CLASSES] = "a class for each sample or pixel",
        [CVY_WANTS_VALUES] = "a value for each output",
        [CVY_WANTS_EITHER] = "a class for each sample or pixel, or a value for each output",
    };
    return op->soft ? "a class for each sample or pixel, or a distribution over the outputs" : words[op->wants];
}

static void measure(struct cvy_op *op, const struct cvy_target *target) {
    const struct cvy_shape in = op->in[0];
    const bool one = (int)cvy_shape_count(in) == 1 || (!cvy_target_is_class(*target) && in.c == 1);
    const bool values = op->wants == CVY_WANTS_VALUES && (one || target->type == CVY_F32);
    const bool labels = op->wants == CVY_WANTS_EITHER && target->type == CVY_F32;
    op->measure = values ? CVY_MEASURE_VALUES : labels ? CVY_MEASURE_LABELS : CVY_MEASURE_CLASSES;
}

static void aim(struct cvy_op *op, const struct cvy_target *target, int classes, const char *data,
                struct cvy_findings *findings) {
    char text[96], help[160];
    const struct cvy_shape in = op->in[0];
    const struct cvy_node *label = ((const struct loss *)op->state)->label;
    if (!fits(op, target))
        cvy_find(findings, op->node, "%s: the network ends in %d×%d×%d and this loss takes %s, but %s has %s; %s",
                 op->name, in.h, in.w, in.c, wanted(op), data, target_text(target, text), advice(op, target, help));
    else if (target->type == CVY_I32 && classes > op->classes)
        cvy_find(findings, op->node, "%s: %s has %d %s, the model's last layer tells %d apart; %s%s", op->name, data,
                 classes, cvy_plural(classes, "class", "classes"), op->classes,
                 classes == 256 ? "where 255 stands for 1 in masks, store it as 1" : "make them the same",
                 op->wants == CVY_WANTS_VALUES ? "" : ", or name a class that does not count as ignore_label");
    else if (target->type == CVY_F32 && op->soft && label)
        cvy_find(findings, label, "%s: ignore_label is a class, and %s has distributions over all of them; drop it",
                 op->name, data);
    measure(op, target);
}

/* Of a row's distribution or labels. */
static bool suits_row(const struct cvy_op *op, const float *values, char why[CVY_OP_WHY]) {
    static const char *const taken[] = {
        "labels from 0 to 1; name what stands for an unknown one as ignore_label, or choose mse for values",
        "distributions, from 0 to 1; choose mse for values"};
    const struct cvy_loss *how = &((const struct loss *)op->state)->how;
    double sum = 0;
    for (int j = 0; j < op->in[0].c; sum += values[j++]) {
        if ((values[j] >= 0 && values[j] <= 1) || (how->ignores && values[j] == (float)how->ignored)) continue;
        snprintf(why, CVY_OP_WHY, "%g as a target, and %s takes %s", values[j], op->kind->name, taken[op->soft]);
        return false;
    }
    if (!op->soft || fabs(sum - 1) <= 0.01) return true;
    snprintf(why, CVY_OP_WHY,
             "a target that sums to %g, and %s takes distributions, which sum to 1; choose logistic for several labels "
             "at once, mse for values",
             sum, op->kind->name);
    return false;
}

static bool suits(const struct cvy_op *op, const float *values, char why[CVY_OP_WHY]) {
    const struct cvy_shape in = op->in[0];
    const bool any = op->wants == CVY_WANTS_VALUES || (op->wants == CVY_WANTS_CLASSES && !op->soft);
    for (int p = 0; !any && p < pixels_of(in); p++)
        if (!suits_row(op, values + (int64_t)p * in.c, why)) return false;
    return true;
}

/* ---- running ---- */

static struct cvy_loss_rows rows_of(const struct cvy_op *op, const struct cvy_call *call) {
    const struct cvy_tensor *t = &call->target;
    const bool whole = cvy_target_is_class((struct cvy_target){t->dtype, t->shape});
    const struct cvy_shape in = op->in[0];
    return (struct cvy_loss_rows){.n = whole ? call->n : (int64_t)call->n * pixels_of(in),
                                  .outputs = whole ? (int)cvy_shape_count(in) : in.c,
                                  .x = call->x[0].data,
                                  .labels = t->dtype == CVY_I32 ? t->data : NULL,
                                  .values = t->dtype == CVY_F32 ? t->data : NULL};
}

/* The target's kind may be either: the most that one needs. */
static size_t workspace(const struct cvy_op *op, int n, int threads) {
    (void)threads;
    const int64_t pixels = pixels_of(op->in[0]);
    size_t plain = cvy_softmax_xent_workspace(n, op->in[0].c), own = cvy_loss_workspace(n * pixels, op->in[0].c);
    return plain > own ? plain : own;
}

/* The weights, as numbers. */
static void prepare(const struct cvy_op *op, struct cvy_call *call) {
    const struct loss *s = op->state;
    const struct cvy_node *given = s->list ? s->list : s->positives;
    for (int i = 0; given && i < op->in[0].c; i++) {
        double weight = 0;
        cvy_node_real(given->kind == CVY_NODE_LIST ? given->items[i] : given, &weight);
        call->copy[i] = (float)weight;
    }
}

static struct cvy_loss how_now(const struct cvy_op *op, const struct cvy_call *call) {
    const struct loss *s = op->state;
    struct cvy_loss how = s->how;
    if (s->list) how.weights = call->copy;
    if (s->positives) how.positives = call->copy;
    return how;
}

static void partial(const struct cvy_op *op, struct cvy_call *call, bool backward) {
    (void)backward;
    const struct cvy_loss how = how_now(op, call);
    const struct cvy_loss_rows rows = rows_of(op, call);
    call->partial[0] = cvy_loss_weight(&how, &rows);
}

/* A sample's loss is the mean over its rows; with weights these say what a row counts in the batch. */
static double scale_of(const struct cvy_op *op, const struct cvy_call *call, int64_t rows) {
    if (!op->partial_forward) return (double)call->n / (double)rows;
    if (call->mode != CVY_TRAIN) return 1;
    return call->partial[0] > 0 ? (double)call->batch_samples / call->partial[0] : 0;
}

static void run(const struct cvy_op *op, struct cvy_call *call, float *dx) {
    struct cvy_loss how = how_now(op, call);
    const struct cvy_loss_rows rows = rows_of(op, call);
    struct cvy_loss_result sum;
    how.scale = scale_of(op, call, rows.n);
    if (how.kind == CVY_LOSS_SOFTMAX_XENT && rows.labels && !op->partial_forward && rows.n == call->n) {
        cvy_softmax_xent(call->compute, call->n, rows.outputs, rows.x, rows.labels, (float)how.a, &sum, dx,
                         call->workspace);
        sum.counted = call->n;
    } else {
        cvy_loss_run(call->compute, &how, &rows, &sum, dx, call->workspace);
    }
    call->loss->loss += sum.loss;
    call->loss->weight += op->partial_forward ? sum.weight : call->n;
    call->loss->counted += sum.counted;
    call->loss->top1 += sum.top1;
    call->loss->top5 += sum.top5;
    call->loss->absolute += sum.absolute;
    call->loss->squared += sum.squared;
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
    if (s->positives && s->positives->kind == CVY_NODE_SCALAR) cvy_buf_printf(out, "p%s ", s->positives->text);
    for (size_t i = 0; s->positives && i < s->positives->count; i++)
        cvy_buf_printf(out, "p%s ", s->positives->items[i]->text);
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
        .aim = aim,                                                                                                    \
        .suits = suits,                                                                                                \
        .workspace = workspace,                                                                                        \
        .prepare = prepare,                                                                                            \
        .partial = partial,                                                                                            \
        .forward = forward,                                                                                            \
        .backward = backward,                                                                                          \
        .describe = describe,                                                                                          \
    };
LOSS(softmax_cross_entropy,
     "-log of the label's softmax probability, of a sample or of each pixel, or its mean by a distribution over all "
     "classes; give it scores",
     softmax_keys, CVY_LOSS_SOFTMAX_XENT)
LOSS(nll, "minus the label's score; give it log-probabilities", nll_keys, CVY_LOSS_NLL)
LOSS(logistic,
     "cross-entropy of a sigmoid for each output: two classes with one output, one class against the rest, or several "
     "at once",
     logistic_keys, CVY_LOSS_LOGISTIC)
LOSS(hinge, "the margins that other classes come too near by (Weston & Watkins 1999)", hinge_keys, CVY_LOSS_HINGE)
LOSS(squared_hinge, "the squares of these margins", hinge_keys, CVY_LOSS_SQUARED_HINGE)
LOSS(mse, "the mean square of the differences from the target (L2)", no_keys, CVY_LOSS_MSE)
LOSS(l1, "the mean absolute difference from the target", no_keys, CVY_LOSS_L1)
LOSS(huber, "squares up to delta, then straight on (Huber 1964)", huber_keys, CVY_LOSS_HUBER)
LOSS(smooth_l1, "squares up to beta, then straight on; huber / beta", smooth_keys, CVY_LOSS_SMOOTH_L1)
