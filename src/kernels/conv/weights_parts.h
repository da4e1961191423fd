/* Private to backward-weights: how its sum is cut, the part of x and dy that a task goes over at a time, and the sums
 * of chunks, which those of bf16 have too. */
#ifndef CVY_KERNELS_CONV_WEIGHTS_PARTS_H
#define CVY_KERNELS_CONV_WEIGHTS_PARTS_H

#include "kernels/conv/parts.h"

struct cvy_weights_tiling {
    struct cvy_conv g;            /* 1×1 kernels: one sample of one row; few channels: widened */
    bool wide;                    /* g is widened: the sum is folded at the end, lanes beyond k are not used */
    int rows, columns;            /* output rows and columns of a unit */
    int bands, units;             /* units a sample; in all */
    int chunks;                   /* of the units */
    int panel_splits, row_splits; /* tasks of a chunk: parts of the panels × of the kernel rows */
    bool by_channels;             /* blocks of input channels can be parts */
    int channel_splits;           /* × of the input channels, where these can be parts */
    bool copies, packs;
    bool apart;                         /* copied pixels have a gap between them */
    int samples;                        /* of a unit: several where images are small */
    int pixel;                          /* floats from one pixel of x to the next, as units see it */
    int every_h, every_w;               /* of the image rows and columns, which are copied */
    int width;                          /* pixels of a copied image row */
    size_t copy_floats, scratch_floats; /* a thread: copied image rows; with packed dy */
};

/* Of dw, what a task sums up. */
struct cvy_weights_part {
    int panel, panels, channel, channels, row, rows;
};

/* How a sum is shared out by its size: chunks of at least so many pixels, in the workspace where there are several, and
 * parts of each that are tasks of their own. */
struct cvy_weights_split {
    int chunks, parts, panels; /* panels: parts of the panels alone that there can be */
};
struct cvy_weights_split cvy_weights_split_of(const struct cvy_conv *g, int units, int chunk_pixels);

/* Whether dy is packed, where it does not stay in its place. */
bool cvy_weights_packs(const struct cvy_conv *g);
/* large_blocks: as in the level's table. */
struct cvy_weights_tiling cvy_weights_tiling_make(const struct cvy_conv *g, bool large_blocks);

static inline size_t cvy_weights_floats(const struct cvy_conv *g) {
    return (size_t)g->r * g->s * g->in.c * cvy_panels(g->out.c) * CVY_PANEL;
}

/* The sums of weights and bias of all chunks, as they are stored, in the workspace one after the other. */
struct cvy_weights_sums {
    float *dw, *dbias; /* of the first chunk; dbias may be NULL */
    ptrdiff_t stride;  /* to the next chunk's */
};
static inline size_t cvy_weights_sum_floats(const struct cvy_conv *g) { /* of a chunk */
    return cvy_weights_floats(g) + (size_t)cvy_panels(g->out.c) * CVY_PANEL;
}
static inline struct cvy_weights_sums cvy_weights_sums_at(const struct cvy_conv *g, float *ws, bool bias) {
    return (struct cvy_weights_sums){ws, bias ? ws + cvy_weights_floats(g) : NULL,
                                     (ptrdiff_t)cvy_weights_sum_floats(g)};
}
/* Chunks of at least so many multiply-adds each, of `items` samples or bands: a power of two, which few threads share
 * evenly. */
int cvy_weights_chunks(const struct cvy_conv *g, int items, int64_t least_macs);
/* Adds them up in the order of the chunks; dw and dbias may be the first chunk's own. */
void cvy_weights_reduce(const struct cvy_compute *compute, const struct cvy_conv *g,
                        const struct cvy_weights_sums *sums, int chunks, float *dw, float *dbias);

/* Parts of a chunk, each a task. */
static inline int cvy_weights_parts(const struct cvy_weights_tiling *tiling) {
    return tiling->panel_splits * tiling->row_splits * tiling->channel_splits;
}
struct cvy_weights_part cvy_weights_part_of(const struct cvy_weights_tiling *tiling, int index);

/* The stride among copied rows: a kernel of one row copies only those it reads. */
static inline int cvy_weights_step_h(const struct cvy_weights_tiling *tiling) {
    return tiling->g.stride_h / tiling->every_h;
}
static inline int cvy_weights_step_w(const struct cvy_weights_tiling *tiling) {
    return tiling->g.stride_w / tiling->every_w;
}

/* Copied rows and pixels of so many outputs. */
static inline int cvy_weights_input_rows(const struct cvy_weights_tiling *tiling, int rows) {
    return (rows - 1) * cvy_weights_step_h(tiling) + (tiling->g.r - 1) * tiling->g.dilation_h + 1;
}
static inline int cvy_weights_input_width(const struct cvy_weights_tiling *tiling, int columns) {
    return (columns - 1) * cvy_weights_step_w(tiling) + (tiling->g.s - 1) * tiling->g.dilation_w + 1;
}

/* A unit as a task sees it. */
struct cvy_weights_unit {
    int sample, samples, oy, rows, ox, columns;
    const float *x; /* image row `row`, column ox·stride_w − pad_left */
    int row;
    ptrdiff_t pitch, x_sample;
    const float *dy; /* panel `panel` of output pixel (oy, ox) */
    ptrdiff_t dy_sample, dy_row, dy_step, dy_panel;
    struct cvy_weights_part part;
    bool first;                /* of its chunk */
    struct cvy_ahead ahead[2]; /* x and dy of the next unit */
};

/* Unit `index` of the tiling as the task of `part` sees it, what has to be copied or packed in `scratch`. */
struct cvy_weights_unit cvy_weights_unit_make(const struct cvy_weights_tiling *tiling, const float *x, const float *dy,
                                              int index, const struct cvy_weights_part *part, float *scratch);

/* Most of what making that unit is going to read of x and dy. */
void cvy_weights_ahead(const struct cvy_weights_tiling *tiling, const float *x, const float *dy, int index,
                       const struct cvy_weights_part *part, struct cvy_ahead ahead[2]);

#endif
