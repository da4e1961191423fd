/* Convolution as the textbooks tell it: edges of a 6×6 image, a signal, multiplication by a matrix and by its
 * transpose, equivariance under translation; fixed filters; what is counted, and what is said of bad settings. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/graph/graph_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

/* ---- one layer, evaluated ---- */

struct layer {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_compute *compute;
    struct cvy_net *net;
    struct cvy_shape in, out;
};

static void layer_create(const char *layer, struct cvy_shape in, struct layer *l) {
    char text[512];
    snprintf(text, sizeof text, "input: [%d, %d, %d]\nlayers: [%s]\n", in.h, in.w, in.c, layer);
    TEST_OK(graph_from_text(text, NULL, &l->tree, &l->graph));
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &l->compute));
    TEST_OK(cvy_net_create(&(struct cvy_net_spec){l->graph, l->compute, CVY_EVALUATE, 1, 1, 1, CVY_RECOMPUTE_AUTO},
                           &l->net));
    l->in = in;
    l->out = cvy_graph_output_shape(l->graph);
}

static void layer_destroy(struct layer *l) {
    cvy_net_destroy(&l->net);
    cvy_compute_destroy(&l->compute);
    cvy_graph_destroy(&l->graph);
    cvy_tree_destroy(&l->tree);
}

/* [out], the layer's until the next run. */
static const float *layer_run(struct layer *l, const float *x) {
    const int sizes[1] = {1};
    const int64_t ids[1] = {0};
    const struct cvy_net_batch batch = {.x = x, .ids = ids, .leaves = 1, .sizes = sizes};
    TEST_OK(cvy_net_run(l->net, &batch, NULL, NULL));
    return cvy_net_output(l->net);
}

/* Of the first parameter, in logical order: free() them. */
static double *draw_weights(struct layer *l) {
    const struct cvy_param *w = &l->graph->params.items[0];
    size_t count = (size_t)cvy_param_count(w);
    float *logical = floats_new(count);
    double *out = calloc(count, sizeof *out);
    floats_random(logical, count, 3);
    cvy_param_from_logical(w, logical, cvy_net_parameters(l->net) + w->offset);
    for (size_t i = 0; i < count; i++) out[i] = logical[i];
    floats_free(logical);
    return out;
}

/* The whole output is as it should be, exactly. */
static void gives(const char *layer, struct cvy_shape in, const float *x, int count, const float *want) {
    struct layer l;
    layer_create(layer, in, &l);
    const float *y = layer_run(&l, x);
    CU_ASSERT_EQUAL(cvy_shape_count(l.out), count);
    for (int i = 0; i < count; i++) {
        if (y[i] != want[i]) fprintf(stderr, "\n    %s: value %d is %g, not %g", layer, i, y[i], want[i]);
        CU_ASSERT(y[i] == want[i]);
    }
    layer_destroy(&l);
}

/* ---- the course's examples ---- */

/* Ng, "Convolutional neural networks", week 1: edge detection. */
static void edges(void) {
    const float left[36] = {10, 10, 10, 0, 0, 0, 10, 10, 10, 0, 0, 0, 10, 10, 10, 0, 0, 0,
                            10, 10, 10, 0, 0, 0, 10, 10, 10, 0, 0, 0, 10, 10, 10, 0, 0, 0};
    const float corners[36] = {10, 10, 10, 0,  0,  0,  10, 10, 10, 0,  0,  0,  10, 10, 10, 0,  0,  0,
                               0,  0,  0,  10, 10, 10, 0,  0,  0,  10, 10, 10, 0,  0,  0,  10, 10, 10};
    const float vertical[16] = {0, 30, 30, 0, 0, 30, 30, 0, 0, 30, 30, 0, 0, 30, 30, 0};
    const float horizontal[16] = {0, 0, 0, 0, 30, 10, -10, -30, 30, 10, -10, -30, 0, 0, 0, 0};
    const struct cvy_shape image = {6, 6, 1};
    gives("{conv: {filters: 1, kernel: 3, weights: vertical_edge}}", image, left, 16, vertical);
    gives("{conv: {filters: 1, kernel: 3, weights: horizontal_edge}}", image, corners, 16, horizontal);
    gives("{conv: {filters: 1, kernel: 3, weights: [[1, 0, -1], [1, 0, -1], [1, 0, -1]]}}", image, left, 16, vertical);
}

