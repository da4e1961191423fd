/* Winograd's algorithm for the gradient of the weights: of each tile of outputs, dw is a convolution of the 6×6 input
 * pixels with the tile of dy. A block of tiles of all samples, in a row, goes through
 *
 *   V [36][tiles][c] = image tiles transformed       Z [36][⌈k/16⌉][tiles][16] = tiles of dy transformed
 *   S [36][⌈k/16⌉][c][16] += Vᵀ · Z, summed over the tiles of all blocks
 *
 * and S is transformed at the end. The tasks of the first round are stretches of tiles, each with a sum of its own for
 * the bias; of the second, groups of panels of a point. */
#include <string.h>

#include "kernels/conv_parts.h"
#include "kernels/winograd.h"

enum {
    TILES_LEAST = 128,      /* of a block: S is read and written for each */
    BLOCK_FLOATS = 1 << 20, /* of V and Z where that is more tiles: they stay in the third level */
    STRETCHES = 32,         /* of a block: room for 32 threads */
    RESULT_TASK = 1 << 12   /* weights of a task of the last round */
};

struct cut {
    int out;                 /* outputs of a tile along an axis */
    int down, across, tiles; /* tiles of an image, and of all */
    int blocks, most;        /* of tiles; tiles of the largest */
    int stretches;           /* of a block */
    int panels, groups;
    ptrdiff_t row, v_step;     /* floats from tile to tile and point to point in V */
    ptrdiff_t z_panel, z_step; /* from panel to panel and point to point in Z */
    ptrdiff_t s_panel, s_step; /* likewise in S */
};

static struct cut make_cut(const struct cvy_conv *g) {
    const int out = cvy_winograd_out(g->r);
    struct cut cut = {.out = out,
                      .down = cvy_ceil_div(g->out.h, out),
                      .across = cvy_ceil_div(g->out.w, out),
                      .panels = cvy_panels(g->out.c)};
    cut.tiles = g->n * cut.down * cut.across;
    cut.row = cvy_winograd_row(g->in.c);
    const int floats = CVY_WINOGRAD_POINTS * ((int)cut.row + cut.panels * CVY_PANEL);
    cut.blocks = cvy_ceil_div(cut.tiles, cvy_most(TILES_LEAST, BLOCK_FLOATS / floats));
    cut.most = cvy_ceil_div(cut.tiles, cut.blocks);
    cut.stretches = cvy_least(STRETCHES, cvy_ceil_div(cut.tiles, cut.blocks));
    cut.groups = cvy_ceil_div(cut.panels, CVY_GROUP);
    cut.v_step = cut.most * cut.row + CVY_PANEL;
    cut.z_panel = (ptrdiff_t)cut.most * CVY_PANEL;
    cut.z_step = cut.panels * cut.z_panel + CVY_PANEL;
    cut.s_panel = (ptrdiff_t)g->in.c * CVY_PANEL;
    cut.s_step = cut.panels * cut.s_panel + CVY_PANEL; /* no powers of two, which would share cache sets */
    return cut;
}

size_t cvy_winograd_weights_workspace(const struct cvy_conv *g) {
    const struct cut cut = make_cut(g);
    return (size_t)CVY_WINOGRAD_POINTS * (size_t)(cut.v_step + cut.z_step + cut.s_step) +
           (size_t)(cut.stretches * cut.panels) * CVY_PANEL;
}

struct weights {
    const struct cvy_compute *compute;
    const struct cvy_winograd_table *table;
    enum cvy_dtype type; /* of x and dy */
    const struct cvy_conv *g;
    const void *x, *dy;
    float *dw, *dbias;
    float *v, *z, *s, *sums; /* sums: [stretches][panels · 16] */
    struct cut cut;
    int block;
};

static int block_begin(const struct cut *cut, int block) {
    return cvy_cut(cut->tiles, cut->blocks, block);
}

/* ---- tiles ---- */

static void transform_tile(const struct weights *d, int index, int slot, float *sum) {
    const struct cvy_conv *g = d->g;
    const struct cut *cut = &d->cut;
    const int each = cut->down * cut->across, sample = index / each;
    const int oy = index % each / cut->across * cut->out, ox = index % cut->across * cut->out;
    const int iy = oy - g->pad_top, ix = ox - g->pad_left;
    const struct cvy_winograd_tile from = cvy_winograd_tile_of(g->in, iy, ix, CVY_WINOGRAD_IN);
    const struct cvy_winograd_tile of = cvy_winograd_tile_of(g->out, oy, ox, cut->out);
    const ptrdiff_t x = sample * (ptrdiff_t)cvy_shape_count(g->in) + iy * from.row + ix * from.pixel;
    const ptrdiff_t dy = sample * (ptrdiff_t)cvy_shape_count(g->out) + oy * of.row + ox * of.pixel;
    d->table->image(cvy_element(d->x, d->type, x), &from, g->in.c, d->v + slot * cut->row, cut->v_step);
    d->table->gradient(cvy_element(d->dy, d->type, dy), &of, g->out.c, d->z + (ptrdiff_t)slot * CVY_PANEL, cut->z_step,
                       cut->z_panel, sum);
}

