/* Cases and formulas of the ops that combine, cut and pool: no weights. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit/ops/ops_cases.h"

const struct op_case op_cases_elements[] = {
    {"add", "", {{1, 1, 1}, {1, 1, 1}}},
    {"add", "", {{3, 5, 17}, {3, 5, 17}, {3, 5, 17}}},
    {"multiply", "", {{1, 1, 1}, {1, 1, 1}}},
    {"multiply", "", {{3, 5, 17}, {3, 5, 17}, {3, 5, 17}}},
    {"concat", "", {{3, 4, 5}, {3, 4, 1}, {3, 4, 18}}},
    {"concat", "channels", {{1, 1, 7}, {1, 1, 16}}},
    {"concat", "height", {{4, 5, 3}, {1, 5, 3}, {3, 5, 3}}},
    {"concat", "{axis: width}", {{4, 5, 3}, {4, 1, 3}, {4, 2, 3}}},
    {"global_avgpool", "", {{1, 1, 1}}},
    {"global_avgpool", "", {{5, 7, 67}}},
    {"global_maxpool", "", {{1, 1, 1}}},
    {"global_maxpool", "", {{17, 19, 5}}},
    {"global_maxpool", "", {{3, 2, 67}}},
    {"maxpool", "{kernel: 3, stride: 2, ceil_mode: true}", {{8, 6, 5}}},
    {"maxpool", "{kernel: 2, stride: 3, padding: 1, ceil_mode: true}", {{6, 5, 17}}}, /* no window in the padding */
    {"avgpool", "{kernel: 3, stride: 2, ceil_mode: true}", {{8, 6, 5}}},
    {"avgpool", "{kernel: [3, 2], stride: 2, padding: 1, ceil_mode: true}", {{8, 5, 17}}},
    {"avgpool",
     "{kernel: 4, stride: 3, padding: [1, 0, 2, 1], ceil_mode: true, count_include_pad: false}",
     {{9, 8, 3}}},
    {"maxpool", "{kernel: 3, stride: 1, dilation: 2, padding: 2}", {{7, 6, 17}}},
    {"maxpool", "{kernel: [2, 3], stride: [3, 2], dilation: [4, 1], padding: [1, 0, 2, 2]}", {{8, 9, 5}}},
    {"maxpool", "{kernel: 2, dilation: [3, 2], padding: [2, 0], ceil_mode: true}", {{5, 11, 3}}},
    {"maxpool", "{kernel: 2, stride: 2, dilation: 3}", {{4, 5, 33}}},
    {"maxpool", "17", {{34, 35, 3}}}, /* more than 256 places: */
    {"maxpool", "{kernel: [15, 20], stride: [3, 1], padding: [2, 7]}", {{23, 21, 17}}},
    {"maxpool", "{kernel: 17, stride: 2, padding: 15}", {{20, 20, 3}}},
    {"maxpool", "{kernel: [18, 16], stride: 5, dilation: [2, 1], padding: [7, 3], ceil_mode: true}", {{37, 19, 5}}},
    {"adaptive_maxpool", "[2, 1]", {{60, 9, 5}}},
    {"adaptive_maxpool", "[3, 2]", {{52, 39, 17}}},
    {"adaptive_maxpool", "1", {{5, 7, 3}}},
    {"adaptive_maxpool", "[3, 4]", {{7, 9, 17}}},
    {"adaptive_maxpool", "{size: [5, 2]}", {{3, 4, 5}}},
    {"adaptive_avgpool", "1", {{5, 7, 3}}},
    {"adaptive_avgpool", "[3, 4]", {{7, 9, 17}}},
    {"adaptive_avgpool", "{size: [5, 2]}", {{3, 4, 5}}},
    {"upsample", "2", {{3, 4, 5}}},
    {"upsample", "{factor: [1, 3]}", {{3, 4, 17}}},
    {"upsample", "{size: [7, 5]}", {{3, 4, 3}}},
    {"upsample", "{size: [2, 3]}", {{5, 7, 3}}},
    {"upsample", "{factor: 2, mode: bilinear}", {{3, 4, 17}}},
    {"upsample", "{size: [7, 5], mode: bilinear}", {{3, 4, 3}}},
    {"upsample", "{factor: 3, mode: bilinear, align_corners: true}", {{3, 4, 5}}},
    {"upsample", "{size: [1, 6], mode: bilinear, align_corners: true}", {{4, 1, 5}}},
    {"slice", "{channels: [1, 3]}", {{3, 4, 5}}},
    {"slice", "{height: [0, ~, 2], width: [1, ~, 3]}", {{5, 7, 3}}},
    {"slice", "{height: [1, ~, 9], width: [0, ~, 999]}", {{5, 7, 3}}}, /* one of each axis */
    {"slice", "{height: [-3, -1], width: [~, 2], channels: [-17, ~]}", {{5, 7, 18}}},
    {"crop", "1", {{3, 4, 5}}},
    {"crop", "[2, 0]", {{5, 1, 17}}},
    {"crop", "{margins: [0, 2, 1, 3]}", {{5, 7, 3}}},
    {"crop", "{size: [2, 7]}", {{5, 7, 3}}},
    {"pad", "1", {{3, 4, 5}}},
    {"pad", "{padding: [0, 2, 1, 3], value: -0.5}", {{2, 3, 17}}},
    {"pad", "{channels: [1, 2]}", {{3, 4, 5}}},
    {"pad", "{padding: [2, 0], channels: [0, 18]}", {{3, 4, 5}}},
    {"pad", "{padding: [2, 1, 0, 3], mode: reflect}", {{3, 4, 5}}},
    {"pad", "{padding: [2, 5, 0, 3], mode: replicate}", {{1, 4, 3}}},
    {"reshape", "[1, 4, 15]", {{3, 4, 5}}},
    {"reshape", "[6, -1, 2]", {{3, 4, 5}}},
    {"spatial_dropout", "0.3", {{3, 5, 67}}},
    {"spatial_dropout", "{rate: 0}", {{2, 2, 1}}},
    {"gaussian_noise", "0.5", {{3, 5, 17}}},
    {"gaussian_noise", "{std: 0}", {{1, 1, 2}}},
    {0},
};

