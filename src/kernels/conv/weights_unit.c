/* The units of backward-weights: x copied where windows reach over the edge or pixels would share cache sets, dy packed
 * into panels. */
#include <string.h>

#include "kernels/conv/weights_parts.h"

/* Pixel by pixel, so that dy is read as it lies in memory. */
static void pack(const float *dy, int pixels, int k, int panel, int panels, float *out, ptrdiff_t out_panel) {
    const int whole = cvy_min(panels, k / CVY_PANEL - panel), lanes = k - (panel + whole) * CVY_PANEL;
    dy += panel * CVY_PANEL;
    for (int i = 0; i < pixels; i++, dy += k, out += CVY_PANEL) {
        for (int p = 0; p < whole; p++) memcpy(out + p * out_panel, dy + p * CVY_PANEL, CVY_PANEL * sizeof *out);
        if (whole < panels)
            for (int j = 0; j < CVY_PANEL; j++) out[whole * out_panel + j] = j < lanes ? dy[whole * CVY_PANEL + j] : 0;
    }
}

/* Whether a vector of the unit's last pixel would reach beyond dy. */
static bool ends_dy(const struct cvy_conv *g, const struct cvy_weights_unit *u) {
    const int64_t rows_after = (int64_t)g->out.h * (g->n - u->sample) - u->oy - u->rows;
    return rows_after * g->out.w * g->out.c < CVY_PANEL - g->out.c;
}

/* Row iy of an image, from pixel `left` on, into `width` pixels; those outside are zero. */
static void copy_row(const struct cvy_weights_tiling *tiling, const struct cvy_weights_unit *u, const float *image,
                     int iy, int left, int width, float *out) {
    const struct cvy_shape in = tiling->g.in;
    const size_t bytes = (size_t)u->part.channels * sizeof *out;
    for (int j = 0; j < width; j++, out += tiling->pixel) {
        const int ix = left + j * tiling->every_w;
        if (ix < 0 || ix >= in.w)
            memset(out, 0, bytes);
        else
            memcpy(out, image + ((ptrdiff_t)iy * in.w + ix) * in.c + u->part.channel, bytes);
    }
}

/* The image rows of a unit's sample that exist. */
static void copy_image(const struct cvy_weights_tiling *tiling, const struct cvy_weights_unit *u, const float *image,
                       float *out) {
    const struct cvy_conv *g = &tiling->g;
    const int left = u->ox * g->stride_w - g->pad_left, width = cvy_weights_input_width(tiling, u->columns);
    const int first = u->oy * g->stride_h - g->pad_top, rows = cvy_weights_input_rows(tiling, u->rows);
    if (tiling->pixel == g->in.c && tiling->every_h == 1 && tiling->every_w == 1) {
        cvy_pad_rows(image, g->in, first, rows, left, width, out);
        return;
    }
    for (int i = 0; i < rows; i++, out += u->pitch) {
        const int iy = first + i * tiling->every_h;
        if (iy >= 0 && iy < g->in.h) copy_row(tiling, u, image, iy, left, width, out);
    }
}

/* Where unit `index` is; no pointers yet. */
static struct cvy_weights_unit unit_at(const struct cvy_weights_tiling *tiling, int index,
                                       const struct cvy_weights_part *part) {
    const struct cvy_conv *g = &tiling->g;
    const int band = index % tiling->bands;
    struct cvy_weights_unit u = {.sample = index / tiling->bands * tiling->samples, .rows = 1, .part = *part};
    u.samples = cvy_min(tiling->samples, g->n - u.sample);
    if (tiling->columns < g->out.w || g->out.h == 1) {
        u.ox = band * tiling->columns;
        u.columns = cvy_min(tiling->columns, g->out.w - u.ox);
    } else {
        u.oy = band * tiling->rows;
        u.rows = cvy_min(tiling->rows, g->out.h - u.oy);
        u.columns = tiling->columns;
    }
    return u;
}

static const float *dy_of(const struct cvy_conv *g, const struct cvy_weights_unit *u, const float *dy) {
    return dy + (((ptrdiff_t)u->sample * g->out.h + u->oy) * g->out.w + u->ox) * g->out.c;
}

struct cvy_weights_unit cvy_weights_unit_make(const struct cvy_weights_tiling *tiling, const float *x,
                                              const float *all_dy, int index, const struct cvy_weights_part *part,
                                              float *scratch) {
    const struct cvy_conv *g = &tiling->g;
    const int k = g->out.c, c = g->in.c, panel = part->panel, panels = part->panels;
    struct cvy_weights_unit u = unit_at(tiling, index, part);
    const float *image = x + u.sample * (ptrdiff_t)cvy_shape_count(g->in);
    if (tiling->copies) {
        u.x = scratch;
        u.pitch = (ptrdiff_t)cvy_weights_input_width(tiling, u.columns) * tiling->pixel;
        u.x_sample = cvy_weights_input_rows(tiling, u.rows) * u.pitch;
        for (int i = 0; i < u.samples; i++)
            copy_image(tiling, &u, image + i * (ptrdiff_t)cvy_shape_count(g->in), scratch + i * u.x_sample);
        u.row = u.oy * g->stride_h - g->pad_top;
    } else {
        u.x_sample = (ptrdiff_t)cvy_shape_count(g->in);
        u.x = image + ((ptrdiff_t)u.ox * g->stride_w - g->pad_left) * c + part->channel;
        u.pitch = (ptrdiff_t)g->in.w * c;
    }
    const float *dy = dy_of(g, &u, all_dy);
    if (tiling->packs) {
        u.dy = scratch + tiling->copy_floats;
        u.dy_step = CVY_PANEL;
        u.dy_row = (ptrdiff_t)u.columns * CVY_PANEL;
        u.dy_sample = u.rows * u.dy_row;
        u.dy_panel = u.samples * u.dy_sample + CVY_PANEL; /* no power of two, which would share cache sets */
        pack(dy, u.samples * u.rows * u.columns, k, panel, panels, scratch + tiling->copy_floats, u.dy_panel);
    } else if (tiling->wide && ends_dy(g, &u)) {
        const size_t floats = (size_t)u.rows * u.columns * k;
        u.dy = memcpy(scratch + tiling->copy_floats, dy, floats * sizeof *dy);
        memset(scratch + tiling->copy_floats + floats, 0, (CVY_PANEL - k) * sizeof *dy);
        u.dy_step = k;
        u.dy_row = (ptrdiff_t)u.columns * k;
    } else {
        u.dy = dy + panel * CVY_PANEL;
        u.dy_step = k;
        u.dy_row = (ptrdiff_t)g->out.w * k;
        u.dy_sample = g->out.h * u.dy_row;
        u.dy_panel = CVY_PANEL;
    }
    return u;
}

void cvy_weights_ahead(const struct cvy_weights_tiling *tiling, const float *x, const float *dy, int index,
                       const struct cvy_weights_part *part, struct cvy_ahead ahead[2]) {
    const struct cvy_conv *g = &tiling->g;
    const struct cvy_weights_unit u = unit_at(tiling, index, part);
    const int first = cvy_max(0, u.oy * g->stride_h - g->pad_top), column = g->in.h == 1 ? u.ox : 0;
    ahead[0] =
        (struct cvy_ahead){x + ((ptrdiff_t)(u.sample * g->in.h + first) * g->in.w + column) * g->in.c + part->channel,
                           (ptrdiff_t)tiling->every_w * g->in.c, part->channels / CVY_PANEL};
    ahead[1] = (struct cvy_ahead){dy_of(g, &u, dy) + part->panel * CVY_PANEL, g->out.c, part->panels};
}
