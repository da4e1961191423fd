/* A share that is held out of a data set: no sample is in both parts and none is lost, each class gives its share, and
 * which they are follows from the seed alone. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/source.h"
#include "test.h"

enum { COUNT = 203, CLASSES = 7, SIZE = 4 };

static unsigned char inputs[COUNT * SIZE];
static int32_t labels[COUNT];

/* The number of a sample is in its first two bytes. Class 0 has one sample, the last about half of all. */
static void make_data(void) {
    for (int i = 0; i < COUNT; i++) {
        inputs[i * SIZE] = (unsigned char)i;
        inputs[i * SIZE + 1] = (unsigned char)(i >> 8);
        labels[i] = i == 17 ? 0 : i % 2 ? CLASSES - 1 : 1 + i % 5;
    }
}

static cvy_status cut(double share, uint64_t seed, struct cvy_source *parts[2]) {
    const struct cvy_dataset_info info = {
        .count = COUNT, .shape = {1, 1, SIZE}, .x_type = CVY_U8, .classes = CLASSES, .digest = 77};
    struct cvy_source *whole;
    make_data();
    TEST_OK(cvy_source_memory(&info, inputs, labels, &whole));
    cvy_status status = cvy_source_hold_out(&whole, share, seed, "set.h5", &parts[0], &parts[1]);
    CU_ASSERT(whole == NULL);
    return status;
}

static void drop(struct cvy_source *parts[2]) {
    cvy_source_destroy(&parts[0]);
    cvy_source_destroy(&parts[1]);
}

/* What a part's samples are, read last one first, and that labels and members say the same. */
static void read_part(struct cvy_source *part, int numbers[COUNT]) {
    unsigned char x[SIZE];
    int32_t y;
    for (int64_t i = part->info.count - 1; i >= 0; i--) {
        TEST_OK(part->kind->read(part, &i, 1, x, &y));
        numbers[i] = x[0] | x[1] << 8;
        CU_ASSERT(part->members[i] == numbers[i] && y == labels[numbers[i]] && part->info.labels[i] == y);
    }
}

static void check_parts(struct cvy_source *const parts[2], double share) {
    int seen[COUNT] = {0}, of_class[CLASSES] = {0}, all[CLASSES] = {0}, numbers[COUNT];
    for (int p = 0; p < 2; p++) {
        read_part(parts[p], numbers);
        for (int i = 0; i < parts[p]->info.count; i++) {
            seen[numbers[i]]++;
            of_class[labels[numbers[i]]] += p;
            CU_ASSERT(i == 0 || numbers[i] > numbers[i - 1]); /* in the set's order */
        }
    }
    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT_EQUAL(seen[i], 1);
        all[labels[i]]++;
    }
    for (int c = 0; c < CLASSES; c++) {
        const double off = of_class[c] - share * all[c];
        CU_ASSERT(off > -1 && off < 1 && of_class[c] < all[c]);
    }
}

static void parts_of_a_set(void) {
    static const double shares[] = {0.01, 0.1, 0.25, 1 / 3.0, 0.5, 0.9, 0.97};
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++)
        for (uint64_t seed = 1; seed < 4; seed++) {
            struct cvy_source *parts[2];
            TEST_OK(cut(shares[s], seed, parts));
            check_parts(parts, shares[s]);
            CU_ASSERT(parts[0]->info.digest == 77 && parts[1]->info.digest == 77);
            drop(parts);
        }
    struct cvy_source *parts[2];
    TEST_OK(cut(0.1, 1, parts));
    CU_ASSERT(parts[0]->info.count == 183 && parts[1]->info.count == 20);
    drop(parts);
}

/* The same for the same seed, others for another one; each sample comes to be held out with some seed. */
static void follow_from_the_seed(void) {
    int first[COUNT], again[COUNT], same = 0, ever[COUNT] = {0};
    for (int seed = 1; seed <= 60; seed++)
        for (int turn = 0; turn < 2; turn++) {
            struct cvy_source *parts[2];
            TEST_OK(cut(0.2, (uint64_t)seed, parts));
            read_part(parts[1], turn ? again : first);
            const size_t count = (size_t)parts[1]->info.count;
            if (turn) CU_ASSERT(memcmp(first, again, count * sizeof *first) == 0);
            for (size_t i = 0; i < count && turn; i++) ever[first[i]]++;
            drop(parts);
        }
    for (int i = 0; i < COUNT; i++) same += ever[i] == 0;
    CU_ASSERT_EQUAL(same, 1); /* the one of its class */
    CU_ASSERT_EQUAL(ever[17], 0);
}

