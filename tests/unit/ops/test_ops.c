/* ops: every layer and loss against its formula in double: values, gradients by finite differences along random
 * directions, adjointness of the linear ones; and that an op is what it declares: what backward reads, room for its
 * scratch, in place, adding to dx, the same bits on any number of threads. One line a case. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "io/yaml.h"
#include "unit/core/param_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_cases.h"
#include "unit/ops/ops_help.h"
#include "ops_reference.h"
#include "test.h"

const struct op_case op_cases_base[] = {
    {"conv", "{filters: 1, kernel: 1}", {{1, 1, 1}}},
    {"conv", "{filters: 17, kernel: 3, padding: same}", {{5, 7, 1}}},
    {"conv", "{filters: 6, kernel: 5, padding: same}", {{9, 9, 1}}},
    {"conv", "{filters: 5, kernel: [3, 5], padding: [1, 2, 0, 3]}", {{7, 6, 17}}},
    {"conv", "{filters: 3, kernel: 2, stride: 3}", {{8, 11, 3}}},
    {"conv", "{filters: 33, kernel: [4, 6], bias: false}", {{4, 6, 2}}},
    {"conv", "{filters: 16, kernel: 3, stride: [2, 1], padding: same, init: lecun_uniform}", {{6, 5, 16}}},
    {"conv", "{filters: 4, kernel: 3, dilation: [2, 1], padding: 2}", {{6, 6, 5}}},
    {"conv", "{filters: 48, kernel: 1, stride: 2}", {{5, 5, 20}}},
    {"dense", "1", {{1, 1, 1}}},
    {"dense", "{units: 10}", {{1, 1, 84}}},
    {"dense", "{units: 17, bias: false}", {{3, 2, 7}}},
    {"dense", "{units: 65, init: lecun_uniform}", {{1, 1, 33}}},
    {"maxpool", "2", {{6, 8, 6}}},
    {"maxpool", "{kernel: 3, stride: 2, padding: 1}", {{7, 7, 17}}},
    {"maxpool", "{kernel: [2, 3], stride: [3, 4]}", {{8, 11, 1}}},
    {"maxpool", "{kernel: [5, 4]}", {{5, 4, 3}}},
    {"maxpool", "{kernel: 3, stride: 1, padding: same}", {{4, 5, 2}}},
    {"avgpool", "2", {{6, 8, 6}}},
    {"avgpool", "{kernel: 3, stride: 2, padding: [0, 1, 2, 0], count_include_pad: false}", {{7, 7, 17}}},
    {"avgpool", "{kernel: 3, stride: 2, padding: 1}", {{7, 8, 1}}},
    {"avgpool", "{kernel: 2, stride: 3}", {{8, 8, 5}}},
    {"avgpool", "{kernel: [5, 4]}", {{5, 4, 3}}},
    {"relu", "", {{3, 5, 1}}},
    {"relu", "", {{2, 7, 17}}},
    {"tanh", "", {{1, 1, 1}}},
    {"tanh", "", {{3, 5, 17}}},
    {"sigmoid", "", {{1, 1, 1}}},
    {"sigmoid", "", {{3, 5, 17}}},
    {"flatten", "", {{3, 5, 7}}},
    {"flatten", "", {{1, 1, 1}}},
    {"dropout", "0.3", {{3, 5, 17}}},
    {"dropout", "{rate: 0}", {{2, 2, 1}}},
    {"dropout", "{rate: 0.9}", {{1, 1, 7}}},
    {0},
};

static const struct op_case *const case_lists[] = {
#define CASE_LIST(part) op_cases_##part,
    OP_PARTS(CASE_LIST)};
#define EACH_CASE(c)                                                                                                   \
    for (size_t l_ = 0; l_ < sizeof case_lists / sizeof *case_lists; l_++)                                             \
        for (const struct op_case *c = case_lists[l_]; c->op; c++)

enum { SAMPLES = 3 };

/* What a check works on. */
struct subject {
    const struct op_case *c;
    const struct cvy_compute *compute;
    const struct op_reference *reference;
    struct cvy_tree *tree;
    struct cvy_node *settings; /* NULL: none */
    struct cvy_graph *graph;
    const struct cvy_op *op;
    int n;
    double *x[OP_INPUTS], *r, *param[CVY_OP_PARAMS]; /* inputs, dy, logical parameters */
    double *buffer[CVY_OP_BUFFERS];
    double *drawn; /* what a random op adds or multiplies by */
    float *y;      /* what forward gave */
    size_t x_count[OP_INPUTS], y_count;
    int32_t labels[SAMPLES];
    int64_t ids[SAMPLES];
    struct op_run run; /* after forward and backward */
};