/* A signal has height 1: numpy.convolve([1, 2, 3], [0, 1, 0.5]) is [0, 1, 2.5, 4, 1.5]; correlated, the other way
 * round. */
static void signals(void) {
    const float x[3] = {1, 2, 3}, convolved[5] = {0, 1, 2.5f, 4, 1.5f}, correlated[5] = {0.5f, 2, 3.5f, 3, 0};
    const struct cvy_shape signal = {1, 3, 1};
    gives("{conv: {filters: 1, kernel: [1, 3], padding: [0, 2], weights: [[0, 1, 0.5]], flip: true}}", signal, x, 5,
          convolved);
    gives("{conv: {filters: 1, kernel: [1, 3], padding: [0, 2], weights: [[0, 1, 0.5]]}}", signal, x, 5, correlated);
}

/* ---- fixed filters ---- */

/* A filter is what it makes of a single 1: itself, turned. */
static void filters(void) {
    static const struct {
        const char *name;
        float values[9];
    } known[] = {
        {"sobel_x", {-1, 0, 1, -2, 0, 2, -1, 0, 1}},
        {"sobel_y", {-1, -2, -1, 0, 0, 0, 1, 2, 1}},
        {"scharr_x", {-3, 0, 3, -10, 0, 10, -3, 0, 3}},
        {"scharr_y", {-3, -10, -3, 0, 0, 0, 3, 10, 3}},
        {"prewitt_x", {-1, 0, 1, -1, 0, 1, -1, 0, 1}},
        {"prewitt_y", {-1, -1, -1, 0, 0, 0, 1, 1, 1}},
        {"vertical_edge", {1, 0, -1, 1, 0, -1, 1, 0, -1}},
        {"horizontal_edge", {1, 1, 1, 0, 0, 0, -1, -1, -1}},
        {"identity", {0, 0, 0, 0, 1, 0, 0, 0, 0}},
        {"gaussian", {0.0625f, 0.125f, 0.0625f, 0.125f, 0.25f, 0.125f, 0.0625f, 0.125f, 0.0625f}},
    };
    const float one[9] = {0, 0, 0, 0, 1, 0, 0, 0, 0};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char layer[128];
        snprintf(layer, sizeof layer, "{conv: {filters: 1, kernel: 3, padding: 1, flip: true, weights: %s}}",
                 known[i].name);
        gives(layer, (struct cvy_shape){3, 3, 1}, one, 9, known[i].values);
    }
    const float row[5] = {0, 0, 1, 0, 0}, pascal[5] = {0.0625f, 0.25f, 0.375f, 0.25f, 0.0625f};
    gives("{conv: {filters: 1, kernel: [1, 5], padding: [0, 2], weights: gaussian}}", (struct cvy_shape){1, 5, 1}, row,
          5, pascal);
}

/* In one group the channels' responses are summed; in as many groups as channels each has its own. */
static void filters_of_channels(void) {
    const float x[6] = {1, 10, 4, 30, 9, 60}, summed[2] = {23, 35}, apart[4] = {3, 20, 5, 30};
    const struct cvy_shape two = {1, 3, 2};
    gives("{conv: {filters: 1, kernel: [1, 2], weights: [[-1, 1]]}}", two, x, 2, summed);
    gives("{conv: {filters: 2, kernel: [1, 2], weights: [[-1, 1]], groups: 2}}", two, x, 4, apart);
}

