/* Activations: the value from x, and the slope's product with dy from what the list in kernels/elementwise.h says. Part
 * of tensor_template.h. Where an activation is flat, dy is masked out rather than multiplied by 0, so that a NaN in it
 * stays behind. */

#include "kernels/simd/tensor_vec.h"
#include "kernels/simd/act.h"
#include "kernels/simd/vec_math.h"

#define ACT const struct cvy_act *act

static inline vf v_where(vi mask, vf x) { /* else 0 */
    return (vf)(mask & (vi)x);
}

/* ---- from the output ---- */

static inline vf act_relu(ACT, vf x) {
    (void)act;
    return v_relu(x);
}
static inline vf slope_relu(ACT, vf y, vf dy) {
    (void)act;
    return v_where(~(y <= v_set(0)), dy);
}

static inline vf act_tanh(ACT, vf x) {
    (void)act;
    return v_tanh(x);
}
static inline vf slope_tanh(ACT, vf y, vf dy) {
    (void)act;
    return dy * v_fma(v_set(0) - y, y, v_set(1));
}

static inline vf act_sigmoid(ACT, vf x) {
    (void)act;
    return v_sigmoid(x);
}
static inline vf slope_sigmoid(ACT, vf y, vf dy) {
    (void)act;
    return dy * (y * (v_set(1) - y));
}

static inline vf act_clip(ACT, vf x) {
    return at_most(at_least(x, act->a), act->b);
}
static inline vf slope_clip(ACT, vf y, vf dy) {
    return v_where(~((y <= v_set(act->a)) | (y >= v_set(act->b))), dy);
}

static inline vf act_leaky_relu(ACT, vf x) {
    return v_select(x > v_set(0), x, x * v_set(act->a));
}
static inline vf slope_leaky_relu(ACT, vf y, vf dy) {
    return v_select(y > v_set(0), dy, dy * v_set(act->a));
}

static inline vf act_elu(ACT, vf x) {
    return v_select(x > v_set(0), x, v_set(act->a) * v_expm1(at_most(x, 0)));
}
static inline vf slope_elu(ACT, vf y, vf dy) { /* a·eˣ = y + a */
    return v_select(y > v_set(0), dy, dy * (y + v_set(act->a)));
}

/* log(1 + e) for 0 ≤ e ≤ 1 as 2·artanh(s), s = e/(2 + e) ≤ 1/3, by the series to s¹⁵. */
static inline vf v_log1p(vf e) {
    const vf s = e / (v_set(2) + e), q = s * s;
    vf p = v_set(2.0f / 15);
    p = v_fma(p, q, v_set(2.0f / 13));
    p = v_fma(p, q, v_set(2.0f / 11));
    p = v_fma(p, q, v_set(2.0f / 9));
    p = v_fma(p, q, v_set(2.0f / 7));
    p = v_fma(p, q, v_set(2.0f / 5));
    p = v_fma(p, q, v_set(2.0f / 3));
    return v_fma(p * q, s, s + s);
}
static inline vf act_softplus(ACT, vf x) {
    const vf scaled = x * v_set(act->a), size = v_select(scaled < v_set(0), scaled, v_set(0) - scaled);
    return at_least(x, 0) + v_log1p(v_exp(size)) * v_set(1 / act->a);
}
static inline vf slope_softplus(ACT, vf y, vf dy) { /* sigmoid(a·x) = 1 − e^{−a·y} */
    return dy * (v_set(0) - v_expm1(y * v_set(-act->a)));
}

static inline vf hard_sigmoid(vf x) {
    return at_most(at_least(x + v_set(3), 0), 6) * v_set(1.0f / 6);
}
static inline vf act_hard_sigmoid(ACT, vf x) {
    (void)act;
    return hard_sigmoid(x);
}
static inline vf slope_hard_sigmoid(ACT, vf y, vf dy) {
    (void)act;
    return v_where(~((y <= v_set(0)) | (y >= v_set(1))), dy * v_set(1.0f / 6));
}

/* ---- from the input ---- */

/* e^{−x²/2}, and the normal distribution's tail beyond |x|: e^{−z²}·t·P(t)/2, z = |x|/√2, t = 1/(1 + z/2). P is fitted
 * to a relative error of 4e-8 for z ≤ 9.5, beyond which the tail is zero. */
