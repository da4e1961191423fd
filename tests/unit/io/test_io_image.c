/* io/image: PNG and JPEG files of every kind, to the values that are in them; damaged ones; resizing. */
#define _GNU_SOURCE
#include <stdio.h>

#include <jpeglib.h>
#include <png.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "convoy/formats.h"
#include "core/log.h"
#include "io/file.h"
#include "io/image/image.h"
#include "io/image/image_decode.h"
#include "test.h"

static void put(const char *path, const void *bytes, size_t size) {
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){bytes, size}, 1));
}

/* Over black. */
static cvy_status load(const char *path, struct cvy_shape shape, unsigned char *out) {
    return cvy_image_load(path, shape, &(struct cvy_image_options){.log = NULL}, out);
}

static void file_in_folder(char path[CVY_PATH_MAX]) {
    TEST_OK(cvy_path_join(test_folder(), "i", path));
}

/* Every byte within `far` of what is expected; else the first that is not is shown. */
static void expect_bytes(const unsigned char *found, const int *expected, int count, int far, const char *what) {
    for (int i = 0; i < count; i++) {
        if (abs(found[i] - expected[i]) <= far) continue;
        fprintf(stderr, "\n    %s: byte %d is %d, expected %d\n", what, i, found[i], expected[i]);
        CU_FAIL("another byte");
        return;
    }
}

/* ---- PNG files, chunk by chunk ---- */

static void put_number(struct cvy_buf *png, unsigned long value) {
    const unsigned char bytes[4] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                    (unsigned char)(value >> 8), (unsigned char)value};
    cvy_buf_write(png, bytes, 4);
}

static void put_chunk(struct cvy_buf *png, const char *type, const void *bytes, size_t size) {
    put_number(png, size);
    const size_t start = png->size;
    cvy_buf_write(png, type, 4);
    cvy_buf_write(png, bytes, size);
    put_number(png, crc32(0, (const unsigned char *)png->data + start, (unsigned)(png->size - start)));
}

struct chunk {
    const char *type;
    const void *bytes;
    size_t size;
};

/* A PNG file of rows as they are stored, `row` bytes each; `more`: chunks before the pixels, up to one without a type.
 */
static void write_chunks(const char *path, int h, int w, int depth, int kind, const struct chunk *more,
                         const unsigned char *rows, size_t row) {
    struct cvy_buf png = {0};
    unsigned char head[13] =
        {0, 0, 0, (unsigned char)w, 0, 0, 0, (unsigned char)h, (unsigned char)depth, (unsigned char)kind},
                  raw[512], packed[1024];
    uLongf size = sizeof packed;
    cvy_buf_write(&png, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&png, "IHDR", head, 13);
    for (; more && more->type; more++) put_chunk(&png, more->type, more->bytes, more->size);
    for (int y = 0; y < h; y++) {
        raw[(size_t)y * (row + 1)] = 0; /* no filter */
        memcpy(raw + (size_t)y * (row + 1) + 1, rows + (size_t)y * row, row);
    }
    CU_ASSERT_EQUAL(compress(packed, &size, raw, (size_t)h * (row + 1)), Z_OK);
    put_chunk(&png, "IDAT", packed, size);
    put_chunk(&png, "IEND", NULL, 0);
    put(path, png.data, png.size);
    cvy_buf_destroy(&png);
}

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGB_ALPHA = 6 }; /* the kinds of PNG */

/* What would bend the values if it were applied. */
static const struct chunk colours[] = {
    {"gAMA", "\0\1\x86\xa0", 4},
    {"cHRM", "\0\0\x75\x30\0\0\x75\x30\0\0\xea\x60\0\0\x75\x30\0\0\x75\x30\0\0\xea\x60\0\0\x3a\x98\0\0\x17\x70", 32},
    {"sRGB", "\0", 1},
    {"sBIT", "\5\5\5", 3},
    {"iCCP", "profile", 7},
    {0}};

