/* What product_template.h computes with, in fp32: elements, sums and results are floats. */
#include "kernels/simd/table.h"
#include "kernels/simd/vec.h"

typedef float element;
typedef vf factor;

static inline factor factor_load(const element *p) {
    return v_load(p);
}
static inline factor factor_set(const element *p) {
    return v_set(*p);
}
static inline vf factor_add(factor a, factor b, vf c) { /* a·b + c */
    return v_fma(a, b, c);
}

enum { MAY_ROUND = false };
INLINE vf result_load(const void *c, ptrdiff_t at, bool rounded, int lanes) {
    (void)rounded;
    return v_load_lanes((const float *)c + at, lanes);
}
INLINE void result_store(void *c, ptrdiff_t at, bool rounded, vf v, int lanes) {
    (void)rounded;
    v_store_lanes((float *)c + at, v, lanes);
}
INLINE vf residual_load(const float *residual, ptrdiff_t at, int lanes) {
    return v_load_lanes(residual + at, lanes);
}
