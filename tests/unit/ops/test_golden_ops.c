/* Single layers and losses equal another framework's: outputs, all gradients, and inputs and parameters after ten
 * updates, at every ISA level, against the cases of tests/golden/ (PyTorch in float64; README.md there). The error
 * allowed of each tensor, max|a − b| / max|b|, is 1e-5 or twice that of PyTorch in float32, whichever is larger. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/hdf5/h5.h"
#include "unit/core/param_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"

enum { LARGEST = 1 << 16, TARGETS = 512, STEPS = 10 };

/* ---- make_lenet5.draw ---- */

static float draw(uint32_t stream, size_t i, double scale) {
    uint32_t h = (uint32_t)i + stream * 0x9E3779B1u;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    return (float)(((h ^ h >> 16) / 0x1p31 - 1.0) * scale);
}
static void draw_all(uint32_t stream, float *out, size_t count, double scale) {
    for (size_t i = 0; i < count; i++) out[i] = draw(stream, i, scale);
}

/* ---- one case of a file ---- */

struct golden_case {
    const char *file;
    hid_t group;
    char op[64], settings[256];
    int64_t shape[3 * OP_INPUTS], n; /* of each input, one after the other */
    int inputs;
    double scale; /* of the inputs */
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    const struct cvy_op *kind; /* the op under test */
    double *want;              /* [LARGEST] */
};

static void read_text(hid_t group, const char *name, char *out, size_t room) {
    char **texts = NULL;
    TEST_OK(cvy_h5_get_texts(group, name, 1, &texts));
    snprintf(out, room, "%s", texts ? texts[0] : "");
    cvy_free(texts);
}

/* Layers that make the inputs behind the first, then the op. */
static void join(const struct golden_case *c, char *out, size_t room) {
    char names[64] = "input";
    size_t at = 0;
    for (int i = 1; i < c->inputs; i++) {
        const int64_t *in = c->shape, *wanted = &c->shape[(ptrdiff_t)3 * i];
        at +=
            (size_t)snprintf(out + at, room - at, "{conv: {filters: %d, kernel: [%d, %d]}, name: x%d, inputs: input}, ",
                             (int)wanted[2], (int)(in[0] - wanted[0] + 1), (int)(in[1] - wanted[1] + 1), i);
        snprintf(names + strlen(names), sizeof names - strlen(names), ", x%d", i);
    }
    snprintf(out + at, room - at, "{%s: %s, inputs: [%s]}", c->op, c->settings, names);
}

static void case_open(struct golden_case *c) {
    char text[1024], body[512];
    const char *near;
    int64_t numbers = 0;
    read_text(c->group, "op", c->op, sizeof c->op);
    read_text(c->group, "settings", c->settings, sizeof c->settings);
    cvy_h5_attribute(c->group, "shape", &numbers);
    CU_ASSERT_FATAL(numbers >= 3 && numbers <= 3 * OP_INPUTS);
    c->inputs = (int)(numbers / 3);
    TEST_OK(cvy_h5_get_ints(c->group, "shape", c->shape));
    c->scale = 1;
    if (cvy_h5_attribute(c->group, "scale", &numbers) == CVY_H5_REALS)
        TEST_OK(cvy_h5_get_reals(c->group, "scale", &c->scale));
    TEST_OK(cvy_h5_get_ints(c->group, "n", &c->n));
    bool loss = cvy_losses_find(c->op, &near) != NULL;
    if (c->inputs == 1) snprintf(body, sizeof body, "{%s: %s}", c->op, c->settings);
    if (c->inputs > 1) join(c, body, sizeof body);
    snprintf(text, sizeof text, "input: [%d, %d, %d]\nlayers: [%s]\n", (int)c->shape[0], (int)c->shape[1],
             (int)c->shape[2], loss ? "tanh" : body);
    TEST_OK(graph_from_text(text, loss ? body : NULL, &c->tree, &c->graph));
    c->kind = &c->graph->nodes[c->graph->node_count - 1].op;
}