static void edges_model(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(graph_from_model("edges.yaml", "softmax_cross_entropy", &tree, &graph));
    for (int p = 0; p < graph->params.count; p++)
        CU_ASSERT_EQUAL(graph->params.items[p].lr_factor, p < 2 ? 0 : 1); /* the two filters, and they have no bias */
    CU_ASSERT_EQUAL(cvy_params_count(&graph->params), 9 + 9 + (5 * 5 * 2 * 8 + 8) + (9 * 16 + 16) + (400 * 10 + 10));
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* ---- padding ---- */

/* `same` at a stride: what is odd goes to the bottom and the right, as in TensorFlow; a number pads both sides. */
static void same_at_a_stride(void) {
    static const char *const lines[] = {"[1, 3]", "[3, 1]"}, *const taps[] = {"[[1, 10, 100]]", "[[1], [10], [100]]"},
                             *const strides[] = {"[1, 2]", "[2, 1]"}, *const sides[] = {"[0, 0, 0, 1]", "[0, 1, 0, 0]"},
                             *const both[] = {"[0, 1]", "[1, 0]"};
    const float x[5] = {1, 2, 3, 4, 5}, end[2] = {321, 43}, begin[2] = {210, 432}, odd[3] = {210, 432, 54};
    const float down[4] = {4, 3, 2, 1}, most[2] = {4, 2}, most_of_both[2] = {4, 3};
    for (int a = 0; a < 2; a++) { /* a row, a column */
        const struct cvy_shape four = a ? (struct cvy_shape){4, 1, 1} : (struct cvy_shape){1, 4, 1},
                               five = a ? (struct cvy_shape){5, 1, 1} : (struct cvy_shape){1, 5, 1};
        const struct {
            const char *padding;
            struct cvy_shape in;
            const float *y;
            int count;
        } cases[] = {
            {"same", four, end, 2}, {sides[a], four, end, 2}, {both[a], four, begin, 2}, {"same", five, odd, 3}};
        char layer[160];
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            snprintf(layer, sizeof layer, "{conv: {filters: 1, kernel: %s, stride: %s, weights: %s, padding: %s}}",
                     lines[a], strides[a], taps[a], cases[i].padding);
            gives(layer, cases[i].in, x, cases[i].count, cases[i].y);
        }
        snprintf(layer, sizeof layer, "{maxpool: {kernel: %s, stride: %s, padding: same}}", lines[a], strides[a]);
        gives(layer, four, down, 2, most);
        snprintf(layer, sizeof layer, "{maxpool: {kernel: %s, stride: %s, padding: %s}}", lines[a], strides[a],
                 both[a]);
        gives(layer, four, down, 2, most_of_both);
    }
}

/* ---- a matrix ---- */

struct sizes {
    struct cvy_shape in, out;
    int kernel[2], stride[2], before[2], dilation[2], groups;
    bool flip;
};

/* [out][in]: row (oy, ox, k) holds the kernel k where its window lies. For stride 1 it is constant along diagonals. */
static double *unroll(const struct sizes *s, const double *w) {
    int64_t columns = cvy_shape_count(s->in);
    const int each = s->in.c / s->groups, outputs = s->out.c / s->groups;
    double *matrix = calloc((size_t)(cvy_shape_count(s->out) * columns), sizeof *matrix);
    for (int oy = 0; oy < s->out.h; oy++)
        for (int ox = 0; ox < s->out.w; ox++)
            for (int k = 0; k < s->out.c; k++)
                for (int64_t i = 0; i < columns; i++) {
                    int c = (int)(i % s->in.c), ix = (int)(i / s->in.c % s->in.w), iy = (int)(i / s->in.c / s->in.w);
                    int r = iy - oy * s->stride[0] + s->before[0], q = ix - ox * s->stride[1] + s->before[1];
                    if (r < 0 || q < 0 || r % s->dilation[0] || q % s->dilation[1]) continue;
                    r /= s->dilation[0], q /= s->dilation[1];
                    if (r >= s->kernel[0] || q >= s->kernel[1] || c / each != k / outputs) continue;
                    if (s->flip) r = s->kernel[0] - 1 - r, q = s->kernel[1] - 1 - q;
                    matrix[((oy * s->out.w + ox) * s->out.c + k) * columns + i] =
                        w[((r * s->kernel[1] + q) * each + c % each) * s->out.c + k];
                }
    return matrix;
}

