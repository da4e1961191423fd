/* Labels as people have them: numbers of any type, bools, one-hot rows, names; what they become by what is wanted. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pack.h"
#include "io/dataset/dataset.h"
#include "hdf5_help.h"
#include "test.h"

enum { N = 40, CLASSES = 4, SIDE = 3, PIXELS = SIDE * SIDE };

static char path[1024], out_path[1024];

static void begin(void) {
    const char *folder = test_folder();
    snprintf(path, sizeof path, "%s/set.h5", folder);
    snprintf(out_path, sizeof out_path, "%s/out.h5", folder);
}

static int class_of(int sample, int pixel) {
    return (sample * 7 + pixel * 3 + sample / 5) % CLASSES;
}

/* h5py's bool */
static hid_t bool_type(void) {
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(type, "FALSE", (signed char[]){0});
    H5Tenum_insert(type, "TRUE", (signed char[]){1});
    return type;
}

/* /x [N][2] and /y. */
static void write_set(hid_t type, hid_t memory, int rank, const hsize_t *dims, hid_t properties, const void *y) {
    static const unsigned char x[N * 2];
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 2, (hsize_t[]){N, 2}, x);
    hdf5_put_as(file, "/y", type, memory, rank, dims, properties, y);
    H5Fclose(file);
}

static struct cvy_dataset *open_set(struct cvy_dataset_spec spec) {
    struct cvy_dataset *ds = NULL;
    spec.file = path;
    TEST_OK(cvy_dataset_open(&spec, &ds));
    return ds;
}

static cvy_status status_of(struct cvy_dataset_spec spec) {
    struct cvy_dataset *ds = NULL;
    spec.file = path;
    cvy_status status = cvy_dataset_open(&spec, &ds);
    cvy_dataset_close(&ds);
    return status;
}

/* ---- Forms of the same classes ---- */

enum form { NUMBERS, ONE_HOT, ONE_HOT_NCHW };

/* All have the same classes of `pixels` each; the last ones by two classes alone, as a bool has. */
static const struct {
    const char *what;
    hid_t (*type)(void);
    enum form form;
    int rank;
    hsize_t dims[4];
    int pixels, classes;
} forms[] = {
    {"floats", NULL, NUMBERS, 1, {N}, 1, CLASSES},
    {"a column of doubles", NULL, NUMBERS, 2, {N, 1}, 1, CLASSES},
    {"a box of doubles", NULL, NUMBERS, 4, {N, 1, 1, 1}, 1, CLASSES},
    {"rows", NULL, ONE_HOT, 2, {N, CLASSES}, 1, CLASSES},
    {"maps of floats", NULL, NUMBERS, 3, {N, SIDE, SIDE}, PIXELS, CLASSES},
    {"maps with a channel", NULL, NUMBERS, 4, {N, SIDE, SIDE, 1}, PIXELS, CLASSES},
    {"one-hot maps", NULL, ONE_HOT, 4, {N, SIDE, SIDE, CLASSES}, PIXELS, CLASSES},
    {"one-hot maps, nchw", NULL, ONE_HOT_NCHW, 4, {N, CLASSES, SIDE, SIDE}, PIXELS, CLASSES},
    {"bools", bool_type, NUMBERS, 1, {N}, 1, 2},
    {"bool rows", bool_type, ONE_HOT, 2, {N, CLASSES}, 1, CLASSES},
    {"bool maps", bool_type, NUMBERS, 3, {N, SIDE, SIDE}, PIXELS, 2},
};

static void fill(size_t f, signed char *y) {
    const int pixels = forms[f].pixels, classes = forms[f].classes;
    for (int n = 0; n < N; n++)
        for (int p = 0; p < pixels; p++)
            for (int k = 0; k < classes; k++) {
                const int class = class_of(n, p) % classes;
                if (forms[f].form == NUMBERS)
                    y[n * pixels + p] = (signed char)class;
                else if (forms[f].form == ONE_HOT)
                    y[(n * pixels + p) * classes + k] = class == k;
                else
                    y[(n * classes + k) * pixels + p] = class == k;
            }
}

