/* bf16: rounding; the product of pairs and the convolution in its three passes, each level against plain loops in
 * double over the same rounded numbers, odd shapes first; the same bits for every number of threads. */
#include "kernels/bf16.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/param.h"
#include "kernels/simd/bf16_table.h"
#include "kernels/conv/plan.h"
#include "unit/kernels/kernels_help.h"
#include "test.h"
#include "tiles_emulated.h"

/* Half a unit in the last place of bf16, with what fp32 sums add. */
#define ROUNDING 0x1.02p-8

/* `count` numbers, aligned to no more than one, the last one being the last byte of its block. */
static cvy_bf16 *halves_new(size_t count) {
    cvy_bf16 *block = malloc((count + 1) * sizeof *block);
    if (block == NULL) abort();
    for (size_t i = 0; i <= count; i++) block[i] = 0x7fc0;
    return block + 1;
}
static void halves_free(cvy_bf16 *halves) {
    if (halves) free(halves - 1);
}
static void halves_random(cvy_bf16 *out, size_t count, uint32_t seed) {
    float *f = floats_new(count);
    floats_random(f, count, seed);
    for (size_t i = 0; i < count; i++) out[i] = cvy_bf16_round(f[i]);
    floats_free(f);
}
/* max |a − b| / max |b| */
static double halves_error(const cvy_bf16 *a, const double *b, size_t count) {
    float *f = floats_new(count);
    for (size_t i = 0; i < count; i++) f[i] = cvy_bf16_float(a[i]);
    const double error = floats_error(f, b, count);
    floats_free(f);
    return error;
}

/* The levels of this machine and, last, amx over tiles in plain C. */
enum { EMULATED = CVY_ISA_COUNT, LEVELS };

/* NULL where this machine has not got the level. */
static struct cvy_compute *level_create(int level, int threads) {
    struct cvy_compute *compute;
    if (level != EMULATED && !cvy_isa_available((enum cvy_isa)level)) return NULL;
    TEST_OK(cvy_compute_create(threads, level == EMULATED ? CVY_ISA_PORTABLE : (enum cvy_isa)level, &compute));
    if (level == EMULATED) compute->level = CVY_ISA_AMX, compute->bf16 = &tiles_emulated;
    return compute;
}

static void each_bf16_level(int threads, void (*fn)(const struct cvy_compute *compute, void *arg), void *arg) {
    for (int level = 0; level < LEVELS; level++) {
        struct cvy_compute *compute = level_create(level, threads);
        if (compute == NULL) continue;
        fn(compute, arg);
        cvy_compute_destroy(&compute);
    }
}

/* ---- rounding ---- */

static void rounding(void) {
    for (uint32_t i = 0; i < 65536; i++) {
        const float f = cvy_bf16_float((cvy_bf16)i);
        CU_ASSERT(isnan(f) ? isnan(cvy_bf16_float(cvy_bf16_round(f))) : cvy_bf16_round(f) == i);
    }
    CU_ASSERT_EQUAL(cvy_bf16_round(1 + 0x1p-8f), 0x3f80);     /* a tie goes to the even one below */
    CU_ASSERT_EQUAL(cvy_bf16_round(1 + 3 * 0x1p-8f), 0x3f82); /* above */
    CU_ASSERT_EQUAL(cvy_bf16_round(1 + 0x1.02p-8f), 0x3f81);
    CU_ASSERT_EQUAL(cvy_bf16_round(-0x1.ffffp127f), 0xff80); /* infinite */
}

enum { NUMBERS = 300 };

/* Aligned as pairs are, with NaN before and in them. */
static cvy_pair *pairs_new(size_t count) {
    return (cvy_pair *)floats_new(count);
}

static void pairs_free(cvy_pair *pairs) {
    floats_free((float *)pairs);
}

