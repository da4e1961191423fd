/* The copy of the weights in bf16 that forward reads: neighbouring rows of a panel's tap become pairs. */
#include "kernels/conv/parts.h"

enum { TASK_PAIRS = 1 << 13 };

struct pack {
    const struct cvy_compute *compute;
    int c;
    const float *w;
    cvy_pair *out;
    int items, tasks; /* an item: [c][16], a panel's tap */
};

static void pack_items(const struct pack *p, int begin, int end) {
    for (int i = begin; i < end; i++)
        p->compute->bf16->pack(p->w + (ptrdiff_t)i * p->c * CVY_PANEL, p->c,
                               p->out + (ptrdiff_t)i * cvy_pairs_of(p->c) * CVY_PANEL);
}

void cvy_pairs_panels(const struct cvy_compute *compute, const float *w, int c, int panel, int panels, cvy_pair *out) {
    const struct pack p = {compute, c, w + (ptrdiff_t)panel * c * CVY_PANEL, out, panels, 1};
    pack_items(&p, 0, panels);
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct pack *p = arg;
    pack_items(p, cvy_tile_begin(p->items, p->tasks, t), cvy_tile_begin(p->items, p->tasks, t + 1));
}

static size_t pairs(const struct cvy_conv *g) {
    return (size_t)g->r * g->s * cvy_pairs_of(g->in.c) * cvy_panels(g->out.c) * CVY_PANEL;
}

static void make(const struct cvy_compute *compute, const struct cvy_conv *g, const float *w, float *out) {
    struct pack p = {compute, g->in.c, w, (cvy_pair *)out, cvy_panels(g->out.c) * g->r * g->s, 0};
    p.tasks = cvy_clamp((int64_t)pairs(g) / TASK_PAIRS, 1, p.items);
    cvy_parallel(compute->pool, p.tasks, task, &p);
}

const struct cvy_weights_copy cvy_pairs = {"pairs", pairs, make};
