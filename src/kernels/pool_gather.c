/* Max pooling backward where windows overlap: each pixel of the image gathers from the windows that have it, so that
 * its sum is rounded once, in whatever type it is stored. Tasks are stretches of image rows. */
#include "core/ints.h"
#include "kernels/pool.h"
#include "kernels/simd/tensor.h"

enum { TASK_FLOATS = 1 << 13 };

struct gather {
    const struct cvy_pooling *g;
    const struct cvy_tensor_loops *loops;
    const void *dy, *argmax;
    void *dx;
    bool accumulate;
    int tap_bytes; /* of argmax */
    int tasks;
};

/* Along one axis, the windows that have a pixel: the first, how many, how far they are apart; which tap of the first it
 * is, and how many taps less of each next. whole: no others would, beyond the edges. */
struct meeting {
    int first, count, apart, tap, less;
    bool whole;
};

static struct meeting meeting_of(const struct cvy_pooling *g, bool across, int pixel) {
    const int taps = across ? g->s : g->r, stride = across ? g->stride_w : g->stride_h;
    const int gap = across ? g->gap_w + 1 : g->gap_h + 1, out = across ? g->out.w : g->out.h;
    const int at = pixel + (across ? g->pad_left : g->pad_top); /* in the padded image */
    struct meeting m = {.apart = 1, .whole = true};
    for (int o = (at - (taps - 1) * gap) / stride - 1; o * stride <= at; o++) {
        const int past = at - o * stride;
        if (past % gap != 0 || past / gap >= taps) continue;
        m.whole &= o >= 0 && o < out;
        if (o < 0 || o >= out) continue;
        if (m.count == 1) {
            m.apart = o - m.first;
            m.less = m.apart * stride / gap;
        }
        if (m.count++ == 0) {
            m.first = o;
            m.tap = past / gap;
        }
    }
    return m;
}

/* How many pixels from x on, a stride apart, have each the windows next to those of the one before. */
static int alike_from(const struct cvy_pooling *g, int x, struct meeting m) {
    if (!m.whole || m.count == 0) return 1;
    const int last = m.first + (m.count - 1) * m.apart;
    return cvy_min((g->in.w - 1 - x) / g->stride_w, g->out.w - 1 - last) + 1;
}

static void gather_row(const struct gather *t, int row) {
    const struct cvy_pooling *g = t->g;
    const int c = g->in.c, sample = row / g->in.h;
    const struct meeting down = meeting_of(g, false, row % g->in.h);
    for (int phase = 0; phase < g->stride_w; phase++)
        for (int x = phase, alike; x < g->in.w; x += alike * g->stride_w) {
            const struct meeting across = meeting_of(g, true, x);
            alike = alike_from(g, x, across);
            const struct cvy_taps taps = {.rows = down.count,
                                          .columns = across.count,
                                          .row = (ptrdiff_t)down.apart * g->out.w * c,
                                          .column = (ptrdiff_t)across.apart * c,
                                          .first = down.tap * g->s + across.tap,
                                          .next_row = -down.less * g->s,
                                          .next_column = -across.less,
                                          .pixels = alike,
                                          .lines = 1,
                                          .step = (ptrdiff_t)g->stride_w * c,
                                          .wide = t->tap_bytes > 1};
            const ptrdiff_t out = (((ptrdiff_t)sample * g->out.h + down.first) * g->out.w + across.first) * c;
            t->loops->max_gather(cvy_element(t->dy, g->type, out), (const char *)t->argmax + out * t->tap_bytes, &taps,
                                 cvy_element(t->dx, g->type, ((ptrdiff_t)row * g->in.w + x) * c), c, t->accumulate);
        }
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct gather *gather = arg;
    const int64_t rows = (int64_t)gather->g->n * gather->g->in.h;
    for (int row = (int)(rows * t / gather->tasks); row < rows * (t + 1) / gather->tasks; row++)
        gather_row(gather, row);
}

void cvy_maxpool_gather(const struct cvy_compute *compute, const struct cvy_pooling *g, const void *dy,
                        const void *argmax, void *dx, bool accumulate) {
    const int64_t rows = (int64_t)g->n * g->in.h, floats = rows * g->in.w * g->in.c;
    struct gather gather = {.g = g,
                            .loops = compute->tensor[g->type],
                            .dy = dy,
                            .argmax = argmax,
                            .dx = dx,
                            .accumulate = accumulate,
                            .tap_bytes = (int)cvy_pooling_tap_bytes(g),
                            .tasks = cvy_clamp(floats / TASK_FLOATS, 1, rows)};
    cvy_parallel(compute->pool, gather.tasks, task, &gather);
}
