/* graph/plan and graph/net: over random graphs with branches, no two buffers that are alive at once share a byte (each
 * byte's owner is followed through every step); the planned and fused net gives the same bits as every op alone on
 * buffers of its own; sharing happens where it may. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/tree.h"
#include "core/memory.h"
#include "unit/graph/graph_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

enum { GRAPHS = 300 };

/* ---- following the owner of every byte ---- */

/* Owners: the content of a value, saved bytes, of a gradient as it was last written. A view, or what a unit of several
 * ops passes on inside, is another name of the same content; so is the gradient of a sum and those of its inputs. */
enum { NOBODY = 0, VALUE = 1, SAVED = 2000, GRADIENT = 100000 };

struct range {
    size_t begin, end; /* bytes */
    bool real;         /* false: the caller's input, or none */
};

struct shadow {
    const struct cvy_graph *graph;
    const struct cvy_plan *plan;
    int *owner;      /* [leaf_bytes] */
    int *grad_owner; /* of each value, NOBODY as long as it is not there */
    int written;     /* gradients so far */
    int faults;
};

static struct range range_of(const struct shadow *s, int buffer, size_t bytes) {
    if (buffer < 0) return (struct range){0};
    const struct cvy_buffer *b = &s->plan->buffers[buffer];
    if (bytes > b->bytes || b->offset + b->bytes > s->plan->leaf_bytes) ((struct shadow *)(uintptr_t)s)->faults++;
    return (struct range){b->offset, b->offset + bytes, true};
}
static size_t value_bytes(const struct shadow *s, int v) {
    return (size_t)cvy_op_count(s->graph->values[v].shape, s->plan->n) * sizeof(float);
}
static struct range value_range(const struct shadow *s, int v) {
    return range_of(s, s->plan->value[v], value_bytes(s, v));
}
static struct range grad_range(const struct shadow *s, int v) {
    return range_of(s, s->plan->grad[v], value_bytes(s, v));
}

static int content(const struct shadow *s, int v) {
    int producer = s->graph->values[v].producer;
    if (producer < 0) return VALUE + v;
    const int host = s->plan->units[producer].host;
    const struct cvy_graph_node *node = &s->graph->nodes[host];
    return node->op.view ? content(s, node->inputs[0]) : VALUE + s->plan->units[host].output;
}

static void reads(struct shadow *s, struct range r, int owner) {
    for (size_t i = r.begin; r.real && i < r.end; i++)
        if (s->owner[i] != owner) {
            s->faults++;
            return;
        }
}
static void writes(struct shadow *s, struct range r, int owner) {
    for (size_t i = r.begin; r.real && i < r.end; i++) s->owner[i] = owner;
}
/* Two ranges of one call. */
static void apart(struct shadow *s, struct range a, struct range b) {
    s->faults += a.real && b.real && a.begin < b.end && b.begin < a.end;
}
static bool same(struct range a, struct range b) {
    return a.real == b.real && a.begin == b.begin && a.end == b.end;
}

static struct range saved_range(const struct shadow *s, int i) {
    const struct cvy_op *op = &s->graph->nodes[i].op;
    return range_of(s, s->plan->saved[i], op->kind->saved ? op->kind->saved(op, s->plan->n) : 0);
}

/* What a unit reads: its op's inputs, then its residual. */
static int unit_inputs(const struct shadow *s, int i) {
    return s->graph->nodes[i].op.inputs + (s->plan->units[i].residual != CVY_NO_VALUE);
}
static int unit_input(const struct shadow *s, int i, int k) {
    const struct cvy_graph_node *node = &s->graph->nodes[i];
    return k < node->op.inputs ? node->inputs[k] : s->plan->units[i].residual;
}

static void follow_forward(struct shadow *s, int i) {
    const struct cvy_graph_node *node = &s->graph->nodes[i];
    const struct cvy_fused_unit *unit = &s->plan->units[i];
    struct range y = unit->output >= 0 ? value_range(s, unit->output) : (struct range){0}, saved = saved_range(s, i);
    if (unit->host != i || (cvy_loss_of(&node->op) && s->plan->mode == CVY_TRAIN)) return;
    for (int k = 0; k < unit_inputs(s, i); k++) {
        const int v = unit_input(s, i, k);
        struct range x = value_range(s, v);
        reads(s, x, content(s, v));
        if (!((node->op.inplace || node->op.view) && same(x, y))) apart(s, x, y);
        apart(s, x, saved);
    }
    apart(s, y, saved);
    if (unit->output >= 0) writes(s, y, content(s, unit->output));
    writes(s, saved, SAVED + i);
}

