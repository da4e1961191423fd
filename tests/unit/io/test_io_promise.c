/* What a data set promised when it was opened is what is read: a chunk that became zeros (whose Fletcher-32 is right),
 * a file that was emptied, or over which another good one was copied, is an error; one that was only touched is not. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hdf5_help.h"
#include "io/dataset/dataset.h"
#include "io/path.h"
#include "test.h"

enum { SAMPLES = 400, FLOATS = 64, CHUNK = 16 };

static float value(int kind, int sample, int i) {
    return (float)(1 + kind + sample + i);
}

/* A set of ours, in one file or in shards, with a class or two values a sample. */
static void pack(const char *path, int kind, bool sharded, bool values) {
    const struct cvy_dataset_plan plan = {.shape = {8, 8, 1},
                                          .x_type = CVY_F32,
                                          .target = {values ? CVY_F32 : CVY_I32, {1, 1, values ? 2 : 1}},
                                          .classes = values ? 0 : 4,
                                          .chunk = CHUNK,
                                          .shard_bytes = sharded ? SAMPLES / 4 * FLOATS * 4 : 0};
    struct cvy_dataset_writer *writer;
    TEST_OK(cvy_dataset_writer_create(path, &plan, &writer));
    for (int n = 0; n < SAMPLES; n++) {
        float x[FLOATS];
        const float pair[2] = {value(kind, n, 0), -1};
        const int32_t class = n % 4;
        for (int i = 0; i < FLOATS; i++) x[i] = value(kind, n, i);
        TEST_OK(cvy_dataset_writer_append(writer, 1, x, values ? (const void *)pair : &class));
    }
    TEST_OK(cvy_dataset_writer_finish(&writer));
}

/* The same as somebody else would have written it. */
static void write_user_file(const char *path, int kind) {
    static float x[SAMPLES * FLOATS];
    int32_t y[SAMPLES];
    const hsize_t dims[4] = {SAMPLES, 8, 8, 1};
    for (int n = 0; n < SAMPLES; n++) {
        y[n] = n % 4;
        for (int i = 0; i < FLOATS; i++) x[n * FLOATS + i] = value(kind, n, i);
    }
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, dims, x);
    hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT32, 1, dims, y);
    H5Fclose(file);
}

/* Zeros over chunk `index` of an array, checksum included. */
static void make_hole(const char *path, const char *array, hsize_t index) {
    static const char zeros[1 << 16];
    hsize_t offset[4], size = 0;
    haddr_t address = HADDR_UNDEF;
    unsigned filters;
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), data = H5Dopen2(file, array, H5P_DEFAULT);
    hid_t space = H5Dget_space(data);
    CU_ASSERT(H5Dget_chunk_info(data, space, index, offset, &filters, &address, &size) >= 0);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(file);
    CU_ASSERT_FATAL(size > 4 && size <= sizeof zeros);
    FILE *raw = fopen(path, "r+b");
    CU_ASSERT(fseek(raw, (long)address, SEEK_SET) == 0 && fwrite(zeros, 1, size, raw) == size);
    fclose(raw);
}

static struct cvy_dataset *open_set(const char *path) {
    struct cvy_dataset *ds = NULL;
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = path}, &ds));
    CU_ASSERT_FATAL(ds != NULL);
    return ds;
}

static void expect(struct cvy_dataset *ds, int64_t first, int64_t count, const char *words) {
    static float x[SAMPLES * FLOATS], y[SAMPLES * 2];
    cvy_status status = cvy_dataset_read(ds, first, count, x, y);
    CU_ASSERT_EQUAL(status, words ? CVY_ERR_DATA : CVY_OK);
    const bool said = words == NULL || strstr(cvy_error_message(), words);
    if (!said) fprintf(stderr, "\n    samples %lld: %s", (long long)first, cvy_error_message());
    CU_ASSERT(said);
}

