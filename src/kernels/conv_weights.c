/* The gradient of weights and bias: dw[r][s][c][k] = Σ x[…][c] · dy[…][k] over all pixels of all samples.
 *
 * Per kernel row it is a product of rows (s, c), contiguous in an image row, and a depth of output pixels:
 *
 *   A: image row, padded in scratch     row stride 1, step stride_w·c, a pair for each output row
 *   B: dy, packed to [panel][pixel][16] where its rows are far apart or end within a panel
 *
 * The sum is cut into units (a band of output rows of a sample; for 1×1 kernels a stretch of pixels) of which x and dy
 * fit the cache, and the units into chunks. Each chunk has a sum of its own in the workspace, where the outputs alone
 * would give too few tasks; these are added in the order of the chunks. Cuts depend on the shape only. The bias
 * gradient is the same product with ones for A. */
#include <string.h>

#include "kernels/conv_parts.h"
#include "kernels/trace.h"
#include "kernels/winograd.h"

enum {
    POINT_PIXELS = 256,       /* of a unit, 1×1 kernels */
    UNIT_PIXELS = 256,        /* output pixels of a unit at most, where it takes several samples */
    PARTIAL_FLOATS = 1 << 21, /* of all chunks' sums together */
    CHUNK_PIXELS = 400,       /* output pixels of a chunk at least: joining a weight costs some tens of them */
    DIRECT_COLUMNS = 64,      /* dy is read where it is when k is a multiple of 16 up to this */
    CHANNEL_BLOCK = 64,       /* input channels are cut at multiples */
    JOIN_FLOATS = 1 << 12     /* a task of the joining */
};

struct cut {
    struct cvy_conv g;            /* 1×1 kernels: one sample of one row; few channels: widened */
    bool wide;                    /* g is widened: the sum is folded at the end, lanes beyond k are not used */
    int rows, columns;            /* output rows and columns of a unit */
    int bands, units;             /* units a sample; in all */
    int chunks;                   /* of the units */
    int panel_splits, row_splits; /* tasks of a chunk: parts of the panels × of the kernel rows */
    int channel_splits;           /* × of the input channels, where pixels are copied apart */
    bool copies, packs;
    bool apart;                         /* copied pixels have a gap between them */
    int samples;                        /* of a unit: several where images are small */
    int pixel;                          /* floats from one pixel of x to the next, as units see it */
    int every_h, every_w;               /* of the image rows and columns, which are copied */
    int width;                          /* pixels of a copied image row */
    size_t copy_floats, scratch_floats; /* a thread: copied image rows; with packed dy */
    size_t sum_floats;                  /* of a chunk: weights and bias as they are stored */
};

/* The stride among copied rows: a kernel of one row copies only those it reads. */
static int step_h(const struct cut *cut) {
    return cut->g.stride_h / cut->every_h;
}
static int step_w(const struct cut *cut) {
    return cut->g.stride_w / cut->every_w;
}

/* Copied rows and pixels of so many outputs. */
static int input_rows(const struct cut *cut, int rows) {
    return (rows - 1) * step_h(cut) + (cut->g.r - 1) * cut->g.dilation_h + 1;
}
static int input_width(const struct cut *cut, int columns) {
    return (columns - 1) * step_w(cut) + (cut->g.s - 1) * cut->g.dilation_w + 1;
}

static size_t weight_floats(const struct cvy_conv *g) {
    return (size_t)g->r * g->s * g->in.c * cvy_panels(g->out.c) * CVY_PANEL;
}

static size_t round_up(size_t floats) {
    return (floats + CVY_PANEL - 1) / CVY_PANEL * CVY_PANEL;
}

