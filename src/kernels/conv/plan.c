#include "kernels/conv/plan.h"

#include "core/ints.h"
#include "core/memory.h"
#include "kernels/conv/algorithm.h"
#include "kernels/conv/parts.h"

/* ---- planning ---- */

static const struct cvy_algorithm *choose(enum cvy_pass pass, const struct cvy_conv_case *c) {
    for (int i = 0;; i++) {
        const struct cvy_algorithm *row = cvy_algorithm_at(pass, i);
        if (row->type == c->type && !(row->transforms && c->g->direct) && row->applicable(c)) return row;
    }
}

static size_t align_floats(size_t floats) {
    return cvy_align_up(floats * sizeof(float)) / sizeof(float);
}

static size_t copy_floats(const struct cvy_conv_plan *plan, const struct cvy_weights_copy *copy) {
    const struct cvy_conv one = cvy_conv_one_group(&plan->g);
    return align_floats((size_t)cvy_conv_rounds(&plan->g) * copy->floats(&one));
}

/* Where the copy is, which is new or another algorithm's too. */
static size_t place_copy(struct cvy_conv_plan *plan, const struct cvy_weights_copy *copy) {
    size_t at = 0;
    int i = 0;
    if (copy == NULL) return 0;
    for (; i < plan->copy_count && plan->copies[i] != copy; i++) at += copy_floats(plan, plan->copies[i]);
    if (i == plan->copy_count) {
        CVY_ASSERT(i < CVY_CONV_COPIES);
        plan->copies[plan->copy_count++] = copy;
        plan->copy_floats = at + copy_floats(plan, copy);
    }
    return at;
}

static void add_samples(struct cvy_conv_plan *plan, enum cvy_pass pass, int n, const struct cvy_algorithm *algorithm) {
    int *count = &plan->range_count[pass];
    struct cvy_conv_range *ranges = plan->ranges[pass];
    if (*count == 0 || ranges[*count - 1].algorithm != algorithm) {
        CVY_ASSERT(*count < CVY_CONV_RANGES);
        ranges[(*count)++] = (struct cvy_conv_range){.algorithm = algorithm, .copy = place_copy(plan, algorithm->copy)};
    }
    ranges[*count - 1].samples = n;
}

/* Fewer samples may be cut otherwise and want more workspace. The last to be cut are the most. */
static void plan_pass(struct cvy_conv_plan *plan, enum cvy_pass pass, const struct cvy_conv_case *largest) {
    struct cvy_conv whole = plan->g;
    for (int n = 1; n <= largest->most; n++) {
        whole.n = n;
        const struct cvy_conv one = cvy_conv_one_group(&whole);
        struct cvy_conv_case c = *largest;
        c.g = &one;
        const struct cvy_algorithm *algorithm = choose(pass, &c);
        const size_t floats = algorithm->tile(&c, &plan->tilings[pass]);
        const size_t bytes = cvy_align_up((cvy_groups_workspace(&whole) + floats) * sizeof(float));
        if (bytes > plan->workspace) plan->workspace = bytes;
        add_samples(plan, pass, n, algorithm);
    }
}

void cvy_conv_plan_make(const struct cvy_compute *compute, const struct cvy_conv *g,
                        const struct cvy_conv_setting *setting, struct cvy_conv_plan *out) {
    *out = (struct cvy_conv_plan){.compute = compute, .g = *g, .type = setting->type};
    const int rounds = cvy_conv_rounds(g);
    const struct cvy_conv_case c = {.compute = compute,
                                    .g = g,
                                    .type = setting->type,
                                    .most = g->n,
                                    .fixed = setting->fixed && rounds == 1,
                                    .lean = setting->lean};
    for (int pass = 0; pass < CVY_CONV_PASSES; pass++)
        if (setting->passes[pass]) plan_pass(out, (enum cvy_pass)pass, &c);
    if (out->copy_floats && rounds > 1) out->copy_floats += align_floats(cvy_groups_panel_floats(g));
}

/* ---- what it says ---- */

