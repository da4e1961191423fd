/* Cases of the variants of convolution (the formula of conv itself is in ops_reference.c), and transposed convolution.
 */
#include <stdlib.h>
#include <string.h>

#include "unit/ops/ops_cases.h"

const struct op_case op_cases_conv[] = {
    {"conv", "{filters: 6, kernel: 3, groups: 2, padding: 1}", {{5, 7, 4}}},
    {"conv", "{filters: 34, kernel: [3, 2], groups: 2, stride: [2, 1], bias: false}", {{6, 5, 10}}},
    {"conv", "{filters: 64, kernel: 3, groups: 4, padding: same, dilation: 2}", {{5, 6, 8}}},
    {"conv", "{filters: 21, kernel: 1, groups: 3, stride: 2}", {{5, 5, 6}}},
    {"conv", "{filters: 3, kernel: 3, groups: 3}", {{3, 3, 3}}}, /* depthwise from here on */
    {"conv", "{filters: 7, kernel: 3, groups: 7, padding: same}", {{9, 21, 7}}},
    {"conv", "{filters: 16, kernel: 3, groups: 16, padding: 1, stride: 2, bias: false}", {{7, 8, 16}}},
    {"conv", "{filters: 35, kernel: [5, 4], groups: 35, padding: [2, 1, 0, 3], stride: [1, 3]}", {{6, 13, 35}}},
    {"conv", "{filters: 17, kernel: 3, groups: 17, padding: 3, dilation: [2, 3], stride: [3, 2]}", {{8, 9, 17}}},
    {"conv", "{filters: 4, kernel: 2, groups: 4, padding: 5, stride: 5}", {{3, 4, 4}}},
    {"conv", "{filters: 10, kernel: 3, groups: 5, padding: 1}", {{4, 6, 5}}},
    {"conv", "{filters: 51, kernel: [1, 3], groups: 17, stride: 2}", {{3, 6, 17}}},
    {"conv", "{filters: 32, kernel: 1, groups: 32}", {{9, 9, 32}}},
    {"conv", "{filters: 5, kernel: [3, 4], flip: true, padding: [1, 0, 2, 1]}", {{5, 6, 3}}},
    {"conv", "{filters: 18, kernel: 3, flip: true, stride: 2, padding: same}", {{6, 5, 17}}},
    {"conv", "{filters: 6, kernel: 3, flip: true, groups: 6, padding: same}", {{6, 5, 6}}},
    {"conv", "{filters: 4, kernel: [2, 3], flip: true, groups: 2, bias: false}", {{4, 5, 6}}},
    {"conv", "{filters: 2, kernel: 3, weights: sobel_x, padding: same}", {{5, 6, 3}}},
    {"conv", "{filters: 3, kernel: [1, 2], weights: [[1, -1]], groups: 3, flip: true}", {{1, 9, 3}}},
    {"conv", "{filters: 4, kernel: [1, 5], stride: [1, 2], padding: [0, 2]}", {{1, 30, 2}}}, /* a signal */
    {"conv_transpose", "{filters: 1, kernel: 1}", {{1, 1, 1}}},
    {"conv_transpose", "{filters: 5, kernel: 2, stride: 2}", {{3, 4, 6}}},
    {"conv_transpose", "{filters: 17, kernel: 3, stride: 2, padding: 1, output_padding: 1}", {{4, 3, 18}}},
    {"conv_transpose", "{filters: 3, kernel: [4, 3], stride: [3, 1], padding: [1, 0, 2, 1], bias: false}", {{3, 5, 7}}},
    {"conv_transpose", "{filters: 6, kernel: 3, padding: same, stride: [1, 2]}", {{4, 5, 20}}},
    {"conv_transpose", "{filters: 2, kernel: [2, 1], padding: same, stride: 4}", {{2, 3, 3}}},
    {"conv_transpose", "{filters: 33, kernel: 3, dilation: [3, 2], output_padding: [2, 1]}", {{3, 4, 5}}},
    {"conv_transpose", "{filters: 4, kernel: [1, 4], stride: [1, 2], padding: [0, 1]}", {{1, 7, 2}}},
    {"conv_transpose", "{filters: 6, kernel: 3, groups: 2, stride: 2, padding: 1, output_padding: 1}", {{4, 5, 4}}},
    {"conv_transpose", "{filters: 34, kernel: [2, 3], groups: 2, stride: [1, 3], bias: false}", {{3, 4, 20}}},
    {"conv_transpose", "{filters: 19, kernel: 3, groups: 19, stride: 2, padding: 1}", {{4, 6, 19}}}, /* depthwise */
    {"conv_transpose", "{filters: 10, kernel: 4, groups: 5, padding: [1, 0, 2, 1], dilation: 2}", {{5, 4, 5}}},
    {"conv_transpose", "{filters: 5, kernel: 3, groups: 5, padding: same}", {{5, 4, 10}}},
    {0},
};

