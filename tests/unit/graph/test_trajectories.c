#define _GNU_SOURCE
/* Whole networks, ten steps: ResNet-20, a small GoogLeNet (branches, an auxiliary head, dropout, local response
 * normalisation) and the blocks of MobileNet v2 lose, learn and keep statistics as another framework has them, at every
 * ISA level, against tests/golden/trajectories.h5 (PyTorch in float64; make_trajectories.py says what is in it). The
 * error allowed of each tensor, max|a − b| / max|b|, is 1e-5 or twice that of PyTorch in float32, whichever is larger.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "golden_help.h"
#include "unit/graph/graph_help.h"
#include "io/yaml.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "optim/optimizer.h"
#include "test.h"

enum { KEPT = 192, TENSORS = 256, LARGEST = TENSORS * 2 * KEPT, STEPS = 10 };

struct trajectory {
    const char *name;
    hid_t group;
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    int64_t classes, n, instance, seed, epoch;
    double sgd[3];
    double *want; /* [LARGEST] */
    double fp32_error[TENSORS];
};

/* ---- what the file says ---- */

static char *read_text(hid_t group, const char *name) {
    char **texts = NULL;
    TEST_OK(cvy_h5_get_texts(group, name, 1, &texts));
    char *text = strdup(texts ? texts[0] : "");
    cvy_free(texts);
    return text;
}

static void read_settings(struct trajectory *t) {
    TEST_OK(cvy_h5_get_ints(t->group, "classes", &t->classes));
    TEST_OK(cvy_h5_get_ints(t->group, "n", &t->n));
    TEST_OK(cvy_h5_get_ints(t->group, "instance", &t->instance));
    TEST_OK(cvy_h5_get_ints(t->group, "seed", &t->seed));
    TEST_OK(cvy_h5_get_ints(t->group, "epoch", &t->epoch));
    TEST_OK(cvy_h5_get_reals(t->group, "sgd", t->sgd));
}

/* A file of configs/models with another input, or the text of a model. */
static void build_graph(struct trajectory *t) {
    char *model = read_text(t->group, "model"), input[64];
    int64_t d[3];
    TEST_OK(cvy_h5_get_ints(t->group, "input", d));
    snprintf(input, sizeof input, "[%d, %d, %d]", (int)d[0], (int)d[1], (int)d[2]);
    if (strchr(model, '\n'))
        TEST_OK(graph_from_text(model, "softmax_cross_entropy", &t->tree, &t->graph));
    else
        TEST_OK(graph_from_model_at(model, input, "softmax_cross_entropy", &t->tree, &t->graph));
    CU_ASSERT(cvy_shape_equal(t->graph->input, (struct cvy_shape){(int)d[0], (int)d[1], (int)d[2]}));
    free(model);
}

/* The script has the same parameters in the same order. */
static void check_names(const struct trajectory *t) {
    char *names = read_text(t->group, "names"), *rest = names;
    int p = 0;
    for (char *name; (name = strsep(&rest, "\n")); p++) {
        bool same = p < t->graph->params.count && strcmp(name, t->graph->params.items[p].name) == 0;
        if (!same) fprintf(stderr, "\n    %s: parameter %d is not %s", t->name, p, name);
        CU_ASSERT(same);
    }
    CU_ASSERT_EQUAL(p, t->graph->params.count);
    free(names);
}

/* ---- the formulas of the script ---- */

static void draw_values(const struct cvy_graph *graph, float *values) {
    for (int p = 0; p < graph->params.count; p++) {
        const struct cvy_param *param = &graph->params.items[p];
        const size_t count = (size_t)cvy_param_count(param);
        const bool scale = param->rank == 1 && strstr(param->name, "/weight") != NULL;
        double size = 0.25;
        if (param->rank > 1) size = sqrt(6 / ((double)count / (double)param->dims[param->rank - 1]));
        float *logical = floats_new(count);
        for (size_t i = 0; i < count; i++) logical[i] = golden_draw(100 + (uint32_t)p, i, size) + (float)scale;
        cvy_param_from_logical(param, logical, values + param->offset);
        floats_free(logical);
    }
}

