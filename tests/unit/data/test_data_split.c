/* data/split: every sample lands in one part, in order and with its target; which ones is the seed's choice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/split.h"
#include "io/dataset/dataset.h"
#include "io/path.h"
#include "test.h"

enum { COUNT = 2101, CLASSES = 3 };

/* Sample i is the number i, its target i % CLASSES, as a class or (values) as two numbers. */
static void write_set(const char *path, bool values) {
    const struct cvy_dataset_plan plan = {.shape = {1, 1, 1},
                                          .x_type = CVY_F32,
                                          .target = {values ? CVY_F32 : CVY_I32, {1, 1, values ? 2 : 1}},
                                          .classes = values ? 0 : CLASSES,
                                          .chunk = 16,
                                          .shard_bytes = 4096};
    struct cvy_dataset_writer *writer;
    TEST_OK(cvy_dataset_writer_create(path, &plan, &writer));
    for (int i = 0; i < COUNT; i++) {
        const float x = (float)i, pair[2] = {(float)(i % CLASSES), -x};
        const int32_t class = i % CLASSES;
        TEST_OK(cvy_dataset_writer_append(writer, 1, &x, values ? (const void *)pair : &class));
    }
    TEST_OK(cvy_dataset_writer_finish(&writer));
}

/* The numbers in a part, in its order; their targets are checked. */
static int read_part(const char *path, bool values, float *x) {
    struct cvy_dataset *set = NULL;
    float y[2 * COUNT];
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = path}, &set));
    if (set == NULL) return 0;
    const int count = (int)cvy_dataset_info(set)->count;
    TEST_OK(cvy_dataset_verify(set));
    TEST_OK(cvy_dataset_read(set, 0, count, x, y));
    const struct cvy_range range = cvy_dataset_info(set)->range; /* its own: the numbers grow */
    CU_ASSERT(range.low == x[0] && range.high == x[count - 1] && range.whole);
    for (int i = 0; i < count; i++) {
        const int class = (int)x[i] % CLASSES;
        int32_t found;
        memcpy(&found, &y[i], sizeof found);
        CU_ASSERT(values ? y[2 * i] == (float)class && y[2 * i + 1] == -x[i] : found == class);
    }
    cvy_dataset_close(&set);
    return count;
}

/* Splits and says in taken[i] whether sample i is in the first part. */
static void split(const char *folder, bool values, struct cvy_split how, bool taken[COUNT]) {
    static float first[COUNT], rest[COUNT];
    how.input = (struct cvy_dataset_spec){.file = test_path(folder, "all.h5")};
    how.first = test_path(folder, "first.h5");
    how.rest = test_path(folder, "rest.h5");
    how.overwrite = true;
    TEST_OK(cvy_split_dataset(&how));
    const int a = read_part(how.first, values, first), b = read_part(how.rest, values, rest);
    CU_ASSERT_EQUAL(a, how.samples);
    CU_ASSERT_EQUAL(a + b, COUNT);
    for (int i = 0, f = 0, r = 0; i < COUNT; i++) {
        taken[i] = f < a && first[f] == (float)i;
        CU_ASSERT(taken[i] || (r < b && rest[r] == (float)i));
        if (taken[i])
            f++;
        else
            r++;
    }
}

static void in_order(void) {
    static bool taken[COUNT];
    for (int values = 0; values < 2; values++) {
        const char *folder = test_folder();
        write_set(test_path(folder, "all.h5"), values);
        for (int samples = 1; samples < COUNT; samples += 700) {
            split(folder, values, (struct cvy_split){.samples = samples, .shard_bytes = 1024}, taken);
            for (int i = 0; i < COUNT; i++) CU_ASSERT(taken[i] == (i < samples));
        }
    }
}

static void at_random(void) {
    static bool taken[3][COUNT];
    const char *folder = test_folder();
    write_set(test_path(folder, "all.h5"), false);
    for (int i = 0; i < 3; i++)
        split(folder, false, (struct cvy_split){.samples = 500, .random = true, .seed = i == 2 ? 8 : 7}, taken[i]);
    CU_ASSERT(memcmp(taken[0], taken[1], sizeof taken[0]) == 0);
    CU_ASSERT(memcmp(taken[0], taken[2], sizeof taken[0]) != 0);
    int half = 0; /* hypergeometric: mean 250, standard deviation about 9.7 */
    for (int i = 0; i < COUNT / 2; i++) half += taken[0][i];
    CU_ASSERT(half > 200 && half < 300);
}

static void refused(void) {
    static const struct {
        const char *first, *rest, *message;
        int64_t samples;
    } bad[] = {
        {"a.h5", "b.h5", "has 2101 samples: 2101 cannot be split off; from 1 to 2100", COUNT},
        {"a.h5", "b.h5", "0 cannot be split off", 0},
        {"a.h5", "a.h5", "are one file", 10},
        {"a.h5", "a", "are one file", 10},
        {"all.h5", "b.h5", "all.h5: is read here", 10},
        {"b.h5", "all.h5", "all.h5: is read here", 10},
    };
    const char *folder = test_folder();
    write_set(test_path(folder, "all.h5"), false);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct cvy_split how = {.input = {.file = test_path(folder, "all.h5")},
                                      .first = test_path(folder, bad[i].first),
                                      .rest = test_path(folder, bad[i].rest),
                                      .samples = bad[i].samples,
                                      .overwrite = true};
        CU_ASSERT_EQUAL(cvy_split_dataset(&how), CVY_ERR_USAGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), bad[i].message));
    }
    static float x[COUNT];
    CU_ASSERT_EQUAL(read_part(test_path(folder, "all.h5"), false, x), COUNT); /* still there, whole */
}

static const struct test_case cases[] = {
    {"the first ones and the rest", in_order},
    {"any samples, by the seed", at_random},
    {"what cannot be", refused},
    {0},
};
const struct test_suite suite_data_split = {"data_split", cases, NULL};
