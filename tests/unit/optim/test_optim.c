/* optim: SGD in all its forms against a loop in double, on any stretch of the vectors; schedules at points that can be
 * worked out by hand; and what is said of bad settings. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/yaml.h"
#include "unit/kernels/kernels_help.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "test.h"

static struct cvy_node *parse(struct cvy_tree **tree, const char *text) {
    struct cvy_node *root = NULL;
    TEST_OK(cvy_tree_create(tree));
    TEST_OK(cvy_yaml_parse(*tree, "o.yaml", text, strlen(text), &root));
    return root;
}

/* ---- SGD ---- */

static const struct sgd_case {
    const char *text;
    double momentum, decay;
    bool nesterov;
    int slots;
} sgd_cases[] = {
    {"sgd", 0, 0, false, 0},
    {"sgd: {weight_decay: 0.01}", 0, 0.01, false, 0},
    {"sgd: {momentum: 0.9}", 0.9, 0, false, 1},
    {"sgd: {momentum: 0.9, nesterov: true}", 0.9, 0, true, 1},
    {"sgd: {momentum: 0.5, weight_decay: 5.0e-4}", 0.5, 5e-4, false, 1},
    {"sgd: {momentum: 0.9, weight_decay: 5.0e-4, nesterov: true}", 0.9, 5e-4, true, 1},
};

enum { COUNT = 1003, STEPS = 30 };

/* Sutskever et al. 2013 as PyTorch has it; lr and the batch's size change from step to step. */
static void sgd_step(const struct sgd_case *c, double *w, double *v, const float *g, double lr, double scale) {
    for (int i = 0; i < COUNT; i++) {
        double change = scale * g[i] + c->decay * w[i];
        v[i] = c->momentum * v[i] + change;
        if (c->nesterov) change += c->momentum * v[i];
        w[i] -= lr * (c->nesterov || c->momentum == 0 ? change : v[i]);
    }
}

/* One weight of COUNT floats. */
static struct cvy_param one_weight = {.name = "w", .rank = 1, .dims = {COUNT}, .stored = COUNT, .lr_factor = 1};
static const struct cvy_params one_list = {&one_weight, 1, 1, COUNT};

static cvy_status create(const struct cvy_node *node, struct cvy_optimizer *out) {
    return cvy_optimizer_create(node, &one_list, CVY_DECAY_ON_ALL, out);
}

struct sgd_run {
    const struct sgd_case *c;
    struct cvy_optimizer optimizer;
    float *w, *g;
    double *want_w, *want_v;
};

static void one_step(struct sgd_run *r, const struct cvy_compute *compute, int step) {
    double lr = 0.1 / (1 + step % 7), scale = 1.0 / (16 + step % 3);
    const size_t cut = step % 2 ? 480 : COUNT; /* all at once, or bucket by bucket, the last one first */
    floats_random(r->g, COUNT, 60 + (uint32_t)step);
    for (int i = 0; i < COUNT; i++) r->g[i] *= 20;
    sgd_step(r->c, r->want_w, r->want_v, r->g, lr, scale);
    if (cut < COUNT)
        cvy_optimizer_update(&r->optimizer, compute,
                             &(struct cvy_optimizer_step){r->w, r->g + cut, cut, COUNT, lr, scale, step + 1});
    cvy_optimizer_update(&r->optimizer, compute, &(struct cvy_optimizer_step){r->w, r->g, 0, cut, lr, scale, step + 1});
}

static void check_sgd(const struct cvy_compute *compute, void *arg) {
    struct cvy_tree *tree;
    struct sgd_run r = {.c = arg,
                        .w = floats_new(COUNT),
                        .g = floats_new(COUNT),
                        .want_w = calloc(COUNT, sizeof(double)),
                        .want_v = calloc(COUNT, sizeof(double))};
    TEST_OK(create(parse(&tree, r.c->text), &r.optimizer));
    CU_ASSERT_EQUAL(r.optimizer.slots, r.c->slots);
    floats_random(r.w, COUNT, 1);
    for (int i = 0; i < COUNT; i++) r.want_w[i] = r.w[i];
    for (int step = 0; step < STEPS; step++) one_step(&r, compute, step);
    CU_ASSERT(floats_error(r.w, r.want_w, COUNT) < STEPS * 1.2e-7); /* each step rounds a few times */
    if (r.c->slots) CU_ASSERT(floats_error(r.optimizer.slot[0], r.want_v, COUNT) < STEPS * 1.2e-7);
    cvy_optimizer_destroy(&r.optimizer);
    cvy_tree_destroy(&tree);
    floats_free(r.w);
    floats_free(r.g);
    free(r.want_w);
    free(r.want_v);
}