static void check(const struct subject *s, bool holds, const char *what) {
    if (!holds)
        fprintf(stderr, "\n    %s %s on %d samples of %d×%d×%d at %s: %s", s->c->op, s->c->settings, s->n,
                s->c->in[0].h, s->c->in[0].w, s->c->in[0].c, cvy_isa_name(s->compute->isa), what);
    CU_ASSERT(holds);
}

static double *doubles(size_t count) {
    double *out = calloc(count + 1, sizeof *out);
    if (out == NULL) abort();
    return out;
}

/* All distances at least 2/count, none within 0.3/count of zero, so that no step of a finite difference meets a kink.
 */
static void spread(double *out, size_t count, uint32_t seed) {
    struct cvy_rng rng = cvy_rng_at((struct cvy_stream){{seed, 11}}, 0, 0);
    for (size_t i = 0; i < count; i++) out[i] = (float)(2 * ((double)i + 0.3) / (double)count - 1);
    for (size_t i = count; i > 1; i--) {
        size_t j = cvy_rng_below(&rng, (uint32_t)i);
        double swap = out[i - 1];
        out[i - 1] = out[j];
        out[j] = swap;
    }
}

static void to_floats(const double *from, float *to, size_t count) {
    for (size_t i = 0; i < count; i++) to[i] = (float)from[i];
}