static int64_t elements(const struct op_math *m) {
    return m->n * cvy_shape_count(m->in);
}

/* ---- several inputs ---- */

static void add(const struct op_math *m, double *y) {
    for (int64_t i = 0; i < elements(m); i++) {
        y[i] = 0;
        for (int k = 0; k < m->inputs; k++) y[i] += m->x[k][i];
    }
}

static void multiply(const struct op_math *m, double *y) {
    for (int64_t i = 0; i < elements(m); i++) {
        y[i] = 1;
        for (int k = 0; k < m->inputs; k++) y[i] *= m->x[k][i];
    }
}

/* 0 height, 1 width, 2 channels. */
static int concat_axis(const struct op_math *m) {
    const struct cvy_node *node = m->body && m->body->kind == CVY_NODE_MAP ? cvy_node_get(m->body, "axis") : m->body;
    return node == NULL || node->text[0] == 'c' ? 2 : node->text[0] == 'w';
}
static int *along(struct cvy_shape *shape, int axis) {
    return axis == 0 ? &shape->h : axis == 1 ? &shape->w : &shape->c;
}
static void concat_shape(struct op_math *m) {
    for (int k = 1; k < m->inputs; k++) {
        struct cvy_shape in = m->ins[k];
        *along(&m->out, concat_axis(m)) += *along(&in, concat_axis(m));
    }
}

/* The index of element (n, p[0], p[1], p[2]). */
static int64_t index_of(struct cvy_shape shape, int n, const int p[3]) {
    return (((int64_t)n * shape.h + p[0]) * shape.w + p[1]) * shape.c + p[2];
}

