/* Between the sum and the optimiser: the global norm, noise, averages; the same bits for every number of threads; and
 * which parameters weight decay is for. (Clipped updates: golden_optim.) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/yaml.h"
#include "kernels/update.h"
#include "unit/core/param_help.h"
#include "unit/kernels/kernels_help.h"
#include "optim/gradient.h"
#include "optim/optimizer.h"
#include "test.h"

/* A large panel with padding, a bias, one that does not learn, a vector. */
static const struct cvy_param shapes[] = {
    {.name = "a/weight", .rank = 2, .dims = {900, 37}, .panels = true, .lr_factor = 1},
    {.name = "a/bias", .rank = 1, .dims = {37}, .decay = CVY_DECAY_BIAS, .lr_factor = 1},
    {.name = "b/weight", .rank = 2, .dims = {21, 9}, .panels = true, .lr_factor = 0},
    {.name = "c/scale", .rank = 1, .dims = {70001}, .decay = CVY_DECAY_NORM, .lr_factor = 0.5},
};
enum { PARAMS = sizeof shapes / sizeof *shapes };

static struct cvy_params make_list(void) {
    struct cvy_params list = {0};
    for (int p = 0, index; p < PARAMS; p++) TEST_OK(cvy_params_add(&list, &shapes[p], &index));
    return list;
}

/* Random, zero in padding lanes. */
static float *make_vector(const struct cvy_params *list, uint32_t seed) {
    float *vector = floats_new(list->stored);
    for (int p = 0; p < list->count; p++) {
        size_t count = (size_t)cvy_param_count(&list->items[p]);
        float *logical = floats_new(count);
        floats_random(logical, count, seed + (uint32_t)p);
        cvy_param_from_logical(&list->items[p], logical, vector + list->items[p].offset);
        floats_free(logical);
    }
    return vector;
}

/* ---- norm ---- */

static void check_norm(const struct cvy_compute *compute, void *arg) {
    struct cvy_params list = make_list();
    float *g = make_vector(&list, 3);
    double sum = 0, *first = arg, norm = cvy_gradient_norm(compute, &list, g);
    for (int p = 0; p < PARAMS; p++)
        for (size_t i = 0; p != 2 && i < list.items[p].stored; i++)
            sum += (double)g[list.items[p].offset + i] * (double)g[list.items[p].offset + i];
    CU_ASSERT_DOUBLE_EQUAL(norm / sqrt(sum), 1, 1e-13);
    if (*first == 0) *first = norm;
    CU_ASSERT_EQUAL(norm, *first); /* whatever the number of threads; levels may differ in the last digit */
    floats_free(g);
    cvy_params_destroy(&list);
}

static void norm(void) {
    for (int level = 0; level < CVY_ISA_COUNT; level++) {
        double first = 0;
        for (int threads = 1; threads <= 3 && cvy_isa_available((enum cvy_isa)level); threads++) {
            struct cvy_compute *compute;
            TEST_OK(cvy_compute_create(threads, (enum cvy_isa)level, &compute));
            check_norm(compute, &first);
            cvy_compute_destroy(&compute);
        }
    }
}

/* More chunks than there are partial sums: they grow. */
static void long_sums(void) {
    enum { COUNT = 256 * (1 << 14) + 12345 };
    struct cvy_compute *compute;
    float *x = floats_new(COUNT);
    long double want = 0; /* a running sum of doubles is itself off by more */
    floats_random(x, COUNT, 9);
    for (int i = 0; i < COUNT; i++) want += (long double)x[i] * (long double)x[i];
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    CU_ASSERT_DOUBLE_EQUAL(cvy_vec_sum_squares(compute, x, COUNT) / (double)want, 1, 1e-12);
    CU_ASSERT_EQUAL(cvy_vec_sum_squares(compute, x, 0), 0);
    cvy_compute_destroy(&compute);
    floats_free(x);
}

/* ---- noise ---- */

static float *noisy(const struct cvy_params *list, int threads, uint64_t seed, int64_t step) {
    const struct cvy_gradient_rule rule = {.noise_eta = 0.3, .noise_gamma = 0.55};
    struct cvy_compute *compute;
    float *g = make_vector(list, 3);
    const struct cvy_gradient gradient = {.sum = g, .end = list->stored, .scale = 0.25, .seed = seed, .step = step};
    TEST_OK(cvy_compute_create(threads, cvy_isa_detect(), &compute));
    CU_ASSERT(cvy_gradient_needs_all(&rule));
    CU_ASSERT_EQUAL(cvy_gradient_apply(&rule, compute, list, &gradient), 1);
    cvy_compute_destroy(&compute);
    return g;
}

/* Variance η/(1 + t)^γ, no skew, the fourth moment of a normal, no correlation of neighbours; within 5 standard errors.
 */
