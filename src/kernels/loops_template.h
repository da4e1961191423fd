/* The loops that stream over memory, written once for every ISA level. The including file defines VEC_BITS and TABLE
 * and PRODUCT, the names of the table that is made here and of the level's product. */
#include "kernels/table.h"
#include "kernels/vec.h"
#include "kernels/windows_template.h"

/* A loop over [0, count) in whole vectors and one part: i is the index, lanes how many count. */
#define EACH_VECTOR(i, lanes, count)                                                                                   \
    for (int64_t i = 0, lanes = VEC; i < (count) && (lanes = (count)-i < VEC ? (count)-i : VEC) > 0; i += VEC)

/* ---- exp, tanh, sigmoid ---- */

/* x = n·ln 2 + r with |r| ≤ ln 2 / 2; gives n and r. ln 2 in two parts (Cody & Waite 1980): n times the first is exact.
 */
static inline vf reduce(vf x, vf *n) {
    const vf magic = v_set(0x1.8p23f); /* adding it rounds to an integer, which is then in the low bits */
    *n = v_fma(x, v_set(1.44269504f), magic);
    vf whole = *n - magic;
    vf r = v_fma(whole, v_set(-0.693359375f), x);
    return v_fma(whole, v_set(2.12194440e-4f), r);
}

/* e^r − 1 by Taylor's series to r⁷, whose next term is below 6e-9 of r. */
static inline vf expm1_core(vf r) {
    vf p = v_set(1.0f / 5040);
    p = v_fma(p, r, v_set(1.0f / 720));
    p = v_fma(p, r, v_set(1.0f / 120));
    p = v_fma(p, r, v_set(1.0f / 24));
    p = v_fma(p, r, v_set(1.0f / 6));
    p = v_fma(p, r, v_set(0.5f));
    return v_fma(p, r * r, r);
}

/* 2^n, where n is as `reduce` gives it and −126 ≤ n ≤ 127. */
static inline vf two_to(vf n) {
    return (vf)(((vi)n << 23) + (vi)v_set(1.0f));
}

/* NaN passes through both. */
static inline vf at_most(vf x, float limit) {
    return v_select(x > v_set(limit), v_set(limit), x);
}
static inline vf at_least(vf x, float limit) {
    return v_select(x < v_set(limit), v_set(limit), x);
}

/* 0 below −87.3 (the smallest normal number), 2^127.5 from 88.3 on: nothing here needs more. */
static inline vf v_exp(vf x) {
    vf n, r = reduce(at_most(at_least(x, -87.3f), 88.3f), &n);
    vf two = two_to(n), y = v_fma(two, expm1_core(r), two);
    return v_select(x < v_set(-87.3f), v_set(0), y);
}

/* e^x − 1 for x ≤ 44; −1 below −87.3. */
static inline vf v_expm1(vf x) {
    vf n, r = reduce(at_least(x, -87.3f), &n), two = two_to(n);
    return v_fma(two, expm1_core(r), two - v_set(1));
}

/* With e = e^{2|x|} − 1: tanh |x| = e / (e + 2), which keeps its accuracy near 0. */
static inline vf v_tanh(vf x) {
    const vi sign = (vi)x & (vi)v_set(-0.0f);
    vf size = (vf)((vi)x ^ sign), n;
    vf r = reduce(at_most(size + size, 20.0f), &n);
    vf two = two_to(n), e = v_fma(two, expm1_core(r), two - v_set(1));
    return (vf)((vi)(e / (e + v_set(2))) | sign);
}

static inline vf v_sigmoid(vf x) {
    return v_set(1) / (v_set(1) + v_exp(v_set(0) - x));
}

static void exp_minus(const float *x, float shift, float *y, int64_t count) {
    EACH_VECTOR(i, lanes, count)
    v_store_lanes(y + i, v_exp(v_load_lanes(x + i, (int)lanes) - v_set(shift)), (int)lanes);
}

#include "kernels/acts_template.h"

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

static inline vf v_of(const struct cvy_tensor *x, int64_t at, int64_t lanes) {
    return v_load_lanes((const float *)x->data + at, (int)lanes);
}

static void sum_of(const struct cvy_tensor *x, int inputs, int64_t at, float *y, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        vf sum = v_of(&x[0], at + i, lanes);
        for (int k = 1; k < inputs; k++) sum += v_of(&x[k], at + i, lanes);
        v_store_lanes(y + i, sum, (int)lanes);
    }
}

static void product_of(const struct cvy_tensor *x, int inputs, int skip, const float *seed, int64_t at, float *y,
                       int64_t count, bool accumulate) {
    EACH_VECTOR(i, lanes, count) {
        vf product = seed ? v_load_lanes(seed + i, (int)lanes) : v_set(1);
        for (int k = 0; k < inputs; k++)
            if (k != skip) product *= v_of(&x[k], at + i, lanes);
        if (accumulate) product += v_load_lanes(y + i, (int)lanes);
        v_store_lanes(y + i, product, (int)lanes);
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

#include "kernels/norm_template.h"
#include "kernels/update_template.h"

const struct cvy_kernel_table TABLE = {
    .product = PRODUCT,
#define FORWARD(upper, lower, from) lower##_forward,
    .act_forward = {CVY_ACTS(FORWARD)},
#define BACKWARD(upper, lower, from) lower##_backward,
    .act_backward = {CVY_ACTS(BACKWARD)},
    .add = add,
    .scale = scale,
    .add_scaled = add_scaled,
    .mix = mix,
    .sum_of = sum_of,
    .product_of = product_of,
    .exp_minus = exp_minus,
    .sgd = sgd,
    .max_taps = max_taps,
    .max_spread = max_spread,
    .sum_taps = sum_taps,
    .sum_spread = sum_spread,
    .moments = moments,
    .products = products,
    .update = UPDATE_LOOPS,
    .normalise = normalise,
    .normalise_back = normalise_back,
    .lrn = lrn,
    .lrn_back = lrn_back,
};