static void sgd(void) {
    for (size_t i = 0; i < sizeof sgd_cases / sizeof *sgd_cases; i++)
        each_level(1, check_sgd, (void *)(uintptr_t)&sgd_cases[i]);
}

/* A stretch changes nothing outside itself, and gives the same bits as all at once. */
static void stretches(void) {
    struct cvy_compute *compute;
    struct cvy_tree *tree;
    struct cvy_optimizer whole, parts;
    float *w[2] = {floats_new(COUNT), floats_new(COUNT)}, *g = floats_new(COUNT);
    const struct cvy_node *node = parse(&tree, "sgd: {momentum: 0.9, nesterov: true, weight_decay: 0.01}");
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    TEST_OK(create(node, &whole));
    TEST_OK(create(node, &parts));
    floats_random(w[0], COUNT, 1);
    floats_random(w[1], COUNT, 1);
    for (uint32_t step = 0; step < 3; step++) {
        floats_random(g, COUNT, 8 + step);
        cvy_optimizer_update(&whole, compute, &(struct cvy_optimizer_step){w[0], g, 0, COUNT, 0.1, 0.25, step + 1});
        cvy_optimizer_update(&parts, compute,
                             &(struct cvy_optimizer_step){w[1], g + 512, 512, COUNT, 0.1, 0.25, step + 1});
        bool untouched = true;
        for (int i = 0; i < 512; i++) untouched &= step > 0 || parts.slot[0][i] == 0;
        CU_ASSERT(untouched);
        cvy_optimizer_update(&parts, compute, &(struct cvy_optimizer_step){w[1], g + 16, 16, 512, 0.1, 0.25, step + 1});
        cvy_optimizer_update(&parts, compute, &(struct cvy_optimizer_step){w[1], g, 0, 16, 0.1, 0.25, step + 1});
    }
    CU_ASSERT(floats_same(w[0], w[1], COUNT) && floats_same(whole.slot[0], parts.slot[0], COUNT));
    cvy_optimizer_destroy(&whole);
    cvy_optimizer_destroy(&parts);
    cvy_compute_destroy(&compute);
    cvy_tree_destroy(&tree);
    floats_free(w[0]);
    floats_free(w[1]);
    floats_free(g);
}

/* ---- schedules ---- */

static const struct {
    const char *text;
    double epoch, epochs, want;
} points[] = {
    {"0.1", 0, 10, 0.1},
    {"0.1", 9.99, 10, 0.1},
    {"1e-3", 3, 10, 1e-3},
    {"{constant: {value: 0.2}}", 5, 10, 0.2},
    {"{constant: {value: 0.2, warmup_epochs: 2}}", 0, 10, 0},
    {"{constant: {value: 0.2, warmup_epochs: 2}}", 0.5, 10, 0.05},
    {"{constant: {value: 0.2, warmup_epochs: 2}}", 2, 10, 0.2},
    {"{step: {value: 1, every_epochs: 30}}", 29.999, 90, 1},
    {"{step: {value: 1, every_epochs: 30}}", 30, 90, 0.1},
    {"{step: {value: 1, every_epochs: 30}}", 75, 90, 0.01},
    {"{step: {value: 8, every_epochs: 0.5, factor: 0.5}}", 1.6, 90, 1},
    {"{step: {value: 8, every_epochs: 2, factor: 0.5, warmup_epochs: 4}}", 3, 90, 3}, /* 8 · 1/2 · 3/4 */
    {"{cosine: {peak: 0.4}}", 0, 8, 0.4},
    {"{cosine: {peak: 0.4}}", 4, 8, 0.2},
    {"{cosine: {peak: 0.4}}", 2, 8, 0.34142135623730951}, /* (1 + √½)/2 */
    {"{cosine: {peak: 0.4}}", 8, 8, 0},
    {"{cosine: {peak: 0.4}}", 9, 8, 0}, /* beyond the end, it stays there */
    {"{cosine: {peak: 0.4, floor: 0.1}}", 4, 8, 0.25},
    {"{cosine: {peak: 0.4, floor: 0.1}}", 8, 8, 0.1},
    {"{cosine: {peak: 0.4, warmup_epochs: 2}}", 1, 8, 0.2},
    {"{cosine: {peak: 0.4, warmup_epochs: 2}}", 2, 8, 0.4},
    {"{cosine: {peak: 0.4, warmup_epochs: 2}}", 5, 8, 0.2},              /* the middle of what is left */
    {"{cosine: {peak: 0.4, floor: 0.1, warmup_epochs: 5}}", 3, 3, 0.24}, /* no end to reach: still warming up */
    {"{cosine: {peak: 0.4, floor: 0.1, warmup_epochs: 3}}", 3, 3, 0.1},
};

