/* The tables of optimisers and schedules, row by row: whatever is in one learns, says which numbers it takes, goes on
 * from a checkpoint as if nothing had been, and has the same bits however its vectors are cut; a rate is defined
 * wherever training may be, and is a function of the place alone. (Formulas: suites optim, golden_optim.) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convoy.h"
#include "io/yaml.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "unit/kernels/kernels_help.h"
#include "test.h"

/* ---- A row with its settings ---- */

/* What a key gets that has to be given. */
static const char *sample_of(const struct cvy_key *key) {
    return key->type == CVY_KEY_REAL ? "0.25" : key->type == CVY_KEY_INT ? "2" : "[2, 4]";
}

/* {NAME: {all keys that have to be given, and KEY: VALUE}}; key NULL: none. */
static void write_row(const struct cvy_listing *row, const char *key, double value, char out[512]) {
    size_t used = (size_t)snprintf(out, 512, "{%s: {", row->name);
    const char *comma = "";
    for (const struct cvy_key *k = row->keys; k->name; k++) {
        const bool chosen = key && strcmp(k->name, key) == 0;
        if (!chosen && k->fallback) continue;
        used += (size_t)snprintf(out + used, 512 - used, "%s%s: ", comma, k->name);
        used += chosen ? (size_t)snprintf(out + used, 512 - used, "%.17g", value)
                       : (size_t)snprintf(out + used, 512 - used, "%s", sample_of(k));
        comma = ", ";
    }
    snprintf(out + used, 512 - used, "}}");
}

static struct cvy_node *parse(struct cvy_tree **tree, const char *text) {
    struct cvy_node *root = NULL;
    TEST_OK(cvy_tree_create(tree));
    TEST_OK(cvy_yaml_parse(*tree, "row.yaml", text, strlen(text), &root));
    return root;
}

typedef void check_fn(const struct cvy_node *node, struct cvy_findings *findings);

/* For its range; that a floor is above the peak that goes with it here is another matter. */
static bool is_refused(check_fn *check, const char *text) {
    struct cvy_tree *tree;
    struct cvy_findings findings = {0};
    check(parse(&tree, text), &findings);
    const bool refused = findings.count == 1 && strstr(findings.text, "is out of range");
    const bool taken = findings.count == 0 || strstr(findings.text, "the floor is the lowest rate");
    if (!refused && !taken) fprintf(stderr, "\n    %s: %s", text, findings.text);
    CU_ASSERT(refused || taken);
    cvy_tree_destroy(&tree);
    return refused;
}

/* Both ends of a number's range are taken, and what lies beyond them is not. */
static void check_ends(const struct cvy_listing *row, const struct cvy_key *key, check_fn *check) {
    const double ends[2] = {key->low, key->high}, step = key->type == CVY_KEY_INT ? 1 : fmax(1, fabs(key->high)) * 1e-6;
    for (int end = 0; end < 2; end++) {
        char inside[512], outside[512];
        write_row(row, key->name, ends[end], inside);
        write_row(row, key->name, end ? key->high + step : key->low - step, outside);
        CU_ASSERT_FALSE(is_refused(check, inside));
        CU_ASSERT(is_refused(check, outside));
    }
}

static int check_numbers(const struct cvy_listing *row, check_fn *check) {
    int numbers = 0;
    for (const struct cvy_key *k = row->keys; k->name; k++) {
        if (k->type != CVY_KEY_REAL && k->type != CVY_KEY_INT) continue;
        check_ends(row, k, check);
        numbers++;
    }
    return numbers;
}

/* ---- Optimisers ---- */

enum { ROWS = 7, COLS = 19, BIAS = 19, STORED = 2 * ROWS * CVY_PANEL + 2 * CVY_PANEL };

/* A weight in panels and a bias, as a layer has them. */
static struct cvy_param layer[2] = {
    {.name = "w", .rank = 2, .dims = {ROWS, COLS}, .panels = true, .stored = 2 * ROWS * CVY_PANEL, .lr_factor = 1},
    {.name = "b",
     .rank = 1,
     .dims = {BIAS},
     .decay = CVY_DECAY_BIAS,
     .offset = 2 * ROWS * CVY_PANEL,
     .stored = 2 * CVY_PANEL,
     .lr_factor = 1}};
static const struct cvy_params layers = {layer, 2, 2, STORED};

