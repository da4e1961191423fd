/* io/idx, data/pack: foreign formats in, with every way in which they can be wrong. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "convoy/formats.h"
#include "data/pack.h"
#include "io/dataset/dataset.h"
#include "io/file.h"
#include "io/idx.h"
#include "test.h"

struct paths {
    char images[CVY_PATH_MAX], labels[CVY_PATH_MAX], out[CVY_PATH_MAX];
};

static void make_paths(struct paths *p) {
    const char *folder = test_folder();
    TEST_OK(cvy_path_join(folder, "images", p->images));
    TEST_OK(cvy_path_join(folder, "labels", p->labels));
    TEST_OK(cvy_path_join(folder, "out.h5", p->out));
}

/* 5 images of 2×3, 5 labels. */
static const unsigned char image_bytes[] = {0,  0,  8,  3,  0,  0,  0,  5,  0,  0,  0,  2,  0,  0,  0,  3,
                                            1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                            17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 255};
static const unsigned char label_bytes[] = {0, 0, 8, 1, 0, 0, 0, 5, 3, 1, 4, 1, 5};

static void put(const char *path, const void *bytes, size_t size, bool zip) {
    if (!zip) {
        TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){bytes, size}, 1));
        return;
    }
    gzFile file = gzopen(path, "wb");
    gzwrite(file, bytes, (unsigned)size);
    gzclose(file);
}

static void pack_idx(void) {
    for (int zip = 0; zip < 2; zip++) {
        struct paths p;
        struct cvy_dataset *ds = NULL;
        unsigned char x[30];
        make_paths(&p);
        put(p.images, image_bytes, sizeof image_bytes, zip);
        put(p.labels, label_bytes, sizeof label_bytes, zip);
        TEST_OK(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){0}));
        TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = p.out}, &ds));
        const struct cvy_dataset_info *info = cvy_dataset_info(ds);
        CU_ASSERT(info->count == 5 && info->classes == 6 && cvy_shape_equal(info->shape, (struct cvy_shape){2, 3, 1}));
        TEST_OK(cvy_dataset_read(ds, 0, 5, x, NULL));
        CU_ASSERT(memcmp(x, image_bytes + 16, 30) == 0);
        for (int i = 0; i < 5; i++) CU_ASSERT(cvy_dataset_info(ds)->labels[i] == label_bytes[8 + i]);
        cvy_dataset_close(&ds);
        CU_ASSERT_EQUAL(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){0}), CVY_ERR_USAGE);
        TEST_OK(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){.overwrite = true, .classes = 7}));
    }
}

static void idx_that_is_wrong(void) {
    static const struct {
        size_t at;
        int with, images_cut, labels_cut; /* a byte of the images changed; bytes taken off */
        const char *message;
    } bad[] = {
        {0, 9, 0, 0, "images: not an IDX file: expected it to begin with 00 00 08 03, found 09 00 08 03"},
        {2, 13, 0, 0, "images: IDX type 0x0d; only unsigned bytes"},
        {3, 1, 0, 0, "images: IDX file of rank 1, expected 3 (images); are the files swapped?"},
        {7, 6, 0, 0, "images: cut off, or no IDX file: its head says 6 items of 6 bytes, 36 bytes in all, but 30 are"},
        {7, 4, 6, 0, "has 4 images, but"},
        {7, 0, 0, 0, "images: dimension 0 is 0"},
        {8, 200, 0, 0, "says 5 items of 10066329606 bytes, 50331648030 bytes in all, but 30 are there"},
        {0, 0, 1, 0,
         "images: cut off, or no IDX file: its head says 5 items of 6 bytes, 30 bytes in all, but 29 are there"},
        {0, 0, 36, 0, "images: cut off in its head"},
        {0, 0, 43, 0, "images: not an IDX file"},
        {0, 0, 0, 2,
         "labels: cut off, or no IDX file: its head says 5 items of 1 bytes, 5 bytes in all, but 3 are there"},
        {0, 0, 0, -3, "labels: there are more bytes than the 5 items of its head take"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct paths p;
        unsigned char images[sizeof image_bytes], labels[sizeof label_bytes + 3] = {0};
        make_paths(&p);
        memcpy(images, image_bytes, sizeof images);
        memcpy(labels, label_bytes, sizeof label_bytes);
        images[bad[i].at] = (unsigned char)bad[i].with;
        put(p.images, images, sizeof images - (size_t)bad[i].images_cut, false);
        put(p.labels, labels, sizeof label_bytes - (size_t)bad[i].labels_cut, false);
        CU_ASSERT_EQUAL(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){0}), CVY_ERR_DATA);
        CU_ASSERT(test_message_has(bad[i].message));
        CU_ASSERT(!cvy_file_exists(p.out));
    }
}

