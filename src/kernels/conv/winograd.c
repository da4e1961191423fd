/* Winograd's algorithm forward. The tiles of all samples stand in one row, so small images are joined; a block of them
 * goes through
 *
 *   V [36][tiles][c] = image tiles transformed         U [36][⌈k/16⌉][c][16] = filters transformed before
 *   M [36][tiles][≤ 64] = V · U, for one group of panels at a time
 *   y                  = M transformed, with the epilogue
 *
 * with V and M in the thread's scratch, sized for a second-level cache. Where there are few blocks (small maps, many
 * channels) all V are made first, and a task of the second round is a group of panels of a block; or, where U is large
 * and nobody has made it, a group of panels of all blocks, whose part of U the task makes. */
#include "kernels/conv/winograd.h"

#include "kernels/conv/parts.h"

enum {
    TILES_LEAST = 24,        /* of a block: U, read for each, comes from the third level or beyond */
    IMAGE_FLOATS = 1 << 15,  /* of V where that is more tiles */
    TILES_APART = 48,        /* of a block whose V is in the third level too */
    TILES_TASK = 4,          /* of a task that makes V apart, at least */
    TILES_AHEAD = 2,         /* that are asked for before their turn */
    BLOCKS_WHOLE = 8,        /* of at least so many each is one task, V in its second level; else see above; … */
    BLOCKS_NARROW = 4,       /* … of so many where apart there are no more tasks: of one group of panels */
    FILTER_TASK = 1 << 13,   /* weights of a task of the first step */
    FILTERS_LARGE = 1 << 21, /* floats of U that is made part by part … */
    PANELS_PART = 2          /* … of so many panels */
};

static const struct cvy_winograd_table *table_of(const struct cvy_compute *compute, const struct cvy_winograd *g) {
    return &compute->tensor[g->type]->winograd[g->taps == 5];
}

struct tiling {
    int out;                  /* outputs of a tile along an axis */
    int down, across, tiles;  /* tiles of an image, and of all */
    int blocks, most;         /* of tiles; tiles of the largest */
    int groups;               /* of panels */
    bool apart;               /* all V first */
    int parts;                /* of U, made one by one; 0: all of it before, or by somebody else */
    ptrdiff_t row;            /* floats from tile to tile in V */
    ptrdiff_t v_step, m_step; /* from point to point: no powers of two, which would share cache sets */
    size_t v_floats, m_floats;
};

/* From point to point in U of so many panels: likewise no power of two. */
static ptrdiff_t filter_step(const struct cvy_winograd *g, int panels) {
    return (ptrdiff_t)panels * g->in.c * CVY_PANEL + CVY_PANEL;
}

size_t cvy_winograd_filter_floats(const struct cvy_winograd *g) {
    return (size_t)filter_step(g, cvy_panels(g->out.c)) * CVY_WINOGRAD_POINTS;
}

static struct tiling make_tiling(const struct cvy_winograd *g) {
    const int out = cvy_winograd_out(g->taps);
    struct tiling tiling = {.out = out, .down = cvy_ceil_div(g->out.h, out), .across = cvy_ceil_div(g->out.w, out)};
    const int width = cvy_panels(g->in.c) * CVY_PANEL;
    tiling.tiles = g->n * tiling.down * tiling.across;
    const int fitting = cvy_max(TILES_LEAST, IMAGE_FLOATS / (CVY_WINOGRAD_POINTS * width));
    tiling.groups = cvy_ceil_div(cvy_panels(g->out.c), CVY_GROUP);
    tiling.apart = tiling.tiles < (tiling.groups > 1 ? BLOCKS_WHOLE : BLOCKS_NARROW) * fitting;
    tiling.blocks = cvy_ceil_div(tiling.tiles, tiling.apart ? TILES_APART : fitting);
    tiling.most = cvy_ceil_div(tiling.tiles, tiling.blocks);
    const bool large = tiling.apart && cvy_winograd_filter_floats(g) >= FILTERS_LARGE;
    tiling.parts = large && !g->cached ? cvy_ceil_div(cvy_panels(g->out.c), PANELS_PART) : 0;
    tiling.row = cvy_winograd_row(g->in.c);
    tiling.v_step = tiling.most * tiling.row + CVY_PANEL;
    tiling.m_step = (ptrdiff_t)tiling.most * cvy_min(CVY_GROUP, cvy_panels(g->out.c)) * CVY_PANEL + CVY_PANEL;
    tiling.v_floats = (size_t)tiling.v_step * CVY_WINOGRAD_POINTS;
    tiling.m_floats = (size_t)tiling.m_step * CVY_WINOGRAD_POINTS;
    return tiling;
}

