/* conv_plan: what a plan of a convolution decides, that it decides for its own network alone, and each row of the
 * tables of algorithms against plain loops. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/kernels/conv_help.h"
#include "core/memory.h"
#include "kernels/simd/bf16_table.h"
#include "kernels/simd/table.h"
#include "test.h"

#define SQUARE(n, h, c, k, r, stride, pad, groups)                                                                     \
    { n, h, h, c, k, r, r, stride, stride, pad, pad, pad, pad, 1, 1, groups }

static const enum cvy_pass all[] = {CVY_PASS_FORWARD, CVY_PASS_DATA, CVY_PASS_WEIGHTS};

/* A choice is made by shape and level: nothing of this machine. */
static struct cvy_conv_plan plan_at(enum cvy_isa level, const struct cvy_conv *g, enum cvy_dtype type, bool fixed,
                                    bool lean) {
    const struct cvy_compute compute = {.level = level, .table = &cvy_table_portable, .threads = 2};
    const struct cvy_conv_setting setting = {type, {true, !fixed, !fixed}, fixed, lean};
    struct cvy_conv_plan plan;
    cvy_conv_plan_make(&compute, g, &setting, &plan);
    return plan;
}

/* ---- what is chosen ---- */

static const struct golden {
    const char *name;
    struct shape shape;
    bool direct;
    /* forward / data / gradient; in bf16 at level avx512bf16, "": has none of its own */
    const char *fp32, *bf16;
} golden[] = {
    {"LeNet's first", SQUARE(32, 28, 1, 6, 5, 1, 2, 1), false, "single / narrow / single",
     "pairs direct / pairs direct / pairs direct"},
    {"LeNet's second", SQUARE(32, 14, 6, 16, 5, 1, 0, 1), false, "toom / toom / toom",
     "pairs direct / pairs direct / pairs direct"},
    {"of one sample", SQUARE(1, 14, 6, 16, 5, 1, 0, 1), false, "direct / narrow / rows",
     "pairs direct / pairs direct / pairs direct"},
    {"dense", SQUARE(32, 1, 400, 120, 1, 1, 0, 1), false, "pointwise / pointwise / pointwise",
     "pairs pointwise / pairs pointwise / pairs direct"},
    {"large dense", SQUARE(32, 1, 1024, 1000, 1, 1, 0, 1), false, "pointwise / dense / pointwise",
     "pairs pieces / pairs pieces / pairs direct"},
    {"large dense, few samples", SQUARE(8, 1, 1024, 1000, 1, 1, 0, 1), false, "pointwise / dots / pointwise",
     "pairs pieces / pairs pieces / pairs direct"},
    {"ResNet's first", SQUARE(2, 224, 3, 64, 7, 2, 3, 1), false, "direct / narrow / rows",
     "pairs direct / pairs direct / pairs direct"},
    {"ResNet's 3×3", SQUARE(4, 56, 64, 64, 3, 1, 1, 1), false, "winograd / winograd / winograd",
     "winograd / winograd / winograd"},
    {"by direct sums", SQUARE(4, 56, 64, 64, 3, 1, 1, 1), true, "direct / direct / rows",
     "pairs direct / pairs direct / pairs direct"},
    {"with few outputs", SQUARE(2, 7, 64, 64, 3, 1, 1, 1), false, "direct / direct / rows",
     "pairs direct / pairs direct / pairs direct"},
    {"with few channels", SQUARE(16, 32, 16, 16, 3, 1, 1, 1), false, "winograd / winograd / winograd",
     "pairs direct / pairs direct / pairs direct"},
    {"of 32 channels", SQUARE(32, 16, 32, 32, 3, 1, 1, 1), false, "winograd / winograd / winograd",
     "pairs direct / pairs direct / winograd"},
    {"and with many outputs", SQUARE(64, 16, 32, 32, 3, 1, 1, 1), false, "winograd / winograd / winograd",
     "winograd / winograd / winograd"},
    {"strided", SQUARE(4, 28, 128, 128, 3, 2, 1, 1), false, "direct / phases / packed",
     "pairs direct / pairs direct / pairs direct"},
    {"1×1", SQUARE(4, 14, 256, 64, 1, 1, 0, 1), false, "pointwise / pointwise / pointwise",
     "pairs pointwise / pairs pointwise / pairs direct"},
    {"1×1, strided", SQUARE(4, 14, 256, 64, 1, 2, 0, 1), false, "direct / phases / rows",
     "pairs direct / pairs direct / pairs direct"},
    {"few filters", SQUARE(2, 64, 3, 2, 3, 1, 1, 1), false, "widened / narrow / widened",
     "pairs direct / pairs direct / pairs direct"},
    {"many rows, k of 16", SQUARE(2, 12, 8, 48, 3, 1, 1, 1), false, "direct / narrow / rows",
     "pairs direct / pairs direct / pairs direct"},
    {"depthwise", SQUARE(2, 14, 32, 32, 3, 1, 1, 32), false, "depthwise / depthwise / depthwise", ""},
    {"in groups", SQUARE(4, 28, 64, 64, 3, 1, 1, 4), false, "winograd / winograd / winograd", ""},
};

