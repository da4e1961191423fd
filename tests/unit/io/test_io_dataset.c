/* io/dataset: what is written reads back, single and sharded; every way in which a file can be wrong has its message;
 * users' own files are welcome. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/rng.h"
#include "io/dataset/dataset.h"
#include "io/file.h"
#include "hdf5_help.h"
#include "test.h"

static char path[CVY_PATH_MAX];

static const char *in_folder(const char *folder, const char *name) {
    TEST_OK(cvy_path_join(folder, name, path));
    return path;
}

/* ---- Samples whose every element is known ---- */

static uint32_t element(int64_t sample, int64_t i) {
    uint32_t out[4];
    cvy_philox((uint32_t[4]){(uint32_t)sample, (uint32_t)i, 0, 0}, (uint32_t[2]){1, 2}, out);
    return out[0];
}

static void fill(enum cvy_dtype type, int64_t first, int64_t count, int64_t size, void *x) {
    for (int64_t s = 0; s < count; s++)
        for (int64_t i = 0; i < size; i++) {
            uint32_t v = element(first + s, i);
            if (type == CVY_U8)
                ((unsigned char *)x)[s * size + i] = (unsigned char)v;
            else
                ((float *)x)[s * size + i] = (float)(int32_t)v * 1e-9f;
        }
}

static int32_t label(int64_t sample, int classes) {
    return (int32_t)(element(sample, -1) % (uint32_t)classes);
}

struct trial {
    struct cvy_dataset_plan plan;
    int64_t count;
    int step; /* samples an append */
};

static cvy_status write_trial(const char *file, const struct trial *t) {
    struct cvy_dataset_writer *writer;
    int64_t size = cvy_shape_count(t->plan.shape);
    void *x = malloc((size_t)(t->step * size) * 4);
    int32_t *y = malloc((size_t)t->step * sizeof *y);
    cvy_status status = cvy_dataset_writer_create(file, &t->plan, &writer);
    for (int64_t done = 0; done < t->count && status == CVY_OK; done += t->step) {
        int64_t now = t->count - done < t->step ? t->count - done : t->step;
        fill(t->plan.x_type, done, now, size, x);
        for (int64_t i = 0; i < now; i++) y[i] = label(done + i, t->plan.classes);
        status = cvy_dataset_writer_append(writer, now, x, y);
    }
    if (status == CVY_OK)
        status = cvy_dataset_writer_finish(&writer);
    else
        cvy_dataset_writer_destroy(&writer);
    free(x);
    free(y);
    return status;
}

static void check_range(struct cvy_dataset *ds, int64_t first, int64_t count) {
    const struct cvy_dataset_info *info = cvy_dataset_info(ds);
    size_t bytes = (size_t)count * cvy_dataset_sample_bytes(info);
    void *got = malloc(bytes + 1), *want = malloc(bytes + 1);
    int32_t *y = malloc((size_t)count * sizeof *y + 1);
    fill(info->x_type, first, count, cvy_shape_count(info->shape), want);
    TEST_OK(cvy_dataset_read(ds, first, count, got, y));
    CU_ASSERT(memcmp(got, want, bytes) == 0);
    for (int64_t i = 0; i < count; i++) CU_ASSERT(y[i] == label(first + i, info->classes));
    free(got);
    free(want);
    free(y);
}

static void check_trial(const char *file, const struct trial *t, int shards) {
    struct cvy_dataset *ds = NULL;
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    if (ds == NULL) return;
    const struct cvy_dataset_info *info = cvy_dataset_info(ds);
    CU_ASSERT(info->count == t->count && info->classes == t->plan.classes && info->x_type == t->plan.x_type);
    CU_ASSERT(cvy_shape_equal(info->shape, t->plan.shape) && info->shards == shards && info->digest != 0);
    for (int64_t first = 0; first < t->count; first += 7)
        check_range(ds, first, t->count - first < 7 ? t->count - first : 7);
    check_range(ds, 0, t->count);
    check_range(ds, t->count, 0);
    TEST_OK(cvy_dataset_verify(ds));
    CU_ASSERT_EQUAL(cvy_dataset_read(ds, t->count - 1, 2, NULL, NULL), CVY_ERR_DATA);
    CU_ASSERT_EQUAL(cvy_dataset_read(ds, -1, 1, NULL, NULL), CVY_ERR_DATA);
    cvy_dataset_close(&ds);
}

