/* Winograd's algorithm for the gradient of the weights: of each tile of outputs, dw is a convolution of the 6×6 input
 * pixels with the tile of dy. A block of tiles of all samples, in a row, goes through
 *
 *   V [36][tiles][c] = image tiles transformed       Z [36][⌈k/16⌉][tiles][16] = tiles of dy transformed
 *   S [36][⌈k/16⌉][c][16] += Vᵀ · Z, summed over the tiles of all blocks
 *
 * and S is transformed at the end. The tasks of the first round are stretches of tiles, each with a sum of its own for
 * the bias; of the second, groups of panels of a point. Where a single block has all tiles and S is large, a task of
 * the second round is a piece of S, in all points, which the thread has in its second-level cache and transforms. */
#include <string.h>

#include "kernels/conv/parts.h"
#include "kernels/conv/winograd.h"

enum {
    TILES_LEAST = 192,      /* of a block: S is read and written for each */
    BLOCK_FLOATS = 1 << 20, /* of V and Z where that is more tiles: they stay in the third level */
    STRETCHES = 32,         /* of a block: room for 32 threads */
    RESULT_TASK = 1 << 12,  /* weights of a task of the last round */
    PIECE_ROWS = 32,        /* channels of a piece of S at most: 288 KiB */
    PIECES_TILES = 400      /* so many are a single block where S is made piece by piece */
};

struct cut {
    int out;                 /* outputs of a tile along an axis */
    int down, across, tiles; /* tiles of an image, and of all */
    int blocks, most;        /* of tiles; tiles of the largest */
    int stretches;           /* of a block */
    int panels, groups;
    int pieces;                /* of a group, where S is made piece by piece; else 0 */
    ptrdiff_t row, v_step;     /* floats from tile to tile and point to point in V */
    ptrdiff_t z_panel, z_step; /* from panel to panel and point to point in Z */
    ptrdiff_t s_panel, s_step; /* likewise in S, or in a piece */
    ptrdiff_t w_panel;         /* from tap to tap of the weights */
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
    cut.groups = cvy_ceil_div(cut.panels, CVY_GROUP);
    cut.pieces = cvy_ceil_div(g->in.c, PIECE_ROWS);
    if (cut.tiles > PIECES_TILES || cut.groups * cut.pieces < CVY_TASKS_WANTED) cut.pieces = 0;
    cut.blocks = cut.pieces ? 1 : cvy_ceil_div(cut.tiles, cvy_max(TILES_LEAST, BLOCK_FLOATS / floats));
    cut.most = cvy_ceil_div(cut.tiles, cut.blocks);
    cut.stretches = cvy_min(STRETCHES, cvy_ceil_div(cut.tiles, cut.blocks));
    cut.v_step = cut.most * cut.row + CVY_PANEL;
    cut.z_panel = (ptrdiff_t)cut.most * CVY_PANEL;
    cut.z_step = cut.panels * cut.z_panel + CVY_PANEL;
    cut.w_panel = (ptrdiff_t)g->in.c * CVY_PANEL;
    cut.s_panel = cut.pieces ? (ptrdiff_t)cvy_ceil_div(g->in.c, cut.pieces) * CVY_PANEL : cut.w_panel;
    cut.s_step = (cut.pieces ? cvy_min(CVY_GROUP, cut.panels) : cut.panels) * cut.s_panel + CVY_PANEL;
    return cut; /* no powers of two, which would share cache sets */
}

/* Of S, or of its pieces that there are at once. */
static size_t s_floats(const struct cut *cut, int threads) {
    const int places = cut->pieces ? cvy_places(cut->groups * cut->pieces, threads) : 1;
    return (size_t)places * CVY_WINOGRAD_POINTS * (size_t)cut->s_step;
}

