/* PNG by libpng: sample values as they are in the file, chunks about colours and gamma passed over. */
#include <setjmp.h>
#include <string.h>

#include <png.h>

#include "core/memory.h"
#include "io/image/image_decode.h"

struct reading {
    png_structp png;
    png_infop info;
    png_bytep *rows;
    jmp_buf back;
    char error[128], *odd;
};

static void fail(png_structp png, png_const_charp text) {
    struct reading *r = png_get_error_ptr(png);
    snprintf(r->error, sizeof r->error, "%s", text);
    longjmp(r->back, 1);
}

static void warn(png_structp png, png_const_charp text) {
    struct reading *r = png_get_error_ptr(png);
    if (r->odd[0] == '\0') snprintf(r->odd, CVY_ODD_TEXT, "%s", text);
}

static bool has_alpha(const struct reading *r) {
    return (png_get_color_type(r->png, r->info) & PNG_COLOR_MASK_ALPHA) ||
           png_get_valid(r->png, r->info, PNG_INFO_tRNS);
}

/* 8 bits a sample, or 16 in the processor's order; palettes and transparent colours spread out. */
static void set_up(struct reading *r, struct cvy_picture *out) {
    const uint16_t one = 1;
    static const png_byte exif[] = "eXIf";
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);     /* all that are not needed … */
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_AS_DEFAULT, exif, 1); /* … but for this one */
    png_read_info(r->png, r->info);
    png_set_expand(r->png);
    out->wide = png_get_bit_depth(r->png, r->info) == 16 && has_alpha(r);
    if (!out->wide) png_set_scale_16(r->png);
    if (out->wide && *(const unsigned char *)&one == 1) png_set_swap(r->png);
    png_set_interlace_handling(r->png);
}

static void read_orientation(struct reading *r, struct cvy_picture *out) {
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 size = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(r->png, r->info, &size, &exif)) out->orientation = cvy_exif_orientation(exif, size);
#else
    (void)r, (void)out;
#endif
}

/* Everything that may jump; what must survive that lives in `r` and `out`. */
static cvy_status read_all(struct reading *r, const char *path, struct cvy_picture *out) {
    set_up(r, out);
    const png_uint_32 h = png_get_image_height(r->png, r->info), w = png_get_image_width(r->png, r->info);
    png_read_update_info(r->png, r->info);
    CVY_TRY(cvy_picture_make(path, h, w, png_get_channels(r->png, r->info), out));
    const size_t row = (size_t)w * cvy_picture_pixel(out);
    CVY_CHECK(png_get_rowbytes(r->png, r->info) == row, CVY_ERR_INTERNAL, "%s: a row of %zu bytes, not %zu", path,
              png_get_rowbytes(r->png, r->info), row);
    CVY_TRY(CVY_NEW(&r->rows, h, data));
    for (png_uint_32 y = 0; y < h; y++) r->rows[y] = out->pixels + y * row;
    png_read_image(r->png, r->rows);
    png_read_end(r->png, r->info);
    read_orientation(r, out);
    return CVY_OK;
}

static cvy_status decode(FILE *file, const char *path, struct cvy_picture *out) {
    struct reading r = {.odd = out->odd};
    cvy_status status;
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, fail, warn);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    if (r.info == NULL) {
        status = CVY_FAIL(CVY_ERR_INTERNAL, "%s: libpng cannot be set up", path);
    } else if (setjmp(r.back) == 0) {
        png_init_io(r.png, file);
        status = read_all(&r, path, out);
    } else {
        status = CVY_FAIL(CVY_ERR_DATA, "%s: damaged PNG file: %s", path, r.error);
    }
    png_destroy_read_struct(&r.png, &r.info, NULL);
    cvy_free(r.rows);
    return status;
}

const struct cvy_image_format cvy_image_png = {{0x89, 'P', 'N', 'G'}, 4, "|.png|", decode};
