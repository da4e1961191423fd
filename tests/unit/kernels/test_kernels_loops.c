/* kernels_loops: activations, dropout, flat vectors, SGD, pooling and softmax, each ISA level against plain loops. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/elementwise.h"
#include "kernels/softmax.h"
#include "kernels/simd/table.h"
#include "kernels/pool.h"
#include "unit/kernels/kernels_help.h"
#include "test.h"

static const int counts[] = {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 100, 16384, 16385, 40001};
#define EACH_COUNT(i) for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)

/* ---- activations: formulas in double, and what they make of odd values ---- */

static double relu_of(double x) {
    return x > 0 ? x : 0;
}
static double sigmoid_of(double x) {
    return 1 / (1 + exp(-x));
}
static double clip_of(double x) {
    return fmin(fmax(x, -0.25), 6);
}
static double leaky_of(double x) {
    return x > 0 ? x : 0.125 * x;
}
static double elu_of(double x) {
    return x > 0 ? x : 0.75 * expm1(x);
}
static double softplus_of(double x) {
    return fmax(x, 0) + log1p(exp(-2 * fabs(x))) / 2;
}
static double hard_sigmoid_of(double x) {
    return fmin(fmax(x + 3, 0), 6) / 6;
}
static double gelu_of(double x) {
    return x * erfc(-x / sqrt(2)) / 2;
}
static double gelu_tanh_of(double x) {
    return x * sigmoid_of(2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x));
}
static double silu_of(double x) {
    return x * sigmoid_of(x);
}
static double hard_swish_of(double x) {
    return x * hard_sigmoid_of(x);
}
static double sign_of(double x) {
    return (x > 0) - (x < 0);
}
static double step_of(double x) {
    return x == 0 ? 0.5 : x > 0;
}

/* At: NaN, ∞, −∞, 0, −0, 1000, −1000; where a NaN is expected of −∞, that is what the formula gives: −∞·0. */
static const struct act_test {
    struct cvy_act act;
    double (*of)(double x);
    double ulps; /* allowed; with fused multiply-adds one less; 0: exact, −1: near zero there is another measure */
    float ends[7];
} acts[] = {
    {{CVY_ACT_RELU, 0, 0}, relu_of, 0, {NAN, INFINITY, 0, 0, 0, 1000, 0}},
    {{CVY_ACT_TANH, 0, 0}, tanh, 3.5, {NAN, 1, -1, 0, 0, 1, -1}},
    {{CVY_ACT_SIGMOID, 0, 0}, sigmoid_of, 3.5, {NAN, 1, 0, 0.5f, 0.5f, 1, 0}},
    {{CVY_ACT_CLIP, -0.25f, 6}, clip_of, 0, {NAN, 6, -0.25f, 0, 0, 6, -0.25f}},
    {{CVY_ACT_LEAKY_RELU, 0.125f, 0}, leaky_of, 0, {NAN, INFINITY, -INFINITY, 0, 0, 1000, -125}},
    {{CVY_ACT_ELU, 0.75f, 0}, elu_of, 3.5, {NAN, INFINITY, -0.75f, 0, 0, 1000, -0.75f}},
    {{CVY_ACT_SOFTPLUS, 2, 0}, softplus_of, -1, {NAN, INFINITY, 0, 0.346573590f, 0.346573590f, 1000, 0}},
    {{CVY_ACT_HARD_SIGMOID, 0, 0}, hard_sigmoid_of, -1, {NAN, 1, 0, 0.5f, 0.5f, 1, 0}},
    {{CVY_ACT_GELU, 0, 0}, gelu_of, -1, {NAN, INFINITY, NAN, 0, 0, 1000, 0}},
    {{CVY_ACT_GELU_TANH, 0, 0}, gelu_tanh_of, -1, {NAN, INFINITY, NAN, 0, 0, 1000, 0}},
    {{CVY_ACT_SILU, 0, 0}, silu_of, 4.5, {NAN, INFINITY, NAN, 0, 0, 1000, 0}},
    {{CVY_ACT_HARD_SWISH, 0, 0}, hard_swish_of, -1, {NAN, INFINITY, NAN, 0, 0, 1000, 0}},
    {{CVY_ACT_SIGN, 0, 0}, sign_of, 0, {NAN, 1, -1, 0, 0, 1, -1}},
    {{CVY_ACT_STEP, 0.5f, 0}, step_of, 0, {NAN, 1, 0, 0.5f, 0.5f, 1, 0}},
};
#define EACH_ACT(t) for (const struct act_test *t = acts; t < acts + sizeof acts / sizeof *acts; t++)

