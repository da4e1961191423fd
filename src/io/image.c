#include "io/image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

#include "core/memory.h"
#include "io/file.h"

#define MOST_PIXELS ((int64_t)64 << 20)

/* A decoded file: [h][w][c], c = 1 or 3. */
struct picture {
    struct cvy_shape shape;
    unsigned char *pixels;
};

static cvy_status take_pixels(const char *path, int64_t h, int64_t w, int c, struct picture *out) {
    CVY_CHECK(h > 0 && w > 0 && h <= MOST_PIXELS && w <= MOST_PIXELS && h * w <= MOST_PIXELS, CVY_ERR_DATA,
              "%s: %lld×%lld pixels; at most 64 million are read, so shrink it first", path, (long long)h,
              (long long)w);
    out->shape = (struct cvy_shape){(int)h, (int)w, c};
    return CVY_NEW(&out->pixels, cvy_shape_count(out->shape), data);
}

/* ---- PNG ---- */

static cvy_status decode_png(FILE *file, const char *path, struct picture *out) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    png_color black = {0, 0, 0};
    cvy_status status = CVY_OK;
    if (png_image_begin_read_from_stdio(&image, file)) {
        bool color = image.format & PNG_FORMAT_FLAG_COLOR;
        image.format = color ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
        status = take_pixels(path, image.height, image.width, color ? 3 : 1, out);
        if (status == CVY_OK) png_image_finish_read(&image, &black, out->pixels, 0, NULL);
    }
    if (status == CVY_OK && PNG_IMAGE_FAILED(image))
        status = CVY_FAIL(CVY_ERR_DATA, "%s: damaged PNG file: %s", path, image.message);
    png_image_free(&image);
    return status;
}

/* ---- JPEG ---- */

struct jpeg_failure {
    struct jpeg_error_mgr base;
    jmp_buf back;
    char message[JMSG_LENGTH_MAX];
};

static void jpeg_fail(j_common_ptr info) {
    struct jpeg_failure *failure = (struct jpeg_failure *)info->err;
    info->err->format_message(info, failure->message);
    longjmp(failure->back, 1);
}

/* A warning means missing or damaged data, and libjpeg makes it up: we do not. */
static void jpeg_warn(j_common_ptr info, int level) {
    if (level < 0) jpeg_fail(info);
}

/* Everything that may jump; pointers that must survive live in `out` and `info`. */
static cvy_status read_jpeg(struct jpeg_decompress_struct *info, FILE *file, const char *path, struct picture *out) {
    jpeg_stdio_src(info, file);
    jpeg_read_header(info, TRUE);
    bool color = info->jpeg_color_space != JCS_GRAYSCALE;
    info->out_color_space = color ? JCS_RGB : JCS_GRAYSCALE;
    info->dct_method = JDCT_ISLOW;
    CVY_TRY(take_pixels(path, info->image_height, info->image_width, color ? 3 : 1, out));
    jpeg_start_decompress(info);
    size_t row = (size_t)out->shape.w * (size_t)out->shape.c;
    while (info->output_scanline < info->output_height) {
        JSAMPROW line = out->pixels + info->output_scanline * row;
        jpeg_read_scanlines(info, &line, 1);
    }
    jpeg_finish_decompress(info);
    return CVY_OK;
}

static cvy_status decode_jpeg(FILE *file, const char *path, struct picture *out) {
    struct jpeg_decompress_struct info;
    struct jpeg_failure failure;
    cvy_status status;
    info.err = jpeg_std_error(&failure.base);
    failure.base.error_exit = jpeg_fail;
    failure.base.emit_message = jpeg_warn;
    jpeg_create_decompress(&info);
    if (setjmp(failure.back) == 0)
        status = read_jpeg(&info, file, path, out);
    else
        status = CVY_FAIL(CVY_ERR_DATA, "%s: damaged JPEG file: %s", path, failure.message);
    jpeg_destroy_decompress(&info);
    return status;
}

/* ---- Channels and size ---- */

/* In place: RGB to luma (ITU-R BT.601), or one channel to three. */
static cvy_status to_channels(struct picture *p, int channels) {
    size_t pixels = (size_t)p->shape.h * (size_t)p->shape.w;
    if (p->shape.c == channels) return CVY_OK;
    p->shape.c = channels;
    if (channels == 1) {
        for (size_t i = 0; i < pixels; i++) {
            const unsigned char *v = p->pixels + 3 * i;
            p->pixels[i] = (unsigned char)((19595u * v[0] + 38470u * v[1] + 7471u * v[2] + 32768u) >> 16);
        }
        return CVY_OK;
    }
    unsigned char *color;
    CVY_TRY(CVY_NEW(&color, 3 * pixels, data));
    for (size_t i = 0; i < 3 * pixels; i++) color[i] = p->pixels[i / 3];
    cvy_free(p->pixels);
    p->pixels = color;
    return CVY_OK;
}

/* Weights of input positions for one output position along an axis: a triangle around its centre, as wide as an output
 * pixel when shrinking (so that every input counts), as an input pixel when growing (plain bilinear). */
struct taps {
    int first, count;
    float weight[];
};