static void write_gradient(struct shadow *s, int v) {
    s->grad_owner[v] = GRADIENT + ++s->written;
    writes(s, grad_range(s, v), s->grad_owner[v]);
}

/* Where backward finds a value. */
static struct range back_range(const struct shadow *s, int v) {
    return range_of(s, s->plan->back[v], value_bytes(s, v));
}

/* The output of a unit, made once more. */
static void follow_again(struct shadow *s, int i) {
    const struct range y = back_range(s, s->plan->units[i].output);
    for (int k = 0; k < unit_inputs(s, i); k++) {
        const int x = unit_input(s, i, k);
        reads(s, back_range(s, x), content(s, x));
        apart(s, y, back_range(s, x));
    }
    reads(s, saved_range(s, i), SAVED + i);
    writes(s, y, content(s, s->plan->units[i].output));
}

static void follow_backward(struct shadow *s, int i) {
    const struct cvy_graph_node *node = &s->graph->nodes[i];
    const struct cvy_fused_unit *unit = &s->plan->units[i];
    struct range dy = {0}, y = {0}, saved = saved_range(s, i);
    if (unit->whole || (node->output >= 0 && !s->graph->values[node->output].wants_grad)) return;
    const bool reads_y = node->output >= 0 && ((node->op.reads & CVY_READS_OUTPUT) || unit->masks);
    if (node->output >= 0) {
        dy = grad_range(s, unit->back);
        y = back_range(s, unit->output);
        reads(s, dy, s->grad_owner[unit->back]);
        if (reads_y) reads(s, y, content(s, unit->output));
    }
    if (s->plan->recompute[i] >= 0) follow_again(s, s->plan->recompute[i]);
    reads(s, saved, SAVED + i);
    if (unit->masks) write_gradient(s, unit->back);
    for (int k = unit_inputs(s, i) - 1; k >= 0; k--) { /* the residual first */
        const int x = unit_input(s, i, k);
        if (!s->graph->values[x].wants_grad) continue;
        const bool passes = node->op.passes || node->op.view || k >= node->op.inputs;
        struct range dx = grad_range(s, x), in = back_range(s, x);
        if (cvy_loss_of(&node->op) || (k < node->op.inputs && (node->op.reads & CVY_READS_INPUT))) {
            reads(s, in, content(s, x));
            apart(s, dx, in);
        }
        if (reads_y) apart(s, dx, y);
        apart(s, dx, saved);
        if (node->output >= 0) reads(s, dy, s->grad_owner[unit->back]); /* nobody's dx took its place */
        if (s->grad_owner[x]) reads(s, dx, s->grad_owner[x]);
        if (passes && same(dx, dy)) {
            s->faults += s->grad_owner[x] != NOBODY; /* it would have to be added */
            s->grad_owner[x] = s->grad_owner[unit->back];
            continue;
        }
        if (!(node->op.inplace && k == 0 && same(dx, dy))) apart(s, dx, dy);
        write_gradient(s, x);
    }
}

static int faults_of(const struct cvy_graph *graph, enum cvy_mode mode, int n, enum cvy_recompute recompute) {
    struct cvy_plan plan;
    TEST_OK(plan_for(graph, mode, n, 1, 1, recompute, &plan));
    struct shadow s = {
        graph, &plan, calloc(plan.leaf_bytes + 1, sizeof(int)), calloc((size_t)graph->value_count, sizeof(int)), 0, 0};
    for (int i = 0; i < graph->node_count; i++) follow_forward(&s, i);
    for (int i = graph->node_count - 1; i >= 0 && mode == CVY_TRAIN; i--) follow_backward(&s, i);
    if (mode == CVY_EVALUATE) reads(&s, value_range(&s, graph->output), content(&s, graph->output));
    for (int v = 1; v < graph->value_count; v++) s.faults += plan.value[v] == CVY_NO_BUFFER;
    free(s.owner);
    free(s.grad_owner);
    cvy_plan_destroy(&plan);
    return s.faults;
}