static bool from_input(enum cvy_act_kind kind) {
    enum { NOTHING, OUTPUT, INPUT };
#define FROM(upper, lower, from) from,
    static const int sources[] = {CVY_ACTS(FROM)};
    return sources[kind] == INPUT;
}

/* The distance of a from the exact b, in units of b's last place. */
static double ulps(float a, double b) {
    const double size = fabs(b) < 0x1p-126 ? 0x1p-126 : fabs(b);
    return fabs(a - b) / ldexp(1, ilogb(size) - 23);
}

enum { SWEEP = 200000 };

/* Many sizes from 1e-7 to 80, both signs. */
static float sweep(int i) {
    const float size = (float)pow(10, -7 + 8.9 * (i / 2) / (SWEEP / 2));
    return i % 2 ? size : -size;
}

static void accuracy_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    const double limit = compute->isa == CVY_ISA_PORTABLE ? 3.5 : 2.5; /* portable has no fused multiply-add */
    float *x = floats_new(SWEEP), *y = floats_new(SWEEP);
    for (int i = 0; i < SWEEP; i++) x[i] = sweep(i);
    EACH_ACT(t) {
        const double allowed = t->ulps - (compute->isa == CVY_ISA_PORTABLE || t->ulps == 0 ? 0 : 1);
        double worst = 0, largest = 0;
        cvy_act_forward(compute, CVY_F32, t->act, x, y, SWEEP);
        for (int i = 0; i < SWEEP; i++) {
            const double exact = t->of(x[i]);
            worst = fmax(worst, ulps(y[i], exact));
            largest = fmax(largest, fabs(y[i] - exact) / (1e-3 + fabs(exact)));
        }
        const bool good = t->ulps < 0 ? largest <= 3e-6 : worst <= allowed;
        if (!good)
            fprintf(stderr, "\n    %s act %d: %.2f ulp, %.2g", cvy_isa_name(compute->isa), (int)t->act.kind, worst,
                    largest);
        CU_ASSERT(good);
    }
    double worst = 0;
    compute->table->exp_minus(x, 3, y, SWEEP);
    for (int i = 0; i < SWEEP; i++)
        if (x[i] - 3 > -87) worst = fmax(worst, ulps(y[i], exp((double)(x[i] - 3))));
    if (worst > limit) fprintf(stderr, "\n    %s exp: %.2f ulp", cvy_isa_name(compute->isa), worst);
    CU_ASSERT(worst <= limit);
    floats_free(x);
    floats_free(y);
}

static void functions_are_accurate(void) {
    each_level(1, accuracy_level, NULL);
}

static void special_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    const float x[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1000, -1000};
    EACH_ACT(t) {
        float y[7];
        cvy_act_forward(compute, CVY_F32, t->act, x, y, 7);
        for (int i = 0; i < 7; i++)
            CU_ASSERT(isnan(t->ends[i]) ? isnan(y[i]) : fabsf(y[i] - t->ends[i]) < 1e-30f || y[i] == t->ends[i]);
    }
    /* a NaN in dy arrives where relu was open, and one in y counts as open */
    const float y[] = {1, 0, -0.0f, NAN, 2}, dy[] = {NAN, NAN, 3, 4, INFINITY};
    float dx[5];
    cvy_act_backward(compute, CVY_F32, acts[0].act, y, dy, dx, 5, false);
    CU_ASSERT(isnan(dx[0]) && dx[1] == 0 && dx[2] == 0 && dx[3] == 4 && dx[4] == INFINITY);
    float e[3];
    compute->table->exp_minus((const float[]){-INFINITY, NAN, -200}, 0, e, 3);
    CU_ASSERT(e[0] == 0 && isnan(e[1]) && e[2] == 0);
}

static void functions_at_their_ends(void) {
    each_level(1, special_level, NULL);
}

/* ---- element-wise loops ---- */

/* By differences; the formulas hold their precision. */
static double slope_of(const struct act_test *t, double x) {
    return (t->of(x + 1e-6) - t->of(x - 1e-6)) / 2e-6;
}