static void sixteen_bits(void) {
    static const int grey[6] = {0, 128, 255, 1, 65535, 32896}, over_257[6] = {0, 0, 1, 0, 255, 128};
    static const int color[6] = {100, 10000, 40000, 65000, 25700, 385};
    static const int color_257[6] = {0, 39, 156, 253, 100, 1}; /* to the nearest */
    unsigned char rows[12], out[6];
    char path[CVY_PATH_MAX];
    file_in_folder(path);
    for (int with = 0; with < 2; with++) {
        const struct chunk *more = with ? colours : NULL;
        for (int i = 0; i < 6; i++)
            rows[2 * i] = (unsigned char)(grey[i] >> 8), rows[2 * i + 1] = (unsigned char)grey[i];
        write_chunks(path, 2, 3, 16, GREY, more, rows, 6);
        TEST_OK(load(path, (struct cvy_shape){2, 3, 1}, out));
        expect_bytes(out, over_257, 6, 0, "16-bit grey");
        for (int i = 0; i < 6; i++)
            rows[2 * i] = (unsigned char)(color[i] >> 8), rows[2 * i + 1] = (unsigned char)color[i];
        write_chunks(path, 1, 2, 16, RGB, more, rows, 12);
        TEST_OK(load(path, (struct cvy_shape){1, 2, 3}, out));
        expect_bytes(out, color_257, 6, 0, "16-bit colour");
    }
}

static void colours_are_not_applied(void) {
    static const unsigned char rows[6] = {10, 60, 110, 160, 210, 250};
    static const int same[6] = {10, 60, 110, 160, 210, 250};
    unsigned char out[6];
    char path[CVY_PATH_MAX];
    file_in_folder(path);
    for (size_t i = 0; colours[i].type; i++) {
        const struct chunk one[2] = {colours[i]};
        write_chunks(path, 2, 1, 8, RGB, one, rows, 3);
        TEST_OK(load(path, (struct cvy_shape){2, 1, 3}, out));
        expect_bytes(out, same, 6, 0, colours[i].type);
    }
}

static void few_bits(void) {
    static const unsigned char ones[1] = {0xa0}, twos[1] = {0x1b}, fours[2] = {0x0f, 0x7a};
    static const int from_ones[4] = {255, 0, 255, 0}, from_twos[4] = {0, 85, 170, 255},
                     from_fours[4] = {0, 255, 119, 170};
    static const unsigned char colors[] = {1, 2, 3, 40, 50, 60, 70, 80, 90, 255, 0, 128};
    static const struct chunk palette[] = {{"PLTE", colors, 12}, {"gAMA", "\0\1\x86\xa0", 4}, {0}};
    unsigned char out[12];
    int expected[12];
    char path[CVY_PATH_MAX];
    file_in_folder(path);
    write_chunks(path, 1, 4, 1, GREY, NULL, ones, 1);
    TEST_OK(load(path, (struct cvy_shape){1, 4, 1}, out));
    expect_bytes(out, from_ones, 4, 0, "1 bit");
    write_chunks(path, 1, 4, 2, GREY, NULL, twos, 1);
    TEST_OK(load(path, (struct cvy_shape){1, 4, 1}, out));
    expect_bytes(out, from_twos, 4, 0, "2 bits");
    write_chunks(path, 1, 4, 4, GREY, NULL, fours, 2);
    TEST_OK(load(path, (struct cvy_shape){1, 4, 1}, out));
    expect_bytes(out, from_fours, 4, 0, "4 bits");
    write_chunks(path, 1, 4, 2, PALETTE, palette, twos, 1);
    TEST_OK(load(path, (struct cvy_shape){1, 4, 3}, out));
    for (int i = 0; i < 12; i++) expected[i] = colors[i];
    expect_bytes(out, expected, 12, 0, "a palette");
    TEST_OK(load(path, (struct cvy_shape){1, 4, 1}, out));
    expect_bytes(out, (const int[4]){2, 48, 78, 91}, 4, 0, "a palette's luma"); /* 0.299 R + 0.587 G + 0.114 B */
}

