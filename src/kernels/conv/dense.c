/* Backward-data of large dense layers, which would else want a transposed copy of their weights.
 *
 *   dxᵀ[in][n] = W[in][out] · dyᵀ[out][n]
 *
 * With the operands exchanged W is read where it is, panel by panel: a panel holds 16 neighbours of a sum. What is
 * transposed is dy, which is small, and dx, block by block in cache. */
#include "kernels/conv/parts.h"

enum {
    LARGE_FLOATS = 1 << 19, /* of W as it is stored */
    ROWS = 64,              /* of W a task */
    PANELS = 16             /* of W at a time: 64 KiB, which a task goes over once for each few of its rows */
};

struct dense {
    const struct cvy_compute *compute;
    int n, in, out;
    const float *dy, *w;
    float *dx, *dyt, *sums; /* dyt: [⌈n/16⌉][16·⌈out/16⌉][16] dyᵀ; sums: [threads][ROWS][16·⌈n/16⌉] */
    bool accumulate;
};

static int lanes_of(int n) {
    return cvy_panels(n) * CVY_PANEL;
}

/* A panel of outputs. */
static void transpose_task(void *arg, int t, int thread) {
    (void)thread;
    const struct dense *d = arg;
    for (int j = 0; j < lanes_of(d->n); j++)
        for (int l = 0; l < CVY_PANEL; l++) {
            const int k = t * CVY_PANEL + l;
            d->dyt[((ptrdiff_t)(j / CVY_PANEL) * lanes_of(d->out) + k) * CVY_PANEL + j % CVY_PANEL] =
                j < d->n && k < d->out ? d->dy[(ptrdiff_t)j * d->out + k] : 0;
        }
}

static void multiply(const struct dense *d, int row, int rows, int panel, float *sums) {
    d->compute->table->product(&(struct cvy_product){
        .rows = rows,
        .columns = d->n,
        .depth = CVY_PANEL,
        .outer = cvy_min(PANELS, cvy_panels(d->out) - panel),
        .inner = 1,
        .a = d->w + ((ptrdiff_t)panel * d->in + row) * CVY_PANEL,
        .a_row = CVY_PANEL,
        .a_step = 1,
        .a_outer = (ptrdiff_t)d->in * CVY_PANEL,
        .b = d->dyt + (ptrdiff_t)panel * CVY_PANEL * CVY_PANEL,
        .b_panel = (ptrdiff_t)lanes_of(d->out) * CVY_PANEL,
        .b_step = CVY_PANEL,
        .b_outer = (ptrdiff_t)CVY_PANEL * CVY_PANEL,
        .c = sums,
        .c_row = lanes_of(d->n),
        .c_panel = CVY_PANEL,
        .accumulate = panel > 0,
    });
}

static void task(void *arg, int t, int thread) {
    const struct dense *d = arg;
    const int row = t * ROWS, rows = cvy_min(ROWS, d->in - row), lanes = lanes_of(d->n);
    float *sums = d->sums + (ptrdiff_t)thread * ROWS * lanes;
    for (int panel = 0; panel < cvy_panels(d->out); panel += PANELS) multiply(d, row, rows, panel, sums);
    for (int j = 0; j < d->n; j++) {
        float *dx = d->dx + (ptrdiff_t)j * d->in + row;
        for (int i = 0; i < rows; i++) dx[i] = d->accumulate ? dx[i] + sums[i * lanes + j] : sums[i * lanes + j];
    }
}

static bool applicable(const struct cvy_conv_case *c) {
    const struct cvy_conv *g = c->g;
    return c->lean && cvy_conv_is_pointwise(g) && g->in.h == 1 && g->in.w == 1 &&
           (int64_t)g->in.c * lanes_of(g->out.c) >= LARGE_FLOATS;
}

static size_t tile(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    (void)out; /* the shape says it all */
    return (size_t)lanes_of(c->g->n) * (size_t)(lanes_of(c->g->out.c) + c->compute->threads * ROWS);
}

static void run(const struct cvy_pass_call *call) {
    const struct cvy_conv *g = call->g;
    struct dense d = {call->compute, g->n,     g->in.c,  g->out.c, call->from,
                      call->with,    call->to, call->ws, NULL,     call->accumulate};
    d.sums = d.dyt + (ptrdiff_t)lanes_of(d.n) * lanes_of(d.out);
    cvy_parallel(call->compute->pool, cvy_panels(d.out), transpose_task, &d);
    cvy_parallel(call->compute->pool, cvy_ceil_div(d.in, ROWS), task, &d);
}

const struct cvy_algorithm cvy_data_dense = {
    .name = "dense", .type = CVY_F32, .applicable = applicable, .tile = tile, .run = run};