static void conversion_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    for (int64_t count = 0; count <= NUMBERS; count += count < 40 ? 1 : 37) {
        float *f = floats_new((size_t)count), *back = floats_new((size_t)count);
        cvy_bf16 *h = halves_new((size_t)count), *other = halves_new((size_t)count);
        floats_random(f, (size_t)count, (uint32_t)count);
        if (count > 2) f[count / 2] = NAN, f[count - 1] = INFINITY, f[0] = 1 + 0x1p-8f;
        cvy_bf16_from_floats(compute, f, h, count);
        cvy_bf16_to_floats(compute, h, back, count);
        halves_random(other, (size_t)count, 3);
        cvy_pair *pairs = pairs_new((size_t)count);
        compute->bf16->weave(&(struct cvy_weave){h, other, 0, 1, count, pairs, 0, CVY_PANEL});
        for (int64_t i = 0; i < count; i++) {
            CU_ASSERT_EQUAL(h[i], cvy_bf16_round(f[i]));
            const float want = cvy_bf16_float(h[i]);
            CU_ASSERT(memcmp(&want, &back[i], sizeof want) == 0);
            CU_ASSERT_EQUAL(pairs[i], h[i] | (cvy_pair)other[i] << 16);
        }
        compute->bf16->weave(&(struct cvy_weave){h, NULL, 0, 1, count, pairs, 0, CVY_PANEL});
        for (int64_t i = 0; i < count; i++) CU_ASSERT_EQUAL(pairs[i], h[i]);
        pairs_free(pairs);
        halves_free(h);
        halves_free(other);
        floats_free(f);
        floats_free(back);
    }
}
static void conversion(void) {
    each_bf16_level(2, conversion_level, NULL);
}

/* ---- the product ---- */

enum { LINES = 3, ROWS = 31, COLUMNS = 83, PANELS = 6, DEPTH = 5, PAIRS = 4, A_PAIRS = 2048, B_PAIRS = 4096 };

static const struct { int row, step; } strides[] = {{1, 1}, {1, 7}, {1, ROWS + 2}, {2, 1}, {DEPTH + 1, 1}};

static double both(cvy_pair a, cvy_pair b) {
    return (double)cvy_bf16_float((cvy_bf16)a) * (double)cvy_bf16_float((cvy_bf16)b) +
           (double)cvy_bf16_float((cvy_bf16)(a >> 16)) * (double)cvy_bf16_float((cvy_bf16)(b >> 16));
}

static double dot_sum(const struct cvy_product *g, int line, int i, int j) {
    const cvy_pair *a = g->a, *b = g->b;
    double sum = 0;
    for (int o = 0; o < g->outer; o++)
        for (int p = 0; p < g->inner; p++)
            for (int l = 0; l < g->depth; l++)
                sum += both(a[line * g->a_line + i * g->a_row + l * g->a_step + o * g->a_outer + p * g->a_inner],
                            b[j / 16 * g->b_panel + l * g->b_step + j % 16 + o * g->b_outer + p * g->b_inner]);
    return sum;
}

static double finished(const struct cvy_epilogue *e, double sum, int j) {
    if (e == NULL) return sum;
    if (e->bias) sum += e->bias[j];
    if (e->scale) sum *= e->scale[j];
    if (e->shift) sum += e->shift[j];
    return e->activation == CVY_FUSED_RELU ? fmax(sum, 0) : sum;
}

struct operands {
    cvy_pair *a, *b;
    float *vectors, *c;
    cvy_bf16 *rounded;
    size_t count; /* numbers of c and of rounded */
};

static struct operands operands_new(size_t a_pairs, size_t b_pairs, size_t count) {
    struct operands t = {pairs_new(a_pairs), pairs_new(b_pairs), floats_new(3 * COLUMNS),
                         floats_new(count),  halves_new(count),  count};
    halves_random((cvy_bf16 *)t.a, 2 * a_pairs, 1);
    halves_random((cvy_bf16 *)t.b, 2 * b_pairs, 2);
    floats_random(t.vectors, 3 * COLUMNS, 3);
    return t;
}
static void operands_free(struct operands *t) {
    pairs_free(t->a), pairs_free(t->b), halves_free(t->rounded);
    floats_free(t->vectors), floats_free(t->c);
}

static ptrdiff_t place_of(const struct cvy_product *g, int line, int i, int j) {
    return line * g->c_line + i * g->c_row + j / 16 * g->c_panel + j % 16;
}

#define EACH_RESULT(g)                                                                                                 \
    for (int line = 0; line < (g).lines; line++)                                                                       \
        for (int i = 0; i < (g).rows; i++)                                                                             \
            for (int j = 0; j < (g).columns; j++)

