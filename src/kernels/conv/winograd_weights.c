/* Winograd's algorithm for the gradient of the weights: of each tile of outputs, dw is a convolution of the 6×6 input
 * pixels with the tile of dy. A block of tiles of all samples, in a row, goes through
 *
 *   V [36][tiles][c] = image tiles transformed       Z [36][⌈k/16⌉][tiles][16] = tiles of dy transformed
 *   S [36][⌈k/16⌉][c][16] += Vᵀ · Z, summed over the tiles of all blocks
 *
 * and S is transformed at the end. The tasks of the first round are stretches of tiles, each with a sum of its own for
 * the bias; of the second, groups of panels of a point. Where a single block has all tiles and S is large, a task of
 * the second round is a slab of S, in all points, which the thread has in its second-level cache and transforms. Where
 * S is small and there are many tiles, a task is a share of them with an S of its own, in blocks that stay in the
 * second level: no thread waits for what another has written. */
#include <string.h>

#include "kernels/conv/parts.h"
#include "kernels/conv/winograd.h"

enum {
    TILES_LEAST = 192,       /* of a block: S is read and written for each */
    BLOCK_FLOATS = 1 << 20,  /* of V and Z where that is more tiles: they stay in the third level */
    TILES_AHEAD = 2,         /* that are asked for before their turn */
    STRETCHES = 32,          /* of a block: room for 32 threads */
    RESULT_TASK = 1 << 12,   /* weights of a task of the last round */
    SLAB_ROWS = 32,          /* channels of a slab of S at most: 288 KiB */
    SLABS_TILES = 400,       /* so many are a single block where S is made slab by slab */
    SHARES = 32,             /* at most, each of … */
    SHARE_TILES = 64,        /* … at least so many, since S is written and read for each */
    SHARES_LEAST = 8,        /* fewer leave threads idle */
    SHARE_SUM = 640 << 10,   /* floats of S at most */
    SHARE_SUMS = 8 << 20,    /* of the S of all shares */
    SHARE_FLOATS = 160 << 10 /* of V and Z of a share's block, or as many as S has, which each block goes through */
};

struct tiling {
    int out;                 /* outputs of a tile along an axis */
    int down, across, tiles; /* tiles of an image, and of all */
    int blocks, most;        /* of tiles, or of a share's; tiles of the largest */
    int stretches;           /* of a block */
    int panels, groups;
    int slabs;                 /* of a group, where S is made slab by slab; else 0 */
    int shares;                /* of the tiles, each with V, Z and S of its own; else 0 */
    ptrdiff_t row, v_step;     /* floats from tile to tile and point to point in V */
    ptrdiff_t z_panel, z_step; /* from panel to panel and point to point in Z */
    ptrdiff_t s_panel, s_step; /* likewise in S, or in a slab */
    ptrdiff_t w_panel;         /* from tap to tap of the weights */
};

static int64_t floats_of_sum(const struct cvy_conv *g) {
    return (int64_t)CVY_WINOGRAD_POINTS * g->in.c * cvy_panels(g->out.c) * CVY_PANEL;
}
static int shares_of(const struct cvy_conv *g, int tiles) {
    const int64_t sum = floats_of_sum(g);
    const int shares = cvy_min(cvy_min(SHARES, tiles / SHARE_TILES), (int)(SHARE_SUMS / sum));
    return shares < SHARES_LEAST || sum > SHARE_SUM ? 0 : shares;
}