struct trial {
    struct cvy_optimizer optimizer;
    struct cvy_tree *tree;
    float *w;
};

static struct trial begin_trial(const char *text) {
    struct trial t = {.w = floats_new(STORED)};
    TEST_OK(cvy_optimizer_create(parse(&t.tree, text), &layers, CVY_DECAY_ON_WEIGHTS, &t.optimizer));
    memset(t.w, 0, STORED * sizeof *t.w);
    for (int p = 0; p < 2; p++) {
        float logical[ROWS * COLS];
        floats_random(logical, (size_t)cvy_param_count(&layer[p]), 3 + (uint32_t)p);
        cvy_param_from_logical(&layer[p], logical, t.w + layer[p].offset);
    }
    return t;
}

static void end_trial(struct trial *t) {
    cvy_optimizer_destroy(&t->optimizer);
    cvy_tree_destroy(&t->tree);
    floats_free(t->w);
}

/* ½·Σ a·(w − 0.5)² over the values that are there, each with its own curvature; g gets its slopes. */
static double quadratic(const float *w, float g[STORED]) {
    double sum = 0;
    memset(g, 0, STORED * sizeof *g);
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < cvy_param_count(&layer[p]); i++) {
            const size_t at = layer[p].offset + cvy_param_place(&layer[p], i);
            const double a = 0.2 + 0.1 * (double)(i % 9), off = w[at] - 0.5;
            sum += 0.5 * a * off * off;
            g[at] = (float)(a * off);
        }
    return sum;
}

/* Steps first … last − 1, the vectors cut in `pieces` where the kind allows it. */
static void take_steps(struct trial *t, const struct cvy_compute *compute, double lr, int first, int last, int pieces) {
    float g[STORED];
    if (t->optimizer.kind->per_param) pieces = 1;
    for (int step = first; step < last; step++) {
        quadratic(t->w, g);
        for (int p = pieces; p-- > 0;) { /* the last first, as gradients come */
            const size_t from = STORED * (size_t)p / (size_t)pieces / 16 * 16,
                         to = p + 1 == pieces ? STORED : STORED * (size_t)(p + 1) / (size_t)pieces / 16 * 16;
            cvy_optimizer_update(&t->optimizer, compute,
                                 &(struct cvy_optimizer_step){t->w, g + from, from, to, lr, 1, step + 1});
        }
    }
}

/* What is left of the quadratic after 150 steps at the best of a few rates. */
static double share_left(const char *text, const struct cvy_compute *compute) {
    double least = 1;
    for (double lr = 1e-3; lr < 1e3; lr *= 10) {
        float g[STORED];
        struct trial t = begin_trial(text);
        const double before = quadratic(t.w, g);
        take_steps(&t, compute, lr, 0, 150, 1);
        least = fmin(least, quadratic(t.w, g) / before);
        end_trial(&t);
    }
    return least;
}

/* Numbers stay numbers at both ends of each setting, in padding lanes and where a gradient is zero, too. */
static void stay_finite(const struct cvy_listing *row, const struct cvy_compute *compute) {
    for (const struct cvy_key *k = row->keys; k->name; k++)
        for (int end = 0; end < 2 && (k->type == CVY_KEY_REAL || k->type == CVY_KEY_INT); end++) {
            char text[512];
            bool finite = true;
            write_row(row, k->name, end ? k->high : k->low, text);
            struct trial t = begin_trial(text);
            take_steps(&t, compute, 1e-3, 0, 5, 1);
            for (int i = 0; i < STORED; i++) finite &= isfinite(t.w[i]) != 0;
            if (!finite) fprintf(stderr, "\n    not finite: %s", text);
            CU_ASSERT(finite);
            end_trial(&t);
        }
}

static bool same_state(const struct trial *a, const struct trial *b) {
    bool same = floats_same(a->w, b->w, STORED);
    for (int s = 0; s < a->optimizer.slots; s++)
        same &= floats_same(a->optimizer.slot[s], b->optimizer.slot[s], STORED);
    return same;
}

/* Cut and by several threads, or whole by one. */
static void same_on_cuts(const char *text, const struct cvy_compute *compute) {
    struct cvy_compute *threads;
    struct trial whole = begin_trial(text), cut = begin_trial(text);
    TEST_OK(cvy_compute_create(3, cvy_isa_detect(), &threads));
    take_steps(&whole, compute, 0.01, 0, 6, 1);
    take_steps(&cut, threads, 0.01, 0, 6, 4);
    CU_ASSERT(same_state(&whole, &cut));
    end_trial(&whole);
    end_trial(&cut);
    cvy_compute_destroy(&threads);
}

