/* Units of the gradient of the weights in bf16: x and dy of a band of two samples, or of two halves of one, woven into
 * pairs. */
#include <string.h>

#include "core/ints.h"
#include "kernels/conv/bf16_weights.h"

struct cvy_woven_half cvy_woven_half_of(const struct cvy_woven_tiling *tiling, int index, int image, int which) {
    const struct cvy_conv *g = &tiling->g;
    const int at = index / tiling->bands * tiling->images + image;
    const int band = index % tiling->bands + (tiling->twins ? 0 : which * tiling->bands);
    struct cvy_woven_half half = {.sample = tiling->twins ? 2 * at + which : at, .rows = 1, .columns = tiling->columns};
    if (g->out.h == 1) {
        half.ox = band * tiling->columns;
        half.columns = cvy_clamp(g->out.w - half.ox, 0, tiling->columns);
    } else {
        half.oy = band * tiling->rows;
        half.rows = cvy_clamp(g->out.h - half.oy, 0, tiling->rows);
    }
    return half;
}

/* Pixels of a row: pixel j's numbers are at + j·row, for begin ≤ j < end. */
struct span {
    const cvy_bf16 *at;
    int begin, end;
};

static int least_above(int j, const struct span *s, int least) {
    if (s->begin > j && s->begin < least) return s->begin;
    return s->end > j && s->end < least ? s->end : least;
}

/* `pixels` pixels of both, zeros where there are none; `w` says the rest. */
static void weave_spans(const struct cvy_bf16_table *table, const struct span both[2], int pixels,
                        const struct cvy_weave *w, cvy_pair *out) {
    for (int j = 0, next; j < pixels; j = next) {
        struct cvy_weave part = *w;
        next = least_above(j, &both[1], least_above(j, &both[0], pixels));
        part.first = j >= both[0].begin && j < both[0].end ? both[0].at + j * w->row : NULL;
        part.second = j >= both[1].begin && j < both[1].end ? both[1].at + j * w->row : NULL;
        part.out = out + j * w->out_row;
        part.rows = next - j;
        if (w->row == w->count && w->out_row == w->count && w->out_panel == CVY_PANEL) { /* one stretch */
            part.count *= part.rows;
            part.rows = 1;
        }
        table->weave(&part);
    }
}

/* Image row i of the half, in scratch's pixels. */
static struct span image_span(const struct cvy_woven_operands *o, const struct cvy_woven_half *half, int i,
                              int channel) {
    const struct cvy_conv *g = &o->tiling->g;
    const int iy = half->oy * g->stride_h - g->pad_top + i * cvy_woven_every_h(g),
              ix = half->ox * g->stride_w - g->pad_left;
    if (iy < 0 || iy >= g->in.h || half->rows == 0 || half->columns == 0) return (struct span){NULL, 0, 0};
    struct span s = {o->x + (((ptrdiff_t)half->sample * g->in.h + iy) * g->in.w + ix) * g->in.c + channel, 0, 0};
    cvy_rows_inside(ix, cvy_woven_every_w(g), cvy_woven_width(g, half->columns), g->in.w, &s.begin, &s.end);
    return s;
}

static struct span gradient_span(const struct cvy_woven_operands *o, const struct cvy_woven_half *half, int i,
                                 int panel) {
    const struct cvy_conv *g = &o->tiling->g;
    if (i >= half->rows) return (struct span){NULL, 0, 0};
    const ptrdiff_t pixel = ((ptrdiff_t)half->sample * g->out.h + half->oy + i) * g->out.w + half->ox;
    return (struct span){o->dy + pixel * g->out.c + panel * CVY_PANEL, 0, half->columns};
}

