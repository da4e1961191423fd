/* io/ckpt: contents come back, every byte is covered, a failed write leaves nothing, the newest good one is found. */
#define _GNU_SOURCE
#include <hdf5.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ckpt_help.h"
#include "core/memory.h"
#include "io/ckpt/ckpt.h"
#include "test.h"

static float weights[5 * 5 * 2 * 6], bias[6], momentum[300];

static cvy_status write_sample(const char *path, int64_t step) {
    for (int i = 0; i < 300; i++) {
        weights[i] = (float)i * 0.25f + (float)step;
        momentum[i] = -weights[i];
    }
    for (int i = 0; i < 6; i++) bias[i] = 1.0f / (float)(i + 1);
    const struct cvy_ckpt_tensor tensors[] = {
        {"/param/conv1/weight", 4, {5, 5, 2, 6}, weights, "HWIO"},
        {"/param/block2/conv1/bias", 1, {6}, bias, "n"},
        {"/optim/conv1/weight/momentum", 4, {5, 5, 2, 6}, momentum, "HWIO"},
    };
    const struct cvy_ckpt_attribute values[] = {
        {.name = "step", .count = 1, .ints = &step},
        {.name = "input", .count = 3, .ints = (int64_t[]){28, 28, 1}},
        {.name = "wall_time", .count = 1, .reals = (double[]){1.5}},
        {.name = "mean", .count = 2, .reals = (double[]){0.1, -7e300}},
        {.name = "isa", .count = 1, .texts = (const char *[]){"avx512"}},
        {.name = "classes", .count = 3, .texts = (const char *[]){"T-shirt", "", "Übergröße"}},
    };
    const struct cvy_ckpt_blob blobs[] = {{"experiment", "name: x\n", 8}, {"metrics", "", 0}};
    struct cvy_ckpt_contents contents = {.tensors = tensors,
                                         .tensor_count = 3,
                                         .attributes = values,
                                         .attribute_count = 6,
                                         .blobs = blobs,
                                         .blob_count = 2};
    return ckpt_write(path, &contents, NULL);
}

static void check_values(const struct cvy_ckpt *ckpt) {
    int64_t step;
    double real;
    const char *text;
    TEST_OK(cvy_ckpt_int(ckpt, "step", &step));
    TEST_OK(cvy_ckpt_real(ckpt, "wall_time", &real));
    TEST_OK(cvy_ckpt_text(ckpt, "isa", &text));
    CU_ASSERT(step == 7 && real == 1.5 && strcmp(text, "avx512") == 0 && cvy_ckpt_attribute_count(ckpt) == 6);
    const struct cvy_ckpt_attribute *input = cvy_ckpt_attribute(ckpt, "input"),
                                    *mean = cvy_ckpt_attribute(ckpt, "mean");
    const struct cvy_ckpt_attribute *classes = cvy_ckpt_attribute(ckpt, "classes");
    CU_ASSERT(input->count == 3 && input->ints[1] == 28 && input->ints[2] == 1);
    CU_ASSERT(mean->count == 2 && mean->reals[0] == 0.1 && mean->reals[1] == -7e300);
    CU_ASSERT(classes->count == 3 && strcmp(classes->texts[1], "") == 0);
    CU_ASSERT_STRING_EQUAL(classes->texts[2], "Übergröße");
    for (int i = 1; i < 6; i++)
        CU_ASSERT(strcmp(cvy_ckpt_attribute_at(ckpt, i - 1)->name, cvy_ckpt_attribute_at(ckpt, i)->name) < 0);
    CU_ASSERT_EQUAL(cvy_ckpt_int(ckpt, "nothing", &step), CVY_ERR_CHECKPOINT);
    CU_ASSERT_EQUAL(cvy_ckpt_int(ckpt, "isa", &step), CVY_ERR_CHECKPOINT);
    CU_ASSERT(test_message_has("/run has no integer \"isa\""));
}

