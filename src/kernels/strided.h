/* Strided copies: part of an array of n images of h rows of w pixels of c numbers, between arrays of other sizes, and
 * arrays made of several others. Concatenation, slices, cropping and padding, forward and backward. */
#ifndef CVY_KERNELS_STRIDED_H
#define CVY_KERNELS_STRIDED_H

#include <stdbool.h>
#include <stddef.h>

#include "core/tensor.h"
#include "kernels/compute.h"

/* Where images are: the first number, and the distances in numbers from an image, row and pixel to the next; the c
 * numbers of a pixel are neighbours. */
struct cvy_view {
    void *data;
    ptrdiff_t image, row, pixel;
};

/* Of part of dense images of this shape, whose first number is number `first` of them. */
static inline struct cvy_view cvy_view_of(const void *images, enum cvy_dtype type, struct cvy_shape shape,
                                          ptrdiff_t first) {
    return (struct cvy_view){cvy_element(images, type, first), cvy_shape_count(shape), (ptrdiff_t)shape.w * shape.c,
                             shape.c};
}

/* to = (or, with accumulate, +=) from, for n images of `size`, CVY_F32 or CVY_BF16. */
void cvy_strided_copy(const struct cvy_compute *compute, enum cvy_dtype type, int n, struct cvy_shape size,
                      struct cvy_view from, struct cvy_view to, bool accumulate);

#endif