static void round_trip(void) {
    static const struct {
        struct trial trial;
        int shards;
    } trials[] = {
        {{{.shape = {5, 4, 1}, .x_type = CVY_U8, .classes = 3}, 1, 1}, 0},
        {{{.shape = {5, 4, 1}, .x_type = CVY_U8, .classes = 3, .chunk = 4}, 61, 10}, 0},
        {{{.shape = {3, 7, 3}, .x_type = CVY_F32, .classes = 10, .chunk = 5, .deflate = 6, .count = 83}, 83, 83}, 0},
        {{{.shape = {1, 1, 6}, .x_type = CVY_F32, .classes = 2, .chunk = 4, .shard_bytes = 300}, 41, 3}, 4},
        {{{.shape = {5, 4, 2}, .x_type = CVY_U8, .classes = 3, .chunk = 8, .shard_bytes = 640, .deflate = 1}, 64, 9},
         4},
        {{{.shape = {9, 9, 1}, .x_type = CVY_U8, .classes = 3, .chunk = 1, .shard_bytes = 1}, 5, 2}, 5},
    };
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
        const char *file = in_folder(test_folder(), "train.h5");
        TEST_OK(write_trial(file, &trials[i].trial));
        check_trial(file, &trials[i].trial, trials[i].shards);
    }
}

/* More shards than stay open at a time. */
static void many_shards(void) {
    struct trial t = {{.shape = {2, 2, 1}, .x_type = CVY_U8, .classes = 3, .chunk = 1, .shard_bytes = 4}, 150, 50};
    const char *file = in_folder(test_folder(), "train.h5");
    TEST_OK(write_trial(file, &t));
    check_trial(file, &t, 150);
}

static struct cvy_buf bytes_of(const char *file) {
    struct cvy_buf text = {0};
    TEST_OK(cvy_file_read(file, 1 << 24, &text));
    return text;
}

static bool same_bytes(const char *a, const char *b) {
    struct cvy_buf x = bytes_of(a), y = bytes_of(b);
    bool same = x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
    cvy_buf_destroy(&x);
    cvy_buf_destroy(&y);
    return same;
}

static uint64_t digest_of(const char *file, double *mean, double *std) {
    struct cvy_dataset *ds = NULL;
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    uint64_t digest = cvy_dataset_info(ds)->digest;
    *mean = cvy_dataset_info(ds)->mean[0];
    *std = cvy_dataset_info(ds)->std[0];
    cvy_dataset_close(&ds);
    return digest;
}

/* The bytes depend on samples and plan alone (not on time or on how they came); the digest on the samples alone. */
static void reproducible(void) {
    struct trial a = {{.shape = {6, 6, 2}, .x_type = CVY_U8, .classes = 4, .chunk = 3}, 50, 50}, b = a, c = a, d = a;
    char first[CVY_PATH_MAX], other[CVY_PATH_MAX];
    double mean[3], std[3];
    b.step = 7;
    c.plan.shard_bytes = 500;
    c.plan.deflate = 3;
    d.count = 49;
    strcpy(first, in_folder(test_folder(), "train.h5"));
    strcpy(other, in_folder(test_folder(), "train.h5"));
    TEST_OK(write_trial(first, &a));
    sleep(1);
    TEST_OK(write_trial(other, &b));
    CU_ASSERT(same_bytes(first, other));
    uint64_t digest = digest_of(first, &mean[0], &std[0]);
    c.plan.overwrite = d.plan.overwrite = true;
    TEST_OK(write_trial(other, &c));
    CU_ASSERT_EQUAL(digest_of(other, &mean[1], &std[1]), digest);
    CU_ASSERT(mean[1] == mean[0] && std[1] == std[0]);
    TEST_OK(write_trial(other, &d)); /* a single file again: the folder of shards goes */
    CU_ASSERT_NOT_EQUAL(digest_of(other, &mean[2], &std[2]), digest);
    strcpy(strrchr(other, '.'), ".d");
    CU_ASSERT(!cvy_folder_exists(other));
}