static void all_forms_are_classes(void) {
    static signed char y[N * PIXELS * CLASSES];
    hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F64BE, H5T_STD_U8LE, H5T_STD_I64LE, -1};
    begin();
    for (size_t f = 0; f < COUNT(forms); f++)
        for (size_t t = 0; t < 4; t++) {
            hid_t own = forms[f].type ? forms[f].type() : -1;
            fill(f, y);
            write_set(own >= 0 ? own : types[t], own >= 0 ? own : H5T_NATIVE_SCHAR, forms[f].rank, forms[f].dims,
                      hdf5_chunks(forms[f].rank, (hsize_t[]){7, 1, 1, 1}, 1), y);
            if (own >= 0) H5Tclose(own);
            struct cvy_dataset *ds = open_set((struct cvy_dataset_spec){
                .want = CVY_WANT_CLASSES,
                .y_layout = forms[f].form == ONE_HOT_NCHW ? CVY_Y_LAYOUT_NCHW : CVY_Y_LAYOUT_NHWC});
            if (ds == NULL) continue;
            const struct cvy_dataset_info *info = cvy_dataset_info(ds);
            int32_t got[N * PIXELS];
            int right = 0;
            CU_ASSERT(info->target.type == CVY_I32 && info->classes == forms[f].classes);
            CU_ASSERT_EQUAL(cvy_shape_count(info->target.shape), forms[f].pixels);
            TEST_OK(cvy_dataset_read(ds, 0, N, NULL, got));
            for (int i = 0; i < N * forms[f].pixels; i++)
                right += got[i] == class_of(i / forms[f].pixels, i % forms[f].pixels) % forms[f].classes;
            if (right != N * forms[f].pixels) fprintf(stderr, "\n    %s: %d right", forms[f].what, right);
            CU_ASSERT_EQUAL(right, N * forms[f].pixels);
            TEST_OK(cvy_dataset_verify(ds));
            cvy_dataset_close(&ds);
        }
}

/* ---- By what is wanted ---- */

enum what { WHOLE, BINARY, HALVES, NEGATIVE, HOT, SOFT };

static const struct {
    enum what what;
    bool floats;
    int k;
    enum cvy_dtype as[4]; /* by want: any, classes, labels, values */
    bool error;           /* where classes are wanted */
} wishes[] = {
    {WHOLE, true, 1, {CVY_I32, CVY_I32, CVY_I32, CVY_F32}, false},
    {BINARY, true, 1, {CVY_I32, CVY_I32, CVY_F32, CVY_F32}, false},
    {HALVES, true, 1, {CVY_F32, CVY_F32, CVY_F32, CVY_F32}, true},
    {NEGATIVE, true, 1, {CVY_F32, CVY_F32, CVY_F32, CVY_F32}, true},
    {WHOLE, false, 1, {CVY_I32, CVY_I32, CVY_I32, CVY_I32}, false},
    {HOT, true, CLASSES, {CVY_F32, CVY_I32, CVY_F32, CVY_F32}, false},
    {HOT, false, CLASSES, {CVY_F32, CVY_I32, CVY_F32, CVY_F32}, false},
    {SOFT, true, CLASSES, {CVY_F32, CVY_F32, CVY_F32, CVY_F32}, false},
};

static float number(enum what what, int n, int k) {
    const int class = class_of(n, 0);
    switch (what) {
    case WHOLE:
        return (float)class;
    case BINARY:
        return (float)(class % 2);
    case HALVES:
        return (float)class + 0.5F;
    case NEGATIVE:
        return (float)class - 1;
    case HOT:
        return class == k;
    default:
        return class == k ? 0.7F : 0.1F;
    }
}