static void holes(void) {
    const char *folder = test_folder();
    for (int values = 0; values < 2; values++) {
        const char *path = test_path(folder, values ? "values.h5" : "classes.h5");
        pack(path, 0, false, values);
        make_hole(path, values ? "/y" : "/x", 5);
        struct cvy_dataset *ds = open_set(path);
        expect(ds, 0, 80, NULL);
        expect(ds, 96, SAMPLES - 96, NULL);
        expect(ds, 83, 1, "samples from 80 on"); /* a sample of the hole, alone */
        expect(ds, 0, SAMPLES, "samples from 80 on");
        CU_ASSERT_EQUAL(cvy_dataset_verify(ds), CVY_ERR_DATA);
        cvy_dataset_close(&ds);
    }
}

static void holes_in_shards(void) {
    char shard[CVY_PATH_MAX];
    const char *folder = test_folder(), *path = test_path(folder, "set.h5");
    pack(path, 0, true, false);
    TEST_OK(cvy_path_join(folder, "set.d/00002.h5", shard));
    make_hole(shard, "/x", 1);
    struct cvy_dataset *ds = open_set(path);
    CU_ASSERT(cvy_dataset_info(ds)->shards > 2);
    expect(ds, 0, 100, NULL);
    expect(ds, 0, SAMPLES, "are not what was packed");
    CU_ASSERT(strstr(cvy_error_message(), "00002.h5") != NULL);
    cvy_dataset_close(&ds);
}

/* A shard that is good in itself, in the place of another with the same labels. */
static void exchanged_shard(void) {
    const char *folder = test_folder(), *path = test_path(folder, "a.h5");
    pack(path, 0, true, false);
    pack(test_path(folder, "b.h5"), 7, true, false);
    struct cvy_dataset *ds = open_set(path);
    expect(ds, 0, 10, NULL);
    CU_ASSERT_EQUAL(test_shell((char[64]){0}, 64, "cp '%s/b.d/00003.h5' '%s/a.d/00003.h5'", folder, folder), 0);
    expect(ds, 300, 10, "its checksums are not those");
    cvy_dataset_close(&ds);
}

/* While a set is open: cut to nothing, written over in place, or only touched. */
static void changed_while_open(bool ours) {
    const char *folder = test_folder(), *path = test_path(folder, "set.h5"), *other = test_path(folder, "other.h5");
    if (ours)
        pack(other, 7, false, false);
    else
        write_user_file(other, 7);
    for (int how = 0; how < 3; how++) {
        char said[256];
        if (ours)
            pack(how ? test_path(folder, "again.h5") : path, 0, false, false);
        else
            write_user_file(path, 0);
        if (ours && how) rename(test_path(folder, "again.h5"), path);
        struct cvy_dataset *ds = open_set(path);
        expect(ds, 0, 10, NULL);
        usleep(20000); /* a clock's tick, so that the time of change differs */
        static const char *const commands[] = {"touch '%s'; true '%s'", "truncate -s 0 '%s'; true '%s'",
                                               "cat '%2$s' >'%1$s'"};
        char command[2 * CVY_PATH_MAX + 64];
        snprintf(command, sizeof command, commands[how], path, other);
        CU_ASSERT_EQUAL(test_shell(said, sizeof said, "%s", command), 0);
        static float x[SAMPLES * FLOATS];
        CU_ASSERT_EQUAL(cvy_dataset_read(ds, 150, 100, x, NULL), how == 0 ? CVY_OK : CVY_ERR_DATA);
        cvy_dataset_close(&ds);
    }
}

static void ours_changes(void) {
    changed_while_open(true);
}
static void theirs_changes(void) {
    changed_while_open(false);
}

static const struct test_case cases[] = {
    {"a chunk of zeros", holes},
    {"a chunk of zeros in a shard", holes_in_shards},
    {"a shard of another set", exchanged_shard},
    {"a set of ours that changes while it is read", ours_changes},
    {"a user's file that changes while it is read", theirs_changes},
    {0},
};
const struct test_suite suite_io_promise = {.name = "io_promise", .cases = cases};
