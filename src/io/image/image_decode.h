/* Private to image*.c: a decoded file. */
#ifndef CVY_IO_IMAGE_IMAGE_DECODE_H
#define CVY_IO_IMAGE_IMAGE_DECODE_H

#include <stdbool.h>
#include <stdio.h>

#include "core/status.h"
#include "core/tensor.h"

enum { CVY_ODD_TEXT = 256 };

struct cvy_picture {
    struct cvy_shape shape; /* c: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha */
    bool wide;              /* 16 bits a sample, as uint16_t: only with alpha, whose products need them */
    unsigned char *pixels;  /* [h][w][c], owned */
    int orientation;        /* as in EXIF, 1 (upright) … 8 */
    char odd[CVY_ODD_TEXT]; /* the first thing that a decoder warned of, or "" */
};

/* Bytes of a pixel. */
static inline size_t cvy_picture_pixel(const struct cvy_picture *p) {
    return (size_t)p->shape.c * (p->wide ? 2 : 1);
}
/* Room for the pixels, of as many bytes as `wide` says. CVY_ERR_DATA where they are none, or too many. */
cvy_status cvy_picture_make(const char *path, int64_t h, int64_t w, int c, struct cvy_picture *out);

enum { CVY_IMAGE_MAGIC = 4 }; /* the first bytes that formats are told by */

/* A format of files; cvy_image_NAME is the one of a word in convoy/formats.h. */
struct cvy_image_format {
    unsigned char magic[CVY_IMAGE_MAGIC];
    size_t magic_size;
    const char *endings; /* of names, between bars: "|.jpg|.jpeg|" */
    /* On failure the caller frees pixels too. */
    cvy_status (*decode)(FILE *file, const char *path, struct cvy_picture *out);
};

/* The orientation that EXIF data (a TIFF header and what follows) say, 1 where they say none or are damaged. */
int cvy_exif_orientation(const unsigned char *tiff, size_t size);
/* Turns and mirrors the pixels so that the orientation is 1. */
cvy_status cvy_picture_upright(struct cvy_picture *picture);

#endif
