/* Targets of every kind: which fit a network and its loss, how they are stored and read, that maps move as their inputs
 * do, and what is counted of them. (Formulas: suite golden_ops; whole runs: e2e_targets.) */
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convoy.h"
#include "data/augment.h"
#include "data/loader.h"
#include "data/source.h"
#include "hdf5_help.h"
#include "io/yaml.h"
#include "unit/ops/ops_help.h"
#include "test.h"
#include "api/counts.h"
#include "train/datasets.h"
#include "train/metric.h"

static bool same_target(struct cvy_target a, struct cvy_target b) {
    return a.type == b.type && cvy_shape_equal(a.shape, b.shape);
}

/* ---- Which fit ---- */

static const struct cvy_target one_class = {CVY_I32, {1, 1, 1}}, class_map = {CVY_I32, {4, 6, 1}},
                               numbers = {CVY_F32, {1, 1, 3}}, one_number = {CVY_F32, {1, 1, 1}},
                               value_map = {CVY_F32, {4, 6, 3}};

static const struct {
    const char *loss;
    int whole, channels; /* whole: the output is 1×1, else 4×6 */
    const struct cvy_target *target;
    int classes;
    int measure; /* −1: does not fit */
    const char *told;
} fits[] = {
    {"softmax_cross_entropy", 1, 3, &one_class, 3, CVY_MEASURE_CLASSES, NULL},
    {"softmax_cross_entropy", 0, 3, &one_class, 3, -1, "end it with dense"},
    {"softmax_cross_entropy", 0, 3, &class_map, 3, CVY_MEASURE_CLASSES, NULL},
    {"softmax_cross_entropy", 0, 3, &class_map, 4, -1, "has 4 classes, the model's last layer tells 3 apart; make"},
    {"softmax_cross_entropy", 1, 3, &class_map, 3, -1, "ends in 1×1×3 and this loss takes a class"},
    {"softmax_cross_entropy", 1, 3, &numbers, 3, CVY_MEASURE_CLASSES, NULL},
    {"softmax_cross_entropy", 0, 3, &value_map, 3, CVY_MEASURE_CLASSES, NULL},
    {"softmax_cross_entropy", 1, 5, &numbers, 3, -1, "data.h5 has 1×1×3 values a sample; end it with dense: 3; this"},
    {"softmax_cross_entropy", 1, 3, &one_number, 1, -1, "end it with dense: 1 and choose mse for a value"},
    {"softmax_cross_entropy", 1, 3, &value_map, 3, -1, "end it with maps of 4×6×3 and choose mse"},
    {"softmax_cross_entropy", 1, 3, &class_map, 3, -1, "end it with maps of 4×6, or give the data that size"},
    {"nll", 1, 3, &numbers, 3, -1, "choose mse for values, logistic for labels of 0 and 1, softmax_cross_entropy for"},
    {"hinge", 1, 5, &numbers, 3, -1, "end it with dense: 3 and choose mse for values"},
    {"logistic", 1, 3, &one_number, 1, -1, "end it with dense: 1"},
    {"logistic", 1, 3, &numbers, 3, CVY_MEASURE_LABELS, NULL},
    {"logistic", 1, 3, &one_class, 3, CVY_MEASURE_CLASSES, NULL},
    {"logistic", 0, 3, &value_map, 3, CVY_MEASURE_LABELS, NULL},
    {"logistic", 0, 1, &class_map, 2, CVY_MEASURE_CLASSES, NULL},
    {"logistic", 0, 1, &class_map, 3, -1, "has 3 classes, the model's last layer tells 2 apart"},
    {"logistic", 0, 1, &class_map, 256, -1, "where 255 stands for 1 in masks, store it as 1"},
    {"mse", 1, 3, &numbers, 3, CVY_MEASURE_VALUES, NULL},
    {"mse", 1, 3, &one_class, 3, CVY_MEASURE_CLASSES, NULL},
    {"mse", 0, 3, &class_map, 3, CVY_MEASURE_CLASSES, NULL},
    {"mse", 1, 1, &one_class, 900, CVY_MEASURE_VALUES, NULL},
    {"mse", 0, 3, &value_map, 3, CVY_MEASURE_VALUES, NULL},
    {"l1", 1, 3, &one_number, 1, -1, "ends in 1×1×3 and this loss takes a value for each output"},
    {"huber", 0, 1, &value_map, 3, -1, "4×6×1"},
};