/* Runs `fn` for every output element. */
typedef double element_fn(const struct op_math *m, int n, const int p[3]);
static void each(const struct op_math *m, element_fn *fn, double *y) {
    int p[3];
    for (int n = 0; n < m->n; n++)
        for (p[0] = 0; p[0] < m->out.h; p[0]++)
            for (p[1] = 0; p[1] < m->out.w; p[1]++)
                for (p[2] = 0; p[2] < m->out.c; p[2]++) *y++ = fn(m, n, p);
}

static double concat_element(const struct op_math *m, int n, const int p[3]) {
    int axis = concat_axis(m), from[3] = {p[0], p[1], p[2]}, k = 0;
    for (struct cvy_shape in = m->ins[0]; from[axis] >= *along(&in, axis); in = m->ins[k]) {
        from[axis] -= *along(&in, axis);
        k++;
    }
    return m->x[k][index_of(m->ins[k], n, from)];
}
static void concat(const struct op_math *m, double *y) {
    each(m, concat_element, y);
}

/* ---- pooling ---- */

static void global_shape(struct op_math *m) {
    m->out = (struct cvy_shape){1, 1, m->in.c};
}

static double mean_element(const struct op_math *m, int n, const int p[3]) {
    double sum = 0;
    for (int y = 0; y < m->in.h; y++)
        for (int x = 0; x < m->in.w; x++) sum += m->x[0][index_of(m->in, n, (int[]){y, x, p[2]})];
    return sum / (m->in.h * m->in.w);
}
static void global_mean(const struct op_math *m, double *y) {
    each(m, mean_element, y);
}

static void adaptive_shape(struct op_math *m) {
    m->out.h = (int)op_setting(m, "size", "size", 0, 0);
    m->out.w = (int)op_setting(m, "size", "size", 1, 0);
}
static double adaptive_element(const struct op_math *m, int n, const int p[3]) {
    double sum = 0;
    int count = 0;
    for (int y = 0; y < m->in.h; y++)
        for (int x = 0; x < m->in.w; x++)
            if (y >= floor((double)p[0] * m->in.h / m->out.h) && y < ceil((p[0] + 1.0) * m->in.h / m->out.h) &&
                x >= floor((double)p[1] * m->in.w / m->out.w) && x < ceil((p[1] + 1.0) * m->in.w / m->out.w)) {
                sum += m->x[0][index_of(m->in, n, (int[]){y, x, p[2]})];
                count++;
            }
    return sum / count;
}
static void adaptive(const struct op_math *m, double *y) {
    each(m, adaptive_element, y);
}
static double adaptive_max_element(const struct op_math *m, int n, const int p[3]) {
    double most = -INFINITY;
    for (int y = 0; y < m->in.h; y++)
        for (int x = 0; x < m->in.w; x++)
            if (y >= floor((double)p[0] * m->in.h / m->out.h) && y < ceil((p[0] + 1.0) * m->in.h / m->out.h) &&
                x >= floor((double)p[1] * m->in.w / m->out.w) && x < ceil((p[1] + 1.0) * m->in.w / m->out.w))
                most = fmax(most, m->x[0][index_of(m->in, n, (int[]){y, x, p[2]})]);
    return most;
}
static void adaptive_max(const struct op_math *m, double *y) {
    each(m, adaptive_max_element, y);
}

static double max_element(const struct op_math *m, int n, const int p[3]) {
    double most = -INFINITY;
    for (int y = 0; y < m->in.h; y++)
        for (int x = 0; x < m->in.w; x++) most = fmax(most, m->x[0][index_of(m->in, n, (int[]){y, x, p[2]})]);
    return most;
}
static void global_max(const struct op_math *m, double *y) {
    each(m, max_element, y);
}

/* ---- another size ---- */

