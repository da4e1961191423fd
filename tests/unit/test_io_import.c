/* io/idx, io/image, data/pack: foreign formats in, with every way in which they can be wrong. */
#define _GNU_SOURCE
#include <stdio.h>

#include <jpeglib.h>
#include <png.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "data/pack.h"
#include "io/dataset.h"
#include "io/file.h"
#include "io/idx.h"
#include "io/image.h"
#include "test.h"

static bool message_has(const char *text) {
    if (strstr(cvy_error_message(), text)) return true;
    fprintf(stderr, "\n    \"%s\" is not in: %s\n", text, cvy_error_message());
    return false;
}

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
        for (int i = 0; i < 5; i++) CU_ASSERT(cvy_dataset_labels(ds)[i] == label_bytes[8 + i]);
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
        {7, 6, 0, 0, "has 6 images, but"},
        {7, 0, 0, 0, "images: dimension 0 is 0"},
        {8, 200, 0, 0, "is it an IDX file?"},
        {0, 0, 1, 0, "images: cut off: its head says 5 items, it holds 4"},
        {0, 0, 36, 0, "images: cut off in its head"},
        {0, 0, 43, 0, "images: not an IDX file"},
        {0, 0, 0, 2, "labels: cut off: its head says 5 items, it holds 3"},
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
        CU_ASSERT(message_has(bad[i].message));
        CU_ASSERT(!cvy_file_exists(p.out));
    }
}

static void damaged_gzip(void) {
    struct paths p;
    make_paths(&p);
    put(p.images, image_bytes, sizeof image_bytes, true);
    put(p.labels, label_bytes, sizeof label_bytes, true);
    CU_ASSERT_EQUAL(truncate(p.images, cvy_file_size(p.images) - 8), 0);
    CU_ASSERT_EQUAL(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){0}), CVY_ERR_DATA);
    CU_ASSERT(message_has("images: damaged: it ends too early"));
    unlink(p.images);
    CU_ASSERT_EQUAL(cvy_pack_idx(p.images, p.labels, p.out, &(struct cvy_pack_options){0}), CVY_ERR_DATA);
    CU_ASSERT(message_has("images: cannot be opened: No such file"));
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
    for (int i = 0; i < 10000; i++) per_class[cvy_dataset_labels(ds)[i]]++;
    for (int i = 0; i < 10; i++) CU_ASSERT_EQUAL(per_class[i], 1000);
    TEST_OK(cvy_dataset_verify(ds));
    cvy_dataset_close(&ds);
}

/* ---- Images ---- */

static void write_png(const char *path, int h, int w, int format, const unsigned char *pixels) {
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = (unsigned)w, .height = (unsigned)h, .format = (unsigned)format};
    CU_ASSERT(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

static void write_jpeg(const char *path, int h, int w, int c, unsigned char *pixels) {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, file);
    info.image_width = (unsigned)w;
    info.image_height = (unsigned)h;
    info.input_components = c;
    info.in_color_space = c == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 100, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = pixels + info.next_scanline * (unsigned)(w * c);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    fclose(file);
}

static void images_load(void) {
    char path[CVY_PATH_MAX];
    unsigned char color[4 * 5 * 3], gray[20], out[60], alpha[8] = {200, 255, 200, 0, 10, 255, 20, 255};
    for (int i = 0; i < 60; i++) color[i] = (unsigned char)(40 + i * 3);
    for (int i = 0; i < 20; i++) gray[i] = (unsigned char)(i * 12);
    TEST_OK(cvy_path_join(test_folder(), "i", path));
    write_png(path, 4, 5, PNG_FORMAT_RGB, color);
    TEST_OK(cvy_image_load(path, (struct cvy_shape){4, 5, 3}, out));
    CU_ASSERT(memcmp(out, color, 60) == 0);
    TEST_OK(cvy_image_load(path, (struct cvy_shape){4, 5, 1}, out));
    for (int i = 0; i < 20; i++) {
        double luma = 0.299 * color[3 * i] + 0.587 * color[3 * i + 1] + 0.114 * color[3 * i + 2];
        CU_ASSERT_DOUBLE_EQUAL(out[i], luma, 0.51);
    }
    write_png(path, 4, 5, PNG_FORMAT_GRAY, gray);
    TEST_OK(cvy_image_load(path, (struct cvy_shape){4, 5, 3}, out));
    for (int i = 0; i < 60; i++) CU_ASSERT(out[i] == gray[i / 3]);
    write_png(path, 1, 4, PNG_FORMAT_GA, alpha);
    TEST_OK(cvy_image_load(path, (struct cvy_shape){1, 4, 1}, out));
    CU_ASSERT(out[0] == 200 && out[1] == 0 && out[2] == 10 && out[3] == 20);
    write_jpeg(path, 4, 5, 1, gray);
    TEST_OK(cvy_image_load(path, (struct cvy_shape){4, 5, 1}, out));
    for (int i = 0; i < 20; i++) CU_ASSERT(abs(out[i] - gray[i]) <= 2);
    memset(color, 90, sizeof color);
    write_jpeg(path, 4, 5, 3, color);
    TEST_OK(cvy_image_load(path, (struct cvy_shape){2, 2, 3}, out));
    for (int i = 0; i < 12; i++) CU_ASSERT(abs(out[i] - 90) <= 1);
}