static struct cvy_schedule schedule_of(const char *text, struct cvy_tree **tree) {
    struct cvy_schedule schedule;
    TEST_OK(cvy_schedule_create(parse(tree, text), &schedule));
    return schedule;
}

static void schedule_points(void) {
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct cvy_tree *tree;
        struct cvy_schedule schedule = schedule_of(points[i].text, &tree);
        double got = cvy_schedule_at(&schedule, (struct cvy_progress){points[i].epoch, points[i].epochs, NULL});
        if (fabs(got - points[i].want) > 1e-12)
            fprintf(stderr, "\n    %s at %g of %g: %.17g", points[i].text, points[i].epoch, points[i].epochs, got);
        CU_ASSERT_DOUBLE_EQUAL(got, points[i].want, 1e-12);
        CU_ASSERT_EQUAL(schedule.kind->needs_end, strstr(points[i].text, "cosine") != NULL);
        cvy_schedule_destroy(&schedule);
        cvy_tree_destroy(&tree);
    }
}

/* A schedule is a function of the samples seen: after the same 19,200 of 60,000, whatever the batch, the same rate; and
 * a rate between two steps of a large batch is what a small batch has there. */
static void schedule_knows_samples_only(void) {
    struct cvy_tree *tree;
    struct cvy_schedule schedule = schedule_of("{cosine: {peak: 0.1, warmup_epochs: 0.2}}", &tree);
    const int batches[] = {32, 64, 128, 256, 384};
    for (int64_t seen = 0; seen < 60000 * 5; seen += 19200) {
        double rates[5];
        for (int b = 0; b < 5; b++) {
            int64_t steps = seen / batches[b]; /* a whole number: 19,200 = 2^8·75 */
            struct cvy_progress at = {(double)(steps * batches[b]) / 60000, 5, NULL};
            rates[b] = cvy_schedule_at(&schedule, at);
            CU_ASSERT(rates[b] == rates[0] && steps * batches[b] == seen);
        }
    }
    cvy_schedule_destroy(&schedule);
    cvy_tree_destroy(&tree);
}

/* No jump but where a step is asked for, never below zero or above the peak. */
static void cosine_is_smooth(void) {
    struct cvy_tree *tree;
    struct cvy_schedule schedule = schedule_of("{cosine: {peak: 0.1, floor: 0.01, warmup_epochs: 1.5}}", &tree);
    double before = 0;
    for (int i = 1; i <= 10000; i++) {
        double rate = cvy_schedule_at(&schedule, (struct cvy_progress){i * 1e-3, 10, NULL});
        CU_ASSERT(rate > 0 && rate <= 0.1 && fabs(rate - before) < 1e-4);
        CU_ASSERT(i <= 1500 ? rate > before : rate < before);
        before = rate;
    }
    cvy_schedule_destroy(&schedule);
    cvy_tree_destroy(&tree);
}

/* ---- bad settings ---- */

