#define _GNU_SOURCE
#include "unit/ops/ops_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/yaml.h"
#include "unit/kernels/kernels_help.h"
#include "test.h"

static float *own(struct op_run *run, size_t count) {
    return run->own[run->owned++] = floats_new(count);
}

/* Aligned, and no byte longer. */
static void *block(size_t bytes) {
    void *out = NULL;
    if (bytes && posix_memalign(&out, CVY_ALIGN, bytes) != 0) abort();
    if (out) memset(out, 0xff, bytes);
    return out;
}

static size_t stored_floats(const struct cvy_param *param) {
    struct cvy_params params = {0};
    int index;
    TEST_OK(cvy_params_add(&params, param, &index));
    size_t stored = params.stored;
    cvy_params_destroy(&params);
    return stored;
}

size_t op_stored(const struct cvy_op *op, int p) {
    return stored_floats(&op->param[p]);
}

static struct cvy_tensor tensor(float *data, int n, struct cvy_shape shape) {
    return (struct cvy_tensor){data, CVY_F32, n, shape};
}

/* As the graph's plan does it. */
static void find_needs(struct op_run *run, const struct cvy_compute *compute, int n) {
    const struct cvy_op *op = run->op;
    run->needs.copy_floats = op->copy_floats;
    run->needs.copy_in_forward = op->copy_floats > 0;
    if (op->kind->workspace) run->needs.workspace = op->kind->workspace(op, n, compute->threads);
    if (op->kind->plan == NULL) return;
    const struct cvy_op_setting setting = {compute, CVY_TRAIN, n, true};
    run->call.plan = run->blocks[2] = block(op->plan_bytes);
    run->needs = op->kind->plan(op, &setting, run->blocks[2]);
}

void op_run_create(struct op_run *run, const struct cvy_op *op, const struct cvy_compute *compute, int n) {
    *run = (struct op_run){.op = op};
    run->call = (struct cvy_call){.compute = compute,
                                  .mode = CVY_TRAIN,
                                  .n = n,
                                  .x = run->x,
                                  .dx = run->dx,
                                  .accumulate = run->accumulate,
                                  .batch_samples = n,
                                  .partial = run->partial,
                                  .loss = &run->loss};
    for (int i = 0; i < op->inputs; i++) {
        run->x_count[i] = (size_t)cvy_op_count(op->in[i], n);
        run->x[i] = tensor(own(run, run->x_count[i]), n, op->in[i]);
        run->dx[i] = tensor(own(run, run->x_count[i]), n, op->in[i]);
    }
    if (!cvy_loss_of(op)) {
        run->y_count = (size_t)cvy_op_count(op->out, n);
        run->call.y = tensor(own(run, run->y_count), n, op->out);
        run->call.dy = tensor(own(run, run->y_count), n, op->out);
    }
    for (int p = 0; p < op->params; p++) {
        run->call.param[p] = own(run, op_stored(op, p));
        run->call.grad[p] = own(run, op_stored(op, p));
    }
    for (int b = 0; b < op->buffers; b++) {
        run->call.buffer[b] = own(run, stored_floats(&op->buffer[b]));
        run->call.stat[b] = own(run, stored_floats(&op->buffer[b]));
    }
    find_needs(run, compute, n);
    run->call.copy = run->blocks[3] = block(run->needs.copy_floats * sizeof(float));
    run->call.saved = run->blocks[0] = block(op->kind->saved ? op->kind->saved(op, n) : 0);
    run->call.workspace = run->blocks[1] = block(run->needs.workspace);
}

void op_run_destroy(struct op_run *run) {
    for (int i = 0; i < run->owned; i++) floats_free(run->own[i]);
    for (size_t i = 0; i < sizeof run->blocks / sizeof *run->blocks; i++) free(run->blocks[i]);
    *run = (struct op_run){0};
}

float *op_run_param(struct op_run *run, int p) {
    return (float *)(uintptr_t)run->call.param[p];
}

float *op_run_buffer(struct op_run *run, int b) {
    return (float *)(uintptr_t)run->call.buffer[b];
}

/* This is the whole batch. */
static void normalise(struct op_run *run) {
    if (cvy_loss_of(run->op) && run->op->partial_forward) run->op->kind->partial(run->op, &run->call, false);
}

void op_run_forward(struct op_run *run) {
    if (run->needs.copy_in_forward) run->op->kind->prepare(run->op, &run->call);
    normalise(run);
    run->op->kind->forward(run->op, &run->call);
}