static const char *word(const struct op_math *m, const char *key, const char *fallback) {
    const struct cvy_node *node = m->body->kind == CVY_NODE_MAP ? cvy_node_get(m->body, key) : NULL;
    return node ? node->text : fallback;
}

static void upsample_shape(struct op_math *m) {
    m->out.h = (int)op_setting(m, "size", "factor", 0, m->in.h * op_setting(m, "factor", "factor", 0, 1));
    m->out.w = (int)op_setting(m, "size", "factor", 1, m->in.w * op_setting(m, "factor", "factor", 1, 1));
}

/* The share of input pixel i in output pixel o. */
static double share(const struct op_math *m, int axis, int o, int i) {
    double in = axis ? m->in.w : m->in.h, out = axis ? m->out.w : m->out.h, at;
    if (word(m, "mode", "nearest")[0] == 'n') return i == floor(o * in / out + 1e-9);
    if (op_setting(m, "align_corners", "factor", 0, 0) != 0)
        at = out > 1 ? o * (in - 1) / (out - 1) : 0;
    else
        at = fmin(fmax((o + 0.5) * in / out - 0.5, 0), in - 1);
    return fmax(0, 1 - fabs(at - i));
}
static double upsample_element(const struct op_math *m, int n, const int p[3]) {
    double sum = 0;
    for (int y = 0; y < m->in.h; y++)
        for (int x = 0; x < m->in.w; x++)
            sum += share(m, 0, p[0], y) * share(m, 1, p[1], x) * m->x[0][index_of(m->in, n, (int[]){y, x, p[2]})];
    return sum;
}
static void upsample(const struct op_math *m, double *y) {
    each(m, upsample_element, y);
}

/* ---- part of an image ---- */

/* Number i of an axis's range in Python's sense. */
static int range(const struct op_math *m, int axis, size_t i) {
    const struct cvy_node *node = cvy_node_get(m->body, axis == 0 ? "height" : axis == 1 ? "width" : "channels");
    struct cvy_shape in = m->in;
    int length = *along(&in, axis), value = i == 0 ? 0 : i == 1 ? length : 1;
    if (node == NULL || i >= node->count || node->items[i]->text[0] == '~') return value;
    value = atoi(node->items[i]->text);
    return value < 0 ? value + length : value;
}
static void slice_shape(struct op_math *m) {
    for (int a = 0; a < 3; a++) {
        *along(&m->out, a) = 0;
        for (int i = range(m, a, 0); i < range(m, a, 1); i += range(m, a, 2)) ++*along(&m->out, a);
    }
}
static double slice_element(const struct op_math *m, int n, const int p[3]) {
    int from[3];
    for (int a = 0; a < 3; a++) from[a] = range(m, a, 0) + p[a] * range(m, a, 2);
    return m->x[0][index_of(m->in, n, from)];
}
static void slice(const struct op_math *m, double *y) {
    each(m, slice_element, y);
}

/* Top, bottom, left, right of a crop (a margin) or of a pad. */
static int side(const struct op_math *m, int i) {
    const struct cvy_node *node = m->body;
    if (node->kind == CVY_NODE_MAP) node = cvy_node_get(m->body, "margins");
    if (node == NULL) node = cvy_node_get(m->body, "padding");
    if (node == NULL) return 0;
    return atoi(node->kind != CVY_NODE_LIST ? node->text : node->items[node->count == 4 ? i : i / 2]->text);
}

static void crop_shape(struct op_math *m) {
    m->out.h = (int)op_setting(m, "size", "margins", 0, m->in.h - side(m, 0) - side(m, 1));
    m->out.w = (int)op_setting(m, "size", "margins", 1, m->in.w - side(m, 2) - side(m, 3));
}
static double crop_element(const struct op_math *m, int n, const int p[3]) {
    bool middle = m->body->kind == CVY_NODE_MAP && cvy_node_get(m->body, "size");
    int top = middle ? (m->in.h - m->out.h) / 2 : side(m, 0), left = middle ? (m->in.w - m->out.w) / 2 : side(m, 2);
    return m->x[0][index_of(m->in, n, (int[]){p[0] + top, p[1] + left, p[2]})];
}
static void crop(const struct op_math *m, double *y) {
    each(m, crop_element, y);
}

