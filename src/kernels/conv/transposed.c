#include "kernels/conv/transposed.h"

#include <string.h>

#include "core/memory.h"
#include "kernels/conv/parts.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"

/* The workspace: dx where it is to be added, or the sums of dbias; then the convolution's own. */
static struct cvy_norm pixels(const struct cvy_conv *g) {
    return (struct cvy_norm){.units = 1, .rows = (int64_t)g->n * g->in.h * g->in.w, .channels = g->in.c};
}

static size_t sums_bytes(const struct cvy_conv *g) {
    return cvy_align_up(2 * (size_t)g->in.c * sizeof(double));
}

static size_t dx_bytes(const struct cvy_conv *g) {
    return cvy_align_up((size_t)g->n * (size_t)cvy_shape_count(g->out) * sizeof(float));
}

static struct cvy_conv geometry(const struct cvy_conv_plan *plan, int n) {
    struct cvy_conv g = plan->g;
    g.n = n;
    return g;
}

static size_t bytes_of(const struct cvy_conv_plan *plan, int n) {
    const struct cvy_conv g = geometry(plan, n);
    const struct cvy_norm rows = pixels(&g);
    const size_t pass = dx_bytes(&g) + plan->workspace, sums = sums_bytes(&g) + cvy_norm_workspace(&rows);
    return pass > sums ? pass : sums;
}

size_t cvy_transposed_workspace(const struct cvy_conv_plan *plan) {
    size_t most = 0;
    for (int n = 1; n <= plan->g.n; n++) {
        const size_t bytes = bytes_of(plan, n);
        if (bytes > most) most = bytes;
    }
    return most;
}

struct rows {
    int64_t count;
    int c, tasks;
    const float *row;
    float *y;
};

static void fill_task(void *arg, int t, int thread) {
    (void)thread;
    const struct rows *r = arg;
    for (int64_t i = r->count * t / r->tasks; i < r->count * (t + 1) / r->tasks; i++)
        memcpy(r->y + i * r->c, r->row, (size_t)r->c * sizeof *r->y);
}

void cvy_transposed_forward(const struct cvy_conv_plan *plan, int n, const float *x, struct cvy_conv_weights weights,
                            const float *bias, float *y, void *ws) {
    enum { TASK_FLOATS = 1 << 14 };
    const struct cvy_conv g = geometry(plan, n);
    if (bias) {
        struct rows r = {.count = pixels(&g).rows, .c = g.in.c, .row = bias, .y = y};
        r.tasks = cvy_clamp(r.count * r.c / TASK_FLOATS, 1, CVY_TASKS_WANTED);
        cvy_parallel(plan->compute->pool, r.tasks, fill_task, &r);
    }
    cvy_conv_backward_data(plan, n, x, weights, y, bias != NULL, ws);
}

void cvy_transposed_backward_data(const struct cvy_conv_plan *plan, int n, const float *dy,
                                  struct cvy_conv_weights weights, float *dx, bool accumulate, void *ws) {
    const struct cvy_conv g = geometry(plan, n);
    unsigned char *own = (unsigned char *)ws + dx_bytes(&g);
    cvy_conv_forward(plan, n, dy, weights, NULL, accumulate ? ws : dx, own);
    if (accumulate) cvy_vec_add(plan->compute, dx, ws, n * cvy_shape_count(g.out));
}

void cvy_transposed_backward_weights(const struct cvy_conv_plan *plan, int n, const float *x, const float *dy,
                                     float *dw, float *dbias, void *ws) {
    const struct cvy_conv g = geometry(plan, n);
    const struct cvy_norm rows = pixels(&g);
    cvy_conv_backward_weights(plan, n, dy, x, dw, NULL, ws);
    if (dbias == NULL) return;
    double *sums = ws;
    cvy_norm_moments(plan->compute, &rows, dy, sums, (unsigned char *)ws + sums_bytes(&g));
    for (int c = 0; c < cvy_panels(g.in.c) * CVY_PANEL; c++) dbias[c] = c < g.in.c ? (float)sums[c] : 0;
}