static double dot(const float *a, const double *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

static size_t param_count(const struct subject *s, int p) {
    return (size_t)cvy_param_count(&s->op->param[p]);
}

/* ---- the reference ---- */

static struct op_math math_of(const struct subject *s) {
    struct op_math m = {.body = s->settings,
                        .n = s->n,
                        .inputs = s->op->inputs,
                        .in = s->op->in[0],
                        .ins = s->op->in,
                        .labels = s->labels,
                        .drawn = s->drawn};
    for (int k = 0; k < s->op->inputs; k++) m.x[k] = s->x[k];
    for (int p = 0; p < s->op->params; p++) m.param[p] = s->param[p];
    for (int b = 0; b < s->op->buffers; b++) m.buffer[b] = s->buffer[b];
    m.out = m.in;
    if (s->reference->shape) s->reference->shape(&m);
    return m;
}

/* The loss: Σ r·y, or the op's own. */
static double loss_of(const struct subject *s) {
    struct op_math m = math_of(s);
    double *y = doubles(s->y_count + 1), sum = 0;
    s->reference->forward(&m, y);
    if (cvy_loss_of(s->op))
        sum = y[0];
    else
        for (size_t i = 0; i < s->y_count; i++) sum += y[i] * s->r[i];
    free(y);
    return sum;
}

/* ---- setting up ---- */

/* The graph's input is the op's first; a convolution of its own makes each other one. */
static void add_inputs(const struct op_case *c, struct cvy_buf *layers, struct cvy_buf *names) {
    for (int i = 1; i < OP_INPUTS && c->in[i].h; i++) {
        struct cvy_shape in = c->in[0], out = c->in[i];
        cvy_buf_printf(layers, "{conv: {filters: %d, kernel: [%d, %d]}, name: x%d, inputs: input}, ", out.c,
                       in.h - out.h + 1, in.w - out.w + 1, i);
        cvy_buf_printf(names, ", x%d", i);
    }
}

static void build_graph(struct subject *s) {
    struct cvy_buf text = {0}, layers = {0}, names = {0};
    char body[256];
    const char *settings = s->c->settings;
    const char *near;
    bool loss = cvy_losses_find(s->c->op, &near) != NULL;
    add_inputs(s->c, &layers, &names);
    if (loss)
        snprintf(body, sizeof body, *settings ? "{%s: %s}" : "%s", s->c->op, settings);
    else
        snprintf(body, sizeof body, "{%s: %s, inputs: [input%s]}", s->c->op, *settings ? settings : "~",
                 cvy_buf_text(&names));
    cvy_buf_printf(&text, "input: [%d, %d, %d]\nlayers: [%s%s]\n", s->c->in[0].h, s->c->in[0].w, s->c->in[0].c,
                   cvy_buf_text(&layers), loss ? "flatten" : body);
    TEST_OK(graph_from_text(cvy_buf_text(&text), loss ? body : NULL, &s->tree, &s->graph));
    cvy_buf_destroy(&text);
    cvy_buf_destroy(&layers);
    cvy_buf_destroy(&names);
    if (*settings) TEST_OK(cvy_yaml_parse(s->tree, "settings", settings, strlen(settings), &s->settings));
    s->op = &s->graph->nodes[s->graph->node_count - 1].op;
}

/* Scaled so that sums stay near 1. */
static void draw_params(struct subject *s, bool zero_bias) {
    for (int p = 0; p < s->op->params; p++) {
        size_t count = param_count(s, p);
        double scale = p == 0 ? 1 / sqrt((double)count / (double)s->op->out.c) : zero_bias ? 0 : 1;
        s->param[p] = doubles(count);
        spread(s->param[p], count, 100 + (uint32_t)p);
        float *logical = floats_new(count);
        for (size_t i = 0; i < count; i++) s->param[p][i] = (float)(s->param[p][i] * scale);
        to_floats(s->param[p], logical, count);
        struct cvy_param stored = s->op->param[p];
        stored.stored = op_stored(s->op, p);
        cvy_param_from_logical(&stored, logical, op_run_param(&s->run, p));
        floats_free(logical);
    }
}

/* All positive, so that they may be variances. */
static void draw_buffers(struct subject *s) {
    for (int b = 0; b < s->op->buffers; b++) {
        size_t count = (size_t)cvy_param_count(&s->op->buffer[b]);
        s->buffer[b] = doubles(count);
        spread(s->buffer[b], count, 200 + (uint32_t)b);
        for (size_t i = 0; i < count; i++) s->buffer[b][i] = (float)(0.75 + 0.5 * s->buffer[b][i]);
    }
}

/* The same inputs for every run of a subject. */
static void fill_run(const struct subject *s, struct op_run *run) {
    for (int k = 0; k < s->op->inputs; k++) to_floats(s->x[k], run->x[k].data, s->x_count[k]);
    if (s->y_count) to_floats(s->r, run->call.dy.data, s->y_count);
    run->call.seed = 7;
    run->call.epoch = 2;
    run->call.ids = s->ids;
    run->call.target = op_classes(s->labels, s->n);
    for (int b = 0; b < s->op->buffers; b++)
        to_floats(s->buffer[b], op_run_buffer(run, b), (size_t)cvy_param_count(&s->op->buffer[b]));
    if (run == &s->run) return;
    for (int p = 0; p < s->op->params; p++)
        memcpy(op_run_param(run, p), s->run.call.param[p], op_stored(s->op, p) * sizeof(float));
}

/* What a random op draws in this call: its output for ones, if it multiplies by it, or for zeros. */
static void measure_drawn(struct subject *s) {
    struct op_run run;
    s->drawn = doubles(s->y_count);
    if (!(s->reference->traits & (OP_FACTORS | OP_ADDENDS))) return;
    op_run_create(&run, s->op, s->compute, s->n);
    fill_run(s, &run);
    for (size_t i = 0; i < s->x_count[0]; i++) ((float *)run.x[0].data)[i] = (s->reference->traits & OP_FACTORS) != 0;
    op_run_forward(&run);
    for (size_t i = 0; i < s->y_count; i++) s->drawn[i] = ((float *)run.call.y.data)[i];
    op_run_destroy(&run);
}

static void subject_create(struct subject *s, const struct op_case *c, const struct cvy_compute *compute, int n,
                           bool zero_bias) {
    *s = (struct subject){.c = c, .compute = compute, .n = n, .reference = op_reference_find(c->op)};
    build_graph(s);
    op_run_create(&s->run, s->op, compute, n);
    s->y_count = s->run.y_count;
    s->r = doubles(s->y_count);
    s->y = floats_new(s->y_count);
    for (int k = 0; k < s->op->inputs; k++) {
        s->x_count[k] = s->run.x_count[k];
        s->x[k] = doubles(s->x_count[k]);
        spread(s->x[k], s->x_count[k], k ? 50 + (uint32_t)k : 1);
        for (size_t i = 0; i < s->x_count[k] && s->reference->traits & OP_WIDE; i++) s->x[k][i] *= 8;
    }
    if (s->y_count) spread(s->r, s->y_count, 2);
    for (int i = 0; i < SAMPLES; i++) {
        s->labels[i] = (i * 5 + 3) % (cvy_loss_of(s->op) ? cvy_loss_of(s->op)->classes : s->op->in[0].c);
        s->ids[i] = 1000003 * (int64_t)(i + 1) * 4099;
    }
    draw_params(s, zero_bias);
    draw_buffers(s);
    measure_drawn(s);
    fill_run(s, &s->run);
}

static void subject_destroy(struct subject *s) {
    op_run_destroy(&s->run);
    cvy_graph_destroy(&s->graph);
    cvy_tree_destroy(&s->tree);
    for (int k = 0; k < OP_INPUTS; k++) free(s->x[k]);
    free(s->r);
    free(s->drawn);
    floats_free(s->y);
    for (int p = 0; p < CVY_OP_PARAMS; p++) free(s->param[p]);
    for (int b = 0; b < CVY_OP_BUFFERS; b++) free(s->buffer[b]);
}

/* ---- values ---- */

static double tolerance(const struct subject *s) {
    int64_t window = s->op->params ? cvy_param_count(&s->op->param[0]) / s->op->out.c : 64;
    return s->reference->terms ? sum_tolerance((double)window) : sum_tolerance(1);
}

static void check_forward(struct subject *s) {
    struct op_math m = math_of(s);
    check(s, cvy_shape_equal(m.out, cvy_loss_of(s->op) ? m.in : s->op->out), "another output shape");
    double *y = doubles(s->y_count + 1);
    s->reference->forward(&m, y);
    op_run_forward(&s->run);
    if (s->y_count) memcpy(s->y, s->run.call.y.data, s->y_count * sizeof *s->y);
    if (cvy_loss_of(s->op))
        check(s, fabs(s->run.loss.loss - y[0]) <= 1e-6 * fabs(y[0]) + 1e-7, "another loss");
    else
        check(s, floats_error(s->run.call.y.data, y, s->y_count) <= tolerance(s), "another output");
    free(y);
}

/* ---- gradients ---- */

/* Along a random direction u of `values`: (L(v + εu) − L(v − εu)) / 2ε against ⟨gradient, u⟩. Three times. The error
 * allowed is a share of √Σ(g·u)², the size that such a sum has: one wrong element of a thousand is far outside. */
static void check_direction(struct subject *s, double *values, const float *gradient, size_t count, const char *what) {
    const double step = 1e-5;
    double *u = doubles(count), *before = doubles(count);
    memcpy(before, values, count * sizeof *values);
    for (uint32_t trial = 0; trial < 3; trial++) {
        double loss[2], size = 0;
        spread(u, count, 31 + trial);
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < count; i++) values[i] = before[i] + (side ? step : -step) * u[i];
            loss[side] = loss_of(s);
        }
        memcpy(values, before, count * sizeof *values);
        for (size_t i = 0; i < count; i++) size += gradient[i] * u[i] * gradient[i] * u[i];
        double difference = (loss[1] - loss[0]) / (2 * step) - dot(gradient, u, count);
        check(s, fabs(difference) <= 4 * tolerance(s) * sqrt(size) + 1e-9, what);
    }
    free(u);
    free(before);
}

