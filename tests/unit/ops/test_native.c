/* Ops that run on bf16: bit by bit what the op of fp32 gives for the same numbers, rounded once as it is stored; and
 * the same sums, for what stays in fp32. Contractions, whose sums have another order, are in test_bf16.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "kernels/bf16.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

static const struct native {
    const char *op;
    int inputs; /* alike */
    struct cvy_shape in;
    bool relu, residual; /* fused */
} natives[] = {
    {"batchnorm: {eps: 0.1}", 1, {5, 3, 37}, false, false},
    {"batchnorm: {eps: 0.1}", 1, {4, 3, 7}, true, false},
    {"batchnorm: {eps: 0.1}", 1, {4, 3, 64}, true, false},
    {"batchnorm: {eps: 0.1}", 1, {5, 2, 21}, true, true},
    {"batchnorm: {eps: 0.1}", 1, {5, 2, 64}, true, true},
    {"relu: ~", 1, {3, 5, 17}, false, false},
    {"tanh: ~", 1, {3, 5, 17}, false, false},
    {"silu: ~", 1, {3, 5, 17}, false, false},
    {"hard_tanh: {min: -0.5, max: 0.5}", 1, {3, 5, 7}, false, false},
    {"sign: ~", 1, {3, 5, 7}, false, false},
    {"add: ~", 2, {4, 5, 9}, false, false},
    {"add: ~", 3, {4, 5, 9}, false, false},
    {"multiply: ~", 3, {4, 5, 9}, false, false},
    {"concat: channels", 3, {4, 5, 9}, false, false},
    {"concat: height", 2, {4, 5, 9}, false, false},
    {"maxpool: 2", 1, {6, 8, 3}, false, false},
    {"maxpool: 2", 1, {6, 8, 37}, false, false},
    {"maxpool: 17", 1, {35, 36, 5}, false, false},
    {"maxpool: {kernel: [20, 15], stride: [21, 16], padding: [3, 4]}", 1, {40, 41, 33}, false, false},
    {"maxpool: {kernel: 2, padding: same}", 1, {5, 7, 17}, false, false},
    {"maxpool: {kernel: 3, stride: 2, padding: 1}", 1, {9, 8, 5}, false, false},
    {"maxpool: {kernel: [3, 5], stride: [1, 2], padding: same}", 1, {7, 11, 37}, false, false},
    {"maxpool: {kernel: [3, 2], stride: [2, 1], dilation: [2, 3], padding: [2, 1]}", 1, {9, 8, 17}, false, false},
    {"maxpool: {kernel: 18, stride: 3}", 1, {24, 22, 5}, false, false},
    {"avgpool: 2", 1, {6, 8, 5}, false, false},
    {"avgpool: {kernel: [2, 3], stride: [3, 3]}", 1, {8, 9, 33}, false, false},
    {"global_avgpool: ~", 1, {5, 4, 70}, false, false},
    {"global_maxpool: ~", 1, {5, 4, 70}, false, false},
    {"dropout: 0.3", 1, {5, 4, 17}, false, false},
    {"spatial_dropout: 0.3", 1, {5, 4, 70}, false, false},
    {"lrn: ~", 1, {3, 2, 21}, false, false},
    {"pad: {padding: [0, 1, 2, 3], value: 0.3}", 1, {3, 4, 5}, false, false},
    {"pad: {channels: [2, 3]}", 1, {3, 4, 5}, false, false},
    {"crop: 1", 1, {5, 4, 7}, false, false},
    {"slice: {height: [0, 4, 2], channels: [3, 6]}", 1, {5, 4, 7}, false, false},
    {"flatten: ~", 1, {3, 4, 5}, false, false},
};

enum { SAMPLES = 3 };

/* The op in fp32 and in bf16. */
struct pair {
    const struct native *native;
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_op op[2];
    struct op_run run[2];
    float *residual[2][2]; /* and its gradient */
};

static void build_graph(struct pair *p) {
    const struct cvy_shape in = p->native->in;
    struct cvy_buf text = {0};
    cvy_buf_printf(&text, "input: [%d, %d, %d]\nlayers: [", in.h, in.w, in.c);
    for (int k = 1; k < p->native->inputs; k++)
        cvy_buf_printf(&text, "{conv: {filters: %d, kernel: 1}, name: x%d, inputs: input}, ", in.c, k);
    cvy_buf_printf(&text, "{%s, inputs: [input", p->native->op);
    for (int k = 1; k < p->native->inputs; k++) cvy_buf_printf(&text, ", x%d", k);
    cvy_buf_printf(&text, "]}]\n");
    TEST_OK(graph_from_text(cvy_buf_text(&text), NULL, &p->tree, &p->graph));
    cvy_buf_destroy(&text);
}

/* The same numbers of bf16 in both. */
static void fill(const struct cvy_tensor *exact, struct cvy_tensor *rounded, uint32_t seed) {
    const size_t count = (size_t)cvy_op_count(exact->shape, exact->n);
    float *f = exact->data;
    cvy_bf16 *h = rounded->data;
    rounded->dtype = CVY_BF16;
    floats_random(f, count, seed);
    for (size_t i = 0; i < count; i++) {
        h[i] = cvy_bf16_round(f[i]);
        f[i] = cvy_bf16_float(h[i]);
    }
}

static bool is_rounded(const struct cvy_tensor *exact, const struct cvy_tensor *rounded) {
    const float *f = exact->data;
    const cvy_bf16 *h = rounded->data;
    bool same = true;
    for (int64_t i = 0; i < cvy_op_count(exact->shape, exact->n); i++) same &= h[i] == cvy_bf16_round(f[i]);
    return same;
}

