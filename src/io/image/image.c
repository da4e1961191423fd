#define _GNU_SOURCE
#include "io/image/image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "convoy/formats.h"
#include "core/memory.h"
#include "io/file.h"
#include "io/foreign.h"
#include "io/image/image_decode.h"

#define MOST_PIXELS ((int64_t)64 << 20)

cvy_status cvy_picture_make(const char *path, int64_t h, int64_t w, int c, struct cvy_picture *out) {
    CVY_CHECK(h > 0 && w > 0 && h <= MOST_PIXELS && w <= MOST_PIXELS && h * w <= MOST_PIXELS, CVY_ERR_DATA,
              "%s: %lld×%lld pixels; at most 64 million are read, so shrink it first", path, (long long)h,
              (long long)w);
    out->shape = (struct cvy_shape){(int)h, (int)w, c};
    return CVY_NEW(&out->pixels, (size_t)(h * w) * cvy_picture_pixel(out), data);
}

/* ---- Channels ---- */

/* RGB to luma (ITU-R BT.601), of 8 or 16 bits. */
static uint32_t luma(const uint32_t *v) {
    return (19595u * v[0] + 38470u * v[1] + 7471u * v[2] + 32768u) >> 16;
}

/* One pixel of `from` channels, alpha the last of 2 or 4, as `to` channels of 8 bits before the background. `full`: the
 * largest value of a sample. */
static void flatten(const uint32_t *in, int from, const uint32_t *background, int to, uint32_t full,
                    unsigned char *out) {
    const uint64_t alpha = from % 2 ? full : in[from - 1], whole = (uint64_t)full * (full / 255);
    for (int c = 0; c < to; c++) {
        const uint64_t value = from < 3 ? in[0] : to == 1 ? luma(in) : in[c];
        const uint64_t behind = to == 1 ? luma(background) : background[c];
        out[c] = (unsigned char)((value * alpha + behind * (full - alpha) + whole / 2) / whole);
    }
}

static void read_pixel(const struct cvy_picture *p, size_t i, uint32_t out[4]) {
    const size_t channels = (size_t)p->shape.c;
    const uint16_t *wide = (const uint16_t *)(const void *)p->pixels;
    for (size_t c = 0; c < channels; c++) out[c] = p->wide ? wide[i * channels + c] : p->pixels[i * channels + c];
}

static cvy_status to_channels(struct cvy_picture *p, int channels, const unsigned char *background) {
    const size_t pixels = (size_t)cvy_shape_pixels(p->shape);
    const uint32_t full = p->wide ? 65535 : 255;
    uint32_t behind[3], pixel[4] = {0};
    unsigned char *flat;
    if (p->shape.c == channels) return CVY_OK;
    CVY_TRY(CVY_NEW(&flat, pixels * (size_t)channels, data));
    for (int c = 0; c < 3; c++) behind[c] = background[c] * (full / 255);
    for (size_t i = 0; i < pixels; i++) {
        read_pixel(p, i, pixel);
        flatten(pixel, p->shape.c, behind, channels, full, flat + i * (size_t)channels);
    }
    cvy_free(p->pixels);
    p->pixels = flat;
    p->shape.c = channels;
    p->wide = false;
    return CVY_OK;
}

/* ---- Loading ---- */

#define DECLARE(name, title) extern const struct cvy_image_format cvy_image_##name;
CVY_PICTURE_FORMATS(DECLARE, )

static const struct cvy_image_format *const formats[] = {
#define LIST(name, title) &cvy_image_##name,
    CVY_PICTURE_FORMATS(LIST, )};

/* NULL where a file that begins so is none. */
static const struct cvy_image_format *format_of(FILE *file, unsigned char magic[CVY_IMAGE_MAGIC]) {
    const size_t got = fread(magic, 1, CVY_IMAGE_MAGIC, file);
    rewind(file);
    for (size_t i = 0; got == CVY_IMAGE_MAGIC && i < sizeof formats / sizeof *formats; i++)
        if (memcmp(magic, formats[i]->magic, formats[i]->magic_size) == 0) return formats[i];
    return NULL;
}

bool cvy_image_is(const char *path) {
    unsigned char magic[CVY_IMAGE_MAGIC];
    FILE *file = fopen(path, "rb");
    if (file == NULL) return false;
    const bool is = format_of(file, magic) != NULL;
    fclose(file);
    return is;
}

bool cvy_image_is_named(const char *path) {
    char ending[16];
    const char *dot = strrchr(cvy_path_name(path), '.');
    if (dot == NULL || snprintf(ending, sizeof ending, "|%s|", dot) >= (int)sizeof ending) return false;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcasestr(formats[i]->endings, ending)) return true;
    return false;
}

#define TITLE(name, title) title

static cvy_status refuse(const char *path, const unsigned char *magic) {
    struct cvy_buf kind = {0};
    cvy_foreign_say(path, true, &kind);
    const cvy_status status =
        CVY_FAIL(CVY_ERR_DATA,
                 "%s: neither a " CVY_PICTURE_FORMATS(TITLE, " nor a ") " file (it begins with %02x %02x %02x %02x)%s",
                 path, magic[0], magic[1], magic[2], magic[3], cvy_buf_text(&kind));
    cvy_buf_destroy(&kind);
    return status;
}

static cvy_status decode(FILE *file, const char *path, struct cvy_picture *out) {
    unsigned char magic[CVY_IMAGE_MAGIC] = {0};
    const struct cvy_image_format *format = format_of(file, magic);
    if (format) return format->decode(file, path, out);
    CVY_CHECK(fgetc(file) != EOF, CVY_ERR_DATA, "%s: is an empty file", path);
    return refuse(path, magic);
}

cvy_status cvy_image_check_channels(const char *path, int channels) {
    CVY_CHECK(channels == 1 || channels == 3, CVY_ERR_DATA,
              "%s: an image has 1 or 3 channels, the network wants %d; give it samples of an HDF5 file", path,
              channels);
    return CVY_OK;
}

cvy_status cvy_image_load(const char *path, struct cvy_shape shape, const struct cvy_image_options *options,
                          unsigned char *out) {
    struct cvy_picture picture = {.orientation = 1};
    CVY_TRY(cvy_image_check_channels(path, shape.c));
    CVY_TRY(cvy_file_no_folder(path, ".png", CVY_ERR_DATA));
    FILE *file = fopen(path, "rb");
    CVY_CHECK(file, CVY_ERR_DATA, "%s: cannot be opened: %s", path, strerror(errno));
    cvy_status status = decode(file, path, &picture);
    fclose(file);
    if (status == CVY_OK && picture.odd[0])
        cvy_warn(options->log, "%s: read, but it is odd, and what is seen may not be what was meant: %s", path,
                 picture.odd);
    if (status == CVY_OK) status = cvy_picture_upright(&picture);
    if (status == CVY_OK) status = to_channels(&picture, shape.c, options->background);
    if (status == CVY_OK) status = cvy_image_resize(picture.pixels, picture.shape, shape, out);
    cvy_free(picture.pixels);
    return status;
}
