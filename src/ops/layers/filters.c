#include "ops/layers/filters.h"

#include <string.h>

/* A value of a filter of this size. */
typedef double value_fn(const int64_t size[2], int64_t y, int64_t x);

static double binomial(int64_t n, int64_t k) {
    double value = 1;
    for (int64_t i = 0; i < k; i++) value = value * (double)(n - i) / (double)(i + 1);
    return value;
}
static double gaussian(const int64_t size[2], int64_t y, int64_t x) {
    return binomial(size[0] - 1, y) * binomial(size[1] - 1, x) / (double)((int64_t)1 << (size[0] + size[1] - 2));
}
static double identity(const int64_t size[2], int64_t y, int64_t x) {
    return y == size[0] / 2 && x == size[1] / 2;
}

/* Of any size, or 3×3. */
static const struct {
    const char *name;
    value_fn *value;
    bool odd;
    float matrix[9];
} filters[] = {
    {"sobel_x", NULL, false, {-1, 0, 1, -2, 0, 2, -1, 0, 1}},
    {"sobel_y", NULL, false, {-1, -2, -1, 0, 0, 0, 1, 2, 1}},
    {"scharr_x", NULL, false, {-3, 0, 3, -10, 0, 10, -3, 0, 3}},
    {"scharr_y", NULL, false, {-3, -10, -3, 0, 0, 0, 3, 10, 3}},
    {"prewitt_x", NULL, false, {-1, 0, 1, -1, 0, 1, -1, 0, 1}},
    {"prewitt_y", NULL, false, {-1, -1, -1, 0, 0, 0, 1, 1, 1}},
    {"vertical_edge", NULL, false, {1, 0, -1, 1, 0, -1, 1, 0, -1}},
    {"horizontal_edge", NULL, false, {1, 1, 1, 0, 0, 0, -1, -1, -1}},
    {"gaussian", gaussian, false, {0}},
    {"identity", identity, true, {0}},
};
enum { FILTERS = sizeof filters / sizeof *filters };

bool cvy_filters_list(int index, struct cvy_listing *out) {
    if (index >= FILTERS) return false;
    *out = (struct cvy_listing){.name = filters[index].name,
                                .purpose = filters[index].value == gaussian ? "binomial numbers of any size, sum 1"
                                           : filters[index].value           ? "1 in the middle, of any odd size"
                                                                            : "3x3"};
    return true;
}

static bool right_size(const struct cvy_node *node, int f, const int64_t kernel[2], const char *what,
                       struct cvy_findings *findings) {
    const bool odd = kernel[0] % 2 && kernel[1] % 2;
    if (filters[f].value ? odd || !filters[f].odd : kernel[0] == 3 && kernel[1] == 3) return true;
    cvy_find(findings, node, "%s: weights: %s in a %d×%d kernel; it needs %s", what, filters[f].name, (int)kernel[0],
             (int)kernel[1], filters[f].odd ? "an odd height and width" : "a 3×3 one");
    return false;
}

static bool read_name(const struct cvy_node *node, const int64_t kernel[2], const char *what, float *values,
                      struct cvy_findings *findings) {
    const char *names[FILTERS];
    int f = -1;
    for (int i = 0; i < FILTERS; i++) {
        names[i] = filters[i].name;
        if (strcmp(node->text, names[i]) == 0) f = i;
    }
    if (f < 0) {
        const char *near = cvy_nearest(node->text, names, FILTERS);
        cvy_find(findings, node, "%s: weights: no filter \"%s\"%s%s%s; name one, or give rows [[…], …]", what,
                 node->text, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        return false;
    }
    if (!right_size(node, f, kernel, what, findings)) return false;
    for (int64_t i = 0; i < kernel[0] * kernel[1]; i++)
        values[i] =
            filters[f].value ? (float)filters[f].value(kernel, i / kernel[1], i % kernel[1]) : filters[f].matrix[i];
    return true;
}

static bool read_rows(const struct cvy_node *node, const int64_t kernel[2], const char *what, float *values,
                      struct cvy_findings *findings) {
    bool good = node->kind == CVY_NODE_LIST && (int64_t)node->count == kernel[0];
    for (int64_t y = 0; y < kernel[0] && good; y++) {
        const struct cvy_node *row = node->items[y];
        good = row->kind == CVY_NODE_LIST && (int64_t)row->count == kernel[1];
        for (int64_t x = 0; x < kernel[1] && good; x++) {
            double value = 0;
            good = cvy_node_real(row->items[x], &value);
            values[y * kernel[1] + x] = (float)value;
        }
    }
    if (!good)
        cvy_find(findings, node, "%s: weights: expected a filter's name, or %d rows of %d numbers each [[…], …]", what,
                 (int)kernel[0], (int)kernel[1]);
    return good;
}

bool cvy_filter_read(const struct cvy_node *node, const int64_t kernel[2], const char *what,
                     float values[CVY_FILTER_MOST], struct cvy_findings *findings) {
    if (kernel[0] > 15 || kernel[1] > 15) {
        cvy_find(findings, node, "%s: weights: a %d×%d kernel; a fixed filter has at most 15×15", what, (int)kernel[0],
                 (int)kernel[1]);
        return false;
    }
    return node->kind == CVY_NODE_SCALAR ? read_name(node, kernel, what, values, findings)
                                         : read_rows(node, kernel, what, values, findings);
}