static void draw_batch(const struct trajectory *t, int step, struct graph_batch *batch) {
    const uint32_t stream = 10000 * (uint32_t)t->instance + (uint32_t)step;
    const size_t pixels = (size_t)cvy_shape_count(t->graph->input);
    for (int n = 0; n < t->n; n++) {
        batch->ids[n] = step * t->n + n;
        batch->labels[n] = (int32_t)(golden_bits(2000 + stream, (size_t)n) % (uint32_t)t->classes);
        for (size_t i = 0; i < pixels; i++)
            batch->x[(size_t)n * pixels + i] = golden_draw(1000 + stream, (size_t)n * pixels + i, 0.5) +
                                               golden_draw(3000 + (uint32_t)batch->labels[n], i, 1.0);
    }
}

/* ---- comparing ---- */

static void compare(const struct trajectory *t, const struct cvy_compute *compute, const char *name, const char *part,
                    const float *got, const double *want, size_t count, double fp32_error) {
    double error = floats_error(got, want, count);
    bool good = error <= fmax(1e-5, 2 * fp32_error);
    if (!good)
        fprintf(stderr, "\n    %s %s %s at %s: error %.2g, PyTorch's in float32 %.2g", t->name, name, part,
                cvy_isa_name(compute->isa), error, fp32_error);
    CU_ASSERT(good);
}

static double largest(const double *values, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++) most = fmax(most, fabs(values[i]));
    return most;
}

/* A tensor that is zero by nature (the gradient of a shift that a batch normalisation takes away again) holds rounding
 * alone, in float64 too: it must be small beside the others. */
static bool nothing(const float *got, const double *want, size_t count, double most) {
    double size = 0;
    for (size_t i = 0; i < count; i++) size = fmax(size, fabs((double)got[i]));
    return largest(want, count) < 1e-12 * most && size < 1e-5 * most;
}

/* A sample of each tensor of a list, one after the other. */
static void compare_list(struct trajectory *t, const struct cvy_compute *compute, const char *name,
                         const struct cvy_params *list, const float *stored) {
    size_t total = 0, at = 0;
    float *logical[TENSORS];
    CU_ASSERT_FATAL(list->count <= TENSORS);
    for (int p = 0; p < list->count; p++) {
        const size_t count = (size_t)cvy_param_count(&list->items[p]), step = count > KEPT ? count / KEPT | 1 : 1;
        logical[p] = floats_new(count);
        cvy_param_to_logical(&list->items[p], stored + list->items[p].offset, logical[p]);
        for (size_t i = 0; i * step < count; i++) logical[p][i] = logical[p][i * step];
        total += (count + step - 1) / step;
    }
    bool read = total <= LARGEST && golden_read(t->group, name, total, t->want, "fp32_error", t->fp32_error);
    const double most = read ? largest(t->want, total) : 0;
    for (int p = 0; p < list->count; p++) {
        const size_t count = (size_t)cvy_param_count(&list->items[p]), step = count > KEPT ? count / KEPT | 1 : 1;
        const size_t kept = (count + step - 1) / step;
        if (read && !nothing(logical[p], t->want + at, kept, most))
            compare(t, compute, name, list->items[p].name, logical[p], t->want + at, kept, t->fp32_error[p]);
        at += kept;
        floats_free(logical[p]);
    }
}

static void compare_losses(struct trajectory *t, const struct cvy_compute *compute, const float *losses) {
    if (!golden_read(t->group, "losses", STEPS, t->want, "fp32_error", t->fp32_error)) return;
    for (int s = 0; s < STEPS; s++) {
        char step[16];
        snprintf(step, sizeof step, "of step %d", s);
        compare(t, compute, "loss", step, losses + s, t->want + s, 1, t->fp32_error[s]);
    }
}

/* ---- running ---- */

static double run_net(struct cvy_net *net, const struct trajectory *t, const struct graph_batch *batch,
                      struct leaf_store *store) {
    const int sizes[1] = {(int)t->n};
    struct cvy_loss_result loss;
    struct cvy_net_batch part = graph_leaves(t->graph, batch, sizes, 0, 1);
    part.epoch = (uint32_t)t->epoch;
    store->next = 0;
    TEST_OK(cvy_net_run(net, &part, &store->hooks, &loss));
    return loss.loss / (double)t->n;
}