static void check_padding_lanes(struct subject *s, int p, const float *stored, const float *logical) {
    struct cvy_param param = s->op->param[p];
    param.stored = op_stored(s->op, p);
    float *again = floats_new(param.stored);
    cvy_param_from_logical(&param, logical, again);
    check(s, floats_same(again, stored, param.stored), "a padding lane of a gradient is not zero");
    floats_free(again);
}

static bool frozen(const struct subject *s, int p) {
    return s->op->param[p].lr_factor == 0;
}
static void check_zero(struct subject *s, const float *values, size_t count) {
    bool zero = true;
    for (size_t i = 0; i < count; i++) zero &= values[i] == 0;
    check(s, zero, "a frozen parameter has a gradient");
}

static void check_gradients(struct subject *s) {
    s->run.loss = (struct cvy_loss_result){0};
    op_run_backward(&s->run);
    for (int k = 0; k < s->op->inputs; k++)
        check_direction(s, s->x[k], s->run.dx[k].data, s->x_count[k],
                        k ? "dx of a later input is not the gradient" : "dx is not the gradient");
    for (int p = 0; p < s->op->params; p++) {
        float *logical = floats_new(param_count(s, p));
        param_logical(&s->op->param[p], s->run.call.grad[p], logical);
        if (frozen(s, p)) check_zero(s, logical, param_count(s, p));
        check_padding_lanes(s, p, s->run.call.grad[p], logical);
        if (!frozen(s, p))
            check_direction(s, s->param[p], logical, param_count(s, p),
                            p ? "dbias is no gradient" : "dweight is no gradient");
        floats_free(logical);
    }
}