static struct tiling make_tiling(const struct cvy_conv *g) {
    const int out = cvy_winograd_out(g->r);
    struct tiling tiling = {.out = out,
                            .down = cvy_ceil_div(g->out.h, out),
                            .across = cvy_ceil_div(g->out.w, out),
                            .panels = cvy_panels(g->out.c)};
    tiling.tiles = g->n * tiling.down * tiling.across;
    tiling.row = cvy_winograd_row(g->in.c);
    const int floats = CVY_WINOGRAD_POINTS * ((int)tiling.row + tiling.panels * CVY_PANEL);
    tiling.groups = cvy_ceil_div(tiling.panels, CVY_GROUP);
    tiling.slabs = cvy_ceil_div(g->in.c, SLAB_ROWS);
    if (tiling.tiles > SLABS_TILES || tiling.groups * tiling.slabs < CVY_TASKS_WANTED) tiling.slabs = 0;
    tiling.shares = shares_of(g, tiling.tiles);
    const int together = tiling.shares ? cvy_ceil_div(tiling.tiles, tiling.shares) : tiling.tiles; /* in one S */
    const int fitting = tiling.shares ? cvy_max(SHARE_FLOATS, (int)floats_of_sum(g)) / floats
                                      : cvy_max(TILES_LEAST, BLOCK_FLOATS / floats);
    tiling.blocks = tiling.slabs ? 1 : cvy_ceil_div(together, fitting);
    tiling.most = cvy_ceil_div(together, tiling.blocks);
    tiling.stretches = cvy_min(STRETCHES, cvy_ceil_div(tiling.tiles, tiling.blocks));
    tiling.v_step = tiling.most * tiling.row + CVY_PANEL;
    tiling.z_panel = (ptrdiff_t)tiling.most * CVY_PANEL;
    tiling.z_step = tiling.panels * tiling.z_panel + CVY_PANEL;
    tiling.w_panel = (ptrdiff_t)g->in.c * CVY_PANEL;
    tiling.s_panel = tiling.slabs ? (ptrdiff_t)cvy_ceil_div(g->in.c, tiling.slabs) * CVY_PANEL : tiling.w_panel;
    tiling.s_step = (tiling.slabs ? cvy_min(CVY_GROUP, tiling.panels) : tiling.panels) * tiling.s_panel + CVY_PANEL;
    return tiling; /* no powers of two, which would share cache sets */
}

/* Places for V and Z, and for S or its slabs. */
static int blocks_at_once(const struct tiling *tiling, int threads) {
    return tiling->shares ? cvy_places(tiling->shares, threads) : 1;
}
static int sums_at_once(const struct tiling *tiling, int threads) {
    return tiling->slabs ? cvy_places(tiling->groups * tiling->slabs, threads) : cvy_max(1, tiling->shares);
}
static ptrdiff_t block_floats(const struct tiling *tiling) {
    return CVY_WINOGRAD_POINTS * (tiling->v_step + tiling->z_step);
}
static ptrdiff_t sum_floats(const struct tiling *tiling) {
    return CVY_WINOGRAD_POINTS * tiling->s_step;
}
/* Of the bias: sums of so many tasks. */
static int bias_sums(const struct tiling *tiling) {
    return tiling->shares ? tiling->shares : tiling->stretches;
}

size_t cvy_winograd_tile_gradient(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    const struct tiling tiling = make_tiling(c->g);
    const int threads = c->compute->threads;
    CVY_TILING_KEEP(&tiling, out);
    return (size_t)(blocks_at_once(&tiling, threads) * block_floats(&tiling) +
                    sums_at_once(&tiling, threads) * sum_floats(&tiling)) +
           (size_t)(bias_sums(&tiling) * tiling.panels) * CVY_PANEL;
}

struct weights {
    const struct cvy_compute *compute;
    const struct cvy_winograd_table *table;
    enum cvy_dtype type; /* of x and dy */
    const struct cvy_conv *g;
    const void *x, *dy;
    float *dw, *dbias;
    float *v, *s, *sums; /* V and Z; sums: [stretches or shares][panels · 16] */
    struct tiling tiling;
    int block;
};

/* Tiles that go through V and Z together. */
struct tiles {
    int begin, count;
    float *v, *z;
    bool first; /* that go into their S */
};
static struct tiles tiles_at(const struct weights *d, int begin, int count, int place, bool first) {
    float *v = d->v + place * block_floats(&d->tiling);
    return (struct tiles){begin, count, v, v + CVY_WINOGRAD_POINTS * d->tiling.v_step, first};
}
static struct tiles tiles_of_block(const struct weights *d) {
    const struct tiling *tiling = &d->tiling;
    const int begin = cvy_tile_begin(tiling->tiles, tiling->blocks, d->block);
    return tiles_at(d, begin, cvy_tile_begin(tiling->tiles, tiling->blocks, d->block + 1) - begin, 0, d->block == 0);
}

/* ---- tiles ---- */

