/* kernels: ISA levels, and the product, each level against plain loops in double. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "kernels/simd/table.h"
#include "unit/kernels/kernels_help.h"
#include "test.h"

/* ---- ISA levels ---- */

static void isa_is_capped(void) {
    char *before = getenv("CONVOY_ISA") ? strdup(getenv("CONVOY_ISA")) : NULL;
    enum cvy_isa cap;
    setenv("CONVOY_ISA", "portable", 1);
    TEST_OK(cvy_isa_cap(&cap));
    CU_ASSERT_EQUAL(cap, CVY_ISA_PORTABLE);
    CU_ASSERT_EQUAL(cvy_isa_detect(), CVY_ISA_PORTABLE);
    setenv("CONVOY_ISA", "avx2", 1);
    CU_ASSERT(cvy_isa_detect() <= CVY_ISA_AVX2);
    setenv("CONVOY_ISA", "sse9", 1);
    CU_ASSERT_EQUAL(cvy_isa_cap(&cap), CVY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), "sse9"));
    CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), "portable"));
    unsetenv("CONVOY_ISA");
    TEST_OK(cvy_isa_cap(&cap));
    CU_ASSERT_EQUAL(cap, CVY_ISA_COUNT - 1);
    CU_ASSERT(cvy_isa_available(cvy_isa_detect()));
    if (before) setenv("CONVOY_ISA", before, 1);
    free(before);
}

static void compute_refuses(void) {
    struct cvy_compute *compute;
    CU_ASSERT_EQUAL(cvy_compute_create(0, CVY_ISA_PORTABLE, &compute), CVY_ERR_USAGE);
    CU_ASSERT_PTR_NULL(compute);
    for (int isa = 0; isa < CVY_ISA_COUNT; isa++)
        if (!cvy_isa_available((enum cvy_isa)isa)) {
            CU_ASSERT_EQUAL(cvy_compute_create(1, (enum cvy_isa)isa, &compute), CVY_ERR_USAGE);
            CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), cvy_isa_name((enum cvy_isa)isa)));
        }
    cvy_compute_destroy(&compute);
}

/* ---- the product ---- */

enum { ROWS = 31, COLUMNS = 83, PANELS = 6, DEPTH = 5, PAIRS = 4 };

/* A row stride of 1 with a step, or a step of 1 with a row stride that lets rows overlap or not. */
static const struct { int row, step; } strides[] = {{1, 1}, {1, 7}, {1, ROWS + 2}, {2, 1}, {DEPTH + 1, 1}};

struct buffers {
    float *a, *b, *c, *vectors, *residual;
    double expected[ROWS * PANELS * 16];
};

static double product_sum(const struct cvy_product *g, int i, int j) {
    const float *a = g->a, *b = g->b;
    double sum = 0;
    for (int o = 0; o < g->outer; o++)
        for (int p = 0; p < g->inner; p++)
            for (int l = 0; l < g->depth; l++)
                sum += (double)a[i * g->a_row + l * g->a_step + o * g->a_outer + p * g->a_inner] *
                       b[j / 16 * g->b_panel + l * g->b_step + j % 16 + o * g->b_outer + p * g->b_inner];
    return sum;
}

static double finished(const struct cvy_epilogue *e, double sum, int j, ptrdiff_t at) {
    if (e == NULL) return sum;
    if (e->bias) sum += e->bias[j];
    if (e->scale) sum *= e->scale[j];
    if (e->shift) sum += e->shift[j];
    if (e->residual) sum += e->residual[at];
    return e->activation == CVY_FUSED_RELU ? fmax(sum, 0) : sum;
}