static void check_tensors(struct cvy_ckpt *ckpt) {
    float back[300];
    CU_ASSERT_EQUAL(cvy_ckpt_tensor_count(ckpt), 3);
    CU_ASSERT_STRING_EQUAL(cvy_ckpt_tensor(ckpt, 0)->path, "/optim/conv1/weight/momentum");
    CU_ASSERT_STRING_EQUAL(cvy_ckpt_tensor(ckpt, 1)->path, "/param/block2/conv1/bias");
    const struct cvy_ckpt_tensor *t = cvy_ckpt_find(ckpt, "/param/conv1/weight");
    CU_ASSERT(t && t->rank == 4 && t->dims[0] == 5 && t->dims[2] == 2 && t->dims[3] == 6);
    CU_ASSERT_STRING_EQUAL(t->layout, "HWIO");
    TEST_OK(cvy_ckpt_read(ckpt, "/param/conv1/weight", 300, back));
    CU_ASSERT(memcmp(back, weights, sizeof back) == 0);
    TEST_OK(cvy_ckpt_read(ckpt, "/param/block2/conv1/bias", 6, back));
    CU_ASSERT(memcmp(back, bias, sizeof bias) == 0);
    CU_ASSERT_EQUAL(cvy_ckpt_read(ckpt, "/param/conv1/weight", 299, back), CVY_ERR_CHECKPOINT);
    CU_ASSERT(test_message_has("/param/conv1/weight has 300 elements, expected 299"));
    CU_ASSERT_EQUAL(cvy_ckpt_read(ckpt, "/param/conv9/weight", 1, back), CVY_ERR_CHECKPOINT);
    CU_ASSERT(test_message_has("it has no /param/conv9/weight"));
}

static void round_trip(void) {
    char path[CVY_PATH_MAX];
    struct cvy_ckpt *ckpt = NULL;
    struct cvy_buf text = {0};
    TEST_OK(cvy_ckpt_name(test_folder(), 7, path));
    CU_ASSERT_STRING_EQUAL(cvy_path_name(path), "step-00000007.h5");
    TEST_OK(write_sample(path, 7));
    TEST_OK(cvy_ckpt_verify(path));
    TEST_OK(cvy_ckpt_open(path, &ckpt));
    CU_ASSERT_STRING_EQUAL(cvy_ckpt_path(ckpt), path);
    check_values(ckpt);
    check_tensors(ckpt);
    TEST_OK(cvy_ckpt_blob(ckpt, "experiment", &text));
    CU_ASSERT_STRING_EQUAL(cvy_buf_text(&text), "name: x\n");
    TEST_OK(cvy_ckpt_blob(ckpt, "metrics", &text));
    CU_ASSERT_EQUAL(text.size, 8);
    CU_ASSERT_EQUAL(cvy_ckpt_blob(ckpt, "nothing", &text), CVY_ERR_CHECKPOINT);
    cvy_buf_destroy(&text);
    cvy_ckpt_close(&ckpt);
}

/* More class names than fit into an object's header (64 KiB), and many tensors. */
static void large(void) {
    enum { NAMES = 5000, TENSORS = 300 };
    static char names[NAMES][40], paths[TENSORS][40];
    static const char *list[NAMES];
    static struct cvy_ckpt_tensor tensors[TENSORS];
    char path[CVY_PATH_MAX];
    struct cvy_ckpt *ckpt = NULL;
    int64_t bytes;
    float back[7], values[7] = {1, 2, 3, 4, 5, 6, 7};
    for (int i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof names[i], "a class with quite a long name %d", i);
        list[i] = names[i];
    }
    for (int i = 0; i < TENSORS; i++) {
        snprintf(paths[i], sizeof paths[i], "/param/stage%d/conv%d/weight", i / 50, i);
        tensors[i] = (struct cvy_ckpt_tensor){paths[i], 2, {7, 1}, values, "in,out"};
    }
    struct cvy_ckpt_attribute classes = {.name = "classes", .count = NAMES, .texts = list};
    struct cvy_ckpt_contents contents = {
        .tensors = tensors, .tensor_count = TENSORS, .attributes = &classes, .attribute_count = 1};
    TEST_OK(cvy_path_join(test_folder(), "x.h5", path));
    TEST_OK(ckpt_write(path, &contents, &bytes));
    CU_ASSERT_EQUAL(bytes, cvy_file_size(path));
    TEST_OK(cvy_ckpt_open(path, &ckpt));
    CU_ASSERT_EQUAL(cvy_ckpt_tensor_count(ckpt), TENSORS);
    CU_ASSERT_STRING_EQUAL(cvy_ckpt_attribute(ckpt, "classes")->texts[4321], names[4321]);
    TEST_OK(cvy_ckpt_read(ckpt, paths[299], 7, back));
    CU_ASSERT(memcmp(back, values, sizeof back) == 0);
    cvy_ckpt_close(&ckpt);
}