/* What an affine op adds. */
static double loss_at_zero(struct subject *s) {
    double *x[OP_INPUTS];
    memcpy(x, s->x, sizeof x);
    for (int k = 0; k < s->op->inputs; k++) s->x[k] = doubles(s->x_count[k]);
    double loss = loss_of(s);
    for (int k = 0; k < s->op->inputs; k++) free(s->x[k]);
    memcpy(s->x, x, sizeof x);
    return loss;
}

/* ⟨r, A(w)x⟩ = ⟨A(w)ᵀr, x⟩ = ⟨dw, w⟩: forward and backward are one linear map and its transpose. */
static void check_adjoint(const struct op_case *c, const struct cvy_compute *compute) {
    struct subject s;
    subject_create(&s, c, compute, SAMPLES, true);
    if (s.reference->traits & OP_LINEAR) {
        op_run_forward(&s.run);
        double size = 0, forward = dot(s.run.call.y.data, s.r, s.y_count) - loss_at_zero(&s);
        for (size_t i = 0; i < s.y_count; i++) size += pow(((float *)s.run.call.y.data)[i] * s.r[i], 2);
        op_run_backward(&s.run);
        double allowed = 4 * tolerance(&s) * sqrt(size);
        double back = 0;
        for (int k = 0; k < s.op->inputs; k++) back += dot(s.run.dx[k].data, s.x[k], s.x_count[k]);
        check(&s, fabs(back - forward) <= allowed, "backward-data is no transpose");
        if (s.op->params && !frozen(&s, 0)) {
            float *logical = floats_new(param_count(&s, 0));
            param_logical(&s.op->param[0], s.run.call.grad[0], logical);
            check(&s, fabs(dot(logical, s.param[0], param_count(&s, 0)) - forward) <= allowed,
                  "backward-weights is no transpose");
            floats_free(logical);
        }
    }
    subject_destroy(&s);
}

/* ---- declarations ---- */

static void same_grads(struct subject *s, const struct op_run *run, const char *what) {
    for (int p = 0; p < s->op->params; p++)
        check(s, floats_same(run->call.grad[p], s->run.call.grad[p], op_stored(s->op, p)), what);
}

/* A second run with `change`d buffers, compared by `compare` with the subject's own. */
static void variation(struct subject *s, const struct cvy_compute *compute, void (*change)(struct op_run *run),
                      void (*compare)(struct subject *s, struct op_run *run)) {
    struct op_run run;
    op_run_create(&run, s->op, compute, s->n);
    fill_run(s, &run);
    change(&run);
    op_run_forward(&run);
    if (s->y_count) check(s, floats_same(run.call.y.data, s->y, s->y_count), "other bits of y");
    for (int k = 0; k < s->op->inputs; k++) {
        const float *x = run.x[k].data;
        bool kept = true;
        for (size_t i = 0; i < s->x_count[k]; i++) kept &= x[i] == (float)s->x[k][i];
        check(s, kept || run.call.y.data == x, "forward changed its input");
    }
    run.loss = (struct cvy_loss_result){0};
    op_run_backward(&run);
    compare(s, &run);
    op_run_destroy(&run);
}

static void same_dx(struct subject *s, const struct op_run *run, const char *what) {
    for (int k = 0; k < s->op->inputs; k++)
        check(s, floats_same(run->dx[k].data, s->run.dx[k].data, s->x_count[k]), what);
}

static void change_nothing(struct op_run *run) {
    (void)run;
}
static void same_all(struct subject *s, struct op_run *run) {
    same_dx(s, run, "other bits of dx with more threads");
    check(s, run->loss.loss == s->run.loss.loss && run->loss.top1 == s->run.loss.top1,
          "another loss with more threads");
    same_grads(s, run, "other bits of a gradient with more threads");
}