/* The row that goes a pass for n samples. */
static const char *algorithm(const struct cvy_conv_plan *plan, enum cvy_pass pass, int n) {
    const struct cvy_conv_range *range = plan->ranges[pass];
    while (range->samples < n) range++;
    return range->algorithm->name;
}

static void expect(const struct golden *row, const struct cvy_conv_plan *plan, const char *expected) {
    char chosen[128];
    const int n = plan->g.n;
    snprintf(chosen, sizeof chosen, "%s / %s / %s", algorithm(plan, CVY_PASS_FORWARD, n),
             algorithm(plan, CVY_PASS_DATA, n), algorithm(plan, CVY_PASS_WEIGHTS, n));
    if (strcmp(chosen, expected) != 0) fprintf(stderr, "\n    %s: %s, expected %s", row->name, chosen, expected);
    CU_ASSERT_STRING_EQUAL(chosen, expected);
}

static struct cvy_conv golden_conv(const struct golden *row) {
    struct cvy_conv g = conv_of(&row->shape);
    g.direct = row->direct;
    return g;
}

static void choices(void) {
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        const struct cvy_conv g = golden_conv(&golden[i]);
        const struct cvy_conv_plan fp32 = plan_at(CVY_ISA_AVX512, &g, CVY_F32, false, true);
        expect(&golden[i], &fp32, golden[i].fp32);
        if (golden[i].bf16[0] == 0) continue;
        const struct cvy_conv_plan bf16 = plan_at(CVY_ISA_AVX512BF16, &g, CVY_BF16, false, true);
        expect(&golden[i], &bf16, golden[i].bf16);
    }
}

/* A smaller leaf goes by the algorithms of a plan that has it for its largest. */
static void smaller_leaves(void) {
    enum { MOST = 40 };
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        struct cvy_conv g = golden_conv(&golden[i]);
        g.n = MOST;
        const struct cvy_conv_plan most = plan_at(CVY_ISA_AVX512, &g, CVY_F32, false, true);
        for (g.n = 1; g.n <= MOST; g.n++) {
            const struct cvy_conv_plan own = plan_at(CVY_ISA_AVX512, &g, CVY_F32, false, true);
            for (int pass = 0; pass < 3; pass++)
                CU_ASSERT_STRING_EQUAL(algorithm(&most, all[pass], g.n), algorithm(&own, all[pass], g.n));
        }
    }
}

