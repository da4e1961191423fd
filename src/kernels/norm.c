/* Normalisation over columns. A task of a sum is a stretch of rows of a block of channels; its sums go to a place of
 * their own and are joined afterwards in the order of the stretches. */
#include "kernels/norm.h"

#include "core/ints.h"

#include "kernels/simd/tensor.h"

enum { TASK_FLOATS = 1 << 14, BLOCK = 256 /* channels */, MOST_STRETCHES = 128 };

struct norm {
    const struct cvy_tensor_loops *loops;
    const struct cvy_norm *g;
    int64_t stretch; /* rows of a task */
    int stretches, blocks;
    const void *x, *dy;
    const struct cvy_norm_factors *factors; /* of sums of products */
    const double *unit_rows;                /* layer norm: mean and 1/σ of each row */
    double *sums, *parts;                   /* [units][2][channels], [units][stretches][2][channels] */
    const struct cvy_norm_map *map;
    const void *residual;
    void *out;
    bool relu, accumulate;
};

/* Number `i` of a feature map; NULL for one that there is not. */
static void *at(const struct norm *s, const void *map, int64_t i) {
    return map ? cvy_element(map, s->g->type, i) : NULL;
}

/* Rows of a stretch where there are no more than MOST_STRETCHES of them. */
static int64_t least_stretch(const struct cvy_norm *g) {
    return TASK_FLOATS / (g->channels < BLOCK ? g->channels : BLOCK);
}

static void cut(const struct cvy_norm *g, struct norm *s) {
    const int64_t least = cvy_ceil_div(g->rows, MOST_STRETCHES);
    s->g = g;
    s->stretch = least_stretch(g) > least ? least_stretch(g) : least;
    s->stretches = (int)cvy_ceil_div(g->rows, s->stretch);
    s->blocks = (int)cvy_ceil_div(g->channels, BLOCK);
}

/* Not fewer for more rows: a workspace serves smaller leaves too. */
size_t cvy_norm_workspace(const struct cvy_norm *g) {
    const int64_t stretches = cvy_ceil_div(g->rows, least_stretch(g));
    const int64_t most = stretches < MOST_STRETCHES ? stretches : MOST_STRETCHES;
    return (size_t)(g->units * most * 2 * g->channels) * sizeof(double);
}

/* The task's unit, first row in it, and rows. */
struct place {
    int64_t unit, row, rows;
};
static struct place place_of(const struct norm *s, int part) {
    struct place p = {part / s->stretches, part % s->stretches * s->stretch, 0};
    p.rows = s->g->rows - p.row < s->stretch ? s->g->rows - p.row : s->stretch;
    return p;
}

/* ---- sums ---- */

/* Σ dy and Σ dy·x̂ of columns where every row has statistics of its own. */
static void row_products(const struct norm *s, struct place p, int64_t begin, int width, double *first) {
    const int channels = s->g->channels;
    const float *x = at(s, s->x, begin), *dy = at(s, s->dy, begin);
    const double *stats = s->unit_rows + 2 * p.row;
    double *second = first + channels;
    for (int i = 0; i < width; i++) first[i] = second[i] = 0;
    for (int64_t row = 0; row < p.rows; row++, x += channels, dy += channels, stats += 2)
        for (int i = 0; i < width; i++) {
            first[i] += dy[i];
            second[i] += dy[i] * ((x[i] - stats[0]) * stats[1]);
        }
}

static struct cvy_norm_map map_at(const struct cvy_norm_map *map, int64_t c) {
    return (struct cvy_norm_map){.mean = map->mean + c,
                                 .scale = map->scale + c,
                                 .shift = map->shift + c,
                                 .slope = map->slope ? map->slope + c : NULL,
                                 .gain = map->gain ? map->gain + c : NULL,
                                 .offset = map->offset ? map->offset + c : NULL};
}

static void sum_products(const struct norm *s, int64_t begin, int64_t c, int64_t rows, int width, double *first) {
    const int channels = s->g->channels;
    const struct cvy_norm_factors *f = s->factors;
    struct cvy_norm_map map;
    struct cvy_norm_mask mask;
    if (f->mask && f->mask->map) {
        map = map_at(f->mask->map, c);
        mask = (struct cvy_norm_mask){.map = &map};
    } else if (f->mask) {
        mask = (struct cvy_norm_mask){.y = at(s, f->mask->y, begin), .dz = at(s, f->mask->dz, begin)};
    }
    const struct cvy_norm_factors here = {at(s, f->x, begin), at(s, f->dy, begin), f->mean + c, f->mask ? &mask : NULL};
    s->loops->products(&here, rows, channels, width, first, first + channels);
}

