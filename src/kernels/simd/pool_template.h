/* Windows over NHWC images, written once for every ISA level: pixel by pixel, some lanes (channels) at a time. 2×2
 * windows are compiled apart. With 2×2 side by side and few channels (AVX-512 only), a vector holds several pixels:
 *
 *   x, a row:   |a0|b0|a1|b1|a2|b2| …    c floats each, a: column 0 of a window, b: column 1
 *   picked:     |a0|a1|a2| …    |b0|b1|b2| …
 */
#include "kernels/simd/tensor_vec.h"
#include "kernels/simd/tensor.h"

/* ---- one vector of y ---- */

struct winner {
    vf value;
    vi tap;
};

/* v, of tap `tap`, against the taps before it: the first of equals wins, and the first NaN over all. */
INLINE struct winner challenge(struct winner w, vf v, int tap) {
    const vi wins = ~(v <= w.value) & (w.value == w.value);
    return (struct winner){v_select(wins, v, w.value), (vi)v_select(wins, (vf)((vi){0} + tap), (vf)w.tap)};
}

/* argmax: from number `at` on, as bytes or, `wide`, as int32_t. */
INLINE vi load_taps(const void *argmax, int64_t at, bool wide, int lanes) {
    return wide ? (vi)v_load_part((const float *)argmax + at, lanes)
                : v_load_bytes((const uint8_t *)argmax + at, lanes);
}
INLINE void store_winner(struct winner w, elem *y, void *argmax, int64_t at, bool wide, int lanes) {
    v_put(y, at, w.value, lanes);
    if (argmax && wide) v_store_part((float *)argmax + at, (vf)w.tap, lanes);
    if (argmax && !wide) v_store_bytes((uint8_t *)argmax + at, w.tap, lanes);
}

INLINE void spread(elem *dx, vf d, bool alone, int lanes) {
    v_give(dx, 0, d, lanes, !alone);
}

/* `rows` and `columns` are the taps', as constants where they are 2. Taps come by value: no store changes them. */
#ifdef __clang__
#define UNROLL_KNOWN /* does so by itself, and warns where they are not known */
#else
#define UNROLL_KNOWN _Pragma("GCC unroll 5")
#endif
#define EACH_TAP(i, j)      UNROLL_KNOWN for (int i = 0; i < rows; i++) UNROLL_KNOWN for (int j = 0; j < columns; j++)
#define AT_TAP(i, j, taps)  ((i) * (taps).row + (j) * (taps).column)
#define NAME_OF(i, j, taps) ((taps).first + (i) * (taps).next_row + (j))

INLINE void max_lanes(const elem *x, struct cvy_taps taps, int rows, int columns, elem *y, void *argmax, int64_t at,
                      bool wide, int lanes) {
    struct winner w = {v_get(x, 0, lanes), (vi){0} + taps.first};
    EACH_TAP(i, j) {
        if (i + j > 0) w = challenge(w, v_get(x, AT_TAP(i, j, taps), lanes), NAME_OF(i, j, taps));
    }
    store_winner(w, y, argmax, at, wide, lanes);
}

INLINE void max_spread_lanes(const elem *dy, vi tap, struct cvy_taps taps, int rows, int columns, elem *dx, int lanes) {
    const vf d = v_get(dy, 0, lanes);
    EACH_TAP(i, j) {
        spread(dx + AT_TAP(i, j, taps), (vf)((tap == NAME_OF(i, j, taps)) & (vi)d), taps.alone, lanes);
    }
}

INLINE void sum_lanes(const elem *x, struct cvy_taps taps, int rows, int columns, vf factor, elem *y, int lanes) {
    vf sum = v_set(0);
    EACH_TAP(i, j) {
        sum += v_get(x, AT_TAP(i, j, taps), lanes);
    }
    v_put(y, 0, sum * factor, lanes);
}

INLINE void sum_spread_lanes(const elem *dy, struct cvy_taps taps, int rows, int columns, vf factor, elem *dx,
                             int lanes) {
    const vf d = v_get(dy, 0, lanes) * factor;
    EACH_TAP(i, j) {
        spread(dx + AT_TAP(i, j, taps), d, taps.alone, lanes);
    }
}

