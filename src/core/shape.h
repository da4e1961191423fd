/* Shapes: the axes that a sample has, in the order in which they lie in memory (NHWC), channels last. 1-D data has
 * height 1; a flat vector is 1×1×C. What does not depend on how many spatial axes there are asks here for them; height
 * and width by name belong to code that walks over images. */
#ifndef CVY_CORE_SHAPE_H
#define CVY_CORE_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

enum { CVY_SPATIAL_AXES = 2, CVY_CHANNEL_AXIS = CVY_SPATIAL_AXES, CVY_AXES };

struct cvy_shape {
    int h, w, c; /* of one sample */
};

/* "height", "width", "channels". */
const char *cvy_axis_name(int axis);

static inline int cvy_shape_axis(struct cvy_shape s, int axis) {
    const int sizes[CVY_AXES] = {s.h, s.w, s.c};
    return sizes[axis];
}
/* Where the size of an axis is. */
static inline int *cvy_shape_size(struct cvy_shape *s, int axis) {
    int *const sizes[CVY_AXES] = {&s->h, &s->w, &s->c};
    return sizes[axis];
}
/* Places in space, each of which has c numbers. */
static inline int64_t cvy_shape_pixels(struct cvy_shape s) {
    return (int64_t)s.h * s.w;
}
static inline int64_t cvy_shape_count(struct cvy_shape s) {
    return cvy_shape_pixels(s) * s.c;
}
/* Numbers from one place of an axis to the next. */
static inline int64_t cvy_shape_stride(struct cvy_shape s, int axis) {
    int64_t stride = 1;
    while (++axis < CVY_AXES) stride *= cvy_shape_axis(s, axis);
    return stride;
}
static inline bool cvy_shape_equal(struct cvy_shape a, struct cvy_shape b) {
    return a.h == b.h && a.w == b.w && a.c == b.c;
}
/* The same places in space; channels may differ. */
static inline bool cvy_shape_same_space(struct cvy_shape a, struct cvy_shape b) {
    return a.h == b.h && a.w == b.w;
}
/* s with the spatial axes of another. */
static inline struct cvy_shape cvy_shape_in_space_of(struct cvy_shape s, struct cvy_shape other) {
    return (struct cvy_shape){other.h, other.w, s.c};
}
/* The numbers that it may be too many of. */
static inline double cvy_shape_values(struct cvy_shape s) {
    return (double)s.h * s.w * s.c;
}
/* A vector of c numbers. */
static inline struct cvy_shape cvy_shape_flat(int c) {
    return (struct cvy_shape){1, 1, c};
}
static inline struct cvy_shape cvy_shape_of(const int64_t sizes[CVY_AXES]) {
    return (struct cvy_shape){(int)sizes[0], (int)sizes[1], (int)sizes[2]};
}
static inline void cvy_shape_sizes(struct cvy_shape s, int64_t out[CVY_AXES]) {
    for (int axis = 0; axis < CVY_AXES; axis++) out[axis] = cvy_shape_axis(s, axis);
}

/* "28×28×1", for a message: CVY_SHAPE_TEXT(s) lives until the block that it is written in ends. */
enum { CVY_SHAPE_CHARS = 48 };
const char *cvy_shape_text(struct cvy_shape s, char out[CVY_SHAPE_CHARS]);
/* The spatial axes alone: "28×28". */
const char *cvy_space_text(struct cvy_shape s, char out[CVY_SHAPE_CHARS]);
#define CVY_SHAPE_TEXT(s) cvy_shape_text(s, (char[CVY_SHAPE_CHARS]){0})
#define CVY_SPACE_TEXT(s) cvy_space_text(s, (char[CVY_SHAPE_CHARS]){0})

#endif