static void which_fit(void) {
    for (size_t i = 0; i < COUNT(fits); i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        char text[160];
        snprintf(text, sizeof text, "input: [4, 6, 2]\nlayers: [%s: {filters: %d, kernel: %s}]\n", "conv",
                 fits[i].channels, fits[i].whole ? "[4, 6]" : "1");
        TEST_OK(graph_from_text(text, fits[i].loss, &tree, &graph));
        cvy_status status = cvy_graph_bind_target(graph, fits[i].target, fits[i].classes, "data.h5");
        bool right = status == (fits[i].measure < 0 ? CVY_ERR_DATA : CVY_OK);
        if (right && status == CVY_OK) right = (int)cvy_graph_loss(graph)->measure == fits[i].measure;
        if (!right) fprintf(stderr, "\n    case %zu: %d, %s", i, status, cvy_error_message());
        CU_ASSERT(right);
        if (fits[i].told) CU_ASSERT(test_message_has(fits[i].told) && test_message_has("loss.yaml:1:1: "));
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* ---- Stored and read ---- */

enum { SAMPLES = 41, H = 3, W = 5 };

struct kind {
    struct cvy_target target;
    int classes;
    bool ignores;
    int32_t ignored;
    const char *shape; /* of /y in the file */
};
static const struct kind kinds[] = {
    {{CVY_I32, {H, W, 1}}, 4, false, 0, "[41][3][5]"},
    {{CVY_I32, {H, W, 1}}, 300, false, 0, "[41][3][5]"},
    {{CVY_I32, {2, 1, 1}}, 3, true, 255, "[41][2][1]"},
    {{CVY_I32, {1, 1, 1}}, 3, true, -1, "[41]"},
    {{CVY_F32, {1, 1, 1}}, 0, false, 0, "[41][1]"},
    {{CVY_F32, {1, 1, 7}}, 0, false, 0, "[41][7]"},
    {{CVY_F32, {2 * H, 2 * W, 2}}, 0, false, 0, "[41][6][10][2]"},
};

static void fill(const struct kind *k, uint32_t *y) {
    const int64_t size = cvy_shape_count(k->target.shape);
    for (int64_t i = 0; i < SAMPLES * size; i++) {
        const float value = (float)(i * 37 % 101) / 16 - 3;
        const int32_t class = k->ignores && i % 6 == 5 ? k->ignored : (int32_t)(i * 7 % (k->classes ? k->classes : 1));
        memcpy(&y[i], k->target.type == CVY_F32 ? (const void *)&value : &class, sizeof *y);
    }
}

static void fill_inputs(unsigned char *x) {
    for (int i = 0; i < SAMPLES * H * W; i++) x[i] = (unsigned char)(i * 11);
}

static cvy_status write_kind(const char *path, const struct kind *k, int64_t shard_bytes, const void *x,
                             const uint32_t *y) {
    struct cvy_dataset_writer *writer;
    const size_t size = cvy_target_bytes(k->target);
    const struct cvy_dataset_plan plan = {.shape = {H, W, 1},
                                          .x_type = CVY_U8,
                                          .target = k->target,
                                          .classes = k->classes,
                                          .ignores = k->ignores,
                                          .ignored = k->ignored,
                                          .chunk = 4,
                                          .shard_bytes = shard_bytes,
                                          .overwrite = true};
    CVY_TRY(cvy_dataset_writer_create(path, &plan, &writer));
    cvy_status status = cvy_dataset_writer_append(writer, 7, x, y);
    if (status == CVY_OK)
        status = cvy_dataset_writer_append(writer, SAMPLES - 7, (const unsigned char *)x + (ptrdiff_t)7 * H * W,
                                           (const unsigned char *)y + 7 * size);
    if (status == CVY_OK) return cvy_dataset_writer_finish(&writer);
    cvy_dataset_writer_destroy(&writer);
    return status;
}

static void reads_back(const char *path, const struct kind *k, const void *x, const uint32_t *y) {
    struct cvy_dataset *ds;
    const size_t size = cvy_target_bytes(k->target);
    unsigned char some[9 * H * W], *targets = malloc(9 * size);
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = path}, &ds));
    const struct cvy_dataset_info *info = cvy_dataset_info(ds);
    CU_ASSERT(same_target(info->target, k->target));
    CU_ASSERT_EQUAL(info->classes, k->classes ? k->classes : k->target.shape.c);
    CU_ASSERT(info->ignores == k->ignores && (!k->ignores || info->ignored == k->ignored));
    TEST_OK(cvy_dataset_read(ds, 5, 9, some, targets));
    CU_ASSERT(memcmp(some, (const unsigned char *)x + (ptrdiff_t)5 * H * W, sizeof some) == 0);
    CU_ASSERT(memcmp(targets, (const unsigned char *)y + 5 * size, 9 * size) == 0);
    TEST_OK(cvy_dataset_verify(ds));
    cvy_dataset_close(&ds);
    free(targets);
}