/* What a tensor holds at a logical index. */
static float held(int tensor, int64_t index) {
    return (float)(tensor * 1000003 + index % 65521);
}

static void fill(void *arg, int tensor, int64_t first, int64_t count, float *out) {
    const struct cvy_ckpt_tensor *t = &((const struct cvy_ckpt_tensor *)arg)[tensor];
    int64_t slice = 1;
    for (int d = 1; d < t->rank; d++) slice *= t->dims[d];
    for (int64_t i = 0; i < count * slice; i++) out[i] = held(tensor, first * slice + i);
}

/* Tensors given slice by slice are the same file as from memory: of several blocks, of less than one, and with slices
 * that are larger than a block. */
static void slices(void) {
    enum { TENSORS = 4, MOST = 2 * 300 * 1000 };
    struct cvy_ckpt_tensor tensors[TENSORS] = {{"/param/a/weight", 2, {700, 777}, NULL, "in,out"},
                                               {"/param/b/weight", 4, {3, 2, 5, 7}, NULL, "HWIO"},
                                               {"/param/b/bias", 1, {13}, NULL, "n"},
                                               {"/param/c/weight", 2, {2, 300000}, NULL, "in,out"}};
    static float values[TENSORS][MOST];
    char a[CVY_PATH_MAX], b[CVY_PATH_MAX];
    struct cvy_buf x = {0}, y = {0};
    TEST_OK(cvy_path_join(test_folder(), "a.h5", a));
    TEST_OK(cvy_path_join(test_folder(), "b.h5", b));
    const struct cvy_ckpt_contents given = {
        .tensors = tensors, .tensor_count = TENSORS, .fill = fill, .arg = tensors, .attributes = NULL};
    TEST_OK(ckpt_write(a, &given, NULL));
    for (int t = 0; t < TENSORS; t++) {
        for (int64_t i = 0; i < MOST; i++) values[t][i] = held(t, i);
        tensors[t].data = values[t];
    }
    TEST_OK(ckpt_write(b, &(struct cvy_ckpt_contents){.tensors = tensors, .tensor_count = TENSORS}, NULL));
    TEST_OK(cvy_file_read(a, 1 << 24, &x));
    TEST_OK(cvy_file_read(b, 1 << 24, &y));
    CU_ASSERT(x.size == y.size && memcmp(x.data, y.data, x.size) == 0);
    cvy_buf_destroy(&x);
    cvy_buf_destroy(&y);
}

/* The user block hides nothing from plain HDF5, and the same contents give the same bytes. */
static void plain_hdf5_and_bytes(void) {
    char a[CVY_PATH_MAX], b[CVY_PATH_MAX];
    struct cvy_buf x = {0}, y = {0};
    float back[6] = {0};
    const char *folder = test_folder();
    TEST_OK(cvy_path_join(folder, "a.h5", a));
    TEST_OK(cvy_path_join(folder, "b.h5", b));
    TEST_OK(write_sample(a, 3));
    sleep(1);
    TEST_OK(write_sample(b, 3));
    TEST_OK(cvy_file_read(a, 1 << 24, &x));
    TEST_OK(cvy_file_read(b, 1 << 24, &y));
    CU_ASSERT(x.size == y.size && memcmp(x.data, y.data, x.size) == 0);
    cvy_buf_destroy(&x);
    cvy_buf_destroy(&y);
    hid_t file = H5Fopen(a, H5F_ACC_RDONLY, H5P_DEFAULT),
          array = H5Dopen2(file, "/param/block2/conv1/bias", H5P_DEFAULT);
    CU_ASSERT(H5Dread(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, back) >= 0);
    CU_ASSERT(memcmp(back, bias, sizeof bias) == 0);
    H5Dclose(array);
    H5Fclose(file);
}