/* Lanes that are not the product's hold NaN before and after. */
static void check_dot(const struct cvy_compute *compute, struct operands *t, struct cvy_product g) {
    const int terms = 2 * g.outer * g.inner * g.depth;
    const double tolerance = terms < 64 ? 8e-6 : 3e-7 * terms; /* of numbers up to 1 */
    double worst = 0;
    for (size_t i = 0; i < t->count; i++) t->c[i] = NAN, t->rounded[i] = 0x7fc0;
    EACH_RESULT(g) {
        t->c[place_of(&g, line, i, j)] = 0.25f;
        t->rounded[place_of(&g, line, i, j)] = cvy_bf16_round(0.25f);
    }
    g.c = g.rounded ? (void *)t->rounded : t->c;
    compute->bf16->dot(&g);
    int touched = 0;
    EACH_RESULT(g) {
        const ptrdiff_t at = place_of(&g, line, i, j);
        const double want = finished(g.epilogue, dot_sum(&g, line, i, j) + (g.accumulate ? 0.25 : 0), j);
        const double got = (double)(g.rounded ? cvy_bf16_float(t->rounded[at]) : t->c[at]);
        worst = fmax(worst, fabs(got - want) / (g.rounded ? fmax(1, fabs(want)) * ROUNDING : tolerance));
        if (isnan(got)) worst = INFINITY;
    }
    for (size_t i = 0; i < t->count; i++) touched += g.rounded ? t->rounded[i] != 0x7fc0 : !isnan(t->c[i]);
    if (!(worst < 1) || touched != g.lines * g.rows * g.columns)
        fprintf(stderr, "\n    %s: %d×%d×%d, depth %d: %g times the tolerance, %d written",
                cvy_isa_name(compute->level), g.lines, g.rows, g.columns, g.depth, worst, touched);
    CU_ASSERT(worst < 1 && touched == g.lines * g.rows * g.columns);
}

static void dot_level(const struct cvy_compute *compute, void *arg) {
    struct operands *t = arg;
    const struct cvy_epilogue epilogues[] = {
        {.bias = t->vectors, .activation = CVY_FUSED_RELU},
        {.bias = t->vectors, .scale = t->vectors + COLUMNS, .shift = t->vectors + 2 * COLUMNS},
    };
    static const int some_columns[] = {1, 5, 16, 17, 32, 33, 48, 64, 70, COLUMNS};
    uint32_t kind = 0;
    for (int rows = 1; rows <= ROWS; rows += rows < 8 ? 1 : 3)
        for (size_t c = 0; c < sizeof some_columns / sizeof *some_columns; c++)
            for (size_t s = 0; s < sizeof strides / sizeof *strides; s++, kind++) {
                struct cvy_product g = {.lines = 1 + (int)(kind / 7 % LINES),
                                        .rows = rows,
                                        .columns = some_columns[c],
                                        .depth = (int)(kind % (DEPTH + 1)),
                                        .outer = (int)(kind / 2 % 3),
                                        .inner = 1 + (int)(kind % 2),
                                        .a = t->a,
                                        .b = t->b,
                                        .a_line = 41,
                                        .a_row = strides[s].row,
                                        .a_step = strides[s].step,
                                        .a_inner = 13,
                                        .a_outer = 29,
                                        .b_panel = 16 * (DEPTH + PAIRS),
                                        .b_step = 16,
                                        .b_inner = 32,
                                        .b_outer = 16,
                                        .c_line = ROWS * PANELS * 16,
                                        .c_row = kind % 3 ? 16 : PANELS * 16,
                                        .c_panel = kind % 3 ? 16 * ROWS : 16,
                                        .rounded = kind / 3 % 2,
                                        .accumulate = kind / 5 % 2,
                                        .epilogue = kind % 7 < 2 ? &epilogues[kind % 7] : NULL};
                check_dot(compute, t, g);
            }
}

static void dot(void) {
    struct operands t = operands_new(A_PAIRS, B_PAIRS, LINES * ROWS * PANELS * 16);
    each_bf16_level(1, dot_level, &t);
    operands_free(&t);
}

/* Sizes beyond a level's blocks and steps; all operands dense, so that a sanitizer sees what is read beyond them. */
static const struct size {
    int lines, rows, columns, depth, outer, inner;
} sizes[] = {
    {1, 32, 64, 16, 1, 1}, {1, 70, 33, 24, 2, 1}, {1, 33, 80, 17, 3, 2}, {7, 7, 32, 48, 3, 1},  {5, 20, 17, 33, 1, 2},
    {3, 14, 40, 14, 1, 3}, {2, 49, 16, 31, 1, 1}, {1, 16, 72, 1, 1, 40}, {1, 40, 48, 18, 1, 9}, {3, 1, 10, 95, 1, 1},
};