/* Both forms have one digest; whatever reads HDF5 sees one /y. */
static void stored_and_read(void) {
    static unsigned char x[SAMPLES * H * W];
    static uint32_t y[SAMPLES * 4 * H * W * 2];
    char path[1024];
    snprintf(path, sizeof path, "%s/kind.h5", test_folder());
    fill_inputs(x);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        uint64_t digests[2];
        fill(&kinds[i], y);
        for (int sharded = 0; sharded < 2; sharded++) {
            struct cvy_data_info info = cvy_data_info_default();
            char shape[64] = "";
            TEST_OK(write_kind(path, &kinds[i], sharded ? 600 : 0, x, y));
            reads_back(path, &kinds[i], x, y);
            TEST_OK(cvy_data_info_read(path, NULL, &info));
            CU_ASSERT((info.shards > 1) == sharded);
            digests[sharded] = info.digest;
            cvy_data_info_destroy(&info);
            hsize_t dims[4];
            hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), array = H5Dopen2(file, "/y", H5P_DEFAULT);
            hid_t space = H5Dget_space(array);
            for (int d = 0, rank = H5Sget_simple_extent_dims(space, dims, NULL); d < rank; d++)
                snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "[%d]", (int)dims[d]);
            CU_ASSERT_STRING_EQUAL(shape, kinds[i].shape);
            H5Sclose(space);
            H5Dclose(array);
            H5Fclose(file);
        }
        CU_ASSERT_EQUAL(digests[0], digests[1]);
    }
}

static void out_of_range(void) {
    static unsigned char x[SAMPLES * H * W];
    static uint32_t y[SAMPLES * 4 * H * W * 2];
    char path[1024];
    struct cvy_dataset *ds;
    int32_t targets[H * W];
    snprintf(path, sizeof path, "%s/range.h5", test_folder());
    fill(&kinds[0], y);
    y[9 * H * W + 2] = 4;
    CU_ASSERT_EQUAL(write_kind(path, &kinds[0], 0, x, y), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("range.h5: sample 9 has label 4, but the classes are 0 to 3"));
    y[9 * H * W + 2] = 1;
    TEST_OK(write_kind(path, &kinds[0], 0, x, y));
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), array = H5Dopen2(file, "/y", H5P_DEFAULT);
    y[9 * H * W + 2] = 200;
    CU_ASSERT(H5Dwrite(array, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, y) >= 0);
    H5Dclose(array);
    CU_ASSERT(H5Ldelete(file, "/y_sums", H5P_DEFAULT) >= 0); /* which would tell of the change first */
    H5Fclose(file);
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = path}, &ds));
    CU_ASSERT_EQUAL(cvy_dataset_read(ds, 9, 1, NULL, targets), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("range.h5: sample 9 has label 200"));
    CU_ASSERT_EQUAL(cvy_dataset_verify(ds), CVY_ERR_DATA);
    cvy_dataset_close(&ds);
}

/* ---- Users' files ---- */

static const struct {
    bool whole, byte;
    int rank, dims[4];
    bool values, nchw;    /* wished for; the layout */
    struct cvy_target as; /* how it is taken */
} users[] = {
    {true, false, 1, {4}, false, false, {CVY_I32, {1, 1, 1}}},
    {true, false, 2, {4, 1}, true, false, {CVY_I32, {1, 1, 1}}},
    {true, true, 2, {4, 3}, false, false, {CVY_F32, {1, 1, 3}}},
    {true, true, 3, {4, 2, 3}, false, false, {CVY_I32, {2, 3, 1}}},
    {true, true, 3, {4, 2, 3}, false, true, {CVY_I32, {2, 3, 1}}},
    {true, true, 3, {4, 2, 3}, true, false, {CVY_F32, {2, 3, 1}}},
    {true, false, 4, {4, 2, 3, 1}, false, false, {CVY_I32, {2, 3, 1}}},
    {true, false, 4, {4, 1, 2, 3}, false, true, {CVY_I32, {2, 3, 1}}},
    {false, false, 1, {4}, false, false, {CVY_I32, {1, 1, 1}}}, /* all are whole */
    {false, false, 1, {4}, true, false, {CVY_F32, {1, 1, 1}}},
    {false, false, 4, {4, 5, 2, 3}, true, true, {CVY_F32, {2, 3, 5}}},
};

