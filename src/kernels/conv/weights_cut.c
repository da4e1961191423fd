/* How backward-weights is cut, by the shape and the level alone: into units of output pixels, chunks of units, and
 * tasks of a chunk.
 */
#include "kernels/conv/weights_parts.h"

#include "core/ints.h"

enum {
    POINT_PIXELS = 400,       /* of a unit at most, 1×1 kernels */
    UNIT_FLOATS = 1 << 17,    /* of x or dy in a unit: 512 KiB, half of a second-level cache */
    UNIT_PIXELS = 256,        /* output pixels of a unit at most, where it takes several samples */
    PARTIAL_FLOATS = 1 << 21, /* of all chunks' sums together */
    CHUNK_PIXELS = 400,       /* output pixels of a chunk at least: joining a weight costs some tens of them */
    DIRECT_COLUMNS = 64,      /* dy is read where it is when k is a multiple of 16 up to this */
    CHANNEL_BLOCK = 64,       /* input channels are cut at multiples */
    PLACE_PIXELS = 64         /* from which on x and dy can be read in their places */
};

static void cut_units(struct cvy_weights_cut *cut) {
    struct cvy_conv *g = &cut->g;
    if (cvy_conv_is_point(g)) {
        const int pixels = g->n * g->in.h * g->in.w;
        g->n = g->in.h = g->out.h = cut->rows = 1;
        g->in.w = g->out.w = pixels;
        cut->columns = cvy_ceil_div(pixels, cvy_ceil_div(pixels, POINT_PIXELS));
        cut->bands = cut->units = cvy_ceil_div(pixels, cut->columns);
        return;
    }
    const int64_t x_floats = (int64_t)cut->width * cut->pixel * cvy_weights_step_h(cut) + 1;
    const int64_t dy_floats = (int64_t)g->out.w * g->out.c;
    const int rows = cvy_clamp(UNIT_FLOATS / (x_floats > dy_floats ? x_floats : dy_floats), 1, g->out.h);
    cut->columns = g->out.w;
    cut->bands = cvy_ceil_div(g->out.h, rows);
    cut->rows = cvy_ceil_div(g->out.h, cut->bands);
    cut->bands = cvy_ceil_div(g->out.h, cut->rows);
    if (!cut->wide && (cut->bands == 1 || g->out.h * g->out.w <= UNIT_PIXELS)) {
        cut->bands = 1;
        cut->rows = g->out.h;
        cut->samples = cvy_clamp(UNIT_PIXELS / (g->out.h * g->out.w), 1, g->n);
    }
    cut->units = cvy_ceil_div(g->n, cut->samples) * cut->bands;
}

/* Every part of the panels reads x, and every part of the channels dy: the cheapest way to `splits` tasks. */
static void split_both(struct cvy_weights_cut *cut, int splits) {
    const int groups = cvy_ceil_div(cvy_panels(cut->g.out.c), CVY_GROUP), blocks = cut->g.in.c / CHANNEL_BLOCK;
    int64_t least = INT64_MAX;
    for (int panels = 1; panels <= cvy_min(groups, splits); panels++) {
        const int channels = cvy_min(cvy_ceil_div(splits, panels), blocks);
        const int64_t copied = (int64_t)panels * cut->g.in.c + (int64_t)channels * cut->g.out.c;
        if (channels * panels < cvy_min(splits, groups) || copied >= least) continue;
        least = copied;
        cut->panel_splits = panels;
        cut->channel_splits = channels;
    }
}