static void poison(struct cvy_tensor *tensor) {
    int64_t count = cvy_op_count(tensor->shape, tensor->n);
    float *data = tensor->data;
    for (int64_t i = 0; i < count; i++) data[i] = NAN;
}

void op_run_backward(struct op_run *run) {
    const struct cvy_op *op = run->op;
    bool shared = run->call.y.data == run->x[0].data; /* in place: x is y by now */
    for (int i = 0; i < op->inputs; i++)
        if (!(op->reads & CVY_READS_INPUT) && !shared) poison(&run->x[i]);
    if (!cvy_loss_of(op) && !(op->reads & CVY_READS_OUTPUT) && !shared) poison(&run->call.y);
    if (op->kind->prepare) op->kind->prepare(op, &run->call);
    normalise(run);
    op->kind->backward(op, &run->call);
    float *grad[CVY_OP_PARAMS];
    memcpy(grad, run->call.grad, sizeof grad);
    for (int part = 0; op->parts > 1 && part < op->parts; part++) {
        for (int p = 0; p < op->params; p++)
            run->call.grad[p] = grad[p] + cvy_op_part(op, part) * (op_stored(op, p) / (size_t)op->units);
        op->kind->gradient(op, &run->call, part);
    }
    memcpy(run->call.grad, grad, sizeof grad);
}

cvy_status plan_for(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves, int threads,
                    enum cvy_recompute recompute, struct cvy_plan *out) {
    struct cvy_compute *compute;
    CVY_TRY(cvy_compute_create(threads, cvy_isa_detect(), &compute));
    const cvy_status status = cvy_plan_create(graph, mode, n, leaves, compute, recompute, out);
    cvy_compute_destroy(&compute);
    return status;
}

static cvy_status build(struct cvy_tree *tree, struct cvy_node *root, const char *loss, struct cvy_graph **graph) {
    struct cvy_node *loss_node = NULL;
    struct cvy_findings findings = {0};
    if (loss) CVY_TRY(cvy_yaml_parse(tree, "loss.yaml", loss, strlen(loss), &loss_node));
    cvy_graph_give(root, NULL, &findings);
    CVY_TRY(cvy_findings_raise(&findings, CVY_ERR_USAGE));
    return cvy_graph_create(root, loss_node, graph);
}

cvy_status graph_from_text(const char *text, const char *loss, struct cvy_tree **tree, struct cvy_graph **graph) {
    struct cvy_node *root;
    *graph = NULL;
    CVY_TRY(cvy_tree_create(tree));
    CVY_TRY(cvy_yaml_parse(*tree, "t.yaml", text, strlen(text), &root));
    return build(*tree, root, loss, graph);
}

cvy_status graph_from_model_at(const char *file, const char *input, const char *loss, struct cvy_tree **tree,
                               struct cvy_graph **graph) {
    struct cvy_node *root, *shape;
    char path[4096];
    *graph = NULL;
    CVY_TRY(cvy_tree_create(tree));
    snprintf(path, sizeof path, "%s/configs/models/%s", test_root(), file);
    CVY_TRY(cvy_yaml_load(*tree, path, &root));
    if (input) CVY_TRY(cvy_yaml_parse(*tree, "input", input, strlen(input), &shape));
    if (input) CVY_TRY(cvy_node_set(*tree, root, "input", shape));
    return build(*tree, root, loss, graph);
}

cvy_status graph_from_model(const char *file, const char *loss, struct cvy_tree **tree, struct cvy_graph **graph) {
    return graph_from_model_at(file, NULL, loss, tree, graph);
}

struct cvy_loss_result op_loss_of(const char *loss, int outputs, int n, const float *x, struct cvy_tensor target) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_compute *compute;
    struct op_run run;
    char text[128];
    snprintf(text, sizeof text, "input: [1, 1, %d]\nlayers: [flatten]\n", outputs);
    TEST_OK(graph_from_text(text, loss, &tree, &graph));
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    op_run_create(&run, &graph->nodes[1].op, compute, n);
    memcpy(run.x[0].data, x, (size_t)(n * outputs) * sizeof *x);
    run.call.target = target;
    op_run_backward(&run);
    const struct cvy_loss_result result = run.loss;
    op_run_destroy(&run);
    cvy_compute_destroy(&compute);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    return result;
}