static void users_files(void) {
    static unsigned char numbers_of[4 * 30];
    char path[1024];
    snprintf(path, sizeof path, "%s/user.h5", test_folder());
    for (int i = 0; i < 120; i++) numbers_of[i] = (unsigned char)(i % 7);
    for (size_t i = 0; i < COUNT(users); i++) {
        hsize_t x_dims[2] = {4, 2}, dims[4];
        for (int d = 0; d < 4; d++) dims[d] = (hsize_t)users[i].dims[d];
        hid_t type = users[i].byte ? H5T_STD_U8LE : users[i].whole ? H5T_STD_I64BE : H5T_IEEE_F64LE;
        hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        hid_t spaces[2] = {H5Screate_simple(2, x_dims, NULL), H5Screate_simple(users[i].rank, dims, NULL)};
        hid_t x = H5Dcreate2(file, "/x", H5T_IEEE_F32LE, spaces[0], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        hid_t y = H5Dcreate2(file, "/y", type, spaces[1], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        CU_ASSERT(H5Dwrite(y, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers_of) >= 0);
        H5Dclose(x), H5Dclose(y), H5Sclose(spaces[0]), H5Sclose(spaces[1]), H5Fclose(file);

        struct cvy_dataset *ds;
        struct cvy_dataset_spec spec = {.file = path, .want = users[i].values ? CVY_WANT_VALUES : CVY_WANT_ANY};
        uint32_t got[30];
        TEST_OK(cvy_dataset_open(&spec, &ds));
        if (users[i].nchw) { /* of x it would be an error */
            cvy_dataset_close(&ds);
            spec.x = "/y";
            spec.layout = CVY_LAYOUT_NCHW;
            if (users[i].rank < 4) continue;
            TEST_OK(cvy_dataset_open(&spec, &ds));
        }
        CU_ASSERT(same_target(cvy_dataset_info(ds)->target, users[i].as));
        TEST_OK(cvy_dataset_read(ds, 1, 1, NULL, got));
        const int c = users[i].as.shape.c, size = (int)cvy_shape_count(users[i].as.shape);
        const int from =
            users[i].nchw ? size + (size / c) * (c - 1) : size + c - 1; /* last channel of the first pixel */
        const float value = (float)numbers_of[from] * (users[i].byte && users[i].rank == 3 ? 1.0F / 255 : 1);
        const int32_t class = numbers_of[from];
        CU_ASSERT(memcmp(&got[c - 1], users[i].as.type == CVY_F32 ? (const void *)&value : &class, 4) == 0);
        cvy_dataset_close(&ds);
    }
}

/* Bytes of 0 and 1 (and what does not count) are masks, whatever takes them; others are pictures. */
static void masks_and_pictures(void) {
    static const struct {
        int mark; /* the last byte */
        bool ignores;
        float one, last;
    } files[] = {{1, false, 1, 1},
                 {0, false, 1, 0},
                 {255, true, 1, 255},
                 {255, false, 1.0F / 255, 1},
                 {2, true, 1.0F / 255, 2.0F / 255}};
    static unsigned char bytes[4 * 12];
    const hsize_t x_dims[2] = {4, 2}, dims[4] = {4, 2, 3, 2};
    const float x[8] = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/mask.h5", test_folder());
    for (size_t i = 0; i < COUNT(files); i++) {
        struct cvy_dataset *ds;
        float got[48];
        for (int k = 0; k < 48; k++) bytes[k] = k % 3 == 0;
        bytes[47] = (unsigned char)files[i].mark;
        hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, x_dims, x);
        hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, dims, bytes);
        H5Fclose(file);
        TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = path, .ignores = files[i].ignores, .ignored = 255},
                                 &ds));
        TEST_OK(cvy_dataset_read(ds, 0, 4, NULL, got));
        CU_ASSERT(got[0] == files[i].one && got[1] == 0 && got[47] == files[i].last);
        cvy_dataset_close(&ds);
    }
}

/* A packed map of classes stays one under a loss of values, which aims at its one-hot vectors. */
static void packed_classes_stay(void) {
    static unsigned char x[SAMPLES * H * W];
    static uint32_t y[SAMPLES * H * W];
    char path[1024];
    struct cvy_dataset *ds;
    snprintf(path, sizeof path, "%s/classes.h5", test_folder());
    fill(&kinds[0], y);
    TEST_OK(write_kind(path, &kinds[0], 0, x, y));
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = path, .want = CVY_WANT_VALUES}, &ds));
    CU_ASSERT(same_target(cvy_dataset_info(ds)->target, kinds[0].target) && cvy_dataset_info(ds)->classes == 4);
    cvy_dataset_close(&ds);
}

/* ---- Moved with their inputs ---- */

static const char *const moves[] = {"[flip]", "[{pad_crop: 2}]", "[{pad_crop: 1}, flip, {pad_crop: 1}]"};