static void check_size(const struct cvy_compute *compute, const struct size *s, bool adjacent, bool rounded) {
    const int panels = (s->columns + 15) / 16;
    struct cvy_product g = {.lines = s->lines,
                            .rows = s->rows,
                            .columns = s->columns,
                            .depth = s->depth,
                            .outer = s->outer,
                            .inner = s->inner,
                            .a_line = (ptrdiff_t)s->rows * s->depth,
                            .a_row = adjacent ? 1 : s->depth,
                            .a_step = adjacent ? s->rows : 1,
                            .b_panel = (ptrdiff_t)s->depth * 16,
                            .b_step = 16,
                            .c_line = (ptrdiff_t)s->rows * s->columns,
                            .c_row = s->columns,
                            .c_panel = 16,
                            .rounded = rounded};
    g.a_inner = s->lines * g.a_line;
    g.a_outer = s->inner * g.a_inner;
    g.b_inner = panels * g.b_panel;
    g.b_outer = s->inner * g.b_inner;
    struct operands t =
        operands_new((size_t)(s->outer * g.a_outer), (size_t)(s->outer * g.b_outer), (size_t)(s->lines * g.c_line));
    g.a = t.a, g.b = t.b;
    check_dot(compute, &t, g);
    operands_free(&t);
}

static void sizes_level(const struct cvy_compute *compute, void *arg) {
    (void)arg;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int adjacent = 0; adjacent < 2; adjacent++) check_size(compute, &sizes[i], adjacent, i % 3 == 2);
}
static void large_dot(void) {
    each_bf16_level(1, sizes_level, NULL);
}

/* ---- convolution ---- */

/* Operands, and what the passes should give, in double. */
struct passes {
    struct cvy_conv g;
    size_t x_count, y_count, w_stored, k_stored;
    cvy_bf16 *x, *dy, *y, *dx;
    float *w, *bias, *dw, *dbias;
    double *want_y, *want_dx, *want_dw, *want_dbias;
};

static double weight(const struct passes *t, int r, int s, int c, int k) {
    const struct cvy_conv *g = &t->g;
    const size_t at = ((((size_t)(k / 16) * g->r + r) * g->s + s) * g->in.c + c) * 16 + k % 16;
    return (double)t->w[at];
}

static void reference_pixel(struct passes *t, int n, int oy, int ox, int k) {
    const struct cvy_conv *g = &t->g;
    const size_t out = (((size_t)n * g->out.h + oy) * g->out.w + ox) * g->out.c + k;
    const double dy = (double)cvy_bf16_float(t->dy[out]);
    double sum = (double)t->bias[k];
    t->want_dbias[k] += dy;
    for (int r = 0; r < g->r; r++)
        for (int s = 0; s < g->s; s++) {
            const int iy = oy * g->stride_h - g->pad_top + r * g->dilation_h;
            const int ix = ox * g->stride_w - g->pad_left + s * g->dilation_w;
            if (iy < 0 || ix < 0 || iy >= g->in.h || ix >= g->in.w) continue;
            for (int c = 0; c < g->in.c; c++) {
                const size_t in = (((size_t)n * g->in.h + iy) * g->in.w + ix) * g->in.c + c;
                const size_t at = ((((size_t)(k / 16) * g->r + r) * g->s + s) * g->in.c + c) * 16 + k % 16;
                const double x = (double)cvy_bf16_float(t->x[in]), w = weight(t, r, s, c, k);
                sum += x * w;
                t->want_dx[in] += dy * w;
                t->want_dw[at] += dy * x;
            }
        }
    t->want_y[out] = fmax(sum, 0);
}

static void passes_create(const struct cvy_conv *g, struct passes *t) {
    *t = (struct passes){.g = *g};
    t->x_count = (size_t)(g->n * cvy_shape_count(g->in));
    t->y_count = (size_t)(g->n * cvy_shape_count(g->out));
    t->k_stored = (size_t)(g->out.c + 15) / 16 * 16;
    t->w_stored = (size_t)g->r * g->s * g->in.c * t->k_stored;
    t->x = halves_new(t->x_count), t->dx = halves_new(t->x_count);
    t->y = halves_new(t->y_count), t->dy = halves_new(t->y_count);
    t->w = floats_new(t->w_stored), t->dw = floats_new(t->w_stored);
    t->bias = floats_new(t->k_stored), t->dbias = floats_new(t->k_stored);
    t->want_y = calloc(t->y_count, sizeof(double)), t->want_dx = calloc(t->x_count, sizeof(double));
    t->want_dw = calloc(t->w_stored, sizeof(double)), t->want_dbias = calloc(t->k_stored, sizeof(double));
    halves_random(t->x, t->x_count, 1);
    halves_random(t->dy, t->y_count, 2);
    floats_random(t->w, t->w_stored, 3);
    for (size_t i = 0; i < t->w_stored; i++) t->w[i] = cvy_bf16_float(cvy_bf16_round(t->w[i])); /* copies are exact */
    floats_random(t->bias, t->k_stored, 4);
    for (size_t i = 0; i < t->w_stored; i++) /* lanes beyond k are zero */
        if ((int)(i / (t->w_stored / t->k_stored * 16) * 16 + i % 16) >= g->out.c) t->w[i] = 0;
    for (int n = 0; n < g->n; n++)
        for (int oy = 0; oy < g->out.h; oy++)
            for (int ox = 0; ox < g->out.w; ox++)
                for (int k = 0; k < g->out.c; k++) reference_pixel(t, n, oy, ox, k);
}