/* ---- several pixels of 2×2 windows in a vector ---- */

#if VEC_BITS == 512
struct pairs {
    vi column[2]; /* where in a row's two vectors the lanes of y find tap (i, j) */
    vi lane[2];   /* for the row's two vectors: the lane of y that they belong to */
    vi j[2];      /* and the column of their taps */
    int pixels;   /* of a vector */
};

/* pixels 0: not for these windows. */
INLINE struct pairs make_pairs(const struct cvy_taps *taps, int c) {
    struct pairs p = {.pixels = 0};
    if (taps->rows != 2 || taps->columns != 2 || taps->column != c || taps->step != 2 * c || 2 * c > VEC) return p;
    p.pixels = VEC / c;
    for (int h = 0; h < 2; h++) {
        const vi e = v_lane_numbers + h * VEC, pixel = v_quotient(e, 2 * c), j = v_quotient(e, c) - 2 * pixel;
        p.column[h] = v_lane_numbers + (v_quotient(v_lane_numbers, c) + h) * c; /* beyond `lanes`: any */
        p.lane[h] = e - (pixel + j) * c;
        p.j[h] = j;
    }
    return p;
}

/* The two vectors of a row that `lanes` of y need. */
struct row {
    vf low, high;
};
INLINE struct row load_row(const elem *x, int lanes) {
    return (struct row){v_get(x, 0, lanes < VEC / 2 ? 2 * lanes : VEC),
                        lanes > VEC / 2 ? v_get(x, VEC, 2 * lanes - VEC) : v_set(0)};
}
INLINE void spread_row(elem *dx, struct row r, bool alone, int lanes) {
    spread(dx, r.low, alone, lanes < VEC / 2 ? 2 * lanes : VEC);
    if (lanes > VEC / 2) spread(dx + VEC, r.high, alone, 2 * lanes - VEC);
}

INLINE void max_pairs(const elem *x, struct cvy_taps taps, struct pairs p, elem *y, void *argmax, int64_t at, bool wide,
                      int lanes) {
    const struct row top = load_row(x, lanes), bottom = load_row(x + taps.row, lanes);
    const int first = taps.first, next = first + taps.next_row;
    struct winner w = {v_pick(top.low, top.high, p.column[0]), (vi){0} + first};
    w = challenge(w, v_pick(top.low, top.high, p.column[1]), first + 1);
    w = challenge(w, v_pick(bottom.low, bottom.high, p.column[0]), next);
    w = challenge(w, v_pick(bottom.low, bottom.high, p.column[1]), next + 1);
    store_winner(w, y, argmax, at, wide, lanes);
}

INLINE vf spread_half(vf d, vi tap, struct pairs p, int half, int first) {
    const vi mine = (vi)v_lookup((vf)tap, p.lane[half]) == p.j[half] + first;
    return (vf)(mine & (vi)v_lookup(d, p.lane[half]));
}
INLINE void max_spread_pairs(const elem *dy, vi tap, struct cvy_taps taps, struct pairs p, elem *dx, int lanes) {
    const vf d = v_get(dy, 0, lanes);
    UNROLL for (int i = 0; i < 2; i++) {
        const int first = taps.first + i * taps.next_row;
        spread_row(dx + i * taps.row, (struct row){spread_half(d, tap, p, 0, first), spread_half(d, tap, p, 1, first)},
                   taps.alone, lanes);
    }
}

INLINE void sum_pairs(const elem *x, struct cvy_taps taps, struct pairs p, vf factor, elem *y, int lanes) {
    vf sum = v_set(0);
    UNROLL for (int i = 0; i < 2; i++) {
        const struct row r = load_row(x + i * taps.row, lanes);
        UNROLL for (int j = 0; j < 2; j++) sum += v_pick(r.low, r.high, p.column[j]);
    }
    v_put(y, 0, sum * factor, lanes);
}