/* A map that holds what the input holds must do so afterwards too. */
static void maps_move_along(void) {
    float x[H * W], out[H * W];
    int32_t y[H * W], y_out[H * W];
    const double outside[1] = {-7};
    for (int i = 0; i < H * W; i++) x[i] = (float)(y[i] = i + 1);
    for (size_t m = 0; m < COUNT(moves); m++) {
        struct cvy_tree *tree;
        struct cvy_node *list;
        struct cvy_augment *augment;
        TEST_OK(cvy_tree_create(&tree));
        TEST_OK(cvy_yaml_parse(tree, "a.yaml", moves[m], strlen(moves[m]), &list));
        struct cvy_augment_spec spec = {.list = list,
                                        .seed = 5,
                                        .shape = {H, W, 1},
                                        .x_type = CVY_F32,
                                        .target = {CVY_I32, {H, W, 1}},
                                        .outside = outside};
        TEST_OK(cvy_augment_create(&spec, &augment));
        bool same = true, moved = false;
        for (int64_t id = 0; id < 40; id++) {
            cvy_augment_apply(augment, 3, id, x, out);
            cvy_augment_target(augment, 3, id, y, y_out);
            for (int i = 0; i < H * W; i++) {
                same &= y_out[i] == (out[i] == 0 ? -7 : (int)out[i]);
                moved |= y_out[i] != y[i];
            }
        }
        CU_ASSERT(same && moved);
        cvy_augment_destroy(&augment);
        spec.outside = NULL;
        CU_ASSERT_EQUAL(cvy_augment_create(&spec, &augment), m == 0 ? CVY_OK : CVY_ERR_USAGE);
        if (m > 0) CU_ASSERT(test_message_has("a.yaml:1:2: augment: pad_crop brings in pixels that have no target"));
        cvy_augment_destroy(&augment);
        spec.outside = outside;
        spec.target.shape.h = 2 * H;
        CU_ASSERT_EQUAL(cvy_augment_create(&spec, &augment), m == 0 ? CVY_OK : CVY_ERR_USAGE);
        if (m > 0) CU_ASSERT(test_message_has("cannot shift targets of 6×5 with inputs of 3×5"));
        cvy_augment_destroy(&augment);
        cvy_tree_destroy(&tree);
    }
}

/* ---- Other sources ---- */

static int give(void *arg, int64_t index, void *x, void *y) {
    memset(x, (int)index, H * W);
    if (y) memcpy(y, arg, (size_t)H * W * 4);
    return 0;
}

static void other_sources(void) {
    static unsigned char x[SAMPLES * H * W];
    static uint32_t y[SAMPLES * 4 * H * W * 2];
    const int64_t which[2] = {40, 3};
    struct cvy_source *source, *inputs;
    struct cvy_dataset_info info = {.count = SAMPLES, .shape = {H, W, 1}, .x_type = CVY_U8, .target = kinds[6].target};
    unsigned char some[2 * H * W];
    uint32_t targets[2 * 4 * H * W * 2];
    fill_inputs(x);
    fill(&kinds[6], y);
    TEST_OK(cvy_source_memory(&info, x, y, &source));
    TEST_OK(source->kind->read(source, which, 2, some, targets));
    const size_t size = cvy_target_bytes(info.target);
    CU_ASSERT(memcmp(targets, (const unsigned char *)y + 40 * size, size) == 0 && source->info.classes == 2);
    CU_ASSERT(memcmp((const unsigned char *)targets + size, (const unsigned char *)y + 3 * size, size) == 0);
    TEST_OK(cvy_source_inputs(&source, &inputs));
    TEST_OK(inputs->kind->read(inputs, which, 2, some, targets));
    float got[2 * H * W];
    memcpy(got, targets, sizeof got);
    bool same = cvy_shape_equal(inputs->info.target.shape, inputs->info.shape);
    for (int i = 0; i < 2 * H * W; i++) same &= got[i] == (float)some[i] / 255;
    CU_ASSERT(same);
    cvy_source_destroy(&inputs);

    int32_t map[H * W] = {0};
    info.target = kinds[0].target;
    info.classes = 4;
    TEST_OK(cvy_source_callback(&info, give, map, &source));
    TEST_OK(source->kind->read(source, which, 2, some, targets));
    map[5] = 4;
    CU_ASSERT_EQUAL(source->kind->read(source, which, 2, some, targets), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("the program's data source: sample 40 has label 4, but the classes are 0 to 3"));
    cvy_source_destroy(&source);
}

/* ---- A program's own data, through the public interface ---- */

static int give_own(void *arg, int64_t index, void *x, void *y) {
    const struct cvy_data_source *all = arg;
    memcpy(x, (const float *)all->x + index * H * W, H * W * sizeof(float));
    if (y) memcpy(y, (const float *)all->y + index * 2, 2 * sizeof(float));
    return 0;
}

static const char own[] = "name: own\nmodel: {input: [3, 5, 1], layers: [{dense: 8}, tanh, {dense: 2}]}\n"
                          "train: {epochs: 3, batch: 8, leaf: 4, loss: mse, learning_rate: 0.05}\n";