static void cut_tasks(struct cvy_weights_cut *cut) {
    const struct cvy_conv *g = &cut->g;
    const int64_t macs = (int64_t)g->n * g->out.h * g->out.w * (int64_t)cvy_weights_floats(g);
    const int wanted = cvy_clamp(macs / CVY_TASK_MACS, 1, CVY_TASKS_WANTED);
    const int room = cvy_clamp(PARTIAL_FLOATS / (int64_t)cvy_weights_sum_floats(g), 1, CVY_TASKS_WANTED);
    const int worthwhile = cvy_clamp((int64_t)g->n * g->out.h * g->out.w / CHUNK_PIXELS, 1, CVY_TASKS_WANTED);
    cut->chunks = cvy_min(cvy_min(room, wanted), cvy_min(worthwhile, cut->units));
    const int splits = cvy_ceil_div(wanted, cut->chunks);
    cut->panel_splits = cvy_min(splits, cvy_ceil_div(cvy_panels(g->out.c), CVY_GROUP));
    if (cut->by_channels) split_both(cut, splits);
    cut->row_splits = cvy_min(cvy_ceil_div(splits, cut->panel_splits * cut->channel_splits), g->r);
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

static void cut_copies(struct cvy_weights_cut *cut, bool stay) {
    const struct cvy_conv *g = &cut->g;
    cut->by_channels = !cut->wide && shares_sets(g);
    cut->apart = cut->by_channels && !stay;
    cut->width = cvy_weights_input_width(cut, g->out.w);
    cut->copies = !(stay && cut->by_channels) && (cut->apart || g->pad_left > 0 || cut->width - g->pad_left > g->in.w);
    cut->pixel = g->in.c + (cut->apart ? CVY_PANEL : 0);
    if (!cut->copies) return;
    if (g->r == 1) cut->every_h = g->stride_h;
    if (g->s == 1) cut->every_w = g->stride_w;
    cut->width = cvy_weights_input_width(cut, g->out.w);
}

bool cvy_weights_packs(const struct cvy_conv *g) {
    return g->out.c % CVY_PANEL != 0 || g->out.c > DIRECT_COLUMNS;
}

struct cvy_weights_cut cvy_weights_cut_make(const struct cvy_conv *original, bool large_blocks) {
    struct cvy_weights_cut cut = {
        .g = cvy_widen(original), .samples = 1, .every_h = 1, .every_w = 1, .channel_splits = 1};
    const struct cvy_conv *g = &cut.g;
    cut.wide = g->s != original->s;
    const bool stay = stays(g, large_blocks);
    cut.packs = !cut.wide && cvy_weights_packs(g) && !(stay && g->out.c % CVY_PANEL == 0);
    cut_copies(&cut, stay);
    cut_units(&cut);
    cut_tasks(&cut);
    if (cut.apart) cut.pixel = cvy_ceil_div(g->in.c / CHANNEL_BLOCK, cut.channel_splits) * CHANNEL_BLOCK + CVY_PANEL;
    if (cut.copies)
        cut.copy_floats = cvy_round_up((size_t)cut.samples * cvy_weights_input_rows(&cut, cut.rows) *
                                           cvy_weights_input_width(&cut, cut.columns) * cut.pixel,
                                       CVY_PANEL);
    const int panels = cvy_ceil_div(cvy_panels(g->out.c), cut.panel_splits);
    cut.scratch_floats = cut.copy_floats;
    if (cut.packs || cut.wide)
        cut.scratch_floats += ((size_t)cut.samples * cut.rows * cut.columns + 1) * panels * CVY_PANEL;
    return cut;
}

struct cvy_weights_part cvy_weights_part_of(const struct cvy_weights_cut *cut, int index) {
    const int panels = cvy_panels(cut->g.out.c), blocks = cut->g.in.c / CHANNEL_BLOCK;
    const int rs = index % cut->row_splits, ps = index / cut->row_splits % cut->panel_splits;
    const int cs = index / cut->row_splits / cut->panel_splits;
    struct cvy_weights_part p = {.panel = cvy_cut(panels, cut->panel_splits, ps),
                                 .channels = cut->g.in.c,
                                 .row = cvy_cut(cut->g.r, cut->row_splits, rs)};
    p.panels = cvy_cut(panels, cut->panel_splits, ps + 1) - p.panel;
    p.rows = cvy_cut(cut->g.r, cut->row_splits, rs + 1) - p.row;
    if (cut->channel_splits > 1) {
        p.channel = cvy_cut(blocks, cut->channel_splits, cs) * CHANNEL_BLOCK;
        p.channels = cvy_cut(blocks, cut->channel_splits, cs + 1) * CHANNEL_BLOCK - p.channel;
    }
    return p;
}
