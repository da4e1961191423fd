/* Windows that slide: kernel, stride, dilation and padding of one axis, and how many places they have. */
#ifndef CVY_OPS_LAYERS_AXIS_H
#define CVY_OPS_LAYERS_AXIS_H

#include "core/tree/node.h"
#include "core/tensor.h"
#include "kernels/conv/conv.h"
#include "ops/op.h"

enum { CVY_MARGIN_MOST = 1 << 20 };

struct cvy_axis {
    int kernel, stride, dilation;
    int before, after; /* padding */
    int extent;        /* (kernel − 1)·dilation + 1 */
};

#define CVY_PADDING_HELP                                                                                               \
    "valid, same, a number, [height, width] or [top, bottom, left, right]; same: input / stride come out, rounded "    \
    "up, "                                                                                                             \
    "an odd row or column of padding at the bottom or right"

/* What a layer's keys say of its windows: [height, width] each. */
struct cvy_sliding {
    int64_t kernel[2], stride[2], dilation[2];
    int64_t output_padding[2];      /* of transposed convolutions */
    const struct cvy_node *padding; /* valid | same | P | [height, width] | [top, bottom, left, right]; NULL: valid */
};

/* Computes the output height and width into op->out.h and .w and the receptive field. `same` gives ⌈in/stride⌉ places,
 * an odd pixel of padding at the end. False with a finding when nothing fits.
 */
bool cvy_axes_infer(struct cvy_op *op, const struct cvy_sliding *window, struct cvy_axis axes[2],
                    struct cvy_findings *findings);

/* Windows of a transposed convolution: each input value is spread over `kernel` outputs, `stride` apart; the axes are
 * those of the convolution from op->out back to the input. out = (in − 1)·stride + extent − padding + output_padding;
 * `same` gives in·stride. */
bool cvy_axes_infer_transposed(struct cvy_op *op, const struct cvy_sliding *window, struct cvy_axis axes[2],
                               struct cvy_findings *findings);

/* The convolution of n samples with these windows; `out` has their places. */
struct cvy_conv cvy_axes_conv(const struct cvy_op *op, const struct cvy_axis axes[2], int n, struct cvy_shape in,
                              struct cvy_shape out);
/* Kernel, stride, dilation and padding of both, for the graph's hash. */
void cvy_axes_describe(const struct cvy_axis axes[2], struct cvy_buf *out);

/* Reads P | [height, width] | [top, bottom, left, right], numbers from 0, into [top, bottom, left, right]; zeros for
 * NULL. False when it is none of these. */
bool cvy_margins_read(const struct cvy_node *node, int64_t numbers[4]);

#endif