/* Without U. */
static size_t scratch_floats(const struct tiling *tiling, int threads) {
    return threads * tiling->m_floats + (tiling->apart ? tiling->blocks : threads) * tiling->v_floats;
}
static size_t part_floats(const struct cvy_winograd *g) {
    return (size_t)filter_step(g, PANELS_PART) * CVY_WINOGRAD_POINTS;
}

struct planned {
    struct cvy_winograd g;
    struct tiling tiling;
};

size_t cvy_winograd_tile(const struct cvy_winograd *g, int threads, struct cvy_tiling *out) {
    const struct planned planned = {*g, make_tiling(g)};
    const struct tiling tiling = planned.tiling;
    CVY_TILING_KEEP(&planned, out);
    const size_t parts = cvy_places(tiling.parts, threads) * part_floats(g);
    if (g->cached) return scratch_floats(&tiling, threads);
    return scratch_floats(&tiling, threads) + (tiling.parts ? parts : cvy_winograd_filter_floats(g));
}

struct pass {
    const struct cvy_compute *compute;
    const struct cvy_winograd_table *table;
    const struct cvy_winograd *g;
    const void *x;
    const float *w; /* of which parts of U are made */
    const struct cvy_epilogue *epilogue;
    bool accumulate;
    void *y;
    const float *u;
    float *parts;
    float *v, *m; /* v: of a block or thread; m: of a thread */
    struct tiling tiling;
};

/* ---- filters ---- */

struct filters {
    const struct cvy_winograd_table *table;
    const struct cvy_winograd *g;
    const float *w;
    bool past;      /* the caches */
    int first;      /* channel, of all panels' in a row, … */
    float *u;       /* … that goes here */
    ptrdiff_t step; /* from point to point */
};

static void transform_filters(const struct filters *p, int first, int end) {
    const int c = p->g->in.c;
    const ptrdiff_t tap = (ptrdiff_t)c * CVY_PANEL;
    for (int i = first, next; i < end; i = next) {
        next = cvy_min(end, (i / c + 1) * c);
        p->table->filter(p->w + i / c * p->g->taps * p->g->taps * tap + (ptrdiff_t)(i % c) * CVY_PANEL, tap,
                         (int64_t)(next - i) * CVY_PANEL, p->past, p->u + (ptrdiff_t)(i - p->first) * CVY_PANEL,
                         p->step);
    }
}

static void filter_task(void *arg, int t, int thread) {
    (void)thread;
    const struct filters *p = arg;
    const int channels = cvy_panels(p->g->out.c) * p->g->in.c, first = t * (FILTER_TASK / CVY_PANEL);
    transform_filters(p, first, cvy_min(first + FILTER_TASK / CVY_PANEL, channels));
}

void cvy_winograd_filters(const struct cvy_compute *compute, const struct cvy_winograd *g, const float *w, float *u) {
    const int panels = cvy_panels(g->out.c);
    struct filters p = {table_of(compute, g), g, w, true, 0, u, filter_step(g, panels)};
    cvy_parallel(compute->pool, cvy_ceil_div(panels * CVY_PANEL * g->in.c, FILTER_TASK), filter_task, &p);
}

/* Some panels of U. */
struct part {
    int panel, panels;
    const float *u; /* of the first */
    ptrdiff_t step; /* from point to point */
};