static void weave_image(const struct cvy_woven_operands *o, const struct cvy_woven_unit *u, int image, cvy_pair *a) {
    const struct cvy_woven_tiling *tiling = o->tiling;
    const struct cvy_conv *g = &tiling->g;
    const struct cvy_woven_half first = cvy_woven_half_of(tiling, u->index, image, 0),
                                second = cvy_woven_half_of(tiling, u->index, image, 1);
    const struct cvy_weave w = {.row = (ptrdiff_t)cvy_woven_every_w(g) * g->in.c,
                                .count = u->part.channels,
                                .out_row = u->part.channels,
                                .out_panel = CVY_PANEL};
    for (int i = 0; i < cvy_woven_input_rows(g, tiling->rows); i++, a += u->a_row) {
        const struct span both[2] = {image_span(o, &first, i, u->part.channel),
                                     image_span(o, &second, i, u->part.channel)};
        weave_spans(o->table, both, tiling->width, &w, a);
    }
}

static void weave_gradient(const struct cvy_woven_operands *o, const struct cvy_woven_unit *u, int image, cvy_pair *b) {
    const struct cvy_woven_tiling *tiling = o->tiling;
    const int k = tiling->g.out.c, panel = u->part.panel;
    const struct cvy_woven_half first = cvy_woven_half_of(tiling, u->index, image, 0),
                                second = cvy_woven_half_of(tiling, u->index, image, 1);
    const struct cvy_weave w = {.row = k,
                                .count = cvy_min(u->part.panels * CVY_PANEL, k - panel * CVY_PANEL),
                                .out_row = CVY_PANEL,
                                .out_panel = u->b_panel};
    for (int i = 0; i < tiling->rows; i++, b += u->b_row) {
        const struct span both[2] = {gradient_span(o, &first, i, panel), gradient_span(o, &second, i, panel)};
        weave_spans(o->table, both, tiling->columns, &w, b);
    }
}

struct cvy_woven_unit cvy_woven_unit_make(const struct cvy_woven_operands *o, int index,
                                          const struct cvy_weights_part *part, cvy_pair *scratch) {
    const struct cvy_woven_tiling *tiling = o->tiling;
    const struct cvy_conv *g = &tiling->g;
    const int left = (tiling->twins ? g->n / 2 : g->n) - index / tiling->bands * tiling->images;
    struct cvy_woven_unit u = {.index = index, .images = cvy_min(left, tiling->images), .part = *part};
    u.a = scratch;
    u.b = scratch + tiling->a_pairs;
    u.a_row = (ptrdiff_t)tiling->width * part->channels;
    u.a_image = cvy_woven_input_rows(g, tiling->rows) * u.a_row;
    u.b_row = (ptrdiff_t)tiling->columns * CVY_PANEL;
    u.b_image = tiling->rows * u.b_row;
    u.b_panel = tiling->images * u.b_image + CVY_PANEL; /* no power of two, which would share cache sets */
    if ((part->panel + part->panels) * CVY_PANEL > g->out.c)
        memset(scratch + tiling->a_pairs + (part->panels - 1) * u.b_panel, 0, (size_t)u.b_panel * sizeof *scratch);
    for (int i = 0; i < u.images; i++) {
        weave_image(o, &u, i, scratch + i * u.a_image);
        weave_gradient(o, &u, i, scratch + tiling->a_pairs + i * u.b_image);
    }
    return u;
}

void cvy_woven_ahead(const struct cvy_woven_operands *o, int index, const struct cvy_weights_part *part,
                     struct cvy_ahead ahead[4]) {
    const struct cvy_conv *g = &o->tiling->g;
    for (int i = 0; i < 2; i++) {
        const struct cvy_woven_half half = cvy_woven_half_of(o->tiling, index, 0, i);
        const struct span x = image_span(o, &half, g->pad_top, part->channel);
        const struct span dy = gradient_span(o, &half, 0, part->panel);
        ahead[i] = (struct cvy_ahead){(const float *)(const void *)x.at, cvy_woven_every_w(g) * g->in.c / 2,
                                      x.at ? cvy_ceil_div(part->channels, 2 * CVY_PANEL) : 0};
        ahead[2 + i] = (struct cvy_ahead){(const float *)(const void *)dy.at, g->out.c / 2,
                                          dy.at ? cvy_ceil_div(part->panels, 2) : 0};
    }
}