/* Where tile `index` is in a map that begins before the outputs by the padding. */
static ptrdiff_t offset_of(const struct tiling *tiling, int index, struct cvy_shape map, int top, int left) {
    const int each = tiling->down * tiling->across, sample = index / each;
    const int y = index % each / tiling->across * tiling->out - top, x = index % tiling->across * tiling->out - left;
    return sample * (ptrdiff_t)cvy_shape_count(map) + ((ptrdiff_t)y * map.w + x) * map.c;
}

static struct cvy_winograd_tile tile_at(const struct tiling *tiling, int index, struct cvy_shape map, int top, int left,
                                        int size) {
    const int in_image = index % (tiling->down * tiling->across),
              ahead = cvy_min(index + TILES_AHEAD, tiling->tiles - 1);
    struct cvy_winograd_tile tile = cvy_winograd_tile_of(map, in_image / tiling->across * tiling->out - top,
                                                         in_image % tiling->across * tiling->out - left, size);
    tile.ahead = offset_of(tiling, ahead, map, top, left) - offset_of(tiling, index, map, top, left);
    return tile;
}

/* Tile number i of these. */
static void transform_tile(const struct weights *d, const struct tiles *tiles, int i, float *sum) {
    const int index = tiles->begin + i;
    const struct cvy_conv *g = d->g;
    const struct tiling *tiling = &d->tiling;
    const struct cvy_winograd_tile from = tile_at(tiling, index, g->in, g->pad_top, g->pad_left, CVY_WINOGRAD_IN);
    const struct cvy_winograd_tile of = tile_at(tiling, index, g->out, 0, 0, tiling->out);
    const void *x = cvy_element(d->x, d->type, offset_of(tiling, index, g->in, g->pad_top, g->pad_left));
    const void *dy = cvy_element(d->dy, d->type, offset_of(tiling, index, g->out, 0, 0));
    d->table->image(x, &from, g->in.c, tiles->v + i * tiling->row, tiling->v_step);
    d->table->gradient(dy, &of, g->out.c, tiles->z + (ptrdiff_t)i * CVY_PANEL, tiling->z_step, tiling->z_panel, sum);
}

/* The task's sums of the bias, NULL for none; zero before its first tiles. */
static float *bias_sum(const struct weights *d, int task, bool first) {
    const ptrdiff_t floats = (ptrdiff_t)d->tiling.panels * CVY_PANEL;
    if (d->dbias == NULL) return NULL;
    if (first) memset(d->sums + task * floats, 0, (size_t)floats * sizeof(float));
    return d->sums + task * floats;
}

static void stretch_task(void *arg, int t, int thread) {
    (void)thread;
    const struct weights *d = arg;
    const struct tiles tiles = tiles_of_block(d);
    float *sum = bias_sum(d, t, tiles.first);
    for (int i = cvy_tile_begin(tiles.count, d->tiling.stretches, t);
         i < cvy_tile_begin(tiles.count, d->tiling.stretches, t + 1); i++)
        transform_tile(d, &tiles, i, sum);
}

/* ---- products ---- */

/* What a product makes of S, and of what. */
struct place {
    int point, panel, panels, row, rows;
    const float *v, *z;
};
static struct place place_at(const struct weights *d, const struct tiles *tiles, int point, int group, int row,
                             int rows) {
    const struct tiling *tiling = &d->tiling;
    const int panel = cvy_tile_begin(tiling->panels, tiling->groups, group);
    return (struct place){.point = point,
                          .panel = panel,
                          .panels = cvy_tile_begin(tiling->panels, tiling->groups, group + 1) - panel,
                          .row = row,
                          .rows = rows,
                          .v = tiles->v + point * tiling->v_step + row,
                          .z = tiles->z + point * tiling->z_step + panel * tiling->z_panel};
}

/* s: of the place. */
static void multiply(const struct weights *d, const struct tiles *tiles, const struct place *at,
                     struct cvy_ahead ahead[2], float *s) {
    const struct tiling *tiling = &d->tiling;
    d->compute->table->product(&(struct cvy_product){
        .rows = at->rows,
        .columns = at->panels * CVY_PANEL,
        .depth = tiles->count,
        .outer = 1,
        .inner = 1,
        .a = at->v,
        .a_row = 1,
        .a_step = tiling->row,
        .b = at->z,
        .b_panel = tiling->z_panel,
        .b_step = CVY_PANEL,
        .c = s,
        .c_row = CVY_PANEL,
        .c_panel = tiling->s_panel,
        .accumulate = !tiles->first,
        .ahead = ahead,
        .aheads = 2,
    });
}