/* value · alpha + background · (1 − alpha), of sample values as they are. */
static void transparent(void) {
    static const unsigned char grey[8] = {200, 255, 200, 0, 100, 51, 20, 204}; /* alphas 1, 0, 0.2, 0.8 */
    static const unsigned char color[8] = {10, 20, 30, 51, 10, 20, 30, 255}, keyed[6] = {5, 6, 7, 8, 9, 10};
    static const unsigned char colors[] = {10, 20, 30, 100, 110, 120}, see_through[] = {51};
    static const struct chunk palette[] = {{"PLTE", colors, 6}, {"tRNS", see_through, 1}, {0}};
    static const struct chunk key[] = {{"tRNS", "\0\5\0\6\0\7", 6}, {0}};
    static const struct {
        unsigned char background[3];
        int grey[4], color[6], palette[6], keyed[6], on_color[3];
    } cases[] = {
        {{0, 0, 0},
         {200, 0, 20, 16},
         {2, 4, 6, 10, 20, 30},
         {2, 4, 6, 100, 110, 120},
         {0, 0, 0, 8, 9, 10},
         {20, 20, 20}},
        {{255, 255, 255},
         {200, 255, 224, 67},
         {206, 208, 210, 10, 20, 30},
         {206, 208, 210, 100, 110, 120},
         {255, 255, 255, 8, 9, 10},
         {224, 224, 224}},
        {{100, 50, 0},
         {200, 59, 67, 28},
         {82, 44, 6, 10, 20, 30},
         {82, 44, 6, 100, 110, 120},
         {100, 50, 0, 8, 9, 10},
         {100, 60, 20}},
    };
    unsigned char out[12];
    char path[CVY_PATH_MAX];
    file_in_folder(path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cvy_image_options how = {.log = NULL};
        memcpy(how.background, cases[i].background, 3);
        write_chunks(path, 1, 4, 8, GREY_ALPHA, colours, grey, 8);
        TEST_OK(cvy_image_load(path, (struct cvy_shape){1, 4, 1}, &how, out));
        expect_bytes(out, cases[i].grey, 4, 0, "grey and alpha");
        TEST_OK(cvy_image_load(path, (struct cvy_shape){1, 4, 3}, &how, out));
        expect_bytes(out + 6, cases[i].on_color, 3, 0, "grey and alpha on a colour");
        write_chunks(path, 1, 2, 8, RGB_ALPHA, NULL, color, 8);
        TEST_OK(cvy_image_load(path, (struct cvy_shape){1, 2, 3}, &how, out));
        expect_bytes(out, cases[i].color, 6, 0, "colour and alpha");
        write_chunks(path, 1, 2, 1, PALETTE, palette, (const unsigned char[1]){0x40}, 1);
        TEST_OK(cvy_image_load(path, (struct cvy_shape){1, 2, 3}, &how, out));
        expect_bytes(out, cases[i].palette, 6, 0, "a palette with alpha");
        write_chunks(path, 1, 2, 8, RGB, key, keyed, 6);
        TEST_OK(cvy_image_load(path, (struct cvy_shape){1, 2, 3}, &how, out));
        expect_bytes(out, cases[i].keyed, 6, 0, "a colour that is transparent");
    }
}

/* 16 bits of value and alpha are not rounded before they are multiplied. */
static void transparent_16_bits(void) {
    static const unsigned values[4][2] = {
        {65535, 384}, {40000, 25829}, {65150, 33023}, {128, 65406}}; /* value, alpha */
    unsigned char row[16], out[4];
    char path[CVY_PATH_MAX];
    file_in_folder(path);
    for (int i = 0; i < 8; i++) {
        row[2 * i] = (unsigned char)(values[i / 2][i % 2] >> 8);
        row[2 * i + 1] = (unsigned char)values[i / 2][i % 2];
    }
    write_chunks(path, 1, 4, 16, GREY_ALPHA, NULL, row, 16);
    for (int behind = 0; behind < 256; behind += 85) {
        const unsigned char grey = (unsigned char)behind;
        const struct cvy_image_options how = {.background = {grey, grey, grey}};
        TEST_OK(cvy_image_load(path, (struct cvy_shape){1, 4, 1}, &how, out));
        for (int i = 0; i < 4; i++) {
            const double alpha = values[i][1] / 65535.0, exact = values[i][0] / 257.0 * alpha + behind * (1 - alpha);
            CU_ASSERT_DOUBLE_EQUAL(out[i], exact, 0.501);
        }
    }
}

