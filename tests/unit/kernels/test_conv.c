/* conv: convolution in its three passes, each level against plain loops in double. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/kernels/conv_help.h"
#include "core/memory.h"
#include "kernels/simd/table.h"
#include "test.h"

/* What one level computes with one number of threads. */
struct results {
    float *y, *relu, *dx, *dx_more, *dw, *db;
};

static struct results results_new(const struct fixture *f, const struct cvy_compute *compute) {
    const struct cvy_conv *g = &f->g;
    struct results out = {floats_new(f->y_count), floats_new(f->y_count), floats_new(f->x_count),
                          floats_new(f->x_count), floats_new(f->w_count), floats_new(f->b_count)};
    struct planned p = planned_new(compute, g);
    const struct cvy_conv_plan *plan = &p.plan;
    const struct cvy_conv_weights w = planned_weights(&p, f->w);
    const struct cvy_epilogue e = {.bias = f->bias, .activation = CVY_FUSED_RELU};
    cvy_conv_prepare(plan, f->w, p.copies);
    cvy_conv_forward(plan, g->n, f->x, w, NULL, out.y, p.ws);
    cvy_conv_forward(plan, g->n, f->x, w, &e, out.relu, p.ws);
    cvy_conv_backward_data(plan, g->n, f->dy, w, out.dx, false, p.ws);
    memcpy(out.dx_more, f->before, f->x_count * sizeof(float));
    cvy_conv_backward_data(plan, g->n, f->dy, w, out.dx_more, true, p.ws);
    planned_poison(&p);
    cvy_conv_backward_weights(plan, g->n, f->x, f->dy, out.dw, out.db, p.ws);
    planned_free(&p);
    return out;
}

static void results_free(struct results *r) {
    floats_free(r->y), floats_free(r->relu), floats_free(r->dx), floats_free(r->dx_more);
    floats_free(r->dw), floats_free(r->db);
}

/* By the shape alone, so at the lowest level as at every other. */
static bool transforms(const struct cvy_conv *g) {
    const struct cvy_compute compute = {.table = &cvy_table_portable, .threads = 1};
    const struct cvy_conv_setting all = {.passes = {true, true, true}};
    struct cvy_conv_plan plan;
    cvy_conv_plan_make(&compute, g, &all, &plan);
    return cvy_conv_plan_transforms(&plan);
}

/* Transforms take and give back more than the sum itself: 1e-5 is what any result is allowed. */
#define EXPECT_ERROR(what, error, terms)                                                                               \
    do {                                                                                                               \
        const bool transformed_ = transforms(&f->g);                                                                   \
        double error_ = (error), allowed_ = transformed_ ? 1e-5 : sum_tolerance(terms);                                \
        if (!(error_ <= allowed_))                                                                                     \
            fprintf(stderr, "\n    %s %s, shape %d: error %.2g, allowed %.2g", cvy_isa_name(compute->isa), what,       \
                    (int)(shape - conv_shapes), error_, allowed_);                                                     \
        CU_ASSERT(error_ <= allowed_);                                                                                 \
    } while (0)

static void check_results(const struct cvy_compute *compute, const struct shape *shape, struct fixture *f,
                          const struct results *r) {
    const struct cvy_conv *g = &f->g;
    const double window = (double)g->r * g->s;
    EXPECT_ERROR("forward", floats_error(r->y, f->y, f->y_count), window * g->in.c / g->groups);
    EXPECT_ERROR("backward data", floats_error(r->dx, f->dx, f->x_count), window * g->out.c / g->groups);
    EXPECT_ERROR("backward weights", floats_error(r->dw, f->dw, f->w_count), (double)f->y_count / g->out.c);
    EXPECT_ERROR("bias", floats_error(r->db, f->db, f->b_count), (double)f->y_count / g->out.c);
    for (size_t i = 0; i < f->w_count; i++)
        if (is_padding(f, i) && r->dw[i] != 0) CU_FAIL("a padding lane of dw is not zero");
    for (size_t i = (size_t)g->out.c; i < f->b_count; i++) CU_ASSERT_EQUAL(r->db[i], 0);
    double *expected = zeros(f->x_count > f->y_count ? f->x_count : f->y_count);
    for (size_t i = 0; i < f->y_count; i++) expected[i] = fmax(0, f->y[i] + f->bias[i % (size_t)g->out.c]);
    EXPECT_ERROR("fused", floats_error(r->relu, expected, f->y_count), window * g->in.c / g->groups);
    for (size_t i = 0; i < f->x_count; i++) expected[i] = f->dx[i] + f->before[i];
    EXPECT_ERROR("accumulated", floats_error(r->dx_more, expected, f->x_count), window * g->out.c / g->groups);
    free(expected);
}

