/* Image files (PNG, JPEG) as samples. */
#ifndef CVY_IO_IMAGE_H
#define CVY_IO_IMAGE_H

#include "core/status.h"
#include "core/tensor.h"

/* Reads a PNG or JPEG file (told by its first bytes) as uint8 [h][w][c] with c = 1 (luma of ITU-R BT.601) or 3 (RGB),
 * resized to shape.h × shape.w: bilinear, pixel centres aligned, averaging when shrinking so that nothing is skipped.
 * Transparent pixels are laid over black. `out` has cvy_shape_count(shape) bytes. CVY_ERR_DATA: missing, neither
 * format, damaged, or larger than 64 million pixels. */
cvy_status cvy_image_load(const char *path, struct cvy_shape shape, unsigned char *out);

/* The resizing alone. */
cvy_status cvy_image_resize(const unsigned char *in, struct cvy_shape from, struct cvy_shape to, unsigned char *out);

#endif
