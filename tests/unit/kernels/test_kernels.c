/* kernels: ISA levels, the product, and convolution in its three passes, each level against plain loops in double. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "kernels/simd/table.h"
#include "kernels/conv/winograd.h"
#include "kernels_help.h"
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

/* ---- convolution ---- */

struct shape {
    int n, h, w, c, k, r, s, sh, sw, top, bottom, left, right, dh, dw;
};
static const struct shape shapes[] = {
    /* n  h   w   c   k   r  s  stride pads       dilation */
    {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},      /* one number */
    {1, 1, 1, 9, 10, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},     /* dense, one sample */
    {5, 1, 1, 200, 17, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},   /* dense */
    {70, 1, 1, 1100, 85, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1}, /* dense, the sum in parts */
    {3, 5, 7, 17, 33, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},    /* 1×1 */
    {2, 20, 15, 64, 64, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},  /* 1×1, several units of pixels */
    {2, 5, 7, 17, 20, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1},    /* 1×1 with stride: phases without taps */
    {1, 4, 5, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},      /* one channel each */
    {4, 28, 28, 1, 6, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1},    /* LeNet's first */
    {3, 14, 14, 6, 16, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1},   /* and second */
    {2, 8, 9, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},    /* whole panels */
    {2, 7, 7, 17, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},    /* panels with one and two lanes more */
    {1, 2, 2, 3, 4, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1},      /* the image is smaller than the kernel */
    {1, 1, 30, 4, 5, 1, 7, 1, 1, 0, 0, 3, 3, 1, 1},     /* one dimension */
    {2, 11, 9, 5, 19, 3, 2, 2, 2, 0, 1, 0, 1, 1, 1},    /* more padding behind than before */
    {2, 11, 10, 18, 19, 3, 3, 2, 2, 0, 1, 0, 1, 1, 1},  /* the same with more channels: phases */
    {1, 9, 11, 20, 3, 2, 2, 3, 4, 0, 0, 0, 0, 1, 1},    /* phases without taps */
    {2, 9, 12, 3, 20, 7, 7, 2, 2, 3, 3, 3, 3, 1, 1},    /* ResNet's first */
    {1, 9, 11, 2, 3, 2, 2, 3, 4, 0, 0, 0, 0, 1, 1},     /* stride above the kernel; pixels that nobody reads */
    {1, 9, 9, 2, 3, 3, 3, 1, 2, 3, 4, 5, 2, 1, 1},      /* windows that are all padding */
    {2, 12, 11, 5, 7, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2},    /* dilation */
    {1, 13, 14, 6, 17, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2},   /* stride and dilation with a common divisor */
    {1, 15, 16, 4, 5, 3, 3, 2, 3, 1, 2, 3, 0, 3, 2},    /* without */
    {2, 6, 70, 33, 80, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},   /* wide; five panels */
    {1, 40, 30, 96, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},  /* several bands */
    {100, 6, 6, 2, 3, 3, 3, 1, 1, 1, 1, 0, 0, 1, 1},    /* many small samples */
    /* one input channel, few filters: lanes that repeat after 1, 3, 5, 7, 15 panels, all heights of blocks, bands */
    {3, 7, 5, 1, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 16, 11, 1, 12, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1},
    {2, 13, 9, 1, 5, 3, 3, 1, 1, 2, 0, 0, 2, 1, 1},
    {40, 6, 13, 1, 7, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1},
    {1, 9, 40, 1, 15, 3, 3, 1, 1, 4, 4, 3, 4, 1, 1}, /* windows that are all padding */
    {2, 47, 150, 1, 2, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1},
    {1, 20, 700, 1, 3, 3, 3, 1, 1, 0, 1, 1, 0, 1, 1},
    /* few output channels: neighbouring pixels in one, of widths that divide or do not */
    {3, 8, 28, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 6, 64, 3, 1, 1, 5, 1, 1, 0, 0, 2, 2, 1, 1},
    {1, 9, 45, 2, 2, 3, 4, 2, 1, 1, 0, 3, 0, 1, 1},
    {70, 5, 18, 4, 3, 3, 3, 1, 1, 0, 1, 0, 2, 2, 1}, /* many samples, rows apart */
    {2, 7, 31, 5, 4, 2, 3, 1, 2, 1, 0, 1, 0, 1, 1},  /* stride */
    {2, 7, 25, 3, 4, 3, 5, 3, 3, 0, 2, 4, 1, 1, 1},
    {2, 5, 29, 7, 5, 5, 3, 1, 1, 2, 2, 1, 1, 1, 1}, /* a prime width */
    {3, 9, 24, 1, 6, 5, 5, 1, 1, 0, 0, 2, 2, 1, 1},
    {1, 32, 33, 8, 7, 2, 2, 1, 1, 0, 1, 0, 1, 1, 1},
    {2, 6, 30, 16, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 4, 16, 1, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 2}, /* dilation: left as it is */
    {1, 1, 64, 1, 1, 1, 9, 1, 1, 0, 0, 4, 4, 1, 1}, /* all of dy is less than two vectors' reach at its end */
    {9, 1, 4, 1, 1, 1, 2, 1, 1, 0, 0, 0, 1, 1, 1},
    {2, 7, 7, 128, 256, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, /* many channels: panels and kernel rows are tasks */
    /* backward-weights with pixels apart: tasks of channels and panels, strides, small samples joined */
    {2, 12, 16, 320, 90, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
    {3, 13, 9, 192, 200, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1},
    {2, 12, 16, 320, 96, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1}, /* and where x and dy are */
    {5, 13, 9, 192, 208, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1},
    {5, 9, 8, 128, 130, 3, 3, 2, 2, 0, 1, 0, 1, 1, 1},
    {2, 8, 9, 192, 96, 1, 3, 3, 1, 1, 0, 1, 2, 1, 1},
    {2, 6, 30, 128, 66, 3, 1, 1, 4, 1, 1, 0, 3, 1, 1},
    {1, 8, 9, 128, 80, 3, 2, 1, 1, 1, 1, 1, 1, 2, 3},
    /* Winograd: whole tiles, parts of tiles, all paddings, channels beside the panels */
    {1, 16, 16, 32, 48, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {3, 9, 11, 37, 34, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {5, 7, 10, 48, 83, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 13, 15, 33, 32, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1},
    {1, 18, 14, 34, 33, 3, 3, 1, 1, 2, 0, 1, 2, 1, 1},
    {1, 15, 14, 32, 39, 3, 3, 1, 1, 3, 4, 4, 3, 1, 1}, /* backward-data begins inside dy */
    {2, 16, 16, 32, 48, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1}, /* 5×5: whole tiles; parts of tiles, paddings, tails */
    {3, 9, 11, 37, 34, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1},
    {2, 19, 17, 33, 83, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1},
    {1, 18, 14, 34, 33, 5, 5, 1, 1, 4, 0, 1, 3, 1, 1},
    {1, 13, 14, 32, 39, 5, 5, 1, 1, 5, 6, 6, 5, 1, 1}, /* backward-data begins inside dy */
    {6, 7, 7, 160, 150, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1}, /* all images first; several groups of panels */
    {6, 7, 7, 160, 150, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, /* all images first; several groups of panels */
    {1, 70, 64, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, /* several blocks of tiles */
    /* 5×5 of few channels along rows: parts of rows, all paddings, channels and filters beside the panels, many samples
     * to a task */
    {40, 14, 14, 6, 16, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1},
    {6, 11, 9, 4, 8, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1},
    {3, 13, 12, 15, 33, 5, 5, 1, 1, 0, 3, 4, 1, 1, 1},
    {9, 6, 11, 7, 17, 5, 5, 1, 1, 5, 6, 6, 5, 1, 1},  /* windows that are all padding */
    {60, 5, 13, 9, 20, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1}, /* one row */
    {2, 20, 23, 8, 12, 5, 5, 1, 1, 1, 0, 2, 0, 1, 1},
};

static struct cvy_conv conv_of(const struct shape *s) {
    return (struct cvy_conv){.n = s->n,
                             .in = {s->h, s->w, s->c},
                             .out = {(s->h + s->top + s->bottom - s->dh * (s->r - 1) - 1) / s->sh + 1,
                                     (s->w + s->left + s->right - s->dw * (s->s - 1) - 1) / s->sw + 1, s->k},
                             .r = s->r,
                             .s = s->s,
                             .stride_h = s->sh,
                             .stride_w = s->sw,
                             .pad_top = s->top,
                             .pad_left = s->left,
                             .dilation_h = s->dh,
                             .dilation_w = s->dw};
}

/* The specification: calls fn for every multiplication, with the places of x, y and w (as stored). */
struct place {
    size_t x, y, w;
};
#define EACH_MULTIPLICATION(g, at)                                                                                     \
    for (int n = 0; n < (g)->n; n++)                                                                                   \
        for (int oy = 0; oy < (g)->out.h; oy++)                                                                        \
            for (int ox = 0; ox < (g)->out.w; ox++)                                                                    \
                for (int r = 0; r < (g)->r; r++)                                                                       \
                    for (int s = 0; s < (g)->s; s++)                                                                   \
                        for (int c = 0; c < (g)->in.c; c++)                                                            \
                            for (int k = 0; k < (g)->out.c; k++)                                                       \
                                if (place_of((g), n, oy, ox, r, s, c, k, &(at)))

static bool place_of(const struct cvy_conv *g, int n, int oy, int ox, int r, int s, int c, int k, struct place *at) {
    const int iy = oy * g->stride_h - g->pad_top + r * g->dilation_h;
    const int ix = ox * g->stride_w - g->pad_left + s * g->dilation_w;
    if (iy < 0 || iy >= g->in.h || ix < 0 || ix >= g->in.w) return false;
    at->x = (((size_t)n * g->in.h + iy) * g->in.w + ix) * g->in.c + c;
    at->y = (((size_t)n * g->out.h + oy) * g->out.w + ox) * g->out.c + k;
    at->w = ((((size_t)(k / 16) * g->r + r) * g->s + s) * g->in.c + c) * 16 + k % 16;
    return true;
}

/* Inputs and expected results of one shape. */
struct fixture {
    struct cvy_conv g;
    size_t x_count, y_count, w_count, b_count;
    float *x, *dy, *w, *bias, *before;
    double *y, *dx, *dw, *db;
};

/* Whether stored weight i is in a lane beyond k. */
static bool is_padding(const struct fixture *f, size_t i) {
    const size_t panel_floats = f->w_count / f->b_count * 16;
    return i / panel_floats * 16 + i % 16 >= (size_t)f->g.out.c;
}

static double *zeros(size_t count) {
    double *p = calloc(count, sizeof *p);
    if (p == NULL) abort();
    return p;
}

/* Without results. */
static struct fixture fixture_inputs(const struct shape *shape) {
    struct fixture f = {.g = conv_of(shape)};
    const struct cvy_conv *g = &f.g;
    f.x_count = (size_t)(g->n * cvy_shape_count(g->in));
    f.y_count = (size_t)(g->n * cvy_shape_count(g->out));
    f.b_count = (size_t)(g->out.c + 15) / 16 * 16;
    f.w_count = (size_t)g->r * g->s * g->in.c * f.b_count;
    floats_random(f.x = floats_new(f.x_count), f.x_count, 1);
    floats_random(f.dy = floats_new(f.y_count), f.y_count, 2);
    floats_random(f.w = floats_new(f.w_count), f.w_count, 3);
    floats_random(f.bias = floats_new((size_t)g->out.c), (size_t)g->out.c, 4);
    floats_random(f.before = floats_new(f.x_count), f.x_count, 5);
    for (size_t i = 0; i < f.w_count; i++)
        if (is_padding(&f, i)) f.w[i] = 0;
    return f;
}

static struct fixture fixture_new(const struct shape *shape) {
    struct fixture f = fixture_inputs(shape);
    const struct cvy_conv *g = &f.g;
    f.y = zeros(f.y_count), f.dx = zeros(f.x_count), f.dw = zeros(f.w_count), f.db = zeros(f.b_count);
    struct place at;
    EACH_MULTIPLICATION(g, at) {
        f.y[at.y] += (double)f.x[at.x] * f.w[at.w];
        f.dx[at.x] += (double)f.dy[at.y] * f.w[at.w];
        f.dw[at.w] += (double)f.dy[at.y] * f.x[at.x];
    }
    for (size_t i = 0; i < f.y_count; i++) f.db[i % (size_t)g->out.c] += f.dy[i];
    return f;
}

static void fixture_free(struct fixture *f) {
    floats_free(f->x), floats_free(f->dy), floats_free(f->w), floats_free(f->bias), floats_free(f->before);
    free(f->y), free(f->dx), free(f->dw), free(f->db);
}

/* What one level computes with one number of threads. */
struct results {
    float *y, *relu, *dx, *dx_more, *dw, *db;
};

static struct results results_new(const struct fixture *f, const struct cvy_compute *compute) {
    const struct cvy_conv *g = &f->g;
    struct results out = {floats_new(f->y_count), floats_new(f->y_count), floats_new(f->x_count),
                          floats_new(f->x_count), floats_new(f->w_count), floats_new(f->b_count)};
    float *wt = floats_new(cvy_conv_flip_floats(g));
    const size_t bytes = cvy_conv_workspace(g, compute->threads);
    void *ws = aligned_alloc(CVY_ALIGN, bytes + CVY_ALIGN); /* sizes are multiples; at least one line */
    if (ws == NULL) abort();
    memset(ws, 0xff, bytes);
    const struct cvy_epilogue e = {.bias = f->bias, .activation = CVY_FUSED_RELU};
    cvy_conv_forward(compute, g, f->x, f->w, NULL, out.y, ws);
    cvy_conv_forward(compute, g, f->x, f->w, &e, out.relu, ws);
    cvy_conv_flip(compute, g, f->w, wt);
    cvy_conv_backward_data(compute, g, f->dy, wt, out.dx, false, ws);
    memcpy(out.dx_more, f->before, f->x_count * sizeof(float));
    cvy_conv_backward_data(compute, g, f->dy, wt, out.dx_more, true, ws);
    memset(ws, 0xff, bytes);
    cvy_conv_backward_weights(compute, g, f->x, f->dy, out.dw, out.db, ws);
    free(ws);
    floats_free(wt);
    return out;
}

static void results_free(struct results *r) {
    floats_free(r->y), floats_free(r->relu), floats_free(r->dx), floats_free(r->dx_more);
    floats_free(r->dw), floats_free(r->db);
}

/* Transforms take and give back more than the sum itself: 1e-5 is what any result is allowed. */
#define EXPECT_ERROR(what, error, terms)                                                                               \
    do {                                                                                                               \
        const bool transformed_ = cvy_conv_transforms(&f->g);                                                          \
        double error_ = (error), allowed_ = transformed_ ? 1e-5 : sum_tolerance(terms);                                \
        if (!(error_ <= allowed_))                                                                                     \
            fprintf(stderr, "\n    %s %s, shape %d: error %.2g, allowed %.2g", cvy_isa_name(compute->isa), what,       \
                    (int)(shape - shapes), error_, allowed_);                                                          \
        CU_ASSERT(error_ <= allowed_);                                                                                 \
    } while (0)

static void check_results(const struct cvy_compute *compute, const struct shape *shape, struct fixture *f,
                          const struct results *r) {
    const struct cvy_conv *g = &f->g;
    const double window = (double)g->r * g->s;
    EXPECT_ERROR("forward", floats_error(r->y, f->y, f->y_count), window * g->in.c);
    EXPECT_ERROR("backward data", floats_error(r->dx, f->dx, f->x_count), window * g->out.c);
    EXPECT_ERROR("backward weights", floats_error(r->dw, f->dw, f->w_count), (double)f->y_count / g->out.c);
    EXPECT_ERROR("bias", floats_error(r->db, f->db, f->b_count), (double)f->y_count / g->out.c);
    for (size_t i = 0; i < f->w_count; i++)
        if (is_padding(f, i) && r->dw[i] != 0) CU_FAIL("a padding lane of dw is not zero");
    for (size_t i = (size_t)g->out.c; i < f->b_count; i++) CU_ASSERT_EQUAL(r->db[i], 0);
    double *expected = zeros(f->x_count > f->y_count ? f->x_count : f->y_count);
    for (size_t i = 0; i < f->y_count; i++) expected[i] = fmax(0, f->y[i] + f->bias[i % (size_t)g->out.c]);
    EXPECT_ERROR("fused", floats_error(r->relu, expected, f->y_count), window * g->in.c);
    for (size_t i = 0; i < f->x_count; i++) expected[i] = f->dx[i] + f->before[i];
    EXPECT_ERROR("accumulated", floats_error(r->dx_more, expected, f->x_count), window * g->out.c);
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
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct conv_test t = {.shape = &shapes[i], .fixture = fixture_new(&shapes[i])};
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
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct cvy_conv g = conv_of(&shapes[i]);
        if (!cvy_conv_transforms(&g)) continue;
        struct conv_test t = {.shape = &shapes[i], .fixture = fixture_new(&shapes[i])};
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
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct cvy_conv g = conv_of(&shapes[i]);
        if (!cvy_conv_transforms(&g)) continue;
        struct fixture f = fixture_inputs(&shapes[i]);
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

/* Where the transformed filters, and their gradient, are made piece by piece: too large for plain loops, so beside the
 * direct sum; the same bits for few threads and for more than there are pieces. */
static const struct shape large[] = {{6, 7, 7, 515, 530, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
                                     {6, 7, 7, 515, 530, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1}};

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
    void *ws = aligned_alloc(CVY_ALIGN, cvy_conv_workspace(&f->g, compute->threads) + CVY_ALIGN);
    float *aligned = aligned_alloc(CVY_ALIGN, bytes), *beside = floats_new(f->y_count);
    if (ws == NULL || aligned == NULL) abort();
    memset(aligned, 0xff, bytes);
    cvy_conv_forward(compute, &f->g, f->x, f->w, &e, aligned, ws);
    cvy_conv_forward(compute, &f->g, f->x, f->w, &e, beside, ws);
    CU_ASSERT(floats_same(aligned, beside, f->y_count));
    free(ws), free(aligned), floats_free(beside);
}

static void conv_past_caches(void) {
    static const struct shape far = {2, 512, 256, 3, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    struct fixture f = fixture_inputs(&far);
    for (int threads = 1; threads <= 2; threads++) each_level(threads, past_level, &f);
    fixture_free(&f);
}

/* By filters that were kept: near the reference, and the same bits as without where that goes by Winograd too. */
static void kept_level(const struct cvy_compute *compute, void *arg) {
    const struct conv_test *t = arg;
    const struct fixture *f = &t->fixture;
    const struct cvy_conv *g = &f->g;
    const size_t bytes = cvy_conv_workspace(g, compute->threads), floats = cvy_conv_kept_floats(g);
    float *y = floats_new(f->y_count), *again = floats_new(f->y_count);
    float *kept = aligned_alloc(CVY_ALIGN, cvy_align_up(floats * sizeof *kept));
    void *ws = aligned_alloc(CVY_ALIGN, bytes + CVY_ALIGN);
    if (ws == NULL || kept == NULL) abort();
    memset(ws, 0xff, bytes);
    const struct cvy_epilogue none = {0};
    cvy_conv_keep(compute, g, f->w, kept);
    cvy_conv_forward_kept(compute, g, f->x, f->w, kept, &none, y, ws);
    cvy_conv_forward(compute, g, f->x, f->w, &none, again, ws);
    CU_ASSERT(floats_error(y, f->y, f->y_count) <= 1e-5);
    if (cvy_winograd_suits(g)) CU_ASSERT(floats_same(y, again, f->y_count));
    free(ws);
    free(kept);
    floats_free(y);
    floats_free(again);
}

static void conv_with_kept_filters(void) {
    int tried = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct cvy_conv g = conv_of(&shapes[i]);
        if (cvy_conv_kept_floats(&g) == 0) continue;
        struct conv_test t = {.shape = &shapes[i], .fixture = fixture_new(&shapes[i])};
        for (int threads = 1; threads <= 3; threads += 2) each_level(threads, kept_level, &t);
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
    {{8, 28, 29, 48, 80, 3, 3, 2, 2, 0, 1, 0, 1, 1, 1}, 1e-7},
    {{8, 28, 29, 48, 80, 3, 3, 1, 1, 0, 1, 0, 1, 1, 1}, 1e-6}, /* Winograd */
    {{8, 28, 29, 48, 80, 5, 5, 1, 1, 2, 1, 2, 1, 1, 1}, 1e-6},
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
    {"CONVOY_ISA caps the level; an unknown name is refused", isa_is_capped},
    {"a level that this machine lacks is refused", compute_refuses},
    {"product: rows, columns, strides, epilogues against plain loops", product_all_shapes},
    {"convolution: three passes against plain loops, the same bits for 1, 2, 3 threads", conv_all_shapes},
    {"convolution: 3×3 and 5×5 without Winograd", conv_without_winograd},
    {"convolution: zeros of dead channels are exact", conv_of_dead_channels},
    {"convolution: 3×3 and 5×5 with kept filters", conv_with_kept_filters},
    {"convolution: 3×3 and 5×5 of many channels, piece by piece", conv_in_pieces},
    {"convolution: a result larger than caches", conv_past_caches},
    {"convolution: both backward passes are adjoint to forward", conv_is_adjoint},
    {0},
};
const struct test_suite suite_kernels = {"kernels", cases, kernels_bench};
