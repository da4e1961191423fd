/* How backward-weights is cut, by the shape and the level alone: into units of output pixels, chunks of units, and
 * tasks of a chunk.
 */
#include "kernels/conv/weights_parts.h"

#include "core/ints.h"

enum {
    POINTWISE_PIXELS = 400,   /* of a unit at most, 1×1 kernels */
    UNIT_FLOATS = 1 << 17,    /* of x or dy in a unit: 512 KiB, half of a second-level cache */
    UNIT_PIXELS = 256,        /* output pixels of a unit at most, where it takes several samples */
    PARTIAL_FLOATS = 1 << 21, /* of all chunks' sums together */
    CHUNK_PIXELS = 400,       /* output pixels of a chunk at least: reducing a weight costs some tens of them */
    DIRECT_COLUMNS = 64,      /* dy is read where it is when k is a multiple of 16 up to this */
    CHANNEL_BLOCK = 64,       /* input channels are cut at multiples */
    PLACE_PIXELS = 64         /* from which on x and dy can be read in their places */
};

static void tile_units(struct cvy_weights_tiling *tiling) {
    struct cvy_conv *g = &tiling->g;
    if (cvy_conv_is_pointwise(g)) {
        const int pixels = g->n * g->in.h * g->in.w;
        g->n = g->in.h = g->out.h = tiling->rows = 1;
        g->in.w = g->out.w = pixels;
        tiling->columns = cvy_ceil_div(pixels, cvy_ceil_div(pixels, POINTWISE_PIXELS));
        tiling->bands = tiling->units = cvy_ceil_div(pixels, tiling->columns);
        return;
    }
    const int64_t x_floats = (int64_t)tiling->width * tiling->pixel * cvy_weights_step_h(tiling) + 1;
    const int64_t dy_floats = (int64_t)g->out.w * g->out.c;
    const int rows = cvy_clamp(UNIT_FLOATS / (x_floats > dy_floats ? x_floats : dy_floats), 1, g->out.h);
    tiling->columns = g->out.w;
    tiling->bands = cvy_ceil_div(g->out.h, rows);
    tiling->rows = cvy_ceil_div(g->out.h, tiling->bands);
    tiling->bands = cvy_ceil_div(g->out.h, tiling->rows);
    if (!tiling->wide && (tiling->bands == 1 || g->out.h * g->out.w <= UNIT_PIXELS)) {
        tiling->bands = 1;
        tiling->rows = g->out.h;
        tiling->samples = cvy_clamp(UNIT_PIXELS / (g->out.h * g->out.w), 1, g->n);
    }
    tiling->units = cvy_ceil_div(g->n, tiling->samples) * tiling->bands;
}

/* Every part of the panels reads x, and every part of the channels dy: the cheapest way to `splits` tasks. */
static void split_both(struct cvy_weights_tiling *tiling, int splits) {
    const int groups = cvy_ceil_div(cvy_panels(tiling->g.out.c), CVY_GROUP), blocks = tiling->g.in.c / CHANNEL_BLOCK;
    int64_t least = INT64_MAX;
    for (int panels = 1; panels <= cvy_min(groups, splits); panels++) {
        const int channels = cvy_min(cvy_ceil_div(splits, panels), blocks);
        const int64_t copied = (int64_t)panels * tiling->g.in.c + (int64_t)channels * tiling->g.out.c;
        if (channels * panels < cvy_min(splits, groups) || copied >= least) continue;
        least = copied;
        tiling->panel_splits = panels;
        tiling->channel_splits = channels;
    }
}

struct cvy_weights_split cvy_weights_split_of(const struct cvy_conv *g, int units, int chunk_pixels) {
    const int64_t pixels = (int64_t)g->n * g->out.h * g->out.w, macs = pixels * (int64_t)cvy_weights_floats(g);
    const int wanted = cvy_clamp(macs / CVY_TASK_MACS, 1, CVY_TASKS_WANTED);
    const int room = cvy_clamp(PARTIAL_FLOATS / (int64_t)cvy_weights_sum_floats(g), 1, CVY_TASKS_WANTED);
    const int worthwhile = cvy_clamp(pixels / chunk_pixels, 1, CVY_TASKS_WANTED);
    struct cvy_weights_split split = {.chunks = cvy_min(cvy_min(room, wanted), cvy_min(worthwhile, units))};
    split.parts = cvy_ceil_div(wanted, split.chunks);
    split.panels = cvy_min(split.parts, cvy_ceil_div(cvy_panels(g->out.c), CVY_GROUP));
    return split;
}

static void tile_tasks(struct cvy_weights_tiling *tiling) {
    const struct cvy_weights_split split = cvy_weights_split_of(&tiling->g, tiling->units, CHUNK_PIXELS);
    tiling->chunks = split.chunks;
    tiling->panel_splits = split.panels;
    if (tiling->by_channels) split_both(tiling, split.parts);
    tiling->row_splits = cvy_min(cvy_ceil_div(split.parts, tiling->panel_splits * tiling->channel_splits), tiling->g.r);
}

