/* What may be wrong with a data set that can be trained on. */
#include "train/datasets.h"
#include "train/inputs.h"

/* No error: class numbers may have gaps, or more classes are to come. */
static void warn_of_idle_outputs(const struct cvy_inputs *in, const struct cvy_task *t) {
    const struct cvy_dataset_info *info = &in->train->info;
    const struct cvy_loss *loss = cvy_graph_loss(t->graph);
    if (loss->measure != CVY_MEASURE_CLASSES || info->target.type != CVY_I32 || info->classes >= loss->classes) return;
    cvy_warn(t->ctx->log,
             "%s: has %d %s, the model's last layer tells %d apart: the others will never be right; make them the "
             "same, unless that is meant",
             cvy_inputs_train_name(t), info->classes, cvy_plural(info->classes, "class", "classes"), loss->classes);
}

/* A user's own maps of whole numbers are values to such a loss. */
static void warn_of_packed_maps(const struct cvy_inputs *in, const struct cvy_task *t) {
    const struct cvy_dataset_info *info = &in->train->info;
    if (!info->packed || !cvy_dataset_dense(info) || info->target.type != CVY_I32) return;
    if (cvy_graph_loss(t->graph)->kind->wants != CVY_WANTS_VALUES) return;
    cvy_warn(t->ctx->log,
             "%s: its maps were packed as classes, 0 to %d, and this loss takes values: it aims at their numbers or "
             "one-hot vectors as they are; if they are pictures or measurements, pack them with --values",
             cvy_inputs_train_name(t), info->classes - 1);
}

static void warn_of_first_class(const struct cvy_inputs *in, const struct cvy_task *t) {
    if (!cvy_datasets_from_one(&in->train->info)) return;
    cvy_warn(t->ctx->log,
             "%s: no sample has class 0; if its labels start at 1, subtract 1: classes are numbered from 0",
             cvy_inputs_train_name(t));
}

static void warn_of_axes(const struct cvy_inputs *in, const struct cvy_task *t) {
    const struct cvy_shape x = in->train->info.shape;
    const bool nchw = t->experiment->train.layout == CVY_LAYOUT_NCHW;
    if (!cvy_datasets_axes_doubtful(in->train)) return;
    cvy_warn(
        t->ctx->log,
        "%s: its samples are read as %d high and %d wide with %d channels; if that is not what they are, set layout: "
        "%s for it and write the model's input to match",
        cvy_inputs_train_name(t), x.h, x.w, x.c, nchw ? "nhwc" : "nchw");
}

void cvy_inputs_say_doubts(const struct cvy_inputs *in, const struct cvy_task *t) {
    warn_of_idle_outputs(in, t);
    warn_of_first_class(in, t);
    warn_of_axes(in, t);
    warn_of_packed_maps(in, t);
}
