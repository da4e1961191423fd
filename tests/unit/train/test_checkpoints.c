/* Looking at checkpoints: what counts as a difference, how far apart two floats are, which file a path means. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "unit/io/ckpt_help.h"
#include "convoy/run.h"
#include "io/ckpt/ckpt.h"
#include "test.h"
#include "train/record/checkpoints.h"

/* A checkpoint of one weight matrix, one bias and its momentum. */
struct contents {
    float weight[6], bias[3], momentum[3];
    int64_t rows; /* of the weight: 2 or 3 */
    int64_t step, seed, ranks;
    double schedule;
    const char *extra; /* a tensor that only this one has */
};
static const struct contents plain = {{1, 2, 3, 4, 5, 6}, {0, 1, -1}, {0, 0, 0}, 2, 7, 1, 1, 0.5, NULL};

static void write_checkpoint(const char *path, const struct contents *c) {
    const struct cvy_ckpt_tensor tensors[] = {
        {"/param/fc/weight", 2, {c->rows, 6 / c->rows}, c->weight, "in,out"},
        {"/param/fc/bias", 1, {3}, c->bias, "n"},
        {"/optim/fc/bias/momentum", 1, {3}, c->momentum, "n"},
        {c->extra, 1, {3}, c->bias, "n"},
    };
    const struct cvy_ckpt_attribute values[] = {
        {.name = "step", .count = 1, .ints = &c->step},
        {.name = "seed", .count = 1, .ints = &c->seed},
        {.name = "ranks", .count = 1, .ints = &c->ranks},
        {.name = "schedule_rate", .count = 1, .reals = &c->schedule},
    };
    const struct cvy_ckpt_blob blob = {"experiment", "name: t\n", 8};
    const struct cvy_ckpt_contents contents = {.tensors = tensors,
                                               .tensor_count = c->extra ? 4 : 3,
                                               .attributes = values,
                                               .attribute_count = 4,
                                               .blobs = &blob,
                                               .blob_count = 1};
    TEST_OK(ckpt_write(path, &contents, NULL));
}

static const char *folder(void) {
    static char path[512];
    if (!path[0]) snprintf(path, sizeof path, "%s", test_folder());
    return path;
}

static const char *in_folder(const char *name) {
    static char paths[4][600];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder(), name);
    return path;
}

/* Compares `plain` with `other`. */
static void compare(const struct contents *other, struct cvy_checkpoint_diff *diff) {
    write_checkpoint(in_folder("a.h5"), &plain);
    write_checkpoint(in_folder("b.h5"), other);
    TEST_OK(cvy_checkpoint_diff_read(in_folder("a.h5"), in_folder("b.h5"), diff));
}

static void expect_one(const struct contents *other, const char *name, int64_t elements, double max_abs, int64_t ulps,
                       const char *what) {
    struct cvy_checkpoint_diff diff = cvy_checkpoint_diff_default();
    compare(other, &diff);
    CU_ASSERT(!diff.identical);
    CU_ASSERT_EQUAL_FATAL(diff.count, 1);
    CU_ASSERT_STRING_EQUAL(diff.items[0]->name, name);
    CU_ASSERT_EQUAL(diff.items[0]->elements, elements);
    CU_ASSERT_DOUBLE_EQUAL(diff.items[0]->max_abs, max_abs, 0);
    CU_ASSERT_EQUAL(diff.items[0]->max_ulps, ulps);
    CU_ASSERT_PTR_NOT_NULL(strstr(diff.items[0]->what, what));
    cvy_checkpoint_diff_destroy(&diff);
}

static void equal_state_is_identical(void) {
    struct cvy_checkpoint_diff diff = cvy_checkpoint_diff_default();
    struct contents other = plain;
    other.ranks = 8; /* who computed it does not count */
    other.extra = "/other/thing";
    compare(&other, &diff);
    CU_ASSERT(diff.identical);
    CU_ASSERT_EQUAL(diff.count, 0);
    cvy_checkpoint_diff_destroy(&diff);
}

static void distances_in_ulps(void) {
    static const struct {
        float a, b;
        int64_t ulps;
    } pairs[] = {{1, 1 + 0x1p-23f, 1}, {1, 1 - 0x1p-24f, 1},   {0.0f, -0.0f, 1},    {0x1p-149f, -0x1p-149f, 3},
                 {2, 4, 1 << 23},      {-1, -1 - 0x1p-22f, 2}, {-1, 1, 2130706433}, {0x1p-149f, 0x1p-148f, 1}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct cvy_checkpoint_diff diff = cvy_checkpoint_diff_default();
        struct contents a = plain, b = plain;
        a.bias[1] = pairs[i].a;
        b.bias[1] = pairs[i].b;
        write_checkpoint(in_folder("a.h5"), &a);
        write_checkpoint(in_folder("b.h5"), &b);
        for (int swapped = 0; swapped < 2; swapped++) {
            TEST_OK(cvy_checkpoint_diff_read(in_folder(swapped ? "b.h5" : "a.h5"), in_folder(swapped ? "a.h5" : "b.h5"),
                                             &diff));
            CU_ASSERT_EQUAL_FATAL(diff.count, 1);
            CU_ASSERT_EQUAL(diff.items[0]->elements, 1);
            CU_ASSERT_EQUAL(diff.items[0]->max_ulps, pairs[i].ulps);
            CU_ASSERT_DOUBLE_EQUAL(diff.items[0]->max_abs, fabs((double)pairs[i].a - (double)pairs[i].b), 0);
            cvy_checkpoint_diff_destroy(&diff);
        }
    }
}

