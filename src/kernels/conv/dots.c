/* Backward-data of large dense layers for few samples.
 *
 *   dx[n][in] = dy[n][out] · W[in][out]ᵀ
 *
 * Each number is a sum along a row of W, which is read where it is: a panel holds 16 neighbours of the sum. W, larger
 * than the caches, passes by once for each 8 samples; the direct product (dense.c) broadcasts each weight instead,
 * which takes as long for one sample as for 16. What is copied is dy, so that its rows end in whole panels.
 *
 * 25,088 → 4,096 on two cores of Zen 4: one sample 43 to 13 ms, 8 samples 43 to 13, 16 samples 45 to 26, 32 equal. */
#include <string.h>

#include "kernels/conv/parts.h"

enum {
    LARGE_FLOATS = 1 << 19, /* of W as it is stored */
    MOST_SAMPLES = 16,
    ROWS = 24 /* of W a task */
};

struct dots {
    const struct cvy_conv *g;
    const struct cvy_compute *compute;
    const float *dy, *w;
    float *dx, *padded; /* padded: [n][padded_row], dy */
    bool accumulate;
};

/* Not a power of two, whose rows would share the few lines of one set of the cache. */
static int padded_row(const struct cvy_conv *g) {
    return (cvy_panels(g->out.c) + 1) * CVY_PANEL;
}

static void pad_task(void *arg, int t, int thread) {
    (void)thread;
    const struct dots *d = arg;
    const int out = d->g->out.c, whole = padded_row(d->g);
    float *row = d->padded + (ptrdiff_t)t * whole;
    memcpy(row, d->dy + (ptrdiff_t)t * out, (size_t)out * sizeof *row);
    memset(row + out, 0, (size_t)(whole - out) * sizeof *row);
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct dots *d = arg;
    const int row = t * ROWS, in = d->g->in.c;
    d->compute->table->dots(&(struct cvy_dots){.rows = cvy_min(ROWS, in - row),
                                               .n = d->g->n,
                                               .panels = cvy_panels(d->g->out.c),
                                               .w = d->w + (ptrdiff_t)row * CVY_PANEL,
                                               .y = d->padded,
                                               .sums = d->dx + row,
                                               .w_panel = (ptrdiff_t)in * CVY_PANEL,
                                               .y_row = padded_row(d->g),
                                               .sums_row = in,
                                               .accumulate = d->accumulate});
}

static bool applicable(const struct cvy_conv_case *c) {
    const struct cvy_conv *g = c->g;
    return c->lean && g->n <= MOST_SAMPLES && cvy_conv_is_pointwise(g) && g->in.h == 1 && g->in.w == 1 &&
           (int64_t)g->in.c * cvy_panels(g->out.c) * CVY_PANEL >= LARGE_FLOATS;
}

static size_t tile(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    (void)out; /* the shape says it all */
    return (size_t)c->g->n * (size_t)padded_row(c->g);
}

static void run(const struct cvy_pass_call *call) {
    struct dots d = {call->g, call->compute, call->from, call->with, call->to, call->ws, call->accumulate};
    cvy_parallel(call->compute->pool, call->g->n, pad_task, &d);
    cvy_parallel(call->compute->pool, cvy_ceil_div(call->g->in.c, ROWS), task, &d);
}

const struct cvy_algorithm cvy_data_dots = {
    .name = "dots", .type = CVY_F32, .applicable = applicable, .tile = tile, .run = run};
