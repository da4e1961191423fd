#include "unit/kernels/conv_help.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "kernels/simd/bf16.h"

const struct shape conv_shapes[] = {
    /* n  h   w   c   k   r  s  stride pads       dilation */
    {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1},      /* one number */
    {1, 1, 1, 9, 10, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1},     /* dense, one sample */
    {5, 1, 1, 200, 17, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1},   /* dense */
    {70, 1, 1, 1100, 85, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1}, /* dense, the sum in parts */
    {3, 5, 7, 17, 33, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1},    /* 1×1 */
    {2, 20, 15, 64, 64, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1},  /* 1×1, several units of pixels */
    {2, 5, 7, 17, 20, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, 1},    /* 1×1 with stride: phases without taps */
    {1, 4, 5, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},      /* one channel each */
    {4, 28, 28, 1, 6, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1},    /* LeNet's first */
    {3, 14, 14, 6, 16, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1, 1},   /* and second */
    {2, 8, 9, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},    /* whole panels */
    {2, 7, 7, 17, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},    /* panels with one and two lanes more */
    {1, 2, 2, 3, 4, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1},      /* the image is smaller than the kernel */
    {1, 1, 30, 4, 5, 1, 7, 1, 1, 0, 0, 3, 3, 1, 1, 1},     /* one dimension */
    {2, 11, 9, 5, 19, 3, 2, 2, 2, 0, 1, 0, 1, 1, 1, 1},    /* more padding behind than before */
    {2, 11, 10, 18, 19, 3, 3, 2, 2, 0, 1, 0, 1, 1, 1, 1},  /* the same with more channels: phases */
    {1, 9, 11, 20, 3, 2, 2, 3, 4, 0, 0, 0, 0, 1, 1, 1},    /* phases without taps */
    {2, 9, 12, 3, 20, 7, 7, 2, 2, 3, 3, 3, 3, 1, 1, 1},    /* ResNet's first */
    {1, 9, 11, 2, 3, 2, 2, 3, 4, 0, 0, 0, 0, 1, 1, 1},     /* stride above the kernel; pixels that nobody reads */
    {1, 9, 9, 2, 3, 3, 3, 1, 2, 3, 4, 5, 2, 1, 1, 1},      /* windows that are all padding */
    {2, 12, 11, 5, 7, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1},    /* dilation */
    {1, 13, 14, 6, 17, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1},   /* stride and dilation with a common divisor */
    {1, 15, 16, 4, 5, 3, 3, 2, 3, 1, 2, 3, 0, 3, 2, 1},    /* without */
    {2, 6, 70, 33, 80, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},   /* wide; five panels */
    {1, 40, 30, 96, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},  /* several bands */
    {100, 6, 6, 2, 3, 3, 3, 1, 1, 1, 1, 0, 0, 1, 1, 1},    /* many small samples */
    /* one input channel, few filters: lanes that repeat after 1, 3, 5, 7, 15 panels, all heights of blocks, bands */
    {3, 7, 5, 1, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 16, 11, 1, 12, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1, 1},
    {2, 13, 9, 1, 5, 3, 3, 1, 1, 2, 0, 0, 2, 1, 1, 1},
    {40, 6, 13, 1, 7, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1},
    {1, 9, 40, 1, 15, 3, 3, 1, 1, 4, 4, 3, 4, 1, 1, 1}, /* windows that are all padding */
    {2, 47, 150, 1, 2, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1},
    {1, 20, 700, 1, 3, 3, 3, 1, 1, 0, 1, 1, 0, 1, 1, 1},
    /* few output channels: neighbouring pixels in one, of widths that divide or do not */
    {3, 8, 28, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 6, 64, 3, 1, 1, 5, 1, 1, 0, 0, 2, 2, 1, 1, 1},
    {1, 9, 45, 2, 2, 3, 4, 2, 1, 1, 0, 3, 0, 1, 1, 1},
    {70, 5, 18, 4, 3, 3, 3, 1, 1, 0, 1, 0, 2, 2, 1, 1}, /* many samples, rows apart */
    {2, 7, 31, 5, 4, 2, 3, 1, 2, 1, 0, 1, 0, 1, 1, 1},  /* stride */
    {2, 7, 25, 3, 4, 3, 5, 3, 3, 0, 2, 4, 1, 1, 1, 1},
    {2, 5, 29, 7, 5, 5, 3, 1, 1, 2, 2, 1, 1, 1, 1, 1}, /* a prime width */
    {3, 9, 24, 1, 6, 5, 5, 1, 1, 0, 0, 2, 2, 1, 1, 1},
    {1, 32, 33, 8, 7, 2, 2, 1, 1, 0, 1, 0, 1, 1, 1, 1},
    {2, 6, 30, 16, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 4, 16, 1, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 2, 1}, /* dilation: left as it is */
    {1, 1, 64, 1, 1, 1, 9, 1, 1, 0, 0, 4, 4, 1, 1, 1}, /* all of dy is less than two vectors' reach at its end */
    {9, 1, 4, 1, 1, 1, 2, 1, 1, 0, 0, 0, 1, 1, 1, 1},
    {2, 7, 7, 128, 256, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, /* many channels: panels and kernel rows are tasks */
    /* backward-weights with pixels apart: tasks of channels and panels, strides, small samples joined */
    {2, 12, 16, 320, 90, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1},
    {3, 13, 9, 192, 200, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, 1},
    {2, 12, 16, 320, 96, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1}, /* and where x and dy are */
    {5, 13, 9, 192, 208, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, 1},
    {5, 9, 8, 128, 130, 3, 3, 2, 2, 0, 1, 0, 1, 1, 1, 1},
    {2, 8, 9, 192, 96, 1, 3, 3, 1, 1, 0, 1, 2, 1, 1, 1},
    {2, 6, 30, 128, 66, 3, 1, 1, 4, 1, 1, 0, 3, 1, 1, 1},
    {1, 8, 9, 128, 80, 3, 2, 1, 1, 1, 1, 1, 1, 2, 3, 1},
    /* Winograd: whole tiles, parts of tiles, all paddings, channels beside the panels */
    {1, 16, 16, 32, 48, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {3, 9, 11, 37, 34, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {5, 7, 10, 48, 83, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 13, 15, 33, 32, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1, 1},
    {1, 18, 14, 34, 33, 3, 3, 1, 1, 2, 0, 1, 2, 1, 1, 1},
    {1, 15, 14, 32, 39, 3, 3, 1, 1, 3, 4, 4, 3, 1, 1, 1}, /* backward-data begins inside dy */
    {2, 16, 16, 32, 48, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1}, /* 5×5: whole tiles; parts of tiles, paddings, tails */
    {3, 9, 11, 37, 34, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1},
    {2, 19, 17, 33, 83, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1, 1},
    {1, 18, 14, 34, 33, 5, 5, 1, 1, 4, 0, 1, 3, 1, 1, 1},
    {1, 13, 14, 32, 39, 5, 5, 1, 1, 5, 6, 6, 5, 1, 1, 1}, /* backward-data begins inside dy */
    {6, 7, 7, 160, 150, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1}, /* all images first; several groups of panels */
    {6, 7, 7, 160, 150, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, /* all images first; several groups of panels */
    {1, 70, 64, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, /* several blocks of tiles */
    {8, 16, 15, 16, 99, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1}, /* so many tiles that each task has a sum of its own */
    /* 5×5 of few channels along rows: parts of rows, all paddings, channels and filters beside the panels, many samples
     * to a task */
    {40, 14, 14, 6, 16, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1, 1},
    {6, 11, 9, 4, 8, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1},
    {3, 13, 12, 15, 33, 5, 5, 1, 1, 0, 3, 4, 1, 1, 1, 1},
    {9, 6, 11, 7, 17, 5, 5, 1, 1, 5, 6, 6, 5, 1, 1, 1},  /* windows that are all padding */
    {60, 5, 13, 9, 20, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1, 1}, /* one row */
    {2, 20, 23, 8, 12, 5, 5, 1, 1, 1, 0, 2, 0, 1, 1, 1},
    /* large dense layers */
    {17, 1, 1, 600, 900, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1},
    {1, 1, 1, 700, 760, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1},
    {13, 1, 1, 601, 885, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1}, /* the last panel in part, a tile of few samples */
    /* groups, and one for each channel: depthwise, with one filter a channel and with several */
    {2, 9, 8, 12, 20, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},
    {1, 12, 11, 40, 60, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 2},
    {2, 16, 15, 64, 96, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2}, /* Winograd in each */
    {3, 14, 14, 12, 32, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1, 2},
    {2, 9, 8, 19, 19, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 19},
    {2, 10, 9, 5, 15, 3, 2, 2, 1, 1, 1, 0, 0, 1, 2, 5},
};
const int conv_shape_count = sizeof conv_shapes / sizeof *conv_shapes;

struct cvy_conv conv_of(const struct shape *s) {
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
                             .dilation_w = s->dw,
                             .groups = s->groups};
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
    const int channels = g->in.c / g->groups, filters = g->out.c / g->groups;
    if (iy < 0 || iy >= g->in.h || ix < 0 || ix >= g->in.w || c / channels != k / filters) return false;
    at->x = (((size_t)n * g->in.h + iy) * g->in.w + ix) * g->in.c + c;
    at->y = (((size_t)n * g->out.h + oy) * g->out.w + ox) * g->out.c + k;
    at->w = ((((size_t)(k / 16) * g->r + r) * g->s + s) * channels + c % channels) * 16 + k % 16;
    return true;
}

bool is_padding(const struct fixture *f, size_t i) {
    const size_t panel_floats = f->w_count / f->b_count * 16;
    return i / panel_floats * 16 + i % 16 >= (size_t)f->g.out.c;
}

double *zeros(size_t count) {
    double *p = calloc(count, sizeof *p);
    if (p == NULL) abort();
    return p;
}

struct fixture fixture_inputs(const struct shape *shape) {
    struct fixture f = {.g = conv_of(shape)};
    const struct cvy_conv *g = &f.g;
    f.x_count = (size_t)(g->n * cvy_shape_count(g->in));
    f.y_count = (size_t)(g->n * cvy_shape_count(g->out));
    f.b_count = (size_t)(g->out.c + 15) / 16 * 16;
    f.w_count = (size_t)g->r * g->s * (g->in.c / g->groups) * f.b_count;
    floats_random(f.x = floats_new(f.x_count), f.x_count, 1);
    floats_random(f.dy = floats_new(f.y_count), f.y_count, 2);
    floats_random(f.w = floats_new(f.w_count), f.w_count, 3);
    floats_random(f.bias = floats_new((size_t)g->out.c), (size_t)g->out.c, 4);
    floats_random(f.before = floats_new(f.x_count), f.x_count, 5);
    for (size_t i = 0; i < f.w_count; i++)
        if (is_padding(&f, i)) f.w[i] = 0;
    return f;
}

static void expect(struct fixture *to) {
    struct fixture f = *to;
    const struct cvy_conv *g = &f.g;
    f.y = zeros(f.y_count), f.dx = zeros(f.x_count), f.dw = zeros(f.w_count), f.db = zeros(f.b_count);
    struct place at;
    EACH_MULTIPLICATION(g, at) {
        f.y[at.y] += (double)f.x[at.x] * f.w[at.w];
        f.dx[at.x] += (double)f.dy[at.y] * f.w[at.w];
        f.dw[at.w] += (double)f.dy[at.y] * f.x[at.x];
    }
    for (size_t i = 0; i < f.y_count; i++) f.db[i % (size_t)g->out.c] += f.dy[i];
    *to = f;
}

struct fixture fixture_new(const struct shape *shape) {
    struct fixture f = fixture_inputs(shape);
    expect(&f);
    return f;
}

static void round_all(float *values, size_t count) {
    for (size_t i = 0; i < count; i++) values[i] = cvy_bf16_float(cvy_bf16_round(values[i]));
}
struct fixture fixture_rounded(const struct shape *shape) {
    struct fixture f = fixture_inputs(shape);
    round_all(f.x, f.x_count), round_all(f.dy, f.y_count), round_all(f.w, f.w_count);
    expect(&f);
    return f;
}

void fixture_free(struct fixture *f) {
    floats_free(f->x), floats_free(f->dy), floats_free(f->w), floats_free(f->bias), floats_free(f->before);
    free(f->y), free(f->dx), free(f->dw), free(f->db);
}

/* ---- plans ---- */

static void *block(size_t bytes) {
    void *out = aligned_alloc(CVY_ALIGN, cvy_align_up(bytes) + CVY_ALIGN);
    if (out == NULL) abort();
    return memset(out, 0xff, cvy_align_up(bytes) + CVY_ALIGN);
}

static struct planned planned_as(const struct cvy_compute *compute, const struct cvy_conv *g, bool fixed) {
    const struct cvy_conv_setting all = {.passes = {true, true, true}, .fixed = fixed};
    struct planned p;
    cvy_conv_plan_make(compute, g, &all, &p.plan);
    p.copies = block(p.plan.copy_floats * sizeof *p.copies);
    p.ws = block(p.plan.workspace);
    return p;
}
struct planned planned_new(const struct cvy_compute *compute, const struct cvy_conv *g) {
    return planned_as(compute, g, false);
}
struct planned planned_fixed(const struct cvy_compute *compute, const struct cvy_conv *g) {
    return planned_as(compute, g, true);
}

struct cvy_conv_weights planned_weights(const struct planned *p, const float *w) {
    return (struct cvy_conv_weights){w, p->copies};
}

void planned_poison(struct planned *p) {
    memset(p->ws, 0xff, p->plan.workspace);
}

void planned_free(struct planned *p) {
    free(p->copies), free(p->ws);
}