/* What two algorithms read alike is there once; what nobody reads is not there. */
static void copies(void) {
    const struct shape one = SQUARE(9, 8, 64, 64, 3, 1, 1, 1), two = SQUARE(9, 14, 6, 16, 5, 1, 0, 1);
    struct cvy_conv g = conv_of(&one);
    const struct cvy_conv_plan shared = plan_at(CVY_ISA_AVX512, &g, CVY_F32, false, false);
    CU_ASSERT(shared.range_count[CVY_PASS_DATA] == 2 && shared.copy_count == 1);
    CU_ASSERT_EQUAL(shared.copy_floats, 9 * 64 * 64);
    CU_ASSERT(!cvy_conv_plan_copies(&shared, CVY_PASS_FORWARD) && cvy_conv_plan_copies(&shared, CVY_PASS_DATA));
    const struct cvy_conv_plan fixed = plan_at(CVY_ISA_AVX512, &g, CVY_F32, true, false);
    CU_ASSERT(fixed.copy_count == 1 && cvy_conv_plan_copies(&fixed, CVY_PASS_FORWARD));
    g = conv_of(&two);
    const struct cvy_conv_plan apart = plan_at(CVY_ISA_AVX512, &g, CVY_F32, false, false);
    CU_ASSERT(apart.range_count[CVY_PASS_DATA] == 2 && apart.copy_count == 2);
    g.direct = true;
    CU_ASSERT_EQUAL(plan_at(CVY_ISA_AVX512, &g, CVY_F32, false, false).copy_count, 1);
}

/* ---- plans beside each other ---- */

struct outcome {
    float *y, *dx, *dw;
};

static struct outcome run_planned(struct planned *p, const struct fixture *f) {
    struct outcome out = {floats_new(f->y_count), floats_new(f->x_count), floats_new(f->w_count)};
    const struct cvy_conv_weights w = planned_weights(p, f->w);
    cvy_conv_prepare(&p->plan, f->w, p->copies);
    cvy_conv_forward(&p->plan, f->g.n, f->x, w, NULL, out.y, p->ws);
    cvy_conv_backward_data(&p->plan, f->g.n, f->dy, w, out.dx, false, p->ws);
    cvy_conv_backward_weights(&p->plan, f->g.n, f->x, f->dy, out.dw, NULL, p->ws);
    return out;
}
static bool outcome_same(const struct outcome *a, const struct outcome *b, const struct fixture *f) {
    return floats_same(a->y, b->y, f->y_count) && floats_same(a->dx, b->dx, f->x_count) &&
           floats_same(a->dw, b->dw, f->w_count);
}
static void outcome_free(struct outcome *o) {
    floats_free(o->y), floats_free(o->dx), floats_free(o->dw);
}

/* A network by Winograd's algorithm and one by direct sums, run in turn: each computes what it does alone. */
static void beside_level(const struct cvy_compute *compute, void *arg) {
    const struct fixture *f = arg;
    struct cvy_conv direct = f->g;
    direct.direct = true;
    struct planned one = planned_new(compute, &f->g);
    struct outcome alone = run_planned(&one, f);
    struct planned other = planned_new(compute, &direct);
    struct outcome sums = run_planned(&other, f), again = run_planned(&one, f);
    struct outcome sums_again = run_planned(&other, f);
    CU_ASSERT(outcome_same(&alone, &again, f));
    CU_ASSERT(outcome_same(&sums, &sums_again, f));
    CU_ASSERT(!outcome_same(&alone, &sums, f));
    outcome_free(&alone), outcome_free(&sums), outcome_free(&again), outcome_free(&sums_again);
    planned_free(&one), planned_free(&other);
}

/* A leaf smaller than the plan's largest has the bits of a plan of its own. */
static void leaves_level(const struct cvy_compute *compute, void *arg) {
    const struct fixture *f = arg;
    struct cvy_conv largest = f->g;
    largest.n += 13;
    struct planned large = planned_new(compute, &largest), own = planned_new(compute, &f->g);
    struct outcome a = run_planned(&large, f), b = run_planned(&own, f);
    CU_ASSERT(outcome_same(&a, &b, f));
    outcome_free(&a), outcome_free(&b);
    planned_free(&large), planned_free(&own);
}

static void beside(void) {
    const struct shape winograd = SQUARE(3, 13, 33, 34, 3, 1, 1, 1);
    struct fixture f = fixture_inputs(&winograd);
    each_level(2, beside_level, &f);
    fixture_free(&f);
}

