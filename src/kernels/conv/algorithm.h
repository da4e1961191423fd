/* Private to the convolution: what an algorithm is, and the tables of them. A new one is a file that ends with its
 * `const struct cvy_algorithm`, and its row here. */
#ifndef CVY_KERNELS_CONV_ALGORITHM_H
#define CVY_KERNELS_CONV_ALGORITHM_H

#include "kernels/compute.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/tiling.h"
#include "kernels/simd/epilogue.h"
#include "kernels/trace.h"

/* A row's name is prefixed by its pass: cvy_forward_…, cvy_data_…, cvy_gradient_…. Rows of a pass and an element type
 * are in the order of preference; the last is for every shape. */
#define CVY_FORWARD_ALGORITHMS(X)                                                                                      \
    X(forward_depthwise)                                                                                               \
    X(forward_pointwise)                                                                                               \
    X(forward_winograd_cached)                                                                                         \
    X(forward_winograd)                                                                                                \
    X(forward_single)                                                                                                  \
    X(forward_toom)                                                                                                    \
    X(forward_widened)                                                                                                 \
    X(forward_direct)                                                                                                  \
    X(forward_bf16_streamed)                                                                                           \
    X(forward_bf16_pointwise)                                                                                          \
    X(forward_bf16_winograd)                                                                                           \
    X(forward_bf16_direct)
#define CVY_DATA_ALGORITHMS(X)                                                                                         \
    X(data_depthwise)                                                                                                  \
    X(data_dots)                                                                                                       \
    X(data_dense)                                                                                                      \
    X(data_pointwise)                                                                                                  \
    X(data_toom)                                                                                                       \
    X(data_narrow)                                                                                                     \
    X(data_winograd)                                                                                                   \
    X(data_phases)                                                                                                     \
    X(data_direct)                                                                                                     \
    X(data_bf16_streamed)                                                                                              \
    X(data_bf16_pointwise)                                                                                             \
    X(data_bf16_winograd)                                                                                              \
    X(data_bf16_direct)
#define CVY_GRADIENT_ALGORITHMS(X)                                                                                     \
    X(gradient_depthwise)                                                                                              \
    X(gradient_winograd)                                                                                               \
    X(gradient_single)                                                                                                 \
    X(gradient_toom)                                                                                                   \
    X(gradient_widened)                                                                                                \
    X(gradient_pointwise)                                                                                              \
    X(gradient_packed)                                                                                                 \
    X(gradient_rows)                                                                                                   \
    X(gradient_bf16_winograd)                                                                                          \
    X(gradient_bf16_direct)

/* What a choice goes by: the shape with its samples, and what is planned. Its fields never change within a run. */
struct cvy_conv_case {
    const struct cvy_compute *compute;
    const struct cvy_conv *g; /* of one group, but for depthwise */
    enum cvy_dtype type;
    int most;         /* samples of the largest leaf */
    bool fixed, lean; /* of struct cvy_conv_setting */
};

/* A pass over feature maps of `type`: `to` from `from` and `with`, which are x and weights, dy and weights (as they are
 * or the algorithm's copy), or x and dy. */
struct cvy_pass_call {
    const struct cvy_compute *compute;
    const struct cvy_conv *g;
    enum cvy_dtype type;
    const struct cvy_tiling *tiling;
    const void *from, *with;
    const struct cvy_epilogue *epilogue; /* forward */
    bool accumulate;                     /* backward-data */
    float *dbias;                        /* backward-weights */
    void *to;
    float *ws;
};

/* A copy of the weights. What serves several algorithms is one object. */
struct cvy_weights_copy {
    const char *name;
    size_t (*floats)(const struct cvy_conv *g); /* the same for every n */
    void (*make)(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *out);
};

struct cvy_algorithm {
    const char *name; /* as `bench` shows it: stays as it is */
    enum cvy_dtype type;
    bool transforms; /* rounds sums of zeros: not where direct sums are asked for */
    bool (*applicable)(const struct cvy_conv_case *c);
    /* Cuts the pass into tasks, by shape and level alone, for `run` to find it in the call; gives the floats of
     * workspace that it wants. */
    size_t (*tile)(const struct cvy_conv_case *c, struct cvy_tiling *out);
    const struct cvy_weights_copy *copy; /* NULL: reads the weights as they are, or none */
    void (*run)(const struct cvy_pass_call *call);
};

#define CVY_ALGORITHM_DECLARE(name) extern const struct cvy_algorithm cvy_##name;
CVY_FORWARD_ALGORITHMS(CVY_ALGORITHM_DECLARE)
CVY_DATA_ALGORITHMS(CVY_ALGORITHM_DECLARE)
CVY_GRADIENT_ALGORITHMS(CVY_ALGORITHM_DECLARE)

/* Row i of a pass, NULL behind the last. */
const struct cvy_algorithm *cvy_algorithm_at(enum cvy_pass pass, int i);
bool cvy_always(const struct cvy_conv_case *c);

/* An algorithm group by group: each group's channels are copied out, convolved by it alone, and copied back. `whole`
 * has the geometry of all groups; its `with` points to the first group's copy where the algorithm wants one. */
bool cvy_conv_is_depthwise(const struct cvy_conv *g);
struct cvy_conv cvy_conv_one_group(const struct cvy_conv *g); /* g itself: one group, or depthwise */
int cvy_conv_rounds(const struct cvy_conv *g);                /* groups that are gone one by one */
size_t cvy_groups_workspace(const struct cvy_conv *g);        /* floats, before the algorithm's own */
void cvy_groups_run(const struct cvy_algorithm *algorithm, enum cvy_pass pass, const struct cvy_pass_call *whole);
/* The copies of all groups, one after the other; `own` is room for one group's panels: cvy_groups_panel_floats. */
size_t cvy_groups_panel_floats(const struct cvy_conv *g);
void cvy_groups_copy(const struct cvy_compute *compute, const struct cvy_weights_copy *copy, const struct cvy_conv *g,
                     const float *w, float *out, float *own);

#endif