static void passes_destroy(struct passes *t) {
    halves_free(t->x), halves_free(t->dx), halves_free(t->y), halves_free(t->dy);
    floats_free(t->w), floats_free(t->dw), floats_free(t->bias), floats_free(t->dbias);
    free(t->want_y), free(t->want_dx), free(t->want_dw), free(t->want_dbias);
}

static void passes_run(const struct cvy_compute *compute, struct passes *t, bool accumulate) {
    const struct cvy_conv_setting all = {.type = CVY_BF16, .passes = {true, true, true}};
    struct cvy_conv_plan plan;
    float *copies;
    void *ws;
    cvy_conv_plan_make(compute, &t->g, &all, &plan);
    TEST_OK(cvy_alloc(plan.copy_floats * sizeof(float), CVY_TAG_general, (void **)&copies));
    TEST_OK(cvy_alloc(plan.workspace, CVY_TAG_general, &ws));
    memset(ws, 0xff, plan.workspace); /* NaN */
    cvy_conv_prepare(&plan, t->w, copies);
    const struct cvy_conv_weights w = {t->w, copies};
    const struct cvy_epilogue epilogue = {.bias = t->bias, .activation = CVY_FUSED_RELU};
    cvy_conv_forward(&plan, t->g.n, t->x, w, &epilogue, t->y, ws);
    for (size_t i = 0; i < t->x_count; i++) t->dx[i] = accumulate ? 0x4000 : 0x7fc0; /* 2 */
    memset(ws, 0xff, plan.workspace);
    cvy_conv_backward_data(&plan, t->g.n, t->dy, w, t->dx, accumulate, ws);
    memset(ws, 0xff, plan.workspace);
    cvy_conv_backward_weights(&plan, t->g.n, t->x, t->dy, t->dw, t->dbias, ws);
    cvy_free(ws);
    cvy_free(copies);
}

static void passes_level(const struct cvy_compute *compute, void *arg) {
    struct passes *t = arg;
    for (int i = 0; i < 4; i++) {
        const int accumulate = i % 2;
        t->g.direct = i / 2 == 1;
        passes_run(compute, t, accumulate);
        for (size_t i = 0; i < t->x_count; i++) t->want_dx[i] += 2.0 * accumulate;
        const double tolerance = sum_tolerance((double)t->g.n * t->g.out.h * t->g.out.w);
        const double y = halves_error(t->y, t->want_y, t->y_count), dx = halves_error(t->dx, t->want_dx, t->x_count);
        const double dw = floats_error(t->dw, t->want_dw, t->w_stored);
        const double dbias = floats_error(t->dbias, t->want_dbias, t->k_stored);
        for (size_t i = 0; i < t->x_count; i++) t->want_dx[i] -= 2.0 * accumulate;
        const bool good = y <= ROUNDING && dx <= ROUNDING && dw <= tolerance && dbias <= tolerance;
        if (!good)
            fprintf(stderr, "\n    %s: %d×%d×%d → %d×%d×%d, kernel %d×%d: y %g dx %g dw %g dbias %g",
                    cvy_isa_name(compute->level), t->g.in.h, t->g.in.w, t->g.in.c, t->g.out.h, t->g.out.w, t->g.out.c,
                    t->g.r, t->g.s, y, dx, dw, dbias);
        CU_ASSERT(good);
    }
}