static void each_difference_is_named(void) {
    struct contents other = plain;
    other.weight[4] = 5.5f;
    other.weight[0] = -1;
    expect_one(&other, "/param/fc/weight", 2, 2, 2130706433, "of 6; element 0: 1 and -1");
    other = plain;
    other.momentum[2] = 0.25f;
    expect_one(&other, "/optim/fc/bias/momentum", 1, 0.25, 0x3e800000, "element 2");
    other = plain;
    other.rows = 3;
    expect_one(&other, "/param/fc/weight", 0, 0, 0, "shape 2x3 and 3x2");
    other = plain;
    other.extra = "/buffer/norm/mean";
    expect_one(&other, "/buffer/norm/mean", 0, 0, 0, "only in b.h5");
    other = plain;
    other.step = 8;
    expect_one(&other, "step", 0, 0, 0, "7 and 8");
    other = plain;
    other.seed = 2;
    expect_one(&other, "seed", 0, 0, 0, "1 and 2");
    other = plain;
    other.schedule = 0.25;
    expect_one(&other, "schedule_rate", 0, 0, 0, "0.5 and 0.25");
}

static void not_a_number_shows(void) {
    struct cvy_checkpoint_diff diff = cvy_checkpoint_diff_default();
    struct contents other = plain;
    other.bias[0] = NAN;
    compare(&other, &diff);
    CU_ASSERT_EQUAL_FATAL(diff.count, 1);
    CU_ASSERT(isnan(diff.items[0]->max_abs));
    CU_ASSERT_EQUAL(diff.items[0]->elements, 1);
    cvy_checkpoint_diff_destroy(&diff);
}

/* ---- Which file a path means ---- */

static void write_run(void) {
    char path[CVY_PATH_MAX];
    mkdir(in_folder("run"), 0777);
    mkdir(in_folder("run/checkpoints"), 0777);
    for (int step = 3; step <= 9; step += 3) {
        struct contents c = plain;
        c.step = step;
        TEST_OK(cvy_ckpt_name(in_folder("run/checkpoints"), step, path));
        write_checkpoint(path, &c);
    }
    FILE *file = fopen(path, "r+b"); /* the newest */
    fseek(file, 700, SEEK_SET);
    fputc('!', file);
    fclose(file);
}

static void a_run_means_its_newest_good_one(void) {
    char path[CVY_PATH_MAX];
    struct cvy_checkpoint_info info = cvy_checkpoint_info_default();
    struct cvy_checkpoint_list list = cvy_checkpoint_list_default();
    write_run();
    TEST_OK(cvy_checkpoint_find(in_folder("run"), NULL, path));
    CU_ASSERT_EQUAL(cvy_ckpt_step(path), 6);
    TEST_OK(cvy_checkpoint_info_read(in_folder("run"), &info));
    CU_ASSERT(info.step == 6 && info.params == 9 && info.tensors == 3 && info.seed == 1);
    CU_ASSERT_STRING_EQUAL(info.experiment, "name: t\n");
    cvy_checkpoint_info_destroy(&info);
    TEST_OK(cvy_checkpoint_list_read(in_folder("run"), &list));
    CU_ASSERT_EQUAL_FATAL(list.count, 3);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(list.items[i]->step, 3 * (i + 1));
        CU_ASSERT_EQUAL(list.items[i]->good, i < 2);
        CU_ASSERT_EQUAL(list.items[i]->problem[0] == '\0', i < 2);
    }
    cvy_checkpoint_list_destroy(&list);
    CU_ASSERT_EQUAL(cvy_checkpoint_verify(in_folder("run/checkpoints/step-00000009.h5")), CVY_ERR_CHECKPOINT);
    CU_ASSERT_EQUAL(cvy_checkpoint_find(in_folder("nowhere"), NULL, path), CVY_ERR_CHECKPOINT);
    CU_ASSERT_EQUAL(cvy_checkpoint_find(folder(), NULL, path), CVY_ERR_CHECKPOINT);
    CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), "is a folder of 1 run; name one"));
    TEST_OK(cvy_folder_make(in_folder("empty/checkpoints")));
    CU_ASSERT_EQUAL(cvy_checkpoint_find(in_folder("empty"), NULL, path), CVY_ERR_CHECKPOINT);
    CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), "no good checkpoint"));
}

static const struct test_case cases[] = {
    {"equal state is identical, whoever computed it", equal_state_is_identical},
    {"distances in ulps", distances_in_ulps},
    {"each difference is named", each_difference_is_named},
    {"not a number shows", not_a_number_shows},
    {"a run means its newest good checkpoint", a_run_means_its_newest_good_one},
    {0},
};
const struct test_suite suite_checkpoints = {"checkpoints", cases, NULL};
