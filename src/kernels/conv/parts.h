/* Private to the convolution: its loops, and how work is cut into tasks (by shape alone, see core/parallel.h). */
#ifndef CVY_KERNELS_CONV_PARTS_H
#define CVY_KERNELS_CONV_PARTS_H

#include "core/ints.h"
#include "core/param.h"
#include "kernels/simd/bf16_table.h"
#include "kernels/conv/algorithm.h"
#include "kernels/simd/table.h"

enum {
    CVY_TASKS_WANTED = 32,     /* tasks that a pass is cut into where its shape allows: room for 32 threads */
    CVY_TASK_MACS = 1 << 17,   /* multiply-adds below which a task is not worth handing out */
    CVY_BAND_FLOATS = 1 << 16, /* of an operand that a task goes over again and again: 256 KiB, within an L2 cache */
    CVY_GROUP = 4              /* panels that a product takes at a time */
};

static inline int cvy_common_divisor(int a, int b) {
    return b == 0 ? a : cvy_common_divisor(b, a % b);
}
/* Where part i of `parts` of [0, total) begins. */
static inline int cvy_tile_begin(int total, int parts, int i) {
    return (int)((int64_t)total * i / parts);
}
/* Scratch of tasks that may be fewer than threads: so many places, and the one that a task has. */
static inline int cvy_places(int tasks, int threads) {
    return cvy_min(tasks, threads);
}
static inline int cvy_place(int tasks, int threads, int task, int thread) {
    return tasks < threads ? task : thread;
}
static inline int cvy_panels(int columns) {
    return cvy_ceil_div(columns, CVY_PANEL);
}

/* Multiply-adds of a pass, padding's included. */
static inline int64_t cvy_conv_macs(const struct cvy_conv *g) {
    return (int64_t)g->n * cvy_shape_count(g->out) * g->in.c * g->r * g->s;
}

/* The epilogue of a part of y, which is of that type, that begins at channel `column` and `offset` numbers into y. */
static inline struct cvy_epilogue cvy_epilogue_at(const struct cvy_epilogue *e, int column, ptrdiff_t offset,
                                                  enum cvy_dtype type) {
    return (struct cvy_epilogue){
        .bias = e->bias ? e->bias + column : NULL,
        .scale = e->scale ? e->scale + column : NULL,
        .shift = e->shift ? e->shift + column : NULL,
        .residual = e->residual ? cvy_element(e->residual, type, offset) : NULL,
        .activation = e->activation,
    };
}

/* Passes over pairs of bf16 (`pairs`) are those over floats but for these: results are of bf16, as is the residual. */
static inline void cvy_multiply(const struct cvy_compute *compute, bool pairs, const struct cvy_product *product) {
    (pairs ? compute->bf16->dot : compute->table->product)(product);
}
static inline enum cvy_dtype cvy_result_type(bool pairs) {
    return pairs ? CVY_BF16 : CVY_F32;
}

/* A 1×1 kernel over every pixel: a matrix product of [n·h·w][c] and [c][k]. */
bool cvy_conv_is_pointwise(const struct cvy_conv *g);

/* Passes on pairs make an odd number of channels even first, in a copy at the head of the workspace whose last channel
 * is zero; those on floats take their operand as it is. */
static inline int cvy_pairs_of(int channels) {
    return cvy_ceil_div(channels, 2);
}
size_t cvy_even_floats(enum cvy_dtype type, int n, struct cvy_shape shape); /* of the copy, 0 where none is needed */
const void *cvy_make_even(const struct cvy_pass_call *call, struct cvy_shape shape); /* `from`, or its copy */
/* What a sum over channels has of elements of 4 bytes: floats or pairs. */
static inline int cvy_elements_of(enum cvy_dtype type, int channels) {
    return type == CVY_BF16 ? cvy_pairs_of(channels) : channels;
}

/* How a direct pass is cut. */
struct cvy_direct_tiling {
    bool copies;
    struct cvy_direct_run {
        int s, columns, begin, end; /* kernel columns side by side that meet the same output pixels [begin, end) */
    } runs[3];                      /* products of an output row; the last meets all of it */
    int run_count;
    int width;          /* pixels of an image row that windows read */
    int rows, bands;    /* output rows a band; bands a sample */
    int samples, parts; /* samples a task at least; tasks along the samples */
    int splits;         /* of the panels */
    size_t scratch;     /* elements of 4 bytes a thread */
};

