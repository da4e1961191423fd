/* Image files (convoy/formats.h) as samples. */
#ifndef CVY_IO_IMAGE_IMAGE_H
#define CVY_IO_IMAGE_IMAGE_H

#include <stdbool.h>

#include "core/log.h"
#include "core/status.h"
#include "core/tensor.h"

struct cvy_image_options {
    unsigned char background[3]; /* RGB: what shows through transparent pixels */
    struct cvy_log *log;         /* hears of files that are odd but readable, once a file; NULL: nobody does */
};

/* Whether a file is of one of the formats, by its first bytes. */
bool cvy_image_is(const char *path);
/* Whether its name says so, whatever is in it. */
bool cvy_image_is_named(const char *path);

/* Reads such a file as uint8 [h][w][c] with c = 1 (luma of ITU-R BT.601) or 3 (RGB),
 * turned upright as its EXIF data say, laid over the background and resized to shape.h × shape.w (cvy_image_resize).
 * Sample values are those of the file: 16 bits are divided by 257, smaller depths and palettes spread to 0 … 255;
 * gamma and colour profiles are not applied; CMYK is taken as Adobe's, inverted. `out` has cvy_shape_count(shape)
 * bytes. CVY_ERR_DATA: missing, of no such format, damaged, cut off, or larger than 64 million pixels. */
cvy_status cvy_image_load(const char *path, struct cvy_shape shape, const struct cvy_image_options *options,
                          unsigned char *out);

/* The resizing alone: rows and columns each by a triangle filter, pixel centres aligned. Growing, that is bilinear
 * interpolation; shrinking, the triangle is as wide as an output pixel, so that every input pixel counts. The whole
 * picture is stretched to the new height and width, whatever its proportions. */
cvy_status cvy_image_resize(const unsigned char *in, struct cvy_shape from, struct cvy_shape to, unsigned char *out);

/* Whether a picture can have so many. CVY_ERR_DATA naming it otherwise. */
cvy_status cvy_image_check_channels(const char *path, int channels);

#endif
