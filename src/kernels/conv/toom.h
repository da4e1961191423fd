/* Private to the passes by the algorithm of kernels/simd/toom.h, which is for 5×5 kernels over few channels. A sample
 * is an item of work: its rows are transformed, at each of the 9 points there is one matrix product, and the result is
 * transformed back. Values at a point:
 *
 *   V image of x     [rows][parts][c]            rows: those of x and of the zeros around it
 *                    [parts][rows][c]            for dw: 5 rows of c are rows of a product
 *   Z values of dy   [⌈k/16⌉][parts][oh][16]
 *            of y    [⌈k/16⌉][oh][parts][16]
 *   U of w           [⌈k/16⌉][5 rows][c][16]     and likewise of dw
 *   Q of dx          [parts][oh][5 rows][c]      the kernel rows side by side fill vectors where c does not */
#ifndef CVY_KERNELS_CONV_TOOM_H
#define CVY_KERNELS_CONV_TOOM_H

#include "kernels/conv/weights_parts.h"
#include "kernels/simd/toom.h"

/* Floats of each of these at a point. */
struct cvy_toom_sizes {
    ptrdiff_t image, output, filter, inputs;
};
struct cvy_toom_sizes cvy_toom_sizes_of(const struct cvy_conv *g);

struct cvy_toom_tiling {
    struct cvy_toom_sizes sizes;
    int tasks;
    size_t scratch_floats; /* a thread */
};

struct cvy_toom {
    const struct cvy_kernel_table *table;
    const struct cvy_pass_call *call;
    const struct cvy_toom_loops *x_loops, *y_loops; /* over maps of x, of y */
    struct cvy_toom_sizes sizes;
    int tasks;
    const float *u;               /* forward, backward-data */
    struct cvy_weights_sums sums; /* backward-weights: a chunk a task */
    float *scratch;
    size_t scratch_floats; /* a thread */
};
/* By the tiling that the call has. */
struct cvy_toom cvy_toom_make(const struct cvy_pass_call *call);

/* Where it pays: by the shape alone. */
bool cvy_toom_suits(const struct cvy_conv_case *c);

/* Rows of V. */
static inline int cvy_toom_rows(const struct cvy_conv *g) {
    return g->out.h + CVY_TOOM_TAPS - 1;
}
/* Maps of x and of y with values as above. */
struct cvy_toom_map cvy_toom_image_map(const struct cvy_toom *d, bool rows_first);
struct cvy_toom_map cvy_toom_output_map(const struct cvy_toom *d, bool rows_first);
/* V of sample i of x. */
void cvy_toom_image(const struct cvy_toom *d, const struct cvy_toom_map *map, int i, float *v);
/* Sample i of dy, which is `all`. */
static inline const float *cvy_toom_dy(const struct cvy_conv *g, const void *all, int i) {
    return (const float *)all + i * (ptrdiff_t)cvy_shape_count(g->out);
}

#endif