static const struct {
    const char *text, *message;
    bool schedule;
} bad[] = {
    {"sdg", "o.yaml:1:1: unknown optimizer \"sdg\"; did you mean \"sgd\"?", false},
    {"adan: {eps: 1}", "o.yaml:1:1: unknown optimizer \"adan\"; did you mean \"adam\"?", false},
    {"adam: {lr: 1}", "o.yaml:1:8: adam: unknown key \"lr\"; known are beta1, beta2, eps, weight_decay, amsgrad",
     false},
    {"lamb: {eps: 0}", "o.yaml:1:13: eps: 0 is out of range; from 1e-30 to 1", false},
    {"sgd: {momentun: 0.9}", "o.yaml:1:7: sgd: unknown key \"momentun\"; did you mean \"momentum\"?", false},
    {"sgd: {momentum: high}", "o.yaml:1:17: momentum: expected a number, found \"high\"", false},
    {"sgd: {momentum: 1.5}", "o.yaml:1:17: momentum: 1.5 is out of range; from 0 to 1", false},
    {"sgd: {momentum: nan}", "o.yaml:1:17: momentum: expected a number, found \"nan\"", false},
    {"sgd: {nesterov: 2, weight_decay: -1}",
     "o.yaml:1:17: nesterov: expected true or false, found \"2\"\n"
     "o.yaml:1:34: weight_decay: -1 is out of range; from 0 to 1",
     false},
    {"sgd: {nesterov: true}", "o.yaml:1:17: nesterov: needs a momentum above 0; 0.9 is usual", false},
    {"sgd: {momentum: high, nesterov: true}", "o.yaml:1:17: momentum: expected a number, found \"high\"", false},
    {"sgd: 0.9", "o.yaml:1:6: sgd: expected a map of settings: {momentum: …, nesterov: …, weight_decay: …}", false},
    {"[sgd]", "o.yaml:1:1: optimizer: expected a name, or one name with its settings: NAME, or {NAME: {…}}", false},
    {"{sgd: , adam: }", "o.yaml:1:1: optimizer: expected a name, or one name with its settings: NAME, or {NAME: {…}}",
     false},
    {"fast",
     "o.yaml:1:1: learning_rate: expected a number or a schedule, found \"fast\"; convoy help schedules lists them",
     true},
    {"cosin: {peak: 1}",
     "o.yaml:1:1: learning_rate: expected a number or a schedule, found \"cosin\"; did you mean \"cosine\"?", true},
    {"-0.1", "o.yaml:1:1: learning_rate: -0.1 is out of range; at least 0", true},
    {"inf", "o.yaml:1:1: value: expected a number, found \"inf\"", true},
    {"cosine", "o.yaml:1:1: cosine: \"peak\" is missing: the highest learning rate", true},
    {"cosine: {peak: 0.1, warmup_epoch: 1}",
     "o.yaml:1:21: cosine: unknown key \"warmup_epoch\"; did you mean \"warmup_epochs\"?", true},
    {"exponential: {foo: 0.1}",
     "o.yaml:1:15: exponential: unknown key \"foo\"; it needs \"value\" (the first learning rate) and \"factor\" (of "
     "each epoch)",
     true},
    {"step: {value: 0.1}", "o.yaml:1:1: step: \"every_epochs\" is missing: epochs from one to the next", true},
    {"step: {value: 0.1, every_epochs: 0}", "o.yaml:1:34: every_epochs: 0 is out of range; at least 1e-06", true},
    {"{step: {}, cosine: {}}",
     "o.yaml:1:1: learning_rate: expected a name, or one name with its settings: NAME, or {NAME: {…}}", true},
};

static void findings(void) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cvy_tree *tree;
        struct cvy_optimizer optimizer;
        struct cvy_schedule schedule;
        struct cvy_findings checked = {0};
        struct cvy_node *node = parse(&tree, bad[i].text);
        CU_ASSERT_EQUAL(bad[i].schedule ? cvy_schedule_create(node, &schedule) : create(node, &optimizer),
                        CVY_ERR_USAGE);
        bool as_told = strcmp(cvy_error_message(), bad[i].message) == 0;
        if (!as_told) fprintf(stderr, "\n    %s gave: %s", bad[i].text, cvy_error_message());
        if (bad[i].schedule)
            cvy_schedule_check(node, &checked);
        else
            cvy_optimizer_check(node, &checked);
        CU_ASSERT(as_told);
        CU_ASSERT_STRING_EQUAL(checked.text, cvy_error_message()); /* checking before the run says the same */
        cvy_tree_destroy(&tree);
    }
}

static const struct test_case cases[] = {
    {"SGD, momentum, Nesterov, weight decay: as in double", sgd},
    {"stretches of the vectors", stretches},
    {"schedules at named points", schedule_points},
    {"schedules know samples, not batches", schedule_knows_samples_only},
    {"the cosine is smooth", cosine_is_smooth},
    {"bad settings", findings},
    {0},
};
const struct test_suite suite_optim = {"optim", cases, NULL};