static void cut_units(struct cut *cut) {
    struct cvy_conv *g = &cut->g;
    if (cvy_conv_is_point(g)) {
        const int pixels = g->n * g->in.h * g->in.w;
        g->n = g->in.h = g->out.h = cut->rows = 1;
        g->in.w = g->out.w = pixels;
        cut->columns = cvy_least(pixels, POINT_PIXELS);
        cut->bands = cut->units = cvy_ceil_div(pixels, POINT_PIXELS);
        return;
    }
    const int64_t x_floats = (int64_t)cut->width * cut->pixel * step_h(cut) + 1;
    const int64_t dy_floats = (int64_t)g->out.w * g->out.c;
    const int rows = cvy_clamp(CVY_BAND_FLOATS / (x_floats > dy_floats ? x_floats : dy_floats), 1, g->out.h);
    cut->columns = g->out.w;
    cut->bands = cvy_ceil_div(g->out.h, rows);
    cut->rows = cvy_ceil_div(g->out.h, cut->bands);
    cut->bands = cvy_ceil_div(g->out.h, cut->rows);
    if (cut->packs && (cut->bands == 1 || g->out.h * g->out.w <= UNIT_PIXELS)) {
        cut->bands = 1;
        cut->rows = g->out.h;
        cut->samples = cvy_clamp(UNIT_PIXELS / (g->out.h * g->out.w), 1, g->n);
    }
    cut->units = cvy_ceil_div(g->n, cut->samples) * cut->bands;
}

/* Every part of the panels copies x, and every part of the channels packs dy: the cheapest way to `splits` tasks. */
static void split_both(struct cut *cut, int splits) {
    const int groups = cvy_ceil_div(cvy_panels(cut->g.out.c), CVY_GROUP), blocks = cut->g.in.c / CHANNEL_BLOCK;
    int64_t least = INT64_MAX;
    for (int panels = 1; panels <= cvy_least(groups, splits); panels++) {
        const int channels = cvy_least(cvy_ceil_div(splits, panels), blocks);
        const int64_t copied = (int64_t)panels * cut->g.in.c + (int64_t)channels * cut->g.out.c;
        if (channels * panels < cvy_least(splits, groups) || copied >= least) continue;
        least = copied;
        cut->panel_splits = panels;
        cut->channel_splits = channels;
    }
}

static void cut_tasks(struct cut *cut) {
    const struct cvy_conv *g = &cut->g;
    const int64_t macs = (int64_t)g->n * g->out.h * g->out.w * (int64_t)weight_floats(g);
    const int wanted = cvy_clamp(macs / CVY_TASK_MACS, 1, CVY_TASKS_WANTED);
    const int room = cvy_clamp(PARTIAL_FLOATS / (int64_t)cut->sum_floats, 1, CVY_TASKS_WANTED);
    const int worthwhile = cvy_clamp((int64_t)g->n * g->out.h * g->out.w / CHUNK_PIXELS, 1, CVY_TASKS_WANTED);
    cut->chunks = cvy_least(cvy_least(room, wanted), cvy_least(worthwhile, cut->units));
    const int splits = cvy_ceil_div(wanted, cut->chunks);
    cut->panel_splits = cvy_least(splits, cvy_ceil_div(cvy_panels(g->out.c), CVY_GROUP));
    if (cut->apart) split_both(cut, splits);
    cut->row_splits = cvy_least(cvy_ceil_div(splits, cut->panel_splits * cut->channel_splits), g->r);
}

/* Down a channel of x a product reads a number a pixel. Where pixels are a power of two apart, or near it, these share
 * a few sets of the first-level cache (4 KiB: a single one), and each of the 16 channels of a line fetches it again. */
static bool shares_sets(const struct cvy_conv *g) {
    return g->in.c >= 128 && g->in.c % CHANNEL_BLOCK == 0 && g->out.c > DIRECT_COLUMNS;
}

