/* Every optimiser's first ten updates, clipping included, and every schedule equal PyTorch's in float64 (LARS and LAMB:
 * a script after the papers), at every ISA level: tests/golden/optim.h5, made by make_optim.py, whose cases are here.
 * The error allowed of each parameter is 1e-5 of its largest value, or twice that of PyTorch in float32. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/core/param_help.h"
#include "unit/graph/golden_help.h"
#include "io/yaml.h"
#include "unit/kernels/kernels_help.h"
#include "optim/gradient.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "test.h"

enum { STEPS = 10, KEPT = 3, BATCH = 16, PARAMS = 5, LARGEST = 72 };
static const int kept[KEPT] = {1, 3, 10};

static const struct cvy_param params[PARAMS] = {
    {.name = "conv/weight", .rank = 4, .dims = {3, 2, 2, 5}, .panels = true, .lr_factor = 1},
    {.name = "conv/bias", .rank = 1, .dims = {5}, .decay = CVY_DECAY_BIAS, .lr_factor = 1},
    {.name = "norm/scale", .rank = 1, .dims = {19}, .decay = CVY_DECAY_NORM, .lr_factor = 1},
    {.name = "dense/weight", .rank = 2, .dims = {4, 18}, .panels = true, .lr_factor = 0.1},
    {.name = "frozen/weight", .rank = 2, .dims = {2, 3}, .panels = true, .lr_factor = 0},
};
static const double sizes[PARAMS] = {0.5, 0.02, 2, 0.1, 3};

#define NO_CLIP                                                                                                        \
    { .clip_norm = 0 }

static const struct update_case {
    const char *name, *text;
    enum cvy_decay_on decay_on;
    struct cvy_gradient_rule rule;
} update_cases[] = {
    {"sgd", "sgd", CVY_DECAY_ON_ALL, NO_CLIP},
    {"sgd_momentum", "sgd: {momentum: 0.9, weight_decay: 5e-4}", CVY_DECAY_ON_ALL, NO_CLIP},
    {"sgd_nesterov", "sgd: {momentum: 0.9, nesterov: true, weight_decay: 0.01}", CVY_DECAY_ON_WEIGHTS, NO_CLIP},
    {"adam", "adam", CVY_DECAY_ON_ALL, NO_CLIP},
    {"adam_decay", "adam: {beta1: 0.8, beta2: 0.95, eps: 1e-6, weight_decay: 0.01}", CVY_DECAY_ON_ALL, NO_CLIP},
    {"adam_amsgrad", "adam: {beta2: 0.5, amsgrad: true}", CVY_DECAY_ON_ALL, NO_CLIP},
    {"adamw", "adamw", CVY_DECAY_ON_ALL, NO_CLIP},
    {"adamw_weights", "adamw: {amsgrad: true, weight_decay: 0.3}", CVY_DECAY_ON_WEIGHTS, NO_CLIP},
    {"rmsprop", "rmsprop", CVY_DECAY_ON_ALL, NO_CLIP},
    {"rmsprop_momentum", "rmsprop: {alpha: 0.9, momentum: 0.8, weight_decay: 0.01}", CVY_DECAY_ON_WEIGHTS, NO_CLIP},
    {"rmsprop_centered", "rmsprop: {alpha: 0.8, centered: true, weight_decay: 0.01}", CVY_DECAY_ON_ALL, NO_CLIP},
    {"rmsprop_both", "rmsprop: {eps: 1e-3, momentum: 0.5, centered: true}", CVY_DECAY_ON_ALL, NO_CLIP},
    {"adagrad", "adagrad", CVY_DECAY_ON_ALL, NO_CLIP},
    {"adagrad_decay", "adagrad: {lr_decay: 0.1, initial_accumulator_value: 0.2, weight_decay: 0.02}",
     CVY_DECAY_ON_WEIGHTS, NO_CLIP},
    {"lars", "lars: {trust_coefficient: 1}", CVY_DECAY_ON_ALL, NO_CLIP},
    {"lars_weights", "lars: {momentum: 0.5, trust_coefficient: 0.02, weight_decay: 0.1}", CVY_DECAY_ON_WEIGHTS,
     NO_CLIP},
    {"lamb", "lamb", CVY_DECAY_ON_ALL, NO_CLIP},
    {"lamb_weights", "lamb: {eps: 1e-3, weight_decay: 0.2}", CVY_DECAY_ON_WEIGHTS, NO_CLIP},
    {"clip_norm", "sgd: {momentum: 0.9}", CVY_DECAY_ON_ALL, {.clip_norm = 1.5}},
    {"clip_norm_loose", "sgd: {momentum: 0.9}", CVY_DECAY_ON_ALL, {.clip_norm = 1e4}},
    {"clip_value", "adam: {weight_decay: 0.01}", CVY_DECAY_ON_ALL, {.clip_value = 0.3}},
    {"clip_norm_lamb", "lamb", CVY_DECAY_ON_ALL, {.clip_norm = 0.7}},
};

struct updating {
    hid_t file;
    const struct update_case *c;
    struct cvy_params list;
    struct cvy_optimizer optimizer;
    float *w, *g;
    double *want[PARAMS];
    double fp32_error[PARAMS];
};

static void fill(const struct updating *u, uint32_t stream, bool gradient, float *vector) {
    for (int p = 0; p < PARAMS; p++) {
        float logical[LARGEST];
        for (int64_t i = 0; i < cvy_param_count(&u->list.items[p]); i++)
            logical[i] = golden_draw(stream + (uint32_t)p, (size_t)i, gradient ? sizes[p] * BATCH : 0.5);
        cvy_param_from_logical(&u->list.items[p], logical, vector + u->list.items[p].offset);
    }
}

static void check_values(const struct updating *u, const struct cvy_compute *compute, int row) {
    for (int p = 0; p < PARAMS; p++) {
        const struct cvy_param *param = &u->list.items[p];
        size_t count = (size_t)cvy_param_count(param);
        float logical[LARGEST];
        param_logical(param, u->w + param->offset, logical);
        double error = floats_error(logical, u->want[p] + (size_t)row * count, count);
        bool good = error <= fmax(1e-5, 2 * u->fp32_error[p]);
        if (!good)
            fprintf(stderr, "\n    %s at %s: %s after %d updates: error %.2g", u->c->name, cvy_isa_name(compute->isa),
                    param->name, kept[row], error);
        CU_ASSERT(good);
    }
}

/* All at once, or where the rule and the kind allow it in two buckets, the last one first. */
static void one_update(struct updating *u, const struct cvy_compute *compute, int step) {
    const struct cvy_gradient_rule *rule = &u->c->rule;
    bool whole = u->optimizer.kind->per_param || cvy_gradient_needs_all(rule) || step % 2;
    size_t ends[2] = {u->list.stored, whole ? 0 : u->list.items[2].offset};
    double lr = 0.05 / (1 + step % 3);
    fill(u, 1000 + 10 * (uint32_t)step, true, u->g);
    for (int part = 0; part < 2 && ends[part] > 0; part++) {
        struct cvy_gradient g = {
            .first = part == 0 ? ends[1] : 0, .end = ends[part], .scale = 1.0 / BATCH, .step = step + 1};
        g.sum = u->g + g.first;
        double scale = cvy_gradient_apply(rule, compute, &u->list, &g);
        cvy_optimizer_update(&u->optimizer, compute,
                             &(struct cvy_optimizer_step){u->w, g.sum, g.first, g.end, lr, scale, step + 1});
    }
}