static void interlaced(void) {
    unsigned char pixels[11 * 13], out[11 * 13];
    png_bytep rows[11];
    char path[CVY_PATH_MAX];
    file_in_folder(path);
    for (int i = 0; i < 11 * 13; i++) pixels[i] = (unsigned char)(i * 37);
    for (int y = 0; y < 11; y++) rows[y] = pixels + y * 13;
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file);
    png_set_IHDR(png, info, 13, 11, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_ADAM7, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_rows(png, info, rows);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
    TEST_OK(load(path, (struct cvy_shape){11, 13, 1}, out));
    CU_ASSERT(memcmp(out, pixels, sizeof pixels) == 0);
}

static void write_png(const char *path, int h, int w, int format, const unsigned char *pixels) {
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = (unsigned)w, .height = (unsigned)h, .format = (unsigned)format};
    CU_ASSERT(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

/* ---- JPEG files ---- */

struct jpeg_kind {
    int channels;
    J_COLOR_SPACE given, stored;
    bool progressive, plain; /* plain: without Adobe's marker */
    const void *exif;        /* a TIFF header and what follows */
    size_t exif_size;
};

static void put_exif(j_compress_ptr info, const struct jpeg_kind *kind) {
    unsigned char marker[128] = "Exif\0";
    memcpy(marker + 6, kind->exif, kind->exif_size);
    jpeg_write_marker(info, JPEG_APP0 + 1, marker, (unsigned)kind->exif_size + 6);
}

static void write_jpeg_as(const char *path, int h, int w, const struct jpeg_kind *kind, unsigned char *pixels) {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, file);
    info.image_width = (unsigned)w;
    info.image_height = (unsigned)h;
    info.input_components = kind->channels;
    info.in_color_space = kind->given;
    jpeg_set_defaults(&info);
    jpeg_set_colorspace(&info, kind->stored);
    if (kind->plain) info.write_Adobe_marker = FALSE;
    if (kind->progressive) jpeg_simple_progression(&info);
    jpeg_set_quality(&info, 100, TRUE);
    jpeg_start_compress(&info, TRUE);
    if (kind->exif) put_exif(&info, kind);
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = pixels + info.next_scanline * (unsigned)(w * kind->channels);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    fclose(file);
}

static void write_jpeg(const char *path, int h, int w, int c, unsigned char *pixels) {
    const struct jpeg_kind color = {3, JCS_RGB, JCS_YCbCr, .plain = false},
                           grey = {1, JCS_GRAYSCALE, JCS_GRAYSCALE, .plain = false};
    write_jpeg_as(path, h, w, c == 3 ? &color : &grey, pixels);
}

/* Fills 8×8 blocks of one value each, which JPEG keeps within 1. values: [blocks][c] */
static void fill_blocks(int rows, int columns, int c, const unsigned char *values, unsigned char *pixels) {
    for (int i = 0; i < rows * columns * 64; i++) {
        const int y = i / (columns * 8), x = i % (columns * 8);
        memcpy(pixels + i * c, values + (y / 8 * columns + x / 8) * c, (size_t)c);
    }
}

/* Light that inks let through, stored as Adobe does: 255 for none. */
static void inks(void) {
    static const unsigned char values[] = {255, 255, 255, 255, 200, 100, 50, 255, 200, 100, 50, 128, 0, 255, 90, 204};
    static const int light[] = {255, 255, 255, 200, 100, 50, 100, 50, 25, 0, 204, 72}; /* c · k / 255 */
    static const struct jpeg_kind kinds[] = {{4, JCS_CMYK, JCS_CMYK, .plain = false},
                                             {4, JCS_CMYK, JCS_CMYK, .plain = true},
                                             {4, JCS_CMYK, JCS_YCCK, .plain = false},
                                             {4, JCS_CMYK, JCS_YCCK, .progressive = true}};
    static unsigned char pixels[64 * 64 * 4], out[12];
    char path[CVY_PATH_MAX];
    file_in_folder(path);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (int v = 0; v < 4; v++) { /* a picture a value: chroma of neighbours would mix */
            for (int k = 0; k < 256; k++) memcpy(pixels + 4 * k, values + 4 * v, 4);
            write_jpeg_as(path, 16, 16, &kinds[i], pixels);
            TEST_OK(load(path, (struct cvy_shape){1, 1, 3}, out));
            expect_bytes(out, light + 3 * v, 3, kinds[i].stored == JCS_YCCK ? 2 : 1, "inks");
        }
    }
    const unsigned luma = (unsigned)(0.299 * 0 + 0.587 * 204 + 0.114 * 72 + 0.5);
    TEST_OK(load(path, (struct cvy_shape){1, 1, 1}, out));
    CU_ASSERT(abs(out[0] - (int)luma) <= 2);
}