/* y = matrix·x, or its transpose times x. */
static void multiply(const double *matrix, int64_t rows, int64_t columns, bool transpose, const float *x, double *y) {
    for (int64_t i = 0; i < (transpose ? columns : rows); i++) y[i] = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) y[transpose ? j : i] += matrix[i * columns + j] * x[transpose ? i : j];
}

/* Convolution and transposed convolution of the same weights: the same logical order serves both. */
static void unrolled(void) {
    static const struct {
        const char *settings;
        struct sizes s;
    } cases[] = {
        {"kernel: 3", {{5, 6, 2}, {3, 4, 3}, {3, 3}, {1, 1}, {0, 0}, {1, 1}, 1, false}},
        {"kernel: [2, 3], padding: [1, 0, 1, 1]", {{4, 5, 3}, {4, 5, 17}, {2, 3}, {1, 1}, {1, 1}, {1, 1}, 1, false}},
        {"kernel: 3, stride: 2, padding: 1", {{7, 9, 4}, {4, 5, 2}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, 1, false}},
        {"kernel: [1, 4], stride: [1, 3]", {{1, 13, 1}, {1, 4, 5}, {1, 4}, {1, 3}, {0, 0}, {1, 1}, 1, false}},
        {"kernel: [3, 2], dilation: [2, 3], padding: [1, 2]",
         {{7, 6, 3}, {5, 7, 2}, {3, 2}, {1, 1}, {1, 2}, {2, 3}, 1, false}},
        {"kernel: 3, groups: 2, stride: 2, padding: 1",
         {{5, 7, 4}, {3, 4, 6}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, 2, false}},
        {"kernel: 3, groups: 5", {{4, 5, 5}, {2, 3, 5}, {3, 3}, {1, 1}, {0, 0}, {1, 1}, 5, false}},
        {"kernel: [3, 2], flip: true", {{4, 4, 3}, {2, 3, 4}, {3, 2}, {1, 1}, {0, 0}, {1, 1}, 1, true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int transpose = 0; transpose < (cases[i].s.flip ? 1 : 2); transpose++) {
            const struct sizes *s = &cases[i].s;
            const struct cvy_shape in = transpose ? s->out : s->in, out = transpose ? s->in : s->out;
            size_t from = (size_t)cvy_shape_count(in), to = (size_t)cvy_shape_count(out);
            char text[256];
            struct layer l;
            snprintf(text, sizeof text, "{%s: {filters: %d, bias: false, %s}}", transpose ? "conv_transpose" : "conv",
                     out.c, cases[i].settings);
            layer_create(text, in, &l);
            CU_ASSERT(cvy_shape_equal(l.out, out));
            double *w = draw_weights(&l), *matrix = unroll(s, w), *want = calloc(to, sizeof *want);
            float *x = floats_new(from);
            floats_random(x, from, 8);
            multiply(matrix, cvy_shape_count(s->out), cvy_shape_count(s->in), transpose, x, want);
            CU_ASSERT(floats_error(layer_run(&l, x), want, to) <= sum_tolerance(64));
            floats_free(x);
            free(w);
            free(matrix);
            free(want);
            layer_destroy(&l);
        }
}

/* ---- translation ---- */

enum { FIELD = 16, PATCH = 5 };

/* A patch of noise at (top, left) of an image of zeros. */
static void place_patch(const float *patch, int channels, int top, int left, float *x) {
    memset(x, 0, sizeof(float) * FIELD * FIELD * (size_t)channels);
    for (int y = 0; y < PATCH; y++)
        memcpy(x + ((top + y) * FIELD + left) * channels, patch + y * PATCH * channels,
               sizeof(float) * PATCH * (size_t)channels);
}

/* Moving the input by (4, 6) moves the output by that over the stride (times it, for a transposed convolution). */
static void translation(void) {
    static const struct {
        const char *layer;
        int up, down;
    } cases[] = {
        {"{conv: {filters: 5, kernel: 3, padding: same, bias: false}}", 1, 1},
        {"{conv: {filters: 6, kernel: 3, padding: 1, stride: 2, groups: 3, bias: false}}", 1, 2},
        {"{conv: {filters: 12, kernel: 5, padding: 2, groups: 6, bias: false}}", 1, 1},
        {"{conv: {filters: 3, kernel: 3, padding: 2, dilation: 2, flip: true, bias: false}}", 1, 1},
        {"{conv_transpose: {filters: 4, kernel: 3, padding: 1, stride: 2, bias: false}}", 2, 1},
        {"{conv_transpose: {filters: 9, kernel: 3, padding: 1, stride: 2, groups: 3, bias: false}}", 2, 1},
        {"{conv: {filters: 4, kernel: [3, 5], padding: [0, 2, 3, 1], bias: false}}", 1, 1},
        {"{maxpool: {kernel: 2}}", 1, 2},
        {"{avgpool: {kernel: 3, stride: 2, padding: 1}}", 1, 2},
        {"{upsample: 2}", 2, 1},
        {"{upsample: {factor: 2, mode: bilinear}}", 2, 1},
    };
    enum { CHANNELS = 6, DOWN = 4, RIGHT = 6 };
    float *patch = floats_new(PATCH * PATCH * CHANNELS), *x = floats_new(FIELD * FIELD * CHANNELS);
    floats_random(patch, PATCH * PATCH * CHANNELS, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layer l;
        layer_create(cases[i].layer, (struct cvy_shape){FIELD, FIELD, CHANNELS}, &l);
        int dy = DOWN * cases[i].up / cases[i].down, dx = RIGHT * cases[i].up / cases[i].down;
        size_t count = (size_t)cvy_shape_count(l.out);
        double *here = calloc(count, sizeof *here);
        place_patch(patch, CHANNELS, 4, 2, x);
        const float *y = layer_run(&l, x);
        for (size_t k = 0; k < count; k++) here[k] = y[k];
        place_patch(patch, CHANNELS, 4 + DOWN, 2 + RIGHT, x);
        y = layer_run(&l, x);
        double worst = 0, most = 0;
        for (int oy = dy; oy < l.out.h; oy++)
            for (int ox = dx; ox < l.out.w; ox++)
                for (int k = 0; k < l.out.c; k++) {
                    double before = here[((oy - dy) * l.out.w + ox - dx) * l.out.c + k];
                    worst = fmax(worst, fabs((double)y[(oy * l.out.w + ox) * l.out.c + k] - before));
                    most = fmax(most, fabs(before));
                }
        CU_ASSERT(most > 0.1 && worst <= 1e-6 * most);
        free(here);
        layer_destroy(&l);
    }
    floats_free(patch);
    floats_free(x);
}

/* ---- counts, findings ---- */

static void counts(void) {
    static const struct {
        const char *layer;
        int64_t params, macs;
    } cases[] = {
        {"{conv: {filters: 16, kernel: 3, padding: same}}", 9 * 8 * 16 + 16, 9 * 8 * 16 * 64},
        {"{conv: {filters: 16, kernel: 3, padding: same, groups: 4}}", 9 * 2 * 16 + 16, 9 * 2 * 16 * 64},
        {"{conv: {filters: 8, kernel: 3, padding: same, groups: 8, bias: false}}", 9 * 8, 9 * 8 * 64},
        {"{conv: {filters: 24, kernel: 3, stride: 2, padding: 1, groups: 8}}", 9 * 24 + 24, 9 * 24 * 16},
        {"{conv_transpose: {filters: 5, kernel: 2, stride: 2}}", 4 * 8 * 5 + 5, 4 * 8 * 5 * 64},
        {"{conv_transpose: {filters: 6, kernel: 2, stride: 2, groups: 2}}", 4 * 3 * 8 + 6, 4 * 3 * 8 * 64},
        {"{conv: {filters: 2, kernel: 3, weights: sobel_x}}", 9 * 8 * 2, 9 * 8 * 2 * 36},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layer l;
        layer_create(cases[i].layer, (struct cvy_shape){8, 8, 8}, &l);
        CU_ASSERT_EQUAL(cvy_params_count(&l.graph->params), cases[i].params);
        CU_ASSERT_EQUAL(l.graph->nodes[0].op.macs, cases[i].macs);
        layer_destroy(&l);
    }
}

static void findings(void) {
    static const struct {
        const char *layer, *told;
    } cases[] = {
        {"{conv: {filters: 8, kernel: 3, groups: 3}}",
         "t.yaml:2:11: conv1: 3 groups do not divide 6 input channels and 8 filters evenly"},
        {"{conv_transpose: {filters: 9, kernel: 3, groups: 3}}, {conv_transpose: {filters: 8, kernel: 1, groups: 4}}",
         "t.yaml:2:65: conv_transpose2: 4 groups do not divide 9 input channels and 8 filters evenly"},
        {"{conv: {filters: 1, kernel: 5, weights: sobel_x}}",
         "t.yaml:2:50: conv1: weights: sobel_x in a 5×5 kernel; it needs a 3×3 one"},
        {"{conv: {filters: 1, kernel: 4, weights: identity}}",
         "t.yaml:2:50: conv1: weights: identity in a 4×4 kernel; it needs an odd height and width"},
        {"{conv: {filters: 1, kernel: 3, weights: sobelx}}", "no filter \"sobelx\"; did you mean \"sobel_x\"?"},
        {"{conv: {filters: 1, kernel: [1, 2], weights: [[1, -1, 1]]}}",
         "weights: expected a filter's name, or 1 rows of 2 numbers each [[…], …]"},
        {"{conv: {filters: 1, kernel: [1, 2], weights: [1, -1]}}", "weights: expected a filter's name, or 1 rows"},
        {"{conv: {filters: 1, kernel: 17, padding: 8, weights: gaussian}}", "a fixed filter has at most 15×15"},
        {"{conv: {filters: 1, kernel: 3, weights: sobel_x, bias: true}}", "conv1: a fixed filter has no bias"},
        {"{conv: {filters: 1, kernel: 3, bias: 7}}", "t.yaml:2:47: bias: expected true or false"},
        {"{conv_transpose: {filters: 1, kernel: 3, stride: 2, output_padding: 2}}",
         "conv_transpose1: output_padding 2; it has to be less than the larger of stride and dilation"},
        {"{conv_transpose: {filters: 1, kernel: 3, stride: 2, padding: same, output_padding: 1}}",
         "conv_transpose1: output_padding 1; it has to be less than 1 with padding same"},
        {"{conv_transpose: {filters: 1, kernel: 1, padding: 4}}",
         "conv_transpose1: an output of 0×0 from a 8×8 input; from 1×1"},
        {"{conv_transpose: {filters: 1, kernel: 3, padding: some}}", "t.yaml:2:60: conv_transpose1: padding: expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        char text[256];
        snprintf(text, sizeof text, "input: [8, 8, 6]\nlayers: [%s]\n", cases[i].layer);
        bool as_told = graph_from_text(text, NULL, &tree, &graph) == CVY_ERR_USAGE &&
                       strstr(cvy_error_message(), cases[i].told) != NULL;
        if (!as_told) fprintf(stderr, "\n    %s gave: %s", cases[i].layer, cvy_error_message());
        CU_ASSERT(as_told && graph == NULL);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

static const struct test_case cases[] = {
    {"edges of a 6×6 image", edges},
    {"signals: numpy.convolve", signals},
    {"fixed filters by name", filters},
    {"fixed filters, summed and a channel each", filters_of_channels},
    {"edges.yaml: its filters are frozen", edges_model},
    {"same at a stride pads the bottom and the right", same_at_a_stride},
    {"the unrolled matrix and its transpose", unrolled},
    {"equivariance under translation", translation},
    {"parameters and multiply-adds", counts},
    {"findings", findings},
    {0},
};
const struct test_suite suite_convolution = {"convolution", cases, NULL};
