/* What may be wrong with a data set that can be trained on. */
#include <stdio.h>
#include <string.h>

#include "experiment/leaf.h"
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

/* "; for two steps an epoch and more: --set train.batch=4 --set train.leaf=2, or less": half of the samples, in leaves
 * of which each rank has some; nothing where there is no such batch. */
static const char *smaller_batch(const struct cvy_task *t, int64_t count, char out[160]) {
    const struct cvy_experiment *e = t->experiment;
    const int64_t batch = count / 2 - count / 2 % t->ranks;
    out[0] = '\0';
    if (batch == 0) return out;
    const int64_t now = e->leaf_chosen ? cvy_leaf_default(batch) : e->leaf, most = batch / t->ranks;
    const int64_t leaf = cvy_leaf_divisor(batch, now < most ? now : most);
    const int used = snprintf(out, 160, "; for two steps an epoch and more: --set train.batch=%lld", (long long)batch);
    if (leaf != now) snprintf(out + used, 160 - (size_t)used, " --set train.leaf=%lld", (long long)leaf);
    return strcat(out, ", or less");
}

/* An epoch is one step of all samples, on as few leaves as these make; half as many are two steps. */
static void warn_of_large_batch(const struct cvy_inputs *in, const struct cvy_task *t) {
    const int64_t count = in->plan.count;
    char more[160], ranks[96] = "";
    if (count >= in->plan.batch || in->plan.drop_last) return;
    const int leaves = cvy_batch_plan_at(&in->plan, 0).leaves, idle = t->ranks - leaves;
    if (idle > 0)
        snprintf(ranks, sizeof ranks, " in %d %s, so that %d of %d ranks have nothing to do", leaves,
                 cvy_plural(leaves, "leaf", "leaves"), idle, t->ranks);
    cvy_warn(t->ctx->log, "%s: has %lld %s, fewer than train.batch %d: each epoch is one step of all of them%s%s",
             cvy_inputs_train_name(t), (long long)count, cvy_plural((double)count, "sample", "samples"), in->plan.batch,
             ranks, smaller_batch(t, count, more));
}

/* Others in each epoch, so that a small rest is no loss. */
static void warn_of_large_rest(const struct cvy_inputs *in, const struct cvy_task *t) {
    const int64_t count = in->plan.count, rest = count % in->plan.batch;
    if (!in->plan.drop_last || rest == count || 4 * rest < count) return;
    cvy_warn(t->ctx->log,
             "%s: train.last_batch: drop leaves out %lld of %lld samples in each epoch; take a train.batch of which "
             "fewer are left, or --set train.last_batch=partial",
             cvy_inputs_train_name(t), (long long)rest, (long long)count);
}

void cvy_inputs_say_doubts(const struct cvy_inputs *in, const struct cvy_task *t) {
    warn_of_idle_outputs(in, t);
    warn_of_first_class(in, t);
    warn_of_axes(in, t);
    warn_of_packed_maps(in, t);
    warn_of_large_batch(in, t);
    warn_of_large_rest(in, t);
}
