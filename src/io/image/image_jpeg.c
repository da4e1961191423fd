/* JPEG by libjpeg. What it warns of is passed on, unless it is that data are missing: it would make pixels up. */
#include <setjmp.h>
#include <string.h>

#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

#include "core/memory.h"
#include "io/image/image_decode.h"

struct failure {
    struct jpeg_error_mgr base;
    jmp_buf back;
    char message[JMSG_LENGTH_MAX], *odd;
};

static void fail(j_common_ptr info) {
    struct failure *failure = (struct failure *)info->err;
    info->err->format_message(info, failure->message);
    longjmp(failure->back, 1);
}

static void warn(j_common_ptr info, int level) {
    struct failure *failure = (struct failure *)info->err;
    char text[JMSG_LENGTH_MAX];
    if (level >= 0) return;
    if (info->err->msg_code == JWRN_JPEG_EOF || info->err->msg_code == JWRN_HIT_MARKER) fail(info);
    if (failure->odd[0]) return;
    info->err->format_message(info, text);
    snprintf(failure->odd, CVY_ODD_TEXT, "%s", text);
}

static int orientation_of(const struct jpeg_decompress_struct *info) {
    static const char head[6] = "Exif\0";
    for (jpeg_saved_marker_ptr m = info->marker_list; m; m = m->next)
        if (m->data_length > sizeof head && memcmp(m->data, head, sizeof head) == 0)
            return cvy_exif_orientation(m->data + sizeof head, m->data_length - sizeof head);
    return 1;
}

/* product / 255, rounded, for products below 255². */
static unsigned divide(unsigned product) {
    return (product + 128 + ((product + 128) >> 8)) >> 8;
}

/* Inks as Adobe's programs write them, 255 for none: what light they let through is multiplied. */
static void inks_to_rgb(const unsigned char *inks, unsigned char *rgb, int count) {
    for (int i = 0; i < count; i++)
        for (int c = 0; c < 3; c++) rgb[3 * i + c] = (unsigned char)divide((unsigned)inks[4 * i + c] * inks[4 * i + 3]);
}

/* One row through a buffer of libjpeg's own where it is of inks. */
static void read_rows(struct jpeg_decompress_struct *info, struct cvy_picture *out) {
    const bool inks = info->out_color_space == JCS_CMYK;
    const size_t row = (size_t)out->shape.w * (size_t)out->shape.c;
    JSAMPARRAY buffer =
        inks ? info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->output_width * 4, 1) : NULL;
    while (info->output_scanline < info->output_height) {
        unsigned char *to = out->pixels + info->output_scanline * row;
        JSAMPROW line = inks ? buffer[0] : to;
        jpeg_read_scanlines(info, &line, 1);
        if (inks) inks_to_rgb(line, to, out->shape.w);
    }
}

/* Everything that may jump; what must survive that lives in `out` and `info`. */
static cvy_status read_all(struct jpeg_decompress_struct *info, FILE *file, const char *path, struct cvy_picture *out) {
    jpeg_stdio_src(info, file);
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(info, TRUE);
    const bool grey = info->num_components == 1;
    info->out_color_space = grey ? JCS_GRAYSCALE : info->num_components == 4 ? JCS_CMYK : JCS_RGB;
    info->dct_method = JDCT_ISLOW;
    out->orientation = orientation_of(info);
    CVY_TRY(cvy_picture_make(path, info->image_height, info->image_width, grey ? 1 : 3, out));
    jpeg_start_decompress(info);
    read_rows(info, out);
    jpeg_finish_decompress(info);
    return CVY_OK;
}

/* Kinds of JPEG that libjpeg does not decode: nothing is wrong with the file. */
static bool is_unsupported(int code) {
    return code == JERR_SOF_UNSUPPORTED || code == JERR_BAD_PRECISION || code == JERR_CONVERSION_NOTIMPL ||
           code == JERR_ARITH_NOTIMPL || code == JERR_COMPONENT_COUNT;
}

static cvy_status decode(FILE *file, const char *path, struct cvy_picture *out) {
    struct jpeg_decompress_struct info;
    struct failure failure = {.odd = out->odd};
    cvy_status status;
    info.err = jpeg_std_error(&failure.base);
    failure.base.error_exit = fail;
    failure.base.emit_message = warn;
    jpeg_create_decompress(&info);
    if (setjmp(failure.back) == 0)
        status = read_all(&info, file, path, out);
    else if (is_unsupported(failure.base.msg_code))
        status = CVY_FAIL(CVY_ERR_DATA, "%s: a JPEG of a kind that is not read: %s; save it in 8 bits of RGB or grey",
                          path, failure.message);
    else
        status = CVY_FAIL(CVY_ERR_DATA, "%s: damaged JPEG file: %s", path, failure.message);
    jpeg_destroy_decompress(&info);
    return status;
}

const struct cvy_image_format cvy_image_jpeg = {{0xff, 0xd8, 0xff}, 3, "|.jpg|.jpeg|.jpe|", decode};
