/* Private to the gradient of the weights in bf16: how its sum is cut, and the part of x and dy that a task goes over at
 * a time. */
#ifndef CVY_KERNELS_CONV_BF16_WEIGHTS_H
#define CVY_KERNELS_CONV_BF16_WEIGHTS_H

#include "kernels/conv/weights_parts.h"

struct cvy_woven_tiling {
    struct cvy_conv g;                /* 1×1 kernels: one sample of one row */
    bool twins;                       /* an image is a pair of samples; else it is one, woven of its halves */
    int images, bands;                /* of a unit, where these have one band; of an image */
    int rows, columns;                /* output rows and columns of a band */
    int units, chunks;                /* in all */
    int panel_splits, channel_splits; /* tasks of a chunk: parts of the panels × parts of the channels */
    int width;                        /* pixels of an image row in scratch */
    size_t a_pairs, scratch_pairs;    /* a thread: image rows; with dy */
};

struct cvy_woven_tiling cvy_woven_tiling_make(const struct cvy_conv *g);

/* Parts of a chunk, each a task. */
static inline int cvy_woven_parts(const struct cvy_woven_tiling *tiling) {
    return tiling->panel_splits * tiling->channel_splits;
}
struct cvy_weights_part cvy_woven_part_of(const struct cvy_woven_tiling *tiling, int index);

/* Image rows and pixels from one in scratch to the next: a kernel of one row or column has only those that it reads. */
static inline int cvy_woven_every_h(const struct cvy_conv *g) {
    return g->r == 1 ? g->stride_h : 1;
}
static inline int cvy_woven_every_w(const struct cvy_conv *g) {
    return g->s == 1 ? g->stride_w : 1;
}
/* In scratch, from an output row or pixel to the next. */
static inline int cvy_woven_step_h(const struct cvy_conv *g) {
    return g->stride_h / cvy_woven_every_h(g);
}
static inline int cvy_woven_step_w(const struct cvy_conv *g) {
    return g->stride_w / cvy_woven_every_w(g);
}
static inline int cvy_woven_input_rows(const struct cvy_conv *g, int rows) {
    return (rows - 1) * cvy_woven_step_h(g) + (g->r - 1) * g->dilation_h + 1;
}
static inline int cvy_woven_width(const struct cvy_conv *g, int columns) {
    return (columns - 1) * cvy_woven_step_w(g) + (g->s - 1) * g->dilation_w + 1;
}

/* Of a unit's pixels, those that are a pair's first or second: output rows and columns, fewer than a band's or none at
 * the end of an image. */
struct cvy_woven_half {
    int sample, oy, rows, ox, columns;
};

struct cvy_woven_half cvy_woven_half_of(const struct cvy_woven_tiling *tiling, int index, int image, int which);

/* A unit as a task sees it. */
struct cvy_woven_unit {
    int index, images;
    const cvy_pair *a; /* [images][image rows][width][channels] */
    const cvy_pair *b; /* [panels][images][rows][columns][16] */
    ptrdiff_t a_row, a_image, b_row, b_image, b_panel;
    struct cvy_weights_part part;
    bool first;                /* of its chunk */
    struct cvy_ahead ahead[4]; /* x and dy of the next unit */
};

/* What it is made of. */
struct cvy_woven_operands {
    const struct cvy_bf16_table *table;
    const struct cvy_woven_tiling *tiling;
    const cvy_bf16 *x, *dy;
};
struct cvy_woven_unit cvy_woven_unit_make(const struct cvy_woven_operands *o, int index,
                                          const struct cvy_weights_part *part, cvy_pair *scratch);
/* Most of what making that unit is going to read. */
void cvy_woven_ahead(const struct cvy_woven_operands *o, int index, const struct cvy_weights_part *part,
                     struct cvy_ahead ahead[4]);

#endif