INLINE void sum_spread_pairs(const elem *dy, struct cvy_taps taps, struct pairs p, vf factor, elem *dx, int lanes) {
    const vf d = v_get(dy, 0, lanes) * factor;
    const struct row r = {v_lookup(d, p.lane[0]), v_lookup(d, p.lane[1])};
    spread_row(dx, r, taps.alone, lanes);
    spread_row(dx + taps.row, r, taps.alone, lanes);
}

/* Calls body for every vector of pixels, and returns, if windows are such pairs. */
#define TRY_PAIRS(in, out, lanes, channels, body)                                                                      \
    do {                                                                                                               \
        const struct pairs pairs = make_pairs(from, channels);                                                         \
        const struct cvy_taps taps = *from;                                                                            \
        for (int64_t line = 0; pairs.pixels && line < taps.lines; line++)                                              \
            for (int64_t p = 0; p < taps.pixels; p += pairs.pixels) {                                                  \
                const int64_t in = line * taps.line + p * taps.step, out = (line * taps.pixels + p) * (channels);      \
                const int lanes = (channels) * (int)(taps.pixels - p < pairs.pixels ? taps.pixels - p : pairs.pixels); \
                body;                                                                                                  \
            }                                                                                                          \
        if (pairs.pixels) return;                                                                                      \
    } while (0)
#else
#define TRY_PAIRS(in, out, lanes, channels, body) (void)0
#endif

/* ---- all pixels and channels ---- */

#define PIXEL_VECTORS(in, out, lanes, channels)                                                                        \
    for (int64_t line = 0; line < taps.lines; line++)                                                                  \
        for (int64_t p = 0; p < taps.pixels; p++)                                                                      \
            for (int64_t in = line * taps.line + p * taps.step, out = (line * taps.pixels + p) * (channels),           \
                         end = out + (channels), lanes = VEC;                                                          \
                 out < end && (lanes = end - out < VEC ? end - out : VEC) > 0; in += VEC, out += VEC)
#define EACH_PIXEL_VECTOR(in, out, lanes, channels, body)                                                              \
    do {                                                                                                               \
        const struct cvy_taps taps = *from;                                                                            \
        WHERE_TAPS_ARE(2, 2, PIXEL_VECTORS(in, out, lanes, channels) body);                                            \
        const int rows = taps.rows, columns = taps.columns;                                                            \
        PIXEL_VECTORS(in, out, lanes, channels) body;                                                                  \
    } while (0)
/* Runs loop, and returns, if taps are of that size: it sees constants. */
#define WHERE_TAPS_ARE(known_rows, known_columns, loop)                                                                \
    if (from->rows == (known_rows) && from->columns == (known_columns)) {                                              \
        enum { rows = (known_rows), columns = (known_columns) };                                                       \
        loop;                                                                                                          \
        return;                                                                                                        \
    }

INLINE void max_forward(const elem *x, const struct cvy_taps *from, elem *y, void *argmax, bool wide, int channels) {
    TRY_PAIRS(in, out, lanes, channels, max_pairs(x + in, taps, pairs, y, argmax, out, wide, lanes));
    EACH_PIXEL_VECTOR(in, out, lanes, channels,
                      max_lanes(x + in, taps, rows, columns, y, argmax, out, wide, (int)lanes));
}
static void max_taps(const void *x, const struct cvy_taps *from, void *y, void *argmax, int channels) {
    if (argmax && from->wide)
        max_forward(x, from, y, argmax, true, channels);
    else if (argmax)
        max_forward(x, from, y, argmax, false, channels);
    else
        max_forward(x, from, y, NULL, false, channels);
}
INLINE void max_backward(const elem *dy, const void *argmax, const struct cvy_taps *from, elem *dx, bool wide,
                         int channels) {
    TRY_PAIRS(in, out, lanes, channels,
              max_spread_pairs(dy + out, load_taps(argmax, out, wide, lanes), taps, pairs, dx + in, lanes));
    EACH_PIXEL_VECTOR(
        in, out, lanes, channels,
        max_spread_lanes(dy + out, load_taps(argmax, out, wide, (int)lanes), taps, rows, columns, dx + in, (int)lanes));
}
/* A function of its own, lest the usual one be compiled beside it. */
static __attribute__((noinline)) void max_spread_wide(const void *dy, const void *argmax, const struct cvy_taps *from,
                                                      void *dx, int channels) {
    max_backward(dy, argmax, from, dx, true, channels);
}
static void max_spread(const void *dy, const void *argmax, const struct cvy_taps *from, void *dx, int channels) {
    if (from->wide)
        max_spread_wide(dy, argmax, from, dx, channels);
    else
        max_backward(dy, argmax, from, dx, false, channels);
}
/* ---- windows that overlap ---- */