static void leaves(void) {
    static const struct shape few[] = {SQUARE(2, 9, 33, 34, 3, 1, 1, 1), SQUARE(2, 9, 6, 16, 5, 1, 1, 1),
                                       SQUARE(3, 11, 5, 6, 3, 2, 1, 1), SQUARE(3, 1, 90, 40, 1, 1, 0, 1)};
    for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
        struct fixture f = fixture_inputs(&few[i]);
        each_level(2, leaves_level, &f);
        fixture_free(&f);
    }
}

/* ---- every row against plain loops ---- */

enum { MOST_ROWS = 32 };

/* What a row reads and writes, of its element type. */
struct operands {
    const struct fixture *f;
    void *x, *dy, *y, *dx;
    float *dw, *db;
    int tried[3][MOST_ROWS];
    int shape;
};

static void *to_type(enum cvy_dtype type, const float *from, size_t count) {
    float *floats = floats_new(count);
    cvy_bf16 *halves = (cvy_bf16 *)floats;
    for (size_t i = 0; i < count; i++)
        if (type == CVY_F32)
            floats[i] = from[i];
        else
            halves[i] = cvy_bf16_round(from[i]);
    return floats;
}

static double error_of(enum cvy_dtype type, const void *a, const double *b, size_t count) {
    float *floats = floats_new(count);
    for (size_t i = 0; i < count; i++)
        floats[i] = type == CVY_F32 ? ((const float *)a)[i] : cvy_bf16_float(((const cvy_bf16 *)a)[i]);
    const double error = floats_error(floats, b, count);
    floats_free(floats);
    return error;
}

/* As the suites of fp32 and of bf16 allow: a transform 1e-5, a result in bf16 half a unit. */
static double allowed(const struct cvy_algorithm *row, enum cvy_pass pass, double terms) {
    if (row->type == CVY_BF16 && pass != CVY_PASS_WEIGHTS) return 0x1.02p-8;
    return row->transforms ? 1e-5 : sum_tolerance(terms);
}

static void check_row(const struct cvy_compute *compute, const struct cvy_algorithm *row, enum cvy_pass pass,
                      const struct operands *o) {
    const struct fixture *f = o->f;
    const struct cvy_conv *g = &f->g;
    const double pixels = (double)f->y_count / g->out.c, window = (double)g->r * g->s;
    double error = 0, terms = pixels;
    if (pass == CVY_PASS_FORWARD)
        error = error_of(row->type, o->y, f->y, f->y_count), terms = window * g->in.c / g->groups;
    if (pass == CVY_PASS_DATA)
        error = error_of(row->type, o->dx, f->dx, f->x_count), terms = window * g->out.c / g->groups;
    if (pass == CVY_PASS_WEIGHTS)
        error = fmax(floats_error(o->dw, f->dw, f->w_count), floats_error(o->db, f->db, f->b_count));
    if (!(error <= allowed(row, pass, terms)))
        fprintf(stderr, "\n    %s %s, pass %d, shape %d: error %.2g, allowed %.2g", cvy_isa_name(compute->level),
                row->name, pass, o->shape, error, allowed(row, pass, terms));
    CU_ASSERT(error <= allowed(row, pass, terms));
}

