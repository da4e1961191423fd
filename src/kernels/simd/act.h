/* Activations: which there are, and what each computes. */
#ifndef CVY_KERNELS_SIMD_ACT_H
#define CVY_KERNELS_SIMD_ACT_H

/* Activations, and what their slope is computed from: the OUTPUT y, the INPUT x, or NOTHING (it is zero).
 *
 *   relu         max(x, 0)                        clip          x within a … b
 *   leaky_relu   x, below 0 a·x                   hard_sigmoid  x/6 + 1/2 within 0 … 1
 *   elu          x, below 0 a·(eˣ − 1)            softplus      log(1 + e^{a·x}) / a
 *   gelu         x·Φ(x), Φ of the normal distribution (Hendrycks & Gimpel 2016)
 *   gelu_tanh    x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
 *   silu         x·sigmoid(x)                     hard_swish    x·hard_sigmoid(x) (Howard et al. 2019)
 *   sign         −1, 0, 1                         step          0, a at 0, 1 */
#define CVY_ACTS(X)                                                                                                    \
    X(RELU, relu, OUTPUT)                                                                                              \
    X(TANH, tanh, OUTPUT)                                                                                              \
    X(SIGMOID, sigmoid, OUTPUT)                                                                                        \
    X(CLIP, clip, OUTPUT)                                                                                              \
    X(LEAKY_RELU, leaky_relu, OUTPUT)                                                                                  \
    X(ELU, elu, OUTPUT)                                                                                                \
    X(SOFTPLUS, softplus, OUTPUT)                                                                                      \
    X(HARD_SIGMOID, hard_sigmoid, OUTPUT)                                                                              \
    X(GELU, gelu, INPUT)                                                                                               \
    X(GELU_TANH, gelu_tanh, INPUT)                                                                                     \
    X(SILU, silu, INPUT)                                                                                               \
    X(HARD_SWISH, hard_swish, INPUT)                                                                                   \
    X(SIGN, sign, NOTHING)                                                                                             \
    X(STEP, step, NOTHING)

enum cvy_act_kind {
#define CVY_ACT_ENUM(upper, lower, from) CVY_ACT_##upper,
    CVY_ACTS(CVY_ACT_ENUM)
#undef CVY_ACT_ENUM
        CVY_ACT_COUNT
};

struct cvy_act {
    enum cvy_act_kind kind;
    float a, b;
};

#endif