static void kinds_of_jpeg(void) {
    static const struct jpeg_kind kinds[] = {
        {3, JCS_RGB, JCS_YCbCr, .progressive = true},
        {3, JCS_RGB, JCS_RGB, .plain = false}, /* Adobe's marker says that it is no YCbCr */
        {3, JCS_RGB, JCS_YCbCr, .plain = false}};
    static const int color[3] = {200, 90, 30};
    unsigned char pixels[16 * 16 * 3], out[3];
    char path[CVY_PATH_MAX];
    file_in_folder(path);
    for (int i = 0; i < 16 * 16 * 3; i++) pixels[i] = (unsigned char)color[i % 3];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        write_jpeg_as(path, 16, 16, &kinds[i], pixels);
        TEST_OK(load(path, (struct cvy_shape){1, 1, 3}, out));
        expect_bytes(out, color, 3, 1, "a colour");
    }
}

/* ---- EXIF ---- */

/* A directory of two entries, the second the orientation. */
static size_t make_exif(unsigned char out[64], bool little, int orientation) {
    static const unsigned char big[] = {'M', 'M', 0, 42, 0,    0, 0, 8, 0, 2, 1, 0, 0, 3, 0, 0, 0, 1, 0,
                                        99,  0,   0, 1,  0x12, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    static const unsigned char small[] = {'I', 'I', 42, 0,    8, 0, 0, 0, 2, 0, 0, 1, 3, 0, 1, 0, 0, 0, 99,
                                          0,   0,   0,  0x12, 1, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    memcpy(out, little ? small : big, sizeof big);
    out[little ? 30 : 31] = (unsigned char)orientation;
    return sizeof big;
}

/* How the file's rows {a b c} {d e f} look upright, by where their row 0 and column 0 belong (Exif 2.32, 4.6.4). */
static const struct {
    int h, w;
    const char *pixels;
} upright[9] = {
    {2, 3, "abcdef"}, {2, 3, "abcdef"}, /* 1: top, left; 0: no such */
    {2, 3, "cbafed"},                   /* top, right */
    {2, 3, "fedcba"},                   /* bottom, right */
    {2, 3, "defabc"},                   /* bottom, left */
    {3, 2, "adbecf"},                   /* left, top */
    {3, 2, "daebfc"},                   /* right, top */
    {3, 2, "fcebda"},                   /* right, bottom */
    {3, 2, "cfbead"},                   /* left, bottom */
};

static void expect_upright(const char *path, int orientation, int block, int far) {
    const int h = upright[orientation].h, w = upright[orientation].w;
    unsigned char out[16 * 24];
    TEST_OK(load(path, (struct cvy_shape){h * block, w * block, 1}, out));
    for (int y = 0; y < h * block; y++)
        for (int x = 0; x < w * block; x++) {
            const int expected = 40 * (upright[orientation].pixels[y / block * w + x / block] - 'a');
            expect_bytes(out + y * w * block + x, &expected, 1, far, path);
        }
}

static void orientations(void) {
    static const unsigned char values[6] = {0, 40, 80, 120, 160, 200};
    static unsigned char pixels[16 * 24];
    unsigned char exif[64];
    char path[CVY_PATH_MAX];
    file_in_folder(path);
    fill_blocks(2, 3, 1, values, pixels);
    for (int orientation = 0; orientation <= 8; orientation++)
        for (int little = 0; little < 2; little++) {
            const size_t size = make_exif(exif, little, orientation);
            const struct jpeg_kind kind = {1, JCS_GRAYSCALE, JCS_GRAYSCALE, .exif = exif, .exif_size = size};
            write_jpeg_as(path, 16, 24, &kind, pixels);
            expect_upright(path, orientation, 8, 1);
#ifdef PNG_eXIf_SUPPORTED
            write_chunks(path, 2, 3, 8, GREY, (const struct chunk[]){{"eXIf", exif, size}, {0}}, values, 3);
            expect_upright(path, orientation, 1, 0);
#endif
        }
    size_t size = make_exif(exif, false, 6);
    for (size_t cut = 0; cut < size; cut++) { /* cut anywhere: no orientation, no reading behind its end */
        unsigned char *copy = malloc(cut + 1);
        memcpy(copy, exif, cut);
        const struct jpeg_kind kind = {1, JCS_GRAYSCALE, JCS_GRAYSCALE, .exif = copy, .exif_size = cut};
        write_jpeg_as(path, 16, 24, &kind, pixels);
        if (cut < 34) expect_upright(path, 1, 8, 1);
        free(copy);
    }
}

/* ---- Odd, but readable ---- */

static int lines_with(const char *path, const char *words) {
    struct cvy_buf text = {0};
    int count = 0;
    TEST_OK(cvy_file_read(path, 1 << 20, &text));
    for (const char *p = cvy_buf_text(&text); (p = strstr(p, words)); p++) count++;
    cvy_buf_destroy(&text);
    return count;
}

/* Changes bytes of a good JPEG, offset `at` from a marker; both must give the same picture, with one warning. */
static void expect_odd(const char *path, const struct cvy_buf *good, size_t at, const char *bytes, size_t count,
                       const char *words) {
    unsigned char before[16 * 16 * 3], after[16 * 16 * 3];
    struct cvy_log *log = NULL;
    char log_path[CVY_PATH_MAX];
    file_in_folder(log_path);
    put(path, good->data, good->size);
    TEST_OK(load(path, (struct cvy_shape){16, 16, 3}, before));
    memcpy(good->data + at, bytes, count);
    put(path, good->data, good->size);
    TEST_OK(cvy_log_create(CVY_LOG_WARN, false, (struct cvy_log_ears){NULL}, &log));
    TEST_OK(cvy_log_open_file(log, CVY_LOG_OF_RUN, log_path));
    TEST_OK(cvy_image_load(path, (struct cvy_shape){16, 16, 3}, &(struct cvy_image_options){.log = log}, after));
    cvy_log_destroy(&log);
    CU_ASSERT(memcmp(before, after, sizeof before) == 0);
    CU_ASSERT_EQUAL(lines_with(log_path, path), 1);
    CU_ASSERT_EQUAL(lines_with(log_path, words), 1);
}

static size_t find(const struct cvy_buf *file, const char *bytes, size_t count) {
    const char *found = memmem(file->data, file->size, bytes, count);
    CU_ASSERT_PTR_NOT_NULL(found);
    return found ? (size_t)(found - file->data) : 0;
}

static void odd_headers(void) {
    unsigned char pixels[16 * 16 * 3];
    char path[CVY_PATH_MAX];
    struct cvy_buf good = {0};
    file_in_folder(path);
    for (int i = 0; i < 16 * 16 * 3; i++) pixels[i] = (unsigned char)(i / 3);
    write_jpeg(path, 16, 16, 3, pixels);
    TEST_OK(cvy_file_read(path, 1 << 20, &good));
    /* Start and end of the spectrum: a baseline file has nothing to say there. */
    expect_odd(path, &good, find(&good, "\xff\xda\0\x0c", 4) + 11, "\0\0\0", 3, "Invalid SOS parameters");
    write_jpeg(path, 16, 16, 3, pixels);
    cvy_buf_clear(&good);
    TEST_OK(cvy_file_read(path, 1 << 20, &good));
    expect_odd(path, &good, find(&good, "JFIF", 5) + 5, "\2", 1, "JFIF");
    cvy_buf_destroy(&good);
}

/* Cut in its data and closed properly: libjpeg would make the rest up. */
static void jpegs_that_are_refused(void) {
    static unsigned char pixels[64 * 64], out[64 * 64];
    char path[CVY_PATH_MAX];
    struct cvy_buf good = {0};
    file_in_folder(path);
    for (int i = 0; i < 64 * 64; i++) pixels[i] = (unsigned char)(i * i >> 3);
    write_jpeg(path, 64, 64, 1, pixels);
    TEST_OK(cvy_file_read(path, 1 << 20, &good));
    memcpy(good.data + good.size / 2, "\xff\xd9", 2);
    put(path, good.data, good.size / 2 + 2);
    CU_ASSERT_EQUAL(load(path, (struct cvy_shape){64, 64, 1}, out), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("damaged JPEG file: Corrupt JPEG data: premature end of data segment"));
    put(path, good.data, 100);
    cvy_buf_destroy(&good);
    write_jpeg(path, 64, 64, 1, pixels);
    TEST_OK(cvy_file_read(path, 1 << 20, &good));
    good.data[find(&good, "\xff\xc0", 2) + 4] = 12; /* bits a sample */
    put(path, good.data, good.size);
    CU_ASSERT_EQUAL(load(path, (struct cvy_shape){64, 64, 1}, out), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("of a kind that is not read: Unsupported JPEG data precision 12"));
    cvy_buf_destroy(&good);
}

/* ---- Both ---- */

static void images_load(void) {
    char path[CVY_PATH_MAX];
    unsigned char color[4 * 5 * 3], gray[20], out[60], alpha[8] = {200, 255, 200, 0, 10, 255, 20, 255};
    for (int i = 0; i < 60; i++) color[i] = (unsigned char)(40 + i * 3);
    for (int i = 0; i < 20; i++) gray[i] = (unsigned char)(i * 12);
    TEST_OK(cvy_path_join(test_folder(), "i", path));
    write_png(path, 4, 5, PNG_FORMAT_RGB, color);
    TEST_OK(load(path, (struct cvy_shape){4, 5, 3}, out));
    CU_ASSERT(memcmp(out, color, 60) == 0);
    TEST_OK(load(path, (struct cvy_shape){4, 5, 1}, out));
    for (int i = 0; i < 20; i++) {
        double luma = 0.299 * color[3 * i] + 0.587 * color[3 * i + 1] + 0.114 * color[3 * i + 2];
        CU_ASSERT_DOUBLE_EQUAL(out[i], luma, 0.51);
    }
    write_png(path, 4, 5, PNG_FORMAT_GRAY, gray);
    TEST_OK(load(path, (struct cvy_shape){4, 5, 3}, out));
    for (int i = 0; i < 60; i++) CU_ASSERT(out[i] == gray[i / 3]);
    write_png(path, 1, 4, PNG_FORMAT_GA, alpha);
    TEST_OK(load(path, (struct cvy_shape){1, 4, 1}, out));
    CU_ASSERT(out[0] == 200 && out[1] == 0 && out[2] == 10 && out[3] == 20);
    write_jpeg(path, 4, 5, 1, gray);
    TEST_OK(load(path, (struct cvy_shape){4, 5, 1}, out));
    for (int i = 0; i < 20; i++) CU_ASSERT(abs(out[i] - gray[i]) <= 2);
    memset(color, 90, sizeof color);
    write_jpeg(path, 4, 5, 3, color);
    TEST_OK(load(path, (struct cvy_shape){2, 2, 3}, out));
    for (int i = 0; i < 12; i++) CU_ASSERT(abs(out[i] - 90) <= 1);
}

#define DECLARE(name, title) extern const struct cvy_image_format cvy_image_##name;
CVY_PICTURE_FORMATS(DECLARE, )

/* Of each format of the list: a file that begins as its files do is taken for one, by it alone, and is damaged. */
static void every_format_of_the_list(void) {
    static const struct {
        const struct cvy_image_format *format;
        const char *title;
    } all[] = {
#define LIST(name, title) {&cvy_image_##name, title},
        CVY_PICTURE_FORMATS(LIST, )};
    unsigned char out[3], begin[64] = {0};
    char path[CVY_PATH_MAX], said[64];
    file_in_folder(path);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const struct cvy_image_format *f = all[i].format;
        CU_ASSERT(f->magic_size >= 2 && f->magic_size <= CVY_IMAGE_MAGIC);
        memcpy(begin, f->magic, CVY_IMAGE_MAGIC);
        put(path, begin, sizeof begin);
        CU_ASSERT(cvy_image_is(path));
        CU_ASSERT_EQUAL(load(path, (struct cvy_shape){1, 1, 3}, out), CVY_ERR_DATA);
        snprintf(said, sizeof said, "damaged %s file", all[i].title);
        CU_ASSERT(test_message_has(said));
        begin[f->magic_size - 1] ^= 0x55;
        put(path, begin, sizeof begin);
        CU_ASSERT_FALSE(cvy_image_is(path));
    }
}

static void images_that_are_wrong(void) {
    static unsigned char pixels[64 * 64 * 3], out[3];
    char path[CVY_PATH_MAX], whole[CVY_PATH_MAX];
    struct cvy_shape shape = {1, 1, 3};
    const char *folder = test_folder();
    TEST_OK(cvy_path_join(folder, "i", path));
    TEST_OK(cvy_path_join(folder, "whole", whole));
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * i >> 3);
    CU_ASSERT_EQUAL(load(path, shape, out), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("cannot be opened: No such file"));
    put(path, "GIF89a", 6);
    CU_ASSERT_EQUAL(load(path, shape, out), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("neither a PNG nor a JPEG file (it begins with 47 49 46 38)"));
    put(path, "", 0);
    CU_ASSERT_EQUAL(load(path, shape, out), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("is an empty file"));
    CU_ASSERT_EQUAL(load(path, (struct cvy_shape){1, 1, 2}, out), CVY_ERR_DATA);
    for (int jpeg = 0; jpeg < 2; jpeg++) {
        struct cvy_buf bytes = {0};
        if (jpeg)
            write_jpeg(whole, 64, 64, 3, pixels);
        else
            write_png(whole, 64, 64, PNG_FORMAT_RGB, pixels);
        TEST_OK(cvy_file_read(whole, 1 << 20, &bytes));
        for (size_t cut = 4; cut < bytes.size; cut += 1 + bytes.size / 40) { /* cut anywhere: an error, no guess */
            put(path, bytes.data, cut);
            CU_ASSERT_EQUAL(load(path, shape, out), CVY_ERR_DATA);
            CU_ASSERT(test_message_has(jpeg ? "damaged JPEG file" : "damaged PNG file"));
        }
        for (size_t at = 0; at < bytes.size; at += 1 + bytes.size / 300) { /* flipped anywhere: no crash */
            bytes.data[at] ^= 0x55;
            put(path, bytes.data, bytes.size);
            cvy_status status = load(path, shape, out);
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
    put(path, bytes.data, bytes.size);
    CU_ASSERT_EQUAL(load(path, (struct cvy_shape){1, 1, 1}, out), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("65535×65535 pixels; at most 64 million"));
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
    {"PNG and JPEG load", images_load},
    {"16 bits are divided by 257", sixteen_bits},
    {"gamma and colour chunks are not applied", colours_are_not_applied},
    {"1, 2 and 4 bits, palettes", few_bits},
    {"transparent pixels show the background", transparent},
    {"16 bits and alpha", transparent_16_bits},
    {"interlaced PNG", interlaced},
    {"CMYK and YCCK", inks},
    {"progressive JPEG, JPEG of RGB", kinds_of_jpeg},
    {"EXIF orientation", orientations},
    {"odd headers are a warning", odd_headers},
    {"a JPEG without its data, of 12 bits", jpegs_that_are_refused},
    {"every format of the list", every_format_of_the_list},
    {"images that are wrong", images_that_are_wrong},
    {"an image of too many pixels", huge_image},
    {"resizing", resizing},
    {0},
};
const struct test_suite suite_io_image = {"io_image", cases, NULL};
