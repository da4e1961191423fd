/* Strided copies: part of an array of n images of h rows of w pixels of c numbers, between arrays of other sizes, and
 * arrays made of several others. Concatenation, slices, cropping and padding, forward and backward. */
#ifndef CVY_KERNELS_STRIDED_H
#define CVY_KERNELS_STRIDED_H

#include <stdbool.h>
#include <stddef.h>

#include "core/tensor.h"
#include "kernels/compute.h"

/* Distances in numbers from an image, row and pixel to the next; the c numbers of a pixel are neighbours. */
struct cvy_strides {
    ptrdiff_t image, row, pixel;
};

/* Those of dense images of this shape. */
static inline struct cvy_strides cvy_strides_of(struct cvy_shape shape) {
    return (struct cvy_strides){cvy_shape_count(shape), (ptrdiff_t)shape.w * shape.c, shape.c};
}

/* to = (or, with accumulate, +=) from, for n images of `size`. `from` and `to` are the first numbers, CVY_F32
 * or CVY_BF16. */
void cvy_strided_copy(const struct cvy_compute *compute, enum cvy_dtype type, int n, struct cvy_shape size,
                      const void *from, struct cvy_strides from_strides, void *to, struct cvy_strides to_strides,
                      bool accumulate);

#endif