struct conv_test {
    const struct shape *shape;
    struct fixture fixture;
    struct results first[CVY_ISA_COUNT]; /* with one thread */
};

typedef bool floats_alike(const float *a, const float *b, size_t count);

static void compare_results(const struct fixture *f, const struct results *a, const struct results *b,
                            floats_alike *alike) {
    CU_ASSERT(alike(a->y, b->y, f->y_count));
    CU_ASSERT(alike(a->relu, b->relu, f->y_count));
    CU_ASSERT(alike(a->dx, b->dx, f->x_count));
    CU_ASSERT(alike(a->dx_more, b->dx_more, f->x_count));
    CU_ASSERT(alike(a->dw, b->dw, f->w_count));
    CU_ASSERT(alike(a->db, b->db, f->b_count));
}

static void conv_level(const struct cvy_compute *compute, void *arg) {
    struct conv_test *t = arg;
    struct results r = results_new(&t->fixture, compute);
    if (compute->threads == 1) {
        check_results(compute, t->shape, &t->fixture, &r);
        t->first[compute->isa] = r;
        return;
    }
    compare_results(&t->fixture, &r, &t->first[compute->isa], floats_same);
    results_free(&r);
}

static void conv_all_shapes(void) {
    for (int i = 0; i < conv_shape_count; i++) {
        struct conv_test t = {.shape = &conv_shapes[i], .fixture = fixture_new(&conv_shapes[i])};
        for (int threads = 1; threads <= 3; threads++) each_level(threads, conv_level, &t);
        for (int isa = 0; isa < CVY_ISA_COUNT; isa++) results_free(&t.first[isa]);
        fixture_free(&t.fixture);
    }
}

/* Without Winograd such shapes are as exact as the others, and want no larger workspace. */
static void direct_level(const struct cvy_compute *compute, void *arg) {
    struct conv_test *t = arg;
    struct results r = results_new(&t->fixture, compute);
    check_results(compute, t->shape, &t->fixture, &r);
    results_free(&r);
}

static void conv_without_winograd(void) {
    int tried = 0;
    for (int i = 0; i < conv_shape_count; i++) {
        struct cvy_conv g = conv_of(&conv_shapes[i]);
        if (!transforms(&g)) continue;
        struct conv_test t = {.shape = &conv_shapes[i], .fixture = fixture_new(&conv_shapes[i])};
        t.fixture.g.direct = true;
        each_level(1, direct_level, &t);
        fixture_free(&t.fixture);
        tried++;
    }
    CU_ASSERT(tried >= 20);
}

/* Channels that are zero stay exactly so in every pass, by transforms too: the gradients of what is dead are zero. */
static bool is_dead(int c, int k) {
    return c % 3 == 1 || k % 4 == 2;
}
static void dead_weights(const struct fixture *f, const float *w, bool *all, bool *none) {
    const size_t panel = f->w_count / f->b_count * 16, channels = (size_t)f->g.in.c;
    for (size_t i = 0; i < f->w_count; i++) {
        if (is_padding(f, i)) continue;
        const bool dead = is_dead((int)(i / 16 % channels), (int)(i / panel * 16 + i % 16));
        if (dead) *all &= w[i] == 0;
        if (!dead) *none &= w[i] != 0;
    }
}
static void dead_level(const struct cvy_compute *compute, void *arg) {
    struct fixture *f = arg;
    struct results r = results_new(f, compute);
    bool all = true, none = true;
    dead_weights(f, r.dw, &all, &none);
    for (size_t i = 0; i < f->y_count; i++)
        if (is_dead(0, (int)(i % (size_t)f->g.out.c))) all &= r.y[i] == 0;
    for (size_t i = 0; i < f->x_count; i++)
        if (is_dead((int)(i % (size_t)f->g.in.c), 0)) all &= r.dx[i] == 0;
    CU_ASSERT(all);
    CU_ASSERT(none);
    results_free(&r);
}