static void images_that_are_wrong(void) {
    static unsigned char pixels[64 * 64 * 3], out[3];
    char path[CVY_PATH_MAX], whole[CVY_PATH_MAX];
    struct cvy_shape shape = {1, 1, 3};
    const char *folder = test_folder();
    TEST_OK(cvy_path_join(folder, "i", path));
    TEST_OK(cvy_path_join(folder, "whole", whole));
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * i >> 3);
    CU_ASSERT_EQUAL(cvy_image_load(path, shape, out), CVY_ERR_DATA);
    CU_ASSERT(message_has("cannot be opened: No such file"));
    put(path, "GIF89a", 6, false);
    CU_ASSERT_EQUAL(cvy_image_load(path, shape, out), CVY_ERR_DATA);
    CU_ASSERT(message_has("neither a PNG nor a JPEG file (it begins with 47 49 46 38)"));
    put(path, "", 0, false);
    CU_ASSERT_EQUAL(cvy_image_load(path, shape, out), CVY_ERR_DATA);
    CU_ASSERT_EQUAL(cvy_image_load(path, (struct cvy_shape){1, 1, 2}, out), CVY_ERR_DATA);
    for (int jpeg = 0; jpeg < 2; jpeg++) {
        struct cvy_buf bytes = {0};
        if (jpeg)
            write_jpeg(whole, 64, 64, 3, pixels);
        else
            write_png(whole, 64, 64, PNG_FORMAT_RGB, pixels);
        TEST_OK(cvy_file_read(whole, 1 << 20, &bytes));
        for (size_t cut = 4; cut < bytes.size - 20; cut += 1 + bytes.size / 40) { /* cut anywhere: an error, no guess */
            put(path, bytes.data, cut, false);
            CU_ASSERT_EQUAL(cvy_image_load(path, shape, out), CVY_ERR_DATA);
            CU_ASSERT(message_has(jpeg ? "damaged JPEG file" : "damaged PNG file"));
        }
        for (size_t at = 0; at < bytes.size; at += 1 + bytes.size / 300) { /* flipped anywhere: no crash */
            bytes.data[at] ^= 0x55;
            put(path, bytes.data, bytes.size, false);
            cvy_status status = cvy_image_load(path, shape, out);
            CU_ASSERT(status == CVY_OK || status == CVY_ERR_DATA);
            bytes.data[at] ^= 0x55;
        }
        cvy_buf_destroy(&bytes);
    }
}

/* A head that promises more pixels than anybody has memory for. */
static void huge_image(void) {
    char path[CVY_PATH_MAX];
    unsigned char out[1], pixel = 0;
    struct cvy_buf bytes = {0};
    TEST_OK(cvy_path_join(test_folder(), "i", path));
    write_png(path, 1, 1, PNG_FORMAT_GRAY, &pixel);
    TEST_OK(cvy_file_read(path, 1 << 20, &bytes));
    unsigned char *head = (unsigned char *)bytes.data + 12; /* "IHDR", width, height, …, CRC */
    memcpy(head + 4, "\0\0\xff\xff\0\0\xff\xff", 8);
    unsigned crc = (unsigned)crc32(0, head, 17);
    for (int i = 0; i < 4; i++) head[17 + i] = (unsigned char)(crc >> (24 - 8 * i));
    put(path, bytes.data, bytes.size, false);
    CU_ASSERT_EQUAL(cvy_image_load(path, (struct cvy_shape){1, 1, 1}, out), CVY_ERR_DATA);
    CU_ASSERT(message_has("65535×65535 pixels; at most 64 million"));
    cvy_buf_destroy(&bytes);
}

static void resizing(void) {
    unsigned char in[16 * 16], out[64 * 64], ramp[8] = {0, 10, 20, 30, 40, 50, 60, 70};
    memset(in, 137, sizeof in);
    static const struct cvy_shape sizes[] = {{1, 1, 1}, {7, 5, 1}, {16, 16, 1}, {16, 3, 1}, {64, 64, 1}, {33, 17, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) { /* a constant stays */
        TEST_OK(cvy_image_resize(in, (struct cvy_shape){16, 16, 1}, sizes[i], out));
        for (int64_t k = 0; k < cvy_shape_count(sizes[i]); k++) CU_ASSERT_EQUAL(out[k], 137);
    }
    TEST_OK(cvy_image_resize(ramp, (struct cvy_shape){1, 8, 1}, (struct cvy_shape){1, 16, 1}, out));
    for (int i = 1; i < 15; i++) CU_ASSERT_DOUBLE_EQUAL(out[i], 5 * i - 2.5, 0.51); /* bilinear, centres aligned */
    CU_ASSERT(out[0] == 0 && out[15] == 70);
    memset(in, 0, sizeof in); /* shrinking by 8 still sees every pixel */
    in[16 * 5 + 5] = 255;
    TEST_OK(cvy_image_resize(in, (struct cvy_shape){16, 16, 1}, (struct cvy_shape){2, 2, 1}, out));
    CU_ASSERT(out[0] > 0 && out[0] > out[1] && out[0] > out[3]);
}

static const struct test_case cases[] = {
    {"IDX packs, plain and gzip", pack_idx},
    {"IDX that is wrong", idx_that_is_wrong},
    {"damaged gzip", damaged_gzip},
    {"Fashion-MNIST as published", fashion_mnist},
    {"PNG and JPEG load", images_load},
    {"images that are wrong", images_that_are_wrong},
    {"an image of too many pixels", huge_image},
    {"resizing", resizing},
    {0},
};
const struct test_suite suite_io_import = {"io_import", cases, NULL};