static void every_optimizer(void) {
    struct cvy_compute *compute;
    struct cvy_listing row;
    int rows = 0;
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    for (; cvy_optimizers_list(rows, &row); rows++) {
        char text[512];
        write_row(&row, NULL, 0, text);
        const double left = share_left(text, compute);
        if (left > 0.05) fprintf(stderr, "\n    %s leaves %g", row.name, left);
        CU_ASSERT(left <= 0.05 && row.purpose[0]);
        CU_ASSERT(check_numbers(&row, cvy_optimizer_check) > 0);
        stay_finite(&row, compute);
        same_on_cuts(text, compute);
    }
    CU_ASSERT(rows > 0);
    cvy_compute_destroy(&compute);
}

/* ---- Checkpoints ---- */

enum { SAMPLES = 32 };

/* Trains on for `steps` in all, in the run's folder; the last checkpoint's path. */
static void train(struct cvy_context *ctx, const char *experiment, const char *run, int steps, char checkpoint[1200]) {
    static float x[SAMPLES][8];
    static int32_t y[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        y[i] = i % 2;
        for (int k = 0; k < 8; k++) x[i][k] = (float)((i * 5 + k * 3) % 7 - 3 + y[i]);
    }
    const struct cvy_data_source data = {
        .size = sizeof data, .samples = SAMPLES, .height = 2, .width = 4, .channels = 1, .classes = 2, .x = x, .y = y};
    const struct cvy_train_options how = {.size = sizeof how,
                                          .experiment = experiment,
                                          .run_folder = run,
                                          .train = &data,
                                          .resume = true,
                                          .has_steps = true,
                                          .steps = steps};
    struct cvy_train_summary summary = cvy_train_summary_default();
    TEST_OK(cvy_train(ctx, &how, &summary));
    CU_ASSERT_EQUAL(summary.step, steps);
    snprintf(checkpoint, 1200, "%s/checkpoints/step-%08d.h5", run, steps);
}

static void write_experiment(const char *path, const char *optimizer, const char *rate) {
    test_write(path,
               "name: rows\nmodel: {input: [2, 4, 1], layers: [{dense: 5}, relu, {dense: 2}]}\n"
               "train: {epochs: 4, batch: 8, optimizer: %s, learning_rate: %s}\n",
               optimizer, rate);
}

/* Seven steps at once, and three and four: the two last checkpoints hold the same. */
static void check_resumed(struct cvy_context *ctx, const char *optimizer, const char *rate) {
    char folder[1024], path[1100], once[1100], twice[1100], a[1200], b[1200];
    struct cvy_checkpoint_diff diff = cvy_checkpoint_diff_default();
    snprintf(folder, sizeof folder, "%s", test_folder());
    snprintf(path, sizeof path, "%s/rows.yaml", folder);
    snprintf(once, sizeof once, "%s/once", folder);
    snprintf(twice, sizeof twice, "%s/twice", folder);
    write_experiment(path, optimizer, rate);
    train(ctx, path, once, 7, a);
    train(ctx, path, twice, 3, b);
    train(ctx, path, twice, 7, b);
    TEST_OK(cvy_checkpoint_diff_read(a, b, &diff));
    if (diff.count) fprintf(stderr, "\n    %s, %s: other bits after a checkpoint", optimizer, rate);
    CU_ASSERT_EQUAL(diff.count, 0);
    cvy_checkpoint_diff_destroy(&diff);
}

/* Of every optimiser and every schedule. */
static void every_row_goes_on(void) {
    const struct cvy_context_options options = {.size = sizeof options, .threads = 1, .log_level = CVY_LOG_ERROR};
    struct cvy_context *ctx;
    struct cvy_listing row;
    char text[512];
    TEST_OK(cvy_context_create(&options, &ctx));
    for (int i = 0; cvy_optimizers_list(i, &row); i++) {
        write_row(&row, NULL, 0, text);
        check_resumed(ctx, text, "0.01");
    }
    for (int i = 0; cvy_schedules_list(i, &row); i++) {
        write_row(&row, NULL, 0, text);
        if (strcmp(row.name, "plateau") != 0) check_resumed(ctx, "sgd", text); /* it wants evaluations: e2e_optim */
    }
    cvy_context_destroy(&ctx);
}