static void change_inplace(struct op_run *run) {
    if (!(run->op->reads & CVY_READS_INPUT)) run->call.y.data = run->x[0].data; /* else only where nothing comes back */
    run->dx[0].data = run->call.dy.data;
}
static void same_inplace(struct subject *s, struct op_run *run) {
    same_dx(s, run, "other bits in place");
}

static float start_value(size_t i) {
    return (float)((int)(i * 37 % 101) - 50) / 16;
}
static void change_accumulate(struct op_run *run) {
    for (int k = 0; k < run->op->inputs; k++) {
        run->accumulate[k] = true;
        for (size_t i = 0; i < run->x_count[k]; i++) ((float *)run->dx[k].data)[i] = start_value(i);
    }
}
static void sum_in_dx(struct subject *s, struct op_run *run) {
    for (int k = 0; k < s->op->inputs; k++) {
        const float *alone = s->run.dx[k].data;
        double *want = doubles(s->x_count[k]);
        for (size_t i = 0; i < s->x_count[k]; i++) want[i] = (double)start_value(i) + alone[i];
        check(s, floats_error(run->dx[k].data, want, s->x_count[k]) <= tolerance(s), "dx is not added to");
        free(want);
    }
    same_grads(s, run, "other bits of a gradient when dx is added to");
}

static void change_no_dx(struct op_run *run) {
    for (int k = 0; k < run->op->inputs; k++) run->dx[k].data = NULL;
}
static void same_without_dx(struct subject *s, struct op_run *run) {
    same_grads(s, run, "other bits of a gradient when dx is not wanted");
}

/* By its formula, for what evaluates by its buffers; in place, as nothing comes back. */
static void check_evaluated(struct subject *s, struct op_run *run) {
    struct op_math m = math_of(s);
    double *y = doubles(s->y_count);
    m.evaluate = true;
    s->reference->forward(&m, y);
    check(s, floats_error(run->call.y.data, y, s->y_count) <= tolerance(s), "another output in evaluation");
    if (s->op->inplace) {
        run->call.y.data = run->x[0].data;
        op_run_forward(run);
        check(s, floats_error(run->call.y.data, y, s->y_count) <= tolerance(s), "another output in place");
    }
    free(y);
}

/* In evaluation there is no room for saved bytes; random ops let everything pass. */
static void check_evaluation(struct subject *s) {
    struct op_run run;
    op_run_create(&run, s->op, s->compute, s->n);
    fill_run(s, &run);
    run.call.mode = CVY_EVALUATE;
    run.call.saved = NULL;
    op_run_forward(&run);
    const float *want = s->reference->traits & (OP_FACTORS | OP_ADDENDS) ? run.x[0].data : s->y;
    if (s->op->partial_forward && cvy_loss_of(s->op))
        check(s, fabs(run.loss.loss * s->n - s->run.loss.loss * run.loss.weight) <= 1e-12 * fabs(run.loss.loss) * s->n,
              "another loss in evaluation");
    else if (cvy_loss_of(s->op))
        check(s, run.loss.loss == s->run.loss.loss && run.loss.weight == s->n, "another loss in evaluation");
    else if (s->op->buffers)
        check_evaluated(s, &run);
    else
        check(s, floats_same(run.call.y.data, want, s->y_count), "another output in evaluation");
    op_run_destroy(&run);
}

static void check_declarations(struct subject *s, const struct cvy_compute *more_threads) {
    variation(s, more_threads, change_nothing, same_all);
    if (!cvy_loss_of(s->op)) variation(s, s->compute, change_accumulate, sum_in_dx);
    variation(s, s->compute, change_no_dx, same_without_dx);
    if (s->op->inplace || s->op->view) variation(s, s->compute, change_inplace, same_inplace);
}

/* ---- the cases of the suite ---- */

static void check_case(const struct cvy_compute *compute, void *arg) {
    const struct op_case *c = arg;
    struct cvy_compute *more;
    TEST_OK(cvy_compute_create(3, compute->isa, &more));
    for (int n = 1; n <= SAMPLES; n += SAMPLES - 1) {
        struct subject s;
        subject_create(&s, c, compute, n, false);
        check_forward(&s);
        check_evaluation(&s);
        check_gradients(&s);
        check_declarations(&s, more);
        subject_destroy(&s);
    }
    check_adjoint(c, compute);
    cvy_compute_destroy(&more);
}