static void statistics(void) {
    struct trial t = {{.shape = {4, 4, 2}, .x_type = CVY_F32, .classes = 4}, 30, 11};
    struct cvy_dataset *ds = NULL;
    float x[30 * 32];
    const char *file = in_folder(test_folder(), "train.h5");
    TEST_OK(write_trial(file, &t));
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    TEST_OK(cvy_dataset_read(ds, 0, 30, x, NULL));
    for (int c = 0; c < 2; c++) {
        double sum = 0, squares = 0;
        for (int i = c; i < 30 * 32; i += 2) sum += x[i];
        double mean = sum / 480;
        for (int i = c; i < 30 * 32; i += 2) squares += (x[i] - mean) * (x[i] - mean);
        CU_ASSERT_DOUBLE_EQUAL(cvy_dataset_info(ds)->mean[c], mean, 1e-12);
        CU_ASSERT_DOUBLE_EQUAL(cvy_dataset_info(ds)->std[c], sqrt(squares / 480), 1e-12);
    }
    cvy_dataset_close(&ds);
    struct cvy_dataset_writer *writer; /* a constant channel has std 1, so that nothing is divided by 0 */
    const unsigned char constant[6] = {7, 9, 7, 3, 7, 5};
    file = in_folder(test_folder(), "c.h5");
    TEST_OK(cvy_dataset_writer_create(
        file, &(struct cvy_dataset_plan){.shape = {1, 1, 2}, .x_type = CVY_U8, .classes = 1}, &writer));
    TEST_OK(cvy_dataset_writer_append(writer, 3, constant, (int32_t[]){0, 0, 0}));
    TEST_OK(cvy_dataset_writer_finish(&writer));
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    CU_ASSERT(cvy_dataset_info(ds)->mean[0] == 7 && cvy_dataset_info(ds)->std[0] == 1);
    CU_ASSERT_DOUBLE_EQUAL(cvy_dataset_info(ds)->mean[1], 17 / 3.0, 1e-12);
    cvy_dataset_close(&ds);
}

static void names(void) {
    static const char *const words[] = {"T-shirt/top", "Trouser", "Übergröße"};
    struct trial t = {{.shape = {2, 2, 1}, .x_type = CVY_U8, .classes = 3, .class_names = words}, 5, 5};
    struct cvy_dataset *ds = NULL;
    const char *file = in_folder(test_folder(), "train.h5");
    TEST_OK(write_trial(file, &t));
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    CU_ASSERT(cvy_dataset_info(ds)->named);
    for (int i = 0; i < 3; i++) CU_ASSERT_STRING_EQUAL(cvy_dataset_info(ds)->class_names[i], words[i]);
    cvy_dataset_close(&ds);
    t.plan.class_names = NULL;
    t.plan.overwrite = true;
    TEST_OK(write_trial(file, &t));
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    CU_ASSERT(!cvy_dataset_info(ds)->named);
    CU_ASSERT_STRING_EQUAL(cvy_dataset_info(ds)->class_names[2], "2");
    cvy_dataset_close(&ds);
}

/* ---- Writing that fails ---- */

static void writer_refuses(void) {
    char folder[CVY_PATH_MAX];
    struct cvy_dataset_plan plan = {.shape = {2, 2, 1}, .x_type = CVY_U8, .classes = 3, .chunk = 1, .shard_bytes = 8};
    struct cvy_dataset_writer *writer = NULL;
    unsigned char x[20] = {0};
    strcpy(folder, test_folder());
    const char *file = in_folder(folder, "train.h5");
    TEST_OK(cvy_dataset_writer_create(file, &plan, &writer));
    TEST_OK(cvy_dataset_writer_append(writer, 5, x, (int32_t[]){0, 1, 2, 0, 1}));
    CU_ASSERT_EQUAL(cvy_dataset_writer_append(writer, 2, x, (int32_t[]){2, 3}), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("train.h5: sample 6 has label 3, but the classes are 0 to 2"));
    cvy_dataset_writer_destroy(&writer);
    CU_ASSERT_EQUAL(test_files_in(folder), 0); /* nor its shards */
    TEST_OK(cvy_dataset_writer_create(file, &plan, &writer));
    CU_ASSERT_EQUAL(cvy_dataset_writer_finish(&writer), CVY_ERR_DATA);
    CU_ASSERT(writer == NULL && test_message_has("no samples"));
    struct trial t = {plan, 5, 5};
    TEST_OK(write_trial(file, &t));
    CU_ASSERT_EQUAL(write_trial(file, &t), CVY_ERR_USAGE);
    CU_ASSERT(test_message_has("there is such a data set already"));
    CU_ASSERT_EQUAL(test_files_in(folder), 2);
}

/* ---- Files that are wrong ---- */

static bool open_fails(const char *file, const char *message) {
    struct cvy_dataset *ds = NULL;
    cvy_status status = cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds);
    cvy_dataset_close(&ds);
    if (status != CVY_ERR_DATA) fprintf(stderr, "\n    expected \"%s\", status is %d\n", message, status);
    return status == CVY_ERR_DATA && test_message_has(message);
}

