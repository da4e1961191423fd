/* How a convolution is computed, decided once: when a network is planned, for one layer, the largest leaf, the threads
 * and the ISA level, the element type, training or evaluation. For each pass a plan holds the algorithm that goes it
 * (by the number of samples where that matters: leaves may be smaller than the largest), how it cuts the largest leaf
 * into tasks, the copies of the weights that these algorithms want, and the workspace. Running a pass chooses nothing
 * (a smaller leaf, which comes at the end of an epoch, is cut when it comes, as a plan of its own would), and a plan is
 * its network's own: no other changes what it computes.
 *
 *   plan_make ─► copy_floats, workspace ─► prepare, once a step ─► forward, backward_data, backward_weights
 *
 * An algorithm is a row of the tables in kernels/conv/algorithm.h; the first that is applicable is taken.
 *
 * Results do not depend on the number of threads. In fp32, pointers need the alignment of a float only. In bf16, x, y,
 * the residual and gradients of feature maps are of bf16, aligned as a pair; weights, bias, their gradients and all
 * sums are fp32; and results differ between ISA levels by the order of sums and by how a level rounds within them. No
 * function here allocates. */
#ifndef CVY_KERNELS_CONV_PLAN_H
#define CVY_KERNELS_CONV_PLAN_H

#include "kernels/compute.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/tiling.h"
#include "kernels/simd/epilogue.h"
#include "kernels/trace.h"

enum {
    CVY_CONV_PASSES = CVY_PASS_WEIGHTS + 1, /* of enum cvy_pass: forward, data, weights */
    CVY_CONV_RANGES = 6,                    /* of numbers of samples with an algorithm each */
    CVY_CONV_COPIES = 6
};

/* What is planned beside the geometry of the largest leaf. */
struct cvy_conv_setting {
    enum cvy_dtype type;          /* of feature maps: CVY_F32 or CVY_BF16 (which has one group) */
    bool passes[CVY_CONV_PASSES]; /* that will be asked for */
    bool fixed; /* weights stay as they are over many calls: what is made of them for forward may cost more */
    bool lean;  /* no copy of large weights of a dense layer, in fp32 */
};

struct cvy_algorithm;
struct cvy_weights_copy;

struct cvy_conv_plan {
    const struct cvy_compute *compute; /* that it was made for, and runs on; outlives it */
    struct cvy_conv g;                 /* of the largest leaf */
    enum cvy_dtype type;
    /* of each pass, ascending up to the largest leaf; none where a pass was not asked for */
    struct cvy_conv_range {
        int samples; /* up to so many */
        const struct cvy_algorithm *algorithm;
        size_t copy; /* floats into the copies */
    } ranges[CVY_CONV_PASSES][CVY_CONV_RANGES];
    int range_count[CVY_CONV_PASSES];
    struct cvy_tiling tilings[CVY_CONV_PASSES]; /* of the largest leaf, by the algorithm that goes it */
    const struct cvy_weights_copy
        *copies[CVY_CONV_COPIES]; /* one after the other; what two passes share is there once */
    int copy_count;
    size_t copy_floats; /* of all, aligned to CVY_ALIGN; 0: none */
    size_t workspace;   /* bytes of `ws` below, aligned likewise, which holds nothing between calls */
};

void cvy_conv_plan_make(const struct cvy_compute *compute, const struct cvy_conv *g,
                        const struct cvy_conv_setting *setting, struct cvy_conv_plan *out);
/* Whether the pass wants a copy of the weights. */
bool cvy_conv_plan_copies(const struct cvy_conv_plan *plan, enum cvy_pass pass);
/* Whether a pass may go by Winograd's or Toom's algorithm. Those give exact zeros where a whole channel is zero: dw of
 * channels of x or dy that are, y and dx of filters and channels whose weights are. Elsewhere a sum of zeros alone may
 * come out as rounding noise: 1e-6 of the largest sum. */
bool cvy_conv_plan_transforms(const struct cvy_conv_plan *plan);

/* Makes the plan's copies of the weights w. */
void cvy_conv_prepare(const struct cvy_conv_plan *plan, const float *w, float *copies);

/* The weights as they are stored, and what prepare made of them (NULL where copy_floats is 0). */
struct cvy_conv_weights {
    const float *w, *copies;
};

/* n: from 1 to the plan's. y is overwritten; `epilogue` may be NULL. */
void cvy_conv_forward(const struct cvy_conv_plan *plan, int n, const void *x, struct cvy_conv_weights weights,
                      const struct cvy_epilogue *epilogue, void *y, void *ws);
/* dx = (or, with accumulate, +=) the gradient with respect to x. */
void cvy_conv_backward_data(const struct cvy_conv_plan *plan, int n, const void *dy, struct cvy_conv_weights weights,
                            void *dx, bool accumulate, void *ws);
/* dw (panels, padding lanes zero) and dbias (padded to 16 as stored; may be NULL) are overwritten by the sums over the
 * n samples. */
void cvy_conv_backward_weights(const struct cvy_conv_plan *plan, int n, const void *x, const void *dy, float *dw,
                               float *dbias, void *ws);

#endif