static void nothing_alive_is_overwritten(void) {
    for (uint32_t seed = 0; seed < GRAPHS; seed++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        graph_random(seed, &tree, &graph);
        int train = faults_of(graph, CVY_TRAIN, 1 + (int)(seed % 3), CVY_RECOMPUTE_NONE);
        train += faults_of(graph, CVY_TRAIN, 1 + (int)(seed % 3), CVY_RECOMPUTE_ALL);
        int evaluate = faults_of(graph, CVY_EVALUATE, 2, CVY_RECOMPUTE_AUTO);
        if (train || evaluate) fprintf(stderr, "\n    graph %u: %d and %d faults", seed, train, evaluate);
        CU_ASSERT(train == 0 && evaluate == 0);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* ---- the same bits as without any sharing ---- */

struct outcome {
    float *gradient, *scores;
    struct cvy_loss_result loss;
};

/* In two leaves, so that what a leaf leaves behind in the buffers is there for the next: the second is compared. */
static void run_planned(const struct cvy_graph *graph, const struct cvy_compute *compute, enum cvy_mode mode,
                        const struct graph_batch *batch, const float *values, enum cvy_recompute recompute,
                        struct outcome *out) {
    struct cvy_net *net;
    struct leaf_store store;
    const int sizes[2] = {batch->samples, batch->samples};
    struct cvy_loss_result losses[2];
    size_t inputs = (size_t)cvy_op_count(graph->input, batch->samples), count = (size_t)batch->samples;
    struct graph_batch twice = {2 * batch->samples, floats_new(2 * inputs), calloc(2 * count, sizeof(int32_t)),
                                calloc(2 * count, sizeof(int64_t))};
    floats_random(twice.x, inputs, 99);
    memcpy(twice.x + inputs, batch->x, inputs * sizeof(float));
    memcpy(twice.labels + count, batch->labels, count * sizeof *twice.labels);
    memcpy(twice.ids + count, batch->ids, count * sizeof *twice.ids);
    TEST_OK(cvy_net_create(&(struct cvy_net_spec){graph, compute, mode, batch->samples, 2, 3, recompute}, &net));
    memcpy(cvy_net_parameters(net), values, graph->params.stored * sizeof *values);
    leaf_store_create(graph, 2, &store);
    struct cvy_net_batch part = graph_leaves(graph, &twice, sizes, 0, 2);
    TEST_OK(cvy_net_run(net, &part, &store.hooks, losses));
    out->loss = losses[1];
    if (mode == CVY_TRAIN)
        memcpy(out->gradient, store.gradients + store.stored + store.statistics, graph->params.stored * sizeof(float));
    if (mode == CVY_EVALUATE)
        memcpy(out->scores, cvy_net_output(net), count * (size_t)cvy_graph_output_shape(graph).c * sizeof(float));
    bool once = true;
    for (size_t i = 0; i < 2 * store.stored; i++) once &= store.ready[i] == (mode == CVY_TRAIN);
    CU_ASSERT(once); /* every float of every leaf is said to be final, once */
    leaf_store_destroy(&store);
    cvy_net_destroy(&net);
    graph_batch_destroy(&twice);
}

static bool same_outcome(const struct cvy_graph *graph, enum cvy_mode mode, const struct outcome *a,
                         const struct outcome *b) {
    const bool loss = a->loss.loss == b->loss.loss && a->loss.top1 == b->loss.top1;
    if (mode == CVY_TRAIN) return loss && floats_same(a->gradient, b->gradient, graph->params.stored);
    return loss && floats_same(a->scores, b->scores, 3 * (size_t)cvy_graph_output_shape(graph).c);
}

static void compare_graph(const struct cvy_graph *graph, const struct cvy_compute *compute, enum cvy_mode mode,
                          const char *what) {
    struct graph_batch batch;
    graph_batch_create(graph, 3, &batch);
    size_t stored = graph->params.stored, scores = 3 * (size_t)cvy_graph_output_shape(graph).c;
    float *values = floats_new(stored);
    struct outcome planned = {floats_new(stored), floats_new(scores), {.loss = 0}},
                   alone = {floats_new(stored), floats_new(scores), {.loss = 0}};
    graph_draw_values(graph, values);
    graph_run_apart(graph, compute, mode, &batch, values, alone.gradient, alone.scores, &alone.loss);
    bool good = true;
    for (enum cvy_recompute r = CVY_RECOMPUTE_NONE; r <= CVY_RECOMPUTE_ALL; r++) {
        run_planned(graph, compute, mode, &batch, values, r, &planned);
        good &= same_outcome(graph, mode, &planned, &alone);
    }
    if (!good) fprintf(stderr, "\n    %s, mode %d: other bits than op by op", what, mode);
    CU_ASSERT(good);
    floats_free(values);
    floats_free(planned.gradient);
    floats_free(planned.scores);
    floats_free(alone.gradient);
    floats_free(alone.scores);
    graph_batch_destroy(&batch);
}

static void same_bits_as_op_by_op(void) {
    struct cvy_compute *compute;
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    for (uint32_t seed = 0; seed < GRAPHS / 3; seed++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        char what[32];
        snprintf(what, sizeof what, "graph %u", seed);
        graph_random(seed, &tree, &graph);
        compare_graph(graph, compute, CVY_TRAIN, what);
        compare_graph(graph, compute, CVY_EVALUATE, what);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
    cvy_compute_destroy(&compute);
}

/* ---- the gradients are the gradients ---- */

static bool has(const struct cvy_graph *graph, const char *kind) {
    for (int i = 0; i < graph->node_count; i++)
        if (strcmp(graph->nodes[i].op.kind->name, kind) == 0) return true;
    return false;
}

/* Along a random direction of all parameters at once, the loss in double. */
static void check_gradient(const struct cvy_graph *graph, const struct cvy_compute *compute, uint32_t seed) {
    struct graph_batch batch;
    struct parameters params;
    graph_batch_create(graph, 3, &batch);
    float *values = floats_new(graph->params.stored);
    struct outcome planned = {floats_new(graph->params.stored), NULL, {.loss = 0}};
    graph_draw_values(graph, values);
    run_planned(graph, compute, CVY_TRAIN, &batch, values, CVY_RECOMPUTE_ALL, &planned);
    parameters_create(graph, values, &params);
    double far = 0;
    for (int p = -1; p < graph->params.count; p++)
        far = fmax(far, direction_error(graph, &batch, &params, p, planned.gradient));
    if (!(far < 1e-5)) fprintf(stderr, "\n    graph %u: off by %g", seed, far);
    CU_ASSERT(far < 1e-5);
    parameters_destroy(&params);
    floats_free(values);
    floats_free(planned.gradient);
    graph_batch_destroy(&batch);
}

static void gradients_of_random_graphs(void) {
    struct cvy_compute *compute;
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    for (uint32_t seed = 0; seed < GRAPHS / 3; seed++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        graph_random(seed, &tree, &graph);
        if (!has(graph, "dropout")) check_gradient(graph, compute, seed);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
    cvy_compute_destroy(&compute);
}

/* ---- LeNet-5 ---- */

static void lenet_at_level(const struct cvy_compute *compute, void *arg) {
    compare_graph(arg, compute, CVY_TRAIN, "LeNet-5");
    compare_graph(arg, compute, CVY_EVALUATE, "LeNet-5");
}

/* Convolution and dense with ReLU in their epilogue against each alone. */
static void lenet_is_its_ops(void) {
    static const char *const files[] = {"lenet5.yaml", "lenet5_relu.yaml"};
    for (int i = 0; i < 2; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        TEST_OK(graph_from_model(files[i], "softmax_cross_entropy", &tree, &graph));
        each_level(1, lenet_at_level, graph);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

/* ---- sharing ---- */

static bool shares(const struct cvy_graph *graph, enum cvy_mode mode, const char *name) {
    struct cvy_plan plan;
    TEST_OK(plan_for(graph, mode, 4, 1, 1, CVY_RECOMPUTE_AUTO, &plan));
    const struct cvy_graph_node *node = &graph->nodes[graph_node(graph, name)];
    bool shared = plan.value[node->inputs[0]] == plan.value[node->output];
    cvy_plan_destroy(&plan);
    return shared;
}

static void shared_where_it_may(void) {
    static const struct {
        const char *layer;
        bool train, evaluate;
    } expected[] = {
        {"relu1", true, true},     /* done by conv1 */
        {"tanh1", true, true},     /* conv reads its input only: nobody needs conv2's output once tanh1 has read it */
        {"sigmoid1", false, true}, /* tanh1's backward reads what it would overwrite */
        {"dropout1", false, true}, /* likewise sigmoid1's */
        {"dropout2", true, true},  /* nobody reads dropout1's output again */
        {"flatten1", true, true},  /* a view */
        {"relu2", true, true},     /* done by dense1 */
        {"relu3", false, true},    /* relu2's backward reads its output */
    };
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    TEST_OK(
        graph_from_text("input: [6, 6, 2]\n"
                        "layers: [conv: {filters: 4, kernel: 3}, relu, conv: {filters: 4, kernel: 3}, tanh, sigmoid, "
                        "dropout: 0.5, dropout: 0.1, flatten, dense: 7, relu, relu, dense: 3]\n",
                        "softmax_cross_entropy", &tree, &graph));
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        bool good = shares(graph, CVY_TRAIN, expected[i].layer) == expected[i].train &&
                    shares(graph, CVY_EVALUATE, expected[i].layer) == expected[i].evaluate;
        if (!good) fprintf(stderr, "\n    %s", expected[i].layer);
        CU_ASSERT(good);
    }
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static size_t leaf_bytes(const char *text, enum cvy_mode mode) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_plan plan;
    TEST_OK(graph_from_text(text, "softmax_cross_entropy", &tree, &graph));
    TEST_OK(plan_for(graph, mode, 8, 3, 1, CVY_RECOMPUTE_AUTO, &plan));
    CU_ASSERT(plan.slots == 1 && plan.segment_count == 1); /* no partials: one leaf alive, one pass */
    size_t bytes = plan.leaf_bytes;
    cvy_plan_destroy(&plan);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    return bytes;
}

/* Evaluating keeps two maps at most, however deep the network. Training keeps what backward reads: when a convolution's
 * backward runs, its input, the gradients on both sides of it, and all that lies above. */
static void evaluation_is_small(void) {
    static const char shallow[] = "input: [256, 256, 4]\n"
                                  "layers: [conv: &c {filters: 4, kernel: 3, padding: same}, conv: *c, dense: 3]\n";
    static const char deep[] = "input: [256, 256, 4]\n"
                               "layers: [conv: &c {filters: 4, kernel: 3, padding: same}, conv: *c, conv: *c, tanh, "
                               "conv: *c, conv: *c, conv: *c, dense: 3]\n";
    const size_t map = 8 * 256 * 256 * 4 * sizeof(float), scores = 128; /* 8 samples · 3 floats, in whole lines */
    CU_ASSERT_EQUAL(leaf_bytes(shallow, CVY_EVALUATE), 2 * map);
    CU_ASSERT_EQUAL(leaf_bytes(deep, CVY_EVALUATE), 2 * map);
    /* The most at once is at dense's backward: all inputs of convolutions and dense, dense's dx, the scores' gradient.
     */
    CU_ASSERT_EQUAL(leaf_bytes(shallow, CVY_TRAIN), 3 * map + scores);
    CU_ASSERT_EQUAL(leaf_bytes(deep, CVY_TRAIN), 7 * map + scores);
}

/* In a small network bytes are shared by buffers of one size alone. */
static void sizes_apart(void) {
    static const char small[] =
        "input: [8, 8, 4]\n"
        "layers: [conv: &c {filters: 4, kernel: 3, padding: same}, conv: *c, conv: *c, avgpool: 2, "
        "dense: 3]\n";
    const size_t map = 8 * 8 * 8 * 4 * sizeof(float), pooled = map / 4, scores = 128;
    CU_ASSERT_EQUAL(leaf_bytes(small, CVY_EVALUATE), 2 * map + pooled + scores);
}

/* The same value as several inputs of an op, in place where that may be, and parts of others. */
static void joins(void) {
    static const char *const texts[] = {
        "input: [6, 6, 3]\n"
        "layers: [{conv: &c {filters: 4, kernel: 3, padding: same}, name: a}, {add: , inputs: [a, a]}, "
        "{conv: *c, name: b}, {multiply: , inputs: [b, a, b], name: m}, {add: , inputs: [m, a, m], name: s}, "
        "{concat: , inputs: [s, a, s]}, slice: {channels: [2, 9]}, silu, conv: *c, {add: , inputs: [conv3, s]}, "
        "global_avgpool, dense: 5]\n",
        "input: [6, 6, 4]\n" /* residual, its shortcut cut and padded */
        "layers: [{conv: {filters: 4, kernel: 3, padding: same}, name: a}, relu, "
        "{conv: {filters: 8, kernel: 3, stride: 2, padding: 1}, name: b}, "
        "{slice: {height: [0, ~, 2], width: [0, ~, 2]}, inputs: relu1}, {pad: {channels: [2, 2]}, name: p}, "
        "{add: , inputs: [b, p]}, relu, {upsample: {factor: 2, mode: bilinear}}, crop: [1, 0], "
        "pad: {padding: 1, mode: reflect}, reshape: [3, 8, -1], prelu, softmax, adaptive_avgpool: [2, 3], dense: 5]\n",
    };
    struct cvy_compute *compute;
    TEST_OK(cvy_compute_create(2, cvy_isa_detect(), &compute));
    for (uint32_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        TEST_OK(graph_from_text(texts[i], "softmax_cross_entropy", &tree, &graph));
        compare_graph(graph, compute, CVY_TRAIN, "joins");
        compare_graph(graph, compute, CVY_EVALUATE, "joins");
        check_gradient(graph, compute, i);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
    cvy_compute_destroy(&compute);
}

/* ---- residual blocks: normalisation, sum and activation in one ---- */

#define CONV(filters, stride) "conv: {filters: " #filters ", kernel: 3, padding: 1, stride: " #stride ", bias: false}"

static const char *const residuals[] = {
    /* an identity, a projection whose normalisation comes last, and an identity behind it */
    "input: [6, 5, 3]\nlayers: [" CONV(4, 1) ", batchnorm, {relu: , name: a}, " CONV(4, 1) ", batchnorm, relu, " CONV(
        4, 1) ", {batchnorm: , name: b}, {add: , inputs: [b, a], name: s}, {relu: , name: "
              "c}, " CONV(8, 2) ", batchnorm, relu, " CONV(8, 1) ", {batchnorm: , name: d}, "
                                                                 "{conv: {filters: 8, kernel: 1, "
                                                                 "stride: 2, bias: "
                                                                 "false}, inputs: c}, {batchnorm: "
                                                                 ", name: e}, {add: , inputs: [d, "
                                                                 "e]}, {relu: , name: f}, " CONV(
                                                                     8, 1) ", {batchnorm: , name: "
                                                                           "g}, {add: , inputs: [f, "
                                                                           "g]}, {relu: , name: h}, "
                                                                           "global_avgpool, dense: "
                                                                           "5]\n",
    /* sums without an activation, of sums, of the same value twice, of one that others read later and earlier */
    "input: [5, 4, 4]\nlayers: [{" CONV(
        4,
        1) ", name: a}, {batchnorm: , name: b}, {add: , inputs: [a, b], name: c}, "
           "{batchnorm: , name: d}, {add: , inputs: [d, d], name: e}, {batchnorm: , inputs: c, name: f}, "
           "{add: , inputs: [f, e], name: g}, {relu: , name: h}, {" CONV(
               4,
               1) ", inputs: h, name: i}, "
                  "{batchnorm: , name: j}, {" CONV(
                      4,
                      1) ", inputs: h, name: k}, {add: , inputs: [j, h], name: l}, {relu: , name: m}, "
                         "{add: , inputs: [m, k], name: n}, {add: , inputs: [n, h], name: o}, {batchnorm: , name: p}, "
                         "{add: , inputs: [p, n, m], name: q}, {sigmoid: , inputs: q}, global_avgpool, dense: 5]\n",
    /* two blocks' ends in one sum, the input as a residual, a frozen one */
    "input: [4, 4, 4]\nlayers: [{batchnorm: , inputs: input, name: z}, {" CONV(
        4, 1) ", name: a}, {batchnorm: , name: b}, "
              "{add: , inputs: [b, input]}, {relu: , name: c}, {" CONV(
                  4, 1) ", inputs: z}, {batchnorm: , name: d}, "
                        "{add: , inputs: [d, z]}, {relu: , name: e}, {add: , inputs: [c, e], name: f}, {" CONV(
                            4, 1) "}, "
                                  "{batchnorm: , name: g, frozen: true}, {add: , inputs: [g, f]}, relu, {" CONV(
                                      4, 1) "}, batchnorm, relu, batchnorm, "
                                            "{dense: {units: 6, bias: false}}, batchnorm, relu, dense: 5]\n",
};

static void residual_at_level(const struct cvy_compute *compute, void *arg) {
    compare_graph(arg, compute, CVY_TRAIN, "residual");
    compare_graph(arg, compute, CVY_EVALUATE, "residual");
}

static void residual_blocks(void) {
    for (size_t i = 0; i < sizeof residuals / sizeof *residuals; i++) {
        struct cvy_tree *tree;
        struct cvy_graph *graph;
        TEST_OK(graph_from_text(residuals[i], "softmax_cross_entropy", &tree, &graph));
        each_level(2, residual_at_level, graph);
        for (enum cvy_recompute r = CVY_RECOMPUTE_NONE; r <= CVY_RECOMPUTE_ALL; r++)
            CU_ASSERT_EQUAL(faults_of(graph, CVY_TRAIN, 2, r), 0);
        CU_ASSERT_EQUAL(faults_of(graph, CVY_EVALUATE, 2, CVY_RECOMPUTE_AUTO), 0);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
}

static int host_of(const struct cvy_graph *graph, const struct cvy_fused_unit *units, const char *name) {
    return units[graph_node(graph, name)].host;
}

/* The end of a block is one pass over memory, and its gradient no copy. */
static void residual_plan(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_plan plan;
    TEST_OK(graph_from_text(residuals[0], "softmax_cross_entropy", &tree, &graph));
    TEST_OK(plan_for(graph, CVY_TRAIN, 2, 1, 1, CVY_RECOMPUTE_ALL, &plan));
    const int b = graph_node(graph, "b"), a = graph_node(graph, "a");
    CU_ASSERT(host_of(graph, plan.units, "s") == b && host_of(graph, plan.units, "c") == b);
    CU_ASSERT(host_of(graph, plan.units, "f") == graph_node(graph, "e")); /* the later of two */
    const int *grad = plan.grad;
    CU_ASSERT_EQUAL(grad[graph->nodes[a].output], grad[plan.units[b].output]); /* the shortcut's is the sum's */
    CU_ASSERT_EQUAL(plan.recompute[a + 1], a - 1); /* relu a's convolution makes it again: its only reader there … */
    cvy_plan_destroy(&plan);
    TEST_OK(plan_for(graph, CVY_EVALUATE, 2, 1, 1, CVY_RECOMPUTE_AUTO, &plan));
    CU_ASSERT(host_of(graph, plan.units, "c") == b - 1 && plan.units[b - 1].norm == b);
    cvy_plan_destroy(&plan);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

#define BLOCK(I, O)                                                                                                    \
    "{" CONV(4, 1) ", inputs: r" #I ", name: c" #O "}, {batchnorm: , name: n" #O "}, "                                 \
                   "{add: , inputs: [n" #O ", r" #I "]}, {relu: , name: r" #O "}, "

/* Of blocks in a row, the end of every second is made again: of its convolution and of the end before, which is there.
 */
static void residual_repeats(void) {
    static const char *const readers[] = {"c1", "c2", "c3", "c4", "c5", "c6"};
    static const char *const made[] = {NULL, "n1", NULL, "n3", NULL, "n5"};
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_plan plan;
    TEST_OK(graph_from_text("input: [4, 4, 4]\nlayers: [{" CONV(4, 1) ", name: r0}, " BLOCK(0, 1) BLOCK(1, 2)
                                BLOCK(2, 3) BLOCK(3, 4) BLOCK(4, 5) BLOCK(5, 6) "global_avgpool, dense: 5]\n",
                            "softmax_cross_entropy", &tree, &graph));
    TEST_OK(plan_for(graph, CVY_TRAIN, 2, 1, 1, CVY_RECOMPUTE_ALL, &plan));
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        CU_ASSERT_EQUAL(plan.recompute[graph_node(graph, readers[i])], made[i] ? graph_node(graph, made[i]) : -1);
    cvy_plan_destroy(&plan);
    CU_ASSERT_EQUAL(faults_of(graph, CVY_TRAIN, 2, CVY_RECOMPUTE_ALL), 0);
    each_level(2, residual_at_level, graph);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* The last batch of an epoch has smaller leaves; a layer may be cut otherwise for them, and want more scratch. */
static void short_leaves(void) {
    enum { LEAF = 64 };
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_plan plan, smaller;
    bool more = false;
    TEST_OK(graph_from_model("small_bn.yaml", "softmax_cross_entropy", &tree, &graph));
    TEST_OK(plan_for(graph, CVY_TRAIN, LEAF, 1, 2, CVY_RECOMPUTE_AUTO, &plan));
    for (int n = 1; n < LEAF; n++) {
        TEST_OK(plan_for(graph, CVY_TRAIN, n, 1, 2, CVY_RECOMPUTE_AUTO, &smaller));
        more |= smaller.workspace_bytes > plan.workspace_bytes;
        cvy_plan_destroy(&smaller);
    }
    CU_ASSERT(plan.workspace_bytes > 0 && !more);
    cvy_plan_destroy(&plan);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

/* A batch that does not fit at once is computed leaf by leaf (what others call gradient accumulation): a hundred leaves
 * take the feature maps of one, and gradients of as many as the tree joins; but for networks that sum over all leaves
 * in the middle of a pass, which hold them all. */
static void many_leaves_take_the_memory_of_one(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_plan one, many;
    static const char layers[] =
        "input: [8, 8, 3]\nlayers: [{conv: {filters: 8, kernel: 3}}, {batchnorm: {sync: %s}}, relu, "
        "dense: 5]\n";
    for (int sync = 0; sync < 2; sync++) {
        char text[256];
        snprintf(text, sizeof text, layers, sync ? "true" : "false");
        TEST_OK(graph_from_text(text, "softmax_cross_entropy", &tree, &graph));
        TEST_OK(plan_for(graph, CVY_TRAIN, 4, 1, 1, CVY_RECOMPUTE_NONE, &one));
        TEST_OK(plan_for(graph, CVY_TRAIN, 4, 100, 1, CVY_RECOMPUTE_NONE, &many));
        const size_t rest = cvy_plan_bytes(&one) - one.leaf_bytes;
        CU_ASSERT_EQUAL(cvy_plan_bytes(&many), rest + (sync ? 100 : 1) * one.leaf_bytes);
        cvy_plan_destroy(&one);
        cvy_plan_destroy(&many);
        cvy_graph_destroy(&graph);
        cvy_tree_destroy(&tree);
    }
    CU_ASSERT_EQUAL(cvy_tree_buffers(100, (struct cvy_leaf_range){0, 100}), 7);
    CU_ASSERT_EQUAL(cvy_tree_buffers(128, (struct cvy_leaf_range){0, 128}), 8);
}

static const struct test_case cases[] = {
    {"a hundred leaves take the memory of one", many_leaves_take_the_memory_of_one},
    {"scratch for leaves that are not full", short_leaves},
    {"the same value as several inputs", joins},
    {"nothing alive is overwritten, random graphs", nothing_alive_is_overwritten},
    {"the same bits as op by op, random graphs", same_bits_as_op_by_op},
    {"gradients by finite differences, random graphs", gradients_of_random_graphs},
    {"residual blocks: the same bits, every level", residual_blocks},
    {"residual blocks: what is one, what is shared", residual_plan},
    {"residual blocks: whose ends are made again", residual_repeats},
    {"LeNet-5 is its ops, fused or not, every level", lenet_is_its_ops},
    {"buffers are shared where they may", shared_where_it_may},
    {"evaluation is small", evaluation_is_small},
    {"buffers of different sizes lie apart in small networks", sizes_apart},
    {0},
};
const struct test_suite suite_plan = {"plan", cases, NULL};