static void check_activation(const struct cvy_compute *compute, const struct act_test *t, int count) {
    const size_t n = (size_t)count;
    float *x = floats_new(n), *y = floats_new(n), *dy = floats_new(n), *dx = floats_new(n), *more = floats_new(n);
    double *expected = calloc(n, sizeof *expected), *expected_more = calloc(n, sizeof *expected_more);
    floats_random(x, n, 1);
    floats_random(dy, n, 2);
    floats_random(more, n, 3);
    for (size_t i = 0; i < n; i++) x[i] = x[i] * 7.9f + copysignf(1e-3f, x[i]);
    cvy_act_forward(compute, CVY_F32, t->act, x, y, count);
    for (int i = 0; i < count; i++) expected[i] = t->of(x[i]);
    CU_ASSERT(floats_error(y, expected, n) < 6e-7);
    for (int i = 0; i < count; i++) {
        expected[i] = slope_of(t, x[i]) * dy[i];
        expected_more[i] = expected[i] + more[i];
    }
    const float *from = from_input(t->act.kind) ? x : y;
    cvy_act_backward(compute, CVY_F32, t->act, from, dy, dx, count, false);
    cvy_act_backward(compute, CVY_F32, t->act, from, dy, more, count, true);
    double worst = 0, largest = 0;
    for (int i = 0; i < count; i++) {
        worst = fmax(worst, fmax(fabs(dx[i] - expected[i]), fabs(more[i] - expected_more[i])));
        largest = fmax(largest, fabs(dy[i]));
    }
    if (worst >= 1e-6 * fmax(largest, 1))
        fprintf(stderr, "\n    %s act %d of %d: %.2g", cvy_isa_name(compute->isa), (int)t->act.kind, count, worst);
    CU_ASSERT(worst < 1e-6 * fmax(largest, 1));
    float *place = floats_new(n);
    memcpy(place, dy, n * sizeof *place);
    cvy_act_backward(compute, CVY_F32, t->act, from, place, place, count, false);
    CU_ASSERT(floats_same(place, dx, n));
    cvy_act_forward(compute, CVY_F32, t->act, x, x, count);
    CU_ASSERT(floats_same(x, y, n)); /* in place */
    floats_free(x), floats_free(y), floats_free(dy), floats_free(dx), floats_free(more), floats_free(place);
    free(expected), free(expected_more);
}

static void activation_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    EACH_COUNT(i)
    EACH_ACT(t) check_activation(compute, t, counts[i]);
}

static void activations(void) {
    each_level(2, activation_level, NULL);
}

/* A value must not depend on where it stands: each element alone gives what the whole array gave. */
static void position_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    enum { N = 37 };
    float x[N], y[N], one;
    floats_random(x, N, 5);
    EACH_ACT(t) {
        cvy_act_forward(compute, CVY_F32, t->act, x, y, N);
        for (int i = 0; i < N; i++) {
            cvy_act_forward(compute, CVY_F32, t->act, x + i, &one, 1);
            CU_ASSERT(floats_same(&one, y + i, 1));
        }
    }
    float w[N], v[N], g[N], w1, v1;
    floats_random(w, N, 6), floats_random(v, N, 7), floats_random(g, N, 8);
    float w_before[N], v_before[N];
    memcpy(w_before, w, sizeof w), memcpy(v_before, v, sizeof v);
    const struct cvy_sgd how = {
        .lr = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f, .grad_scale = 0.3f, .nesterov = true};
    cvy_sgd_update(compute, &how, w, g, v, N);
    for (int i = 0; i < N; i++) {
        w1 = w_before[i], v1 = v_before[i];
        cvy_sgd_update(compute, &how, &w1, g + i, &v1, 1);
        CU_ASSERT(floats_same(&w1, w + i, 1) && floats_same(&v1, v + i, 1));
    }
}

static void place_does_not_matter(void) {
    each_level(1, position_level, NULL);
}

static void flat_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    EACH_COUNT(i) {
        const size_t n = (size_t)counts[i];
        float *a = floats_new(n), *b = floats_new(n), *serial = floats_new(n);
        floats_random(a, n, 1);
        floats_random(b, n, 2);
        memcpy(serial, a, n * sizeof *a);
        cvy_vec_add_serial(compute, serial, b, counts[i]);
        bool right = true;
        for (size_t j = 0; j < n; j++) right = right && serial[j] == a[j] + b[j];
        cvy_vec_add(compute, a, b, counts[i]);
        right = right && floats_same(a, serial, n);
        cvy_vec_scale(compute, a, 0.3f, counts[i]);
        for (size_t j = 0; j < n; j++) right = right && a[j] == serial[j] * 0.3f;
        cvy_tensor_fill(compute, CVY_F32, a, 0, counts[i]);
        for (size_t j = 0; j < n; j++) right = right && a[j] == 0;
        CU_ASSERT(right);
        floats_free(a), floats_free(b), floats_free(serial);
    }
}

