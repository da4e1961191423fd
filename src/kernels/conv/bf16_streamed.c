/* Dense layers of large weights on pairs: no copy of all weights in bf16, but of a few panels at a time, streamed
 * through a thread's scratch, which the second-level cache keeps for all rows of a block. The weights are read once a
 * pass: y[n][k] (+)= x[n][c] · w, or its transpose. */
#include "kernels/conv/parts.h"

enum {
    LARGE = 1 << 19,        /* weights; fewer are cheaper to copy once a step */
    ROWS = 256,             /* of a block: each converts the weights again */
    STREAM_PAIRS = 3 << 16, /* 768 KiB, most of a second-level cache */
};

static bool applicable(const struct cvy_conv_case *c) {
    return cvy_conv_is_pointwise(c->g) && c->g->in.h == 1 && c->g->in.w == 1 &&
           (int64_t)c->g->in.c * c->g->out.c >= LARGE;
}

struct tiling {
    int panels, blocks; /* panels at a time; blocks of rows */
    size_t scratch;     /* pairs a thread */
};

struct streamed {
    const struct cvy_pass_call *call;
    int n, c, k;
    bool transposed; /* w is of the layer that goes from k to c */
    const cvy_pair *x;
    cvy_pair *scratch;
    int depth; /* pairs of the sum */
    struct tiling tiling;
};

static struct tiling make_tiling(int n, int c) {
    const int panels = cvy_clamp(STREAM_PAIRS / (cvy_pairs_of(c) * CVY_PANEL), 1, CVY_GROUP);
    return (struct tiling){panels, cvy_ceil_div(n, ROWS), (size_t)panels * cvy_pairs_of(c) * CVY_PANEL};
}

static void task(void *arg, int t, int thread) {
    const struct streamed *p = arg;
    const struct cvy_pass_call *call = p->call;
    const struct tiling *tiling = &p->tiling;
    const int panel = t / tiling->blocks * tiling->panels, column = panel * CVY_PANEL;
    const int panels = cvy_min(tiling->panels, cvy_panels(p->k) - panel);
    const int row = cvy_tile_begin(p->n, tiling->blocks, t % tiling->blocks);
    const ptrdiff_t at = (ptrdiff_t)row * p->k + column;
    cvy_pair *b = p->scratch + thread * tiling->scratch;
    if (p->transposed)
        cvy_mirrored_pairs_panels(call->compute, call->with, p->k, p->c, panel, panels, b);
    else
        cvy_pairs_panels(call->compute, call->with, p->c, panel, panels, b);
    struct cvy_epilogue epilogue;
    if (call->epilogue) epilogue = cvy_epilogue_at(call->epilogue, column, at, CVY_BF16);
    call->compute->bf16->dot(&(struct cvy_product){
        .rows = cvy_tile_begin(p->n, tiling->blocks, t % tiling->blocks + 1) - row,
        .columns = cvy_min(panels * CVY_PANEL, p->k - column),
        .depth = p->depth,
        .outer = 1,
        .inner = 1,
        .a = p->x + (ptrdiff_t)row * p->depth,
        .a_row = p->depth,
        .a_step = 1,
        .b = b,
        .b_panel = (ptrdiff_t)p->depth * CVY_PANEL,
        .b_step = CVY_PANEL,
        .c = cvy_element(call->to, CVY_BF16, at),
        .c_row = p->k,
        .c_panel = CVY_PANEL,
        .rounded = true,
        .accumulate = call->accumulate,
        .epilogue = call->epilogue ? &epilogue : NULL,
    });
}

static void run(const struct cvy_pass_call *call, struct cvy_shape from, struct cvy_shape to, bool transposed) {
    const int n = call->g->n;
    struct streamed p = {.call = call,
                         .n = n,
                         .c = from.c,
                         .k = to.c,
                         .transposed = transposed,
                         .x = cvy_make_even(call, from),
                         .scratch = (cvy_pair *)call->ws + cvy_even_floats(CVY_BF16, n, from),
                         .depth = cvy_pairs_of(from.c)};
    CVY_TILING_FIND(call, &p.tiling);
    cvy_parallel(call->compute->pool, cvy_ceil_div(cvy_panels(p.k), p.tiling.panels) * p.tiling.blocks, task, &p);
}

static size_t tile(const struct cvy_conv_case *c, struct cvy_shape from, struct cvy_tiling *out) {
    const struct tiling tiling = make_tiling(c->g->n, from.c);
    CVY_TILING_KEEP(&tiling, out);
    return cvy_even_floats(CVY_BF16, c->g->n, from) + c->compute->threads * tiling.scratch;
}

static size_t tile_forward(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    return tile(c, c->g->in, out);
}
static void forward(const struct cvy_pass_call *call) {
    run(call, call->g->in, call->g->out, false);
}

static size_t tile_data(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    return tile(c, c->g->out, out);
}
static void data(const struct cvy_pass_call *call) {
    run(call, call->g->out, call->g->in, true);
}

const struct cvy_algorithm cvy_forward_bf16_streamed = {
    .name = "pairs pieces", .type = CVY_BF16, .applicable = applicable, .tile = tile_forward, .run = forward};
const struct cvy_algorithm cvy_data_bf16_streamed = {
    .name = "pairs pieces", .type = CVY_BF16, .applicable = applicable, .tile = tile_data, .run = data};