/* Two loaders read them at once, of a file whose chunks come in at their first touch. */
static const char *write_file(void) {
    static char path[600];
    struct cvy_dataset_writer *writer;
    const struct cvy_dataset_plan plan = {.shape = {1, 1, SIZE}, .x_type = CVY_U8, .classes = CLASSES, .chunk = 4};
    make_data();
    snprintf(path, sizeof path, "%s/set.h5", test_folder());
    TEST_OK(cvy_dataset_writer_create(path, &plan, &writer));
    TEST_OK(cvy_dataset_writer_append(writer, COUNT, inputs, labels));
    TEST_OK(cvy_dataset_writer_finish(&writer));
    return path;
}

static void *read_thread(void *arg) {
    struct cvy_source *part = arg;
    intptr_t wrong = 0;
    for (int turn = 0; turn < 20; turn++)
        for (int64_t i = 0; i < part->info.count; i++) {
            const int64_t index = i * 7 % part->info.count;
            unsigned char x[SIZE];
            int32_t y;
            wrong += part->kind->read(part, &index, 1, x, &y) != CVY_OK || (x[0] | x[1] << 8) != part->members[index];
        }
    return (void *)wrong;
}

static void from_two_threads(void) {
    for (int held = 0; held < 2; held++) {
        struct cvy_dataset *ds;
        struct cvy_source *whole, *parts[2];
        pthread_t threads[2];
        void *wrong;
        TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = write_file()}, &ds));
        TEST_OK(cvy_source_hdf5(&ds, held ? 1 << 20 : 0, &whole));
        const int64_t bytes = whole->info.bytes;
        TEST_OK(cvy_source_hold_out(&whole, 0.5, 3, "set.h5", &parts[0], &parts[1]));
        CU_ASSERT(parts[0]->info.bytes == bytes && parts[1]->info.bytes == 0);
        for (int p = 0; p < 2; p++) CU_ASSERT_FATAL(pthread_create(&threads[p], NULL, read_thread, parts[p]) == 0);
        for (int p = 0; p < 2; p++) {
            pthread_join(threads[p], &wrong);
            CU_ASSERT_PTR_NULL(wrong);
        }
        drop(parts);
    }
}

/* Values are of no class: any samples, as many as the share is. */
static void without_classes(void) {
    const struct cvy_dataset_info info = {
        .count = COUNT, .shape = {1, 1, SIZE}, .x_type = CVY_U8, .target = {CVY_F32, {1, 1, 1}}};
    static float y[COUNT];
    struct cvy_source *whole, *parts[2];
    make_data();
    for (int i = 0; i < COUNT; i++) y[i] = (float)i;
    TEST_OK(cvy_source_memory(&info, inputs, y, &whole));
    TEST_OK(cvy_source_hold_out(&whole, 0.3, 9, "set.h5", &parts[0], &parts[1]));
    CU_ASSERT(parts[0]->info.count == 142 && parts[1]->info.count == 61);
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < parts[p]->info.count; i++) {
            unsigned char x[SIZE];
            float value;
            TEST_OK(parts[p]->kind->read(parts[p], &i, 1, x, &value));
            CU_ASSERT(value == (float)(x[0] | x[1] << 8));
        }
    drop(parts);
}

static void shares_of_nothing(void) {
    struct cvy_source *parts[2];
    CU_ASSERT_EQUAL(cut(0.001, 1, parts), CVY_ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(cvy_error_message(),
                           "data.validation: 0.1% of the 203 samples of set.h5 is none; 0.5% or more is one at least");
    CU_ASSERT_EQUAL(cut(0.999, 1, parts), CVY_ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(
        cvy_error_message(),
        "data.validation: 99.9% of the 203 samples of set.h5 leaves none to train on; take 99.5% or less");
    TEST_OK(cut(0.005, 1, parts)); /* as it says */
    CU_ASSERT_EQUAL(parts[1]->info.count, 1);
    drop(parts);
}

static const struct test_case cases[] = {
    {"no sample in both, none lost, each class gives its share", parts_of_a_set},
    {"which they are follows from the seed", follow_from_the_seed},
    {"read from two threads", from_two_threads},
    {"values", without_classes},
    {"shares that leave nothing", shares_of_nothing},
    {0},
};
const struct test_suite suite_data_held_out = {"data_held_out", cases, NULL};