static struct part group_of(const struct pass *p, int group) {
    const int all = cvy_panels(p->g->out.c), panel = cvy_tile_begin(all, p->tiling.groups, group);
    return (struct part){.panel = panel,
                         .panels = cvy_tile_begin(all, p->tiling.groups, group + 1) - panel,
                         .u = p->u + (ptrdiff_t)panel * p->g->in.c * CVY_PANEL,
                         .step = filter_step(p->g, all)};
}

static struct part make_part(const struct pass *p, int t, int thread) {
    const int all = cvy_panels(p->g->out.c), panel = cvy_tile_begin(all, p->tiling.parts, t), c = p->g->in.c;
    const int end = cvy_tile_begin(all, p->tiling.parts, t + 1),
              place = cvy_place(p->tiling.parts, p->compute->threads, t, thread);
    const struct filters filters = {
        p->table, p->g, p->w, false, panel * c, p->parts + place * part_floats(p->g), filter_step(p->g, PANELS_PART)};
    transform_filters(&filters, panel * c, end * c);
    return (struct part){panel, end - panel, filters.u, filters.step};
}

/* ---- images ---- */

/* Where tile `index` is: its sample, and its first output. */
struct place {
    int sample, oy, ox;
};
static struct place place_of(const struct tiling *tiling, int index) {
    const int each = tiling->down * tiling->across;
    return (struct place){index / each, index % each / tiling->across * tiling->out,
                          index % tiling->across * tiling->out};
}

/* Of tile `index` in a feature map whose tiles begin before the outputs by the padding. */
static struct cvy_winograd_tile tile_at(const struct pass *p, int index, struct cvy_shape map, int top, int left,
                                        int size, ptrdiff_t *offset) {
    const struct place at = place_of(&p->tiling, index),
                       ahead = place_of(&p->tiling, cvy_min(index + TILES_AHEAD, p->tiling.tiles - 1));
    struct cvy_winograd_tile tile = cvy_winograd_tile_of(map, at.oy - top, at.ox - left, size);
    const ptrdiff_t each = cvy_shape_count(map);
    *offset = at.sample * each + (at.oy - top) * tile.row + (at.ox - left) * tile.pixel;
    tile.ahead = (ahead.sample - at.sample) * each + (ahead.oy - at.oy) * tile.row + (ahead.ox - at.ox) * tile.pixel;
    return tile;
}

static int first_tile(const struct pass *p, int block) {
    return cvy_tile_begin(p->tiling.tiles, p->tiling.blocks, block);
}

static void image_tiles(const struct pass *p, int first, int last, float *v) {
    const struct cvy_winograd *g = p->g;
    for (int i = first; i < last; i++, v += p->tiling.row) {
        ptrdiff_t offset;
        const struct cvy_winograd_tile tile = tile_at(p, i, g->in, g->pad_top, g->pad_left, CVY_WINOGRAD_IN, &offset);
        p->table->image(cvy_element(p->x, g->type, offset), &tile, g->in.c, v, p->tiling.v_step);
    }
}

/* ---- products and results ---- */

static void multiply(const struct pass *p, int tiles, const struct part *part, const float *v, float *m) {
    for (int i = 0; i < CVY_WINOGRAD_POINTS; i++)
        p->compute->table->product(&(struct cvy_product){
            .rows = tiles,
            .columns = part->panels * CVY_PANEL,
            .depth = p->g->in.c,
            .outer = 1,
            .inner = 1,
            .a = v + i * p->tiling.v_step,
            .a_row = p->tiling.row,
            .a_step = 1,
            .b = part->u + i * part->step,
            .b_panel = (ptrdiff_t)p->g->in.c * CVY_PANEL,
            .b_step = CVY_PANEL,
            .c = m + i * p->tiling.m_step,
            .c_row = (ptrdiff_t)part->panels * CVY_PANEL,
            .c_panel = CVY_PANEL,
            .place = CVY_CACHED,
        });
}