static const char *good_file(const char *name, int shards) {
    struct trial t = {{.shape = {4, 4, 1}, .x_type = CVY_U8, .classes = 10, .chunk = 4}, 40, 40};
    if (shards) t.plan.shard_bytes = 16 * 4 * 4;
    const char *file = in_folder(test_folder(), name);
    TEST_OK(write_trial(file, &t));
    return file;
}

static void change_byte(const char *file, long at, int with) {
    FILE *f = fopen(file, "r+b");
    fseek(f, at, SEEK_SET);
    fputc(with, f);
    fclose(f);
}

static void not_a_data_set(void) {
    const char *file = in_folder(test_folder(), "absent.h5");
    CU_ASSERT(open_fails(file, "absent.h5: cannot be opened: No such file"));
    TEST_OK(cvy_file_replace(file, &(struct cvy_bytes){"PK zip or whatever", 18}, 1));
    CU_ASSERT(open_fails(file, "absent.h5: not a readable HDF5 file"));
    TEST_OK(cvy_file_replace(file, &(struct cvy_bytes){"", 0}, 1));
    CU_ASSERT(open_fails(file, "not a readable HDF5 file"));
    file = good_file("magic.h5", 0);
    change_byte(file, 1, 'X');
    CU_ASSERT(open_fails(file, "magic.h5: not a readable HDF5 file"));
    for (int64_t cut = cvy_file_size(file) / 2; cut > 0; cut /= 4) {
        file = good_file("cut.h5", 0);
        CU_ASSERT_EQUAL(truncate(file, cut), 0);
        CU_ASSERT(open_fails(file, "cut.h5: "));
    }
    file = good_file("cut.h5", 0);
    CU_ASSERT_EQUAL(truncate(file, cvy_file_size(file) - 1), 0);
    CU_ASSERT(open_fails(file, "cut.h5: the file is cut off"));
}

/* Every byte of /x is covered: a flipped one is found when it is read or verified, at the latest. */
static void damage_is_found(void) {
    const char *file = good_file("flip.h5", 0);
    struct cvy_buf good = bytes_of(file);
    int wrong = 0, silent = 0;
    for (size_t at = 0; at < good.size; at += 1 + good.size / 700) {
        struct cvy_dataset *ds = NULL;
        good.data[at] ^= 0x40;
        TEST_OK(cvy_file_replace(file, &(struct cvy_bytes){good.data, good.size}, 1));
        good.data[at] ^= 0x40;
        cvy_status status = cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds);
        if (status == CVY_OK) status = cvy_dataset_verify(ds);
        if (status == CVY_OK) { /* a byte that holds nothing: all samples must still be right */
            silent++;
            check_range(ds, 0, 40);
        } else if (status != CVY_ERR_DATA)
            wrong++;
        cvy_dataset_close(&ds);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(silent < 700);
    cvy_buf_destroy(&good);
}

static void shards_that_are_wrong(void) {
    char shard[CVY_PATH_MAX];
    const char *file = good_file("train.h5", 1);
    struct cvy_dataset *ds = NULL;
    TEST_OK(cvy_path_beside(file, "train.d/00001.h5", shard));
    struct cvy_buf good = bytes_of(shard);
    good.data[good.size / 2] ^= 1; /* verify names the shard */
    TEST_OK(cvy_file_replace(shard, &(struct cvy_bytes){good.data, good.size}, 1));
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    CU_ASSERT_EQUAL(cvy_dataset_verify(ds), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("train.d/00001.h5: damaged"));
    cvy_dataset_close(&ds);
    cvy_buf_destroy(&good);
    CU_ASSERT_EQUAL(truncate(shard, cvy_file_size(shard) - 100), 0); /* reading does */
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    unsigned char x[40 * 16];
    CU_ASSERT_EQUAL(cvy_dataset_read(ds, 0, 40, x, NULL), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("train.d/00001.h5: the file is cut off"));
    cvy_dataset_close(&ds);
    CU_ASSERT_EQUAL(unlink(shard), 0);
    CU_ASSERT(open_fails(file, "train.h5: shard train.d/00001.h5 is missing (1 of 3)"));
}

/* ---- Files made by others, with plain HDF5 calls ---- */

static void put_text(hid_t file, const char *name, const char *text) {
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text));
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, text);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

static const hsize_t user_dims[] = {6, 3, 2, 5}; /* [n][c][h][w] */