/* A gzip file does not say how much is in it: no room is made, nothing written, on the word of the head. */
static void giant_heads(void) {
    static const unsigned char cut_in_item[16] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0x10, 0, 0, 0, 0x14, 0};
    static unsigned char large[1 << 20];
    static const struct {
        unsigned char dims[12];
        const char *message[2]; /* plain, gzip */
    } bad[] = {
        {{0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3},
         {"2147483648 items of 6 bytes, 12884901888 bytes in all, but 30 are there",
          "12884901888 bytes in all, but at most"}},
        {{0, 0, 0, 5, 0, 1, 0, 0, 0, 0, 0x40, 0},
         {"5 items of 1073741824 bytes, 5368709120 bytes in all, but 30 are", "5368709120 bytes in all, but at most"}},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
         {"4294967295 items of 9223372036854775807 bytes", "4294967295 items of"}},
    };
    struct paths p;
    make_paths(&p);
    put(p.labels, label_bytes, sizeof label_bytes, false);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int zip = 0; zip < 2; zip++) {
            unsigned char images[sizeof image_bytes];
            memcpy(images, image_bytes, sizeof images);
            memcpy(images + 4, bad[i].dims, sizeof bad[i].dims);
            put(p.images, images, sizeof images, zip);
            CU_ASSERT_EQUAL(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){0}), CVY_ERR_DATA);
            CU_ASSERT(test_message_has(bad[i].message[zip]));
        }
    memcpy(large, cut_in_item, sizeof cut_in_item); /* an item of 20 MiB that a gzip file of so many bytes could hold */
    for (size_t k = sizeof cut_in_item; k < sizeof large; k++) large[k] = (unsigned char)(k * k >> 7);
    put(p.images, large, sizeof large, true);
    CU_ASSERT_EQUAL(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){0}), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("1 items of 20971520 bytes, 20971520 bytes in all, but 1048560 are there"));
}

static void damaged_gzip(void) {
    struct paths p;
    make_paths(&p);
    put(p.images, image_bytes, sizeof image_bytes, true);
    put(p.labels, label_bytes, sizeof label_bytes, true);
    CU_ASSERT_EQUAL(truncate(p.images, cvy_file_size(p.images) - 8), 0);
    CU_ASSERT_EQUAL(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){0}), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("images: damaged: it ends too early"));
    unlink(p.images);
    CU_ASSERT_EQUAL(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){0}), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("images: cannot be opened: No such file"));
}

static void fashion_mnist(void) {
    const char *folder = "/usr/share/datasets/fashion-mnist";
    struct paths p;
    struct cvy_dataset *ds = NULL;
    if (!cvy_folder_exists(folder)) {
        fprintf(stderr, "\n    left out: Fashion-MNIST is not installed in %s\n    ", folder);
        return;
    }
    make_paths(&p);
    TEST_OK(cvy_path_join(folder, "t10k-images-idx3-ubyte.gz", p.images));
    TEST_OK(cvy_path_join(folder, "t10k-labels-idx1-ubyte.gz", p.labels));
    TEST_OK(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){.shard_bytes = 4 << 20}));
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = p.out}, &ds));
    const struct cvy_dataset_info *info = cvy_dataset_info(ds);
    CU_ASSERT(info->count == 10000 && info->classes == 10 && info->shards == 2);
    CU_ASSERT(cvy_shape_equal(info->shape, (struct cvy_shape){28, 28, 1}));
    CU_ASSERT_DOUBLE_EQUAL(info->mean[0], 73.1466, 1e-3); /* of the published files, in NumPy */
    CU_ASSERT_DOUBLE_EQUAL(info->std[0], 89.8733, 1e-3);
    int per_class[10] = {0};
    for (int i = 0; i < 10000; i++) per_class[cvy_dataset_info(ds)->labels[i]]++;
    for (int i = 0; i < 10; i++) CU_ASSERT_EQUAL(per_class[i], 1000);
    TEST_OK(cvy_dataset_verify(ds));
    cvy_dataset_close(&ds);
}

/* Of each format of the list: it is found by its name, and inputs that are not there are named, with nothing written.
 */
static void every_format_of_the_list(void) {
    static const char *const names[] = {
#define NAME(name, ...) #name,
        CVY_PACK_FORMATS(NAME, )};
    static const char *const inputs[] = {"not-there-1", "not-there-2", "not-there-3", "not-there-4"};
    const struct cvy_pack_inputs from = {inputs, {.file = inputs[0]}};
    const struct cvy_pack_format *format, *others[sizeof names / sizeof *names];
    struct paths p;
    make_paths(&p);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        TEST_OK(cvy_pack_find(names[i], &format));
        others[i] = format;
        for (size_t k = 0; k < i; k++) CU_ASSERT_NOT_EQUAL(others[k], format);
        CU_ASSERT(format->inputs >= 1 && format->inputs <= 4 && format->takes[0] && format->hint);
        CU_ASSERT_EQUAL(format->pack(&from, p.out, &(struct cvy_pack_options){0}), CVY_ERR_DATA);
        CU_ASSERT(test_message_has("not-there-1") && !cvy_file_exists(p.out));
    }
    CU_ASSERT_EQUAL(cvy_pack_find("png", &format), CVY_ERR_USAGE);
    CU_ASSERT(test_message_has("unknown format \"png\" of the inputs; there are idx and hdf5"));
}

static const struct test_case cases[] = {
    {"every format of the list", every_format_of_the_list},

    {"IDX packs, plain and gzip", pack_idx},
    {"IDX that is wrong", idx_that_is_wrong},
    {"an IDX head of a giant size", giant_heads},
    {"damaged gzip", damaged_gzip},
    {"Fashion-MNIST as published", fashion_mnist},
    {0},
};
const struct test_suite suite_io_import = {"io_import", cases, NULL};
