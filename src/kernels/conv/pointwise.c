/* 1×1 convolution and dense layers: one matrix product, nothing copied.
 *
 * A task is a block of pixels times some panels. The sum is cut into parts of DEPTH, so that four panels' part (128
 * KiB) stays in cache for all rows of the block; that of bf16 is not, since its results are rounded. */
#include "kernels/conv/parts.h"

enum {
    ROWS = 84,       /* pixels a task: divides evenly into the 6, 14 and 28 rows of the micro-kernels */
    ROWS_LEAST = 24, /* where a long sum would have too few tasks otherwise */
    DEPTH = 512      /* of the sum at a time */
};

struct tiling {
    int row_blocks, splits; /* splits: of the panels */
};

struct pointwise {
    const struct cvy_compute *compute;
    int pixels, c, k;
    const float *x, *w; /* or pairs, 4 bytes either way */
    void *y;
    const struct cvy_epilogue *epilogue;
    bool accumulate, pairs;
    struct tiling tiling;
};

static void multiply(const struct pointwise *p, int row, int rows, int panel, int panels) {
    const int column = panel * CVY_PANEL, parts = p->pairs ? 1 : cvy_ceil_div(p->c, DEPTH);
    const ptrdiff_t at = (ptrdiff_t)row * p->k + column;
    struct cvy_epilogue epilogue;
    if (p->epilogue) epilogue = cvy_epilogue_at(p->epilogue, column, at, cvy_result_type(p->pairs));
    for (int i = 0; i < parts; i++) {
        const int begin = cvy_tile_begin(p->c, parts, i), depth = cvy_tile_begin(p->c, parts, i + 1) - begin;
        cvy_multiply(p->compute, p->pairs,
                     &(struct cvy_product){
                         .rows = rows,
                         .columns = cvy_min(panels * CVY_PANEL, p->k - column),
                         .depth = depth,
                         .outer = 1,
                         .inner = 1,
                         .a = p->x + (ptrdiff_t)row * p->c + begin,
                         .a_row = p->c,
                         .a_step = 1,
                         .b = p->w + ((ptrdiff_t)panel * p->c + begin) * CVY_PANEL,
                         .b_panel = (ptrdiff_t)p->c * CVY_PANEL,
                         .b_step = CVY_PANEL,
                         .c = cvy_element(p->y, cvy_result_type(p->pairs), at),
                         .c_row = p->k,
                         .c_panel = CVY_PANEL,
                         .rounded = p->pairs,
                         .accumulate = p->accumulate || i > 0,
                         .epilogue = p->epilogue && i == parts - 1 ? &epilogue : NULL,
                     });
    }
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct pointwise *p = arg;
    const int splits = p->tiling.splits, block = t / splits, split = t % splits, panels = cvy_panels(p->k);
    const int row = cvy_tile_begin(p->pixels, p->tiling.row_blocks, block);
    const int rows = cvy_tile_begin(p->pixels, p->tiling.row_blocks, block + 1) - row;
    const int end = cvy_tile_begin(panels, splits, split + 1);
    int panel = cvy_tile_begin(panels, splits, split);
    for (int left = cvy_ceil_div(end - panel, CVY_GROUP); left > 0; left--) {
        int count = cvy_ceil_div(end - panel, left);
        multiply(p, row, rows, panel, count);
        panel += count;
    }
}

/* Rows of a short sum stay in a first-level cache while one panel after the other goes over them. Those of a long one
 * do not, and with their distance often a power of two they share cache sets: there the panels stay together and it is
 * the pixels that are cut further (2048 → 512 channels at 7×7: 55 → 205 GFLOP/s). */
static struct tiling make_tiling(int pixels, int c, int k) {
    const int64_t macs = (int64_t)pixels * c * cvy_panels(k) * CVY_PANEL;
    const int most = cvy_clamp(macs / CVY_TASK_MACS, 1, 1 << 20), wanted = cvy_min(most, CVY_TASKS_WANTED);
    const bool together = c > DEPTH;
    struct tiling tiling = {.row_blocks = cvy_min(cvy_ceil_div(pixels, ROWS), most)};
    tiling.splits = cvy_clamp(wanted / tiling.row_blocks, 1, cvy_ceil_div(cvy_panels(k), together ? CVY_GROUP : 1));
    if (together) tiling.row_blocks = cvy_max(tiling.row_blocks, cvy_min(wanted / tiling.splits, pixels / ROWS_LEAST));
    return tiling;
}

bool cvy_conv_is_pointwise(const struct cvy_conv *g) {
    return g->r == 1 && g->s == 1 && g->stride_h == 1 && g->stride_w == 1 && g->pad_top == 0 && g->pad_left == 0 &&
           g->in.h == g->out.h && g->in.w == g->out.w;
}

/* ---- the rows ---- */

static bool applicable(const struct cvy_conv_case *c) {
    return cvy_conv_is_pointwise(c->g);
}

/* From one shape to another of the same pixels. */
static size_t tile(const struct cvy_conv_case *c, struct cvy_shape from, struct cvy_shape to, struct cvy_tiling *out) {
    const struct tiling tiling = make_tiling(c->g->n * from.h * from.w, cvy_elements_of(c->type, from.c), to.c);
    CVY_TILING_KEEP(&tiling, out);
    return cvy_even_floats(c->type, c->g->n, from);
}
static void run(const struct cvy_pass_call *c, struct cvy_shape from, struct cvy_shape to) {
    struct pointwise p = {.compute = c->compute,
                          .pixels = c->g->n * from.h * from.w,
                          .c = cvy_elements_of(c->type, from.c),
                          .k = to.c,
                          .x = cvy_make_even(c, from),
                          .w = c->with,
                          .y = c->to,
                          .epilogue = c->epilogue,
                          .accumulate = c->accumulate,
                          .pairs = c->type == CVY_BF16};
    CVY_TILING_FIND(c, &p.tiling);
    cvy_parallel(c->compute->pool, p.tiling.row_blocks * p.tiling.splits, task, &p);
}

static size_t tile_forward(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    return tile(c, c->g->in, c->g->out, out);
}
static void forward(const struct cvy_pass_call *c) {
    run(c, c->g->in, c->g->out);
}

static size_t tile_data(const struct cvy_conv_case *c, struct cvy_tiling *out) {
    return tile(c, c->g->out, c->g->in, out);
}
static void data(const struct cvy_pass_call *c) {
    run(c, c->g->out, c->g->in);
}

const struct cvy_algorithm cvy_forward_pointwise = {
    .name = "pointwise", .type = CVY_F32, .applicable = applicable, .tile = tile_forward, .run = forward};
const struct cvy_algorithm cvy_data_pointwise = {.name = "pointwise",
                                                 .type = CVY_F32,
                                                 .applicable = applicable,
                                                 .tile = tile_data,
                                                 .copy = &cvy_mirrored,
                                                 .run = data};
const struct cvy_algorithm cvy_forward_bf16_pointwise = {.name = "pairs pointwise",
                                                         .type = CVY_BF16,
                                                         .applicable = applicable,
                                                         .tile = tile_forward,
                                                         .copy = &cvy_pairs,
                                                         .run = forward};
const struct cvy_algorithm cvy_data_bf16_pointwise = {.name = "pairs pointwise",
                                                      .type = CVY_BF16,
                                                      .applicable = applicable,
                                                      .tile = tile_data,
                                                      .copy = &cvy_mirrored_pairs,
                                                      .run = data};
