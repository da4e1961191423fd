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
    BLOCKS_WHOLE = 8,        /* of at least so many each is one task, V in its second level; else see above */
    FILTER_TASK = 1 << 13,   /* weights of a task of the first step */
    FILTERS_LARGE = 1 << 21, /* floats of U that is made part by part … */
    PANELS_PART = 2          /* … of so many panels */
};

static const struct cvy_winograd_table *table_of(const struct cvy_compute *compute, const struct cvy_winograd *g) {
    return &compute->values[g->type]->winograd[g->taps == 5];
}

struct cut {
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

static struct cut make_cut(const struct cvy_winograd *g, bool kept) {
    const int out = cvy_winograd_out(g->taps);
    struct cut cut = {.out = out, .down = cvy_ceil_div(g->out.h, out), .across = cvy_ceil_div(g->out.w, out)};
    const int width = cvy_panels(g->in.c) * CVY_PANEL;
    cut.tiles = g->n * cut.down * cut.across;
    const int fitting = cvy_max(TILES_LEAST, IMAGE_FLOATS / (CVY_WINOGRAD_POINTS * width));
    cut.apart = cut.tiles < BLOCKS_WHOLE * fitting;
    cut.blocks = cvy_ceil_div(cut.tiles, cut.apart ? TILES_APART : fitting);
    cut.most = cvy_ceil_div(cut.tiles, cut.blocks);
    cut.groups = cvy_ceil_div(cvy_panels(g->out.c), CVY_GROUP);
    const bool large = cut.apart && cvy_winograd_filter_floats(g) >= FILTERS_LARGE;
    cut.parts = large && !kept ? cvy_ceil_div(cvy_panels(g->out.c), PANELS_PART) : 0;
    cut.row = cvy_winograd_row(g->in.c);
    cut.v_step = cut.most * cut.row + CVY_PANEL;
    cut.m_step = (ptrdiff_t)cut.most * CVY_GROUP * CVY_PANEL + CVY_PANEL;
    cut.v_floats = (size_t)cut.v_step * CVY_WINOGRAD_POINTS;
    cut.m_floats = (size_t)cut.m_step * CVY_WINOGRAD_POINTS;
    return cut;
}

/* Without U. */
static size_t scratch_floats(const struct cut *cut, int threads) {
    return threads * cut->m_floats + (cut->apart ? cut->blocks : threads) * cut->v_floats;
}
static size_t part_floats(const struct cvy_winograd *g) {
    return (size_t)filter_step(g, PANELS_PART) * CVY_WINOGRAD_POINTS;
}

size_t cvy_winograd_kept_workspace(const struct cvy_winograd *g, int threads) {
    const struct cut cut = make_cut(g, true);
    return scratch_floats(&cut, threads);
}

size_t cvy_winograd_workspace(const struct cvy_winograd *g, int threads) {
    const struct cut cut = make_cut(g, false);
    const size_t parts = cvy_places(cut.parts, threads) * part_floats(g);
    return scratch_floats(&cut, threads) + (cut.parts ? parts : cvy_winograd_filter_floats(g));
}

struct pass {
    const struct cvy_compute *compute;
    const struct cvy_winograd_table *table;
    const struct cvy_winograd *g;
    const void *x;
    const float *w; /* of which parts of U are made */
    const struct cvy_epilogue *epilogue;
    void *y;
    const float *u;
    float *parts;
    float *v, *m; /* v: of a block or thread; m: of a thread */
    struct cut cut;
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
    const int all = cvy_panels(p->g->out.c), panel = cvy_cut(all, p->cut.groups, group);
    return (struct part){.panel = panel,
                         .panels = cvy_cut(all, p->cut.groups, group + 1) - panel,
                         .u = p->u + (ptrdiff_t)panel * p->g->in.c * CVY_PANEL,
                         .step = filter_step(p->g, all)};
}

static struct part make_part(const struct pass *p, int t, int thread) {
    const int all = cvy_panels(p->g->out.c), panel = cvy_cut(all, p->cut.parts, t), c = p->g->in.c;
    const int end = cvy_cut(all, p->cut.parts, t + 1), place = cvy_place(p->cut.parts, p->compute->threads, t, thread);
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
static struct place place_of(const struct cut *cut, int index) {
    const int each = cut->down * cut->across;
    return (struct place){index / each, index % each / cut->across * cut->out, index % cut->across * cut->out};
}

static int first_tile(const struct pass *p, int block) {
    return cvy_cut(p->cut.tiles, p->cut.blocks, block);
}

static void image_tiles(const struct pass *p, int first, int last, float *v) {
    const struct cvy_winograd *g = p->g;
    for (int i = first; i < last; i++, v += p->cut.row) {
        const struct place at = place_of(&p->cut, i);
        const struct cvy_winograd_tile tile =
            cvy_winograd_tile_of(g->in, at.oy - g->pad_top, at.ox - g->pad_left, CVY_WINOGRAD_IN);
        const ptrdiff_t offset = at.sample * (ptrdiff_t)cvy_shape_count(g->in) + (at.oy - g->pad_top) * tile.row +
                                 (at.ox - g->pad_left) * tile.pixel;
        p->table->image(cvy_element(p->x, g->type, offset), &tile, g->in.c, v, p->cut.v_step);
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
            .a = v + i * p->cut.v_step,
            .a_row = p->cut.row,
            .a_step = 1,
            .b = part->u + i * part->step,
            .b_panel = (ptrdiff_t)p->g->in.c * CVY_PANEL,
            .b_step = CVY_PANEL,
            .c = m + i * p->cut.m_step,
            .c_row = (ptrdiff_t)part->panels * CVY_PANEL,
            .c_panel = CVY_PANEL,
        });
}

static void result_block(const struct pass *p, int block, struct part part, const float *v, float *m) {
    const struct cvy_winograd *g = p->g;
    const int first = first_tile(p, block), last = first_tile(p, block + 1), column = part.panel * CVY_PANEL;
    const ptrdiff_t width = (ptrdiff_t)part.panels * CVY_PANEL;
    multiply(p, last - first, &part, v, m);
    for (int i = first; i < last; i++) {
        const struct place at = place_of(&p->cut, i);
        const struct cvy_winograd_tile tile = cvy_winograd_tile_of(g->out, at.oy, at.ox, p->cut.out);
        const ptrdiff_t offset =
            at.sample * (ptrdiff_t)cvy_shape_count(g->out) + at.oy * tile.row + at.ox * tile.pixel + column;
        struct cvy_epilogue epilogue;
        if (p->epilogue) epilogue = cvy_epilogue_at(p->epilogue, column, offset, g->type);
        p->table->output(m + (i - first) * width, p->cut.m_step, cvy_min((int)width, g->out.c - column), &tile,
                         p->epilogue ? &epilogue : NULL, g->accumulate, cvy_element(p->y, g->type, offset));
    }
}

static void whole_task(void *arg, int t, int thread) {
    const struct pass *p = arg;
    float *v = p->v + thread * p->cut.v_floats;
    image_tiles(p, first_tile(p, t), first_tile(p, t + 1), v);
    for (int i = 0; i < p->cut.groups; i++) result_block(p, t, group_of(p, i), v, p->m + thread * p->cut.m_floats);
}

/* Tasks that make one block's V. */
static int image_parts(const struct cut *cut) {
    return cvy_ceil_div(cut->most, TILES_TASK);
}

static void image_task(void *arg, int t, int thread) {
    (void)thread;
    const struct pass *p = arg;
    const int parts = image_parts(&p->cut), block = t / parts, part = t % parts;
    const int first = first_tile(p, block), tiles = first_tile(p, block + 1) - first;
    const int begin = cvy_cut(tiles, parts, part), end = cvy_cut(tiles, parts, part + 1);
    image_tiles(p, first + begin, first + end, p->v + block * p->cut.v_floats + begin * p->cut.row);
}
static void result_task(void *arg, int t, int thread) {
    const struct pass *p = arg;
    const int block = t % p->cut.blocks;
    result_block(p, block, group_of(p, t / p->cut.blocks), p->v + block * p->cut.v_floats,
                 p->m + thread * p->cut.m_floats);
}
static void part_task(void *arg, int t, int thread) {
    const struct pass *p = arg;
    const struct part part = make_part(p, t, thread);
    for (int i = 0; i < p->cut.blocks; i++)
        result_block(p, i, part, p->v + i * p->cut.v_floats, p->m + thread * p->cut.m_floats);
}

static void run(struct pass *p, float *ws) {
    struct cvy_pool *pool = p->compute->pool;
    p->m = ws;
    p->v = ws + p->compute->threads * p->cut.m_floats;
    if (p->cut.apart) {
        cvy_parallel(pool, p->cut.blocks * image_parts(&p->cut), image_task, p);
        if (p->cut.parts)
            cvy_parallel(pool, p->cut.parts, part_task, p);
        else
            cvy_parallel(pool, p->cut.blocks * p->cut.groups, result_task, p);
    } else
        cvy_parallel(pool, p->cut.blocks, whole_task, p);
}

static struct pass make_pass(const struct cvy_compute *compute, const struct cvy_winograd *g, const void *x,
                             const struct cvy_epilogue *epilogue, void *y, bool kept) {
    return (struct pass){.compute = compute,
                         .table = table_of(compute, g),
                         .g = g,
                         .x = x,
                         .epilogue = epilogue,
                         .y = y,
                         .cut = make_cut(g, kept)};
}

void cvy_winograd_kept_pass(const struct cvy_compute *compute, const struct cvy_winograd *g, const void *x,
                            const float *u, const struct cvy_epilogue *epilogue, void *y, float *ws) {
    struct pass p = make_pass(compute, g, x, epilogue, y, true);
    p.u = u;
    run(&p, ws);
}

void cvy_winograd_pass(const struct cvy_compute *compute, const struct cvy_winograd *g, const void *x, const float *w,
                       const struct cvy_epilogue *epilogue, void *y, float *ws) {
    struct pass p = make_pass(compute, g, x, epilogue, y, false);
    float *filters = ws + scratch_floats(&p.cut, compute->threads);
    if (p.cut.parts == 0) cvy_winograd_filters(compute, g, w, filters);
    p.w = w;
    p.u = p.parts = filters;
    run(&p, ws);
}

bool cvy_winograd_fits(const struct cvy_conv *g) {
    enum { CHANNELS = 16 }; /* fewer: transforms cost more than the products save */
    return g->r == g->s && (g->r == 3 || g->r == 5) && g->stride_h == 1 && g->stride_w == 1 && g->dilation_h == 1 &&
           g->dilation_w == 1 && cvy_min(g->in.c, g->out.c) >= CHANNELS &&
           cvy_min(g->out.h, g->out.w) > cvy_winograd_out(g->r);
}
static int64_t outputs(const struct cvy_conv *g) {
    return (int64_t)g->n * g->out.h * g->out.w;
}

bool cvy_winograd_suits(const struct cvy_conv *g) {
    enum { PIXELS = 256 }; /* likewise */
    return cvy_winograd_fits(g) && outputs(g) >= PIXELS;
}

bool cvy_winograd_keeps(const struct cvy_conv *g) {
    enum {
        PIXELS = 128,      /* fewer: to read U takes as long as the direct sum */
        PIXELS_MOST = 4096 /* more: U takes memory and saves little */
    };
    return cvy_winograd_fits(g) && outputs(g) >= PIXELS && outputs(g) <= PIXELS_MOST;
}