static hid_t user_file(const char *file, hid_t x_type, const int64_t *labels, hsize_t label_count) {
    double x[6 * 30];
    for (int i = 0; i < 6 * 30; i++) x[i] = i % 251;
    hid_t h5 = H5Fcreate(file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(h5, "/inputs", x_type, H5T_NATIVE_DOUBLE, 4, user_dims, x);
    hdf5_put(h5, "/targets", H5T_STD_I16BE, H5T_NATIVE_INT64, 1, &label_count, labels);
    return h5;
}

static void users_own_file(void) {
    static const int64_t labels[] = {3, 0, 2, 2, 1, 0};
    const char *file = in_folder(test_folder(), "mine.h5");
    hid_t types[] = {H5T_STD_U8LE, H5T_IEEE_F64LE, H5T_STD_I32BE};
    for (int k = 0; k < 3; k++) {
        H5Fclose(user_file(file, types[k], labels, 6));
        struct cvy_dataset *ds = NULL;
        struct cvy_dataset_spec spec = {.file = file, .x = "/inputs", .y = "/targets", .layout = CVY_LAYOUT_NCHW};
        TEST_OK(cvy_dataset_open(&spec, &ds));
        const struct cvy_dataset_info *info = cvy_dataset_info(ds);
        CU_ASSERT(info->count == 6 && info->classes == 4 && info->x_type == (k ? CVY_F32 : CVY_U8));
        CU_ASSERT(cvy_shape_equal(info->shape, (struct cvy_shape){2, 5, 3}) && info->digest != 0);
        CU_ASSERT(info->mean[2] == 0 && info->std[2] == (k ? 1 : 255));
        float real[6 * 30];
        unsigned char byte[6 * 30];
        int32_t y[6];
        TEST_OK(cvy_dataset_read(ds, 0, 6, k ? (void *)real : byte, y));
        for (int i = 0; i < 6 * 30; i++) {
            int c = i % 3, w = i / 3 % 5, h = i / 15 % 2, n = i / 30, want = (n * 30 + c * 10 + h * 5 + w) % 251;
            CU_ASSERT((k ? real[i] : byte[i]) == want);
        }
        for (int i = 0; i < 6; i++) CU_ASSERT(y[i] == labels[i]);
        TEST_OK(cvy_dataset_verify(ds));
        cvy_dataset_close(&ds);
    }
}

static bool user_fails(const struct cvy_dataset_spec *spec, const char *message) {
    struct cvy_dataset *ds = NULL;
    cvy_status status = cvy_dataset_open(spec, &ds);
    cvy_dataset_close(&ds);
    return status == CVY_ERR_DATA && test_message_has(message);
}

static void users_file_that_is_wrong(void) {
    static const int64_t labels[] = {3, 0, 2, 2, 1, 0, 5}, negative[] = {3, 0, 2, -2, 1, 0};
    const char *file = in_folder(test_folder(), "mine.h5");
    struct cvy_dataset_spec spec = {.file = file, .x = "/inputs", .y = "/targets"};
    H5Fclose(user_file(file, H5T_STD_U8LE, labels, 7));
    CU_ASSERT(user_fails(&spec, "mine.h5: 6 samples in /inputs, but 7 labels in /targets"));
    H5Fclose(user_file(file, H5T_STD_U8LE, negative, 6));
    CU_ASSERT(user_fails(&spec, "mine.h5: sample 3 has label -2"));
    CU_ASSERT(user_fails(&(struct cvy_dataset_spec){.file = file}, "mine.h5: it has no data set /x (there are: /"));
    spec.y = "/inputs";
    spec.x = "/targets";
    CU_ASSERT(user_fails(&spec, "/targets has shape [6]; expected [n][h][w][c], [n][h][w] or [n][c]"));
    hid_t h5 = user_file(file, H5T_STD_U8LE, labels, 6);
    put_text(h5, "format", "convoy-checkpoint");
    H5Fclose(h5);
    spec = (struct cvy_dataset_spec){.file = file, .x = "/inputs", .y = "/targets"};
    CU_ASSERT(user_fails(&spec, "its format is \"convoy-checkpoint\", not \"convoy-dataset\""));
}

/* Of all samples, in one file or many; each shard has its own. The one of a set of before there were any is not known.
 */
static void ranges(void) {
    struct cvy_dataset *ds = NULL;
    float x[60];
    int32_t y[60] = {0};
    for (int i = 0; i < 60; i++) x[i] = (float)(i % 7);
    x[3] = -2.5F;
    x[51] = 300;
    for (int sharded = 0; sharded < 2; sharded++) {
        struct cvy_dataset_plan plan = {.shape = {1, 1, 2}, .x_type = CVY_F32, .classes = 1, .chunk = 5};
        struct cvy_dataset_writer *writer;
        const char *folder = test_folder(), *file = in_folder(folder, "train.h5");
        plan.shard_bytes = sharded ? 1 : 0;
        TEST_OK(cvy_dataset_writer_create(file, &plan, &writer));
        TEST_OK(cvy_dataset_writer_append(writer, 30, x, y));
        TEST_OK(cvy_dataset_writer_finish(&writer));
        TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
        const struct cvy_range all = cvy_dataset_info(ds)->range;
        CU_ASSERT(all.low == -2.5 && all.high == 300 && !all.whole && !all.bytes);
        cvy_dataset_close(&ds);
        if (!sharded) continue;
        TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = in_folder(folder, "train.d/00005.h5")}, &ds));
        const struct cvy_range part = cvy_dataset_info(ds)->range; /* the last five samples */
        CU_ASSERT(part.low == 0 && part.high == 300 && part.whole);
        cvy_dataset_close(&ds);
    }
    const char *file = good_file("train.h5", 0);
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    CU_ASSERT(cvy_dataset_info(ds)->range.high > 0 && cvy_dataset_info(ds)->range.bytes);
    cvy_dataset_close(&ds);
    hid_t h5 = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Adelete(h5, "whole");
    H5Fclose(h5);
    CU_ASSERT(open_fails(file, "train.h5: the attributes range and whole are no two numbers and a 0 or 1"));
    h5 = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Adelete(h5, "range");
    H5Fclose(h5);
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    CU_ASSERT(cvy_dataset_info(ds)->range.low > cvy_dataset_info(ds)->range.high);
    cvy_dataset_close(&ds);
}

