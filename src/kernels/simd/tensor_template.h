/* The loops over feature maps and their gradients, written once for every ISA level and type (tensor_vec.h). Gives
 * TENSOR_LOOPS, the initialiser of a struct cvy_tensor_loops. */
#include "kernels/simd/acts_template.h"
#include "kernels/simd/tensor_vec.h"
#include "kernels/simd/norm_template.h"
#include "kernels/simd/tensor.h"
#include "kernels/simd/pool_template.h"
#include "kernels/simd/winograd_template.h"

static void read_numbers(const void *x, float *out, int64_t count, bool accumulate) {
    EACH_VECTOR(i, lanes, count) {
        const vf v = v_get(x, i, lanes);
        v_store_lanes(out + i, accumulate ? v_load_lanes(out + i, (int)lanes) + v : v, (int)lanes);
    }
}

static void write_numbers(const float *from, void *y, int64_t count, bool accumulate) {
    EACH_VECTOR(i, lanes, count) v_give(y, i, v_load_lanes(from + i, (int)lanes), lanes, accumulate);
}

static void add_numbers(void *dst, const void *a, int64_t count) {
    EACH_VECTOR(i, lanes, count) v_put(dst, i, v_get(dst, i, lanes) + v_get(a, i, lanes), lanes);
}

static void fill_numbers(void *dst, float value, int64_t count) {
    EACH_VECTOR(i, lanes, count) v_put(dst, i, v_set(value), lanes);
}

static void mask_numbers(const float *factor, const void *x, void *y, int64_t count, bool accumulate) {
    EACH_VECTOR(i, lanes, count) {
        const vf f = v_load_lanes(factor + i, (int)lanes);
        v_give(y, i, (vf)((f != v_set(0)) & (vi)(v_get(x, i, lanes) * f)), lanes, accumulate);
    }
}

static void sum_of(const struct cvy_tensor *x, int inputs, int64_t at, void *y, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        vf sum = v_get(x[0].data, at + i, lanes);
        for (int k = 1; k < inputs; k++) sum += v_get(x[k].data, at + i, lanes);
        v_put(y, i, sum, lanes);
    }
}

static void product_of(const struct cvy_tensor *x, int inputs, int skip, const void *seed, int64_t at, void *y,
                       int64_t count, bool accumulate) {
    EACH_VECTOR(i, lanes, count) {
        vf product = seed ? v_get(seed, i, lanes) : v_set(1);
        for (int k = 0; k < inputs; k++)
            if (k != skip) product *= v_get(x[k].data, at + i, lanes);
        v_give(y, i, product, lanes, accumulate);
    }
}

#define FORWARD(upper, lower, from)  lower##_forward,
#define BACKWARD(upper, lower, from) lower##_backward,
#define TENSOR_LOOPS                                                                                                   \
    {                                                                                                                  \
        .act_forward = {CVY_ACTS(FORWARD)}, .act_backward = {CVY_ACTS(BACKWARD)}, .read = read_numbers,                \
        .write = write_numbers, .add = add_numbers, .fill = fill_numbers, .mask = mask_numbers, .sum_of = sum_of,      \
        .product_of = product_of, .max_taps = max_taps, .max_spread = max_spread, .max_gather = max_gather,            \
        .sum_taps = sum_taps, .sum_spread = sum_spread, .moments = moments, .products = products,                      \
        .normalise = normalise, .normalise_back = normalise_back, .lrn = lrn, .lrn_back = lrn_back,                    \
        .winograd = {WINOGRAD(3), WINOGRAD(5)},                                                                        \
    }