static void cut_copies(struct cut *cut) {
    const struct cvy_conv *g = &cut->g;
    cut->apart = !cut->wide && shares_sets(g);
    cut->width = input_width(cut, g->out.w);
    cut->copies = cut->apart || g->pad_left > 0 || cut->width - g->pad_left > g->in.w;
    cut->pixel = g->in.c + (cut->apart ? CVY_PANEL : 0);
    if (!cut->copies) return;
    if (g->r == 1) cut->every_h = g->stride_h;
    if (g->s == 1) cut->every_w = g->stride_w;
    cut->width = input_width(cut, g->out.w);
}

static struct cut make_cut(const struct cvy_conv *original) {
    struct cut cut = {.g = cvy_widen(original), .samples = 1, .every_h = 1, .every_w = 1, .channel_splits = 1};
    const struct cvy_conv *g = &cut.g;
    cut.wide = g->s != original->s;
    cut.packs = !cut.wide && (g->out.c % CVY_PANEL != 0 || g->out.c > DIRECT_COLUMNS);
    cut_copies(&cut);
    cut.sum_floats = weight_floats(g) + (size_t)cvy_panels(g->out.c) * CVY_PANEL;
    cut_units(&cut);
    cut_tasks(&cut);
    if (cut.apart) cut.pixel = cvy_ceil_div(g->in.c / CHANNEL_BLOCK, cut.channel_splits) * CHANNEL_BLOCK + CVY_PANEL;
    if (cut.copies)
        cut.copy_floats =
            round_up((size_t)cut.samples * input_rows(&cut, cut.rows) * input_width(&cut, cut.columns) * cut.pixel);
    const int panels = cvy_ceil_div(cvy_panels(g->out.c), cut.panel_splits);
    cut.scratch_floats = cut.copy_floats;
    if (cut.packs || cut.wide) cut.scratch_floats += (size_t)cut.samples * cut.rows * cut.columns * panels * CVY_PANEL;
    return cut;
}

size_t cvy_weights_workspace(const struct cvy_conv *g, int threads) {
    struct cut cut = make_cut(g);
    const size_t winograd = cvy_winograd_suits(g) ? cvy_winograd_weights_workspace(g) : 0;
    const size_t direct = (cut.chunks > 1 || cut.wide ? cut.chunks * cut.sum_floats : 0) + threads * cut.scratch_floats;
    return winograd > direct ? winograd : direct;
}

struct weights {
    const struct cvy_compute *compute;
    const float *x, *dy;
    float *dw, *dbias;      /* of the first chunk; dbias may be NULL */
    ptrdiff_t chunk_stride; /* to the next chunk's */
    float *scratch;
    struct cut cut;
};

/* Of dw, what a task sums up. */
struct part {
    int panel, panels, channel, channels, row, rows;
};

/* A unit as a task sees it. */
struct unit {
    int sample, samples, oy, rows, ox, columns;
    const float *x; /* image row `row`, column ox·stride_w − pad_left */
    int row;
    ptrdiff_t pitch, x_sample;
    const float *dy; /* panel `panel` of output pixel (oy, ox) */
    ptrdiff_t dy_sample, dy_row, dy_step, dy_panel;
    struct part part;
    bool first; /* of its chunk */
};

static void pack(const float *dy, int pixels, int k, int panel, int panels, float *out) {
    for (int p = panel; p < panel + panels; p++) {
        const int lanes = cvy_least(CVY_PANEL, k - p * CVY_PANEL);
        const float *from = dy + p * CVY_PANEL;
        for (int i = 0; i < pixels; i++, out += CVY_PANEL, from += k)
            if (lanes == CVY_PANEL)
                memcpy(out, from, CVY_PANEL * sizeof *out);
            else
                for (int j = 0; j < CVY_PANEL; j++) out[j] = j < lanes ? from[j] : 0;
    }
}

/* Whether a vector of the unit's last pixel would reach beyond dy. */
static bool ends_dy(const struct cvy_conv *g, const struct unit *u) {
    const int64_t rows_after = (int64_t)g->out.h * (g->n - u->sample) - u->oy - u->rows;
    return rows_after * g->out.w * g->out.c < CVY_PANEL - g->out.c;
}