static void case_close(struct golden_case *c) {
    cvy_graph_destroy(&c->graph);
    cvy_tree_destroy(&c->tree);
}

static void compare(const struct golden_case *c, const struct cvy_compute *compute, const char *name, const float *got,
                    size_t count) {
    double fp32_error = 0;
    hid_t set = H5Dopen2(c->group, name, H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
    bool read = set >= 0 && count <= LARGEST && H5Sget_simple_extent_npoints(space) == (hssize_t)count &&
                H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, c->want) >= 0 &&
                cvy_h5_get_reals(set, "fp32_error", &fp32_error) == CVY_OK;
    cvy_h5_drop(&space);
    cvy_h5_drop(&set);
    double error = read ? floats_error(got, c->want, count) : INFINITY;
    bool good = error <= fmax(1e-5, 2 * fp32_error);
    if (!good)
        fprintf(stderr, "\n    %s: %s %s: %s at %s: error %.2g, PyTorch's in float32 %.2g", c->file, c->op, c->settings,
                name, cvy_isa_name(compute->isa), error, fp32_error);
    CU_ASSERT(good);
}

/* ---- running it ---- */

static void draw_params(const struct golden_case *c, struct op_run *run) {
    for (int p = 0; p < c->kind->params; p++) {
        struct cvy_param param = c->kind->param[p];
        size_t count = (size_t)cvy_param_count(&param);
        float *logical = floats_new(count);
        param.stored = cvy_param_stored(&param);
        draw_all(10 + (uint32_t)p, logical, count, 0.5);
        cvy_param_from_logical(&param, logical, op_run_param(run, p));
        floats_free(logical);
    }
}

static void compare_gradients(const struct golden_case *c, const struct cvy_compute *compute,
                              const struct op_run *run) {
    for (int p = 0; p < c->kind->params; p++) {
        size_t count = (size_t)cvy_param_count(&c->kind->param[p]);
        float *logical = floats_new(count);
        param_logical(&c->kind->param[p], run->call.grad[p], logical);
        compare(c, compute, c->kind->param[p].name, logical, count);
        floats_free(logical);
    }
}

/* ---- running statistics ---- */

/* One step in training, and what a net does with its statistics afterwards. */
static void keep_statistics(const struct golden_case *c, struct op_run *run, uint32_t stream) {
    draw_all(stream, run->x[0].data, run->x_count[0], 1);
    op_run_forward(run);
    op_run_backward(run);
    for (int b = 0; b < c->kind->buffers; b++) {
        const struct cvy_param *buffer = &c->kind->buffer[b];
        float *value = op_run_buffer(run, b);
        for (int64_t i = 0; i < cvy_param_count(buffer); i++)
            value[i] = (float)((1 - buffer->momentum) * value[i] +
                               buffer->momentum * (double)run->call.stat[b][i] / run->call.n);
    }
}

static void run_kept(const struct golden_case *c, const struct cvy_compute *compute, struct op_run *run) {
    for (int b = 0; b < c->kind->buffers; b++) {
        struct cvy_param buffer = c->kind->buffer[b];
        buffer.stored = cvy_param_stored(&buffer);
        TEST_OK(cvy_param_init(&buffer, 0, NULL, op_run_buffer(run, b)));
    }
    for (uint32_t step = 0; step < 3; step++) keep_statistics(c, run, 20 + step);
    for (int b = 0; b < c->kind->buffers; b++)
        compare(c, compute, c->kind->buffer[b].name, run->call.buffer[b], (size_t)cvy_param_count(&c->kind->buffer[b]));
    draw_all(23, run->x[0].data, run->x_count[0], 1);
    run->call.mode = CVY_EVALUATE;
    op_run_forward(run);
    compare(c, compute, "evaluated", run->call.y.data, run->y_count);
}

/* ---- ten updates: x −= rate·dx, and parameters alike ---- */

static void step_down(float *value, const float *gradient, size_t count, double rate) {
    for (size_t i = 0; i < count; i++) value[i] -= (float)rate * gradient[i];
}