static void every_byte_is_covered(void) {
    char path[CVY_PATH_MAX];
    struct cvy_buf good = {0};
    struct cvy_ckpt *ckpt = NULL;
    TEST_OK(cvy_path_join(test_folder(), "x.h5", path));
    TEST_OK(write_sample(path, 1));
    TEST_OK(cvy_file_read(path, 1 << 24, &good));
    int passed = 0;
    for (size_t at = 0; at < good.size; at += at < 600 ? 1 : 1 + good.size / 500) {
        good.data[at] ^= (char)(1 << at % 8);
        TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){good.data, good.size}, 1));
        passed += cvy_ckpt_verify(path) != CVY_ERR_CHECKPOINT || cvy_ckpt_open(path, &ckpt) != CVY_ERR_CHECKPOINT;
        good.data[at] ^= (char)(1 << at % 8);
    }
    for (size_t cut = 0; cut < good.size; cut += 1 + good.size / 100) {
        TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){good.data, cut}, 1));
        passed += cvy_ckpt_verify(path) != CVY_ERR_CHECKPOINT;
    }
    CU_ASSERT_EQUAL(passed, 0);
    TEST_OK(cvy_file_replace(path, (struct cvy_bytes[]){{good.data, good.size}, {"", 1}}, 2)); /* a byte too many */
    CU_ASSERT_EQUAL(cvy_ckpt_verify(path), CVY_ERR_CHECKPOINT);
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){good.data, good.size}, 1));
    TEST_OK(cvy_ckpt_verify(path));
    cvy_buf_destroy(&good);
}

static void messages(void) {
    char path[CVY_PATH_MAX];
    struct cvy_buf good = {0};
    TEST_OK(cvy_path_join(test_folder(), "x.h5", path));
    CU_ASSERT_EQUAL(cvy_ckpt_verify(path), CVY_ERR_CHECKPOINT);
    CU_ASSERT(test_message_has("x.h5: cannot be opened: No such file"));
    TEST_OK(write_sample(path, 1));
    TEST_OK(cvy_file_read(path, 1 << 24, &good));
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){good.data, good.size - 10}, 1));
    CU_ASSERT_EQUAL(cvy_ckpt_verify(path), CVY_ERR_CHECKPOINT);
    CU_ASSERT(test_message_has("x.h5: damaged: ") && test_message_has("bytes follow its head, there should be"));
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){good.data + 512, good.size - 512}, 1));
    CU_ASSERT_EQUAL(cvy_ckpt_verify(path), CVY_ERR_CHECKPOINT);
    CU_ASSERT(test_message_has("x.h5: not a checkpoint"));
    good.data[18] = '2';
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){good.data, good.size}, 1));
    CU_ASSERT_EQUAL(cvy_ckpt_verify(path), CVY_ERR_CHECKPOINT);
    CU_ASSERT(test_message_has("of format version 2, this program reads up to 1"));
    cvy_buf_destroy(&good);
}

/* A limit on file size stands for a full disk. */
static void full_disk(void) {
    char folder[CVY_PATH_MAX], path[CVY_PATH_MAX];
    struct rlimit before, small;
    struct cvy_ckpt *ckpt = NULL;
    strcpy(folder, test_folder());
    TEST_OK(cvy_ckpt_name(folder, 1, path));
    TEST_OK(write_sample(path, 7));
    getrlimit(RLIMIT_FSIZE, &before);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = 0; room < 6000; room += 700) {
        small = (struct rlimit){room, before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &small);
        cvy_status status = write_sample(path, 8);
        setrlimit(RLIMIT_FSIZE, &before);
        CU_ASSERT_EQUAL(status, CVY_ERR_INTERNAL);
        CU_ASSERT(test_message_has("checkpoint not written: ") && test_message_has("File too large"));
    }
    signal(SIGXFSZ, handler);
    CU_ASSERT_EQUAL(test_files_in(folder), 1);
    TEST_OK(cvy_ckpt_open(path, &ckpt));
    check_values(ckpt); /* step 7: the old one */
    cvy_ckpt_close(&ckpt);
    TEST_OK(cvy_path_join(folder, "absent/x.h5", path));
    CU_ASSERT_EQUAL(write_sample(path, 1), CVY_ERR_USAGE);
}

/* ---- Folders ---- */