static void flat_vectors(void) {
    each_level(3, flat_level, NULL);
}

/* Three steps from PyTorch's definition (torch.optim.SGD, dampening 0) in double. */
static void check_sgd(const struct cvy_compute *compute, double momentum, bool nesterov, double decay, int count) {
    const size_t n = (size_t)count;
    const struct cvy_sgd how = {.lr = 0.1f,
                                .momentum = (float)momentum,
                                .weight_decay = (float)decay,
                                .grad_scale = 0.25f,
                                .nesterov = nesterov};
    float *w = floats_new(n), *v = floats_new(n), *g = floats_new(n);
    double *w_exact = calloc(n, sizeof *w_exact), *v_exact = calloc(n, sizeof *v_exact);
    floats_random(w, n, 1);
    memset(v, 0, n * sizeof *v);
    for (size_t i = 0; i < n; i++) w_exact[i] = w[i];
    for (uint32_t step = 0; step < 3; step++) {
        floats_random(g, n, 10 + step);
        cvy_sgd_update(compute, &how, w, g, momentum == 0 ? NULL : v, count);
        for (size_t i = 0; i < n; i++) {
            const double d = 0.25 * g[i] + (float)decay * w_exact[i];
            v_exact[i] = (float)momentum * v_exact[i] + d;
            w_exact[i] -= 0.1f * (nesterov ? d + (float)momentum * v_exact[i] : v_exact[i]);
        }
    }
    CU_ASSERT(floats_error(w, w_exact, n) < 4e-7);
    if (momentum != 0) CU_ASSERT(floats_error(v, v_exact, n) < 4e-7);
    floats_free(w), floats_free(v), floats_free(g);
    free(w_exact), free(v_exact);
}

static void sgd_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    EACH_COUNT(i) {
        check_sgd(compute, 0, false, 0, counts[i]);
        check_sgd(compute, 0, false, 0.01, counts[i]);
        check_sgd(compute, 0.9, false, 0.01, counts[i]);
        check_sgd(compute, 0.9, true, 5e-4, counts[i]);
    }
}

static void sgd_is_pytorchs(void) {
    each_level(2, sgd_level, NULL);
}

/* ---- dropout ---- */

static void dropout_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    enum { N = 3, SIZE = 10001 };
    const struct cvy_stream stream = cvy_stream_make(1, "dropout");
    const int64_t ids[N] = {7, (int64_t)1 << 40, 9}, swapped[N] = {9, 7, 8};
    const struct cvy_dropout how = {.draws = {stream, 3, ids, N}, .shape = cvy_shape_flat(SIZE), .p = 0.3f};
    struct cvy_dropout elsewhere = how, later = how;
    elsewhere.draws.ids = swapped;
    later.draws.epoch = 4;
    float *x = floats_new(N * SIZE), *y = floats_new(N * SIZE), *other = floats_new(N * SIZE);
    for (int i = 0; i < N * SIZE; i++) x[i] = 1;
    cvy_dropout(compute, &how, x, y, false);
    int kept = 0;
    bool right = true;
    for (int i = 0; i < N * SIZE; i++) {
        kept += y[i] != 0;
        right = right && (y[i] == 0 || y[i] == 1 / (1 - 0.3f));
    }
    CU_ASSERT(right);
    CU_ASSERT(fabs(kept / (double)(N * SIZE) - 0.7) < 0.011); /* four standard deviations */
    /* the mask belongs to the sample, wherever in a batch it is */
    cvy_dropout(compute, &elsewhere, x, other, false);
    CU_ASSERT(floats_same(other, y + (ptrdiff_t)2 * SIZE, SIZE) && floats_same(other + SIZE, y, SIZE));
    CU_ASSERT_FALSE(floats_same(other + (ptrdiff_t)2 * SIZE, y + SIZE, SIZE));
    cvy_dropout(compute, &later, x, other, false);
    CU_ASSERT_FALSE(floats_same(other, y, SIZE));
    /* the definition, by the sequence that cvy_rng gives */
    struct cvy_rng rng = cvy_rng_at(stream, 3, (uint64_t)ids[1]);
    for (int i = 0; i < SIZE; i++)
        right = right && (cvy_rng_u32(&rng) < (uint32_t)(0.3f * 0x1p32)) == (y[SIZE + i] == 0);
    CU_ASSERT(right);
    /* backward: the same mask; dy may be dx; accumulating adds */
    cvy_dropout(compute, &how, x, other, false);
    CU_ASSERT(floats_same(other, y, N * SIZE));
    cvy_dropout(compute, &how, x, other, true);
    for (int i = 0; i < N * SIZE; i++) right = right && other[i] == y[i] + y[i];
    CU_ASSERT(right);
    cvy_dropout(compute, &how, x, x, false);
    CU_ASSERT(floats_same(x, y, N * SIZE));
    floats_free(x), floats_free(y), floats_free(other);
}