static const struct cvy_conv_range *range_of(const struct cvy_conv_plan *plan, enum cvy_pass pass, int n) {
    CVY_ASSERT(plan->range_count[pass] > 0 && n >= 1 && n <= plan->g.n);
    const struct cvy_conv_range *range = plan->ranges[pass];
    while (range->samples < n) range++;
    return range;
}

bool cvy_conv_plan_copies(const struct cvy_conv_plan *plan, enum cvy_pass pass) {
    bool any = false;
    for (int i = 0; i < plan->range_count[pass]; i++) any |= plan->ranges[pass][i].algorithm->copy != NULL;
    return any;
}

bool cvy_conv_plan_transforms(const struct cvy_conv_plan *plan) {
    bool any = false;
    for (int pass = 0; pass < CVY_CONV_PASSES; pass++)
        for (int i = 0; i < plan->range_count[pass]; i++) any |= plan->ranges[pass][i].algorithm->transforms;
    return any;
}

/* ---- running ---- */

void cvy_conv_prepare(const struct cvy_conv_plan *plan, const float *w, float *copies) {
    const struct cvy_compute *compute = plan->compute;
    const double start = cvy_trace_start(compute);
    float *own = copies + plan->copy_floats - align_floats(cvy_groups_panel_floats(&plan->g));
    for (int i = 0; i < plan->copy_count; copies += copy_floats(plan, plan->copies[i++]))
        cvy_groups_copy(compute, plan->copies[i], &plan->g, w, copies, own);
    cvy_trace_end(compute, CVY_PASS_COPIES, start);
}

/* Of fewer samples than the largest leaf has. */
static void tile_fewer(const struct cvy_conv_plan *plan, const struct cvy_algorithm *algorithm,
                       const struct cvy_pass_call *call, struct cvy_tiling *out) {
    const struct cvy_conv one = cvy_conv_one_group(call->g);
    algorithm->tile(&(struct cvy_conv_case){call->compute, &one, plan->type, .most = plan->g.n}, out);
}

static void run(const struct cvy_conv_plan *plan, enum cvy_pass pass, int n, struct cvy_conv_weights weights,
                struct cvy_pass_call call) {
    const struct cvy_compute *compute = plan->compute;
    const struct cvy_conv_range *range = range_of(plan, pass, n);
    const double start = cvy_trace_start(compute);
    struct cvy_conv g = plan->g;
    struct cvy_tiling fewer;
    g.n = n;
    call.compute = compute;
    call.g = &g;
    call.type = plan->type;
    call.tiling = &plan->tilings[pass];
    if (n < plan->g.n) {
        tile_fewer(plan, range->algorithm, &call, &fewer);
        call.tiling = &fewer;
    }
    if (pass != CVY_PASS_WEIGHTS) call.with = range->algorithm->copy ? weights.copies + range->copy : weights.w;
    cvy_trace_algorithm(compute, range->algorithm->name);
    cvy_groups_run(range->algorithm, pass, &call);
    cvy_trace_end(compute, pass, start);
}

void cvy_conv_forward(const struct cvy_conv_plan *plan, int n, const void *x, struct cvy_conv_weights weights,
                      const struct cvy_epilogue *epilogue, void *y, void *ws) {
    run(plan, CVY_PASS_FORWARD, n, weights, (struct cvy_pass_call){.from = x, .epilogue = epilogue, .to = y, .ws = ws});
}

void cvy_conv_backward_data(const struct cvy_conv_plan *plan, int n, const void *dy, struct cvy_conv_weights weights,
                            void *dx, bool accumulate, void *ws) {
    run(plan, CVY_PASS_DATA, n, weights,
        (struct cvy_pass_call){.from = dy, .accumulate = accumulate, .to = dx, .ws = ws});
}

void cvy_conv_backward_weights(const struct cvy_conv_plan *plan, int n, const void *x, const void *dy, float *dw,
                               float *dbias, void *ws) {
    run(plan, CVY_PASS_WEIGHTS, n, (struct cvy_conv_weights){NULL, NULL},
        (struct cvy_pass_call){.from = x, .with = dy, .dbias = dbias, .to = dw, .ws = ws});
}
