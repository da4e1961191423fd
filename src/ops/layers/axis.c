#include "ops/layers/axis.h"

#include "core/ints.h"

#include <string.h>

enum padding_kind { PAD_VALID, PAD_SAME, PAD_NUMBERS, PAD_WRONG };

bool cvy_margins_read(const struct cvy_node *node, int64_t numbers[4]) {
    memset(numbers, 0, 4 * sizeof *numbers);
    if (node == NULL) return true;
    bool scalar = node->kind == CVY_NODE_SCALAR;
    if (!scalar && (node->kind != CVY_NODE_LIST || (node->count != 2 && node->count != 4))) return false;
    for (int i = 0; i < 4; i++) {
        const struct cvy_node *item = scalar ? node : node->items[node->count == 4 ? i : i / 2];
        if (!cvy_node_int(item, &numbers[i]) || numbers[i] < 0 || numbers[i] > CVY_MARGIN_MOST) return false;
    }
    return true;
}

static enum padding_kind read_padding(const struct cvy_node *node, int64_t numbers[4]) {
    memset(numbers, 0, 4 * sizeof *numbers);
    if (node == NULL) return PAD_VALID;
    if (node->kind == CVY_NODE_SCALAR && strcmp(node->text, "valid") == 0) return PAD_VALID;
    if (node->kind == CVY_NODE_SCALAR && strcmp(node->text, "same") == 0) return PAD_SAME;
    return cvy_margins_read(node, numbers) ? PAD_NUMBERS : PAD_WRONG;
}

static int place(struct cvy_axis *axis, int in, enum padding_kind kind, const int64_t pads[2]) {
    axis->before = (int)pads[0];
    axis->after = (int)pads[1];
    if (kind == PAD_SAME) {
        int out = cvy_ceil_div(in, axis->stride);
        int total = (out - 1) * axis->stride + axis->extent - in;
        if (total < 0) total = 0;
        axis->before = total / 2;
        axis->after = total - axis->before;
    }
    int room = in + axis->before + axis->after - axis->extent;
    return room < 0 ? 0 : room / axis->stride + 1;
}

static bool wrong_padding(const struct cvy_op *op, const struct cvy_node *padding, struct cvy_findings *findings) {
    cvy_find(
        findings, padding,
        "%s: padding: expected valid, same, a number, [height, width] or [top, bottom, left, right]; numbers from 0 to "
        "%d",
        op->name, CVY_MARGIN_MOST);
    return false;
}

static struct cvy_axis axis_of(const struct cvy_sliding *window, int a) {
    const int kernel = (int)window->kernel[a], dilation = (int)window->dilation[a];
    return (struct cvy_axis){.kernel = kernel,
                             .stride = (int)window->stride[a],
                             .dilation = dilation,
                             .extent = (kernel - 1) * dilation + 1};
}

bool cvy_axes_infer(struct cvy_op *op, const struct cvy_sliding *window, struct cvy_axis axes[2],
                    struct cvy_findings *findings) {
    int64_t numbers[4];
    enum padding_kind kind = read_padding(window->padding, numbers);
    if (kind == PAD_WRONG) return wrong_padding(op, window->padding, findings);
    bool fits = true;
    struct cvy_shape extents = op->in[0];
    for (int a = 0; a < CVY_SPATIAL_AXES; a++) {
        axes[a] = axis_of(window, a);
        const int out = place(&axes[a], cvy_shape_axis(op->in[0], a), kind, &numbers[2 * a]);
        fits &= out > 0;
        *cvy_shape_size(&op->out, a) = out;
        *cvy_shape_size(&extents, a) = op->field[a] = axes[a].extent;
        op->jump[a] = axes[a].stride;
    }
    if (fits) return true;
    cvy_find(findings, op->node, "%s: a %s kernel on a %s input%s; add padding, use a smaller kernel or drop the layer",
             op->name, CVY_SPACE_TEXT(extents), CVY_SPACE_TEXT(op->in[0]), kind == PAD_VALID ? " without padding" : "");
    return false;
}

/* How many outputs; a convolution over them with these windows has the input's places, and perhaps room for more. */
static int64_t spread(struct cvy_axis *axis, int in, enum padding_kind kind, const int64_t pads[2], int64_t extra) {
    int64_t whole = (int64_t)(in - 1) * axis->stride + axis->extent;
    if (kind == PAD_SAME) {
        int total = axis->extent > axis->stride ? axis->extent - axis->stride : 0;
        axis->before = total / 2;
        axis->after = total - axis->before;
        return (int64_t)in * axis->stride;
    }
    axis->before = (int)pads[0];
    axis->after = (int)pads[1];
    return whole - pads[0] - pads[1] + extra;
}

bool cvy_axes_infer_transposed(struct cvy_op *op, const struct cvy_sliding *window, struct cvy_axis axes[2],
                               struct cvy_findings *findings) {
    enum { MOST = 1 << 20 };
    int64_t numbers[4], out[2];
    enum padding_kind kind = read_padding(window->padding, numbers);
    if (kind == PAD_WRONG) return wrong_padding(op, window->padding, findings);
    const int in[2] = {op->in[0].h, op->in[0].w};
    for (int a = 0; a < 2; a++) {
        axes[a] = axis_of(window, a);
        const int most = cvy_max(axes[a].stride, axes[a].dilation);
        const int64_t extra = window->output_padding[a];
        if (extra >= most || (extra && kind == PAD_SAME)) {
            cvy_find(findings, op->node, "%s: output_padding %d; it has to be less than %s", op->name, (int)extra,
                     kind == PAD_SAME ? "1 with padding same" : "the larger of stride and dilation");
            return false;
        }
        out[a] = spread(&axes[a], in[a], kind, &numbers[2 * a], extra);
        op->field[a] = cvy_ceil_div(axes[a].extent, axes[a].stride); /* inputs that an output meets */
    }
    op->out.h = (int)out[0];
    op->out.w = (int)out[1];
    if (out[0] >= 1 && out[1] >= 1 && out[0] <= MOST && out[1] <= MOST) return true;
    cvy_find(findings, op->node, "%s: an output of %lld×%lld from a %d×%d input; from 1×1 to %d×%d", op->name,
             (long long)out[0], (long long)out[1], in[0], in[1], MOST, MOST);
    return false;
}

struct cvy_conv cvy_axes_conv(const struct cvy_op *op, const struct cvy_axis axes[2], int n, struct cvy_shape in,
                              struct cvy_shape out) {
    const struct cvy_axis *h = &axes[0], *w = &axes[1];
    return (struct cvy_conv){.n = n,
                             .in = in,
                             .out = out,
                             .r = h->kernel,
                             .s = w->kernel,
                             .stride_h = h->stride,
                             .stride_w = w->stride,
                             .pad_top = h->before,
                             .pad_left = w->before,
                             .dilation_h = h->dilation,
                             .dilation_w = w->dilation,
                             .direct = op->direct};
}

void cvy_axes_describe(const struct cvy_axis axes[2], struct cvy_buf *out) {
    for (int a = 0; a < 2; a++)
        cvy_buf_printf(out, "k%d s%d d%d p%d,%d ", axes[a].kernel, axes[a].stride, axes[a].dilation, axes[a].before,
                       axes[a].after);
}