static void check_scores(struct trajectory *t, const struct cvy_compute *compute, struct cvy_net *trained,
                         const struct graph_batch *batch, struct leaf_store *store) {
    const size_t count = (size_t)(t->n * t->classes);
    struct cvy_net *net;
    TEST_OK(cvy_net_create_follower(
        &(struct cvy_net_spec){t->graph, compute, CVY_EVALUATE, (int)t->n, 1, 0, CVY_RECOMPUTE_AUTO}, &net));
    cvy_net_follow(net, cvy_net_parameters(trained), cvy_net_buffers(trained));
    run_net(net, t, batch, store);
    if (golden_read(t->group, "scores", count, t->want, "fp32_error", t->fp32_error))
        compare(t, compute, "scores", "", cvy_net_output(net), t->want, count, t->fp32_error[0]);
    cvy_net_destroy(&net);
}

static void create_sgd(const struct trajectory *t, struct cvy_optimizer *out) {
    struct cvy_node *node;
    char text[128];
    snprintf(text, sizeof text, "{sgd: {momentum: %.17g, weight_decay: %.17g, nesterov: true}}", t->sgd[1], t->sgd[2]);
    TEST_OK(cvy_yaml_parse(t->tree, "sgd", text, strlen(text), &node));
    TEST_OK(cvy_optimizer_create(node, &t->graph->params, CVY_DECAY_ON_ALL, out));
}

static void at_level(const struct cvy_compute *compute, void *arg) {
    struct trajectory *t = arg;
    struct graph_batch batch;
    struct cvy_net *net;
    struct leaf_store store;
    struct cvy_optimizer sgd;
    float losses[STEPS];
    graph_batch_create(t->graph, (int)t->n, &batch);
    TEST_OK(cvy_net_create(
        &(struct cvy_net_spec){t->graph, compute, CVY_TRAIN, (int)t->n, 1, (uint64_t)t->seed, CVY_RECOMPUTE_AUTO},
        &net));
    draw_values(t->graph, cvy_net_parameters(net));
    leaf_store_create(t->graph, 1, &store);
    create_sgd(t, &sgd);
    for (int step = 0; step < STEPS; step++) {
        float *gradient = store.gradients + store.statistics;
        draw_batch(t, step, &batch);
        losses[step] = (float)run_net(net, t, &batch, &store);
        for (size_t i = 0; i < t->graph->params.stored; i++) gradient[i] /= (float)t->n;
        if (step == 0) compare_list(t, compute, "gradients", &t->graph->params, gradient);
        cvy_optimizer_update(&sgd, compute, cvy_net_parameters(net), gradient, 0, t->graph->params.stored, t->sgd[0], 1,
                             step + 1);
        cvy_net_update_buffers(net, store.gradients, t->n);
    }
    compare_losses(t, compute, losses);
    compare_list(t, compute, "parameters", &t->graph->params, cvy_net_parameters(net));
    compare_list(t, compute, "buffers", &t->graph->buffers, cvy_net_buffers(net));
    check_scores(t, compute, net, &batch, &store);
    cvy_optimizer_destroy(&sgd);
    leaf_store_destroy(&store);
    cvy_net_destroy(&net);
    graph_batch_destroy(&batch);
}

static void check(const char *name) {
    struct trajectory t = {.name = name, .want = calloc(LARGEST, sizeof(double))};
    hid_t file = golden_open("trajectories.h5");
    t.group = file < 0 ? -1 : H5Gopen2(file, name, H5P_DEFAULT);
    CU_ASSERT(t.group >= 0);
    if (t.group >= 0) {
        read_settings(&t);
        build_graph(&t);
        check_names(&t);
        each_level(2, at_level, &t);
    }
    cvy_h5_drop(&t.group);
    golden_close(&file);
    free(t.want);
    cvy_graph_destroy(&t.graph);
    cvy_tree_destroy(&t.tree);
}

static void resnet20(void) {
    check("resnet20");
}
static void googlenet(void) {
    check("googlenet");
}
static void mobilenet(void) {
    check("mobilenet");
}

static const struct test_case cases[] = {
    {"ResNet-20: ten steps", resnet20},
    {"a small GoogLeNet with a head and dropout: ten steps", googlenet},
    {"MobileNet's blocks: ten steps", mobilenet},
    {0},
};
const struct test_suite suite_trajectories = {"trajectories", cases, NULL};