/* A correlation of images with panels whose result may be spread out: forward, and each phase of backward-data. */
struct cvy_direct {
    int n;
    struct cvy_shape in;
    int r, s, stride_h, stride_w, dilation_h, dilation_w; /* r·s may be 0: the sum is empty */
    int pad_top, pad_left;                                /* negative: the first window begins inside the image */
    int oh, ow, k;
    ptrdiff_t y_sample, y_row, y_pixel; /* strides of y, in its numbers */
    bool accumulate;
    bool pairs; /* x and w are of pairs, which in.c counts; y and the residual of bf16 */
    struct cvy_direct_tiling tiling;
};
void cvy_direct_tile(struct cvy_direct *g); /* fills its tiling */
void cvy_direct_pass(const struct cvy_compute *compute, const struct cvy_direct *g, const void *x, const void *w,
                     const struct cvy_epilogue *epilogue, void *y, float *scratch);

/* The same convolution with neighbouring output pixels taken for one; g itself where that is no gain. */
struct cvy_conv cvy_widen(const struct cvy_conv *g);
/* Its weights and epilogue, made in `out`: cvy_wide_floats floats, 0 for g itself. */
size_t cvy_wide_floats(const struct cvy_conv *g, const struct cvy_conv *wide);
void cvy_wide_operands(const struct cvy_conv *g, const struct cvy_conv *wide, const float *w,
                       const struct cvy_epilogue *epilogue, float *out, struct cvy_epilogue *wide_epilogue);
/* The gradients of g from those of the wide one; lanes beyond its channels are not read. dbias may be NULL. */
void cvy_wide_fold(const struct cvy_conv *g, const struct cvy_conv *wide, const float *wide_dw, const float *wide_dbias,
                   float *dw, float *dbias);

/* Copies the image rows [first, first + rows) that exist into [rows][width][c], column 0 being image column `left`
 * (may be negative); columns outside the image become zero. Rows outside are left alone: they are not read. */
void cvy_pad_rows(const float *image, struct cvy_shape shape, int first, int rows, int left, int width, float *out);
/* Of rows 0 … rows−1 at image rows top + i·step, those inside an image of height h: [*begin, *end). Rows of a kernel
 * are a dilation apart, output rows that meet one of these a stride. */
void cvy_rows_inside(int top, int step, int rows, int h, int *begin, int *end);

/* One axis of backward-data: of input positions first, first + stride, … (`count` of them), which taps meet them. Tap t
 * of `taps`, t ascending with the output position, is kernel position last − t·step, at output position begin +
 * t·dilation for the first input position, one further for each next. */
struct cvy_phase {
    int first, count, taps, last, step, begin, dilation;
};
/* A phase of each axis. */
struct cvy_phases {
    struct cvy_phase y, x;
};
int cvy_phase_count(const struct cvy_conv *g);
enum {
    CVY_PHASES_CACHED =
        4 /* whose tilings a plan holds: strides of 2×2; of larger ones the others are cut as they run */
};
struct cvy_phases cvy_phases_at(const struct cvy_conv *g, int i);
/* Backward-data of these phases as a direct pass, not cut yet, from dy of `type` to dx; `at` is where in dx it begins.
 */
struct cvy_direct cvy_phase_pass(const struct cvy_conv *g, enum cvy_dtype type, const struct cvy_phases *p,
                                 ptrdiff_t *at);

/* The copies of mirrored weights that backward-data reads: in and out swapped, taps mirrored, one part per phase of the
 * stride (of the input pixels with iy + pad_top ≡ phase mod stride_h, likewise in x). Of floats, and of pairs of bf16.
 */
extern const struct cvy_weights_copy cvy_mirrored, cvy_mirrored_pairs;
/* Of forward, as pairs of neighbours in the sum: [⌈k/16⌉][r][s][⌈c/2⌉][16] pairs (c, c + 1). */
extern const struct cvy_weights_copy cvy_pairs;
/* Some panels of the copies of a 1×1 kernel from c to k: of forward's, and of backward-data's. */
void cvy_pairs_panels(const struct cvy_compute *compute, const float *w, int c, int panel, int panels, cvy_pair *out);
void cvy_mirrored_pairs_panels(const struct cvy_compute *compute, const float *w, int c, int k, int panel, int panels,
                               cvy_pair *out);

#endif