/* Ours, but changed by somebody: the label test does not trust the writer. */
static void our_file_changed(void) {
    const char *file = good_file("train.h5", 0);
    hid_t h5 = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT), y = H5Dopen2(h5, "/y", H5P_DEFAULT);
    int32_t labels[40] = {0};
    labels[17] = 12;
    H5Dwrite(y, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels);
    H5Dclose(y);
    H5Fclose(h5);
    CU_ASSERT(open_fails(file, "train.h5: sample 17 has label 12, but the classes are 0 to 9"));
    file = good_file("train.h5", 0);
    h5 = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Adelete(h5, "mean");
    H5Fclose(h5);
    CU_ASSERT(open_fails(file, "train.h5: the attribute mean is missing"));
    file = good_file("train.h5", 0);
    h5 = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(h5, "x", H5P_DEFAULT);
    hdf5_put(h5, "/x", H5T_IEEE_F64LE, H5T_NATIVE_INT32, 4, (hsize_t[]){2, 1, 1, 1}, labels);
    H5Fclose(h5);
    CU_ASSERT(open_fails(file, "train.h5: /x holds 64-bit float values; expected uint8 or float32"));
}

/* Other programs see all samples through the index, wherever they stand. */
static void index_reads_as_one(void) {
    const char *file = good_file("train.h5", 1);
    unsigned char x[40 * 16], want[40 * 16];
    hid_t h5 = H5Fopen(file, H5F_ACC_RDONLY, H5P_DEFAULT), array = H5Dopen2(h5, "/x", H5P_DEFAULT);
    CU_ASSERT(H5Dread(array, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    H5Dclose(array);
    H5Fclose(h5);
    fill(CVY_U8, 0, 40, 16, want);
    CU_ASSERT(memcmp(x, want, sizeof x) == 0);
}

static const struct test_case cases[] = {
    {"what is written reads back, single and sharded", round_trip},
    {"more shards than stay open", many_shards},
    {"same samples, same bytes and digest", reproducible},
    {"mean and standard deviation", statistics},
    {"least and largest", ranges},
    {"class names", names},
    {"the writer refuses, and leaves nothing", writer_refuses},
    {"missing, cut off, not HDF5", not_a_data_set},
    {"a flipped byte is found", damage_is_found},
    {"shards missing and damaged", shards_that_are_wrong},
    {"a user's own file, three types, NCHW", users_own_file},
    {"a user's file that is wrong", users_file_that_is_wrong},
    {"our file, changed by others", our_file_changed},
    {"the index reads as one data set", index_reads_as_one},
    {0},
};
const struct test_suite suite_io_dataset = {"io_dataset", cases, NULL};
