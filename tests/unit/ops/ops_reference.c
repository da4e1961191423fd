#include "unit/ops/ops_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- settings ---- */

static double number(const struct cvy_node *node, int axis, double fallback) {
    if (node == NULL) return fallback;
    if (node->kind == CVY_NODE_LIST) node = node->items[axis];
    if (strcmp(node->text, "true") == 0) return 1;
    if (strcmp(node->text, "false") == 0) return 0;
    return strtod(node->text, NULL);
}

double op_setting(const struct op_math *m, const char *key, const char *shorthand, int axis, double fallback) {
    if (m->body && m->body->kind != CVY_NODE_MAP)
        return strcmp(key, shorthand) == 0 ? number(m->body, axis, fallback) : fallback;
    return number(cvy_node_get(m->body, key), axis, fallback);
}

struct sliding {
    int kernel, stride, dilation, before, after, places;
};

static struct sliding sliding(const struct op_math *m, int axis, bool pool) {
    int in = axis ? m->in.w : m->in.h, after = 0;
    struct sliding s = {.kernel = (int)op_setting(m, "kernel", "kernel", axis, 1)};
    s.stride = (int)op_setting(m, "stride", "kernel", axis, pool ? s.kernel : 1);
    s.dilation = (int)op_setting(m, "dilation", "kernel", axis, 1);
    int extent = (s.kernel - 1) * s.dilation + 1;
    const struct cvy_node *padding = cvy_node_get(m->body, "padding");
    if (padding && strcmp(padding->text, "same") == 0) {
        int total = ((in - 1) / s.stride) * s.stride + extent - in;
        if (total < 0) total = 0;
        s.before = total / 2;
        after = total - s.before;
    } else if (padding && strcmp(padding->text, "valid") != 0) {
        bool four = padding->kind == CVY_NODE_LIST && padding->count == 4;
        s.before = (int)number(padding, four ? 2 * axis : axis, 0);
        after = (int)number(padding, four ? 2 * axis + 1 : axis, 0);
    }
    s.after = after;
    s.places = (in + s.before + after - extent) / s.stride + 1;
    if (pool && op_setting(m, "ceil_mode", "kernel", 0, 0) != 0) {
        s.places = (int)ceil((double)(in + s.before + after - extent) / s.stride) + 1;
        if ((s.places - 1) * s.stride >= in + s.before) s.places--;
    }
    return s;
}

static double at(const struct op_math *m, int n, int y, int x, int c) {
    return m->x[0][((n * m->in.h + y) * m->in.w + x) * m->in.c + c];
}
static bool inside(const struct op_math *m, int y, int x) {
    return y >= 0 && y < m->in.h && x >= 0 && x < m->in.w;
}

/* Runs fn for every output element; `y` moves along. */
typedef double element_fn(const struct op_math *m, const struct sliding s[2], int n, int oy, int ox, int k);

static void each_element(const struct op_math *m, bool pool, element_fn *fn, double *y) {
    const struct sliding s[2] = {sliding(m, 0, pool), sliding(m, 1, pool)};
    for (int n = 0; n < m->n; n++)
        for (int oy = 0; oy < m->out.h; oy++)
            for (int ox = 0; ox < m->out.w; ox++)
                for (int k = 0; k < m->out.c; k++) *y++ = fn(m, s, n, oy, ox, k);
}

/* ---- convolution, dense ---- */

static double bias(const struct op_math *m, int k) {
    return m->param[1] ? m->param[1][k] : 0;
}

/* Filter k sees `each` channels from `first` on. */
static double conv_element(const struct op_math *m, const struct sliding s[2], int n, int oy, int ox, int k) {
    double sum = bias(m, k);
    int groups = (int)op_setting(m, "groups", "", 0, 1), each = m->in.c / groups;
    int first = k / (m->out.c / groups) * each, taps = s[0].kernel * s[1].kernel;
    bool flip = op_setting(m, "flip", "", 0, 0) != 0;
    for (int r = 0; r < s[0].kernel; r++)
        for (int q = 0; q < s[1].kernel; q++) {
            int tap = flip ? taps - 1 - (r * s[1].kernel + q) : r * s[1].kernel + q;
            int iy = oy * s[0].stride + r * s[0].dilation - s[0].before;
            int ix = ox * s[1].stride + q * s[1].dilation - s[1].before;
            for (int c = 0; c < each && inside(m, iy, ix); c++)
                sum += at(m, n, iy, ix, first + c) * m->param[0][(tap * each + c) * m->out.c + k];
        }
    return sum;
}

static void conv_shape(struct op_math *m) {
    m->out = (struct cvy_shape){sliding(m, 0, false).places, sliding(m, 1, false).places,
                                (int)op_setting(m, "filters", "filters", 0, 0)};
}
static void conv(const struct op_math *m, double *y) {
    each_element(m, false, conv_element, y);
}