static void dropout(void) {
    each_level(1, dropout_level, NULL);
    each_level(3, dropout_level, NULL);
}

/* ---- pooling ---- */

static const struct cvy_pooling windows[] = {
    {1, {1, 1, 1}, {1, 1, 1}, 1, 1, 1, 1, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},
    {3, {28, 28, 6}, {14, 14, 6}, 2, 2, 2, 2, 0, 0, false, 0, 0, false, 0, 0, CVY_F32}, /* LeNet's */
    {2, {7, 9, 17}, {4, 5, 17}, 3, 3, 2, 2, 1, 1, false, 0, 0, false, 0, 0, CVY_F32},   /* ResNet's: overlapping, padded
                                                                                         */
    {2, {7, 9, 17}, {4, 5, 17}, 3, 3, 2, 2, 1, 1, true, 1, 1, false, 0, 0, CVY_F32},
    {2, {6, 5, 33}, {5, 4, 33}, 2, 2, 1, 1, 0, 0, true, 0, 0, false, 0, 0, CVY_F32},
    {2, {5, 6, 64}, {3, 3, 64}, 2, 2, 2, 2, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},     /* the last window hangs over
                                                                                             below */
    {1, {9, 10, 3}, {2, 2, 3}, 2, 3, 5, 4, 0, 1, false, 0, 0, false, 0, 0, CVY_F32},      /* gaps between windows */
    {2, {16, 16, 20}, {1, 1, 20}, 16, 16, 1, 1, 0, 0, false, 0, 0, false, 0, 0, CVY_F32}, /* 256 taps */
    {1, {17, 17, 5}, {1, 1, 5}, 17, 17, 1, 1, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},   /* more */
    {2, {40, 35, 20}, {3, 20, 20}, 17, 16, 10, 1, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},
    {1, {31, 33, 3}, {16, 17, 3}, 17, 17, 2, 2, 15, 15, false, 0, 0, false, 0, 0, CVY_F32}, /* 2×2 taps in the corner */
    {1, {1, 900, 9}, {1, 3, 9}, 1, 300, 1, 300, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},
    {1, {1, 40, 8}, {1, 13, 8}, 1, 4, 1, 3, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},
    /* 2×2 side by side, several pixels to a vector */
    {2, {4, 62, 1}, {2, 31, 1}, 2, 2, 2, 2, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},
    {2, {6, 6, 2}, {4, 4, 2}, 2, 2, 2, 2, 1, 1, false, 0, 0, false, 0, 0, CVY_F32}, /* padded: its last window hangs
                                                                                       over */
    {2, {5, 9, 3}, {3, 5, 3}, 2, 2, 2, 2, 0, 0, true, 0, 0, false, 0, 0, CVY_F32},  /* the last row and column hang over
                                                                                     */
    {1, {4, 2, 4}, {2, 1, 4}, 2, 2, 2, 2, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},
    {2, {4, 14, 5}, {2, 7, 5}, 2, 2, 2, 2, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},
    {2, {5, 9, 7}, {2, 4, 7}, 2, 2, 2, 2, 0, 0, false, 0, 0, false, 0, 0, CVY_F32}, /* a row and a column that no window
                                                                                       has */
    {1, {4, 10, 8}, {2, 5, 8}, 2, 2, 2, 2, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},
    {1, {4, 10, 9}, {2, 5, 9}, 2, 2, 2, 2, 0, 0, false, 0, 0, false, 0, 0, CVY_F32}, /* and one */
    {1, {4, 9, 4}, {3, 4, 4}, 2, 2, 1, 2, 0, 0, false, 0, 0, false, 0, 0, CVY_F32},  /* rows overlap */
    {2, {8, 6, 5}, {4, 4, 5}, 3, 3, 2, 2, 0, 1, true, 0, 1, false, 0, 0, CVY_F32}, /* hangs over, beyond its padding to
                                                                                    * the right
                                                                                    */
};

