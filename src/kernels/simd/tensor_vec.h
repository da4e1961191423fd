/* The numbers of feature maps as loops read and write them, so that a loop is written once for all types: floats, or
 * with ELEMENT_BF16 bf16, which are widened as they are read and rounded as they are stored. Arrays are void, places in
 * them are counted in their numbers. */
#ifndef CVY_KERNELS_SIMD_TENSOR_VEC_H
#define CVY_KERNELS_SIMD_TENSOR_VEC_H

#include <stdbool.h>

#include "kernels/simd/vec.h"

#ifdef ELEMENT_BF16
#include "kernels/simd/bf16_vec.h"
typedef cvy_bf16 elem;
#define V_LOAD_ELEMENTS  v_widen
#define V_STORE_ELEMENTS v_narrow
#else
typedef float elem;
#define V_LOAD_ELEMENTS  v_load_lanes
#define V_STORE_ELEMENTS v_store_lanes
#endif

/* `lanes` numbers from number i on; lanes may be VEC or more. */
static inline vf v_get(const void *x, int64_t i, int64_t lanes) {
    return V_LOAD_ELEMENTS((const elem *)x + i, (int)lanes);
}
static inline void v_put(void *y, int64_t i, vf v, int64_t lanes) {
    V_STORE_ELEMENTS((elem *)y + i, v, (int)lanes);
}
/* Sets them, or adds to them. */
static inline void v_give(void *y, int64_t i, vf v, int64_t lanes, bool accumulate) {
    v_put(y, i, accumulate ? v_get(y, i, lanes) + v : v, lanes);
}

#endif