INLINE void gather_lanes(const elem *dy, const void *argmax, int64_t at, struct cvy_taps taps, int rows, int columns,
                         bool wide, elem *dx, bool accumulate, int lanes) {
    vf sum = accumulate ? v_get(dx, 0, lanes) : v_set(0);
    EACH_TAP(i, j) {
        const int64_t window = at + AT_TAP(i, j, taps);
        const vi mine = load_taps(argmax, window, wide, lanes) == taps.first + i * taps.next_row + j * taps.next_column;
        sum += (vf)(mine & (vi)v_get(dy, window, lanes));
    }
    v_put(dx, 0, sum, lanes);
}
INLINE void gather(const elem *dy, const void *argmax, const struct cvy_taps *from, bool wide, elem *dx, int channels,
                   bool accumulate) {
    const struct cvy_taps taps = *from;
#define GATHER_PIXELS                                                                                                  \
    PIXEL_VECTORS(in, out, lanes, channels)                                                                            \
    gather_lanes(dy, argmax, out, taps, rows, columns, wide, dx + in, accumulate, (int)lanes)
    WHERE_TAPS_ARE(1, 1, GATHER_PIXELS)
    WHERE_TAPS_ARE(1, 2, GATHER_PIXELS)
    WHERE_TAPS_ARE(2, 1, GATHER_PIXELS)
    WHERE_TAPS_ARE(2, 2, GATHER_PIXELS)
    const int rows = taps.rows, columns = taps.columns;
    GATHER_PIXELS;
}
static __attribute__((noinline)) void gather_wide(const void *dy, const void *argmax, const struct cvy_taps *taps,
                                                  void *dx, int channels, bool accumulate) {
    gather(dy, argmax, taps, true, dx, channels, accumulate);
}
static void max_gather(const void *dy, const void *argmax, const struct cvy_taps *taps, void *dx, int channels,
                       bool accumulate) {
    if (taps->wide)
        gather_wide(dy, argmax, taps, dx, channels, accumulate);
    else
        gather(dy, argmax, taps, false, dx, channels, accumulate);
}

/* ---- sums ---- */

static void sum_taps(const void *inner, const struct cvy_taps *from, float factor, void *outer, int channels) {
    const elem *x = inner;
    elem *y = outer;
    const vf f = v_set(factor);
    TRY_PAIRS(in, out, lanes, channels, sum_pairs(x + in, taps, pairs, f, y + out, lanes));
    const struct cvy_taps taps = *from;
#define SUM_PIXELS                                                                                                     \
    PIXEL_VECTORS(in, out, lanes, channels) sum_lanes(x + in, taps, rows, columns, f, y + out, (int)lanes)
    WHERE_TAPS_ARE(2, 2, SUM_PIXELS)
    WHERE_TAPS_ARE(1, 3, SUM_PIXELS) /* rows of a kernel: kernels/conv/narrow.c */
    WHERE_TAPS_ARE(1, 5, SUM_PIXELS)
    const int rows = taps.rows, columns = taps.columns;
    SUM_PIXELS;
}
static void sum_spread(const void *outer, const struct cvy_taps *from, float factor, void *inner, int channels) {
    const elem *dy = outer;
    elem *dx = inner;
    const vf f = v_set(factor);
    TRY_PAIRS(in, out, lanes, channels, sum_spread_pairs(dy + out, taps, pairs, f, dx + in, lanes));
    EACH_PIXEL_VECTOR(in, out, lanes, channels,
                      sum_spread_lanes(dy + out, taps, rows, columns, f, dx + in, (int)lanes));
}