/* Of the channels' lines [begin, end) of V, and of Z, which is one stretch. */
static void look_ahead(const struct weights *d, const struct place *v, int begin, int end, const struct place *z,
                       struct cvy_ahead ahead[2]) {
    ahead[0] = (struct cvy_ahead){v->v + begin * CVY_PANEL, d->tiling.row, end - begin};
    ahead[1] = (struct cvy_ahead){z->z, (ptrdiff_t)z->panels * CVY_PANEL, z->panels};
}

/* Where task t of the second round is: a group of panels of a point, all rows. */
static struct place place_of(const struct weights *d, const struct tiles *tiles, int t) {
    const int last = CVY_WINOGRAD_POINTS * d->tiling.groups - 1, task = cvy_min(t, last);
    return place_at(d, tiles, task / d->tiling.groups, task % d->tiling.groups, 0, d->g->in.c);
}

/* While a point is multiplied, its tasks ask for the next one's V in equal parts, and each for the next one's Z. s: S,
 * of all points. */
static void multiply_group(const struct weights *d, const struct tiles *tiles, int t, float *s) {
    const struct tiling *tiling = &d->tiling;
    const struct place at = place_of(d, tiles, t), next = place_of(d, tiles, t + 1),
                       below = place_of(d, tiles, t + tiling->groups);
    const int lines = cvy_panels(d->g->in.c), part = t % tiling->groups;
    struct cvy_ahead ahead[2];
    look_ahead(d, &below, cvy_tile_begin(lines, tiling->groups, part), cvy_tile_begin(lines, tiling->groups, part + 1),
               &next, ahead);
    multiply(d, tiles, &at, ahead, s + at.point * tiling->s_step + at.panel * tiling->s_panel);
}

static void product_task(void *arg, int t, int thread) {
    (void)thread;
    const struct weights *d = arg;
    const struct tiles tiles = tiles_of_block(d);
    multiply_group(d, &tiles, t, d->s);
}

/* A share: block by block, transformed and multiplied. */
static void share_task(void *arg, int t, int thread) {
    const struct weights *d = arg;
    const struct tiling *tiling = &d->tiling;
    const int place = cvy_place(tiling->shares, d->compute->threads, t, thread);
    const int first = cvy_tile_begin(tiling->tiles, tiling->shares, t),
              all = cvy_tile_begin(tiling->tiles, tiling->shares, t + 1) - first;
    for (int block = 0; block < tiling->blocks; block++) {
        const int begin = cvy_tile_begin(all, tiling->blocks, block),
                  end = cvy_tile_begin(all, tiling->blocks, block + 1);
        const struct tiles tiles = tiles_at(d, first + begin, end - begin, place, block == 0);
        float *sum = bias_sum(d, t, tiles.first);
        for (int i = 0; i < tiles.count; i++) transform_tile(d, &tiles, i, sum);
        for (int i = 0; i < CVY_WINOGRAD_POINTS * tiling->groups; i++)
            multiply_group(d, &tiles, i, d->s + t * sum_floats(tiling));
    }
}

/* The shares' S, added up in the first's, a point a task. */
static void join_task(void *arg, int t, int thread) {
    (void)thread;
    const struct weights *d = arg;
    const struct tiling *tiling = &d->tiling;
    float *s = d->s + t * tiling->s_step;
    for (int i = 1; i < tiling->shares; i++)
        d->compute->table->add(s, s + i * sum_floats(tiling), tiling->panels * tiling->s_panel);
}

/* ---- results ---- */

static void reduce_bias(const struct weights *d) {
    const int64_t floats = (int64_t)d->tiling.panels * CVY_PANEL;
    memcpy(d->dbias, d->sums, (size_t)floats * sizeof(float));
    for (int i = 1; i < bias_sums(&d->tiling); i++) d->compute->table->add(d->dbias, d->sums + i * floats, floats);
}

/* Of one panel, from channel `row` on. */
static void result(const struct weights *d, const float *s, int panel, int row, int rows) {
    d->table->filter_gradient(s, d->tiling.s_step, (int64_t)rows * CVY_PANEL,
                              d->dw + panel * d->g->r * d->g->s * d->tiling.w_panel + (ptrdiff_t)row * CVY_PANEL,
                              d->tiling.w_panel);
}

