/* The product of pairs by tiles: registers of up to 16 rows of 64 bytes, multiplied as wholes.
 *
 *   A: rows of C × 16 pairs      B: 16 pairs × 16 columns, as the panels lie      C: 16 × 16 sums
 *
 *              B0   B1
 *        A0    C0   C1
 *        A1    C2   C3
 *
 * A block is two strips of up to 16 rows by two panels: four tiles of sums, two of A, two of B. Strips are anywhere: of
 * short lines each one has its own. Where A's rows are adjacent, so that a row's pairs are not, A is turned first, for
 * four panels at once.
 *
 * Tiles are configured for what a step takes, so nothing is padded. A depth that cannot be cut into equal steps ends
 * with a shorter one: all full steps of the sum are taken first, then, configured anew, all short ones.
 *
 * The including file defines VEC_BITS and TABLE as for bf16_template.h, and these operations on tiles 0 … 7, given as
 * literals, with the meaning of the instructions of their names (a test gives them in plain C):
 *
 *   TILE_CONFIGURE(config)            LDTILECFG; config: const struct tile_config *
 *   TILE_ZERO(t)                      TILEZERO
 *   TILE_LOAD(t, from, bytes)         TILELOADD; `bytes` from row to row
 *   TILE_STORE(t, to, bytes)          TILESTORED
 *   TILE_DOT(c, a, b)                 TDPBF16PS
 *   TILE_RELEASE()                    TILERELEASE */
#include "kernels/simd/elements_pairs.h"
#include "core/ints.h"
#include "kernels/simd/product_finish.h"

enum {
    TILE = 16,         /* rows of a tile; pairs or floats of a row */
    STRIPS = 2,        /* of a block */
    MOST_PANELS = 4,   /* that the same strips are multiplied with */
    STEPS_TURNED = 16, /* of A at a time: 32 KiB */
    ROWS_FINISHED = 8  /* at a time */
};

/* What LDTILECFG reads. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};
_Static_assert(sizeof(struct tile_config) == 64, "a configuration has 64 bytes");

/* Of every stretch of `depth` pairs: `steps` steps of `pairs` pairs, from `first` on. */
struct part {
    int first, pairs, steps;
};

/* Rows of one line of C. */
struct strip {
    int line, row, count;
};

/* A step of the sum: which, and where A's first row and B's first panel are. */
struct cursor {
    int outer, inner, step;
    const cvy_pair *a, *b;
};

typedef float sums_tile[TILE][TILE];
typedef cvy_pair turned_tile[TILE][TILE];

/* The work on two strips and up to MOST_PANELS panels. */
struct work {
    const struct cvy_product *g;
    struct strip strips[STRIPS];
    int panel, panels;
    bool begun; /* the sums hold something */
    _Alignas(64) sums_tile sums[MOST_PANELS][STRIPS];
    _Alignas(64) turned_tile turned[STEPS_TURNED][STRIPS];
};

/* ---- the order of the sum ---- */

/* Into equal steps where there are such; else the last part is one step of what is left. */
static int cut_depth(int depth, struct part parts[2]) {
    const int steps = cvy_ceil_div(depth, TILE);
    if (depth == 0) return 0;
    if (depth % steps == 0) {
        parts[0] = (struct part){0, depth / steps, steps};
        return 1;
    }
    parts[0] = (struct part){0, TILE, depth / TILE};
    parts[1] = (struct part){depth / TILE * TILE, depth % TILE, 1};
    return 2;
}

INLINE void place(const struct cvy_product *g, const struct part *part, struct cursor *at) {
    at->a = (const cvy_pair *)g->a + at->outer * g->a_outer + at->inner * g->a_inner + part->first * g->a_step;
    at->b = (const cvy_pair *)g->b + at->outer * g->b_outer + at->inner * g->b_inner + part->first * g->b_step;
}

INLINE void advance(const struct cvy_product *g, const struct part *part, struct cursor *at) {
    if (++at->step < part->steps) {
        at->a += part->pairs * g->a_step;
        at->b += part->pairs * g->b_step;
        return;
    }
    at->step = 0;
    if (++at->inner == g->inner) at->inner = 0, at->outer++;
    if (at->outer < g->outer) place(g, part, at);
}