static void by_what_is_wanted(void) {
    float y[N * CLASSES];
    begin();
    for (size_t i = 0; i < COUNT(wishes); i++) {
        const int k = wishes[i].k;
        for (int n = 0; n < N * k; n++) y[n] = number(wishes[i].what, n / k, n % k);
        write_set(wishes[i].floats ? H5T_IEEE_F32LE : H5T_STD_I16LE, H5T_NATIVE_FLOAT, k > 1 ? 2 : 1,
                  (hsize_t[]){N, (hsize_t)k}, H5P_DEFAULT, y);
        for (enum cvy_want want = CVY_WANT_ANY; want <= CVY_WANT_VALUES; want++) {
            const struct cvy_dataset_spec spec = {.want = want};
            if (want == CVY_WANT_CLASSES && wishes[i].error) {
                CU_ASSERT_EQUAL(status_of(spec), CVY_ERR_DATA);
                CU_ASSERT(test_message_has("set.h5: sample 0 has"));
                continue;
            }
            struct cvy_dataset *ds = open_set(spec);
            if (ds) CU_ASSERT_EQUAL(cvy_dataset_info(ds)->target.type, wishes[i].as[want]);
            cvy_dataset_close(&ds);
        }
    }
    write_set(H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, (hsize_t[]){N}, H5P_DEFAULT, (float[N]){[9] = 0.5F});
    CU_ASSERT_EQUAL(status_of((struct cvy_dataset_spec){.want = CVY_WANT_CLASSES}), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("sample 9 has 0.5 in /y, which is no class") &&
              test_message_has("take a loss of values"));
    write_set(H5T_STD_I32LE, H5T_NATIVE_INT, 1, (hsize_t[]){N}, H5P_DEFAULT, (int[N]){[5] = -3});
    struct cvy_dataset *ds = open_set((struct cvy_dataset_spec){.want = CVY_WANT_VALUES});
    float got[N];
    TEST_OK(cvy_dataset_read(ds, 0, N, NULL, got)); /* whole numbers that are no classes are values, too */
    CU_ASSERT(got[5] == -3 && got[6] == 0);
    cvy_dataset_close(&ds);
}

/* ---- The ignored one; more than the network has ---- */

static void ignored_floats(void) {
    static const float labels[] = {-1, 255, -100};
    float y[N];
    begin();
    for (size_t i = 0; i < COUNT(labels); i++) {
        for (int n = 0; n < N; n++) y[n] = n % 5 == 2 ? labels[i] : (float)class_of(n, 0);
        write_set(H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, 1, (hsize_t[]){N}, H5P_DEFAULT, y);
        for (enum cvy_want want = CVY_WANT_ANY; want <= CVY_WANT_LABELS; want++) {
            struct cvy_dataset *ds =
                open_set((struct cvy_dataset_spec){.want = want, .ignores = true, .ignored = (int32_t)labels[i]});
            if (ds == NULL) continue;
            CU_ASSERT_EQUAL(cvy_dataset_info(ds)->classes, CLASSES);
            CU_ASSERT_EQUAL_FATAL(cvy_dataset_info(ds)->target.type, CVY_I32);
            CU_ASSERT(cvy_dataset_info(ds)->labels[2] == (int32_t)labels[i] &&
                      cvy_dataset_info(ds)->labels[3] == class_of(3, 0));
            cvy_dataset_close(&ds);
        }
    }
}

static void too_many_classes(void) {
    int y[N];
    begin();
    for (int n = 0; n < N; n++) y[n] = n == 23 ? 11 : n % 3;
    for (int rank = 1; rank <= 3; rank += 2) {
        write_set(rank == 1 ? H5T_STD_I8LE : H5T_IEEE_F32LE, H5T_NATIVE_INT, rank, (hsize_t[]){N, 1, 1}, H5P_DEFAULT,
                  y);
        CU_ASSERT_EQUAL(status_of((struct cvy_dataset_spec){.want = CVY_WANT_CLASSES, .most_classes = 10}),
                        CVY_ERR_DATA);
        CU_ASSERT(test_message_has("sample 23 has class 11, but the network tells 10 classes apart"));
        CU_ASSERT_EQUAL(status_of((struct cvy_dataset_spec){.want = CVY_WANT_CLASSES, .most_classes = 12}), CVY_OK);
    }
}

/* ---- Names ---- */

static const char *const words[CLASSES] = {"zebra", "ape", "Übergröße", "mole"};
static const char *const sorted[CLASSES] = {"ape", "mole", "zebra", "Übergröße"};

