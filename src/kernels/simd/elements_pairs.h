/* What product_template.h computes with, in bf16: elements are pairs, sums floats, results floats or bf16. */
#include "kernels/simd/bf16_table.h"
#include "kernels/simd/bf16_vec.h"

typedef cvy_pair element;
typedef vp factor;

static inline factor factor_load(const element *p) {
    return v_pairs(v_load_pairs(p));
}
static inline factor factor_set(const element *p) {
    return v_set_pair(p);
}
static inline vf factor_add(factor a, factor b, vf c) { /* a·b + c */
    return v_dot(a, b, c);
}

enum { MAY_ROUND = true };
INLINE vf result_load(const void *c, ptrdiff_t at, bool rounded, int lanes) {
    return rounded ? v_widen((const cvy_bf16 *)c + at, lanes) : v_load_lanes((const float *)c + at, lanes);
}
INLINE void result_store(void *c, ptrdiff_t at, bool rounded, vf v, int lanes) {
    if (rounded)
        v_narrow((cvy_bf16 *)c + at, v, lanes);
    else
        v_store_lanes((float *)c + at, v, lanes);
}
INLINE vf residual_load(const float *residual, ptrdiff_t at, int lanes) { /* it is of bf16 */
    return v_widen((const cvy_bf16 *)(const void *)residual + at, lanes);
}
