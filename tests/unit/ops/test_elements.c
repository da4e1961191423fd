/* elements: noise and spatial dropout are what they say, as functions of seed, layer, epoch and sample; bad settings of
 * the ops that combine, cut and pool are found. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

/* ---- random ops ---- */

struct draw {
    uint64_t seed;
    uint32_t epoch;
    const char *layer;
    int64_t ids[3];
};

enum { H = 20, W = 25, C = 18, SAMPLE = H * W * C };
static const struct draw base = {1, 4, "a", {10, 11, 12}};

/* The op's output for three samples of `value`. */
static float *outputs(const struct draw *draw, const char *op, double setting, float value, int threads) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_compute *compute;
    struct op_run run;
    char text[128];
    float *out = floats_new((size_t)3 * SAMPLE);
    snprintf(text, sizeof text, "input: [%d, %d, %d]\nlayers: [{%s: %g, name: %s}]\n", H, W, C, op, setting,
             draw->layer);
    TEST_OK(graph_from_text(text, NULL, &tree, &graph));
    TEST_OK(cvy_compute_create(threads, cvy_isa_detect(), &compute));
    op_run_create(&run, &graph->nodes[0].op, compute, 3);
    run.call.seed = draw->seed;
    run.call.epoch = draw->epoch;
    run.call.ids = draw->ids;
    for (size_t i = 0; i < run.x_count[0]; i++) ((float *)run.x[0].data)[i] = value;
    op_run_forward(&run);
    memcpy(out, run.call.y.data, run.y_count * sizeof *out);
    op_run_destroy(&run);
    cvy_compute_destroy(&compute);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    return out;
}

static double moment(const float *x, int count, double mean, int power) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += pow(x[i] - mean, power);
    return sum / count;
}

/* Of n independent normal numbers: the mean's standard deviation is 1/√n, the variance's √(2/n), the third moment's
 * √(15/n), the fourth's √(96/n); each within 5 of them. Two samples, or neighbours, are unrelated: 1/√n. */
static void noise_is_normal(void) {
    enum { N = 3 * SAMPLE };
    const double unit = 5 / sqrt(N);
    float *y = outputs(&base, "gaussian_noise", 0.5, 3, 2);
    for (int i = 0; i < N; i++) y[i] = (y[i] - 3) * 2;
    CU_ASSERT(fabs(moment(y, N, 0, 1)) < unit);
    CU_ASSERT(fabs(moment(y, N, 0, 2) - 1) < unit * sqrt(2));
    CU_ASSERT(fabs(moment(y, N, 0, 3)) < unit * sqrt(15));
    CU_ASSERT(fabs(moment(y, N, 0, 4) - 3) < unit * sqrt(96));
    double samples = 0, neighbours = 0;
    for (int i = 0; i < SAMPLE; i++) samples += (double)y[i] * y[i + SAMPLE] / SAMPLE;
    for (int i = 1; i < N; i++) neighbours += (double)y[i] * y[i - 1] / N;
    CU_ASSERT(fabs(samples) < 5 / sqrt(SAMPLE));
    CU_ASSERT(fabs(neighbours) < unit);
    floats_free(y);
}

/* A channel is whole: kept and divided by 1 − rate, or dropped; 0.25 of 54 by chance, here in the mean of 40 epochs. */
static void channels_are_dropped_whole(void) {
    int dropped = 0, broken = 0;
    for (uint32_t epoch = 0; epoch < 40; epoch++) {
        struct draw draw = base;
        draw.epoch = epoch;
        float *y = outputs(&draw, "spatial_dropout", 0.25, 3, 2);
        for (int i = 0; i < 3 * SAMPLE; i++) {
            const float first = y[i / SAMPLE * SAMPLE + i % C];
            broken += y[i] != first || (first != 0 && first != 4);
        }
        for (int n = 0; n < 3; n++)
            for (int c = 0; c < C; c++) dropped += y[n * SAMPLE + c] == 0;
        floats_free(y);
    }
    const double drawn = 40 * 3 * C;
    CU_ASSERT_EQUAL(broken, 0);
    CU_ASSERT(fabs(dropped - 0.25 * drawn) < 5 * sqrt(0.25 * 0.75 * drawn));
}

/* A sample keeps its numbers in any batch and on any number of threads; seed, epoch, layer and sample change them. */
static void check_keys(const char *op, double setting) {
    const struct draw moved = {1, 4, "a", {12, 10, 77}};
    const struct draw others[] = {{2, 4, "a", {10, 11, 12}},
                                  {1, 5, "a", {10, 11, 12}},
                                  {1, 4, "b", {10, 11, 12}},
                                  {1, 4, "a", {10 + ((int64_t)1 << 32), 14, 15}}};
    float *y = outputs(&base, op, setting, 3, 1), *other = outputs(&moved, op, setting, 3, 3);
    CU_ASSERT(floats_same(other, y + (ptrdiff_t)2 * SAMPLE, SAMPLE) && floats_same(other + SAMPLE, y, SAMPLE));
    CU_ASSERT(!floats_same(y, y + SAMPLE, SAMPLE));
    floats_free(other);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        other = outputs(&others[i], op, setting, 3, 2);
        for (int n = 0; n < 3; n++)
            CU_ASSERT(!floats_same(other + (ptrdiff_t)n * SAMPLE, y + (ptrdiff_t)n * SAMPLE, SAMPLE));
        floats_free(other);
    }
    floats_free(y);
}