/* Row iy of an image, from pixel `left` on, into `width` pixels; those outside are zero. */
static void copy_row(const struct cut *cut, const struct unit *u, const float *image, int iy, int left, int width,
                     float *out) {
    const struct cvy_shape in = cut->g.in;
    const size_t bytes = (size_t)u->part.channels * sizeof *out;
    for (int j = 0; j < width; j++, out += cut->pixel) {
        const int ix = left + j * cut->every_w;
        if (ix < 0 || ix >= in.w)
            memset(out, 0, bytes);
        else
            memcpy(out, image + ((ptrdiff_t)iy * in.w + ix) * in.c + u->part.channel, bytes);
    }
}

/* The image rows of a unit's sample that exist. */
static void copy_image(const struct cut *cut, const struct unit *u, const float *image, float *out) {
    const struct cvy_conv *g = &cut->g;
    const int left = u->ox * g->stride_w - g->pad_left, width = input_width(cut, u->columns);
    const int first = u->oy * g->stride_h - g->pad_top, rows = input_rows(cut, u->rows);
    if (cut->pixel == g->in.c && cut->every_h == 1 && cut->every_w == 1) {
        cvy_pad_rows(image, g->in, first, rows, left, width, out);
        return;
    }
    for (int i = 0; i < rows; i++, out += u->pitch) {
        const int iy = first + i * cut->every_h;
        if (iy >= 0 && iy < g->in.h) copy_row(cut, u, image, iy, left, width, out);
    }
}

static struct unit make_unit(const struct weights *d, int index, const struct part *part, float *scratch) {
    const struct cut *cut = &d->cut;
    const struct cvy_conv *g = &cut->g;
    const int k = g->out.c, c = g->in.c, band = index % cut->bands;
    const int panel = part->panel, panels = part->panels;
    struct unit u = {.sample = index / cut->bands * cut->samples, .rows = 1, .part = *part};
    u.samples = cvy_least(cut->samples, g->n - u.sample);
    if (cut->columns < g->out.w || g->out.h == 1) {
        u.ox = band * cut->columns;
        u.columns = cvy_least(cut->columns, g->out.w - u.ox);
    } else {
        u.oy = band * cut->rows;
        u.rows = cvy_least(cut->rows, g->out.h - u.oy);
        u.columns = cut->columns;
    }
    const float *image = d->x + u.sample * (ptrdiff_t)cvy_shape_count(g->in);
    if (cut->copies) {
        u.x = scratch;
        u.pitch = (ptrdiff_t)input_width(cut, u.columns) * cut->pixel;
        u.x_sample = input_rows(cut, u.rows) * u.pitch;
        for (int i = 0; i < u.samples; i++)
            copy_image(cut, &u, image + i * (ptrdiff_t)cvy_shape_count(g->in), scratch + i * u.x_sample);
        u.row = u.oy * g->stride_h - g->pad_top;
    } else {
        u.x_sample = (ptrdiff_t)cvy_shape_count(g->in);
        u.x = image + ((ptrdiff_t)u.ox * g->stride_w - g->pad_left) * c;
        u.pitch = (ptrdiff_t)g->in.w * c;
    }
    const float *dy = d->dy + (((ptrdiff_t)u.sample * g->out.h + u.oy) * g->out.w + u.ox) * k;
    if (cut->packs) {
        u.dy = scratch + cut->copy_floats;
        u.dy_step = CVY_PANEL;
        u.dy_row = (ptrdiff_t)u.columns * CVY_PANEL;
        u.dy_sample = u.rows * u.dy_row;
        u.dy_panel = u.samples * u.dy_sample;
        pack(dy, u.samples * u.rows * u.columns, k, panel, panels, scratch + cut->copy_floats);
    } else if (cut->wide && ends_dy(g, &u)) {
        const size_t floats = (size_t)u.rows * u.columns * k;
        u.dy = memcpy(scratch + cut->copy_floats, dy, floats * sizeof *dy);
        memset(scratch + cut->copy_floats + floats, 0, (CVY_PANEL - k) * sizeof *dy);
        u.dy_step = k;
        u.dy_row = (ptrdiff_t)u.columns * k;
    } else {
        u.dy = dy + panel * CVY_PANEL;
        u.dy_step = k;
        u.dy_row = (ptrdiff_t)g->out.w * k;
        u.dy_panel = CVY_PANEL;
    }
    return u;
}