static void add_residual(struct pair *p, int which) {
    struct op_run *run = &p->run[which];
    const size_t count = run->y_count;
    run->call.fused.residual = true;
    for (int i = 0; i < 2; i++) p->residual[which][i] = floats_new(count);
    run->x[1] = (struct cvy_tensor){p->residual[which][0], CVY_F32, SAMPLES, run->op->out};
    run->dx[1] = (struct cvy_tensor){p->residual[which][1], CVY_F32, SAMPLES, run->op->out};
}

static int tensors_of(const struct pair *p) {
    return p->native->inputs + p->native->residual;
}

static void pair_create(struct pair *p, const struct native *native, const struct cvy_compute *compute,
                        bool accumulate) {
    static const int64_t ids[SAMPLES] = {4099, 77, 1000003};
    *p = (struct pair){.native = native};
    build_graph(p);
    for (int i = 0; i < 2; i++) {
        struct op_run *run = &p->run[i];
        p->op[i] = p->graph->nodes[p->graph->node_count - 1].op;
        p->op[i].type = i ? CVY_BF16 : CVY_F32;
        op_run_create(run, &p->op[i], compute, SAMPLES);
        run->call.seed = 7;
        run->call.ids = ids;
        if (native->relu) run->call.fused.activation = CVY_FUSED_RELU;
        if (native->residual) add_residual(p, i);
        for (int k = 0; k < tensors_of(p); k++) run->accumulate[k] = accumulate;
        run->call.y.dtype = p->op[i].type;
        for (int q = 0; q < p->op[i].params; q++)
            floats_random(op_run_param(run, q), op_stored(run->op, q), 20 + (uint32_t)q);
    }
    CU_ASSERT(p->op[1].bf16);
    for (int k = 0; k < tensors_of(p); k++) {
        fill(&p->run[0].x[k], &p->run[1].x[k], 1 + (uint32_t)k);
        fill(&p->run[0].dx[k], &p->run[1].dx[k], 30 + (uint32_t)k);
    }
    fill(&p->run[0].call.dy, &p->run[1].call.dy, 10);
}

static void pair_destroy(struct pair *p) {
    for (int i = 0; i < 2; i++) {
        op_run_destroy(&p->run[i]);
        for (int j = 0; j < 2; j++) floats_free(p->residual[i][j]);
    }
    cvy_graph_destroy(&p->graph);
    cvy_tree_destroy(&p->tree);
}

/* The rounded output, so that a backward which reads it has the same numbers. */
static void share_output(struct pair *p) {
    float *y = p->run[0].call.y.data;
    const cvy_bf16 *rounded = p->run[1].call.y.data;
    for (size_t i = 0; i < p->run[0].y_count; i++) y[i] = cvy_bf16_float(rounded[i]);
}

static void check(const struct pair *p, bool holds, const char *what) {
    if (!holds)
        fprintf(stderr, "\n    %s of %d×%d×%d%s%s at %s: %s", p->native->op, p->native->in.h, p->native->in.w,
                p->native->in.c, p->native->relu ? ", relu" : "", p->native->residual ? ", residual" : "",
                cvy_isa_name(p->run[0].call.compute->level), what);
    CU_ASSERT(holds);
}

static void rounded_once(const struct cvy_compute *compute, const struct native *native, bool accumulate) {
    struct pair p;
    pair_create(&p, native, compute, accumulate);
    const struct cvy_op *op = &p.op[0];
    struct cvy_call *exact = &p.run[0].call, *rounded = &p.run[1].call;
    for (int i = 0; i < 2; i++) op->kind->forward(&p.op[i], &p.run[i].call);
    check(&p, is_rounded(&exact->y, &rounded->y), "y");
    share_output(&p);
    for (int i = 0; i < 2; i++) op->kind->backward(&p.op[i], &p.run[i].call);
    for (int k = 0; k < tensors_of(&p); k++) check(&p, is_rounded(&exact->dx[k], &rounded->dx[k]), "dx");
    for (int q = 0; q < op->params; q++)
        check(&p, floats_same(exact->grad[q], rounded->grad[q], op_stored(op, q)), "a parameter's gradient");
    for (int b = 0; b < op->buffers; b++)
        check(&p, floats_same(exact->stat[b], rounded->stat[b], (size_t)cvy_param_count(&op->buffer[b])),
              "a statistic");
    pair_destroy(&p);
}

static void all_rounded_once(void) {
    for (int isa = 0; isa < CVY_ISA_COUNT; isa++) {
        struct cvy_compute *compute;
        if (!cvy_isa_available((enum cvy_isa)isa)) continue;
        TEST_OK(cvy_compute_create(2, (enum cvy_isa)isa, &compute));
        for (size_t i = 0; i < 2 * sizeof natives / sizeof *natives; i++)
            rounded_once(compute, &natives[i / 2], i % 2 == 1);
        cvy_compute_destroy(&compute);
    }
}

/* Where windows overlap a gradient is a sum of several, which is to be rounded once. */
static void overlapping(void) {
    static const char *const pools[] = {"avgpool: {kernel: 3, stride: 1}", "adaptive_avgpool: [2, 3]",
                                        "adaptive_maxpool: [2, 3]"};
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        struct pair p = {.native = &(struct native){pools[i], 1, {7, 7, 5}, false, false}};
        build_graph(&p);
        CU_ASSERT_FALSE(p.graph->nodes[0].op.bf16);
        cvy_graph_destroy(&p.graph);
        cvy_tree_destroy(&p.tree);
    }
}

static const struct test_case cases[] = {
    {"fp32's results, rounded once", all_rounded_once},
    {"not where several would be added up", overlapping},
    {0},
};
const struct test_suite suite_native = {"native", cases, NULL};