static void write_names(bool variable, int classes) {
    enum { WIDTH = 20 };
    char fixed[N * WIDTH] = "";
    const char *pointers[N];
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, variable ? H5T_VARIABLE : WIDTH);
    H5Tset_strpad(type, variable ? H5T_STR_NULLTERM : H5T_STR_SPACEPAD);
    if (!variable) memset(fixed, ' ', sizeof fixed);
    for (int n = 0; n < N; n++) {
        pointers[n] = words[class_of(n, 0) % classes];
        memcpy(fixed + (size_t)n * WIDTH, pointers[n], strlen(pointers[n]));
    }
    write_set(type, type, variable ? 1 : 2, (hsize_t[]){N, 1}, H5P_DEFAULT, variable ? (void *)pointers : fixed);
    H5Tclose(type);
}

static void names_are_classes(void) {
    begin();
    for (int variable = 0; variable < 2; variable++)
        for (int classes = CLASSES; classes >= 3; classes--)
            for (int given = 0; given < 2; given++) {
                write_names(variable, classes);
                struct cvy_dataset *ds = open_set((struct cvy_dataset_spec){
                    .want = CVY_WANT_CLASSES, .names = given ? words : NULL, .name_count = CLASSES});
                if (ds == NULL) continue;
                const struct cvy_dataset_info *info = cvy_dataset_info(ds);
                CU_ASSERT(info->named && info->classes == (given ? CLASSES : classes));
                for (int n = 0; n < N; n++) {
                    const int32_t label = cvy_dataset_info(ds)->labels[n];
                    CU_ASSERT_STRING_EQUAL(info->class_names[label], words[class_of(n, 0) % classes]);
                    CU_ASSERT(!given || label == class_of(n, 0) % classes);
                }
                for (int c = 0; !given && classes == CLASSES && c < classes; c++)
                    CU_ASSERT_STRING_EQUAL(info->class_names[c], sorted[c]);
                TEST_OK(cvy_dataset_verify(ds));
                cvy_dataset_close(&ds);
            }
    write_names(true, CLASSES);
    CU_ASSERT_EQUAL(status_of((struct cvy_dataset_spec){.names = sorted, .name_count = 3}), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("is named \"Übergröße\" in /y, which is none of the 3 classes"));
}

/* ---- Packed ---- */

/* What is in OUT.h5, opened as `want`. */
static void check_packed(enum cvy_want want, enum cvy_dtype type, int classes, const char *first_name) {
    struct cvy_dataset *ds = NULL;
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = out_path, .want = want}, &ds));
    if (ds == NULL) return;
    CU_ASSERT(cvy_dataset_info(ds)->target.type == type && cvy_dataset_info(ds)->classes == classes);
    CU_ASSERT_STRING_EQUAL(cvy_dataset_info(ds)->class_names[0], first_name);
    int32_t got[N * CLASSES];
    TEST_OK(cvy_dataset_read(ds, 0, N, NULL, got));
    for (int n = 0; type == CVY_I32 && n < N; n++) CU_ASSERT_EQUAL(got[n], class_of(n, 0));
    if (want == CVY_WANT_ANY) TEST_OK(cvy_dataset_verify(ds));
    cvy_dataset_close(&ds);
}

static int64_t shard_bytes; /* 0: a single file */

static void pack(enum cvy_want want, const char *note) {
    const char *said = NULL;
    const struct cvy_dataset_spec from = {.file = path, .want = want};
    TEST_OK(cvy_pack_hdf5(
        &from, out_path,
        &(struct cvy_pack_options){.overwrite = true, .note = &said, .chunk = 4, .shard_bytes = shard_bytes}));
    CU_ASSERT(note ? said && strstr(said, note) != NULL : said == NULL);
}

/* Floats that are whole become classes, and it is said; one-hot rows stay what they are, and are classes to a loss that
 * wants these; also when they are kept as values. */