/* Forward and backward of the layer for the x that stands there; of a loss, a mean over the samples. */
static void pass(const struct golden_case *c, struct op_run *run) {
    if (!cvy_loss_of(c->kind)) {
        draw_all(2, run->call.dy.data, run->y_count, 1);
        op_run_forward(run);
    }
    op_run_backward(run);
    if (!cvy_loss_of(c->kind)) return;
    for (size_t i = 0; i < run->x_count[0]; i++) ((float *)run->dx[0].data)[i] /= (float)c->n;
}

static void compare_after(const struct golden_case *c, const struct cvy_compute *compute, struct op_run *run,
                          float *const x[OP_INPUTS]) {
    char name[160] = "after/x";
    for (int k = 0; k < c->inputs; k++) {
        if (k) snprintf(name, sizeof name, "after/x%d", k);
        compare(c, compute, name, x[k], run->x_count[k]);
    }
    for (int p = 0; p < c->kind->params; p++) {
        size_t count = (size_t)cvy_param_count(&c->kind->param[p]);
        float *logical = floats_new(count);
        param_logical(&c->kind->param[p], op_run_param(run, p), logical);
        snprintf(name, sizeof name, "after/%s", c->kind->param[p].name);
        compare(c, compute, name, logical, count);
        floats_free(logical);
    }
}

/* x: copies of the inputs, from keep_inputs; they are used up. */
static void ten_updates(const struct golden_case *c, const struct cvy_compute *compute, struct op_run *run,
                        float *const x[OP_INPUTS]) {
    double rate = 0;
    run->call.mode = CVY_TRAIN;
    TEST_OK(cvy_h5_get_reals(c->group, "rate", &rate));
    for (int step = 0; step < STEPS; step++) {
        for (int k = 0; k < c->inputs; k++) memcpy(run->x[k].data, x[k], run->x_count[k] * sizeof(float));
        pass(c, run);
        for (int k = 0; k < c->inputs; k++) step_down(x[k], run->dx[k].data, run->x_count[k], rate);
        for (int p = 0; p < c->kind->params; p++)
            step_down(op_run_param(run, p), run->call.grad[p], op_stored(c->kind, p), rate);
    }
    compare_after(c, compute, run, x);
    for (int k = 0; k < c->inputs; k++) floats_free(x[k]);
}

/* Copies of the inputs: backward may leave nothing of them. */
static void keep_inputs(const struct golden_case *c, const struct op_run *run, float *x[OP_INPUTS]) {
    for (int k = 0; k < c->inputs; k++) {
        x[k] = floats_new(run->x_count[k]);
        memcpy(x[k], run->x[k].data, run->x_count[k] * sizeof(float));
    }
}

static void run_layer(const struct golden_case *c, const struct cvy_compute *compute, struct op_run *run) {
    float *x[OP_INPUTS];
    keep_inputs(c, run, x);
    draw_all(2, run->call.dy.data, run->y_count, 1);
    op_run_forward(run);
    compare(c, compute, "y", run->call.y.data, run->y_count);
    op_run_backward(run);
    for (int k = 0; k < c->inputs; k++) {
        char name[16] = "dx";
        if (k) snprintf(name, sizeof name, "dx%d", k);
        compare(c, compute, name, run->dx[k].data, run->x_count[k]);
    }
    compare_gradients(c, compute, run);
    if (c->kind->buffers) run_kept(c, compute, run);
    ten_updates(c, compute, run, x);
}