/* ---- Schedules ---- */

static const double places[] = {0, 1e-9, 0.5, 1, 2, 3.7, 4, 5, 9.999999, 10, 10.5, 1e3, 1e6};
enum { PLACES = sizeof places / sizeof *places };

static double number(const struct cvy_schedule *s, const char *name, double otherwise) {
    for (const struct cvy_key *k = s->kind->keys; k->name; k++)
        if (strcmp(k->name, name) == 0) return *(const double *)(const void *)((const char *)s->state + k->offset);
    return otherwise;
}

/* Defined at the start, the end and beyond, between the lowest rate and the highest; the same whoever asks, and in
 * whatever order: a run that goes on has the rates of one that was not interrupted. */
static void check_rates(const char *text) {
    struct cvy_tree *trees[2];
    struct cvy_schedule s, again;
    TEST_OK(cvy_schedule_create(parse(&trees[0], text), &s));
    TEST_OK(cvy_schedule_create(parse(&trees[1], text), &again));
    const double highest = number(&s, "peak", number(&s, "value", 0)), lowest = number(&s, "floor", 0);
    const bool warms = number(&s, "warmup_epochs", 0) > 0;
    double rates[PLACES];
    for (int i = 0; i < PLACES; i++) {
        const struct cvy_progress at = {places[i], 10, NULL};
        rates[i] = cvy_schedule_at(&s, at);
        const bool good = isfinite(rates[i]) && rates[i] <= highest * (1 + 1e-12) && (warms || rates[i] >= lowest);
        if (!good) fprintf(stderr, "\n    %s: %g at %g", text, rates[i], places[i]);
        CU_ASSERT(good && rates[i] >= 0);
    }
    for (int i = PLACES; i-- > 0;)
        CU_ASSERT(cvy_schedule_at(&again, (struct cvy_progress){places[i], 10, NULL}) == rates[i]);
    if (warms) CU_ASSERT_EQUAL(rates[0], 0);
    cvy_schedule_destroy(&s);
    cvy_schedule_destroy(&again);
    for (int i = 0; i < 2; i++) cvy_tree_destroy(&trees[i]);
}

/* What evaluations leave in its memory is all that it goes on from. */
static void check_memory(const char *text) {
    struct cvy_tree *trees[2];
    struct cvy_schedule s, again;
    struct cvy_schedule_memory whole = {0}, kept = {0};
    TEST_OK(cvy_schedule_create(parse(&trees[0], text), &s));
    TEST_OK(cvy_schedule_create(parse(&trees[1], text), &again));
    for (int e = 0; e < 60; e++) {
        const double loss = e < 20 ? 2.0 / (1 + e) : 0.1, top1 = 0.5;
        cvy_schedule_observe(&s, loss, top1, &whole);
        cvy_schedule_observe(e < 30 ? &s : &again, loss, top1, &kept);
        const double a = cvy_schedule_at(&s, (struct cvy_progress){0.1 * e, 10, &whole});
        CU_ASSERT(a == cvy_schedule_at(&again, (struct cvy_progress){0.1 * e, 10, &kept}) && isfinite(a) && a >= 0);
    }
    cvy_schedule_destroy(&s);
    cvy_schedule_destroy(&again);
    for (int i = 0; i < 2; i++) cvy_tree_destroy(&trees[i]);
}

static void every_schedule(void) {
    struct cvy_listing row;
    int rows = 0;
    for (; cvy_schedules_list(rows, &row); rows++) {
        char text[512];
        write_row(&row, NULL, 0, text);
        check_rates(text);
        check_memory(text);
        CU_ASSERT(check_numbers(&row, cvy_schedule_check) > 0 && row.purpose[0]);
        for (const struct cvy_key *k = row.keys; k->name; k++) {
            if (strcmp(k->name, "warmup_epochs") != 0) continue;
            write_row(&row, k->name, 3, text);
            check_rates(text);
        }
    }
    CU_ASSERT(rows > 0);
}

static const struct test_case cases[] = {
    {"every optimiser of the table", every_optimizer},
    {"every schedule of the table", every_schedule},
    {"every row goes on from a checkpoint", every_row_goes_on},
    {0},
};
const struct test_suite suite_optim_tables = {"optim_tables", cases, NULL};
