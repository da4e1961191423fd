/* data/augment: each augmentation against a plain loop over its drawn parameters, keys, normalisation, and the checks
 * of the list. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/augment.h"
#include "io/yaml.h"
#include "test.h"

enum { H = 5, W = 6, C = 2, SIZE = H * W * C };

struct setting {
    struct cvy_tree *tree;
    struct cvy_augment *augment;
};

static const double mean[C] = {100, 50}, std[C] = {20, 3};

static cvy_status set_up(struct setting *s, const char *list, enum cvy_dtype type, struct cvy_shape shape) {
    struct cvy_node *root;
    s->augment = NULL;
    TEST_OK(cvy_tree_create(&s->tree));
    TEST_OK(cvy_yaml_parse(s->tree, "e.yaml", list, strlen(list), &root));
    struct cvy_augment_spec spec = {.list = root, .seed = 11, .shape = shape, .x_type = type, .mean = mean, .std = std};
    return cvy_augment_create(&spec, &s->augment);
}

static void tear_down(struct setting *s) {
    cvy_augment_destroy(&s->augment);
    cvy_tree_destroy(&s->tree);
}

static const struct cvy_shape shape = {H, W, C};

/* A sample that names its places: value = pixel number, distinct. */
static void make_sample(unsigned char bytes[SIZE], float reals[SIZE]) {
    for (int i = 0; i < SIZE; i++) reals[i] = bytes[i] = (unsigned char)(60 + i);
}

static float normal(float x, int c) {
    return (float)((x - mean[c]) / std[c]);
}

static bool near(float a, float b) {
    return fabsf(a - b) <= 2e-6f * (1 + fabsf(b));
}

static void normalization(void) {
    unsigned char bytes[SIZE];
    float reals[SIZE], out[SIZE];
    make_sample(bytes, reals);
    for (int real = 0; real < 2; real++) {
        struct setting s;
        TEST_OK(set_up(&s, "", real ? CVY_F32 : CVY_U8, shape));
        cvy_augment_normalize(s.augment, real ? (void *)reals : bytes, out);
        for (int i = 0; i < SIZE; i++) CU_ASSERT(near(out[i], normal(reals[i], i % C)));
        memset(out, 0, sizeof out);
        cvy_augment_apply(s.augment, 3, 4, real ? (void *)reals : bytes, out); /* an empty list changes nothing */
        for (int i = 0; i < SIZE; i++) CU_ASSERT(near(out[i], normal(reals[i], i % C)));
        tear_down(&s);
    }
}

/* Whether `out` is the sample shifted by (dy, dx), then mirrored. */
static bool is_view(const float *out, int dy, int dx, bool mirrored) {
    unsigned char bytes[SIZE];
    float reals[SIZE];
    make_sample(bytes, reals);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < C; c++) {
                int from_y = y + dy, from_x = (mirrored ? W - 1 - x : x) + dx;
                bool inside = from_y >= 0 && from_y < H && from_x >= 0 && from_x < W;
                float want = inside ? normal(reals[(from_y * W + from_x) * C + c], c) : 0;
                if (!near(out[(y * W + x) * C + c], want)) return false;
            }
    return true;
}

static void flip_mirrors_half(void) {
    unsigned char bytes[SIZE];
    float reals[SIZE], out[SIZE];
    struct setting s;
    int mirrored = 0;
    make_sample(bytes, reals);
    TEST_OK(set_up(&s, "[flip]", CVY_U8, shape));
    for (int id = 0; id < 1000; id++) {
        cvy_augment_apply(s.augment, 0, id, bytes, out);
        bool flipped = is_view(out, 0, 0, true);
        CU_ASSERT(flipped || is_view(out, 0, 0, false));
        mirrored += flipped;
    }
    CU_ASSERT(mirrored > 420 && mirrored < 580); /* five standard deviations of √250 */
    tear_down(&s);
}

static void pad_crop_shifts_everywhere(void) {
    unsigned char bytes[SIZE];
    float reals[SIZE], out[SIZE];
    struct setting s;
    int seen[5][5] = {{0}};
    make_sample(bytes, reals);
    TEST_OK(set_up(&s, "[pad_crop: 2]", CVY_F32, shape));
    for (int id = 0; id < 1000; id++) {
        int found = 0;
        cvy_augment_apply(s.augment, 1, id, reals, out);
        for (int dy = -2; dy <= 2; dy++)
            for (int dx = -2; dx <= 2; dx++)
                if (is_view(out, dy, dx, false)) {
                    found++;
                    seen[dy + 2][dx + 2]++;
                }
        CU_ASSERT_EQUAL(found, 1);
    }
    for (int i = 0; i < 25; i++) CU_ASSERT(seen[i / 5][i % 5] > 10 && seen[i / 5][i % 5] < 75); /* 40 expected */
    tear_down(&s);
}

