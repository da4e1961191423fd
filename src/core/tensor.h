/* Tensors. Activations are NHWC and dense.
 *
 * Letters used everywhere:  n samples · h w height, width · c channels in · k channels out (filters) · r s kernel
 * height, width · oh ow output height, width · d… gradient of … with respect to the loss summed over the samples. */
#ifndef CVY_CORE_TENSOR_H
#define CVY_CORE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/shape.h"

enum cvy_dtype { CVY_F32, CVY_BF16, CVY_U8, CVY_I32 };

struct cvy_tensor {
    void *data; /* [n][h][w][c], not owned */
    enum cvy_dtype dtype;
    int n;
    struct cvy_shape shape;
};

/* What the outputs of a sample are compared with: classes (CVY_I32, 0 …) or values (CVY_F32), one for the whole sample
 * (1×1×1), several (1×1×c), or a map (h×w×c; classes have c = 1). */
struct cvy_target {
    enum cvy_dtype type;
    struct cvy_shape shape;
};

static inline size_t cvy_target_bytes(struct cvy_target t) {
    return (size_t)cvy_shape_count(t.shape) * 4; /* of either type */
}
/* One class for the whole sample. */
static inline bool cvy_target_is_class(struct cvy_target t) {
    return t.type == CVY_I32 && cvy_shape_pixels(t.shape) == 1;
}

static inline size_t cvy_dtype_bytes(enum cvy_dtype t) {
    static const unsigned char bytes[] = {4, 2, 1, 4};
    return bytes[t];
}
/* Number i of an array of them. As strchr's result, it is as constant as the array. */
static inline void *cvy_element(const void *data, enum cvy_dtype t, int64_t i) {
    return (char *)data + i * (int64_t)cvy_dtype_bytes(t);
}

#endif