static void updates_at_level(const struct cvy_compute *compute, void *arg) {
    struct updating *u = arg;
    struct cvy_tree *tree;
    struct cvy_node *node;
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(cvy_yaml_parse(tree, u->c->name, u->c->text, strlen(u->c->text), &node));
    TEST_OK(cvy_optimizer_create(node, &u->list, u->c->decay_on, &u->optimizer));
    fill(u, 100, false, u->w);
    for (int step = 0, row = 0; step < STEPS; step++) {
        one_update(u, compute, step);
        if (step + 1 == kept[row]) check_values(u, compute, row++);
    }
    cvy_optimizer_destroy(&u->optimizer);
    cvy_tree_destroy(&tree);
}

static void check_updates(struct updating *u, const struct update_case *c) {
    bool good = true;
    u->c = c;
    for (int p = 0; p < PARAMS; p++) {
        char name[256];
        snprintf(name, sizeof name, "update/%.64s/%.100s", c->name, params[p].name);
        good &= golden_read(u->file, name, KEPT * (size_t)cvy_param_count(&params[p]), u->want[p], "fp32_error",
                            &u->fp32_error[p]);
    }
    if (good) each_level(2, updates_at_level, u);
}

static void updates(void) {
    struct updating u = {.file = golden_open("optim.h5")};
    for (int p = 0, index; p < PARAMS; p++) {
        TEST_OK(cvy_params_add(&u.list, &params[p], &index));
        u.want[p] = calloc(KEPT * LARGEST, sizeof(double));
    }
    u.w = floats_new(u.list.stored);
    u.g = floats_new(u.list.stored);
    for (size_t i = 0; u.file >= 0 && i < sizeof update_cases / sizeof *update_cases; i++)
        check_updates(&u, &update_cases[i]);
    golden_close(&u.file);
    for (int p = 0; p < PARAMS; p++) free(u.want[p]);
    floats_free(u.w);
    floats_free(u.g);
    cvy_params_destroy(&u.list);
}