/* ---- padding ---- */

static void pad_shape(struct op_math *m) {
    m->out.h += side(m, 0) + side(m, 1);
    m->out.w += side(m, 2) + side(m, 3);
    m->out.c += (int)op_setting(m, "channels", "padding", 0, 0) + (int)op_setting(m, "channels", "padding", 1, 0);
}
static int inward(int i, int size, char mode) {
    if (mode == 'p') return i < 0 ? 0 : i >= size ? size - 1 : i; /* replicate */
    return i < 0 ? -i : i >= size ? 2 * size - 2 - i : i;
}
static double pad_element(const struct op_math *m, int n, const int p[3]) {
    const char mode = word(m, "mode", "constant")[2]; /* n, f, p */
    int from[3] = {p[0] - side(m, 0), p[1] - side(m, 2), p[2] - (int)op_setting(m, "channels", "padding", 0, 0)};
    if (mode != 'n') {
        from[0] = inward(from[0], m->in.h, mode);
        from[1] = inward(from[1], m->in.w, mode);
    }
    if (from[0] < 0 || from[0] >= m->in.h || from[1] < 0 || from[1] >= m->in.w || from[2] < 0 || from[2] >= m->in.c)
        return op_setting(m, "value", "padding", 0, 0);
    return m->x[0][index_of(m->in, n, from)];
}
static void pad(const struct op_math *m, double *y) {
    each(m, pad_element, y);
}

static void reshape_shape(struct op_math *m) {
    int d[3], open = -1, product = 1;
    for (int i = 0; i < 3; i++) {
        d[i] = atoi(m->body->items[i]->text);
        if (d[i] < 0)
            open = i;
        else
            product *= d[i];
    }
    if (open >= 0) d[open] = (int)cvy_shape_count(m->in) / product;
    m->out = (struct cvy_shape){d[0], d[1], d[2]};
}
static void same(const struct op_math *m, double *y) {
    memcpy(y, m->x[0], (size_t)elements(m) * sizeof *y);
}

/* ---- random ---- */

static void times_drawn(const struct op_math *m, double *y) {
    for (int64_t i = 0; i < elements(m); i++) y[i] = m->x[0][i] * m->drawn[i];
}
static void plus_drawn(const struct op_math *m, double *y) {
    for (int64_t i = 0; i < elements(m); i++) y[i] = m->x[0][i] + m->drawn[i];
}

/* ---- the list ---- */

const struct op_reference op_references_elements[] = {
    {"add", OP_LINEAR, 0, NULL, add},
    {"multiply", 0, 0, NULL, multiply},
    {"concat", OP_LINEAR, 0, concat_shape, concat},
    {"global_avgpool", OP_LINEAR, 1, global_shape, global_mean},
    {"adaptive_avgpool", OP_LINEAR, 1, adaptive_shape, adaptive},
    {"global_maxpool", 0, 0, global_shape, global_max},
    {"adaptive_maxpool", 0, 0, adaptive_shape, adaptive_max},
    {"upsample", OP_LINEAR, 0, upsample_shape, upsample},
    {"slice", OP_LINEAR, 0, slice_shape, slice},
    {"crop", OP_LINEAR, 0, crop_shape, crop},
    {"pad", OP_LINEAR, 0, pad_shape, pad},
    {"reshape", OP_LINEAR, 0, reshape_shape, same},
    {"spatial_dropout", OP_LINEAR | OP_FACTORS, 0, NULL, times_drawn},
    {"gaussian_noise", OP_LINEAR | OP_ADDENDS, 0, NULL, plus_drawn},
    {0},
};