static void packed_as(int64_t bytes) {
    float y[N * CLASSES];
    begin();
    shard_bytes = bytes;
    for (int n = 0; n < N; n++) y[n] = number(WHOLE, n, 0);
    write_set(H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, (hsize_t[]){N}, H5P_DEFAULT, y);
    pack(CVY_WANT_ANY, "stored as floats, taken as classes");
    check_packed(CVY_WANT_ANY, CVY_I32, CLASSES, "0");
    pack(CVY_WANT_VALUES, NULL);
    check_packed(CVY_WANT_ANY, CVY_F32, 1, "0");
    check_packed(CVY_WANT_CLASSES, CVY_I32, CLASSES, "0");
    check_packed(CVY_WANT_VALUES, CVY_F32, 1, "0");
    for (int n = 0; n < N * CLASSES; n++) y[n] = number(HOT, n / CLASSES, n % CLASSES);
    write_set(H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, (hsize_t[]){N, CLASSES}, H5P_DEFAULT, y);
    pack(CVY_WANT_ANY, "kept as values");
    check_packed(CVY_WANT_ANY, CVY_F32, CLASSES, "0");
    check_packed(CVY_WANT_CLASSES, CVY_I32, CLASSES, "0");
    check_packed(CVY_WANT_LABELS, CVY_F32, CLASSES, "0");
    for (int n = 0; n < N; n++) y[n] = n == 4 ? -1 : number(WHOLE, n, 0);
    write_set(H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, (hsize_t[]){N}, H5P_DEFAULT, y);
    pack(CVY_WANT_ANY, "--ignore-label");
}

static void packed(void) {
    packed_as(0);
}

/* Classes as a map or one a sample, packed with names: a reader who numbers the names otherwise gets its own numbers;
 * nothing changes for one who knows none of them, or names only the numbers. */
static void packed_names(bool map, int64_t bytes) {
    static const char *const others[CLASSES] = {"a", "b", "c", "d"}, *const numbers[CLASSES] = {"0", "1", "2", "3"};
    const int size = map ? PIXELS : 1;
    int32_t y[N * PIXELS], got[N * PIXELS];
    struct cvy_dataset *ds = NULL;
    for (int i = 0; i < N * size; i++) y[i] = class_of(i / size, i % size);
    begin();
    write_set(H5T_STD_I32LE, H5T_NATIVE_INT32, map ? 3 : 1, (hsize_t[]){N, SIDE, SIDE}, H5P_DEFAULT, y);
    const struct cvy_pack_options how = {
        .overwrite = true, .class_names = words, .classes = CLASSES, .chunk = 4, .shard_bytes = bytes};
    TEST_OK(cvy_pack_hdf5(&(struct cvy_dataset_spec){.file = path}, out_path, &how));
    const char *const *const readers[] = {NULL, words, sorted, others, numbers};
    for (size_t r = 0; r < COUNT(readers); r++) {
        const bool renumbered = readers[r] == sorted;
        const struct cvy_dataset_spec spec = {.file = out_path, .names = readers[r], .name_count = CLASSES};
        TEST_OK(cvy_dataset_open(&spec, &ds));
        if (ds == NULL) return;
        TEST_OK(cvy_dataset_read(ds, 0, N, NULL, got));
        for (int i = 0; i < N * size; i++) {
            CU_ASSERT(renumbered || got[i] == y[i]);
            CU_ASSERT_STRING_EQUAL(cvy_dataset_info(ds)->class_names[got[i]], words[y[i]]);
        }
        for (int n = 0; !map && n < N; n++) CU_ASSERT_EQUAL(cvy_dataset_info(ds)->labels[n], got[n]);
        CU_ASSERT_STRING_EQUAL(cvy_dataset_info(ds)->class_names[0], (renumbered ? sorted : words)[0]);
        cvy_dataset_close(&ds);
    }
    const struct cvy_dataset_spec fewer = {.file = out_path, .names = sorted, .name_count = 3};
    cvy_status status = cvy_dataset_open(&fewer, &ds);
    if (status == CVY_OK) status = cvy_dataset_read(ds, 0, N, NULL, got);
    CU_ASSERT_EQUAL(status, CVY_ERR_DATA);
    CU_ASSERT(test_message_has("is of class \"Übergröße\", which is none of the 3 classes"));
    cvy_dataset_close(&ds);
}

static void packed_by_name(void) {
    for (int map = 0; map < 2; map++) {
        packed_names(map, 0);
        packed_names(map, map ? 300 : 64);
    }
}