/* The pixels of window (oy, ox): calls body with y, x and tap inside the image. */
#define EACH_TAP(g, oy, ox, iy, ix, tap)                                                                               \
    for (int iy, ix, tap = 0; tap < (g)->r * (g)->s; tap++)                                                            \
        if ((iy = (oy) * (g)->stride_h - (g)->pad_top + tap / (g)->s,                                                  \
             ix = (ox) * (g)->stride_w - (g)->pad_left + tap % (g)->s,                                                 \
             iy >= 0 && iy < (g)->in.h && ix >= 0 && ix < (g)->in.w))

struct pool_case {
    const struct cvy_pooling *g;
    size_t in, out;
    float *x, *dy, *before;
    double *max, *max_dx, *mean, *mean_dx;
    int32_t *argmax;
};

static void expect_pixel(struct pool_case *t, int n, int oy, int ox, int c) {
    const struct cvy_pooling *g = t->g;
    const size_t at = (((size_t)n * g->out.h + oy) * g->out.w + ox) * g->out.c + c;
    double best = -INFINITY, sum = 0;
    size_t winner = 0;
    int count = 0;
    EACH_TAP(g, oy, ox, iy, ix, tap) {
        const size_t from = (((size_t)n * g->in.h + iy) * g->in.w + ix) * g->in.c + c;
        if (t->x[from] > best) best = t->x[from], winner = from, t->argmax[at] = tap;
        sum += t->x[from];
        count++;
    }
    if (g->count_pad) { /* of the padded image */
        const int down = oy * g->stride_h - g->pad_top, across = ox * g->stride_w - g->pad_left;
        count = (int)(fmin(g->r, g->in.h + g->pad_bottom - down) * fmin(g->s, g->in.w + g->pad_right - across));
    }
    t->max[at] = best;
    t->mean[at] = sum / count;
    t->max_dx[winner] += t->dy[at];
    EACH_TAP(g, oy, ox, iy, ix, tap)
    t->mean_dx[(((size_t)n * g->in.h + iy) * g->in.w + ix) * g->in.c + c] += t->dy[at] / (double)count;
}

static struct pool_case pool_new(const struct cvy_pooling *g) {
    struct pool_case t = {g,
                          (size_t)(g->n * cvy_shape_count(g->in)),
                          (size_t)(g->n * cvy_shape_count(g->out)),
                          NULL,
                          NULL,
                          NULL,
                          NULL,
                          NULL,
                          NULL,
                          NULL,
                          NULL};
    floats_random(t.x = floats_new(t.in), t.in, 1);
    for (size_t i = 0; i < t.in; i++) t.x[i] = roundf(4 * t.x[i]); /* many ties */
    floats_random(t.dy = floats_new(t.out), t.out, 2);
    floats_random(t.before = floats_new(t.in), t.in, 3);
    t.max = calloc(t.out, sizeof(double)), t.mean = calloc(t.out, sizeof(double));
    t.max_dx = calloc(t.in, sizeof(double)), t.mean_dx = calloc(t.in, sizeof(double));
    t.argmax = calloc(t.out, sizeof *t.argmax);
    for (int n = 0; n < g->n; n++)
        for (int oy = 0; oy < g->out.h; oy++)
            for (int ox = 0; ox < g->out.w; ox++)
                for (int c = 0; c < g->in.c; c++) expect_pixel(&t, n, oy, ox, c);
    return t;
}

static void pool_free(struct pool_case *t) {
    floats_free(t->x), floats_free(t->dy), floats_free(t->before);
    free(t->max), free(t->mean), free(t->max_dx), free(t->mean_dx), free(t->argmax);
}

static bool taps_same(const struct pool_case *t, const void *argmax) {
    const bool bytes = cvy_pooling_tap_bytes(t->g) == 1;
    for (size_t i = 0; i < t->out; i++)
        if (t->argmax[i] != (bytes ? ((const uint8_t *)argmax)[i] : ((const int32_t *)argmax)[i])) return false;
    return true;
}