static void damage(const char *folder, int64_t step) {
    char path[CVY_PATH_MAX];
    TEST_OK(cvy_ckpt_name(folder, step, path));
    FILE *file = fopen(path, "r+b");
    fseek(file, 2000, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, 2000, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

static void note_skipped(void *arg, const char *path, const char *why) {
    CU_ASSERT(strstr(why, path) != NULL && strstr(why, "damaged") != NULL);
    snprintf((char *)arg + strlen(arg), 100, "%s ", cvy_path_name(path));
}

static void make_folder(char folder[CVY_PATH_MAX], int count) {
    char path[CVY_PATH_MAX];
    strcpy(folder, test_folder());
    for (int i = 1; i <= count; i++) {
        TEST_OK(cvy_ckpt_name(folder, 10 * i, path));
        TEST_OK(write_sample(path, 10 * i));
    }
}

static void newest(void) {
    char folder[CVY_PATH_MAX], found_path[CVY_PATH_MAX], skipped[400] = "";
    bool found = true;
    TEST_OK(cvy_ckpt_newest("/nonexistent", NULL, NULL, &found, found_path));
    CU_ASSERT(!found);
    make_folder(folder, 4);
    TEST_OK(cvy_ckpt_newest(folder, note_skipped, skipped, &found, found_path));
    CU_ASSERT(found && cvy_ckpt_step(found_path) == 40 && !skipped[0]);
    damage(folder, 40);
    damage(folder, 30);
    TEST_OK(cvy_ckpt_newest(folder, note_skipped, skipped, &found, found_path));
    CU_ASSERT(found && cvy_ckpt_step(found_path) == 20);
    CU_ASSERT_STRING_EQUAL(skipped, "step-00000040.h5 step-00000030.h5 ");
    damage(folder, 20);
    damage(folder, 10);
    TEST_OK(cvy_ckpt_newest(folder, NULL, NULL, &found, found_path));
    CU_ASSERT(!found);
}

static void listing(void) {
    char folder[CVY_PATH_MAX], path[CVY_PATH_MAX];
    struct cvy_ckpt_list list;
    static const char *const others[] = {"step-1.h5", "step-00000050.h5.tmp", "step-0000005x.h5", "best.h5",
                                         "step-000000060.h5"};
    make_folder(folder, 3);
    for (int i = 0; i < 5; i++) {
        TEST_OK(cvy_path_join(folder, others[i], path));
        TEST_OK(cvy_file_replace(path, NULL, 0));
    }
    TEST_OK(cvy_ckpt_list(folder, &list));
    CU_ASSERT(list.count == 3 && list.steps[0] == 10 && list.steps[1] == 20 && list.steps[2] == 30);
    cvy_ckpt_list_destroy(&list);
    CU_ASSERT(cvy_ckpt_step("a/step-123456789.h5") == 123456789 && cvy_ckpt_step("a/best.h5") == -1);
}

static int64_t steps_left(const char *folder) { /* 10 and 30 → 1030 */
    struct cvy_ckpt_list list;
    int64_t sum = 0;
    TEST_OK(cvy_ckpt_list(folder, &list));
    for (int i = 0; i < list.count; i++) sum = sum * 100 + list.steps[i];
    cvy_ckpt_list_destroy(&list);
    return sum;
}

static void pruning(void) {
    char folder[CVY_PATH_MAX], path[CVY_PATH_MAX], host[64] = "", name[128];
    gethostname(host, sizeof host - 1);
    make_folder(folder, 5);
    snprintf(name, sizeof name, "step-00000060.h5.%s.4194999.tmp", host);
    TEST_OK(cvy_path_join(folder, name, path));
    TEST_OK(cvy_file_replace(path, NULL, 0));
    TEST_OK(cvy_ckpt_prune(folder, 3, -1, 0));
    CU_ASSERT_EQUAL(steps_left(folder), 304050);
    CU_ASSERT(!cvy_file_exists(path));
    damage(folder, 50);
    damage(folder, 40);
    TEST_OK(cvy_ckpt_prune(folder, 2, -1, 0)); /* both that it would keep are damaged: the newest good one stays too */
    CU_ASSERT_EQUAL(steps_left(folder), 304050);
    TEST_OK(cvy_ckpt_prune(folder, 1, -1, 0));
    CU_ASSERT_EQUAL(steps_left(folder), 3050);
    TEST_OK(cvy_ckpt_prune(folder, 9, -1, 0));
    CU_ASSERT_EQUAL(steps_left(folder), 3050);
    TEST_OK(cvy_ckpt_prune("/nonexistent", 1, -1, 0));
}

/* Saves one more step; gives how many are there afterwards. */
static int save_one(const char *folder, int64_t step, int keep, int64_t sound) {
    struct cvy_ckpt_image *image = NULL;
    struct cvy_ckpt_list list;
    struct cvy_ckpt_saving saving = {.folder = folder, .step = step, .keep = keep, .sound = sound};
    const struct cvy_ckpt_attribute value = {.name = "step", .count = 1, .ints = &step};
    TEST_OK(cvy_ckpt_image_create(&(struct cvy_ckpt_contents){.attributes = &value, .attribute_count = 1}, &image));
    TEST_OK(cvy_ckpt_save(image, &saving));
    CU_ASSERT(saving.removed == 0 && saving.reason == 0 && saving.bytes > 0);
    cvy_ckpt_image_destroy(&image);
    TEST_OK(cvy_ckpt_list(folder, &list));
    int count = list.count;
    cvy_ckpt_list_destroy(&list);
    return count;
}

static bool is_there(const char *folder, int64_t step) {
    char path[CVY_PATH_MAX];
    return cvy_ckpt_name(folder, step, path) == CVY_OK && cvy_file_exists(path);
}

/* The newest good one stays until its successor is there; the sound one whatever its age; a missing folder is made. */
static void saving(void) {
    char folder[CVY_PATH_MAX];
    snprintf(folder, sizeof folder, "%s/run/checkpoints", test_folder());
    for (int64_t step = 1; step <= 5; step++) CU_ASSERT_EQUAL(save_one(folder, step, 3, -1), step < 3 ? (int)step : 3);
    CU_ASSERT(is_there(folder, 3) && is_there(folder, 5));
    CU_ASSERT_EQUAL(save_one(folder, 5, 3, -1), 3); /* the same once more */
    CU_ASSERT_EQUAL(save_one(folder, 6, 1, -1), 2); /* keep 1: and the one that it follows */
    CU_ASSERT(is_there(folder, 5) && is_there(folder, 6));
    CU_ASSERT_EQUAL(save_one(folder, 7, 1, 5), 3);
    CU_ASSERT(is_there(folder, 5) && is_there(folder, 6) && is_there(folder, 7));
    damage(folder, 7);
    CU_ASSERT_EQUAL(save_one(folder, 8, 1, -1), 3); /* 6 is the newest good one, 7 the newest */
    CU_ASSERT(is_there(folder, 6) && is_there(folder, 8));
}

static int64_t inode_of(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 ? (int64_t)s.st_ino : -1;
}

/* As best.h5, beside a numbered one or alone: no pruning takes it, and both are one file. Those of `every` stay. */
static void best_and_every(void) {
    char folder[CVY_PATH_MAX], best[CVY_PATH_MAX], path[CVY_PATH_MAX];
    snprintf(folder, sizeof folder, "%s/best/checkpoints", test_folder());
    TEST_OK(cvy_ckpt_best(folder, best));
    for (int64_t step = 1; step <= 9; step++) {
        struct cvy_ckpt_image *image = NULL;
        struct cvy_ckpt_saving saving = {.folder = folder, .step = step, .keep = 2, .sound = -1, .every = 3};
        const struct cvy_ckpt_attribute value = {.name = "step", .count = 1, .ints = &step};
        const int64_t before = inode_of(best);
        saving.as = step == 4 ? CVY_CKPT_BOTH : step == 6 ? CVY_CKPT_BEST : CVY_CKPT_NUMBERED;
        TEST_OK(cvy_ckpt_image_create(&(struct cvy_ckpt_contents){.attributes = &value, .attribute_count = 1}, &image));
        TEST_OK(cvy_ckpt_save(image, &saving));
        cvy_ckpt_image_destroy(&image);
        TEST_OK(cvy_ckpt_name(folder, step, path));
        if (step == 4) CU_ASSERT(inode_of(best) == inode_of(path) && inode_of(best) > 0);
        CU_ASSERT((inode_of(best) != before) == (step == 4 || step == 6));
        CU_ASSERT(step < 4 || cvy_ckpt_verify(best) == CVY_OK);
    }
    for (int64_t step = 1; step <= 9; step++) CU_ASSERT_EQUAL(is_there(folder, step), step == 3 || step >= 8);
    TEST_OK(cvy_ckpt_prune(folder, 1, -1, 3));
    CU_ASSERT(cvy_file_exists(best) && is_there(folder, 3) && is_there(folder, 9) && !is_there(folder, 8));
}

static const struct test_case cases[] = {
    {"the best one, and those of some places", best_and_every},
    {"contents come back", round_trip},
    {"many tensors, long lists", large},
    {"tensors in slices", slices},
    {"plain HDF5 reads it; same contents, same bytes", plain_hdf5_and_bytes},
    {"every byte is covered", every_byte_is_covered},
    {"messages", messages},
    {"a full disk leaves the old one and nothing else", full_disk},
    {"listing", listing},
    {"the newest good one; damaged ones are named", newest},
    {"pruning never removes the only good one", pruning},
    {"saving: what stays", saving},
    {0},
};
const struct test_suite suite_io_ckpt = {"io_ckpt", cases, NULL};