/* Kernel, stride, padding before and after, dilation along both axes alike but for the width's own kernel. */
struct setting {
    int n, h, w, c, k, r, s, stride, pad, dilation;
};
static const struct setting settings[] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 0, 1},        {2, 5, 7, 3, 5, 3, 3, 1, 1, 1},     {1, 7, 6, 2, 17, 3, 2, 2, 1, 1},
    {3, 4, 9, 16, 16, 3, 3, 1, 1, 1},      {2, 9, 8, 17, 33, 3, 3, 2, 1, 1},   {2, 8, 11, 4, 6, 5, 5, 1, 2, 1},
    {1, 12, 13, 3, 64, 7, 7, 2, 3, 1},     {2, 10, 9, 6, 20, 3, 3, 1, 2, 2},   {1, 11, 12, 5, 3, 2, 3, 3, 0, 2},
    {5, 6, 6, 31, 47, 1, 1, 1, 0, 1},      {2, 7, 7, 20, 70, 1, 1, 2, 0, 1},   {7, 1, 1, 45, 10, 1, 1, 1, 0, 1},
    {2, 15, 14, 32, 96, 3, 3, 1, 1, 1},    {40, 5, 5, 9, 8, 3, 3, 1, 1, 1},    {1, 3, 40, 8, 8, 1, 9, 1, 4, 1},
    {2, 23, 24, 65, 70, 3, 3, 1, 1, 1},    {3, 12, 11, 64, 67, 3, 3, 1, 0, 1}, {1, 17, 19, 66, 80, 5, 5, 1, 2, 1},
    {261, 1, 1, 1027, 515, 1, 1, 1, 0, 1}, {2, 9, 7, 5, 18, 3, 1, 2, 1, 1},    {46, 5, 5, 12, 20, 3, 3, 1, 1, 1},
    {3, 40, 60, 96, 1, 3, 3, 1, 1, 1},     {2, 24, 60, 96, 2, 3, 3, 1, 1, 1},  {4, 4, 5, 272, 20, 3, 3, 1, 1, 1},
};

static struct cvy_conv conv_of(const struct setting *s) {
    struct cvy_conv g = {.n = s->n,
                         .in = {s->h, s->w, s->c},
                         .r = s->r,
                         .s = s->s,
                         .stride_h = s->stride,
                         .stride_w = s->stride,
                         .pad_top = s->r > 1 ? s->pad : 0,
                         .pad_left = s->pad,
                         .dilation_h = s->dilation,
                         .dilation_w = s->dilation};
    g.out.h = (s->h + 2 * g.pad_top - (s->r - 1) * s->dilation - 1) / s->stride + 1;
    g.out.w = (s->w + 2 * g.pad_left - (s->s - 1) * s->dilation - 1) / s->stride + 1;
    g.out.c = s->k;
    return g;
}

static void convolution(void) {
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct passes t;
        const struct cvy_conv g = conv_of(&settings[i]);
        passes_create(&g, &t);
        each_bf16_level(2, passes_level, &t);
        passes_destroy(&t);
    }
}

static void threads_level(int level, struct passes *first, struct passes *t) {
    for (int n = 1; n <= 3; n++) {
        struct cvy_compute *compute = level_create(level, n);
        if (compute == NULL) return;
        passes_run(compute, n == 1 ? first : t, false);
        cvy_compute_destroy(&compute);
        if (n == 1) continue;
        CU_ASSERT(memcmp(first->y, t->y, t->y_count * sizeof *t->y) == 0);
        CU_ASSERT(memcmp(first->dx, t->dx, t->x_count * sizeof *t->dx) == 0);
        CU_ASSERT(floats_same(first->dw, t->dw, t->w_stored));
        CU_ASSERT(floats_same(first->dbias, t->dbias, t->k_stored));
    }
}

static void threads(void) {
    static const struct setting direct_and_transformed[] = {{6, 17, 15, 12, 40, 3, 3, 1, 1, 1},
                                                            {4, 17, 19, 70, 65, 3, 3, 1, 1, 1}};
    for (int i = 0; i < 2; i++) {
        const struct cvy_conv g = conv_of(&direct_and_transformed[i]);
        struct passes first, t;
        passes_create(&g, &first);
        passes_create(&g, &t);
        for (int level = 0; level < LEVELS; level++) threads_level(level, &first, &t);
        passes_destroy(&first);
        passes_destroy(&t);
    }
}

static const struct test_case cases[] = {
    {"rounding to nearest, ties to even", rounding},
    {"conversion and pairs, each level", conversion},
    {"the product of pairs, each level", dot},
    {"large products, each level", large_dot},
    {"convolution in three passes, each level", convolution},
    {"same bits for every number of threads", threads},
    {0},
};
const struct test_suite suite_bf16 = {"bf16", cases, NULL};
