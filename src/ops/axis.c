#include "ops/axis.h"

#include <string.h>

enum padding_kind { PAD_VALID, PAD_SAME, PAD_NUMBERS, PAD_WRONG };

/* numbers: top, bottom, left, right. */
static enum padding_kind read_padding(const struct cvy_node *node, int64_t numbers[4]) {
    memset(numbers, 0, 4 * sizeof *numbers);
    if (node == NULL) return PAD_VALID;
    if (node->kind == CVY_NODE_SCALAR && strcmp(node->text, "valid") == 0) return PAD_VALID;
    if (node->kind == CVY_NODE_SCALAR && strcmp(node->text, "same") == 0) return PAD_SAME;
    bool scalar = node->kind == CVY_NODE_SCALAR;
    if (!scalar && (node->kind != CVY_NODE_LIST || (node->count != 2 && node->count != 4))) return PAD_WRONG;
    for (int i = 0; i < 4; i++) {
        const struct cvy_node *item = scalar ? node : node->items[node->count == 4 ? i : i / 2];
        if (!cvy_node_int(item, &numbers[i]) || numbers[i] < 0 || numbers[i] > 1 << 20) return PAD_WRONG;
    }
    return PAD_NUMBERS;
}

static int place(struct cvy_axis *axis, int in, enum padding_kind kind, const int64_t pads[2]) {
    axis->extent = (axis->kernel - 1) * axis->dilation + 1;
    axis->before = (int)pads[0];
    axis->after = (int)pads[1];
    if (kind == PAD_SAME) {
        int out = (in + axis->stride - 1) / axis->stride;
        int total = (out - 1) * axis->stride + axis->extent - in;
        if (total < 0) total = 0;
        axis->before = total / 2;
        axis->after = total - axis->before;
    }
    int room = in + axis->before + axis->after - axis->extent;
    return room < 0 ? 0 : room / axis->stride + 1;
}

bool cvy_axes_infer(struct cvy_op *op, const int64_t kernel[2], const int64_t stride[2], const int64_t dilation[2],
                    const struct cvy_node *padding, struct cvy_axis axes[2], struct cvy_findings *findings) {
    int64_t numbers[4];
    enum padding_kind kind = read_padding(padding, numbers);
    if (kind == PAD_WRONG) {
        cvy_find(findings, padding,
                 "%s: padding: expected valid, same, a number, [height, width] or [top, bottom, left, right]",
                 op->name);
        return false;
    }
    const int in[2] = {op->in[0].h, op->in[0].w};
    int out[2];
    for (int a = 0; a < 2; a++) {
        axes[a] = (struct cvy_axis){.kernel = (int)kernel[a], .stride = (int)stride[a], .dilation = (int)dilation[a]};
        out[a] = place(&axes[a], in[a], kind, &numbers[2 * a]);
        op->field[a] = axes[a].extent;
        op->jump[a] = axes[a].stride;
    }
    op->out.h = out[0];
    op->out.w = out[1];
    if (out[0] > 0 && out[1] > 0) return true;
    cvy_find(findings, op->node,
             "%s: a %d×%d kernel on a %d×%d input%s; add padding, use a smaller kernel or drop the layer", op->name,
             axes[0].extent, axes[1].extent, in[0], in[1], kind == PAD_VALID ? " without padding" : "");
    return false;
}
