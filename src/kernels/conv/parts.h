/* Private to the convolution: its loops, and how work is cut into tasks (by shape alone, see core/parallel.h). */
#ifndef CVY_KERNELS_CONV_PARTS_H
#define CVY_KERNELS_CONV_PARTS_H

#include "core/ints.h"
#include "core/param.h"
#include "kernels/simd/bf16_table.h"
#include "kernels/conv/conv.h"
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
static inline int cvy_cut(int total, int parts, int i) {
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

/* A pass over feature maps of `type`: `to` from `from` and `with`, which are x and w, dy and flipped weights, or x and
 * dy. */
struct cvy_pass_call {
    const struct cvy_compute *compute;
    const struct cvy_conv *g;
    enum cvy_dtype type;
    const void *from, *with;
    const struct cvy_epilogue *epilogue; /* forward */
    bool accumulate;                     /* backward-data */
    float *dbias;                        /* backward-weights */
    void *to;
    float *ws;
};

/* One way to go a pass. Those of a pass are in a table in the order of preference; the last is for every shape. */
struct cvy_algorithm {
    const char *name;
    bool winograd;                                           /* not where direct sums are asked for */
    bool (*applicable)(const struct cvy_conv *g);            /* by the shape alone */
    size_t (*floats)(const struct cvy_conv *g, int threads); /* of workspace */
    void (*run)(const struct cvy_pass_call *call);
};
bool cvy_always(const struct cvy_conv *g);
size_t cvy_no_floats(const struct cvy_conv *g, int threads);
/* The most that either choice wants, with Winograd's algorithm if g allows it or without. */
size_t cvy_algorithms_floats(const struct cvy_algorithm *list, const struct cvy_conv *g, int threads);
/* The first that is applicable to `shape`. */
const struct cvy_algorithm *cvy_algorithm_choose(const struct cvy_algorithm *list, const struct cvy_conv *shape,
                                                 bool winograd);
void cvy_algorithm_run(const struct cvy_algorithm *algorithm, const struct cvy_pass_call *call);

/* The passes by Winograd's algorithm; `with` is of fp32 weights for each type. */
size_t cvy_winograd_forward_floats(const struct cvy_conv *g, int threads);
void cvy_winograd_forward(const struct cvy_pass_call *call);
size_t cvy_winograd_data_floats(const struct cvy_conv *g, int threads);
void cvy_winograd_data(const struct cvy_pass_call *call);
size_t cvy_winograd_weights_floats(const struct cvy_conv *g, int threads);
void cvy_winograd_gradient(const struct cvy_pass_call *call);

/* A 1×1 kernel over every pixel: a matrix product of [n·h·w][c] and [c][k]. */
bool cvy_conv_is_point(const struct cvy_conv *g);

/* y[pixels][k] (+)= x[pixels][c] · w, w as panels; for bf16, c counts pairs. */
void cvy_bf16_point_pass(const struct cvy_compute *compute, int pixels, int c, int k, const cvy_pair *x,
                         const cvy_pair *w, const struct cvy_epilogue *epilogue, cvy_bf16 *y, bool accumulate);
void cvy_point_pass(const struct cvy_compute *compute, int pixels, int c, int k, const float *x, const float *w,
                    const struct cvy_epilogue *epilogue, float *y, bool accumulate);

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
};
/* The forward pass of g. */
struct cvy_direct cvy_forward_pass(const struct cvy_conv *g);
size_t cvy_direct_scratch(const struct cvy_direct *g); /* elements of 4 bytes a thread */
void cvy_direct_pass(const struct cvy_compute *compute, const struct cvy_direct *g, const void *x, const void *w,
                     const struct cvy_epilogue *epilogue, void *y, float *scratch);

/* One input channel and few filters; the passes but for backward-data. */
bool cvy_conv_is_single(const struct cvy_conv *g);
size_t cvy_single_forward_floats(const struct cvy_conv *g, int threads);
void cvy_single_forward(const struct cvy_pass_call *call);
size_t cvy_single_weights_floats(const struct cvy_conv *g, int threads);
void cvy_single_weights(const struct cvy_pass_call *call);

/* The passes by the algorithm of toom.h. Backward-data's filters lie behind those of the direct way. */
size_t cvy_toom_forward_floats(const struct cvy_conv *g, int threads);
void cvy_toom_forward(const struct cvy_pass_call *call);
size_t cvy_toom_flip_floats(const struct cvy_conv *g);
void cvy_toom_flip(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *u);
size_t cvy_toom_data_floats(const struct cvy_conv *g, int threads);
void cvy_toom_data(const struct cvy_pass_call *call);
size_t cvy_toom_weights_floats(const struct cvy_conv *g, int threads);
void cvy_toom_weights(const struct cvy_pass_call *call);

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
struct cvy_phase cvy_phase_make(int phase, int kernel, int stride, int pad, int dilation, int in);
/* Phase (py, px) of backward-data as a direct pass from dy to dx; `at` is where in dx it begins. */
struct cvy_direct cvy_phase_pass(const struct cvy_conv *g, struct cvy_phase py, struct cvy_phase px, ptrdiff_t *at);

/* Backward-data to fewer channels than a vector holds: its own flipped weights, loops and scratch (floats a thread). */
bool cvy_conv_is_narrow(const struct cvy_conv *g);
size_t cvy_narrow_floats(const struct cvy_conv *g);
void cvy_narrow_flip(const struct cvy_conv *g, const float *w, float *wt);
size_t cvy_narrow_scratch(const struct cvy_conv *g);
void cvy_narrow_pass(const struct cvy_compute *compute, const struct cvy_conv *g, const float *dy, const float *wt,
                     float *dx, bool accumulate, float *scratch);

/* Backward-weights by the direct sum, as cvy_conv_backward_weights; whether dy is packed for it. */
size_t cvy_weights_workspace(const struct cvy_conv *g, int threads); /* floats */
bool cvy_weights_packs(const struct cvy_conv *g);
void cvy_weights_pass(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x, const float *dy,
                      float *dw, float *dbias, float *ws);

#endif