static void stretch_task(void *arg, int t, int thread) {
    (void)thread;
    const struct weights *d = arg;
    const int begin = block_begin(&d->cut, d->block), tiles = block_begin(&d->cut, d->block + 1) - begin;
    float *sum = d->dbias ? d->sums + (ptrdiff_t)t * d->cut.panels * CVY_PANEL : NULL;
    if (sum && d->block == 0) memset(sum, 0, (size_t)d->cut.panels * CVY_PANEL * sizeof *sum);
    for (int i = cvy_cut(tiles, d->cut.stretches, t); i < cvy_cut(tiles, d->cut.stretches, t + 1); i++)
        transform_tile(d, begin + i, i, sum);
}

/* ---- products ---- */

/* Where task t of the second round is. */
struct place {
    int point, panel, panels;
    const float *v, *z;
};
static struct place place_of(const struct weights *d, int t) {
    const struct cut *cut = &d->cut;
    const int point = t / cut->groups, panel = cvy_cut(cut->panels, cut->groups, t % cut->groups);
    return (struct place){point, panel, cvy_cut(cut->panels, cut->groups, t % cut->groups + 1) - panel,
                          d->v + point * cut->v_step, d->z + point * cut->z_step + panel * cut->z_panel};
}

/* While a point is multiplied, its tasks ask for the next one's V in equal parts, and each for the next one's Z. */
static void look_ahead(const struct weights *d, int t, struct cvy_ahead ahead[2]) {
    const struct cut *cut = &d->cut;
    const int lines = cvy_panels(d->g->in.c), part = t % cut->groups;
    const int begin = cvy_cut(lines, cut->groups, part), end = cvy_cut(lines, cut->groups, part + 1);
    const struct place next = place_of(d, cvy_least(t + 1, CVY_WINOGRAD_POINTS * cut->groups - 1));
    const struct place below = place_of(d, cvy_least(t + cut->groups, CVY_WINOGRAD_POINTS * cut->groups - 1));
    ahead[0] = (struct cvy_ahead){below.v + begin * CVY_PANEL, cut->row, end - begin};
    ahead[1] = (struct cvy_ahead){next.z, (ptrdiff_t)next.panels * CVY_PANEL, next.panels}; /* one stretch */
}

static void product_task(void *arg, int t, int thread) {
    (void)thread;
    const struct weights *d = arg;
    const struct cut *cut = &d->cut;
    const struct place at = place_of(d, t);
    struct cvy_ahead ahead[2];
    look_ahead(d, t, ahead);
    d->compute->table->product(&(struct cvy_product){
        .rows = d->g->in.c,
        .columns = at.panels * CVY_PANEL,
        .depth = block_begin(cut, d->block + 1) - block_begin(cut, d->block),
        .outer = 1,
        .inner = 1,
        .a = at.v,
        .a_row = 1,
        .a_step = cut->row,
        .b = at.z,
        .b_panel = cut->z_panel,
        .b_step = CVY_PANEL,
        .c = d->s + at.point * cut->s_step + at.panel * cut->s_panel,
        .c_row = CVY_PANEL,
        .c_panel = cut->s_panel,
        .accumulate = d->block > 0,
        .ahead = ahead,
    });
}

/* ---- results ---- */

static void join_bias(const struct weights *d) {
    const int64_t floats = (int64_t)d->cut.panels * CVY_PANEL;
    memcpy(d->dbias, d->sums, (size_t)floats * sizeof(float));
    for (int i = 1; i < d->cut.stretches; i++) d->compute->table->add(d->dbias, d->sums + i * floats, floats);
}

static void result_task(void *arg, int t, int thread) {
    (void)thread;
    const struct weights *d = arg;
    const int c = d->g->in.c, begin = t * RESULT_TASK / CVY_PANEL;
    const int end = cvy_least(begin + RESULT_TASK / CVY_PANEL, d->cut.panels * c);
    for (int i = begin, next; i < end; i = next) {
        next = cvy_least(end, (i / c + 1) * c);
        d->table->filter_gradient(d->s + (ptrdiff_t)i * CVY_PANEL, d->cut.s_step, (int64_t)(next - i) * CVY_PANEL,
                                  d->dw + i / c * d->g->r * d->g->s * d->cut.s_panel + (ptrdiff_t)(i % c) * CVY_PANEL,
                                  d->cut.s_panel);
    }
    if (t == 0 && d->dbias) join_bias(d);
}

void cvy_winograd_weights(const struct cvy_compute *compute, enum cvy_dtype type, const struct cvy_conv *g,
                          const void *x, const void *dy, float *dw, float *dbias, float *ws) {
    struct weights d = {.compute = compute,
                        .table = &compute->values[type]->winograd[g->r == 5],
                        .type = type,
                        .g = g,
                        .x = x,
                        .dy = dy,
                        .dw = dw,
                        .dbias = dbias,
                        .v = ws,
                        .cut = make_cut(g)};
    const struct cut *cut = &d.cut;
    d.z = d.v + CVY_WINOGRAD_POINTS * cut->v_step;
    d.s = d.z + CVY_WINOGRAD_POINTS * cut->z_step;
    d.sums = d.s + CVY_WINOGRAD_POINTS * cut->s_step;
    for (; d.block < cut->blocks; d.block++) {
        cvy_parallel(compute->pool, cut->stretches, stretch_task, &d);
        cvy_parallel(compute->pool, CVY_WINOGRAD_POINTS * cut->groups, product_task, &d);
    }
    cvy_parallel(compute->pool, cvy_ceil_div(cut->panels * g->in.c * CVY_PANEL, RESULT_TASK), result_task, &d);
}