/* What all products of a unit have in common: B, the group of panels at `panel`, and C's place for it. */
static struct cvy_product product_of(const struct cut *cut, const struct unit *u, int panel, int panels, float *c,
                                     ptrdiff_t c_panel) {
    return (struct cvy_product){
        .columns = cut->wide ? cut->g.out.c : panels * CVY_PANEL,
        .outer = u->samples,
        .inner = u->rows,
        .depth = u->columns,
        .a_row = 1,
        .b = u->dy + (panel - u->part.panel) * u->dy_panel,
        .b_panel = u->dy_panel,
        .b_step = u->dy_step,
        .b_inner = u->dy_row,
        .b_outer = u->dy_sample,
        .c = c + panel * c_panel,
        .c_row = CVY_PANEL,
        .c_panel = c_panel,
        .accumulate = !u->first,
    };
}

static void add_bias(const struct weights *d, const struct unit *u, int panel, int panels, float *dbias) {
    static const float one = 1;
    struct cvy_product p = product_of(&d->cut, u, panel, panels, dbias, CVY_PANEL);
    p.rows = 1;
    p.a = &one;
    d->compute->table->product(&p);
}

static int floor_div(int a, int b) {
    return a >= 0 ? a / b : -cvy_ceil_div(-a, b);
}

static void add_kernel_row(const struct weights *d, const struct unit *u, int r, int panel, int panels, float *dw) {
    const struct cvy_conv *g = &d->cut.g;
    const int c = g->in.c, pixel = d->cut.pixel;
    const bool whole_rows = g->dilation_w == 1 && !d->cut.apart;
    const int taps = whole_rows ? 1 : g->s, rows = whole_rows ? g->s * c : u->part.channels;
    struct cvy_product p = product_of(&d->cut, u, panel, panels, dw, (ptrdiff_t)g->r * g->s * c * CVY_PANEL);
    /* the output rows whose image row, top + i·stride_h, exists */
    const int top = u->oy * g->stride_h - g->pad_top + r * g->dilation_h;
    const int begin = top < 0 ? cvy_least(u->rows, cvy_ceil_div(-top, g->stride_h)) : 0;
    const int end = cvy_most(begin, cvy_least(u->rows, floor_div(g->in.h - 1 - top, g->stride_h) + 1));
    p.inner = end - begin;
    p.rows = rows;
    p.a_step = (ptrdiff_t)step_w(&d->cut) * pixel;
    p.a_inner = step_h(&d->cut) * u->pitch;
    p.a_outer = u->x_sample;
    p.b += begin * u->dy_row;
    p.c += ((ptrdiff_t)r * g->s * c + u->part.channel) * CVY_PANEL;
    for (int t = 0; t < taps; t++, p.c += c * CVY_PANEL) {
        if (begin < end)
            p.a = u->x + (top + begin * g->stride_h - u->row) / d->cut.every_h * u->pitch +
                  (ptrdiff_t)t * g->dilation_w * pixel;
        d->compute->table->product(&p);
    }
}