/* Both at once is one of 50 views; which, depends on (epoch, id) and on nothing else. */
static void composition_and_keys(void) {
    unsigned char bytes[SIZE];
    float reals[SIZE], out[SIZE], again[SIZE];
    int changed_by_epoch = 0, mirrored = 0;
    make_sample(bytes, reals);
    struct setting s, t;
    TEST_OK(set_up(&s, "[{pad_crop: {pad: 2}}, flip]", CVY_U8, shape));
    TEST_OK(set_up(&t, "[{pad_crop: 2}, flip]", CVY_U8, shape));
    for (int id = 0; id < 300; id++) {
        int found = 0;
        cvy_augment_apply(s.augment, 5, id, bytes, out);
        for (int k = 0; k < 50; k++) {
            bool hit = is_view(out, k / 5 % 5 - 2, k % 5 - 2, k >= 25);
            found += hit;
            mirrored += hit && k >= 25;
        }
        CU_ASSERT_EQUAL(found, 1);
        cvy_augment_apply(t.augment, 5, 300 - id, bytes, again); /* other calls in between do not matter */
        cvy_augment_apply(t.augment, 5, id, bytes, again);
        CU_ASSERT(memcmp(out, again, sizeof out) == 0);
        cvy_augment_apply(t.augment, 6, id, bytes, again);
        changed_by_epoch += memcmp(out, again, sizeof out) != 0;
    }
    CU_ASSERT(changed_by_epoch > 250 && mirrored > 100 && mirrored < 200);
    tear_down(&s);
    tear_down(&t);
}

/* 1-D data is not shifted out of its one row. */
static void one_row(void) {
    float x[8], out[8];
    struct setting s;
    int moved = 0;
    for (int i = 0; i < 8; i++) x[i] = (float)(200 + i);
    TEST_OK(set_up(&s, "[pad_crop: 1]", CVY_F32, (struct cvy_shape){1, 8, 1}));
    for (int id = 0; id < 100; id++) {
        cvy_augment_apply(s.augment, 0, id, x, out);
        CU_ASSERT(out[4] != 0);
        moved += !near(out[4], normal(x[4], 0));
    }
    CU_ASSERT(moved > 40 && moved < 95);
    tear_down(&s);
}

static void lists_that_are_wrong(void) {
    static const struct {
        const char *list, *message;
    } bad[] = {
        {"[flop]", "e.yaml:1:2: augment: unknown \"flop\"; did you mean \"flip\"?"},
        {"[flip, {padcrop: 2}]", "e.yaml:1:9: augment: unknown \"padcrop\"; did you mean \"pad_crop\"?"},
        {"[zzzzzzzzzz]", "known are flip, pad_crop"},
        {"[pad_crop]", "e.yaml:1:2: pad_crop: \"pad\" is missing"},
        {"[pad_crop: two]", "e.yaml:1:12: pad: expected a whole number, found \"two\""},
        {"[pad_crop: 0]", "pad: 0 is out of range"},
        {"[{pad_crop: {pads: 2, pad: 1}}]", "e.yaml:1:14: pad_crop: unknown key \"pads\"; did you mean \"pad\"?"},
        {"[{flip: 3}]", "e.yaml:1:9: flip: has no settings, found \"3\"; leave it out"},
        {"[{flip: , pad_crop: 2}]", "e.yaml:1:2: augment: expected a name"},
        {"flip", "e.yaml:1:1: augment: expected a list"},
        {"[flop, flup]", "\ne.yaml:1:8: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct setting s;
        CU_ASSERT_EQUAL(set_up(&s, bad[i].list, CVY_U8, shape), CVY_ERR_USAGE);
        bool good = strstr(cvy_error_message(), bad[i].message) != NULL;
        if (!good) fprintf(stderr, "\n    %s gave: %s\n", bad[i].list, cvy_error_message());
        CU_ASSERT(good && s.augment == NULL);
        tear_down(&s);
    }
}

static const struct test_case cases[] = {
    {"normalisation", normalization},
    {"flip mirrors half of the samples", flip_mirrors_half},
    {"pad_crop shifts in every direction", pad_crop_shifts_everywhere},
    {"both compose, keyed by epoch and sample", composition_and_keys},
    {"one row stays one", one_row},
    {"lists that are wrong", lists_that_are_wrong},
    {0},
};
const struct test_suite suite_data_augment = {"data_augment", cases, NULL};