static void dense_shape(struct op_math *m) {
    m->out = (struct cvy_shape){1, 1, (int)op_setting(m, "units", "units", 0, 0)};
}
static void dense(const struct op_math *m, double *y) {
    int64_t in = cvy_shape_count(m->in);
    for (int n = 0; n < m->n; n++)
        for (int k = 0; k < m->out.c; k++) {
            double sum = bias(m, k);
            for (int64_t i = 0; i < in; i++) sum += m->x[0][n * in + i] * m->param[0][i * m->out.c + k];
            y[n * m->out.c + k] = sum;
        }
}

/* ---- pooling ---- */

static void pool_shape(struct op_math *m) {
    m->out = (struct cvy_shape){sliding(m, 0, true).places, sliding(m, 1, true).places, m->in.c};
}

static double max_element(const struct op_math *m, const struct sliding s[2], int n, int oy, int ox, int k) {
    double most = -INFINITY;
    for (int r = 0; r < s[0].kernel; r++)
        for (int q = 0; q < s[1].kernel; q++) {
            int iy = oy * s[0].stride + r * s[0].dilation - s[0].before;
            int ix = ox * s[1].stride + q * s[1].dilation - s[1].before;
            if (inside(m, iy, ix)) most = fmax(most, at(m, n, iy, ix, k));
        }
    return most;
}
static void maxpool(const struct op_math *m, double *y) {
    each_element(m, true, max_element, y);
}

static double mean_element(const struct op_math *m, const struct sliding s[2], int n, int oy, int ox, int k) {
    bool all = op_setting(m, "count_include_pad", "kernel", 0, 1) != 0;
    double sum = 0;
    int count = 0;
    for (int r = 0; r < s[0].kernel; r++)
        for (int q = 0; q < s[1].kernel; q++) {
            int iy = oy * s[0].stride + r - s[0].before, ix = ox * s[1].stride + q - s[1].before;
            if (inside(m, iy, ix)) sum += at(m, n, iy, ix, k);
            count += (all && iy < m->in.h + s[0].after && ix < m->in.w + s[1].after) || inside(m, iy, ix);
        }
    return sum / count;
}
static void avgpool(const struct op_math *m, double *y) {
    each_element(m, true, mean_element, y);
}

/* ---- element by element ---- */

static double relu1(double x) {
    return x > 0 ? x : 0;
}
static double sigmoid1(double x) {
    return 1 / (1 + exp(-x));
}
static void map(const struct op_math *m, double (*fn)(double), double *y) {
    for (int64_t i = 0; i < m->n * cvy_shape_count(m->in); i++) y[i] = fn(m->x[0][i]);
}
static void relu(const struct op_math *m, double *y) {
    map(m, relu1, y);
}
static void sigmoid(const struct op_math *m, double *y) {
    map(m, sigmoid1, y);
}
static void hyperbolic(const struct op_math *m, double *y) {
    map(m, tanh, y);
}

static void dropout(const struct op_math *m, double *y) {
    for (int64_t i = 0; i < m->n * cvy_shape_count(m->in); i++) y[i] = m->x[0][i] * m->drawn[i];
}

static void flatten_shape(struct op_math *m) {
    m->out = (struct cvy_shape){1, 1, m->in.h * m->in.w * m->in.c};
}
static void flatten(const struct op_math *m, double *y) {
    memcpy(y, m->x[0], (size_t)(m->n * cvy_shape_count(m->in)) * sizeof *y);
}

/* ---- ops of the tests' own (graph_help.c) ---- */

static void sum_of_two(const struct op_math *m, double *y) {
    for (int64_t i = 0; i < m->n * cvy_shape_count(m->in); i++) y[i] = m->x[0][i] + m->x[1][i];
}

static void centre(const struct op_math *m, double *y) {
    int64_t count = m->n * cvy_shape_count(m->in);
    for (int c = 0; c < m->in.c; c++) {
        double sum = 0;
        for (int64_t i = c; i < count; i += m->in.c) sum += m->x[0][i];
        for (int64_t i = c; i < count; i += m->in.c) y[i] = m->x[0][i] - sum / (double)(count / m->in.c);
    }
}

/* ---- the list ---- */

const struct op_reference op_references_base[] = {
    {"conv", OP_LINEAR, 2, conv_shape, conv},
    {"dense", OP_LINEAR, 2, dense_shape, dense},
    {"maxpool", 0, 0, pool_shape, maxpool},
    {"avgpool", OP_LINEAR, 1, pool_shape, avgpool},
    {"relu", 0, 0, NULL, relu},
    {"tanh", 0, 0, NULL, hyperbolic},
    {"sigmoid", 0, 0, NULL, sigmoid},
    {"dropout", OP_LINEAR | OP_FACTORS, 0, NULL, dropout},
    {"flatten", OP_LINEAR, 0, flatten_shape, flatten},
    {"sum", OP_LINEAR, 0, NULL, sum_of_two},
    {"centre", OP_LINEAR, 2, NULL, centre},
    {0},
};

static const struct op_reference *const lists[] = {
#define REFERENCE_LIST(part) op_references_##part,
    OP_PARTS(REFERENCE_LIST)};

const struct op_reference *op_reference_find(const char *name) {
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (const struct op_reference *r = lists[l]; r->name; r++)
            if (strcmp(r->name, name) == 0) return r;
    return NULL;
}