/* Lanes that are not the product's hold NaN before and after. */
static void check_product(const struct cvy_compute *compute, struct buffers *t, struct cvy_product g) {
    const int floats = ROWS * PANELS * 16;
    for (int i = 0; i < floats; i++) t->expected[i] = t->c[i] = NAN;
    double worst = 0;
    for (int i = 0; i < g.rows; i++)
        for (int j = 0; j < g.columns; j++) {
            ptrdiff_t at = i * g.c_row + j / 16 * g.c_panel + j % 16;
            t->c[at] = 0.25f;
            t->expected[at] = finished(g.epilogue, product_sum(&g, i, j) + (g.accumulate ? 0.25 : 0), j, at);
        }
    struct cvy_ahead ahead[2] = {{t->b, 32, g.rows % 3}, {t->a, 8, g.rows % 2}}; /* results are as without */
    const struct cvy_ahead before[2] = {ahead[0], ahead[1]};
    if (g.columns % 2) g.ahead = ahead;
    compute->table->product(&g);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT(ahead[i].lines >= 0);
        CU_ASSERT_PTR_EQUAL(ahead[i].at, before[i].at + (ptrdiff_t)16 * (before[i].lines - ahead[i].lines));
    }
    CU_ASSERT(ahead[1].lines == before[1].lines || ahead[0].lines == 0);
    for (int i = 0; i < floats; i++) {
        if (isnan(t->expected[i]) != isnan(t->c[i]))
            worst = INFINITY;
        else if (!isnan(t->expected[i]))
            worst = fmax(worst, fabs(t->c[i] - t->expected[i]));
    }
    CU_ASSERT(worst < 4e-6);
}

static void product_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    struct buffers t = {.a = floats_new(4096), .b = floats_new(PAIRS * PANELS * 16 * DEPTH)};
    t.c = floats_new(ROWS * PANELS * 16);
    t.residual = floats_new(ROWS * PANELS * 16);
    t.vectors = floats_new((size_t)3 * COLUMNS);
    floats_random(t.a, 4096, 1);
    floats_random(t.b, PAIRS * PANELS * 16 * DEPTH, 2);
    floats_random(t.residual, ROWS * PANELS * 16, 3);
    floats_random(t.vectors, (size_t)3 * COLUMNS, 4);
    int turn = 0;
    for (int columns = 1; columns <= COLUMNS; columns += columns < 18 ? 1 : 5)
        for (int rows = 1; rows <= ROWS; rows += rows < 8 ? 1 : 3)
            for (size_t s = 0; s < sizeof strides / sizeof *strides; s++, turn++) {
                const float *v = t.vectors + 3 * COLUMNS - 3 * columns; /* exact: the last one ends its block */
                struct cvy_epilogue e = {turn % 2 ? v : NULL, turn % 3 ? v + columns : NULL,
                                         turn % 5 ? v + (ptrdiff_t)2 * columns : NULL, turn % 7 ? t.residual : NULL,
                                         turn % 4 ? CVY_FUSED_RELU : CVY_FUSED_NONE};
                bool flat = turn % 3 == 1; /* C as an image, or as panels */
                check_product(compute, &t,
                              (struct cvy_product){.rows = rows,
                                                   .columns = columns,
                                                   .depth = turn % (DEPTH + 1),
                                                   .outer = turn % 3,
                                                   .inner = 2,
                                                   .a = t.a,
                                                   .b = t.b,
                                                   .c = t.c,
                                                   .a_row = strides[s].row,
                                                   .a_step = strides[s].step,
                                                   .a_inner = 100,
                                                   .a_outer = 301,
                                                   .b_panel = (ptrdiff_t)16 * DEPTH,
                                                   .b_step = 16,
                                                   .b_inner = (ptrdiff_t)PANELS * 16 * DEPTH,
                                                   .b_outer = (ptrdiff_t)2 * PANELS * 16 * DEPTH,
                                                   .c_row = flat ? columns : 16,
                                                   .c_panel = flat ? 16 : 16 * ROWS,
                                                   .accumulate = turn % 2,
                                                   .epilogue = turn % 8 ? &e : NULL});
            }
    floats_free(t.a);
    floats_free(t.b);
    floats_free(t.c);
    floats_free(t.vectors);
    floats_free(t.residual);
}

static void product_all_shapes(void) {
    each_level(1, product_level, NULL);
}

static const struct test_case cases[] = {
    {"CONVOY_ISA caps the level; an unknown name is refused", isa_is_capped},
    {"a level that this machine lacks is refused", compute_refuses},
    {"product: rows, columns, strides, epilogues against plain loops", product_all_shapes},
    {0},
};
const struct test_suite suite_kernels = {"kernels", cases, kernels_bench};