static void check_moments(const struct cvy_params *list, const float *g, const float *before, int64_t step) {
    const struct cvy_param *p = &list->items[3];
    double sigma = sqrt(0.3 / pow((double)step, 0.55)), m[5] = {0}, pairs = 0, last = 0, n = (double)cvy_param_count(p);
    for (int64_t i = 0; i < cvy_param_count(p); i++) {
        double z = ((double)g[p->offset + (size_t)i] - 0.25 * (double)before[p->offset + (size_t)i]) / sigma;
        for (int k = 1; k <= 4; k++) m[k] += pow(z, k) / n;
        pairs += z * last / n;
        last = z;
    }
    CU_ASSERT(fabs(m[1]) < 5 / sqrt(n) && fabs(m[2] - 1) < 5 * sqrt(2 / n) && fabs(m[3]) < 5 * sqrt(15 / n));
    CU_ASSERT(fabs(m[4] - 3) < 5 * sqrt(96 / n) && fabs(pairs) < 5 / sqrt(n));
}

static void noise(void) {
    struct cvy_params list = make_list();
    float *before = make_vector(&list, 3), *one = noisy(&list, 1, 1, 7), *more = noisy(&list, 3, 1, 7);
    float *other_step = noisy(&list, 1, 1, 8), *other_seed = noisy(&list, 1, 2, 7);
    const struct cvy_param *a = &list.items[0], *frozen = &list.items[2];
    int64_t zeros = 0;
    CU_ASSERT(floats_same(one, more, list.stored));
    CU_ASSERT_FALSE(floats_same(one, other_step, list.stored));
    CU_ASSERT_FALSE(floats_same(one, other_seed, list.stored));
    for (size_t i = 0; i < a->stored; i++) zeros += one[a->offset + i] == 0;
    CU_ASSERT_EQUAL(zeros, (int64_t)a->stored - 900 * 37); /* the padding has no noise, all else has */
    CU_ASSERT(floats_same(one + frozen->offset, before + frozen->offset, frozen->stored));
    check_moments(&list, one, before, 7);
    check_moments(&list, other_step, before, 8);
    floats_free(before);
    floats_free(one);
    floats_free(more);
    floats_free(other_step);
    floats_free(other_seed);
    cvy_params_destroy(&list);
}

/* The same noise wherever the values are stored: a function of the logical index. */
static void noise_knows_no_layout(void) {
    enum { ROWS = 30, COLS = 21, COUNT = ROWS * COLS };
    struct cvy_compute *compute;
    float *logical[2];
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    for (int panels = 0; panels < 2; panels++) {
        struct cvy_params list = {0};
        int index;
        TEST_OK(cvy_params_add(
            &list, &(struct cvy_param){.name = "w", .rank = 2, .dims = {ROWS, COLS}, .panels = panels, .lr_factor = 1},
            &index));
        float *stored = floats_new(list.stored);
        memset(stored, 0, list.stored * sizeof *stored);
        cvy_gradient_add_noise(compute, &list.items[0], 5, 2, 1, 0.1, stored);
        logical[panels] = floats_new(COUNT);
        param_logical(&list.items[0], stored, logical[panels]);
        floats_free(stored);
        cvy_params_destroy(&list);
    }
    CU_ASSERT(floats_same(logical[0], logical[1], COUNT));
    floats_free(logical[0]);
    floats_free(logical[1]);
    cvy_compute_destroy(&compute);
}

/* ---- clip, then noise; the average ---- */

static void clipped_before_noise(void) {
    struct cvy_params list = make_list();
    struct cvy_compute *compute;
    const struct cvy_gradient_rule rules[2] = {{.noise_eta = 1}, {.noise_eta = 1, .clip_value = 0.01}};
    float *g[2];
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    for (int r = 0; r < 2; r++) {
        g[r] = make_vector(&list, 3);
        cvy_gradient_apply(&rules[r], compute, &list,
                           &(struct cvy_gradient){.sum = g[r], .end = list.stored, .scale = 1, .seed = 4, .step = 1});
    }
    float *before = make_vector(&list, 3);
    for (int i = 0; i < 37; i++) { /* the clipped gradient differs by what was cut off, and by no noise */
        double x = before[list.items[1].offset + (size_t)i], cut = fmax(fmin(x, 0.01), -0.01);
        double apart = (double)g[0][list.items[1].offset + (size_t)i] - (double)g[1][list.items[1].offset + (size_t)i];
        CU_ASSERT_DOUBLE_EQUAL(apart, x - cut, 1e-6);
    }
    floats_free(before);
    floats_free(g[0]);
    floats_free(g[1]);
    cvy_compute_destroy(&compute);
    cvy_params_destroy(&list);
}