/* The scale of a program's test set is given to cvy_train as to cvy_eval. */
static void test_in_other_units(struct cvy_context *ctx, const char *yaml, const struct cvy_data_source *other,
                                const float *x, double rmse) {
    static float usual[SAMPLES * H * W];
    char run[1024];
    const struct cvy_data_form form = CVY_INIT(cvy_data_form, .scale = 1.0 / 1024);
    struct cvy_data_source train = *other;
    struct cvy_train_summary summary = cvy_train_summary_default();
    for (int i = 0; i < SAMPLES * H * W; i++) usual[i] = x[i] / 1024;
    train.x = usual;
    snprintf(run, sizeof run, "%s/units", test_folder());
    struct cvy_train_options options = {
        .size = sizeof options, .experiment = yaml, .run_folder = run, .train = &train, .test = other};
    CU_ASSERT_EQUAL(cvy_train(ctx, &options, &summary), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("say with the scale of the options' test_form"));
    options.test_form = &form;
    TEST_OK(cvy_train(ctx, &options, &summary));
    CU_ASSERT_DOUBLE_EQUAL(cvy_figures_get(&summary.test, "rmse"), rmse, 1e-6);
}

static void own_data(void) {
    static float x[SAMPLES * H * W], y[SAMPLES * 2];
    char yaml[1024], runs[2][1024];
    struct cvy_context *ctx;
    struct cvy_train_summary summary[2] = {cvy_train_summary_default(), cvy_train_summary_default()};
    struct cvy_eval_result result = cvy_eval_result_default();
    struct cvy_checkpoint_diff diff = cvy_checkpoint_diff_default();
    for (int i = 0; i < SAMPLES * H * W; i++) x[i] = (float)(i * 37 % 101) / 50 - 1;
    for (int i = 0; i < SAMPLES * 2; i++) y[i] = x[i / 2 * H * W + i % 2] / 2;
    const struct cvy_data_source memory = {.size = sizeof memory,
                                           .samples = SAMPLES,
                                           .height = H,
                                           .width = W,
                                           .channels = 1,
                                           .values = true,
                                           .target = {1, 1, 2},
                                           .x = x,
                                           .y = y};
    struct cvy_data_source callback = memory;
    callback.x = callback.y = NULL;
    callback.give = give_own;
    callback.arg = (void *)(uintptr_t)&memory;
    snprintf(yaml, sizeof yaml, "%s/own.yaml", test_folder());
    test_write(yaml, "%s", own);
    TEST_OK(cvy_context_create(&CVY_INIT(cvy_context_options, .threads = 1, .log_level = CVY_LOG_ERROR), &ctx));
    for (int i = 0; i < 2; i++) {
        const struct cvy_data_source *data = i ? &callback : &memory;
        snprintf(runs[i], sizeof runs[i], "%s/own%d", test_folder(), i);
        TEST_OK(cvy_train(
            ctx, &CVY_INIT(cvy_train_options, .experiment = yaml, .run_folder = runs[i], .train = data, .test = data),
            &summary[i]));
        CU_ASSERT(cvy_figures_get(&summary[i].test, "rmse") < 0.3);
    }
    TEST_OK(cvy_checkpoint_diff_read(runs[0], runs[1], &diff));
    CU_ASSERT(diff.identical);
    cvy_checkpoint_diff_destroy(&diff);
    TEST_OK(cvy_eval(ctx, &CVY_INIT(cvy_eval_options, .from = runs[0], .source = &callback), &result));
    CU_ASSERT_EQUAL(cvy_figures_get(&result.figures, "rmse"), cvy_figures_get(&summary[0].test, "rmse"));
    cvy_eval_result_destroy(&result);
    for (int i = 0; i < SAMPLES * H * W; i++) x[i] *= 1024; /* in other units */
    CU_ASSERT_EQUAL(cvy_eval(ctx, &CVY_INIT(cvy_eval_options, .from = runs[0], .source = &memory), &result),
                    CVY_ERR_DATA);
    CU_ASSERT(test_message_has("say with the scale of the options' form"));
    const struct cvy_data_form form = CVY_INIT(cvy_data_form, .scale = 1.0 / 1024);
    TEST_OK(cvy_eval(ctx, &CVY_INIT(cvy_eval_options, .from = runs[0], .source = &memory, .form = &form), &result));
    CU_ASSERT_DOUBLE_EQUAL(cvy_figures_get(&result.figures, "rmse"), cvy_figures_get(&summary[0].test, "rmse"), 1e-6);
    cvy_eval_result_destroy(&result);
    test_in_other_units(ctx, yaml, &memory, x, cvy_figures_get(&summary[0].test, "rmse"));
    callback.target[2] = 3;
    CU_ASSERT_EQUAL(cvy_eval(ctx, &CVY_INIT(cvy_eval_options, .from = runs[0], .source = &callback), &result),
                    CVY_ERR_DATA);
    CU_ASSERT(test_message_has("the program's data has 1×1×3 values a sample, and the network was trained on 1×1×2"));
    cvy_context_destroy(&ctx);
}