/* The index holds none of the values, its shards do: a shard that has others is found, also of an autoencoder's set. */
static void packed_in_shards(void) {
    char shard[2][1100], out[64];
    float x[2];
    struct cvy_dataset *ds = NULL;
    packed_as(100);
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = out_path, .bare = true}, &ds));
    CU_ASSERT(ds && cvy_dataset_info(ds)->shards > 2);
    TEST_OK(cvy_dataset_read(ds, N - 1, 1, x, NULL));
    cvy_dataset_close(&ds);
    float y[N];
    for (int n = 0; n < N; n++) y[n] = number(WHOLE, n, 0);
    write_set(H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, (hsize_t[]){N}, H5P_DEFAULT, y);
    pack(CVY_WANT_VALUES, NULL);
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = out_path, .want = CVY_WANT_CLASSES}, &ds));
    TEST_OK(cvy_dataset_read(ds, 0, 1, x, NULL)); /* a shard is open while others ask for its labels */
    check_packed(CVY_WANT_CLASSES, CVY_I32, CLASSES, "0");
    cvy_dataset_close(&ds);
    for (int s = 0; s < 2; s++)
        snprintf(shard[s], sizeof shard[s], "%.*s.d/0000%d.h5", (int)strlen(out_path) - 3, out_path, s);
    CU_ASSERT_EQUAL(test_shell(out, sizeof out, "cp '%s' '%s'", shard[0], shard[1]), 0);
    ds = NULL;
    cvy_status status = cvy_dataset_open(&(struct cvy_dataset_spec){.file = out_path, .want = CVY_WANT_CLASSES}, &ds);
    if (status == CVY_OK) status = cvy_dataset_read(ds, 0, N, (float[N * 2]){0}, NULL);
    CU_ASSERT_EQUAL(status, CVY_ERR_DATA);
    CU_ASSERT(test_message_has("00001.h5"));
    cvy_dataset_close(&ds);
}

/* Bool inputs are numbers; the layout of y is its own. */
static void bools_and_layouts(void) {
    static signed char x[N * 2 * PIXELS];
    static float y[N * 2 * PIXELS];
    begin();
    for (int i = 0; i < N * 2 * PIXELS; i++) x[i] = i % 3 == 0, y[i] = (float)i;
    hid_t type = bool_type(), file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", type, type, 4, (hsize_t[]){N, SIDE, SIDE, 2}, x);
    hdf5_put(file, "/y", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){N, 2, SIDE, SIDE}, y);
    H5Fclose(file);
    H5Tclose(type);
    struct cvy_dataset *ds =
        open_set((struct cvy_dataset_spec){.y_layout = CVY_Y_LAYOUT_NCHW, .want = CVY_WANT_VALUES});
    float got[2 * PIXELS], target[2 * PIXELS];
    TEST_OK(cvy_dataset_read(ds, 3, 1, got, target));
    CU_ASSERT(cvy_shape_equal(cvy_dataset_info(ds)->target.shape, (struct cvy_shape){SIDE, SIDE, 2}));
    for (int i = 0; i < 2 * PIXELS; i++) {
        CU_ASSERT_EQUAL(got[i], (3 * 2 * PIXELS + i) % 3 == 0);
        CU_ASSERT_EQUAL(target[i], (float)(3 * 2 * PIXELS + i % 2 * PIXELS + i / 2));
    }
    cvy_dataset_close(&ds);
    CU_ASSERT_EQUAL(status_of((struct cvy_dataset_spec){
                        .layout = CVY_LAYOUT_NCHW, .y_layout = CVY_Y_LAYOUT_NHWC, .want = CVY_WANT_VALUES}),
                    CVY_OK);
}

static const struct test_case cases[] = {
    {"every form of the same classes", all_forms_are_classes},
    {"what is wanted decides", by_what_is_wanted},
    {"the ignored class as a float", ignored_floats},
    {"more classes than the network has", too_many_classes},
    {"names", names_are_classes},
    {"packed, and said", packed},
    {"packed in shards", packed_in_shards},
    {"packed with names, read by other numbers", packed_by_name},
    {"bool inputs; a layout of y alone", bools_and_layouts},
    {0},
};
const struct test_suite suite_io_labels = {"io_labels", cases, NULL};