static void check_average(const struct cvy_compute *compute, void *arg) {
    enum { COUNT = 16411 };
    float *mean = floats_new(COUNT), *x = floats_new(COUNT);
    double *want = calloc(COUNT, sizeof *want);
    (void)arg;
    floats_random(mean, COUNT, 1);
    for (int i = 0; i < COUNT; i++) want[i] = mean[i];
    for (uint32_t step = 0; step < 20; step++) {
        floats_random(x, COUNT, 2 + step);
        cvy_vec_average(compute, mean, x, 0.1f, COUNT);
        for (int i = 0; i < COUNT; i++) want[i] = 0.9 * want[i] + 0.1 * (double)x[i];
    }
    CU_ASSERT(floats_error(mean, want, COUNT) < 1e-6);
    memcpy(x, mean, COUNT * sizeof *x);
    cvy_vec_average(compute, mean, x, 0.1f, COUNT);
    CU_ASSERT(floats_same(mean, x, COUNT)); /* what does not change stays, bit by bit */
    floats_free(mean);
    floats_free(x);
    free(want);
}

static void averages(void) {
    each_level(2, check_average, NULL);
}

/* ---- weight decay on all, or on weights ---- */

/* With a gradient of zero, decay alone moves the values. */
static void decay_on(void) {
    static const char *const texts[] = {"sgd: {weight_decay: 0.1}", "adamw: {weight_decay: 0.1}", "lamb", "lars"};
    for (size_t t = 0; t < 4; t++)
        for (int weights = 0; weights < 2; weights++) {
            struct cvy_params list = make_list();
            struct cvy_tree *tree;
            struct cvy_node *node;
            struct cvy_compute *compute;
            struct cvy_optimizer optimizer;
            float *w = make_vector(&list, 1), *before = make_vector(&list, 1), *g = floats_new(list.stored);
            memset(g, 0, list.stored * sizeof *g);
            TEST_OK(cvy_tree_create(&tree));
            TEST_OK(cvy_yaml_parse(tree, "o.yaml", texts[t], strlen(texts[t]), &node));
            TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
            TEST_OK(cvy_optimizer_create(node, &list, weights ? CVY_DECAY_ON_WEIGHTS : CVY_DECAY_ON_ALL, &optimizer));
            cvy_optimizer_update(&optimizer, compute, &(struct cvy_optimizer_step){w, g, 0, list.stored, 0.1, 1, 1});
            for (int p = 0; p < PARAMS; p++) {
                const struct cvy_param *param = &list.items[p];
                bool moved = !floats_same(w + param->offset, before + param->offset, param->stored);
                CU_ASSERT_EQUAL(moved, p == 0 || (p != 2 && !weights));
            }
            cvy_optimizer_destroy(&optimizer);
            cvy_compute_destroy(&compute);
            cvy_tree_destroy(&tree);
            cvy_params_destroy(&list);
            floats_free(w);
            floats_free(before);
            floats_free(g);
        }
}

/* Updates with norms have the same bits for every number of threads. */
static void threads_change_nothing(void) {
    static const char *const texts[] = {"lars", "lamb", "adam", "rmsprop: {centered: true}", "adagrad"};
    for (size_t t = 0; t < 5; t++) {
        float *w[3];
        struct cvy_params list = make_list();
        for (int threads = 1; threads <= 3; threads++) {
            struct cvy_tree *tree;
            struct cvy_node *node;
            struct cvy_compute *compute;
            struct cvy_optimizer optimizer;
            TEST_OK(cvy_tree_create(&tree));
            TEST_OK(cvy_yaml_parse(tree, "o.yaml", texts[t], strlen(texts[t]), &node));
            TEST_OK(cvy_compute_create(threads, cvy_isa_detect(), &compute));
            TEST_OK(cvy_optimizer_create(node, &list, CVY_DECAY_ON_ALL, &optimizer));
            w[threads - 1] = make_vector(&list, 1);
            for (uint32_t step = 1; step <= 3; step++) {
                float *g = make_vector(&list, 10 * step);
                cvy_optimizer_update(&optimizer, compute,
                                     &(struct cvy_optimizer_step){w[threads - 1], g, 0, list.stored, 0.1, 0.5, step});
                floats_free(g);
            }
            cvy_optimizer_destroy(&optimizer);
            cvy_compute_destroy(&compute);
            cvy_tree_destroy(&tree);
        }
        CU_ASSERT(floats_same(w[0], w[1], list.stored) && floats_same(w[0], w[2], list.stored));
        int64_t zeros = 0;
        for (size_t i = 0; i < list.items[0].stored; i++) zeros += w[0][i] == 0;
        CU_ASSERT_EQUAL(zeros, (int64_t)list.items[0].stored - 900 * 37); /* the padding stays zero */
        for (int i = 0; i < 3; i++) floats_free(w[i]);
        cvy_params_destroy(&list);
    }
}

static const struct test_case cases[] = {
    {"the global norm", norm},
    {"long sums", long_sums},
    {"noise: variance, keys, padding", noise},
    {"noise knows no layout", noise_knows_no_layout},
    {"clipping comes before noise", clipped_before_noise},
    {"averages", averages},
    {"weight decay on all, or on weights", decay_on},
    {"threads change no bit of an update", threads_change_nothing},
    {0},
};
const struct test_suite suite_gradient = {"gradient", cases, NULL};