/* A target that no label can be, which nobody has looked at before: told when it is read, with its sample; what was
 * trained until then is saved, and once the test set is mended the run goes on as if nothing had been. */
static bool count_step(void *user, const struct cvy_step *step) {
    (void)step;
    ++*(int *)user;
    return false;
}

static char labels_yaml[1024];

static cvy_status train_labels(struct cvy_context *ctx, const char *run, float *y[2], bool resume, int *steps) {
    static float x[SAMPLES * H * W];
    struct cvy_data_source whole[2], given[2];
    struct cvy_train_summary summary = cvy_train_summary_default();
    for (int i = 0; i < 2; i++) {
        whole[i] = (struct cvy_data_source){.size = sizeof *whole, .x = x, .y = y[i]};
        given[i] = (struct cvy_data_source){.size = sizeof *given,
                                            .samples = SAMPLES,
                                            .height = H,
                                            .width = W,
                                            .channels = 1,
                                            .values = true,
                                            .target = {1, 1, 2},
                                            .give = give_own,
                                            .arg = &whole[i]};
    }
    *steps = 0;
    return cvy_train(ctx,
                     &CVY_INIT(cvy_train_options, .experiment = labels_yaml, .run_folder = run, .train = &given[0],
                               .test = &given[1], .resume = resume, .on_step = count_step, .user = steps),
                     &summary);
}

static void expect_saved(const char *run, int step) {
    struct cvy_checkpoint_info info = cvy_checkpoint_info_default();
    TEST_OK(cvy_checkpoint_info_read(run, &info));
    CU_ASSERT_EQUAL(info.step, step);
    cvy_checkpoint_info_destroy(&info);
}

static void bad_labels(void) {
    enum { BAD = 33, EPOCH = (SAMPLES + 7) / 8 };
    static float y[2][SAMPLES * 2];
    float *both[2] = {y[0], y[1]};
    char run[1024], other[1024];
    int steps;
    struct cvy_context *ctx;
    struct cvy_checkpoint_diff diff = cvy_checkpoint_diff_default();
    snprintf(run, sizeof run, "%s/labels", test_folder());
    snprintf(other, sizeof other, "%s/others", test_folder());
    snprintf(labels_yaml, sizeof labels_yaml, "%s/labels.yaml", test_folder());
    test_write(labels_yaml, "name: own\nmodel: {input: [3, 5, 1], layers: [{dense: 2}]}\n"
                            "train: {epochs: 2, batch: 8, leaf: 4, loss: logistic, learning_rate: 0.05}\n");
    TEST_OK(cvy_context_create(&CVY_INIT(cvy_context_options, .threads = 1, .log_level = CVY_LOG_ERROR), &ctx));
    TEST_OK(train_labels(ctx, other, both, false, &steps));
    for (int i = 1; i >= 0; i--) {
        y[i][2 * BAD] = -1;
        CU_ASSERT_EQUAL(train_labels(ctx, run, both, false, &steps), CVY_ERR_DATA);
        CU_ASSERT(test_message_has(i ? "the program's test data: sample 33 has -1 as a target"
                                     : "the program's training data: sample 33 has -1 as a target"));
        CU_ASSERT(i ? steps == EPOCH : steps > 0 && steps < EPOCH);
        expect_saved(run, steps);
        y[i][2 * BAD] = 0;
        if (i == 0) break;
        TEST_OK(train_labels(ctx, run, both, true, &steps));
        CU_ASSERT_EQUAL(steps, EPOCH);
        TEST_OK(cvy_checkpoint_diff_read(run, other, &diff));
        CU_ASSERT(diff.identical);
        cvy_checkpoint_diff_destroy(&diff);
        snprintf(run, sizeof run, "%s/labels-again", test_folder());
    }
    cvy_context_destroy(&ctx);
}

/* ---- What is counted ---- */

