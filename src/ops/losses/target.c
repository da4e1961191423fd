/* Which targets fit a loss, and what helps where they do not. */
#include <math.h>
#include <stdio.h>

#include "core/text.h"
#include "ops/losses/loss.h"

static int pixels_of(struct cvy_shape s) {
    return cvy_shape_pixels(s);
}

const char *cvy_target_text(const struct cvy_target *t, char out[96]) {
    if (cvy_target_is_class(*t))
        snprintf(out, 96, "one class a sample");
    else if (t->type == CVY_I32)
        snprintf(out, 96, "a map of %s classes a sample", CVY_SPACE_TEXT(t->shape));
    else
        snprintf(out, 96, "%s values a sample", CVY_SHAPE_TEXT(t->shape));
    return out;
}

static bool takes_values(const struct cvy_loss_kind *kind) {
    return kind->wants != CVY_WANTS_CLASSES;
}

static bool fits(const struct cvy_loss *loss, const struct cvy_target *t) {
    const struct cvy_loss_kind *kind = loss->kind;
    if (t->type == CVY_F32)
        return (takes_values(kind) || kind->form.distributions) && cvy_shape_equal(t->shape, loss->in);
    if (cvy_target_is_class(*t)) return kind->wants == CVY_WANTS_VALUES || pixels_of(loss->in) == 1;
    return cvy_shape_same_space(t->shape, loss->in);
}

const char *cvy_target_axes_advice(const struct cvy_target *t, struct cvy_shape in) {
    const struct cvy_shape y = t->shape, first = {y.w, y.c, y.h}; /* were channels first in the file */
    const struct cvy_shape last = {y.c, y.h, y.w};                /* were they last, and read as first */
    if (t->type != CVY_F32 || cvy_shape_equal(y, in)) return NULL;
    if (cvy_shape_equal(first, in))
        return "channels stand before rows in them: read them with y_layout: nchw (--y-layout nchw; a packed set is "
               "packed again with that)";
    if (cvy_shape_equal(last, in))
        return "channels stand last in them: read them with y_layout: nhwc (--y-layout nhwc; a packed set is packed "
               "again with that)";
    return NULL;
}

/* What would help: a loss is named only where it would fit. */
static const char *advice(const struct cvy_loss *loss, const struct cvy_target *t, char out[160]) {
    static const char values[] = " and choose mse for values, logistic for labels of 0 and 1";
    const struct cvy_shape y = t->shape;
    const bool takes = takes_values(loss->kind);
    const char *axes = takes ? cvy_target_axes_advice(t, loss->in) : NULL;
    if (axes) return axes;
    if (cvy_target_is_class(*t)) return "end it with dense (or flatten, global_avgpool)";
    if (t->type == CVY_F32 && cvy_shape_equal(y, loss->in))
        return "choose mse for values, logistic for labels of 0 and 1, softmax_cross_entropy for distributions";
    if (t->type == CVY_I32)
        snprintf(out, 160, "end it with maps of %s, or give the data that size", CVY_SPACE_TEXT(y));
    else if (pixels_of(y) > 1)
        snprintf(out, 160, "end it with maps of %s%s, or give the data that size", CVY_SHAPE_TEXT(y),
                 takes ? "" : " and choose mse");
    else if (y.c == 1 && !takes)
        snprintf(out, 160, "end it with dense: 1 and choose mse for a value, or store whole numbers if it is a class");
    else
        snprintf(out, 160, "end it with dense: %d%s", y.c,
                 takes                            ? ""
                 : loss->kind->form.distributions ? "; this loss takes distributions, mse values, logistic labels of "
                                                    "0 and 1"
                                                  : values);
    return out;
}

/* What the targets are to the loss, in the words of what it takes. */
static const char *wanted(const struct cvy_loss_kind *kind) {
    static const char *const words[] = {
        [CVY_WANTS_CLASSES] = "a class for each sample or pixel",
        [CVY_WANTS_VALUES] = "a value for each output",
        [CVY_WANTS_EITHER] = "a class for each sample or pixel, or a value for each output",
    };
    return kind->form.distributions ? "a class for each sample or pixel, or a distribution over the outputs"
                                    : words[kind->wants];
}

static enum cvy_measure measure_of(const struct cvy_loss *loss, const struct cvy_target *target) {
    const bool one = cvy_shape_count(loss->in) == 1 || (!cvy_target_is_class(*target) && loss->in.c == 1);
    const bool number = one && loss->kind->form.alone == CVY_ALONE_NUMBER;
    return target->type == CVY_F32 || number ? loss->kind->measure : CVY_MEASURE_CLASSES;
}

void cvy_loss_bind_target(struct cvy_loss *loss, const struct cvy_target *target, int classes, const char *data,
                          struct cvy_findings *findings) {
    char text[96], help[160];
    const struct cvy_shape in = loss->in;
    if (!fits(loss, target))
        cvy_find(findings, loss->node, "%s: the network ends in %s and this loss takes %s, but %s has %s; %s",
                 loss->name, CVY_SHAPE_TEXT(in), wanted(loss->kind), data, cvy_target_text(target, text),
                 advice(loss, target, help));
    else if (target->type == CVY_I32 && classes > loss->classes && loss->ignores && loss->ignored == classes - 1)
        cvy_find(findings, loss->node,
                 "%s: %s counts %d as a class, which the loss ignores: pack it again with --ignore-label %d",
                 loss->name, data, loss->ignored, loss->ignored);
    else if (target->type == CVY_I32 && classes > loss->classes)
        cvy_find(findings, loss->node, "%s: %s has %d %s, the model's last layer tells %d apart; %s%s", loss->name,
                 data, classes, cvy_plural(classes, "class", "classes"), loss->classes,
                 classes == 256 ? "where 255 stands for 1 in masks, store it as 1" : "make them the same",
                 loss->kind->wants == CVY_WANTS_VALUES
                     ? ""
                     : ", or name a class that does not count as ignore_label (data pack --ignore-label)");
    else if (target->type == CVY_F32 && loss->kind->form.distributions && loss->unlabeled)
        cvy_find(findings, loss->unlabeled,
                 "%s: ignore_label is a class, and %s has distributions over all of them; drop it", loss->name, data);
    loss->measure = measure_of(loss, target);
}

/* ---- values ---- */

bool cvy_loss_suits_shares(const struct cvy_loss *loss, const float *values, const char *taken,
                           char why[CVY_LOSS_WHY]) {
    for (int j = 0; j < loss->in.c; j++) {
        if ((values[j] >= 0 && values[j] <= 1) || (loss->ignores && values[j] == (float)loss->ignored)) continue;
        snprintf(why, CVY_LOSS_WHY, "%g as a target, and %s takes %s", values[j], loss->kind->name, taken);
        return false;
    }
    return true;
}

bool cvy_loss_suits(const struct cvy_loss *loss, const float *values, char why[CVY_LOSS_WHY]) {
    for (int p = 0; loss->kind->suits && p < pixels_of(loss->in); p++)
        if (!loss->kind->suits(loss, values + (int64_t)p * loss->in.c, why)) return false;
    return true;
}