static void conv_of_dead_channels(void) {
    int tried = 0;
    for (int i = 0; i < conv_shape_count; i++) {
        struct cvy_conv g = conv_of(&conv_shapes[i]);
        if (!transforms(&g) || g.groups > 1) continue;
        struct fixture f = fixture_inputs(&conv_shapes[i]);
        const size_t panel = f.w_count / f.b_count * 16;
        for (size_t j = 0; j < f.x_count; j++)
            if (is_dead((int)(j % (size_t)g.in.c), 0)) f.x[j] = 0;
        for (size_t j = 0; j < f.y_count; j++)
            if (is_dead(0, (int)(j % (size_t)g.out.c))) f.dy[j] = 0;
        for (size_t j = 0; j < f.w_count; j++)
            if (is_dead((int)(j / 16 % (size_t)g.in.c), (int)(j / panel * 16 + j % 16))) f.w[j] = 0;
        each_level(1, dead_level, &f);
        fixture_free(&f);
        tried++;
    }
    CU_ASSERT(tried >= 20);
}

/* Where the transformed filters, and their gradient, are made slab by slab: too large for plain loops, so beside the
 * direct sum; the same bits for few threads and for more than there are pieces. */
static const struct shape large[] = {{6, 7, 7, 515, 530, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
                                     {6, 7, 7, 515, 530, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1}};

static bool floats_near(const float *a, const float *b, size_t count) {
    double *wide = zeros(count);
    for (size_t i = 0; i < count; i++) wide[i] = b[i];
    const double error = floats_error(a, wide, count);
    free(wide);
    return error <= 1e-5;
}

static void large_level(const struct cvy_compute *compute, void *arg) {
    struct conv_test *t = arg;
    struct results r = results_new(&t->fixture, compute);
    if (compute->threads == 1) {
        struct fixture direct = t->fixture;
        direct.g.direct = true;
        struct results sum = results_new(&direct, compute);
        compare_results(&t->fixture, &r, &sum, floats_near);
        results_free(&sum);
        t->first[compute->isa] = r;
        return;
    }
    compare_results(&t->fixture, &r, &t->first[compute->isa], floats_same);
    results_free(&r);
}

static void conv_in_pieces(void) {
    static const int threads[] = {1, 2, 40};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        struct conv_test t = {.shape = &large[i], .fixture = fixture_inputs(&large[i])};
        for (size_t j = 0; j < sizeof threads / sizeof *threads; j++) each_level(threads[j], large_level, &t);
        for (int isa = 0; isa < CVY_ISA_COUNT; isa++) results_free(&t.first[isa]);
        fixture_free(&t.fixture);
    }
}

/* A result of 64 MiB where its place allows to write it past the caches, and where it does not. */
static void past_level(const struct cvy_compute *compute, void *arg) {
    struct fixture *f = arg;
    const size_t bytes = f->y_count * sizeof(float);
    const struct cvy_epilogue e = {.bias = f->bias, .activation = CVY_FUSED_RELU};
    struct planned p = planned_new(compute, &f->g);
    const struct cvy_conv_weights w = planned_weights(&p, f->w);
    float *aligned = aligned_alloc(CVY_ALIGN, bytes), *beside = floats_new(f->y_count);
    if (aligned == NULL) abort();
    memset(aligned, 0xff, bytes);
    cvy_conv_forward(&p.plan, f->g.n, f->x, w, &e, aligned, p.ws);
    cvy_conv_forward(&p.plan, f->g.n, f->x, w, &e, beside, p.ws);
    CU_ASSERT(floats_same(aligned, beside, f->y_count));
    planned_free(&p), free(aligned), floats_free(beside);
}