static ptrdiff_t strip_at(const struct cvy_product *g, struct strip s) {
    return s.line * g->a_line + s.row * g->a_row;
}

/* ---- turning A ---- */

typedef uint32_t sixteen __attribute__((vector_size(64)));

/* to[i][l] = from[l·step + i] for l < pairs, i < rows: four times, lines half a tile apart are woven into two. */
static void turn(const cvy_pair *from, ptrdiff_t step, int pairs, int rows, cvy_pair (*to)[TILE]) {
    sixteen x[TILE] = {{0}}, y[TILE];
    for (int l = 0; l < pairs; l++, from += step)
        if (rows == TILE)
            memcpy(&x[l], from, sizeof x[l]);
        else
            memcpy(&x[l], from, (size_t)rows * sizeof *from);
    UNROLL for (int round = 0; round < 4; round++) {
        UNROLL for (int i = 0; i < TILE / 2; i++) {
            y[2 * i] = __builtin_shufflevector(x[i], x[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            y[2 * i + 1] =
                __builtin_shufflevector(x[i], x[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        memcpy(x, y, sizeof x);
    }
    memcpy(to, x, sizeof x);
}

/* Returns the step after them. */
static struct cursor turn_steps(struct work *w, const struct part *part, struct cursor at, int steps) {
    for (int i = 0; i < steps; i++, advance(w->g, part, &at))
        for (int s = 0; s < STRIPS && w->strips[s].count > 0; s++)
            turn(at.a + strip_at(w->g, w->strips[s]), w->g->a_step, part->pairs, w->strips[s].count, w->turned[i][s]);
    return at;
}

/* ---- multiplying ---- */

static void configure(const struct strip strips[STRIPS], int pairs) {
    struct tile_config config = {.palette = 1};
    for (int s = 0; s < STRIPS; s++) {
        const uint8_t rows = (uint8_t)strips[s].count;
        for (int c = 2 * s; c < 2 * s + 2; c++) config.rows[c] = rows, config.row_bytes[c] = rows ? 64 : 0;
        config.rows[4 + s] = rows, config.row_bytes[4 + s] = (uint16_t)(rows ? 4 * pairs : 0);
        config.rows[6 + s] = (uint8_t)pairs, config.row_bytes[6 + s] = 64;
    }
    TILE_CONFIGURE(&config);
}

/* Adds steps to the sums of one panel or (wide) two, of one strip or (tall) two. */
INLINE void multiply(struct work *w, const struct part *part, struct cursor at, int steps, int panel, bool wide,
                     bool tall) {
    const struct cvy_product *g = w->g;
    const bool turned = g->a_row == 1;
    const ptrdiff_t a_bytes = turned ? TILE * 4 : g->a_row * 4, b_bytes = g->b_step * 4;
    const ptrdiff_t first = strip_at(g, w->strips[0]), second = strip_at(g, w->strips[1]);
    const ptrdiff_t column = (w->panel + panel) * g->b_panel;
    sums_tile *sums = w->sums[panel], *more = w->sums[panel + (wide ? 1 : 0)];
    if (w->begun) {
        TILE_LOAD(0, sums[0], TILE * 4);
        if (wide) TILE_LOAD(1, more[0], TILE * 4);
        if (tall) TILE_LOAD(2, sums[1], TILE * 4);
        if (wide && tall) TILE_LOAD(3, more[1], TILE * 4);
    } else {
        TILE_ZERO(0);
        if (wide) TILE_ZERO(1);
        if (tall) TILE_ZERO(2);
        if (wide && tall) TILE_ZERO(3);
    }
    for (int i = 0; i < steps; i++, advance(g, part, &at)) {
        TILE_LOAD(4, turned ? w->turned[i][0][0] : at.a + first, a_bytes);
        TILE_LOAD(6, at.b + column, b_bytes);
        TILE_DOT(0, 4, 6);
        if (wide) TILE_LOAD(7, at.b + column + g->b_panel, b_bytes);
        if (wide) TILE_DOT(1, 4, 7);
        if (tall) TILE_LOAD(5, turned ? w->turned[i][1][0] : at.a + second, a_bytes);
        if (tall) TILE_DOT(2, 5, 6);
        if (wide && tall) TILE_DOT(3, 5, 7);
    }
    TILE_STORE(0, sums[0], TILE * 4);
    if (wide) TILE_STORE(1, more[0], TILE * 4);
    if (tall) TILE_STORE(2, sums[1], TILE * 4);
    if (wide && tall) TILE_STORE(3, more[1], TILE * 4);
}

static void multiply_panels(struct work *w, const struct part *part, struct cursor at, int steps) {
    const bool tall = w->strips[1].count > 0;
    for (int p = 0; p < w->panels; p += 2) {
        const bool wide = p + 1 < w->panels;
        if (wide && tall)
            multiply(w, part, at, steps, p, true, true);
        else if (wide)
            multiply(w, part, at, steps, p, true, false);
        else if (tall)
            multiply(w, part, at, steps, p, false, true);
        else
            multiply(w, part, at, steps, p, false, false);
    }
}

static void add_part(struct work *w, const struct part *part) {
    const struct cvy_product *g = w->g;
    const bool turned = g->a_row == 1;
    const int all = g->outer * g->inner * part->steps, most = turned ? STEPS_TURNED : all;
    struct cursor at = {0}, next = at;
    if (all == 0) return;
    configure(w->strips, part->pairs);
    place(g, part, &at);
    for (int left = all, steps; left > 0; left -= steps, at = next) {
        steps = left < most ? left : most;
        if (turned) next = turn_steps(w, part, at, steps);
        multiply_panels(w, part, at, steps);
        w->begun = true;
    }
}

/* ---- C ---- */

INLINE void finish_rows(const struct cvy_product *g, struct block at, const float *sums, int rows) {
    vf acc[ROWS_FINISHED];
    UNROLL for (int i = 0; i < rows; i++) acc[i] = v_load(sums + i * TILE);
    if (g->rounded)
        finish(g, at, acc, rows, 1, true);
    else
        finish(g, at, acc, rows, 1, false);
}

static void finish_strip(const struct work *w, int s, int panel) {
    const struct cvy_product *g = w->g;
    const struct strip strip = w->strips[s];
    const int first = (w->panel + panel) * TILE, columns = g->columns - first < TILE ? g->columns - first : TILE;
    for (int j = 0; j < columns; j += VEC) {
        struct block at = {strip.line, strip.row, (first + j) / VEC, columns - j < VEC ? columns - j : VEC};
        int i = 0;
        for (; i + ROWS_FINISHED <= strip.count; i += ROWS_FINISHED, at.row += ROWS_FINISHED)
            finish_rows(g, at, &w->sums[panel][s][i][j], ROWS_FINISHED);
        for (; i < strip.count; i++, at.row++) finish_rows(g, at, &w->sums[panel][s][i][j], 1);
    }
}

static void finish_work(struct work *w) {
    if (!w->begun) memset(w->sums, 0, sizeof w->sums); /* an empty sum */
    for (int s = 0; s < STRIPS; s++)
        for (int p = 0; p < w->panels; p++) finish_strip(w, s, p);
}

/* ---- the product ---- */

/* Strip i of all of a product's lines; empty beyond them. */
static struct strip strip_of(const struct cvy_product *g, int i) {
    const int a_line = cvy_ceil_div(g->rows, TILE), line = i / a_line, row = i % a_line * TILE, left = g->rows - row;
    if (line >= cvy_product_lines(g)) return (struct strip){0};
    return (struct strip){line, row, left < TILE ? left : TILE};
}

static void dot(const struct cvy_product *g) {
    struct part parts[2];
    struct work w;
    const int count = cut_depth(g->depth, parts), panels = cvy_ceil_div(g->columns, TILE);
    const int strips = cvy_product_lines(g) * cvy_ceil_div(g->rows, TILE);
    w.g = g;
    for (w.panel = 0; w.panel < panels; w.panel += MOST_PANELS) {
        w.panels = panels - w.panel < MOST_PANELS ? panels - w.panel : MOST_PANELS;
        for (int i = 0; i < strips; i += STRIPS) {
            for (int s = 0; s < STRIPS; s++) w.strips[s] = strip_of(g, i + s);
            w.begun = false;
            for (int k = 0; k < count; k++) add_part(&w, &parts[k]);
            finish_work(&w);
        }
    }
    TILE_RELEASE();
}

#include "kernels/simd/bf16_moves.h"