static void numbers_have_keys(void) {
    check_keys("gaussian_noise", 0.5);
    check_keys("spatial_dropout", 0.4);
}

/* ---- findings ---- */

#define ON(layer) "input: [4, 6, 5]\nlayers:\n  - {conv: {filters: 2, kernel: 1}, name: a}\n  - " layer "\n"

static const struct {
    const char *text, *message;
} bad[] = {
    {ON("add"), "t.yaml:4:5: add1: takes 2 to 1024 inputs, 1 is named"},
    {ON("{add: , inputs: [input, a]}"),
     "t.yaml:4:6: add1: input 2 is 4×6×2 and the first one 4×6×5; they must be alike"},
    {ON("{multiply: , inputs: [a, input]}"),
     "t.yaml:4:6: multiply1: input 2 is 4×6×5 and the first one 4×6×2; they must be alike"},
    {ON("{concat: height, inputs: [input, a]}"),
     "t.yaml:4:6: concat1: input 2 is 4×6×2 and the first one 4×6×5; only their height may differ"},
    {ON("leaky_relu: -1"), "t.yaml:4:17: slope: -1 is out of range; from 0 to 1000000"},
    {ON("hard_tanh: {min: 1, max: 1}"), "t.yaml:4:5: hard_tanh1: min 1 is not below max 1"},
    {ON("upsample"), "t.yaml:4:5: upsample1: give a factor from 1, or a size from 1; one of the two"},
    {ON("upsample: {factor: 2, size: 3}"),
     "t.yaml:4:5: upsample1: give a factor from 1, or a size from 1; one of the two"},
    {ON("upsample: {factor: 2, align_corners: true}"), "t.yaml:4:5: upsample1: align_corners goes with mode bilinear"},
    {ON("slice: {height: [1, 5]}"),
     "t.yaml:4:21: slice1: height: expected [begin, end] or [begin, end, step] within the 4 of 4×6×2"},
    {ON("slice: {width: [3, 3]}"),
     "t.yaml:4:20: slice1: width: expected [begin, end] or [begin, end, step] within the 6 of 4×6×2"},
    {ON("slice: {channels: [0, 2, 2]}"), "t.yaml:4:23: slice1: channels take no step"},
    {ON("crop: 2"), "t.yaml:4:5: crop1: 0 rows of a 4×6 input are to be kept; from 1 to 4"},
    {ON("crop: {size: [4, 7]}"), "t.yaml:4:5: crop1: 7 columns of a 4×6 input are to be kept; from 1 to 6"},
    {ON("crop"),
     "t.yaml:4:5: crop1: give margins (a number, [height, width] or [top, bottom, left, right]) or the size "
     "to keep"},
    {ON("pad: {padding: [4, 0], mode: reflect}"),
     "t.yaml:4:5: pad1: 4 pixels of a 4×6 input cannot be mirrored; at most 3"},
    {ON("pad: {channels: [1, 1], mode: replicate}"), "t.yaml:4:5: pad1: channels are padded with a constant only"},
    {ON("pad: {channels: 3}"), "t.yaml:4:21: pad1: channels: expected [before, behind], whole numbers from 0"},
    {ON("pad: [1, 2, 3]"), "t.yaml:4:10: pad1: padding: expected a number, [height, width] or [top, bottom, left, "
                           "right]; numbers from 0 to 1048576"},
    {ON("reshape: [7, -1, 1]"), "t.yaml:4:14: reshape1: expected [height, width, channels] of as many values as the "
                                "input's 4×6×2; one may be -1"},
    {ON("gaussian_noise"), "t.yaml:4:5: gaussian_noise1: \"std\" is missing: standard deviation"},
    {ON("adaptive_avgpool: 0"), "t.yaml:4:23: size: 0 is out of range; from 1 to 1048576"},
};

static void settings_are_checked(void) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        cvy_status status = graph_from_text(bad[i].text, NULL, &tree, &graph);
        bool good = status == CVY_ERR_USAGE && strcmp(cvy_error_message(), bad[i].message) == 0;
        if (!good) fprintf(stderr, "\n    %s    found: %s", bad[i].text, cvy_error_message());
        CU_ASSERT(good && graph == NULL);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

static const struct test_case cases[] = {
    {"Gaussian noise is normal and independent", noise_is_normal},
    {"spatial dropout drops whole channels", channels_are_dropped_whole},
    {"noise and masks: functions of seed, layer, epoch, sample", numbers_have_keys},
    {"bad settings are found", settings_are_checked},
    {0},
};
const struct test_suite suite_elements = {"elements", cases, NULL};