static int most_taps(int from, int to) {
    return 2 * (from > to ? (from + to - 1) / to : 1) + 2;
}

static void set_taps(struct taps *t, int from, int to, int at) {
    double scale = (double)from / to, radius = scale > 1 ? scale : 1, center = (at + 0.5) * scale, sum = 0;
    int first = (int)(center - radius), last = (int)(center + radius);
    t->first = first < 0 ? 0 : first;
    t->count = (last >= from ? from - 1 : last) - t->first + 1;
    for (int i = 0; i < t->count; i++) {
        double distance = (t->first + i + 0.5 - center) / radius;
        double weight = 1 - (distance < 0 ? -distance : distance);
        t->weight[i] = weight > 0 ? (float)weight : 0;
        sum += t->weight[i];
    }
    for (int i = 0; i < t->count; i++) t->weight[i] = (float)(t->weight[i] / sum);
}

/* Along the width: [h][from][c] bytes → [h][to][c] floats. */
static void resize_rows(struct cvy_shape from, int to, const unsigned char *in, struct taps *t, float *out) {
    size_t c = (size_t)from.c;
    for (int x = 0; x < to; x++) {
        set_taps(t, from.w, to, x);
        for (int y = 0; y < from.h; y++)
            for (size_t k = 0; k < c; k++) {
                const unsigned char *row = in + ((size_t)y * (size_t)from.w + (size_t)t->first) * c + k;
                float sum = 0;
                for (int i = 0; i < t->count; i++) sum += t->weight[i] * row[(size_t)i * c];
                out[((size_t)y * (size_t)to + (size_t)x) * c + k] = sum;
            }
    }
}

/* Along the height: [h][row] floats → [to][row] bytes. */
static void resize_columns(int h, int to, size_t row, const float *in, struct taps *t, unsigned char *out) {
    for (int y = 0; y < to; y++) {
        set_taps(t, h, to, y);
        for (size_t j = 0; j < row; j++) {
            float sum = 0;
            for (int i = 0; i < t->count; i++) sum += t->weight[i] * in[(size_t)(t->first + i) * row + j];
            out[(size_t)y * row + j] = (unsigned char)(sum > 255 ? 255 : sum + 0.5f);
        }
    }
}

cvy_status cvy_image_resize(const unsigned char *in, struct cvy_shape from, struct cvy_shape to, unsigned char *out) {
    CVY_CHECK(from.c == to.c, CVY_ERR_INTERNAL, "resizing %d channels to %d", from.c, to.c);
    if (cvy_shape_equal(from, to)) {
        memcpy(out, in, (size_t)cvy_shape_count(to));
        return CVY_OK;
    }
    int wide = most_taps(from.w, to.w), high = most_taps(from.h, to.h);
    size_t row = (size_t)to.w * (size_t)to.c;
    struct taps *taps = NULL;
    float *rows = NULL;
    cvy_status status =
        cvy_alloc(sizeof *taps + (size_t)(wide > high ? wide : high) * sizeof(float), CVY_TAG_data, (void **)&taps);
    if (status == CVY_OK) status = CVY_NEW(&rows, (size_t)from.h * row, data);
    if (status == CVY_OK) {
        resize_rows(from, to.w, in, taps, rows);
        resize_columns(from.h, to.h, row, rows, taps, out);
    }
    cvy_free(rows);
    cvy_free(taps);
    return status;
}

/* ---- Loading ---- */

static cvy_status decode(FILE *file, const char *path, struct picture *out) {
    static const unsigned char png[] = {0x89, 'P', 'N', 'G'}, jpeg[] = {0xff, 0xd8, 0xff};
    unsigned char magic[4] = {0};
    size_t got = fread(magic, 1, sizeof magic, file);
    rewind(file);
    if (got == 4 && memcmp(magic, png, sizeof png) == 0) return decode_png(file, path, out);
    if (got == 4 && memcmp(magic, jpeg, sizeof jpeg) == 0) return decode_jpeg(file, path, out);
    return CVY_FAIL(CVY_ERR_DATA, "%s: neither a PNG nor a JPEG file (it begins with %02x %02x %02x %02x)", path,
                    magic[0], magic[1], magic[2], magic[3]);
}

cvy_status cvy_image_load(const char *path, struct cvy_shape shape, unsigned char *out) {
    struct picture picture = {0};
    CVY_CHECK(shape.c == 1 || shape.c == 3, CVY_ERR_DATA,
              "%s: an image has 1 or 3 channels, the network wants %d; give it samples of an HDF5 file", path, shape.c);
    CVY_TRY(cvy_file_no_folder(path, ".png", CVY_ERR_DATA));
    FILE *file = fopen(path, "rb");
    CVY_CHECK(file, CVY_ERR_DATA, "%s: cannot be opened: %s", path, strerror(errno));
    cvy_status status = decode(file, path, &picture);
    fclose(file);
    if (status == CVY_OK) status = to_channels(&picture, shape.c);
    if (status == CVY_OK) status = cvy_image_resize(picture.pixels, picture.shape, shape, out);
    cvy_free(picture.pixels);
    return status;
}