static void run_row(const struct cvy_compute *compute, const struct cvy_algorithm *row, enum cvy_pass pass,
                    const struct operands *o) {
    struct cvy_conv g = cvy_conv_one_group(&o->f->g);
    const struct cvy_conv_case c = {compute, &g, row->type, .most = g.n, .fixed = true, .lean = true};
    const size_t rounds = (size_t)cvy_conv_rounds(&o->f->g), groups = cvy_groups_workspace(&o->f->g);
    float *copy = NULL, *own = floats_new(cvy_groups_panel_floats(&o->f->g)), *ws;
    struct cvy_tiling tiling;
    const size_t bytes = cvy_align_up((groups + row->tile(&c, &tiling)) * sizeof *ws);
    TEST_OK(cvy_alloc(bytes, CVY_TAG_general, (void **)&ws));
    memset(ws, 0xff, bytes);
    if (row->copy) TEST_OK(cvy_alloc(rounds * row->copy->floats(&g) * sizeof *copy, CVY_TAG_general, (void **)&copy));
    if (row->copy) cvy_groups_copy(compute, row->copy, &o->f->g, o->f->w, copy, own);
    struct cvy_pass_call call = {.compute = compute, .g = &o->f->g, .type = row->type, .tiling = &tiling, .ws = ws};
    call.from = pass == CVY_PASS_DATA ? o->dy : o->x;
    call.with = pass == CVY_PASS_WEIGHTS ? o->dy : row->copy ? copy : o->f->w;
    call.to = pass == CVY_PASS_FORWARD ? o->y : pass == CVY_PASS_DATA ? o->dx : o->dw;
    call.dbias = pass == CVY_PASS_WEIGHTS ? o->db : NULL;
    cvy_groups_run(row, pass, &call);
    cvy_free(ws), cvy_free(copy), floats_free(own);
}

static void try_row(const struct cvy_compute *compute, enum cvy_pass pass, int i, struct operands *o) {
    const struct cvy_algorithm *row = cvy_algorithm_at(pass, i);
    const struct cvy_conv g = cvy_conv_one_group(&o->f->g);
    const struct cvy_conv_case c = {compute, &g, row->type, .most = g.n, .fixed = true, .lean = true};
    if ((row->type == CVY_BF16 && o->f->g.groups > 1) || !row->applicable(&c)) return;
    if (cvy_conv_is_depthwise(&g) && strcmp(row->name, "depthwise") != 0) return; /* which is for all of these */
    o->x = to_type(row->type, o->f->x, o->f->x_count), o->dy = to_type(row->type, o->f->dy, o->f->y_count);
    o->y = floats_new(o->f->y_count), o->dx = floats_new(o->f->x_count);
    o->dw = floats_new(o->f->w_count), o->db = floats_new(o->f->b_count);
    run_row(compute, row, pass, o);
    check_row(compute, row, pass, o);
    o->tried[pass][i]++;
    floats_free(o->x), floats_free(o->dy), floats_free(o->y), floats_free(o->dx);
    floats_free(o->dw), floats_free(o->db);
}

static void rows_level(const struct cvy_compute *compute, struct operands *o) {
    for (int pass = 0; pass < 3; pass++)
        for (int i = 0; cvy_algorithm_at(all[pass], i); i++) try_row(compute, all[pass], i, o);
}

static void each_row(void) {
    struct operands o = {.tried = {{0}}};
    for (o.shape = 0; o.shape < conv_shape_count; o.shape++) {
        struct fixture f = fixture_rounded(&conv_shapes[o.shape]);
        o.f = &f;
        for (int level = 0; level < CVY_ISA_COUNT; level++) {
            struct cvy_compute *compute;
            if (!cvy_isa_available((enum cvy_isa)level)) continue;
            TEST_OK(cvy_compute_create(2, (enum cvy_isa)level, &compute));
            rows_level(compute, &o);
            cvy_compute_destroy(&compute);
        }
        fixture_free(&f);
    }
    for (int pass = 0; pass < 3; pass++)
        for (int i = 0; cvy_algorithm_at(all[pass], i); i++) {
            if (o.tried[pass][i] == 0)
                fprintf(stderr, "\n    %s, pass %d: add a shape to conv_help.c that it is for",
                        cvy_algorithm_at(all[pass], i)->name, pass);
            CU_ASSERT(i < MOST_ROWS && o.tried[pass][i] > 0);
        }
}

static const struct test_case cases[] = {
    {"what is chosen for each pass", choices},
    {"smaller leaves: the algorithms of their own plan", smaller_leaves},
    {"smaller leaves: the bits of their own plan", leaves},
    {"copies are made once, and only those that are read", copies},
    {"two networks in one process", beside},
    {"each algorithm against plain loops, at each level", each_row},
    {0},
};
const struct test_suite suite_conv_plan = {"conv_plan", cases, NULL};