static void sum_task(void *arg, int t, int thread) {
    (void)thread;
    const struct norm *s = arg;
    const int channels = s->g->channels, c = t % s->blocks * BLOCK, part = t / s->blocks;
    const int width = channels - c < BLOCK ? channels - c : BLOCK;
    const struct place p = place_of(s, part);
    const int64_t begin = (p.unit * s->g->rows + p.row) * channels + c;
    double *first = s->parts + (int64_t)part * 2 * channels + c;
    if (s->unit_rows)
        row_products(s, p, begin, width, first);
    else if (s->factors)
        sum_products(s, begin, p.unit * channels + c, p.rows, width, first);
    else
        s->loops->moments(at(s, s->x, begin), p.rows, channels, width, first, first + channels);
}

static void join_task(void *arg, int t, int thread) {
    (void)thread;
    const struct norm *s = arg;
    const int64_t both = 2 * (int64_t)s->g->channels, c = (int64_t)(t % s->blocks) * 2 * BLOCK, unit = t / s->blocks;
    const double *part = s->parts + unit * s->stretches * both;
    double *sum = s->sums + unit * both;
    for (int64_t i = c; i < both && i < c + 2 * BLOCK; i++) sum[i] = part[i];
    for (int k = 1; k < s->stretches; k++)
        for (int64_t i = c; i < both && i < c + 2 * BLOCK; i++) sum[i] += part[k * both + i];
}

static void sum_rows(const struct cvy_compute *compute, const struct cvy_norm *g, struct norm *s) {
    cut(g, s);
    s->loops = compute->tensor[g->type];
    cvy_parallel(compute->pool, (int)(g->units * s->stretches * s->blocks), sum_task, s);
    cvy_parallel(compute->pool, (int)(g->units * s->blocks), join_task, s);
}

void cvy_norm_moments(const struct cvy_compute *compute, const struct cvy_norm *g, const void *x, double *sums,
                      void *ws) {
    sum_rows(compute, g, &(struct norm){.x = x, .sums = sums, .parts = ws});
}

void cvy_norm_products(const struct cvy_compute *compute, const struct cvy_norm *g,
                       const struct cvy_norm_factors *factors, double *sums, void *ws) {
    sum_rows(compute, g, &(struct norm){.factors = factors, .sums = sums, .parts = ws});
}

void cvy_layernorm_gradients(const struct cvy_compute *compute, const struct cvy_layernorm *how, const float *x,
                             const float *dy, const double *rows, double *sums, void *ws) {
    const struct cvy_norm g = {1, how->units, how->width, CVY_F32};
    sum_rows(compute, &g, &(struct norm){.x = x, .dy = dy, .unit_rows = rows, .sums = sums, .parts = ws});
}

/* ---- applying ---- */

static void apply_task(void *arg, int t, int thread) {
    (void)thread;
    const struct norm *s = arg;
    const struct place p = place_of(s, t);
    const int64_t begin = (p.unit * s->g->rows + p.row) * s->g->channels, c = p.unit * s->g->channels;
    const struct cvy_norm_map map = map_at(s->map, c);
    if (s->dy)
        s->loops->normalise_back(at(s, s->x, begin), at(s, s->dy, begin), &map, p.rows, s->g->channels, s->accumulate,
                                 at(s, s->out, begin));
    else
        s->loops->normalise(at(s, s->x, begin), &map, at(s, s->residual, begin), p.rows, s->g->channels, s->relu,
                            at(s, s->out, begin));
}

static void apply(const struct cvy_compute *compute, const struct cvy_norm *g, struct norm *s) {
    cut(g, s);
    s->loops = compute->tensor[g->type];
    cvy_parallel(compute->pool, (int)(g->units * s->stretches), apply_task, s);
}

void cvy_norm_forward(const struct cvy_compute *compute, const struct cvy_norm *g, const void *x,
                      const struct cvy_norm_map *map, const void *residual, bool relu, void *y) {
    apply(compute, g, &(struct norm){.x = x, .map = map, .residual = residual, .relu = relu, .out = y});
}

void cvy_norm_backward(const struct cvy_compute *compute, const struct cvy_norm *g, const void *x, const void *dy,
                       const struct cvy_norm_map *map, void *dx, bool accumulate) {
    apply(compute, g, &(struct norm){.x = x, .dy = dy, .map = map, .out = dx, .accumulate = accumulate});
}