/* ---- schedules ---- */

static const struct schedule_case {
    const char *name, *text;
    int points;
} schedule_cases[] = {
    {"constant_warm", "constant: {value: 0.4, warmup_epochs: 4}", 7},
    {"step_warm", "step: {value: 0.4, every_epochs: 3, factor: 0.5, warmup_epochs: 5}", 13},
    {"multi_step_warm", "multi_step: {value: 0.4, milestones: [2, 3, 7], warmup_epochs: 2.5}", 13},
    {"exponential_warm", "exponential: {value: 0.4, factor: 0.8, warmup_epochs: 3}", 13},
    {"plateau_warm", "plateau: {value: 0.4, patience: 1, factor: 0.5, warmup_epochs: 7}", 60},
    {"polynomial_warm", "polynomial: {peak: 0.4, power: 2.5, warmup_epochs: 2}", 18},
    {"cosine_warm", "cosine: {peak: 0.4, floor: 0.03, warmup_epochs: 3}", 18},
    {"restarts_warm", "cosine_restarts: {peak: 0.4, floor: 0.01, first_epochs: 2, multiply: 2, warmup_epochs: 1.5}",
     168},
    {"step", "step: {value: 0.4, every_epochs: 3, factor: 0.5}", 13},
    {"multi_step", "multi_step: {value: 0.4, milestones: [2, 3, 7]}", 13},
    {"exponential", "exponential: {value: 0.4, factor: 0.8}", 13},
    {"polynomial", "polynomial: {peak: 0.4, power: 2.5}", 10},
    {"cosine", "cosine: {peak: 0.4, floor: 0.03}", 10},
    {"restarts", "cosine_restarts: {peak: 0.4, floor: 0.01, first_epochs: 3}", 160},
    {"restarts_longer", "cosine_restarts: {peak: 0.4, floor: 0.01, first_epochs: 2, multiply: 2}", 160},
    {"one_cycle", "one_cycle: {peak: 0.4}", 40},
    {"one_cycle_linear",
     "one_cycle: {peak: 0.4, pct_start: 0.25, anneal: linear, div_factor: 10, final_div_factor: 100}", 40},
    {"one_cycle_three", "one_cycle: {peak: 0.4, pct_start: 0.25, three_phase: true}", 40},
    {"plateau", "plateau: {value: 0.4, patience: 2, factor: 0.3, threshold: 0.01, cooldown: 1}", 60},
    {"plateau_floor", "plateau: {value: 0.4, patience: 0, factor: 0.5, floor: 0.02}", 60},
};

static void check_schedule(hid_t file, const struct schedule_case *c) {
    char name[64];
    double points[3 * 168], epochs;
    struct cvy_tree *tree;
    struct cvy_node *node;
    struct cvy_schedule schedule;
    struct cvy_schedule_memory memory = {0};
    snprintf(name, sizeof name, "schedule/%s", c->name);
    if (!golden_read(file, name, 3 * (size_t)c->points, points, "epochs", &epochs)) return;
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(cvy_yaml_parse(tree, c->name, c->text, strlen(c->text), &node));
    TEST_OK(cvy_schedule_create(node, &schedule));
    for (int i = 0; i < c->points; i++) {
        const double *point = &points[3 * i];
        double got = cvy_schedule_at(&schedule, (struct cvy_progress){point[0], epochs, &memory});
        bool good = fabs(got - point[1]) <= 1e-9 * point[1] + 1e-14;
        if (!good) fprintf(stderr, "\n    %s at %g: %.12g instead of %.12g", c->name, point[0], got, point[1]);
        CU_ASSERT(good);
        cvy_schedule_observe(&schedule, point[2], 0, &memory);
    }
    cvy_schedule_destroy(&schedule);
    cvy_tree_destroy(&tree);
}

static void schedules(void) {
    hid_t file = golden_open("optim.h5");
    for (size_t i = 0; file >= 0 && i < sizeof schedule_cases / sizeof *schedule_cases; i++)
        check_schedule(file, &schedule_cases[i]);
    golden_close(&file);
}

static const struct test_case cases[] = {
    {"ten updates of every optimiser", updates},
    {"every schedule", schedules},
    {0},
};
const struct test_suite suite_golden_optim = {"golden_optim", cases, NULL};