static void conv_past_caches(void) {
    static const struct shape far = {2, 512, 256, 3, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct fixture f = fixture_inputs(&far);
    for (int threads = 1; threads <= 2; threads++) each_level(threads, past_level, &f);
    fixture_free(&f);
}

/* Of weights that stay as they are the transformed filters are cached: near the reference, and the same bits as without
 * where that goes by Winograd too. */
static void cached_level(const struct cvy_compute *compute, void *arg) {
    const struct conv_test *t = arg;
    const struct fixture *f = &t->fixture;
    const struct cvy_conv *g = &f->g;
    float *y = floats_new(f->y_count), *again = floats_new(f->y_count);
    struct planned cached = planned_fixed(compute, g), each = planned_new(compute, g);
    cvy_conv_prepare(&cached.plan, f->w, cached.copies);
    cvy_conv_forward(&cached.plan, g->n, f->x, planned_weights(&cached, f->w), NULL, y, cached.ws);
    cvy_conv_forward(&each.plan, g->n, f->x, planned_weights(&each, f->w), NULL, again, each.ws);
    CU_ASSERT(floats_error(y, f->y, f->y_count) <= 1e-5);
    if (transforms(g)) CU_ASSERT(floats_same(y, again, f->y_count));
    planned_free(&cached), planned_free(&each);
    floats_free(y), floats_free(again);
}

static bool is_cached(const struct cvy_conv *g) {
    const struct cvy_compute compute = {.table = &cvy_table_portable, .threads = 1};
    const struct cvy_conv_setting forward = {.passes = {true}, .fixed = true};
    struct cvy_conv_plan plan;
    cvy_conv_plan_make(&compute, g, &forward, &plan);
    return plan.copy_floats > 0;
}

static void conv_with_cached_filters(void) {
    int tried = 0;
    for (int i = 0; i < conv_shape_count; i++) {
        struct cvy_conv g = conv_of(&conv_shapes[i]);
        if (!is_cached(&g)) continue;
        struct conv_test t = {.shape = &conv_shapes[i], .fixture = fixture_new(&conv_shapes[i])};
        for (int threads = 1; threads <= 3; threads += 2) each_level(threads, cached_level, &t);
        fixture_free(&t.fixture);
        tried++;
    }
    CU_ASSERT(tried >= 4);
}

/* ⟨dy, A x⟩ = ⟨Aᵀ dy, x⟩ for backward-data, and the same in w for backward-weights: independent of any reference. */
static double dot(const float *a, const float *b, size_t count, double *size) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)a[i] * b[i];
        *size += fabs((double)a[i] * b[i]);
    }
    return sum;
}

static const struct {
    struct shape shape;
    double tolerance;
} adjoints[] = {
    {{8, 28, 29, 48, 80, 3, 3, 2, 2, 0, 1, 0, 1, 1, 1, 1}, 1e-7},
    {{8, 28, 29, 48, 80, 3, 3, 1, 1, 0, 1, 0, 1, 1, 1, 1}, 1e-6}, /* Winograd */
    {{8, 28, 29, 48, 80, 5, 5, 1, 1, 2, 1, 2, 1, 1, 1, 1}, 1e-6},
};

static void adjoint_level(const struct cvy_compute *compute, void *arg) {
    const int i = *(const int *)arg;
    const double tolerance = adjoints[i].tolerance;
    struct fixture f = fixture_inputs(&adjoints[i].shape);
    struct results r = results_new(&f, compute);
    double size = 0;
    const double forward = dot(f.dy, r.y, f.y_count, &size);
    CU_ASSERT(fabs(forward - dot(r.dx, f.x, f.x_count, &size)) < tolerance * size);
    CU_ASSERT(fabs(forward - dot(r.dw, f.w, f.w_count, &size)) < tolerance * size);
    results_free(&r);
    fixture_free(&f);
}

static void conv_is_adjoint(void) {
    for (int i = 0; i < 3; i++) each_level(2, adjoint_level, &i);
}

static const struct test_case cases[] = {
    {"three passes against plain loops, the same bits for 1, 2, 3 threads", conv_all_shapes},
    {"3×3 and 5×5 without Winograd", conv_without_winograd},
    {"zeros of dead channels are exact", conv_of_dead_channels},
    {"3×3 and 5×5 with cached filters", conv_with_cached_filters},
    {"3×3 and 5×5 of many channels, slab by slab", conv_in_pieces},
    {"a result larger than caches", conv_past_caches},
    {"both backward passes are adjoint to forward", conv_is_adjoint},
    {0},
};
const struct test_suite suite_conv = {"conv", cases, NULL};