static struct part part_of(const struct cut *cut, int index) {
    const int panels = cvy_panels(cut->g.out.c), blocks = cut->g.in.c / CHANNEL_BLOCK;
    const int rs = index % cut->row_splits, ps = index / cut->row_splits % cut->panel_splits;
    const int cs = index / cut->row_splits / cut->panel_splits;
    struct part p = {.panel = cvy_cut(panels, cut->panel_splits, ps),
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

static int parts(const struct cut *cut) {
    return cut->panel_splits * cut->row_splits * cut->channel_splits;
}

static void task(void *arg, int t, int thread) {
    const struct weights *d = arg;
    const struct cut *cut = &d->cut;
    const struct part part = part_of(cut, t % parts(cut));
    const int chunk = t / parts(cut), end = part.panel + part.panels;
    const int first = cvy_cut(cut->units, cut->chunks, chunk), last = cvy_cut(cut->units, cut->chunks, chunk + 1);
    float *dw = d->dw + chunk * d->chunk_stride, *dbias = d->dbias ? d->dbias + chunk * d->chunk_stride : NULL;
    for (int i = first; i < last; i++) {
        struct unit u = make_unit(d, i, &part, d->scratch + thread * cut->scratch_floats);
        u.first = i == first;
        for (int p = part.panel, count; p < end; p += count) {
            count = cvy_ceil_div(end - p, cvy_ceil_div(end - p, CVY_GROUP));
            if (dbias && part.row == 0 && part.channel == 0) add_bias(d, &u, p, count, dbias);
            for (int r = part.row; r < part.row + part.rows; r++) add_kernel_row(d, &u, r, p, count, dw);
        }
    }
}

struct join {
    const struct weights *d;
    float *dw, *dbias; /* may be the first chunk's own */
    size_t weights;
};

static void join_range(const struct weights *d, const float *sums, size_t floats, float *out) {
    if (out != sums) memcpy(out, sums, floats * sizeof *out);
    for (int i = 1; i < d->cut.chunks; i++) d->compute->table->add(out, sums + i * d->chunk_stride, (int64_t)floats);
}

static void join_task(void *arg, int t, int thread) {
    (void)thread;
    const struct join *j = arg;
    const size_t begin = (size_t)t * JOIN_FLOATS, left = j->weights - begin;
    join_range(j->d, j->d->dw + begin, left < JOIN_FLOATS ? left : JOIN_FLOATS, j->dw + begin);
    if (t == 0 && j->dbias) join_range(j->d, j->d->dbias, (size_t)cvy_panels(j->d->cut.g.out.c) * CVY_PANEL, j->dbias);
}

static void join_chunks(const struct weights *d, float *dw, float *dbias) {
    struct join join = {d, dw, dbias, weight_floats(&d->cut.g)};
    cvy_parallel(d->compute->pool, (int)((join.weights + JOIN_FLOATS - 1) / JOIN_FLOATS), join_task, &join);
}

void cvy_conv_backward_weights(const struct cvy_compute *compute, const struct cvy_conv *g, const float *x,
                               const float *dy, float *dw, float *dbias, void *ws) {
    if (compute->winograd && cvy_winograd_suits(g)) {
        cvy_trace_algorithm(compute, "winograd");
        cvy_winograd_weights(compute, g, x, dy, dw, dbias, ws);
        return;
    }
    struct weights d = {compute, x, dy, dw, dbias, 0, ws, make_cut(g)};
    const struct cut *cut = &d.cut;
    cvy_trace_algorithm(compute, cut->wide ? "widened" : cut->packs ? "packed" : "rows");
    const bool apart = cut->chunks > 1 || cut->wide;
    if (apart) {
        d.chunk_stride = (ptrdiff_t)cut->sum_floats;
        d.dw = ws;
        d.dbias = dbias ? d.dw + weight_floats(&cut->g) : NULL;
        d.scratch = d.dw + cut->chunks * cut->sum_floats;
    }
    cvy_parallel(compute->pool, cut->chunks * parts(cut), task, &d);
    if (cut->wide) {
        join_chunks(&d, d.dw, d.dbias);
        cvy_wide_fold(g, &cut->g, d.dw, d.dbias, dw, dbias);
    } else if (apart)
        join_chunks(&d, dw, dbias);
}