static void result_block(const struct pass *p, int block, struct part part, const float *v, float *m) {
    const struct cvy_winograd *g = p->g;
    const int first = first_tile(p, block), last = first_tile(p, block + 1), column = part.panel * CVY_PANEL;
    const ptrdiff_t width = (ptrdiff_t)part.panels * CVY_PANEL;
    multiply(p, last - first, &part, v, m);
    for (int i = first; i < last; i++) {
        ptrdiff_t offset;
        const struct cvy_winograd_tile tile = tile_at(p, i, g->out, 0, 0, p->tiling.out, &offset);
        offset += column;
        struct cvy_epilogue epilogue;
        if (p->epilogue) epilogue = cvy_epilogue_at(p->epilogue, column, offset, g->type);
        p->table->output(m + (i - first) * width, p->tiling.m_step, cvy_min((int)width, g->out.c - column), &tile,
                         p->epilogue ? &epilogue : NULL, p->accumulate, cvy_element(p->y, g->type, offset));
    }
}

static void whole_task(void *arg, int t, int thread) {
    const struct pass *p = arg;
    float *v = p->v + thread * p->tiling.v_floats;
    image_tiles(p, first_tile(p, t), first_tile(p, t + 1), v);
    for (int i = 0; i < p->tiling.groups; i++)
        result_block(p, t, group_of(p, i), v, p->m + thread * p->tiling.m_floats);
}

/* Tasks that make one block's V. */
static int image_parts(const struct tiling *tiling) {
    return cvy_ceil_div(tiling->most, TILES_TASK);
}

static void image_task(void *arg, int t, int thread) {
    (void)thread;
    const struct pass *p = arg;
    const int parts = image_parts(&p->tiling), block = t / parts, part = t % parts;
    const int first = first_tile(p, block), tiles = first_tile(p, block + 1) - first;
    const int begin = cvy_tile_begin(tiles, parts, part), end = cvy_tile_begin(tiles, parts, part + 1);
    image_tiles(p, first + begin, first + end, p->v + block * p->tiling.v_floats + begin * p->tiling.row);
}
static void result_task(void *arg, int t, int thread) {
    const struct pass *p = arg;
    const int block = t % p->tiling.blocks;
    result_block(p, block, group_of(p, t / p->tiling.blocks), p->v + block * p->tiling.v_floats,
                 p->m + thread * p->tiling.m_floats);
}
static void part_task(void *arg, int t, int thread) {
    const struct pass *p = arg;
    const struct part part = make_part(p, t, thread);
    for (int i = 0; i < p->tiling.blocks; i++)
        result_block(p, i, part, p->v + i * p->tiling.v_floats, p->m + thread * p->tiling.m_floats);
}

static void run(struct pass *p, float *ws) {
    struct cvy_pool *pool = p->compute->pool;
    p->m = ws;
    p->v = ws + p->compute->threads * p->tiling.m_floats;
    if (p->tiling.apart) {
        cvy_parallel(pool, p->tiling.blocks * image_parts(&p->tiling), image_task, p);
        if (p->tiling.parts)
            cvy_parallel(pool, p->tiling.parts, part_task, p);
        else
            cvy_parallel(pool, p->tiling.blocks * p->tiling.groups, result_task, p);
    } else
        cvy_parallel(pool, p->tiling.blocks, whole_task, p);
}

void cvy_winograd_pass(const struct cvy_pass_call *call) {
    struct planned planned;
    CVY_TILING_FIND(call, &planned);
    const struct cvy_winograd *g = &planned.g;
    struct pass p = {.compute = call->compute,
                     .table = table_of(call->compute, g),
                     .g = g,
                     .x = call->from,
                     .epilogue = call->epilogue,
                     .accumulate = call->accumulate,
                     .y = call->to,
                     .tiling = planned.tiling};
    float *filters = call->ws + scratch_floats(&p.tiling, call->compute->threads);
    p.w = p.u = call->with;
    if (!g->cached) p.u = p.parts = filters;
    if (!g->cached && p.tiling.parts == 0) cvy_winograd_filters(call->compute, g, p.w, filters);
    run(&p, call->ws);
}