/* Spread as the formula says it. Padding is four numbers, or as `same`; the output's size follows. */
struct spreading {
    int kernel, stride, dilation, before, out;
};

static struct spreading spreading(const struct op_math *m, int axis) {
    struct spreading s = {.kernel = (int)op_setting(m, "kernel", "", axis, 1),
                          .stride = (int)op_setting(m, "stride", "", axis, 1),
                          .dilation = (int)op_setting(m, "dilation", "", axis, 1)};
    const struct cvy_node *padding = cvy_node_get(m->body, "padding");
    int in = axis ? m->in.w : m->in.h, extent = (s.kernel - 1) * s.dilation + 1, after = 0;
    if (padding && strcmp(padding->text, "same") == 0) {
        s.before = extent > s.stride ? (extent - s.stride) / 2 : 0;
        s.out = in * s.stride;
        return s;
    }
    if (padding && padding->kind == CVY_NODE_LIST && padding->count == 4) {
        s.before = atoi(padding->items[2 * axis]->text);
        after = atoi(padding->items[2 * axis + 1]->text);
    } else {
        s.before = after = (int)op_setting(m, "padding", "", axis, 0);
    }
    s.out = (in - 1) * s.stride - s.before - after + extent + (int)op_setting(m, "output_padding", "", axis, 0);
    return s;
}

static void transposed_shape(struct op_math *m) {
    m->out = (struct cvy_shape){spreading(m, 0).out, spreading(m, 1).out, (int)op_setting(m, "filters", "", 0, 0)};
}

/* What the input value (n, iy, ix, c) gives. */
static void spread_value(const struct op_math *m, int n, int iy, int ix, int c, double *y) {
    const struct spreading v = spreading(m, 0), h = spreading(m, 1);
    const int groups = (int)op_setting(m, "groups", "", 0, 1), each = m->out.c / groups;
    const int first = c / (m->in.c / groups) * each; /* the group's outputs */
    double x = m->x[0][((n * m->in.h + iy) * m->in.w + ix) * m->in.c + c];
    for (int r = 0; r < v.kernel; r++)
        for (int s = 0; s < h.kernel; s++) {
            int oy = iy * v.stride - v.before + r * v.dilation, ox = ix * h.stride - h.before + s * h.dilation;
            if (oy < 0 || ox < 0 || oy >= m->out.h || ox >= m->out.w) continue;
            for (int k = 0; k < each; k++)
                y[((n * m->out.h + oy) * m->out.w + ox) * m->out.c + first + k] +=
                    x * m->param[0][((r * h.kernel + s) * each + k) * m->in.c + c];
        }
}

static void transposed(const struct op_math *m, double *y) {
    for (int64_t i = 0; i < m->n * cvy_shape_count(m->out); i++) y[i] = m->param[1] ? m->param[1][i % m->out.c] : 0;
    for (int n = 0; n < m->n; n++)
        for (int iy = 0; iy < m->in.h; iy++)
            for (int ix = 0; ix < m->in.w; ix++)
                for (int c = 0; c < m->in.c; c++) spread_value(m, n, iy, ix, c, y);
}

const struct op_reference op_references_conv[] = {
    {"conv_transpose", OP_LINEAR, 2, transposed_shape, transposed},
    {0},
};