static void figures(void) {
    const struct cvy_metric_totals score = {.samples = 4,
                                            .sums = {[CVY_VALUE_LOSS] = 6,
                                                     [CVY_VALUE_COUNTED] = 10,
                                                     [CVY_VALUE_TOP1] = 7,
                                                     [CVY_VALUE_TOP5] = 9,
                                                     [CVY_VALUE_ABSOLUTE] = 12,
                                                     [CVY_VALUE_SQUARED] = 24}};
    struct cvy_figures f;
    char text[CVY_FIGURES_TEXT];
    cvy_metric_figures(&score, &(struct cvy_metric){CVY_MEASURE_CLASSES, {2, 3, 6}, 6, 1}, &f);
    CU_ASSERT_STRING_EQUAL(cvy_figures_text(&f, text), "loss 1.5000  top-1 70.00 %  top-5 90.00 %");
    cvy_metric_figures(&score, &(struct cvy_metric){CVY_MEASURE_CLASSES, {2, 3, 5}, 5, 1}, &f);
    CU_ASSERT_STRING_EQUAL(cvy_figures_text(&f, text), "loss 1.5000  top-1 70.00 %"); /* the 5 are all there are */
    cvy_metric_figures(&score, &(struct cvy_metric){CVY_MEASURE_LABELS, {1, 1, 4}, 4, 1}, &f);
    CU_ASSERT_STRING_EQUAL(cvy_figures_text(&f, text), "loss 1.5000  exact 70.00 %");
    cvy_metric_figures(&score, &(struct cvy_metric){CVY_MEASURE_VALUES, {1, 1, 3}, 3, 1}, &f);
    CU_ASSERT_STRING_EQUAL(cvy_figures_text(&f, text), "loss 1.5000  MAE 1.0000  RMSE 1.4142");
    cvy_metric_figures(&score, &(struct cvy_metric){CVY_MEASURE_VALUES, {2, 3, 4}, 4, 5}, &f);
    CU_ASSERT_DOUBLE_EQUAL(cvy_figures_get(&f, "mae"), 12.0 / 96, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(cvy_figures_get(&f, "psnr"), 10 * log10(25.0 / (24.0 / 96)), 1e-12);
    CU_ASSERT(isnan(cvy_figures_get(&f, "top1")));
}

static struct cvy_counts count(const char *loss, int channels, const struct cvy_target *target, const float *outputs,
                               const void *targets, int n) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_counts counts;
    char text[128];
    const struct cvy_shape s = target->shape;
    snprintf(text, sizeof text, "input: [%d, %d, 2]\nlayers: [conv: {filters: %d, kernel: 1}]\n", s.h, s.w, channels);
    TEST_OK(graph_from_text(text, loss, &tree, &graph));
    TEST_OK(cvy_graph_bind_target(graph, target, 2, "data.h5"));
    TEST_OK(cvy_counts_create(graph, target, &counts));
    cvy_counts_add(&counts, outputs, targets, n);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    return counts;
}

static void tables(void) {
    const float scores[8] = {1, 0, 0, 2, 3, 3, -1, 5}, sides[4] = {-1, 2, 3, 0}, yes[8] = {1, 0, 0, 1, 1, 0, 0, 0};
    const int32_t map[4] = {0, 1, 1, 9}, labels[4] = {0, 1, 0, 1};
    const struct cvy_target of_four = {CVY_I32, {2, 2, 1}}, of_two = {CVY_F32, {1, 1, 2}};
    struct cvy_counts c = count("{softmax_cross_entropy: {ignore_label: 9}}", 2, &of_four, scores, map, 1);
    CU_ASSERT(c.classes == 2 && c.cells[0] == 1 && c.cells[1] == 0 && c.cells[2] == 1 && c.cells[3] == 1);
    cvy_counts_destroy(&c);
    c = count("logistic", 1, &of_four, sides, labels, 1);
    CU_ASSERT(c.classes == 2 && c.cells[0] == 1 && c.cells[1] == 1 && c.cells[2] == 1 && c.cells[3] == 1);
    cvy_counts_destroy(&c);
    c = count("logistic", 2, &of_two, scores, yes, 4); /* [label][truly][said] */
    const int64_t want[8] = {2, 0, 0, 2, 1, 2, 0, 1};
    CU_ASSERT(c.classes == 2 && c.size == 8 && memcmp(c.cells, want, sizeof want) == 0);
    cvy_counts_destroy(&c);
    c = count("mse", 2, &of_two, scores, yes, 4);
    CU_ASSERT(c.cells == NULL && c.classes == 0);
    cvy_counts_destroy(&c);
}

/* Numbers that begin with 1 are a slip; a name without a sample is not. */
static void labels_from_one(void) {
    int32_t labels[] = {1, 2, 1};
    struct cvy_dataset_info info = {.count = 3, .classes = 3, .labels = labels};
    CU_ASSERT(cvy_datasets_from_one(&info));
    info.named = true;
    CU_ASSERT(!cvy_datasets_from_one(&info));
    info.named = false;
    labels[2] = 0;
    CU_ASSERT(!cvy_datasets_from_one(&info));
}

static const struct test_case cases[] = {
    {"which fit a loss", which_fit},
    {"stored and read, single and sharded", stored_and_read},
    {"classes out of range", out_of_range},
    {"labels that start at 1", labels_from_one},
    {"users' files", users_files},
    {"masks and pictures", masks_and_pictures},
    {"packed classes stay classes", packed_classes_stay},
    {"maps move with their inputs", maps_move_along},
    {"memory, callback, inputs as targets", other_sources},
    {"a program's own data: memory and function give the same bits", own_data},
    {"targets that are found to be bad while they are used", bad_labels},
    {"figures", figures},
    {"tables of counts", tables},
    {0},
};
const struct test_suite suite_targets = {"targets", cases, NULL};
