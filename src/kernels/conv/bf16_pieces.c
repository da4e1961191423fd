/* Dense layers of large weights on pairs: no copy of all weights in bf16, but of a piece of panels at a time, in a
 * thread's scratch, which the second-level cache keeps for all rows of a block. The weights are read once a pass. */
#include "kernels/conv/bf16_parts.h"

enum {
    LARGE = 1 << 19,       /* weights; fewer are cheaper to copy once a step */
    ROWS = 256,            /* of a block: each converts the weights again */
    PIECE_PAIRS = 3 << 16, /* 768 KiB, most of a second-level cache */
};

bool cvy_bf16_in_pieces(const struct cvy_conv *g) {
    return cvy_conv_is_point(g) && g->in.h == 1 && g->in.w == 1 && (int64_t)g->in.c * g->out.c >= LARGE;
}

struct pieces {
    const struct cvy_compute *compute;
    const struct cvy_bf16_pieces *how;
    const cvy_pair *x;
    void *y;
    cvy_pair *scratch;
    int depth, panels, blocks; /* pairs of the sum; panels of a piece; of rows */
};

static int panels_of(const struct cvy_bf16_pieces *how) {
    return cvy_clamp(PIECE_PAIRS / (cvy_ceil_div(how->c, 2) * CVY_PANEL), 1, CVY_GROUP);
}

size_t cvy_bf16_pieces_scratch(const struct cvy_bf16_pieces *how) {
    return (size_t)panels_of(how) * cvy_ceil_div(how->c, 2) * CVY_PANEL;
}

static void task(void *arg, int t, int thread) {
    const struct pieces *p = arg;
    const struct cvy_bf16_pieces *how = p->how;
    const int panel = t / p->blocks * p->panels, panels = cvy_min(p->panels, cvy_panels(how->k) - panel);
    const int row = cvy_cut(how->n, p->blocks, t % p->blocks), column = panel * CVY_PANEL;
    const ptrdiff_t at = (ptrdiff_t)row * how->k + column, stored = (ptrdiff_t)p->depth * CVY_PANEL;
    cvy_pair *b = p->scratch + thread * cvy_bf16_pieces_scratch(how);
    if (how->turned)
        cvy_bf16_flip_panels(p->compute, how->w, how->k, how->c, panel, panels, b);
    else
        cvy_bf16_pack_panels(p->compute, how->w, how->c, panel, panels, b);
    struct cvy_epilogue epilogue;
    if (how->epilogue) epilogue = cvy_epilogue_at(how->epilogue, column, at, CVY_BF16);
    p->compute->bf16->dot(&(struct cvy_product){
        .rows = cvy_cut(how->n, p->blocks, t % p->blocks + 1) - row,
        .columns = cvy_min(panels * CVY_PANEL, how->k - column),
        .depth = p->depth,
        .outer = 1,
        .inner = 1,
        .a = p->x + (ptrdiff_t)row * p->depth,
        .a_row = p->depth,
        .a_step = 1,
        .b = b,
        .b_panel = stored,
        .b_step = CVY_PANEL,
        .c = cvy_element(p->y, CVY_BF16, at),
        .c_row = how->k,
        .c_panel = CVY_PANEL,
        .rounded = true,
        .accumulate = how->accumulate,
        .epilogue = how->epilogue ? &epilogue : NULL,
    });
}

void cvy_bf16_pieces_pass(const struct cvy_compute *compute, const struct cvy_bf16_pieces *how, const cvy_pair *x,
                          void *y, cvy_pair *scratch) {
    struct pieces p = {
        compute, how, x, y, scratch, cvy_ceil_div(how->c, 2), panels_of(how), cvy_ceil_div(how->n, ROWS)};
    cvy_parallel(compute->pool, cvy_ceil_div(cvy_panels(how->k), p.panels) * p.blocks, task, &p);
}