static void result_task(void *arg, int t, int thread) {
    (void)thread;
    const struct weights *d = arg;
    const int c = d->g->in.c, begin = t * RESULT_TASK / CVY_PANEL;
    const int end = cvy_min(begin + RESULT_TASK / CVY_PANEL, d->tiling.panels * c);
    for (int i = begin, next; i < end; i = next) {
        next = cvy_min(end, (i / c + 1) * c);
        result(d, d->s + (ptrdiff_t)i * CVY_PANEL, i / c, i % c, next - i);
    }
    if (t == 0 && d->dbias) reduce_bias(d);
}

/* Where task t of the second round is: a slab of a group, in one point after the other. */
static struct place slab_of(const struct weights *d, const struct tiles *tiles, int t, int point) {
    const int slabs = d->tiling.slabs, row = cvy_tile_begin(d->g->in.c, slabs, t % slabs);
    return place_at(d, tiles, cvy_min(point, CVY_WINOGRAD_POINTS - 1), t / slabs, row,
                    cvy_tile_begin(d->g->in.c, slabs, t % slabs + 1) - row);
}

static void slab_task(void *arg, int t, int thread) {
    const struct weights *d = arg;
    const struct tiling *tiling = &d->tiling;
    const int place = cvy_place(tiling->groups * tiling->slabs, d->compute->threads, t, thread);
    float *s = d->s + place * CVY_WINOGRAD_POINTS * tiling->s_step;
    const struct tiles tiles = tiles_of_block(d);
    const struct place first = slab_of(d, &tiles, t, 0);
    for (int i = 0; i < CVY_WINOGRAD_POINTS; i++) {
        const struct place at = slab_of(d, &tiles, t, i), next = slab_of(d, &tiles, t, i + 1);
        struct cvy_ahead ahead[2];
        look_ahead(d, &next, 0, cvy_panels(next.rows), &next, ahead);
        multiply(d, &tiles, &at, ahead, s + i * tiling->s_step);
    }
    for (int i = 0; i < first.panels; i++) result(d, s + i * tiling->s_panel, first.panel + i, first.row, first.rows);
    if (t == 0 && d->dbias) reduce_bias(d);
}

static void make_slabs(struct weights *d) {
    cvy_parallel(d->compute->pool, d->tiling.stretches, stretch_task, d);
    cvy_parallel(d->compute->pool, d->tiling.groups * d->tiling.slabs, slab_task, d);
}

static void make_results(struct weights *d) {
    cvy_parallel(d->compute->pool, cvy_ceil_div(d->tiling.panels * d->g->in.c * CVY_PANEL, RESULT_TASK), result_task,
                 d);
}

static void make_shares(struct weights *d) {
    cvy_parallel(d->compute->pool, d->tiling.shares, share_task, d);
    cvy_parallel(d->compute->pool, CVY_WINOGRAD_POINTS, join_task, d);
    make_results(d);
}

static void make_whole(struct weights *d) {
    const struct tiling *tiling = &d->tiling;
    for (; d->block < tiling->blocks; d->block++) {
        cvy_parallel(d->compute->pool, tiling->stretches, stretch_task, d);
        cvy_parallel(d->compute->pool, CVY_WINOGRAD_POINTS * tiling->groups, product_task, d);
    }
    make_results(d);
}

void cvy_winograd_gradient(const struct cvy_pass_call *call) {
    const struct cvy_compute *compute = call->compute;
    const struct cvy_conv *g = call->g;
    struct weights d = {.compute = compute,
                        .table = &compute->tensor[call->type]->winograd[g->r == 5],
                        .type = call->type,
                        .g = g,
                        .x = call->from,
                        .dy = call->with,
                        .dw = call->to,
                        .dbias = call->dbias,
                        .v = call->ws};
    CVY_TILING_FIND(call, &d.tiling);
    const struct tiling *tiling = &d.tiling;
    d.s = d.v + blocks_at_once(tiling, compute->threads) * block_floats(tiling);
    d.sums = d.s + sums_at_once(tiling, compute->threads) * sum_floats(tiling);
    (tiling->slabs ? make_slabs : tiling->shares ? make_shares : make_whole)(&d);
}
