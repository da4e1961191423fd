/* Cases and formulas of the ops that combine, cut and pool: no weights. */
#include <math.h>
#include <string.h>

#include "ops_cases.h"

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
    {"adaptive_avgpool", "1", {{5, 7, 3}}},
    {"adaptive_avgpool", "[3, 4]", {{7, 9, 17}}},
    {"adaptive_avgpool", "{size: [5, 2]}", {{3, 4, 5}}},
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

static double max_element(const struct op_math *m, int n, const int p[3]) {
    double most = -INFINITY;
    for (int y = 0; y < m->in.h; y++)
        for (int x = 0; x < m->in.w; x++) most = fmax(most, m->x[0][index_of(m->in, n, (int[]){y, x, p[2]})]);
    return most;
}
static void global_max(const struct op_math *m, double *y) {
    each(m, max_element, y);
}

/* ---- the list ---- */

const struct op_reference op_references_elements[] = {
    {"add", OP_LINEAR, 0, NULL, add},
    {"multiply", 0, 0, NULL, multiply},
    {"concat", OP_LINEAR, 0, concat_shape, concat},
    {"global_avgpool", OP_LINEAR, 1, global_shape, global_mean},
    {"adaptive_avgpool", OP_LINEAR, 1, adaptive_shape, adaptive},
    {"global_maxpool", 0, 0, global_shape, global_max},
    {0},
};