static inline vf normal_tail(vf x, vf *bell) {
    const vf half_square = x * x * v_set(0.5f), size = (vf)((vi)x & ~(vi)v_set(-0.0f));
    const vf t = v_set(1) / v_fma(size, v_set(0.353553391f), v_set(1));
    *bell = v_exp(v_set(0) - half_square);
    vf p = v_set(-0.05889242f);
    p = v_fma(p, t, v_set(0.28370975f));
    p = v_fma(p, t, v_set(-0.48539930f));
    p = v_fma(p, t, v_set(0.27599532f));
    p = v_fma(p, t, v_set(-0.02518899f));
    p = v_fma(p, t, v_set(0.20207437f));
    p = v_fma(p, t, v_set(0.24325993f));
    p = v_fma(p, t, v_set(0.28235362f));
    p = v_fma(p, t, v_set(0.28208767f));
    return *bell * (t * p * v_set(0.5f));
}
static inline vf normal_cdf(vf x, vf *bell) {
    const vf tail = normal_tail(x, bell);
    return v_select(x < v_set(0), tail, v_set(1) - tail);
}
static inline vf act_gelu(ACT, vf x) {
    (void)act;
    vf bell;
    return x * normal_cdf(x, &bell);
}
static inline vf slope_gelu(ACT, vf x, vf dy) {
    (void)act;
    vf bell, cdf = normal_cdf(x, &bell);
    return dy * v_fma(x * v_set(0.398942280f), bell, cdf);
}

/* s = sigmoid(x), and *slope = s·(1 − s) without the cancellation. */
static inline vf sigmoid_and_slope(vf x, vf *slope) {
    const vf e = v_exp((vf)((vi)x | (vi)v_set(-0.0f))), r = v_set(1) / (v_set(1) + e);
    *slope = e * r * r;
    return v_select(x < v_set(0), e * r, r);
}

/* (1 + tanh u)/2 = sigmoid(2u); 2√(2/π) = 1.59576912. */
static inline vf act_gelu_tanh(ACT, vf x) {
    (void)act;
    const vf inner = v_fma(x * x * v_set(0.044715f), x, x);
    return x * v_sigmoid(inner * v_set(1.59576912f));
}
static inline vf slope_gelu_tanh(ACT, vf x, vf dy) {
    (void)act;
    const vf square = x * x, inner = v_fma(square * v_set(0.044715f), x, x);
    const vf inner_slope = v_fma(square, v_set(3 * 0.044715f), v_set(1)) * v_set(1.59576912f);
    vf slope, s = sigmoid_and_slope(inner * v_set(1.59576912f), &slope);
    return dy * v_fma(x * slope, inner_slope, s);
}

static inline vf act_silu(ACT, vf x) {
    (void)act;
    return x * v_sigmoid(x);
}
static inline vf slope_silu(ACT, vf x, vf dy) {
    (void)act;
    vf slope, s = sigmoid_and_slope(x, &slope);
    return dy * v_fma(x, slope, s);
}

static inline vf act_hard_swish(ACT, vf x) {
    (void)act;
    return x * hard_sigmoid(x);
}
static inline vf slope_hard_swish(ACT, vf x, vf dy) {
    (void)act;
    const vf inner = dy * v_fma(x, v_set(1.0f / 3), v_set(0.5f));
    return v_where(~(x < v_set(-3)), v_select(x > v_set(3), dy, inner));
}

/* ---- flat ---- */

static inline vf act_sign(ACT, vf x) {
    (void)act;
    const vf one = v_where(x > v_set(0), v_set(1)), minus = v_where(x < v_set(0), v_set(-1));
    return v_select(x != x, x, one + minus);
}
static inline vf act_step(ACT, vf x) {
    const vf one = v_where(x > v_set(0), v_set(1)), at_zero = v_where(x == v_set(0), v_set(act->a));
    return v_select(x != x, x, one + at_zero);
}

/* ---- the loops ---- */

#define OUTPUT_BACKWARD(name)                                                                                          \
    static void name##_backward(ACT, const void *from, const void *dy, void *dx, int64_t count, bool accumulate) {     \
        EACH_VECTOR(i, lanes, count)                                                                                   \
        v_give(dx, i, slope_##name(act, v_get(from, i, lanes), v_get(dy, i, lanes)), lanes, accumulate);               \
    }
#define INPUT_BACKWARD OUTPUT_BACKWARD
#define NOTHING_BACKWARD(name)                                                                                         \
    static void name##_backward(ACT, const void *from, const void *dy, void *dx, int64_t count, bool accumulate) {     \
        (void)act, (void)from, (void)dy;                                                                               \
        if (!accumulate) memset(dx, 0, (size_t)count * sizeof(elem));                                                  \
    }

#define LOOPS(upper, name, from)                                                                                       \
    static void name##_forward(ACT, const void *x, void *y, int64_t count) {                                           \
        EACH_VECTOR(i, lanes, count)                                                                                   \
        v_put(y, i, act_##name(act, v_get(x, i, lanes)), lanes);                                                       \
    }                                                                                                                  \
    from##_BACKWARD(name)
CVY_ACTS(LOOPS)

#undef ACT