static void pool_level(const struct cvy_compute *compute, void *arg) {
    struct pool_case *t = arg;
    float *y = floats_new(t->out), *dx = floats_new(t->in);
    void *argmax = malloc(t->out * cvy_pooling_tap_bytes(t->g));
    cvy_maxpool_forward(compute, t->g, t->x, y, argmax);
    CU_ASSERT(floats_error(y, t->max, t->out) == 0);
    CU_ASSERT(taps_same(t, argmax));
    cvy_maxpool_forward(compute, t->g, t->x, y, NULL);
    CU_ASSERT(floats_error(y, t->max, t->out) == 0);
    cvy_maxpool_backward(compute, t->g, t->dy, argmax, dx, false);
    CU_ASSERT(floats_error(dx, t->max_dx, t->in) < 5e-7);
    double *more = calloc(t->in, sizeof *more);
    for (size_t i = 0; i < t->in; i++) more[i] = t->max_dx[i] + t->before[i];
    memcpy(dx, t->before, t->in * sizeof *dx);
    cvy_maxpool_backward(compute, t->g, t->dy, argmax, dx, true);
    CU_ASSERT(floats_error(dx, more, t->in) < 5e-7);
    cvy_avgpool_forward(compute, t->g, t->x, y);
    CU_ASSERT(floats_error(y, t->mean, t->out) < 5e-7);
    cvy_avgpool_backward(compute, t->g, t->dy, dx, false);
    CU_ASSERT(floats_error(dx, t->mean_dx, t->in) < 1e-6);
    for (size_t i = 0; i < t->in; i++) more[i] = t->mean_dx[i] + t->before[i];
    memcpy(dx, t->before, t->in * sizeof *dx);
    cvy_avgpool_backward(compute, t->g, t->dy, dx, true);
    CU_ASSERT(floats_error(dx, more, t->in) < 1e-6);
    free(more), free(argmax);
    floats_free(y), floats_free(dx);
}

static void pooling(void) {
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        struct pool_case t = pool_new(&windows[i]);
        each_level(1, pool_level, &t);
        each_level(3, pool_level, &t);
        pool_free(&t);
    }
}

static void pool_special_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    const struct cvy_pooling row = {1, {1, 4, 3}, {1, 1, 3}, 1, 4, 1, 1, 0, 0, false, 0, 0, false, 0, 0, CVY_F32};
    const struct cvy_pooling square = {1, {2, 2, 3}, {1, 1, 3}, 2, 2, 2, 2, 0, 0, false, 0, 0, false, 0, 0, CVY_F32};
    const float i = INFINITY, x[] = {1, -i, 5, NAN, -i, i, 3, -i, 2, NAN, -i, 1};
    for (int which = 0; which < 2; which++) {
        float y[3];
        uint8_t argmax[3];
        cvy_maxpool_forward(compute, which ? &square : &row, x, y, argmax);
        CU_ASSERT(isnan(y[0]) && argmax[0] == 1);
        CU_ASSERT(y[1] == -i && argmax[1] == 0);
        CU_ASSERT(y[2] == i && argmax[2] == 1);
    }
}

static void pooling_of_nan(void) {
    each_level(1, pool_special_level, NULL);
}

/* ---- softmax ---- */

static double xent_reference(int classes, const float *x, int label, double smoothing, double *gradient) {
    double most = x[0], sum = 0, loss = 0;
    for (int i = 0; i < classes; i++) most = fmax(most, x[i]);
    for (int i = 0; i < classes; i++) sum += exp(x[i] - most);
    for (int i = 0; i < classes; i++) {
        const double target = (i == label) * (1 - smoothing) + smoothing / classes;
        loss -= target * (x[i] - most - log(sum));
        gradient[i] = exp(x[i] - most) / sum - target;
    }
    return loss;
}

