/* The loops that stream over memory, written once for every ISA level. The including file defines VEC_BITS and the
 * names of the table that is made here, TABLE, and of what the level has in files of their own: PRODUCT, TOOM, and
 * TOOM_NARROW. */
#include "kernels/simd/dots_template.h"
#include "kernels/simd/single_template.h"
#include "kernels/simd/table.h"
#include "kernels/simd/tensor_template.h"
#include "kernels/simd/vec_math.h"

static void exp_minus(const float *x, float shift, float *y, int64_t count) {
    EACH_VECTOR(i, lanes, count)
    v_store_lanes(y + i, v_exp(v_load_lanes(x + i, (int)lanes) - v_set(shift)), (int)lanes);
}

/* ---- sums and the optimiser ---- */

static void add(float *dst, const float *a, int64_t count) {
    EACH_VECTOR(i, lanes, count)
    v_store_lanes(dst + i, v_load_lanes(dst + i, (int)lanes) + v_load_lanes(a + i, (int)lanes), (int)lanes);
}

static void scale(float *dst, float factor, int64_t count) {
    EACH_VECTOR(i, lanes, count)
    v_store_lanes(dst + i, v_load_lanes(dst + i, (int)lanes) * v_set(factor), (int)lanes);
}

static void add_scaled(float *dst, float factor, const float *a, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        vf sum = v_fma(v_set(factor), v_load_lanes(a + i, (int)lanes), v_load_lanes(dst + i, (int)lanes));
        v_store_lanes(dst + i, sum, (int)lanes);
    }
}

static void mix(const float *x, const ptrdiff_t at[4], const float share[4], float *y, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        vf sum = v_set(share[0]) * v_load_lanes(x + at[0] + i, (int)lanes);
        for (int k = 1; k < 4; k++) sum = v_fma(v_set(share[k]), v_load_lanes(x + at[k] + i, (int)lanes), sum);
        v_store_lanes(y + i, sum, (int)lanes);
    }
}

static void sgd(float *w, const float *g, float *v, int64_t count, const struct cvy_sgd *how) {
    const vf lr = v_set(-how->lr), m = v_set(how->momentum), decay = v_set(how->weight_decay);
    EACH_VECTOR(i, lanes, count) {
        vf old = v_load_lanes(w + i, (int)lanes);
        vf d = v_fma(decay, old, v_set(how->grad_scale) * v_load_lanes(g + i, (int)lanes));
        if (how->momentum != 0) {
            vf speed = v_fma(m, v_load_lanes(v + i, (int)lanes), d);
            v_store_lanes(v + i, speed, (int)lanes);
            d = how->nesterov ? v_fma(m, speed, d) : speed;
        }
        v_store_lanes(w + i, v_fma(lr, d, old), (int)lanes);
    }
}

/* ---- transposition ---- */

#if VEC_BITS == 512
/* Bit d of the row's number and of the lane's change places. */
INLINE void swap_bit(vf *rows, int d) {
    const vi upper = (v_lane_numbers & d) != 0;
    const vi low = v_lane_numbers + (upper & (VEC - d)), high = v_lane_numbers + ((upper & VEC) | (~upper & d));
    UNROLL for (int i = 0; i < VEC; i++) {
        if (i & d) continue;
        const vf a = rows[i], b = rows[i + d];
        rows[i] = v_pick(a, b, low);
        rows[i + d] = v_pick(a, b, high);
    }
}
static void transpose(const float *from, float *to) {
    vf rows[VEC];
    UNROLL for (int i = 0; i < VEC; i++) rows[i] = v_load(from + i * VEC);
    swap_bit(rows, 8);
    swap_bit(rows, 4);
    swap_bit(rows, 2);
    swap_bit(rows, 1);
    UNROLL for (int i = 0; i < VEC; i++) v_store(to + i * VEC, rows[i]);
}
#else
static void transpose(const float *from, float *to) {
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) to[i * 16 + j] = from[j * 16 + i];
}
#endif

#include "kernels/simd/update_template.h"

const struct cvy_kernel_table TABLE = {
    .product = PRODUCT,
    .large_blocks = VEC_BITS == 512,
    .dots = dots,
    .single = SINGLE_LOOPS,
    .toom = &TOOM,
    .toom_narrow = &TOOM_NARROW,
    .tensor = TENSOR_LOOPS,
    .add = add,
    .scale = scale,
    .add_scaled = add_scaled,
    .mix = mix,
    .exp_minus = exp_minus,
    .sgd = sgd,
    .transpose = transpose,
    .update = UPDATE_LOOPS,
};
