/* How the gradient of the weights in bf16 is cut, by the shape alone: into parts that are tasks of their own, units of
 * output pixels, and chunks of units. */
#include "kernels/conv/bf16_weights.h"

#include "core/ints.h"

enum {
    UNIT_PAIRS = 1 << 17, /* of A and B in a unit: 512 KiB, half of a second-level cache */
    UNIT_STEPS = 128,     /* pairs of pixels, from which on more gain nothing */
    CHANNELS = 256,       /* of a part at most, of so many steps; of fewer steps more */
    PANELS = 8,           /* likewise */
    CHUNK_PIXELS = 800    /* output pixels of a chunk at least */
};

/* Of the largest part. */
static int channels_most(const struct cvy_woven_tiling *tiling) {
    const int c = tiling->g.in.c;
    return cvy_min(c, cvy_ceil_div(c, tiling->channel_splits * CVY_PANEL) * CVY_PANEL);
}
static int panels_most(const struct cvy_woven_tiling *tiling) {
    return cvy_ceil_div(cvy_panels(tiling->g.out.c), tiling->panel_splits * 2) * 2;
}

static int images_of(const struct cvy_woven_tiling *tiling) {
    return tiling->twins ? tiling->g.n / 2 : tiling->g.n;
}

/* An image of one output row is cut across it, others down: how long that is, of a pair's first or second; and A's and
 * B's pairs for one of it. */
static int length_of(const struct cvy_woven_tiling *tiling) {
    const int length = tiling->g.out.h == 1 ? tiling->g.out.w : tiling->g.out.h;
    return tiling->twins ? length : cvy_ceil_div(length, 2);
}
static int pairs_of(const struct cvy_woven_tiling *tiling) {
    const struct cvy_conv *g = &tiling->g;
    const int a = channels_most(tiling), b = panels_most(tiling) * CVY_PANEL;
    return g->out.h == 1 ? cvy_woven_step_w(g) * a + b
                         : cvy_woven_step_h(g) * cvy_woven_width(g, g->out.w) * a + g->out.w * b;
}

/* Of a single image as many bands as chunks share evenly. */
static void tile_bands(struct cvy_woven_tiling *tiling) {
    const struct cvy_conv *g = &tiling->g;
    const bool across = g->out.h == 1;
    const int length = length_of(tiling),
              most = cvy_clamp(UNIT_PAIRS / pairs_of(tiling), 1, across ? UNIT_STEPS : length);
    int bands = cvy_ceil_div(length, most);
    const int chunks = cvy_weights_split_of(g, bands, CHUNK_PIXELS).chunks;
    if (images_of(tiling) == 1) bands = cvy_max(chunks, (bands + chunks / 2) / chunks * chunks);
    const int size = cvy_ceil_div(length, bands);
    tiling->bands = cvy_ceil_div(length, size);
    tiling->rows = across ? 1 : size;
    tiling->columns = across ? size : g->out.w;
}

static void tile_units(struct cvy_woven_tiling *tiling) {
    const int images = images_of(tiling);
    tile_bands(tiling);
    if (tiling->bands == 1)
        tiling->images = cvy_clamp(
            cvy_min(UNIT_STEPS / (tiling->rows * tiling->columns), UNIT_PAIRS / pairs_of(tiling) / length_of(tiling)),
            1, images);
    tiling->units = cvy_ceil_div(images, tiling->images) * tiling->bands;
}

/* Parts that are still too few to share out are cut where they are longer. */
static void tile_tasks(struct cvy_woven_tiling *tiling) {
    const struct cvy_weights_split split = cvy_weights_split_of(&tiling->g, tiling->units, CHUNK_PIXELS);
    tiling->chunks = split.chunks;
    while (tiling->panel_splits * tiling->channel_splits < split.parts) {
        const int columns = panels_most(tiling) * CVY_PANEL, channels = channels_most(tiling);
        if (cvy_max(columns, channels) <= 2 * CVY_PANEL) return;
        if (columns > channels)
            tiling->panel_splits++;
        else
            tiling->channel_splits++;
    }
}

struct cvy_woven_tiling cvy_woven_tiling_make(const struct cvy_conv *original) {
    struct cvy_woven_tiling tiling = {.g = *original, .images = 1};
    struct cvy_conv *g = &tiling.g;
    if (cvy_conv_is_pointwise(g)) {
        g->in.w = g->out.w = g->n * g->in.h * g->in.w;
        g->n = g->in.h = g->out.h = 1;
    }
    tiling.twins = g->n % 2 == 0;
    const int steps = cvy_min(UNIT_STEPS, cvy_ceil_div((int64_t)g->n * g->out.h * g->out.w, 2));
    tiling.panel_splits = cvy_ceil_div(cvy_panels(g->out.c), PANELS * UNIT_STEPS / steps);
    tiling.channel_splits = cvy_ceil_div(g->in.c, CHANNELS * UNIT_STEPS / steps);
    tile_units(&tiling);
    tile_tasks(&tiling);
    tiling.width = cvy_woven_width(g, tiling.columns);
    tiling.a_pairs = cvy_round_up((size_t)tiling.images * cvy_woven_input_rows(g, tiling.rows) * tiling.width *
                                      channels_most(&tiling),
                                  CVY_PANEL);
    const size_t b_pixels = (size_t)tiling.images * tiling.rows * tiling.columns + 1;
    tiling.scratch_pairs = tiling.a_pairs + b_pixels * panels_most(&tiling) * CVY_PANEL;
    return tiling;
}

struct cvy_weights_part cvy_woven_part_of(const struct cvy_woven_tiling *tiling, int index) {
    const int all = cvy_panels(tiling->g.out.c), c = tiling->g.in.c, blocks = cvy_ceil_div(c, CVY_PANEL);
    const int ps = index % tiling->panel_splits, cs = index / tiling->panel_splits;
    struct cvy_weights_part p = {
        .panel = cvy_tile_begin(cvy_ceil_div(all, 2), tiling->panel_splits, ps) * 2,
        .channel = cvy_tile_begin(blocks, tiling->channel_splits, cs) * CVY_PANEL,
    };
    p.panels = cvy_min(all, cvy_tile_begin(cvy_ceil_div(all, 2), tiling->panel_splits, ps + 1) * 2) - p.panel;
    p.channels = cvy_min(c, cvy_tile_begin(blocks, tiling->channel_splits, cs + 1) * CVY_PANEL) - p.channel;
    return p;
}