/* A data set of the case's group, of `count` floats; false where there is none. */
static bool read_floats(const struct golden_case *c, const char *name, float *out, size_t count) {
    if (H5Lexists(c->group, name, H5P_DEFAULT) <= 0) return false;
    hid_t set = H5Dopen2(c->group, name, H5P_DEFAULT), space = H5Dget_space(set);
    CU_ASSERT_EQUAL_FATAL((size_t)H5Sget_simple_extent_npoints(space), count);
    CU_ASSERT(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    cvy_h5_drop(&space);
    cvy_h5_drop(&set);
    return true;
}

/* Classes of the samples or of their pixels, or a value for each output. `room`: for either */
static struct cvy_tensor read_target(const struct golden_case *c, const struct op_run *run, float *room) {
    int64_t given[TARGETS], count;
    const struct cvy_shape shape = run->x[0].shape;
    CU_ASSERT_FATAL(run->x_count[0] <= TARGETS);
    if (read_floats(c, "t", room, run->x_count[0])) return op_values(room, (int)c->n, shape);
    CU_ASSERT_FATAL(cvy_h5_attribute(c->group, "labels", &count) == CVY_H5_INTS && count <= TARGETS);
    TEST_OK(cvy_h5_get_ints(c->group, "labels", given));
    for (int64_t i = 0; i < count; i++) {
        const int32_t label = (int32_t)given[i];
        memcpy(&room[i], &label, sizeof label);
    }
    struct cvy_tensor target = op_classes((const int32_t *)room, (int)c->n);
    if (count > c->n) target.shape = (struct cvy_shape){shape.h, shape.w, 1};
    return target;
}

/* The mean over the samples; /x where the case has one of its own. */
static void run_loss(const struct golden_case *c, const struct cvy_compute *compute, struct op_run *run) {
    float *dx = run->dx[0].data, *x[OP_INPUTS], targets[TARGETS], loss;
    run->call.target = read_target(c, run, targets);
    draw_all(1, run->x[0].data, run->x_count[0], 3);
    read_floats(c, "x", run->x[0].data, run->x_count[0]);
    keep_inputs(c, run, x);
    op_run_backward(run);
    loss = (float)(run->loss.loss / (double)c->n);
    for (size_t i = 0; i < run->x_count[0]; i++) dx[i] /= (float)c->n;
    compare(c, compute, "y", &loss, 1);
    compare(c, compute, "dx", dx, run->x_count[0]);
    ten_updates(c, compute, run, x);
}

static void at_level(const struct cvy_compute *compute, void *arg) {
    const struct golden_case *c = arg;
    struct op_run run;
    op_run_create(&run, c->kind, compute, (int)c->n);
    for (int k = 0; k < c->inputs; k++) draw_all(k ? 20 + (uint32_t)k : 1, run.x[k].data, run.x_count[k], c->scale);
    draw_params(c, &run);
    if (cvy_loss_of(c->kind))
        run_loss(c, compute, &run);
    else
        run_layer(c, compute, &run);
    op_run_destroy(&run);
}

/* ---- a file: its groups are the cases ---- */

static herr_t run_case(hid_t file, const char *name, const H5L_info_t *info, void *arg) {
    struct golden_case c = *(struct golden_case *)arg;
    (void)info;
    c.group = H5Gopen2(file, name, H5P_DEFAULT);
    case_open(&c);
    each_level(2, at_level, &c);
    case_close(&c);
    cvy_h5_drop(&c.group);
    return 0;
}

static void check_file(const char *name) {
    struct golden_case c = {.file = name, .want = calloc(LARGEST, sizeof(double))};
    char path[4200];
    hid_t file;
    hsize_t next = 0;
    snprintf(path, sizeof path, "%s/tests/golden/%s.h5", test_root(), name);
    cvy_h5_lock();
    cvy_status status = cvy_h5_open(path, CVY_ERR_DATA, &file);
    TEST_OK(status);
    if (status == CVY_OK) {
        CU_ASSERT(H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, &next, run_case, &c) >= 0 && next > 0);
        cvy_h5_drop(&file);
    }
    cvy_h5_unlock();
    free(c.want);
}

static void conv(void) {
    check_file("conv");
}

static void elements(void) {
    check_file("elements");
}

static void norm(void) {
    check_file("norm");
}

static void losses(void) {
    check_file("losses");
}

static const struct test_case cases[] = {
    {"activations, pooling, and what combines and cuts", elements},
    {"convolution: groups, depthwise, flipped, transposed", conv},
    {"normalisation: batch (training, evaluation), group, layer, local response", norm},
    {"losses", losses},
    {0},
};
const struct test_suite suite_golden_ops = {"golden_ops", cases, NULL};