static void check_xent(const struct cvy_compute *compute, int n, int classes, float smoothing) {
    const size_t count = (size_t)n * classes;
    float *x = floats_new(count), *dx = floats_new(count);
    double *expected = calloc(count, sizeof *expected), loss = 0;
    int32_t *labels = calloc((size_t)n, sizeof *labels);
    floats_random(x, count, 1);
    for (size_t i = 0; i < count; i++) x[i] = roundf(40 * x[i]) / 4; /* ties, and a range of ±10 */
    struct cvy_loss_result sum = {0}, again;
    int64_t top1 = 0, top5 = 0;
    for (int i = 0; i < n; i++) {
        labels[i] = (i * 7 + i / 3) % classes;
        const float *row = x + (ptrdiff_t)i * classes;
        loss += xent_reference(classes, row, labels[i], smoothing, expected + (ptrdiff_t)i * classes);
        int before = 0;
        for (int j = 0; j < classes; j++)
            before += row[j] > row[labels[i]] || (row[j] == row[labels[i]] && j < labels[i]);
        top1 += before < 1, top5 += before < 5;
    }
    void *ws = malloc(cvy_softmax_xent_workspace(n, classes));
    cvy_softmax_xent(compute, &(struct cvy_softmax_xent){n, classes, x, labels, smoothing}, &sum, dx, ws);
    CU_ASSERT(fabs(sum.loss - loss) <= 2e-7 * fabs(loss) + 2e-7 * n);
    CU_ASSERT_EQUAL(sum.top1, top1);
    CU_ASSERT_EQUAL(sum.top5, top5);
    CU_ASSERT(floats_error(dx, expected, count) < 1e-6 || classes == 1);
    cvy_softmax_xent(compute, &(struct cvy_softmax_xent){n, classes, x, labels, smoothing}, &again, NULL, ws);
    CU_ASSERT(memcmp(&again, &sum, sizeof sum) == 0); /* evaluating gives the same bits */
    float *probs = floats_new(count);
    cvy_softmax(compute, n, classes, x, probs);
    for (size_t i = 0; i < count; i++) {
        const int label = labels[i / (size_t)classes], j = (int)(i % (size_t)classes);
        expected[i] += (j == label) * (1 - (double)smoothing) + (double)smoothing / classes;
    }
    CU_ASSERT(floats_error(probs, expected, count) < 1e-6);
    cvy_softmax_xent(compute, &(struct cvy_softmax_xent){n, classes, x, labels, smoothing}, &again, x, ws);
    CU_ASSERT(memcmp(&again, &sum, sizeof sum) == 0 && floats_same(x, dx, count)); /* in place */
    free(ws), free(labels), free(expected);
    floats_free(x), floats_free(dx), floats_free(probs);
}

static void xent_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    check_xent(compute, 1, 1, 0);
    check_xent(compute, 64, 10, 0);
    check_xent(compute, 33, 10, 0.1f);
    check_xent(compute, 5, 2, 0);
    check_xent(compute, 40, 1000, 0.1f);
}

static void softmax_xent(void) {
    each_level(1, xent_level, NULL);
    each_level(3, xent_level, NULL);
}

static void xent_special_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    double ws[16];
    for (int where = 0; where < 3; where++)
        for (int b = 0; b < 3; b++) {
            float x[3] = {1, 2, 3};
            const int32_t label = 1;
            struct cvy_loss_result sum;
            x[where] = bad[b];
            cvy_softmax_xent(compute, &(struct cvy_softmax_xent){1, 3, x, &label, 0}, &sum, NULL, ws);
            /* a logit of −∞ is a probability of 0, which is wrong only at the label */
            CU_ASSERT_EQUAL(isfinite(sum.loss) != 0, b == 2 && where != 1);
            if (b == 0) CU_ASSERT_EQUAL(sum.top1, 0);
        }
    float large[2] = {1e30f, -1e30f}, probs[2];
    cvy_softmax(compute, 1, 2, large, probs);
    CU_ASSERT(probs[0] == 1 && probs[1] == 0);
}

static void xent_not_finite(void) {
    each_level(1, xent_special_level, NULL);
}

static const struct test_case cases[] = {
    {"exp, tanh, sigmoid are within a few ulp", functions_are_accurate},
    {"NaN, infinities and zeros through activations", functions_at_their_ends},
    {"activations forward and backward, in place, accumulating", activations},
    {"a value does not depend on its place", place_does_not_matter},
    {"add, scale, zero", flat_vectors},
    {"SGD follows PyTorch's definition", sgd_is_pytorchs},
    {"dropout: a mask by sample and epoch", dropout},
    {"pooling against plain loops", pooling},
    {"pooling of NaN and infinities", pooling_of_nan},
    {"softmax cross-entropy against plain loops", softmax_xent},
    {"softmax cross-entropy of logits that are not finite", xent_not_finite},
    {0},
};
const struct test_suite suite_kernels_loops = {"kernels_loops", cases, NULL};
