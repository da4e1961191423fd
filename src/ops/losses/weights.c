/* Settings that several losses have: weights of classes or outputs, and a label that does not count. */
#include "core/text.h"
#include "ops/losses/loss.h"

bool cvy_loss_is_weight(const struct cvy_node *node) {
    double weight;
    return cvy_node_real(node, &weight) && weight >= 0 && weight <= 1e6;
}

bool cvy_loss_are_weights(const struct cvy_node *list, int count) {
    if (list->kind != CVY_NODE_LIST || (int)list->count != count) return false;
    for (size_t i = 0; i < list->count; i++)
        if (!cvy_loss_is_weight(list->items[i])) return false;
    return true;
}

void cvy_loss_want_weights(struct cvy_op *op) {
    op->copy_floats = (size_t)op->in[0].c;
}

void cvy_loss_check_ignored(struct cvy_loss *loss, struct cvy_op *op, struct cvy_findings *findings) {
    int64_t label = 0;
    if (loss->unlabeled == NULL) return;
    if (!cvy_node_int(loss->unlabeled, &label) || label < INT32_MIN || label > INT32_MAX)
        cvy_find(findings, loss->unlabeled, "%s: ignore_label: expected a whole number", op->name);
    loss->ignores = true;
    loss->ignored = (int32_t)label;
    op->partial_forward = 1;
}

void cvy_loss_check_classes(struct cvy_loss *loss, struct cvy_op *op, struct cvy_findings *findings) {
    const int classes = op->in[0].c;
    if (loss->weights) {
        if (!cvy_loss_are_weights(loss->weights, classes))
            cvy_find(findings, loss->weights, "%s: class_weights: expected a list of %d %s from 0 to 1e6, one a class",
                     op->name, classes, cvy_plural(classes, "number", "numbers"));
        cvy_loss_want_weights(op);
        op->partial_forward = 1;
    }
    cvy_loss_check_ignored(loss, op, findings);
}

void cvy_loss_describe_classes(const struct cvy_loss *loss, struct cvy_buf *out) {
    for (size_t i = 0; loss->weights && i < loss->weights->count; i++)
        cvy_buf_printf(out, "w%s ", loss->weights->items[i]->text);
    if (loss->ignores) cvy_buf_printf(out, "ignore%d ", loss->ignored);
}
