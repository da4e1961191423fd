#include "kernels/conv/dense.h"

#include "core/memory.h"
#include "kernels/conv/parts.h"

enum {
    ROWS = 64,  /* of W a task */
    PANELS = 16 /* of W at a time: 64 KiB, which a task goes over once for each few of its rows */
};

struct dense {
    const struct cvy_compute *compute;
    int n, in, out;
    const float *dy, *w;
    float *dx, *turned, *sums; /* turned: [⌈n/16⌉][16·⌈out/16⌉][16] dyᵀ; sums: [threads][ROWS][16·⌈n/16⌉] */
    bool accumulate;
};

static int lanes_of(int n) {
    return cvy_panels(n) * CVY_PANEL;
}

size_t cvy_dense_workspace(int n, int out, int threads) {
    return cvy_align_up((size_t)lanes_of(n) * (size_t)(lanes_of(out) + threads * ROWS) * sizeof(float));
}

/* A panel of outputs. */
static void turn_task(void *arg, int t, int thread) {
    (void)thread;
    const struct dense *d = arg;
    for (int j = 0; j < lanes_of(d->n); j++)
        for (int l = 0; l < CVY_PANEL; l++) {
            const int k = t * CVY_PANEL + l;
            d->turned[((ptrdiff_t)(j / CVY_PANEL) * lanes_of(d->out) + k) * CVY_PANEL + j % CVY_PANEL] =
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
        .b = d->turned + (ptrdiff_t)panel * CVY_PANEL * CVY_PANEL,
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

void cvy_dense_backward_data(const struct cvy_compute *compute, int n, int in, int out, const float *dy, const float *w,
                             float *dx, bool accumulate, void *ws) {
    struct dense d = {compute, n, in, out, dy, w, dx, ws, NULL, accumulate};
    d.sums = d.turned + (ptrdiff_t)lanes_of(n) * lanes_of(out);
    cvy_parallel(compute->pool, cvy_panels(out), turn_task, &d);
    cvy_parallel(compute->pool, cvy_ceil_div(in, ROWS), task, &d);
}