/* Down a channel of x a product reads a number a pixel. Where pixels are a power of two apart, or near it, these share
 * a few sets of the first-level cache (4 KiB: a single one), and each of the 16 channels of a line fetches it again. */
static bool shares_sets(const struct cvy_conv *g) {
    return g->in.c >= 128 && g->in.c % CHANNEL_BLOCK == 0 && g->out.c > DIRECT_COLUMNS;
}

/* Where blocks of C are large, a kernel of many pixels goes over x and dy so seldom that a copy does not pay: 1×1, and
 * those whose taps are products of their own, which leave out the pixels that do not exist (3×3/2, 128 → 128 channels
 * at 56×56: 18.8 → 17.8 ms). */
static bool stays(const struct cvy_conv *g, bool large_blocks) {
    const bool inside = g->pad_top == 0 && g->pad_left == 0 && (g->out.h - 1) * g->stride_h < g->in.h &&
                        (g->out.w - 1) * g->stride_w < g->in.w;
    const bool point = g->r == 1 && g->s == 1;
    return large_blocks && (point ? inside : shares_sets(g)) && (int64_t)g->n * g->out.h * g->out.w >= PLACE_PIXELS;
}

static void tile_copies(struct cvy_weights_tiling *tiling, bool stay) {
    const struct cvy_conv *g = &tiling->g;
    tiling->by_channels = !tiling->wide && shares_sets(g);
    tiling->apart = tiling->by_channels && !stay;
    tiling->width = cvy_weights_input_width(tiling, g->out.w);
    tiling->copies =
        !(stay && tiling->by_channels) && (tiling->apart || g->pad_left > 0 || tiling->width - g->pad_left > g->in.w);
    tiling->pixel = g->in.c + (tiling->apart ? CVY_PANEL : 0);
    if (!tiling->copies) return;
    if (g->r == 1) tiling->every_h = g->stride_h;
    if (g->s == 1) tiling->every_w = g->stride_w;
    tiling->width = cvy_weights_input_width(tiling, g->out.w);
}

bool cvy_weights_packs(const struct cvy_conv *g) {
    return g->out.c % CVY_PANEL != 0 || g->out.c > DIRECT_COLUMNS;
}

struct cvy_weights_tiling cvy_weights_tiling_make(const struct cvy_conv *original, bool large_blocks) {
    struct cvy_weights_tiling tiling = {
        .g = cvy_widen(original), .samples = 1, .every_h = 1, .every_w = 1, .channel_splits = 1};
    const struct cvy_conv *g = &tiling.g;
    tiling.wide = g->s != original->s;
    const bool stay = stays(g, large_blocks);
    tiling.packs = !tiling.wide && cvy_weights_packs(g) && !(stay && g->out.c % CVY_PANEL == 0);
    tile_copies(&tiling, stay);
    tile_units(&tiling);
    tile_tasks(&tiling);
    if (tiling.apart)
        tiling.pixel = cvy_ceil_div(g->in.c / CHANNEL_BLOCK, tiling.channel_splits) * CHANNEL_BLOCK + CVY_PANEL;
    if (tiling.copies)
        tiling.copy_floats = cvy_round_up((size_t)tiling.samples * cvy_weights_input_rows(&tiling, tiling.rows) *
                                              cvy_weights_input_width(&tiling, tiling.columns) * tiling.pixel,
                                          CVY_PANEL);
    const int panels = cvy_ceil_div(cvy_panels(g->out.c), tiling.panel_splits);
    tiling.scratch_floats = tiling.copy_floats;
    if (tiling.packs || tiling.wide)
        tiling.scratch_floats += ((size_t)tiling.samples * tiling.rows * tiling.columns + 1) * panels * CVY_PANEL;
    return tiling;
}

struct cvy_weights_part cvy_weights_part_of(const struct cvy_weights_tiling *tiling, int index) {
    const int panels = cvy_panels(tiling->g.out.c), blocks = tiling->g.in.c / CHANNEL_BLOCK;
    const int rs = index % tiling->row_splits, ps = index / tiling->row_splits % tiling->panel_splits;
    const int cs = index / tiling->row_splits / tiling->panel_splits;
    struct cvy_weights_part p = {.panel = cvy_tile_begin(panels, tiling->panel_splits, ps),
                                 .channels = tiling->g.in.c,
                                 .row = cvy_tile_begin(tiling->g.r, tiling->row_splits, rs)};
    p.panels = cvy_tile_begin(panels, tiling->panel_splits, ps + 1) - p.panel;
    p.rows = cvy_tile_begin(tiling->g.r, tiling->row_splits, rs + 1) - p.row;
    if (tiling->channel_splits > 1) {
        p.channel = cvy_tile_begin(blocks, tiling->channel_splits, cs) * CHANNEL_BLOCK;
        p.channels = cvy_tile_begin(blocks, tiling->channel_splits, cs + 1) * CHANNEL_BLOCK - p.channel;
    }
    return p;
}
