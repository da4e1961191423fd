/* A task is one image and up to CHANNELS of its channels. */
#include "kernels/global_pool.h"

#include "core/ints.h"

#include <string.h>

#include "kernels/simd/table.h"

enum { CHANNELS = 64 };

struct global {
    const struct cvy_kernel_table *table;
    const struct cvy_tensor_loops *loops;
    struct cvy_shape in;
    enum cvy_dtype type;
    int parts; /* of the channels */
    const void *x, *dy;
    void *y, *dx;
    int32_t *argmax_out;
    const int32_t *argmax;
    bool accumulate;
};

/* What one task works on. */
struct part {
    ptrdiff_t x, y; /* where its first channel is, in arrays like the image and like the output */
    int channels;
};

static struct part part_of(const struct global *g, int t) {
    const int image = t / g->parts, first = t % g->parts * CHANNELS, left = g->in.c - first;
    return (struct part){.x = image * (ptrdiff_t)cvy_shape_count(g->in) + first,
                         .y = (ptrdiff_t)image * g->in.c + first,
                         .channels = left < CHANNELS ? left : CHANNELS};
}

static void *at(const struct global *g, const void *map, ptrdiff_t i) {
    return cvy_element(map, g->type, i);
}

static void run(const struct cvy_compute *compute, const struct cvy_global_pooling *of, cvy_task_fn *fn,
                struct global *g) {
    g->in = of->in;
    g->type = of->type;
    g->table = compute->table;
    g->loops = compute->tensor[g->type];
    g->parts = cvy_ceil_div(g->in.c, CHANNELS);
    cvy_parallel(compute->pool, of->n * g->parts, fn, g);
}

static void mean_forward(void *arg, int t, int thread) {
    (void)thread;
    const struct global *g = arg;
    const struct part p = part_of(g, t);
    const ptrdiff_t row = (ptrdiff_t)g->in.w * g->in.c;
    float sum[CHANNELS] = {0}, row_sum[CHANNELS];
    for (int y = 0; y < g->in.h; y++) {
        memset(row_sum, 0, sizeof row_sum);
        for (int x = 0; x < g->in.w; x++)
            g->loops->read(at(g, g->x, p.x + y * row + (ptrdiff_t)x * g->in.c), row_sum, p.channels, true);
        g->table->add(sum, row_sum, p.channels);
    }
    g->table->scale(sum, 1 / ((float)g->in.h * (float)g->in.w), p.channels);
    g->loops->write(sum, at(g, g->y, p.y), p.channels, false);
}

static void mean_backward(void *arg, int t, int thread) {
    (void)thread;
    const struct global *g = arg;
    const struct part p = part_of(g, t);
    float share[CHANNELS];
    g->loops->read(at(g, g->dy, p.y), share, p.channels, false);
    g->table->scale(share, 1 / ((float)g->in.h * (float)g->in.w), p.channels);
    for (ptrdiff_t pixel = 0; pixel < (ptrdiff_t)g->in.h * g->in.w; pixel++)
        g->loops->write(share, at(g, g->dx, p.x + pixel * g->in.c), p.channels, g->accumulate);
}

static void max_forward(void *arg, int t, int thread) {
    (void)thread;
    const struct global *g = arg;
    const struct part p = part_of(g, t);
    float best[CHANNELS], x[CHANNELS];
    int32_t winner[CHANNELS] = {0};
    g->loops->read(at(g, g->x, p.x), best, p.channels, false);
    for (int32_t pixel = 1; pixel < cvy_shape_pixels(g->in); pixel++) {
        g->loops->read(at(g, g->x, p.x + (ptrdiff_t)pixel * g->in.c), x, p.channels, false);
        for (int c = 0; c < p.channels; c++)
            if (x[c] > best[c] || (x[c] != x[c] && best[c] == best[c])) {
                best[c] = x[c];
                winner[c] = pixel;
            }
    }
    g->loops->write(best, at(g, g->y, p.y), p.channels, false);
    if (g->argmax_out) memcpy(g->argmax_out + p.y, winner, (size_t)p.channels * sizeof *winner);
}

static void max_backward(void *arg, int t, int thread) {
    (void)thread;
    const struct global *g = arg;
    const struct part p = part_of(g, t);
    const size_t bytes = (size_t)p.channels * cvy_dtype_bytes(g->type);
    for (ptrdiff_t pixel = 0; !g->accumulate && pixel < (ptrdiff_t)g->in.h * g->in.w; pixel++)
        memset(at(g, g->dx, p.x + pixel * g->in.c), 0, bytes);
    for (int c = 0; c < p.channels; c++)
        g->loops->add(at(g, g->dx, p.x + (ptrdiff_t)g->argmax[p.y + c] * g->in.c + c), at(g, g->dy, p.y + c), 1);
}

void cvy_global_mean_forward(const struct cvy_compute *compute, const struct cvy_global_pooling *g, const void *x,
                             void *y) {
    run(compute, g, mean_forward, &(struct global){.x = x, .y = y});
}

void cvy_global_mean_backward(const struct cvy_compute *compute, const struct cvy_global_pooling *g, const void *dy,
                              void *dx, bool accumulate) {
    run(compute, g, mean_backward, &(struct global){.dy = dy, .dx = dx, .accumulate = accumulate});
}

void cvy_global_max_forward(const struct cvy_compute *compute, const struct cvy_global_pooling *g, const void *x,
                            void *y, int32_t *argmax) {
    run(compute, g, max_forward, &(struct global){.x = x, .y = y, .argmax_out = argmax});
}

void cvy_global_max_backward(const struct cvy_compute *compute, const struct cvy_global_pooling *g, const void *dy,
                             const int32_t *argmax, void *dx, bool accumulate) {
    run(compute, g, max_backward, &(struct global){.dy = dy, .argmax = argmax, .dx = dx, .accumulate = accumulate});
}