size_t cvy_winograd_weights_workspace(const struct cvy_conv *g, int threads) {
    const struct cut cut = make_cut(g);
    return CVY_WINOGRAD_POINTS * (size_t)(cut.v_step + cut.z_step) + s_floats(&cut, threads) +
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

/* What a product makes of S, and of what. */
struct place {
    int point, panel, panels, row, rows;
    const float *v, *z;
};
static struct place place_at(const struct weights *d, int point, int group, int row, int rows) {
    const struct cut *cut = &d->cut;
    const int panel = cvy_cut(cut->panels, cut->groups, group);
    return (struct place){.point = point,
                          .panel = panel,
                          .panels = cvy_cut(cut->panels, cut->groups, group + 1) - panel,
                          .row = row,
                          .rows = rows,
                          .v = d->v + point * cut->v_step + row,
                          .z = d->z + point * cut->z_step + panel * cut->z_panel};
}

/* s: of the place. */
static void multiply(const struct weights *d, const struct place *at, struct cvy_ahead ahead[2], float *s) {
    const struct cut *cut = &d->cut;
    d->compute->table->product(&(struct cvy_product){
        .rows = at->rows,
        .columns = at->panels * CVY_PANEL,
        .depth = block_begin(cut, d->block + 1) - block_begin(cut, d->block),
        .outer = 1,
        .inner = 1,
        .a = at->v,
        .a_row = 1,
        .a_step = cut->row,
        .b = at->z,
        .b_panel = cut->z_panel,
        .b_step = CVY_PANEL,
        .c = s,
        .c_row = CVY_PANEL,
        .c_panel = cut->s_panel,
        .accumulate = d->block > 0,
        .ahead = ahead,
    });
}

/* Of the channels' lines [begin, end) of V, and of Z, which is one stretch. */
static void look_ahead(const struct weights *d, const struct place *v, int begin, int end, const struct place *z,
                       struct cvy_ahead ahead[2]) {
    ahead[0] = (struct cvy_ahead){v->v + begin * CVY_PANEL, d->cut.row, end - begin};
    ahead[1] = (struct cvy_ahead){z->z, (ptrdiff_t)z->panels * CVY_PANEL, z->panels};
}

/* Where task t of the second round is: a group of panels of a point, all rows. */
static struct place place_of(const struct weights *d, int t) {
    const int last = CVY_WINOGRAD_POINTS * d->cut.groups - 1, task = cvy_min(t, last);
    return place_at(d, task / d->cut.groups, task % d->cut.groups, 0, d->g->in.c);
}

/* While a point is multiplied, its tasks ask for the next one's V in equal parts, and each for the next one's Z. */
static void product_task(void *arg, int t, int thread) {
    (void)thread;
    const struct weights *d = arg;
    const struct cut *cut = &d->cut;
    const struct place at = place_of(d, t), next = place_of(d, t + 1), below = place_of(d, t + cut->groups);
    const int lines = cvy_panels(d->g->in.c), part = t % cut->groups;
    struct cvy_ahead ahead[2];
    look_ahead(d, &below, cvy_cut(lines, cut->groups, part), cvy_cut(lines, cut->groups, part + 1), &next, ahead);
    multiply(d, &at, ahead, d->s + at.point * cut->s_step + at.panel * cut->s_panel);
}

/* ---- results ---- */

static void join_bias(const struct weights *d) {
    const int64_t floats = (int64_t)d->cut.panels * CVY_PANEL;
    memcpy(d->dbias, d->sums, (size_t)floats * sizeof(float));
    for (int i = 1; i < d->cut.stretches; i++) d->compute->table->add(d->dbias, d->sums + i * floats, floats);
}

/* Of one panel, from channel `row` on. */
static void result(const struct weights *d, const float *s, int panel, int row, int rows) {
    d->table->filter_gradient(s, d->cut.s_step, (int64_t)rows * CVY_PANEL,
                              d->dw + panel * d->g->r * d->g->s * d->cut.w_panel + (ptrdiff_t)row * CVY_PANEL,
                              d->cut.w_panel);
}

static void result_task(void *arg, int t, int thread) {
    (void)thread;
    const struct weights *d = arg;
    const int c = d->g->in.c, begin = t * RESULT_TASK / CVY_PANEL;
    const int end = cvy_min(begin + RESULT_TASK / CVY_PANEL, d->cut.panels * c);
    for (int i = begin, next; i < end; i = next) {
        next = cvy_min(end, (i / c + 1) * c);
        result(d, d->s + (ptrdiff_t)i * CVY_PANEL, i / c, i % c, next - i);
    }
    if (t == 0 && d->dbias) join_bias(d);
}

/* Where task t of the second round is: a piece of a group, in one point after the other. */
static struct place piece_of(const struct weights *d, int t, int point) {
    const int pieces = d->cut.pieces, row = cvy_cut(d->g->in.c, pieces, t % pieces);
    return place_at(d, cvy_min(point, CVY_WINOGRAD_POINTS - 1), t / pieces, row,
                    cvy_cut(d->g->in.c, pieces, t % pieces + 1) - row);
}

static void piece_task(void *arg, int t, int thread) {
    const struct weights *d = arg;
    const struct cut *cut = &d->cut;
    const int place = cvy_place(cut->groups * cut->pieces, d->compute->threads, t, thread);
    float *s = d->s + place * CVY_WINOGRAD_POINTS * cut->s_step;
    const struct place first = piece_of(d, t, 0);
    for (int i = 0; i < CVY_WINOGRAD_POINTS; i++) {
        const struct place at = piece_of(d, t, i), next = piece_of(d, t, i + 1);
        struct cvy_ahead ahead[2];
        look_ahead(d, &next, 0, cvy_panels(next.rows), &next, ahead);
        multiply(d, &at, ahead, s + i * cut->s_step);
    }
    for (int i = 0; i < first.panels; i++) result(d, s + i * cut->s_panel, first.panel + i, first.row, first.rows);
    if (t == 0 && d->dbias) join_bias(d);
}

static void make_pieces(struct weights *d) {
    cvy_parallel(d->compute->pool, d->cut.stretches, stretch_task, d);
    cvy_parallel(d->compute->pool, d->cut.groups * d->cut.pieces, piece_task, d);
}

static void make_whole(struct weights *d) {
    const struct cut *cut = &d->cut;
    for (; d->block < cut->blocks; d->block++) {
        cvy_parallel(d->compute->pool, cut->stretches, stretch_task, d);
        cvy_parallel(d->compute->pool, CVY_WINOGRAD_POINTS * cut->groups, product_task, d);
    }
    cvy_parallel(d->compute->pool, cvy_ceil_div(cut->panels * d->g->in.c * CVY_PANEL, RESULT_TASK), result_task, d);
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
    d.sums = d.s + s_floats(cut, compute->threads);
    (cut->pieces ? make_pieces : make_whole)(&d);
}