static void each_op_is_its_formula(void) {
    EACH_CASE(c) each_level(1, check_case, (void *)(uintptr_t)c);
}

static void each_op_has_a_case(void) {
    static const char *const names[] = {
#define NAME(name) #name,
        CVY_OPS(NAME) CVY_LOSSES(NAME)};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        int cases = 0;
        EACH_CASE(c) cases += strcmp(c->op, names[k]) == 0;
        if (cases == 0) fprintf(stderr, "\n    %s has no case", names[k]);
        CU_ASSERT(cases > 0 && op_reference_find(names[k]) != NULL);
    }
}

/* ---- dropout ---- */

struct mask {
    uint64_t seed;
    uint32_t epoch;
    const char *layer;
    int64_t ids[3];
};

enum { MASK_SAMPLE = 1000 };

/* Whether each element of three samples is dropped. */
static void draw_mask(const struct mask *mask, const struct cvy_compute *compute, bool *dropped) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct op_run run;
    char text[128];
    snprintf(text, sizeof text, "input: [10, 10, 10]\nlayers: [{dropout: 0.25, name: %s}]\n", mask->layer);
    TEST_OK(graph_from_text(text, NULL, &tree, &graph));
    op_run_create(&run, &graph->nodes[0].op, compute, 3);
    run.call.seed = mask->seed;
    run.call.epoch = mask->epoch;
    run.call.ids = mask->ids;
    for (size_t i = 0; i < run.x_count[0]; i++) ((float *)run.x[0].data)[i] = 3;
    op_run_forward(&run);
    for (size_t i = 0; i < run.x_count[0]; i++) {
        float y = ((float *)run.call.y.data)[i];
        dropped[i] = y == 0;
        CU_ASSERT(y == 0 || y == 4); /* 3 / (1 − 0.25) */
    }
    op_run_destroy(&run);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static int common(const bool *a, const bool *b) {
    int same = 0;
    for (int i = 0; i < MASK_SAMPLE; i++) same += a[i] == b[i];
    return same;
}

/* Of two masks that have nothing to do with each other, 0.25² + 0.75² = 62.5 % of 1000 elements agree; ±5 σ = 77. */
static bool unrelated(const bool *a, const bool *b) {
    int same = common(a, b);
    return same > 548 && same < 702;
}

static void dropout_masks(void) {
    struct cvy_compute *compute;
    bool base[3 * MASK_SAMPLE], other[3 * MASK_SAMPLE];
    const struct mask first = {1, 4, "a", {10, 11, 12}};
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    draw_mask(&first, compute, base);
    int drops = 0;
    for (int i = 0; i < 3 * MASK_SAMPLE; i++) drops += base[i];
    CU_ASSERT(drops > 750 - 5 * 24 && drops < 750 + 5 * 24); /* binomial, σ = √(3000·0.25·0.75) = 23.7 */
    CU_ASSERT(unrelated(base, base + MASK_SAMPLE) && unrelated(base, base + 2 * MASK_SAMPLE));

    draw_mask(&(struct mask){1, 4, "a", {12, 10, 77}}, compute, other); /* a sample keeps its mask in any batch */
    CU_ASSERT_EQUAL(common(other, base + 2 * MASK_SAMPLE), MASK_SAMPLE);
    CU_ASSERT_EQUAL(common(other + MASK_SAMPLE, base), MASK_SAMPLE);

    const struct mask changed[] = {{2, 4, "a", {10, 11, 12}},
                                   {1, 5, "a", {10, 11, 12}},
                                   {1, 4, "b", {10, 11, 12}},
                                   {1, 4, "a", {10 + ((int64_t)1 << 32), 11, 12}}};
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        draw_mask(&changed[i], compute, other);
        CU_ASSERT(unrelated(base, other));
    }
    cvy_compute_destroy(&compute);
}

static const struct test_case cases[] = {
    {"every op of the table has a case", each_op_has_a_case},
    {"every op is its formula, and what it declares", each_op_is_its_formula},
    {"dropout's masks: a function of seed, layer, epoch, sample", dropout_masks},
    {0},
};
const struct test_suite suite_ops = {"ops", cases, NULL};
